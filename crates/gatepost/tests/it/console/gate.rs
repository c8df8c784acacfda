//! What the console refuses before a page sees it, signing in, and what every page carries.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_SECURITY_POLICY, HOST};

use super::Browser;
use crate::client::http;
use crate::folder::Folder;
use crate::process::eventually;
use crate::server::{TestServer, run_ok};

#[tokio::test]
async fn without_a_sign_in_there_is_only_the_page_for_it() {
    let folder = Folder::new("console-gate-1");
    let server = TestServer::demo(&folder);
    let nobody = Browser::nobody(&server);
    for path in ["/console/me", "/console/s/hr/roles", "/console/s/hr/clients/hr_app", "/console/nothing"] {
        let page = nobody.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        let wanted = format!("/console/sign-in?next={}", path.replace('/', "%2F"));
        assert_eq!(page.location.as_deref(), Some(wanted.as_str()));
    }
    for path in ["/console/apply", "/console/s/hr/roles", "/console/s/hr/clients/hr_app/rotate"] {
        let page = nobody.post(path, &[("name", "x")]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
    }
    assert_eq!(nobody.open("/console/sign-in").await.texts("h1"), ["Sign in"]);
}

#[tokio::test]
async fn forms_of_other_sites_and_of_other_sign_ins_are_refused() {
    let folder = Folder::new("console-gate-2");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let own = format!("http://{}", server.address());
    let fields = [("name", "intruder")];
    let foreign = admin.post_from("https://evil.example", "/console/s/hr/roles", &fields).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let without_token = admin.post_from(&own, "/console/s/hr/roles", &fields).await;
    assert_eq!(without_token.status, StatusCode::FORBIDDEN);
    let other = Browser::of_demo(&server).await;
    let with_other_token = [("name", "intruder"), ("csrf", other.csrf.as_str())];
    assert_eq!(
        admin.post_from(&own, "/console/s/hr/roles", &with_other_token).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(admin.post("/console/s/hr/roles", &fields).await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_host_and_another_method_are_refused() {
    let folder = Folder::new("console-gate-3");
    let server = TestServer::demo(&folder);
    let url = &server.base_url;
    let other = http().get(format!("{url}/console/sign-in")).header(HOST, "evil.example");
    assert_eq!(other.send().await.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
    let put = http().put(format!("{url}/console/sign-in"));
    assert_eq!(put.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_too_many_are_slowed_down() {
    let folder = Folder::new("console-gate-4");
    let server = TestServer::demo(&folder);
    let nobody = Browser::nobody(&server);
    let mut slowed = false;
    for _ in 0..30 {
        let page = nobody.post("/console/sign-in", &[("name", "admin"), ("password", "not it at all")]).await;
        assert!(!page.text.contains("not it at all"), "a password never comes back");
        slowed = page.status == StatusCode::TOO_MANY_REQUESTS;
        if slowed {
            break;
        }
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert!(slowed);
}

#[tokio::test]
async fn who_signs_out_is_out() {
    let folder = Folder::new("console-gate-5");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let page = admin.open("/console/me").await;
    assert_eq!(page.texts("tbody .b"), ["this one"]);
    admin.submit(&page, "form[action$=sign-out]", &[]).await;
    assert_eq!(admin.get("/console/me").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_first_administrator_needs_the_code_that_was_printed() {
    let folder = Folder::new("console-gate-6");
    run_ok(&[
        "init",
        folder.path().to_str().unwrap(),
        "--data-url",
        "sqlite:shop.db",
        "--create",
        "--schema",
        "shop",
    ]);
    let server = TestServer::serve(folder.path());
    let nobody = Browser::nobody(&server);
    assert_eq!(nobody.get("/console/sign-in").await.location.as_deref(), Some("/console/setup"));
    let password = "a long enough password";
    let form = |code| [("code", code), ("name", "ada"), ("password", password), ("again", password)];
    let wrong = nobody.post("/console/setup", &form("abcd-abcd-abcd")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    eventually("the code is printed", || server.printed().contains("setup code"));
    let printed = server.printed();
    let code = printed.lines().find(|line| line.starts_with("setup code")).unwrap();
    let code = code.split_whitespace().nth(2).unwrap();
    let short = [("code", code), ("name", "ada"), ("password", "short"), ("again", "short")];
    assert_eq!(nobody.post("/console/setup", &short).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        nobody.post("/console/setup", &form(code)).await.location.as_deref(),
        Some("/console/sign-in")
    );
    Browser::sign_in(&server, "ada", password).await;
    assert_eq!(nobody.get("/console/setup").await.status, StatusCode::CONFLICT);
    assert_eq!(nobody.post("/console/setup", &form(code)).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn pages_carry_a_strict_policy_and_nothing_inline() {
    let folder = Folder::new("console-gate-7");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    for path in
        ["/console/me", "/console/s/hr/roles", "/console/s/hr/privileges/new", "/console/s/hr/clients/new"]
    {
        let page = admin.open(path).await;
        let policy = page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        let scripts = format!("script-src http://{}/console/assets/;", server.address());
        assert!(policy.starts_with("default-src 'none';") && policy.contains(&scripts), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let html = page.html();
        let inline =
            scraper::Selector::parse("[style], [onclick], [onload], script:not([src]):not([type])").unwrap();
        assert_eq!(html.select(&inline).count(), 0, "{path}");
    }
}
