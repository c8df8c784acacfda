//! Editing in a browser: handlers, roles, privileges and clients, with the mouse, with the keyboard, without scripts.

use reqwest::StatusCode;

use super::chromium::{Chromium, Wish};
use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::server::TestServer;

// Keys as `WebDriver` names them.
const CONTROL_K: &str = "\u{e009}k\u{e000}";
const CONTROL_ENTER: &str = "\u{e009}\u{e007}\u{e000}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

#[tokio::test]
async fn check_02_a_public_handler_says_that_anyone_can_call_it() {
    let folder = Folder::new("browser-public");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    browser.go("/console/s/hr/services/demo/departments%2F/GET").await;
    browser.read(".urlbar", "/ords/hr/demo/departments/").await;
    browser.read(".urlbar .b", "public").await;
    browser.read(".ins", "Anyone can call this").await;
    browser.see(".CodeMirror .cm-keyword").await;
    browser.go("/console/s/hr/services/hr/employees%2F/GET").await;
    browser.read(".urlbar .b", "locked").await;
    browser.read(".ins", "hr_reader").await;
    browser.read(".ins", "Anyone without a token").await;
    browser.is_silent().await;
    browser.close().await;
}

#[tokio::test]
async fn check_22_a_mistake_in_sql_is_shown_at_its_line_and_the_text_is_kept() {
    let folder = Folder::new("browser-mistake");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    browser.go("/console/s/hr/services/hr/departments%2F/GET").await;
    browser.write("#source", "select deptno,\n       nonsense\n  from dept").await;
    browser.press("Review and save").await;
    browser.read("[role=alert]", "nonsense").await;
    assert!(browser.text(".CodeMirror").await.contains("nonsense"), "the text is kept");
    let before = get(&server.url("hr/hr/departments/"), Some(&token(&server).await)).await;
    assert_eq!(before.status(), StatusCode::OK, "nothing changed");
    browser.write("#source", "select deptno, dname from dept where deptno > :least").await;
    browser.press("Run with…").await;
    browser.see("#result input[name='bind:least']").await;
    browser.press("Review and save").await;
    browser.read(".diff .a", "deptno > :least").await;
    browser.press("Apply").await;
    browser.read(".CodeMirror", ":least").await;
    // A form that was left with changes asks; these were saved.
    browser.is_silent_but(&["422"]).await;
    browser.close().await;
}

async fn token(server: &TestServer) -> String {
    Credentials::of_demo(server).token(server, "hr").await
}

#[tokio::test]
async fn check_17_a_change_is_reviewed_cancelled_applied() {
    let folder = Folder::new("browser-change");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    let page = "/console/s/hr/services/demo/departments%2F/GET";
    let source = || {
        server.sql("hr", "select source from user_ords_handlers where template_id in (select id from user_ords_templates where uri_template = 'departments/') and source like '%loc%'")
    };
    browser.go(page).await;
    let before = source();
    browser.write("#source", "select dname from dept").await;
    browser.press("Review and save").await;
    browser.read(".diff", "select dname from dept").await;
    browser.read("main", "The same callers reach the same handlers").await;
    browser.press("Cancel").await;
    browser.read(".CodeMirror", "loc").await;
    assert_eq!(source(), before, "cancelled");
    browser.write("#source", "select dname from dept").await;
    browser.press("Review and save").await;
    browser.press("Apply").await;
    browser.see(".CodeMirror").await;
    let answer = get(&server.url("hr/demo/departments/"), None).await.text().await.unwrap();
    assert!(answer.contains("dname") && !answer.contains("loc\""), "{answer}");
    browser.is_silent().await;
    browser.close().await;
}

#[tokio::test]
async fn check_06_a_client_is_registered_and_its_secret_is_copied_once() {
    let folder = Folder::new("browser-client");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    browser.go("/console/s/hr/clients/new").await;
    browser.fill("#name", "second_app").await;
    browser.click("input[name=role]").await;
    browser.read("#preview", "second_app: gains").await;
    browser.press("Review and save").await;
    browser.press("Apply").await;
    browser.read("main", "Copy the secret now").await;
    let secret = browser.text("code[data-secret='Client secret']").await;
    assert!(secret.starts_with("gp_cs_"), "{secret}");
    browser.press("I have stored it").await;
    browser.read("h1", "second_app").await;
    let page = browser.client.source().await.unwrap();
    assert!(!page.contains(&secret));
    browser.is_silent().await;
    browser.close().await;
}

#[tokio::test]
async fn check_23_a_role_and_a_privilege_are_made_with_the_keyboard_alone() {
    let folder = Folder::new("browser-keys");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    browser.go("/console/me").await;
    browser.keys(CONTROL_K).await;
    browser.keys("Roles").await;
    browser.keys(ENTER).await;
    browser.read("h1", "Roles").await;
    browser.keys("\t").await;
    let focus = browser
        .script(
            "const e = document.activeElement; return getComputedStyle(e).outlineStyle + ' ' + e.textContent",
        )
        .await;
    assert_eq!(focus, "solid Skip to content", "the first stop is visible and skips the side bar");
    browser.script("document.querySelector('#name').focus()").await;
    browser.keys("keys_reader").await;
    browser.keys(CONTROL_ENTER).await;
    browser.read("main", "The script that does it").await;
    browser.keys(CONTROL_ENTER).await;
    browser.read("h1", "keys_reader").await;
    browser.keys("gs").await;
    browser.see(".CodeMirror").await;
    browser
        .script("document.querySelector('.CodeMirror textarea, .CodeMirror [contenteditable]').focus()")
        .await;
    browser.keys(ESCAPE).await;
    let left = browser.script("return !document.activeElement.closest('.CodeMirror')").await;
    assert_eq!(left, true, "Escape leaves the editor");
    browser.is_silent().await;
    browser.close().await;
}

#[tokio::test]
async fn check_24_lists_and_forms_work_without_scripts() {
    let folder = Folder::new("browser-plain");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish { scripts: false, ..Wish::default() }).await;
    browser.go("/console/s/hr/roles").await;
    browser.fill("#name", "plain_reader").await;
    browser.press("Create role").await;
    browser.press("Apply").await;
    browser.see("form[action$='plain_reader/delete']").await;
    browser.go("/console/s/hr/clients/new").await;
    browser.fill("#name", "plain_app").await;
    browser.press("Review and save").await;
    browser.press("Apply").await;
    browser.see("code[data-secret='Client secret']").await;
    browser.go("/console/s/hr/services/hr/employees%2F/GET").await;
    browser.see("textarea#source").await;
    browser.close().await;
}
