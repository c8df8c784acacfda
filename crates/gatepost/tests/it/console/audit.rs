//! The security audit in the console: the same findings as in the terminal, fixed by a reviewed script or accepted.

use reqwest::StatusCode;

use super::Browser;
use super::secure::with_user;
use crate::folder::Folder;
use crate::process::call;
use crate::server::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_accept_and_nobody_without_a_reason() {
    let folder = Folder::new("console-audit-1");
    let server = TestServer::demo(&folder);
    let form = [
        ("check", "public-read"),
        ("schema", "hr"),
        ("object", "public entry /demo/*"),
        ("reason", "meant"),
        ("days", "9"),
    ];
    let nobody = Browser::nobody(&server);
    assert_eq!(nobody.post("/console/audit/accept", &form).await.status, StatusCode::SEE_OTHER);
    for kind in ["viewer", "developer", "auditor"] {
        let other = with_user(&server, &folder, kind).await;
        for path in ["/console/audit/accept", "/console/audit/reopen", "/console/audit/fix"] {
            assert_eq!(other.post(path, &form).await.status, StatusCode::FORBIDDEN, "{kind} {path}");
        }
        let seen = other.get("/console/audit").await.status;
        assert_eq!(seen == StatusCode::OK, kind == "auditor", "{kind}");
    }
    let admin = Browser::of_demo(&server).await;
    for (reason, days) in [("", "9"), ("x", "0"), ("x", "366"), ("x", "soon")] {
        let form = [
            ("check", "public-read"),
            ("schema", "hr"),
            ("object", "public entry /demo/*"),
            ("reason", reason),
            ("days", days),
        ];
        assert_eq!(admin.post("/console/audit/accept", &form).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let unknown = [
        ("check", "public-read"),
        ("schema", "hr"),
        ("object", "public entry /other/*"),
        ("reason", "x"),
        ("days", "9"),
    ];
    assert_eq!(admin.post("/console/audit/accept", &unknown).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_does_not_count_until_more_is_open_than_was_seen() {
    let folder = Folder::new("console-audit-2");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let dir = folder.path().to_str().unwrap();
    let terminal = || call(&["audit", "--data", dir, "--schema", "hr"]);
    assert_eq!(terminal().code, Some(1));
    let page = admin.open("/console/audit").await;
    let door = "section[aria-label^='public entry /demo/*, public-read'] form[action$=accept]";
    let done = admin.submit(&page, door, &[("reason", "a catalog for everybody"), ("days", "30")]).await;
    assert_eq!(done.location.as_deref(), Some("/console/audit"));
    let page = admin.open("/console/audit").await;
    assert!(
        page.texts("section[aria-labelledby=accepted-title]")[0].contains("a catalog for everybody"),
        "{}",
        page.text
    );
    let outcome = terminal();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("accepted by admin until "), "{}", outcome.stdout);

    // Another handler behind the same entry was not seen when it was accepted.
    server.sql("hr", "begin ords.define_service('more', '/demo/more/', 'rows', 'GET', 'json/collection', 'select 1 as n'); end;");
    assert_eq!(terminal().code, Some(1));
    let page = admin.open("/console/audit").await;
    assert!(page.texts("section[aria-labelledby=accepted-title]").is_empty(), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_is_reviewed_and_ends_the_finding() {
    let folder = Folder::new("console-audit-3");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let page = admin.open("/console/audit").await;
    let review = admin
        .submit(&page, "section[aria-label^='public entry /demo/*, public-read'] form[action$=fix]", &[])
        .await;
    assert!(
        review.text.contains("GATEPOST.DENY_PUBLIC") && review.text.contains("stays out"),
        "{}",
        review.text
    );
    let page = admin.apply(&review).await;
    assert_eq!(page.texts("h1"), ["Security audit"]);
    assert!(!page.text.contains("public entry /demo/*"), "{}", page.text);
    assert_eq!(call(&["audit", "--data", folder.path().to_str().unwrap()]).code, Some(0));
}
