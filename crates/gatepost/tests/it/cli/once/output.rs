//! What a command prints may not be taken, and its environment may hold anything: failures, no panics.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::process::{Command, Output, Stdio};

use reqwest::StatusCode;

use crate::client::get;
use crate::process::Shop;
use crate::server::TestServer;

/// A device that is always full.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A pipe that nobody reads any more.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn shop(name: &str) -> Shop {
    let shop = Shop::new(name);
    shop.script("begin ords.define_module('m', '/m/'); oauth.create_client('c', 'client_credentials'); end;")
        .ok();
    shop
}

/// Commands that print something.
fn commands(shop: &Shop) -> Vec<(&'static str, Command)> {
    let mut commands: Vec<(&str, Command)> = [
        ("export", &["--schema", "shop"][..]),
        ("keys", &["list"]),
        ("keys", &["rotate"]),
        ("keys", &["prune"]),
        ("check-config", &[]),
        ("check-config", &["--reference"]),
        ("log", &[]),
        ("log", &["--changes"]),
        ("explain", &["GET", "/ords/shop/m/x"]),
        ("migrate", &[]),
        ("sql", &["--schema", "shop", "-c", "select 1 as x"]),
    ]
    .map(|(name, arguments)| (name, shop.command(name, arguments)))
    .into();
    commands.push(("init", shop.init_command()));
    commands
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_disk_that_is_full_is_named() {
    let shop = shop("output-full");
    for (name, mut command) in commands(&shop) {
        let output = run(command.stdout(full()));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {message}");
        assert!(message.contains("standard output: No space left on device"), "{name}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    // What was told to nobody was done all the same.
    assert!(shop.run("keys", &["list"]).ok().contains("sealing key 2"));
}

#[test]
fn a_reader_that_went_away_gets_no_complaint() {
    let shop = shop("output-closed");
    for (name, mut command) in commands(&shop) {
        let output = run(command.stdout(closed()));
        let message = String::from_utf8(output.stderr).unwrap();
        let wanted = if name == "sql" { Some(0) } else { Some(1) };
        assert_eq!(output.status.code(), wanted, "{name}: {message}");
        assert!(!message.contains("panicked") && !message.contains("pipe"), "{name}: {message}");
    }
}

#[test]
fn complaints_that_cannot_be_written_change_no_exit_code() {
    let shop = shop("output-complaints");
    for (arguments, wanted) in [
        (&["--schema", "shop", "-c", "begin ords.create_role('r'); end;"][..], 0),
        (&["--schema", "shop", "-c", "select nothing"], 1),
        (&["--schema", "shop", "--format", "json", "--limit", "0", "-c", "select 1 as x"], 0),
    ] {
        for stderr in [Stdio::from(full()), closed()] {
            let mut command = shop.command("sql", arguments);
            let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).status().unwrap();
            assert_eq!(status.code(), Some(wanted), "{arguments:?}");
        }
    }
}

#[tokio::test]
async fn a_server_whose_log_cannot_be_written_serves_on() {
    let shop = shop("output-server");
    // The harness keeps standard error in a file, so a shell puts the full device in its place.
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" 2>/dev/full", "sh"]).arg(crate::server::gatepost(&[]).get_program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data", shop.dir()]);
    command.env("GATEPOST_LOG_LEVEL", "trace");
    let server = TestServer::spawn(shop.0.path(), command);
    for _ in 0..3 {
        assert_eq!(get(&server.url("shop/m/x"), None).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn variables_that_are_no_text_are_other_peoples_business_unless_they_are_ours() {
    let shop = shop("output-variables");
    let bytes = || OsString::from_vec(b"\xff".to_vec());
    let mut command = shop.command("sql", &["--schema", "shop", "-c", "select 1 as x"]);
    let output = run(command.env("OTHER", bytes()).env("USER", bytes()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["GATEPOST_LOG_LEVEL", "GATEPOST_KEYS"] {
        let mut command = shop.command("sql", &["--schema", "shop", "-c", "select 1 as x"]);
        let output = run(command.env(name, bytes()));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(&format!("variable {name} is not UTF-8")), "{message}");
    }
}
