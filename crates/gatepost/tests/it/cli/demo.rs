//! `gatepost demo`.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::StatusCode;

use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::process::call;
use crate::server::{TestServer, sql};

#[tokio::test]
async fn started_again_it_keeps_its_clients_and_what_was_changed() {
    let folder = Folder::new("demo-again");
    let first = TestServer::demo(&folder);
    let before = first.demo_json();
    first.sql("hr", "insert into dept (deptno, dname) values (50, 'ADDED');");
    first.sql("hr", "begin ords.delete_module('demo'); end;");
    first.stop();
    let second = TestServer::demo(&folder);
    let after = second.demo_json();
    for member in ["client_id", "client_secret", "limited_client_id", "limited_client_secret"] {
        assert_eq!(before[member], after[member], "{member}");
    }
    let rows =
        second.sql("hr", "select deptno from dept where dname = 'ADDED'; select name from user_ords_modules");
    assert_eq!(rows.len(), 2, "{rows:?}");
    let token = Credentials::of_demo(&second).token(&second, "hr").await;
    assert_eq!(get(&second.known("protected_url"), Some(&token)).await.status(), StatusCode::OK);
    assert_eq!(second.stop().code(), Some(0));

    assert_eq!(before["admin_password"], after["admin_password"]);
    // Its description lost, the secrets that can still be read are told again.
    std::fs::remove_file(folder.path().join("demo.json")).unwrap();
    let third = TestServer::demo(&folder);
    assert_eq!(third.demo_json()["client_secret"], before["client_secret"]);
    // A password cannot be read again: there is a new one.
    assert!(!third.known("admin_password").is_empty());
    assert_ne!(third.demo_json()["admin_password"], before["admin_password"]);
    third.stop();
    // Lost when they cannot be read any more, there are new ones, and they work.
    folder.configure("demo = true\n[secrets]\nreveal_minutes = 0\n");
    sql(folder.path(), "hr", "begin oauth.rotate_client_secret('hr_app'); end;");
    let fourth = TestServer::demo(&folder);
    assert_ne!(fourth.demo_json()["client_secret"], before["client_secret"]);
    Credentials::of_demo(&fourth).token(&fourth, "hr").await;
}

#[test]
fn a_password_that_the_person_set_is_not_reset() {
    let folder = Folder::new("demo-admin");
    let first = TestServer::demo(&folder);
    assert_eq!(first.known("admin_user"), "admin");
    assert_eq!(first.known("console_url"), format!("http://{}/console/", first.address()));
    assert!(first.printed().contains(&first.known("console_url")));
    assert!(first.printed().contains(&first.known("admin_password")));
    first.stop();
    let dir = folder.path().to_str().unwrap();
    let mut change = crate::server::gatepost(&["user", "password", "admin", "--data", dir]);
    crate::process::finish(&mut change, "correct horse battery").ok();
    let catalog = || folder.catalog_rows("select body from catalog_object where kind = 'user'");
    let changed = catalog();
    let second = TestServer::demo(&folder);
    assert_eq!(second.known("admin_password"), "");
    assert!(second.printed().contains("the password that you set"));
    assert_eq!(catalog(), changed);
}

#[tokio::test]
async fn what_it_tells_programs_works_and_is_private() {
    let folder = Folder::new("demo-json");
    let server = TestServer::demo(&folder);
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("demo.json"), 0o600);
    assert_eq!(mode("keys.toml"), 0o600);
    // Widened by somebody, it is narrowed again.
    let path = folder.path().join("demo.json");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    server.stop();
    let server = TestServer::demo(&folder);
    assert_eq!(mode("demo.json"), 0o600);
    let base = server.known("base_url");
    assert_eq!(server.known("token_url"), format!("{base}/oauth/token"));
    let token = Credentials::of_demo(&server).token(&server, "hr").await;
    let limited = Credentials::limited(&server).token(&server, "hr").await;
    for url in ["protected_url", "item_url"] {
        let url = server.known(url);
        assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(get(&url, Some(&limited)).await.status(), StatusCode::FORBIDDEN);
        assert_eq!(get(&url, Some(&token)).await.status(), StatusCode::OK);
    }
    assert_eq!(get(&server.known("public_url"), None).await.status(), StatusCode::OK);
    let printed = server.printed();
    for wanted in ["client_id", "client_secret", "protected_url", "token_url", "public_url"] {
        assert!(printed.contains(&server.known(wanted)), "{wanted} is not printed");
    }
}

#[test]
fn rows_are_added_once() {
    let folder = Folder::new("demo-rows");
    let start = |rows: &str| {
        drop(TestServer::start(folder.path(), &["demo", "--listen", "127.0.0.1:0", "--rows", rows]));
        let rows = sql(folder.path(), "hr", "select count(*) as n, count(distinct empno) as ids from emp");
        (rows[0]["n"].as_i64().unwrap(), rows[0]["ids"].as_i64().unwrap())
    };
    assert_eq!(start("0"), (14, 14));
    assert_eq!(start("1000"), (1014, 1014));
    assert_eq!(start("1000"), (1014, 1014));
    assert_eq!(start("10"), (1014, 1014));
    assert_eq!(start("1500"), (1514, 1514));
    let orphans =
        sql(folder.path(), "hr", "select 1 as x from emp where deptno not in (select deptno from dept)");
    assert!(orphans.is_empty());
}

#[test]
fn it_does_not_touch_an_installation_that_is_no_demo() {
    let folder = Folder::new("no-demo");
    folder.write("gatepost.toml", "");
    let dir = folder.path().to_str().unwrap();
    let message = call(&["demo", "--data", dir, "--listen", "127.0.0.1:0"]).refused();
    assert!(message.contains("no demo"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_port_in_use_is_named_before_anything_is_made() {
    let folder = Folder::new("demo-port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = folder.path().to_str().unwrap();
    let message = call(&["demo", "--data", dir, "--listen", &address]).refused();
    assert!(message.contains(&format!("listening on {address}")), "{message}");
    assert!(!folder.path().join("catalog.db").exists());
}
