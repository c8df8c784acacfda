//! Explain access: who may look, what is answered, and the fix that turns the answer around.

use reqwest::StatusCode;

use super::Browser;
use crate::client::{Credentials, http};
use crate::folder::Folder;
use crate::server::TestServer;

const ASK: &str = "/console/s/hr/access?as=limited_app&method=GET&path=/hr/employees/";

#[tokio::test]
async fn who_sees_no_definitions_sees_no_explanation() {
    let folder = Folder::new("console-explain-1");
    let server = TestServer::demo(&folder);
    assert_eq!(Browser::nobody(&server).get(ASK).await.status, StatusCode::SEE_OTHER);
    let data = folder.path().to_str().unwrap();
    let admin = Browser::of_demo(&server).await;
    let page = admin.open(ASK).await;
    assert!(page.texts(".verdict .b")[0].contains("403 Forbidden"), "{:?}", page.texts(".verdict .b"));
    // A path that no request can have, and a client that is not there.
    let bad = admin.open("/console/s/hr/access?as=&method=GET&path=/hr/../x").await;
    assert!(bad.text.contains("No request can have this path"), "{}", bad.text);
    let unknown = admin.open("/console/s/hr/access?as=nobody_we_know&method=GET&path=/hr/employees/").await;
    assert!(unknown.text.contains("There is no client"), "{}", unknown.text);
    // The terminal says the same.
    let output = crate::server::run(&[
        "explain",
        "--data",
        data,
        "--as",
        "limited_app",
        "GET",
        "/ords/hr/hr/employees/",
    ]);
    assert!(!output.status.success());
}

#[tokio::test]
async fn the_granting_script_is_reviewed_and_turns_the_answer() {
    let folder = Folder::new("console-explain-2");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let page = admin.open(ASK).await;
    let steps = page.texts("ol.path li");
    assert!(steps.last().unwrap().contains("hr_reader"), "{steps:?}");
    assert!(steps.iter().any(|step| step.contains("module hr")), "{steps:?}");
    assert_eq!(page.texts("ol.path li.no").len(), 1, "{steps:?}");
    let review = admin.submit(&page, "form.fix", &[]).await;
    assert!(review.text.contains("grant_client_role"), "{}", review.text);
    let limited = Credentials::limited(&server);
    let token = limited.token_soon(&server, "hr").await;
    let call = || http().get(server.url("hr/hr/employees/")).bearer_auth(&token).send();
    assert_eq!(call().await.unwrap().status(), StatusCode::FORBIDDEN, "a review changes nothing");
    admin.apply(&review).await;
    let page = admin.open(ASK).await;
    assert!(page.texts(".verdict .b")[0].contains("Yes"), "{:?}", page.texts(".verdict .b"));
    assert!(page.texts("ol.path li.no").is_empty());
    assert_eq!(call().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn the_table_says_what_requests_are_told() {
    let folder = Folder::new("console-explain-3");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let page = admin.open("/console/s/hr/access").await;
    let rows = page.texts(".matrix tbody tr");
    let row =
        |start: &str| rows.iter().find(|row| row.starts_with(start)).unwrap_or_else(|| panic!("{rows:?}"));
    assert_eq!(row("GET /hr/employees/"), "GET /hr/employees/yesyesnono");
    assert_eq!(row("GET /demo/departments/"), "GET /demo/departments/publicpublicpublicpublic");
    let only = admin.open("/console/s/hr/access?filter=DEMO&open=yes").await;
    assert_eq!(only.texts(".matrix tbody tr").len(), 1);
    let csv = admin.open("/console/s/hr/access/table.csv?filter=demo").await;
    assert_eq!(
        csv.text,
        "method,path,\"hr_app\",\"intranet\",\"limited_app\",no token\r\nGET,\"/demo/departments/\",public,public,public,public\r\n"
    );
    let disposition = csv.headers["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");
}
