//! Roles, privileges and clients: every save is reviewed, secrets are shown once.

use reqwest::StatusCode;

use super::Browser;
use crate::client::Credentials;
use crate::folder::Folder;
use crate::server::{TestServer, run_ok};

pub(super) async fn with_user(server: &TestServer, folder: &Folder, kind: &str) -> Browser {
    let data = folder.path().to_str().unwrap();
    let mut arguments = vec!["user", "add", kind, "--kind", kind, "--generate", "--data", data];
    if matches!(kind, "developer" | "viewer") {
        arguments.extend(["--schema", "hr"]);
    }
    let printed = run_ok(&arguments);
    let password = printed.split_whitespace().max_by_key(|word| word.len()).unwrap();
    Browser::sign_in(server, kind, password).await
}

#[tokio::test]
async fn who_only_reads_changes_nothing_and_foreign_schemas_do_not_exist() {
    let folder = Folder::new("console-secure-1");
    let server = TestServer::demo(&folder);
    for kind in ["viewer", "auditor"] {
        let reader = with_user(&server, &folder, kind).await;
        assert!(reader.open("/console/s/hr/roles").await.texts("button.pri").is_empty());
        for path in [
            "/console/s/hr/roles",
            "/console/s/hr/privileges/save",
            "/console/s/hr/clients/new",
            "/console/s/hr/clients/hr_app/rotate",
            "/console/s/hr/clients/hr_app/revoke-tokens",
            "/console/s/hr/clients/hr_app/stored",
        ] {
            let page = reader.post(path, &[("name", "x")]).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{kind} {path}");
        }
        let fields = [("schema", "hr"), ("script", "begin ords.create_role('x'); end;"), ("revision", "1")];
        assert_eq!(reader.post("/console/apply", &fields).await.status, StatusCode::FORBIDDEN, "{kind}");
    }
    let developer = with_user(&server, &folder, "developer").await;
    assert_eq!(developer.get("/console/s/intranet/roles").await.status, StatusCode::NOT_FOUND);
    let foreign = [("schema", "intranet"), ("script", "begin null; end;"), ("revision", "1")];
    assert_eq!(developer.post("/console/apply", &foreign).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_role_and_a_privilege_are_made_after_a_review() {
    let folder = Folder::new("console-secure-2");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let long = "x".repeat(300);
    let bad = admin.post("/console/s/hr/roles", &[("name", &long)]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.attribute("#name", "value"), long, "what was typed is kept");
    let review = admin.post("/console/s/hr/roles", &[("name", "payroll")]).await;
    assert!(review.text.contains("ords.create_role"), "{}", review.text);
    let before = server.sql("hr", "select name from user_ords_roles where name = 'payroll'");
    assert!(before.is_empty(), "a review changes nothing");
    assert_eq!(admin.apply(&review).await.texts("h1"), ["payroll"]);
    let fields =
        [("name", "hr.payroll"), ("role", "payroll"), ("patterns", "/hr/employees/*"), ("label", "Payroll")];
    let preview = admin.post("/console/s/hr/privileges/preview", &fields).await;
    assert!(
        preview.text.contains("client hr_app: "),
        "hr_app would lose what is locked anew: {}",
        preview.text
    );
    let review = admin.post("/console/s/hr/privileges/save", &fields).await;
    assert!(review.text.contains("stays out"), "{}", review.text);
    admin.apply(&review).await;
    let roles = server
        .sql("hr", "select role_name from user_ords_privilege_roles where privilege_name = 'hr.payroll'");
    assert_eq!(roles[0]["role_name"], "payroll");
}

#[tokio::test]
async fn a_review_is_shown_again_when_somebody_was_faster() {
    let folder = Folder::new("console-secure-3");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let review = admin.post("/console/s/hr/roles", &[("name", "second")]).await;
    server.sql("hr", "begin ords.create_role('first'); end;\n/");
    let again = admin.submit(&review, "form.review", &[]).await;
    assert_eq!(again.status, StatusCode::OK);
    assert!(again.texts("h1")[0].starts_with("Changed meanwhile"), "{:?}", again.texts("h1"));
    admin.apply(&again).await;
    assert_eq!(
        server.sql("hr", "select name from user_ords_roles where name in ('first', 'second')").len(),
        2
    );
}

#[tokio::test]
async fn a_client_is_registered_and_its_secret_is_shown_once() {
    let folder = Folder::new("console-secure-4");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let role = server.sql("hr", "select name from user_ords_roles")[0]["name"].as_str().unwrap().to_owned();
    let fields = [("name", "payroll_app"), ("owner", "Payroll"), ("role", role.as_str())];
    let preview = admin.post("/console/s/hr/clients/preview", &fields).await;
    assert!(preview.text.contains("client payroll_app: gains"), "{}", preview.text);
    let review = admin.post("/console/s/hr/clients/new", &fields).await;
    // Somebody is faster: the secret is shown after the second review as it is after the first.
    server.sql("hr", "begin ords.create_role('meanwhile'); end;\n/");
    let again = admin.submit(&review, "form.review", &[]).await;
    let shown = admin.submit(&again, "form.review", &[]).await;
    let secret = shown.texts("code[data-secret='Client secret']").remove(0);
    let id = shown.texts("code[data-secret='Client id']").remove(0);
    assert!(secret.starts_with("gp_cs_"));
    Credentials { id, secret: secret.clone() }.token(&server, "hr").await;
    let page = admin.open("/console/s/hr/clients/payroll_app").await;
    assert!(!page.text.contains(&secret), "the secret is in no other page");
    assert!(!server.log_text().contains(&secret));
    assert!(page.texts(".chain code").contains(&role), "{:?}", page.texts(".chain code"));
}

#[tokio::test]
async fn a_secret_is_rotated_with_an_overlap_and_the_old_one_revoked() {
    let folder = Folder::new("console-secure-5");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let old = Credentials::of_demo(&server);
    let form = admin.open("/console/s/hr/clients/hr_app/rotate").await;
    let shown = admin.submit(&form, "main form", &[]).await;
    let secret = shown.texts("code[data-secret='Client secret']").remove(0);
    let new = Credentials { id: old.id.clone(), secret };
    new.token(&server, "hr").await;
    old.token(&server, "hr").await;
    let page = admin.open("/console/s/hr/clients/hr_app").await;
    let former = page.html();
    let row = scraper::Selector::parse("tr:has(.warn) input[name=slot]").unwrap();
    let slot = former.select(&row).next().unwrap().value().attr("value").unwrap().to_owned();
    admin.post("/console/s/hr/clients/hr_app/revoke-secret", &[("slot", &slot)]).await;
    new.token(&server, "hr").await;
    assert_eq!(old.request(&server, "hr", &[]).await.0, StatusCode::UNAUTHORIZED);
}
