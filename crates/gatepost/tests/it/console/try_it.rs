//! Try it: what is refused, what is sent, and what is not kept.

use reqwest::StatusCode;

use super::Browser;
use crate::client::Credentials;
use crate::folder::{Folder, rows_of_sqlite};
use crate::process::eventually;
use crate::server::{TestServer, gatepost};

const TRY: &str = "/console/s/hr/try";

/// A page with the answer of a request that is sent with these fields.
async fn send(browser: &Browser, fields: &[(&str, &str)]) -> super::Page {
    let page = browser.open(TRY).await;
    let mut fields = fields.to_vec();
    if !fields.iter().any(|(name, _)| *name == "compare" || *name == "copy") {
        fields.push(("send", "yes"));
    }
    browser.submit(&page, "#request", &fields).await
}

fn user(folder: &Folder, name: &str, kind: &str) -> String {
    let data = folder.path().to_str().unwrap();
    let arguments = ["user", "add", name, "--data", data, "--kind", kind, "--schema", "hr"];
    let mut child = gatepost(&arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let password = "correct horse battery staple";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{password}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    password.to_owned()
}

#[tokio::test]
async fn requests_go_to_this_schema_and_nowhere_else() {
    let folder = Folder::new("console-try-1");
    let server = TestServer::demo(&folder);
    assert_eq!(Browser::nobody(&server).get(TRY).await.status, StatusCode::SEE_OTHER);
    let admin = Browser::of_demo(&server).await;
    let base = &server.base_url;
    for url in [
        "http://example.com/".to_owned(),
        format!("{base}/console/me"),
        format!("{base}/ords/hr/../../console/me"),
        format!("{base}/ords/hr/%2e%2e/intranet/x"),
        format!("{base}/ords/intranet/intranet/x"),
        format!("{base}@example.com/ords/hr/hr/employees/"),
        format!("{base}.example.com/ords/hr/hr/employees/"),
        "file:///etc/passwd".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        let page = send(&admin, &[("url", &url)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
    }
    for header in [
        "Host: example.com",
        "X-Forwarded-For: 10.0.0.1",
        "Authorization: Bearer x",
        "Cookie: a=b",
        "no header",
    ] {
        let page = send(&admin, &[("headers", header)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{header}");
        assert!(
            page.attribute("#headers", "name") == "headers" && page.text.contains(header),
            "the value is kept"
        );
    }
    let page = send(&admin, &[("method", "TRACE")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_call_as_a_client_and_the_trail_says_who() {
    let folder = Folder::new("console-try-2");
    let server = TestServer::demo(&folder);
    let password = user(&folder, "dora", "developer");
    let viewer_password = user(&folder, "vera", "viewer");
    let developer = Browser::sign_in(&server, "dora", &password).await;
    let viewer = Browser::sign_in(&server, "vera", &viewer_password).await;
    assert_eq!(viewer.get(TRY).await.status, StatusCode::FORBIDDEN);
    assert_eq!(viewer.post(TRY, &[("send", "yes")]).await.status, StatusCode::FORBIDDEN);

    let page = developer.open(TRY).await;
    assert!(!page.text.contains("client:hr_app"), "a developer is not offered clients");
    let refused = developer.submit(&page, "#request", &[("as", "client:hr_app"), ("send", "yes")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let open = developer.submit(&page, "#request", &[("as", "nobody"), ("send", "yes")]).await;
    assert!(open.texts(".answer .b")[0].contains("401 Unauthorized"), "{:?}", open.texts(".answer .b"));

    let admin = Browser::of_demo(&server).await;
    let url = server.url("hr/hr/employees/?limit=2");
    let page = send(&admin, &[("as", "client:hr_app"), ("url", &url)]).await;
    assert_eq!(page.texts(".answer .b"), ["200 OK"]);
    assert!(page.texts(".result pre.code")[0].contains("\"items\""), "{:?}", page.texts(".result pre.code"));
    assert!(
        page.texts(".trace li").iter().any(|reason| reason.contains("hr_reader")),
        "{:?}",
        page.texts(".trace li")
    );
    assert!(!page.text.contains("gp_at_"), "the token stays on the server");
    // The trail is written behind the answer.
    let logs = folder.path().join("logs.db");
    let sql = "select detail from audit_event where reason = 'called as a client in the console'";
    let person = format!("\\\"person\\\":\\\"{}\\\"", server.known("admin_user"));
    eventually("the audit trail names the person", || {
        format!("{:?}", rows_of_sqlite(&logs, sql)).contains(&person)
    });
}

#[tokio::test]
async fn the_closed_door_and_the_open_one_stand_side_by_side() {
    let folder = Folder::new("console-try-3");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let url = server.url("hr/hr/employees/");
    let page = send(&admin, &[("as", "client:hr_app"), ("url", &url), ("compare", "yes")]).await;
    assert_eq!(page.texts(".answer .b"), ["401 Unauthorized", "200 OK"]);
    let copied = send(&admin, &[("as", "client:hr_app"), ("url", &url), ("copy", "curl")]).await;
    let text = &copied.texts(".result pre.code")[0];
    assert!(text.contains("CLIENT_SECRET") && text.contains(&server.known("client_id")), "{text}");
}

#[tokio::test]
async fn tokens_and_secrets_are_sent_and_not_kept() {
    let folder = Folder::new("console-try-4");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let client = Credentials::of_demo(&server);
    let url = server.url("hr/hr/employees/{id}");
    let by_secret = [("as", "secret"), ("client_id", client.id.as_str()), ("proof", client.secret.as_str())];
    let mut fields = by_secret.to_vec();
    fields.extend([("url", url.as_str()), ("p.id", "7839")]);
    let page = send(&admin, &fields).await;
    assert_eq!(page.texts(".answer .b"), ["200 OK", "200 OK"], "the token request, then the request");
    assert!(page.attribute("#url", "value").ends_with("/employees/7839"));
    assert!(!page.text.contains(&client.secret) && !page.text.contains("gp_at_"));

    let wrong = [("as", "secret"), ("client_id", client.id.as_str()), ("proof", "not-the-secret")];
    let page = send(&admin, &wrong).await;
    assert!(page.texts(".answer .b")[0].contains("401"), "{:?}", page.texts(".answer .b"));
    assert!(page.text.contains("The id or the secret is wrong"));

    let token = client.token_soon(&server, "hr").await;
    let at = server.url("hr/hr/departments/");
    let page =
        send(&admin, &[("as", "token"), ("proof", &token), ("url", &at), ("headers", "X-Note: ours")]).await;
    assert_eq!(page.texts(".answer .b"), ["200 OK"]);
    assert!(!page.text.contains(&token));

    // The preset, as a client sends it.
    let preset = admin.open(&format!("{TRY}?preset=token")).await;
    let page = admin.submit(&preset, "#request", &[by_secret[1], by_secret[2], ("send", "yes")]).await;
    assert_eq!(page.texts(".answer .b"), ["200 OK"], "{}", page.text);

    let kept = format!("{:?}", folder.catalog_rows("select body from console_item"));
    assert!(kept.contains("/employees/7839") && kept.contains("X-Note"), "{kept}");
    assert!(
        !kept.contains(&client.secret) && !kept.contains("gp_at_") && !kept.contains("grant_type"),
        "{kept}"
    );
    let again = admin.open(TRY).await;
    let link = again.attribute(".kept tbody a", "href");
    assert!(admin.open(&link).await.attribute("#url", "value").ends_with("/oauth/token"));
    admin.submit(&again, ".kept form", &[]).await;
    assert!(admin.open(TRY).await.texts(".kept tbody tr").is_empty());
}
