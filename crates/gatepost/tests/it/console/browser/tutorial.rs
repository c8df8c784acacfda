//! The whole walk of the post, provider and consumer, by clicks only.

use super::chromium::{Chromium, Wish};
use crate::folder::Folder;
use crate::server::TestServer;

const BLOCK: &str = "begin
  oauth.create_client(
    p_name => 'walk_app', p_grant_type => 'client_credentials', p_owner => 'HR',
    p_description => 'The walk', p_support_email => 'hr@example.com', p_privilege_names => 'walk.read');
  oauth.grant_client_role(p_client_name => 'walk_app', p_role_name => 'walk_reader');
  commit;
end;
/";

#[tokio::test]
async fn the_walk_is_done_by_clicks() {
    let folder = Folder::new("browser-walk");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    let (id, secret) = provider(&browser).await;
    see_it_locked(&browser).await;
    ask_for_a_token(&browser, &id, &secret).await;
    consumer(&browser, &server.known("base_url"), &id, &secret).await;
    browser.go("/console/").await;
    browser.read(".steps", "Consume it as a REST data source").await;
    browser.is_silent().await;
    browser.close().await;
    assert_eq!(server.sql("intranet", "select count(*) as n from walk_copy")[0]["n"].as_i64(), Some(4));
}

/// Checks 3 to 5: a role, a privilege, the block as it is, the view. The client's id and secret.
async fn provider(browser: &Chromium) -> (String, String) {
    browser.go("/console/s/hr/roles").await;
    browser.fill("#name", "walk_reader").await;
    browser.press("Create role").await;
    browser.press("Apply").await;
    browser.read("h1", "walk_reader").await;
    browser.go("/console/s/hr/privileges").await;
    browser.press("New privilege").await;
    browser.fill("#name", "walk.read").await;
    browser.click("input[name=role][value=walk_reader]").await;
    browser.click("input[name=module][value=demo]").await;
    browser.read("#preview", "Public handlers: 1 → 0").await;
    browser.press("Review and save").await;
    browser.read("ul.doors", "anybody: GET /demo/departments/").await;
    browser.press("Apply").await;
    browser.read("#covers, h1", "walk.read").await;
    browser.go("/console/s/hr/services").await;
    browser.read(".urlbar .b", "locked").await;

    browser.go("/console/s/hr/sql").await;
    browser.write("textarea[data-sql]", BLOCK).await;
    browser.click("button[name=action][value=run]").await;
    browser.read("ul.doors", "client walk_app").await;
    browser.press("Apply").await;
    browser.see("code[data-secret]").await;
    let shown = browser.text("code[data-secret]").await;
    let mut shown = shown.lines().map(str::to_owned);
    let (id, secret) = (shown.next().unwrap(), shown.next().unwrap());
    assert!(secret.starts_with("gp_cs_"), "{secret}");

    browser.go("/console/s/hr/sql").await;
    browser.write("textarea[data-sql]", "select name, client_id from user_ords_clients").await;
    browser.click("button[name=action][value=run]").await;
    browser.read("#panel-results", &id).await;
    (id, secret)
}

/// Checks 7 and 8: the URL in a browser, then with and without a token.
async fn see_it_locked(browser: &Chromium) {
    browser.go("/ords/hr/demo/departments/").await;
    browser.read("h1", "Unauthorized").await;
    browser.go("/console/s/hr/services/demo/departments%2F/GET").await;
    browser.press("Try it").await;
    browser.see("select[name=as]").await;
    let script = "const as = document.querySelector('select[name=as]');
        as.value = [...as.options].find(option => option.text.includes('walk_app')).value;
        as.dispatchEvent(new Event('change', { bubbles: true }));";
    browser.script(script).await;
    browser.press("Compare").await;
    browser.read(".compare", "401").await;
    browser.read(".compare", "200").await;
    browser.read(".compare", "ACCOUNTING").await;
    // The request without a token, and the page of before, are refusals that the browser notes.
    browser.is_silent_but(&["401"]).await;
}

/// Check 9: the token request of the post.
async fn ask_for_a_token(browser: &Chromium, id: &str, secret: &str) {
    browser.press("Fill in").await;
    browser.see("details.inner[open]").await;
    browser.fill("#client_id", id).await;
    browser.fill("#proof", secret).await;
    browser.press("Send").await;
    browser.read("main", "access_token").await;
}

/// Checks 11 to 13: a remote server, a credential, a source, its rows, a copy.
async fn consumer(browser: &Chromium, base: &str, id: &str, secret: &str) {
    let at = "/console/s/intranet";
    browser.go(&format!("{at}/remote-servers/new")).await;
    browser.fill("#name", "walk_api").await;
    browser.fill("#base_url", base).await;
    browser.press("Review and save").await;
    browser.press("Apply").await;
    browser.press("Check connection").await;
    browser.read(".path", "connect").await;

    browser.go(&format!("{at}/credentials/new")).await;
    browser.fill("#name", "walk_key").await;
    browser.script("document.querySelector('#type').value = 'oauth2_client_credentials'").await;
    browser.fill("#valid_for", base).await;
    browser.fill("#client_id", id).await;
    browser.press("Review and save").await;
    browser.press("Apply").await;
    browser.fill("#secret", secret).await;
    browser.click("button[name=action][value=set]").await;
    browser.see("button[name=action][value=forget]").await;

    browser.go(&format!("{at}/sources/new")).await;
    browser.fill("#name", "walk_rows").await;
    browser.script("document.querySelector('#server').value = 'walk_api'").await;
    browser.fill("#path", "demo/departments/").await;
    browser.script("document.querySelector('#credential').value = 'walk_key'").await;
    browser.fill("#token_path", "oauth/token").await;
    browser.press("Call it and discover").await;
    browser.see("#toml").await;
    browser.press("Review and save").await;
    browser.press("Apply").await;
    browser.read("tbody", "ACCOUNTING").await;
    browser.go(&format!("{at}/sources/walk_rows?tab=test")).await;
    browser.click("main [data-primary]").await;
    browser.read(".path", "rows").await;

    browser.go(&format!("{at}/sources/walk_rows?tab=sync")).await;
    browser.fill("#table", "walk_copy").await;
    browser.press("Review and save").await;
    browser.press("Apply").await;
    browser.press("Run now").await;
    browser.read("main", "4 rows fetched, 4 inserted").await;
}
