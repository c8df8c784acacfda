//! What happens while somebody looks: the log and its explanations, live rows, findings that end, scripts that load.

use reqwest::StatusCode;

use super::chromium::{Chromium, Wish};
use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::process::eventually_async;
use crate::server::TestServer;

#[tokio::test]
async fn checks_14_and_15_a_refusal_in_the_log_leads_to_its_reasons_and_to_the_grant() {
    let folder = Folder::new("browser-refusal");
    let server = TestServer::demo(&folder);
    let token = Credentials::limited(&server).token(&server, "hr").await;
    let url = server.known("protected_url");
    assert_eq!(get(&url, Some(&token)).await.status(), StatusCode::FORBIDDEN);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    let refusal = "main a[href*='/access?'][href*='limited_app']";
    eventually_async("the refusal is in the log", async || {
        browser.go("/console/log").await;
        browser.see("main h1").await;
        !browser.text(refusal).await.is_empty()
    })
    .await;
    browser.click(refusal).await;
    browser.read("main", "No — 403 Forbidden").await;
    browser.press("Grant hr_reader to limited_app").await;
    browser.read("ul.doors", "client limited_app: GET /hr/employees/").await;
    browser.press("Apply").await;
    browser.read("main", "Role hr_reader opens the privilege").await;
    assert_eq!(get(&url, Some(&token)).await.status(), StatusCode::OK, "a real request agrees");
    browser.is_silent().await;
    browser.close().await;
}

#[tokio::test]
async fn check_18_requests_of_two_clients_move_the_list_and_draw_two_lines() {
    let folder = Folder::new("browser-live");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    browser.go("/console/").await;
    browser.see("main h1").await;
    let tokens = [
        Credentials::of_demo(&server).token(&server, "hr").await,
        Credentials::limited(&server).token(&server, "hr").await,
    ];
    for number in 0..50 {
        get(&server.known("item_url"), Some(&tokens[number % 2])).await;
    }
    browser.read("main table", "/ords/hr/hr/employees/7839").await;
    browser.read("main table", "limited_app").await;
    eventually_async("the chart has both", async || {
        browser.go("/console/").await;
        browser.see("[data-chart] canvas").await;
        let legend = browser.text(".legend").await;
        legend.contains("hr_app") && legend.contains("limited_app")
    })
    .await;
    browser.is_silent().await;
    browser.close().await;
}

#[tokio::test]
async fn check_19_the_fix_of_a_finding_ends_it() {
    let folder = Folder::new("browser-audit");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    browser.go("/console/audit").await;
    browser.read("main", "public entry /demo/*").await;
    browser.press("Review the fix").await;
    browser.read("ul.doors", "anybody: GET /demo/departments/").await;
    browser.press("Apply").await;
    eventually_async("the finding is over", async || {
        browser.go("/console/audit").await;
        browser.see("main h1").await;
        !browser.text("main").await.contains("open door")
    })
    .await;
    assert_eq!(get(&server.known("public_url"), None).await.status(), StatusCode::UNAUTHORIZED);
    browser.is_silent().await;
    browser.close().await;
}

#[tokio::test]
async fn check_20_a_script_is_loaded_as_it_was_exported() {
    let folder = Folder::new("browser-script");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    browser.go("/console/s/hr/script").await;
    let exported =
        browser.script("return [...document.querySelectorAll('pre.code')].at(-1).textContent").await;
    let exported = exported.as_str().unwrap().to_owned();
    browser.go("/console/s/hr/services/hr").await;
    browser.press("Delete this module").await;
    browser.press("Apply").await;
    browser.see("main .bench, main .empty").await;
    browser.go("/console/s/hr/script").await;
    browser.write("#script", &exported).await;
    browser.press("Review").await;
    browser.read(".diff .a", "ords.define_module").await;
    browser.press("Apply").await;
    browser.go("/console/s/hr/script").await;
    let again = browser.script("return [...document.querySelectorAll('pre.code')].at(-1).textContent").await;
    assert_eq!(again.as_str(), Some(exported.as_str()));
    browser.is_silent().await;
    browser.close().await;
}
