//! `gatepost keys`, and the key file that every command needs.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::StatusCode;

use crate::backend::Backend;
use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::process::{Shop, call, eventually, eventually_status, finish};
use crate::server::{TestServer, gatepost};

#[test]
fn a_missing_a_foreign_and_a_readable_key_file_are_refused_with_the_fix() {
    let shop = Shop::new("keys-refused");
    let path = shop.0.path().join("keys.toml");
    let good = std::fs::read(&path).unwrap();
    let commands: [(&str, &[&str]); 4] = [
        ("sql", &["--schema", "shop", "-c", "select 1 as x"]),
        ("serve", &["--listen", "127.0.0.1:0"]),
        ("keys", &["rotate"]),
        ("check-config", &[]),
    ];
    let refused = |wanted: &[&str]| {
        for (name, arguments) in commands {
            let message = shop.run(name, arguments).refused();
            for wanted in wanted {
                assert!(message.contains(wanted), "{name}: {wanted}: {message}");
            }
            assert!(!message.contains("bytes"), "a key is quoted: {message}");
        }
    };
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(&["can be read by others (mode 644)", &format!("chmod 600 {}", path.display())]);
    std::fs::remove_file(&path).unwrap();
    refused(&["keys.toml is missing", "put that file back"]);
    assert!(!path.exists(), "new keys were made for a catalog that has some");
    let message = shop.init().refused();
    assert!(message.contains("put that file back"), "{message}");

    let write = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let other = Shop::new("keys-foreign");
    write(&std::fs::read(other.0.path().join("keys.toml")).unwrap());
    refused(&["belongs to another catalog"]);
    write(b"");
    refused(&["key file"]);
    write(&good[..good.len() / 2]);
    refused(&["key file"]);
    write(&good);
    shop.run("check-config", &[]).ok();
}

#[tokio::test]
async fn keys_can_come_from_a_variable() {
    let folder = Folder::new("keys-variable");
    drop(TestServer::demo(&folder));
    let path = folder.path().join("keys.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let dir = folder.path().to_str().unwrap();
    let mut command = gatepost(&["serve", "--listen", "127.0.0.1:0", "--data", dir]);
    command.env("GATEPOST_KEYS", &text);
    let server = TestServer::spawn(folder.path(), command);
    let token = Credentials::of_demo(&server).token(&server, "hr").await;
    let answer = get(&server.url("hr/hr/employees/"), Some(&token)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    // A catalog in PostgreSQL keeps all keys but the wrapping key.
    let kinds = match folder.backend() {
        Backend::Sqlite => &["sealing", "wrapping"][..],
        Backend::Postgres => &["wrapping"],
    };
    for kind in kinds {
        let mut rotate = gatepost(&["keys", "--data", dir, "rotate", kind]);
        let message = finish(rotate.env("GATEPOST_KEYS", &text), "").refused();
        assert!(message.contains("change them there"), "{kind}: {message}");
    }
    let wrong = finish(gatepost(&["keys", "--data", dir, "list"]).env("GATEPOST_KEYS", "x"), "").refused();
    assert!(wrong.contains("variable GATEPOST_KEYS"), "{wrong}");
    assert!(!path.exists());
}

#[test]
fn every_kind_is_rotated_and_the_last_sealing_key_stays() {
    let shop = Shop::new("keys-kinds");
    shop.script("begin oauth.create_client('old', 'client_credentials'); end;").ok();
    for (kind, wanted) in [("sealing", "sealing key 2"), ("pepper", "pepper 2"), ("vault", "vault key 2")] {
        assert!(shop.run("keys", &["rotate", kind]).ok().contains(wanted));
    }
    let list = shop.run("keys", &["list"]).ok();
    for wanted in ["sealing key 1", "sealing key 2", "pepper 2", "vault key 2", "fingerprint"] {
        assert!(list.contains(wanted), "{wanted}: {list}");
    }
    let file = std::fs::read_to_string(shop.0.path().join("keys.toml")).unwrap();
    for value in
        file.lines().filter_map(|line| line.split_once(" = ")).map(|(_, value)| value.trim_matches('"'))
    {
        assert!(value.len() < 16 || !list.contains(value), "a key is printed");
    }
    // What was sealed and mixed with the older ones can still be read.
    let secret = shop.lines("select client_secret from user_ords_clients");
    assert!(secret[0].starts_with("gp_cs_"), "{secret:?}");
    let mode = std::fs::metadata(shop.0.path().join("keys.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(shop.run("keys", &["prune"]).ok().starts_with("0 "));
    shop.run("keys", &["remove", "1"]).ok();
    for id in ["1", "2", "9"] {
        let message = shop.run("keys", &["remove", id]).refused();
        assert!(message.contains(&format!("sealing key {id}")), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_keys_are_rotated_under_load_without_one_failure() {
    let folder = Folder::new("keys-rotate");
    let server = Arc::new(TestServer::demo(&folder));
    let client = Credentials::of_demo(&server);
    let url = server.known("protected_url");
    let first = client.token(&server, "hr").await;
    let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (server, client, url, first) = (Arc::clone(&server), client.clone(), url.clone(), first.clone());
        let (stop, rounds) = (Arc::clone(&stop), Arc::clone(&rounds));
        callers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let token = client.token(&server, "hr").await;
                for token in [&token, &first] {
                    let answer = get(&url, Some(token)).await;
                    assert_eq!(answer.status(), StatusCode::OK);
                }
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let dir = folder.path().to_str().unwrap().to_owned();
    let (signs, progress) = (dir.clone(), Arc::clone(&rounds));
    tokio::task::spawn_blocking(move || {
        for id in [2, 3] {
            call(&["keys", "--data", &signs, "rotate"]).ok();
            let wanted = format!("sealing key {id}: ");
            eventually("the new key signs", || {
                let list = call(&["keys", "--data", &signs, "list"]).ok();
                list.lines().any(|line| line.starts_with(&wanted) && line.ends_with("signs"))
            });
            let seen = progress.load(Ordering::Relaxed);
            eventually("calls go on", || progress.load(Ordering::Relaxed) > seen + 10);
        }
    })
    .await
    .unwrap();
    stop.store(true, Ordering::Relaxed);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }

    let last = client.token(&server, "hr").await;
    call(&["keys", "--data", &dir, "remove", "1"]).ok();
    eventually_status(401, async || get(&url, Some(&first)).await).await;
    assert_eq!(get(&url, Some(&last)).await.status(), StatusCode::OK, "tokens of other keys stay");
    // A key file that fits no more is not taken in.
    let other = Shop::new("keys-other");
    let foreign = std::fs::read(other.0.path().join("keys.toml")).unwrap();
    let keys = folder.path().join("keys.toml");
    let good = std::fs::read(&keys).unwrap();
    std::fs::write(&keys, foreign).unwrap();
    eventually("it is refused", || server.log_text().contains("is not used"));
    assert_eq!(get(&url, Some(&last)).await.status(), StatusCode::OK);
    std::fs::write(&keys, good).unwrap();
}
