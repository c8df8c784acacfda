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

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_finds_what_it_says_and_a_wrong_one_is_refused() {
    let folder = Folder::new("log-filter");
    let server = TestServer::demo(&folder);
    let dir = folder.path().to_str().unwrap();
    let log = |arguments: &[&str]| call(&[&["log", "--data", dir], arguments].concat());
    for (arguments, why) in [
        (["--status", "4x"], "no status"),
        (["--since", "soon"], "no time"),
        (["--schema", "nowhere"], "no schema"),
    ] {
        assert!(log(&arguments).refused().contains(why), "{arguments:?}");
    }
    assert_eq!(log(&["--event", "token issued"]).code, Some(2), "--event is of the audit trail");
    let token = Credentials::of_demo(&server).token(&server, "hr").await;
    get(&server.known("protected_url"), None).await;
    let last = get(&server.known("item_url"), Some(&token)).await;
    let id = last.headers()["request-id"].to_str().unwrap().to_owned();
    eventually("the request is listed", || log(&["--request-id", &id]).ok().contains("(1 row)"));
    let denied = log(&["--status", "denied"]).ok();
    assert!(denied.contains("401") && !denied.contains(&id), "{denied}");
    let nobody = log(&["--client", "-", "--since", "1h", "--schema", "hr"]).ok();
    assert!(nobody.contains("401") && !nobody.contains("hr_app"), "{nobody}");
    assert!(log(&["--text", "EMPLOYEES/7839", "--client", "hr_app"]).ok().contains(&id));
    assert!(log(&["--until", "2001-01-01"]).ok().contains("(0 rows)"));
    let audit = log(&["--audit", "--event", "token issued", "--client", "hr_app"]).ok();
    assert!(audit.contains("token issued") && audit.contains("(1 row)"), "{audit}");
    assert!(!audit.contains(&token), "a token is not in the trail");
    let changes = log(&["--changes", "--kind", "role", "--schema", "hr"]).ok();
    assert!(changes.contains("hr_reader") && !changes.contains("privilege"), "{changes}");
}
