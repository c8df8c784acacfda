//! API reference and its downloads.

use reqwest::StatusCode;
use serde_json::Value;

use super::Browser;
use crate::folder::Folder;
use crate::server::{TestServer, run_ok};

#[tokio::test]
async fn the_reference_shows_each_operation_with_its_lock() {
    let folder = Folder::new("console-reference");
    let server = TestServer::demo(&folder);
    let nobody = Browser::nobody(&server);
    for path in ["reference", "reference/hr", "documents/openapi.json", "documents/postman.json"] {
        let page = nobody.get(&format!("/console/s/hr/{path}")).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
    }
    let admin = Browser::of_demo(&server).await;
    assert_eq!(admin.get("/console/s/hr/reference/nowhere").await.status, StatusCode::NOT_FOUND);

    let page = admin.open("/console/s/hr/reference/hr").await;
    let locks = page.texts("#hr_get_employees header .b");
    assert_eq!(locks, ["hr.read"]);
    assert!(page.texts("#hr_get_employees table code").contains(&"limit".to_owned()));
    assert!(page.texts("#hr_get_employees .t th").contains(&"ename".to_owned()));
    let sample = page.texts("#hr_get_employees pre.code");
    assert!(sample.iter().any(|text| text.contains("$CLIENT_SECRET")), "{sample:?}");
    let python = admin.open("/console/s/hr/reference/hr?lang=python").await;
    assert!(python.texts("#hr_get_employees pre.code").iter().any(|text| text.contains("import requests")));
    let open = admin.open("/console/s/hr/reference/demo").await;
    assert_eq!(open.texts("#demo_get_departments header .b"), ["public"]);

    // The links from an operation lead to pages that know it.
    let link = page.attribute("#hr_get_employees_by_id header a[href*='/try?']", "href");
    let try_it = admin.open(&link).await;
    assert!(try_it.attribute("#url", "value").ends_with("/hr/employees/{id}"));
    assert_eq!(try_it.texts("label[for='p.id']"), ["id (path)"]);

    // The files are those of the command.
    let file = admin.open("/console/s/hr/documents/openapi.json?module=hr").await;
    let data = folder.path().to_str().unwrap();
    let arguments =
        ["describe", "--data", data, "--schema", "hr", "--module", "hr", "--server", &server.base_url];
    let told: Value = serde_json::from_str(&run_ok(&arguments)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&file.text).unwrap(), told);
    let collection = admin.open("/console/s/hr/documents/postman.json").await;
    let collection: Value = serde_json::from_str(&collection.text).unwrap();
    assert_eq!(collection["item"][0]["name"], "Get a token");
    assert!(!collection.to_string().contains("gp_cs_"));
}
