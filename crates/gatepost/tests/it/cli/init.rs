//! `gatepost init`.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::StatusCode;

use crate::client::get;
use crate::folder::Folder;
use crate::process::{Shop, call, sqlite};
use crate::server::TestServer;

#[tokio::test]
async fn an_existing_database_is_published_and_its_rows_stay() {
    let folder = Folder::new("init-existing");
    sqlite(&folder, "mine.db").execute_batch("create table t (a); insert into t values (1), (2)").unwrap();
    let data = format!("sqlite:{}", folder.path().join("mine.db").display());
    let dir = folder.path().join("made");
    let dir = dir.to_str().unwrap();
    let printed = call(&["init", dir, "--data-url", &data, "--schema", "Mine"]).ok();
    assert!(printed.contains("Schema mine is enabled at http://127.0.0.1:8080/ords/mine"), "{printed}");
    let script = "begin
           ords.define_service(p_module_name => 'm', p_base_path => '/m/', p_pattern => 't', p_source => 'select a from t');
           gatepost.allow_public('/m/*');
         end;";
    call(&["sql", "--data", dir, "--schema", "mine", "-c", script]).ok();
    let server = TestServer::serve(std::path::Path::new(dir));
    let answer = get(&server.url("mine/m/t"), None).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.text().await.unwrap().contains("\"count\":2"));
}

#[test]
fn run_again_it_changes_nothing() {
    let shop = Shop::new("init-again");
    shop.script("begin ords.define_module('kept', '/kept/'); end;").ok();
    let read = |name: &str| std::fs::read(shop.0.path().join(name)).unwrap();
    let (keys, config, revision) = (read("keys.toml"), read("gatepost.toml"), shop.revision());
    for _ in 0..2 {
        shop.init().ok();
    }
    assert_eq!((keys, config, revision), (read("keys.toml"), read("gatepost.toml"), shop.revision()));
    assert_eq!(shop.lines("select name from user_ords_modules"), ["kept"]);
    let mode = std::fs::metadata(shop.0.path().join("keys.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_made() {
    let folder = Folder::new("init-refused");
    let dir = folder.path().join("made");
    let dir = dir.to_str().unwrap();
    let missing = format!("sqlite:{}", folder.path().join("none.db").display());
    for (url, schema, wanted) in [
        (missing.as_str(), "shop", "--create makes one"),
        ("postgres://me:secret@127.0.0.1:1/db?sslmode=disable", "shop", "--data-url"),
        ("mysql://me:secret@host/db", "shop", "--data-url is `sqlite:FILE`"),
        ("sqlite:", "shop", "--data-url is `sqlite:FILE`"),
        (missing.as_str(), "no good", "only letters"),
    ] {
        let message = call(&["init", dir, "--data-url", url, "--schema", schema]).refused();
        assert!(message.contains(wanted), "{message}");
        assert!(!message.contains("secret"), "{message}");
        assert!(!std::path::Path::new(dir).exists());
    }
}
