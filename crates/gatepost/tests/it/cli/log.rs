//! `gatepost log`.

use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::process::{call, eventually};
use crate::server::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_changes_are_listed_newest_first() {
    let folder = Folder::new("log");
    let server = TestServer::demo(&folder);
    let token = Credentials::of_demo(&server).token(&server, "hr").await;
    get(&server.known("protected_url"), None).await;
    let last = get(&format!("{}?secret_of_the_query=1", server.known("item_url")), Some(&token)).await;
    let id = last.headers()["request-id"].to_str().unwrap().to_owned();
    let dir = folder.path().to_str().unwrap();
    let log = |arguments: &[&str]| call(&[&["log", "--data", dir], arguments].concat()).ok();
    eventually("the request is listed", || log(&[]).contains(&id));
    let printed = log(&[]);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("at "), "{printed}");
    assert!(lines[2].contains(&id) && lines[2].contains("200") && lines[2].contains("hr_app"), "{printed}");
    assert!(printed.contains("401") && printed.contains("/ords/hr/oauth/token"), "{printed}");
    assert!(!printed.contains("secret_of_the_query"), "queries can hold anything: they are not kept");
    assert_eq!(log(&["--limit", "1"]).lines().filter(|line| line.contains("/ords/")).count(), 1);

    server.sql(
        "hr",
        "begin ords.create_role('late'); ords.delete_role('late'); ords.create_role('last'); end;",
    );
    let changes = log(&["--changes", "--limit", "3"]);
    let newest = changes.lines().nth(2).unwrap();
    for wanted in ["tester", "sql", "create", "role", "last"] {
        assert!(newest.contains(wanted), "{wanted}: {changes}");
    }
    assert!(log(&["--changes"]).contains("client"), "{changes}");
}
