//! `examples/hr`, file by file, as a reader of the repository runs it.

use reqwest::StatusCode;

use crate::backend::Backend;
use crate::client::{Credentials, get, http};
use crate::folder::Folder;
use crate::process::call;
use crate::server::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn the_files_make_tables_services_locks_and_clients_that_work() {
    let folder = Folder::new("hr");
    let dir = folder.path().to_str().unwrap();
    let tables = match folder.backend() {
        Backend::Sqlite => "tables",
        Backend::Postgres => {
            folder.configure("");
            "tables-postgres"
        }
    };
    call(&["init", dir, "--data-url", &folder.data_url("hr"), "--schema", "hr", "--create"]).ok();
    for file in [tables, "rows", "definitions", "clients"] {
        let path = format!("{}/../../examples/hr/{file}.sql", env!("CARGO_MANIFEST_DIR"));
        call(&["sql", "--data", dir, "--schema", "hr", &path]).ok();
    }
    let server = TestServer::serve(folder.path());
    let employees = server.url("hr/hr/employees/");
    let client = Credentials::by_name(&server, "hr", "hr_app");
    let token = client.token(&server, "hr").await;
    let limited = Credentials::by_name(&server, "hr", "limited_app").token(&server, "hr").await;
    assert_eq!(get(&employees, None).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(get(&employees, Some(&limited)).await.status(), StatusCode::FORBIDDEN);
    let page: serde_json::Value = get(&employees, Some(&token)).await.json().await.unwrap();
    assert_eq!((page["count"].as_i64(), page["items"][0]["ename"].as_str()), (Some(14), Some("SMITH")));
    let some: serde_json::Value =
        get(&format!("{employees}?deptno=10"), Some(&token)).await.json().await.unwrap();
    assert_eq!(some["count"], 3);

    let new = serde_json::json!({ "ename": "NEW", "job": "CLERK", "mgr": 7839, "hiredate": "2024-02-29", "sal": 1000.5,
        "comm": null, "deptno": 40 });
    let made = http().post(&employees).bearer_auth(&token).json(&new).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let location = made.headers()["location"].to_str().unwrap().to_owned();
    let row: serde_json::Value = get(&location, Some(&token)).await.json().await.unwrap();
    assert_eq!((row["ename"].as_str(), row["sal"].as_f64()), (Some("NEW"), Some(1000.5)), "{row}");
    let changed = serde_json::json!({ "ename": "OLD", "job": "CLERK", "mgr": 7839, "sal": 2000, "comm": 1, "deptno": 40 });
    let put = http().put(&location).bearer_auth(&token).json(&changed).send().await.unwrap();
    assert!(put.status().is_success(), "{}", put.status());
    let row: serde_json::Value = get(&location, Some(&token)).await.json().await.unwrap();
    assert_eq!(row["ename"], "OLD");
    let gone = http().delete(&location).bearer_auth(&token).send().await.unwrap();
    assert!(gone.status().is_success(), "{}", gone.status());
    assert_eq!(get(&location, Some(&token)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&server.url("hr/hr/departments/"), Some(&token)).await.status(), StatusCode::OK);
    assert_eq!(get(&server.url("hr/demo/departments/"), None).await.status(), StatusCode::OK);
}
