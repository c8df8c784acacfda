//! What the program says of itself.

use crate::folder::Folder;
use crate::process::{call, finish};
use crate::server::gatepost;

const COMMANDS: [&str; 11] =
    ["demo", "init", "serve", "sql", "export", "explain", "token", "check-config", "migrate", "keys", "log"];

#[test]
fn alone_it_prints_help_and_counts_as_wrong_usage() {
    let outcome = call(&[]);
    assert_eq!(outcome.code, Some(2));
    assert_eq!(outcome.stdout, "");
    for command in COMMANDS {
        assert!(outcome.stderr.contains(&format!("\n  {command} ")), "{command} is not in the help");
    }
}

#[test]
fn every_command_explains_itself() {
    for command in COMMANDS {
        let help = call(&[command, "--help"]).ok();
        assert!(help.contains("Usage: gatepost"), "{help}");
        let lines: Vec<&str> = help.lines().collect();
        // An option without a text is one nobody can use.
        for (index, line) in lines.iter().enumerate() {
            let option = line.trim_start().starts_with("--") || line.trim_start().starts_with("-c,");
            let explained = line.trim().contains("  ")
                || lines.get(index + 1).is_some_and(|next| !next.trim().is_empty());
            assert!(!option || explained, "{command}: {line}");
        }
    }
    for action in ["list", "rotate", "prune", "remove"] {
        call(&["keys", action, "--help"]).ok();
    }
    assert!(call(&["--help"]).ok().contains("First steps:"));
    assert!(call(&["--version"]).ok().starts_with("gatepost "));
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["serv"][..],
        &["sql", "--frmat", "json"],
        &["sql", "--format", "xml"],
        &["demo", "--rows", "many"],
        &["serve", "--listen", "here"],
        &["keys"],
        &["init", "x"],
        &["token", "--url", "http://127.0.0.1:1/", "--client-id", "x", "--client-secret", "y"],
    ] {
        let outcome = call(arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("--help"), "{}", outcome.stderr);
    }
}

#[test]
fn without_an_installation_a_command_says_how_to_name_one() {
    let empty = Folder::new("nowhere");
    let outcome = finish(gatepost(&["serve"]).current_dir(empty.path()), "");
    let message = outcome.refused();
    assert!(message.contains("--data DIR") && message.contains("gatepost init"), "{message}");
    let message = call(&["export", "--schema", "hr", "--data", empty.path().to_str().unwrap()]).refused();
    assert!(message.contains("there is no catalog at") && message.contains("gatepost init"), "{message}");
    assert_eq!(
        std::fs::read_dir(empty.path()).unwrap().count(),
        0,
        "files were made by a command that only reads"
    );
}
