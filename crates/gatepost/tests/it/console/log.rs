//! The access log: who may see it, what a filter finds, live rows, files.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, COOKIE};

use super::secure::with_user;
use super::{Browser, call_the_demo};
use crate::client::get;
use crate::folder::Folder;
use crate::server::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_for_administrators_and_auditors() {
    let folder = Folder::new("console-log-1");
    let server = TestServer::demo(&folder);
    let nobody = Browser::nobody(&server);
    let paths = [
        "/console/log",
        "/console/log/1",
        "/console/log/live",
        "/console/log/export?format=csv",
        "/console/usage",
    ];
    for path in paths {
        assert_eq!(nobody.get(path).await.status, StatusCode::SEE_OTHER, "{path}");
    }
    for kind in ["viewer", "developer"] {
        let reader = with_user(&server, &folder, kind).await;
        for path in paths {
            assert_eq!(reader.get(path).await.status, StatusCode::FORBIDDEN, "{kind} {path}");
        }
    }
    let auditor = with_user(&server, &folder, "auditor").await;
    assert_eq!(auditor.open("/console/log").await.texts("h1"), ["Access log"]);
    assert_eq!(auditor.get("/console/log/999999999").await.status, StatusCode::NOT_FOUND);
    assert_eq!(auditor.get("/console/log/export?format=exe").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_is_in_the_address_and_a_refusal_leads_to_its_explanation() {
    let folder = Folder::new("console-log-2");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    call_the_demo(&server, &admin).await;
    let outcomes = async |query: &str| {
        let page = admin.open(&format!("/console/log?{query}")).await;
        page.texts("section[aria-labelledby=log-title] tbody td:nth-child(4)")
    };
    assert_eq!(outcomes("status=403").await.len(), 1);
    assert!(outcomes("status=denied&schema=hr").await.len() >= 2);
    assert!(outcomes("client=hr_app&status=2xx").await.iter().all(|text| text == "200"));
    assert!(outcomes("client=-&status=401").await[0].starts_with("401"));
    assert!(outcomes("text=EMPLOYEES&status=403").await.len() == 1);
    for none in ["text=nowhere", "client=unknown", "min_ms=9999999", "schema=unknown", "from=1&to=2"] {
        assert!(outcomes(none).await.is_empty(), "{none}");
    }
    let page = admin.open("/console/log?status=403&text=%3Cscript%3E").await;
    assert!(page.texts(".empty")[0].contains("No request matches"), "{}", page.text);
    assert!(!page.text.contains("<script>"), "what was asked comes back as text");
    let chips = page.texts(".chips a.b");
    assert!(chips[0].contains("status 403") && chips[1].contains("path holds <script>"), "{chips:?}");

    let page = admin.open("/console/log?status=403").await;
    let explain = page.attribute("td a[title=Explain]", "href");
    assert_eq!(
        explain,
        "/console/s/hr/access?as=limited_app&method=GET&path=%2Fords%2Fhr%2Fhr%2Femployees%2F"
    );
    let request = admin.open(&page.attribute("td a[title=Details]", "href")).await;
    assert!(request.text.contains("limited_app") && request.text.contains(&explain.replace('&', "&amp;")));
    assert!(page.text.contains("log-chart"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_kept_as_files() {
    let folder = Folder::new("console-log-3");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    call_the_demo(&server, &admin).await;
    let csv = admin.open("/console/log/export?format=csv&status=403").await;
    assert!(csv.headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/csv"));
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines.len(), 2, "{}", csv.text);
    assert!(
        lines[0].starts_with("at,status,")
            && lines[1].contains(",403,refused,GET,/ords/hr/hr/employees/,hr,")
    );
    let json = admin.open("/console/log/export?format=json&status=403").await;
    let rows: serde_json::Value = serde_json::from_str(&json.text).unwrap();
    assert_eq!((&rows[0]["status"], &rows[0]["client"]), (&403.into(), &"limited_app".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_requests_come_by_themselves() {
    let folder = Folder::new("console-log-4");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let url = format!("http://{}/console/log/live?status=401", server.address());
    let mut stream = admin.client.get(url).header(COOKIE, &admin.cookie).send().await.unwrap();
    assert_eq!(stream.headers()[CONTENT_TYPE], "text/event-stream");
    get(&server.known("public_url"), None).await;
    get(&server.known("protected_url"), None).await;
    let mut text = String::new();
    let read = async {
        while !text.contains("data: ") {
            text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), read).await.expect("a row comes");
    assert!(
        text.contains("id: ") && text.contains("401") && text.contains("/ords/hr/hr/employees/"),
        "{text}"
    );
    assert!(!text.contains("departments"), "what the filter leaves out does not come: {text}");
}
