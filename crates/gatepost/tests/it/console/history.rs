//! History: what changed, and the way back.

use reqwest::StatusCode;

use super::Browser;
use super::secure::with_user;
use crate::folder::Folder;
use crate::server::TestServer;

async fn newest(browser: &Browser, query: &str) -> String {
    browser.open(&format!("/console/history?{query}")).await.attribute("tbody th a", "href")
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_foreign_schemas_and_of_users_are_not_seen() {
    let folder = Folder::new("console-history-1");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let foreign = newest(&admin, "schema=intranet").await;
    let user = newest(&admin, "kind=user").await;
    let own = newest(&admin, "schema=hr&kind=role").await;
    let developer = with_user(&server, &folder, "developer").await;
    for path in [&foreign, &user, &format!("{foreign}/restore")] {
        let page = if path.ends_with("restore") {
            developer.post(path, &[]).await
        } else {
            developer.get(path).await
        };
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(developer.get("/console/history?schema=intranet").await.status, StatusCode::NOT_FOUND);
    let list = developer.open("/console/history").await;
    assert!(!list.text.contains("hr_employees"), "{}", list.text);
    let viewer = with_user(&server, &folder, "viewer").await;
    assert!(viewer.open(&own).await.texts("form[action$=restore]").is_empty());
    assert_eq!(viewer.post(&format!("{own}/restore"), &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(admin.get("/console/history/1/999999").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_module_is_brought_back_after_a_review() {
    let folder = Folder::new("console-history-2");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let define = |source: &str| {
        server.sql("hr", &format!("begin ords.define_service('back', '/back/', 'rows', 'GET', 'json/collection', '{source}'); end;"));
    };
    define("select 1 as first");
    let made = newest(&admin, "kind=module&name=back").await;
    define("select 2 as second");
    let changed = admin.open(&newest(&admin, "kind=module&name=back").await).await;
    assert!(
        changed.texts(".diff .d").iter().any(|line| line.contains("select 1 as first")),
        "{}",
        changed.text
    );
    assert!(changed.texts(".diff .a").iter().any(|line| line.contains("select 2 as second")));
    server.sql("hr", "begin ords.delete_module('back'); end;");
    let deleted = admin.open(&newest(&admin, "kind=module&name=back").await).await;
    assert!(
        deleted.texts(".diff .d").iter().any(|line| line.contains("select 2 as second")),
        "{}",
        deleted.text
    );

    let page = admin.open(&made).await;
    let review = admin.submit(&page, "form[action$=restore]", &[]).await;
    assert!(review.text.contains("ords.define_module"), "{}", review.text);
    assert!(server.sql("hr", "select name from user_ords_modules where name = 'back'").is_empty());
    assert_eq!(admin.apply(&review).await.texts("h1"), ["History"]);
    let source = server.sql("hr", "select source from user_ords_handlers where source like '%as first%'");
    assert_eq!(source.len(), 1, "{source:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_privilege_is_not_brought_back_without_its_role_and_a_client_loses_what_it_got_since() {
    let folder = Folder::new("console-history-3");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    server.sql(
        "hr",
        "declare l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
         begin
           ords.create_role('gone'); ords.create_role('extra');
           l_roles(1) := 'gone'; l_patterns(1) := '/gone/*';
           ords.define_privilege('gone.read', l_roles, l_patterns, l_modules);
         end;",
    );
    let privilege = newest(&admin, "kind=privilege&name=gone.read").await;
    server.sql("hr", "begin ords.delete_privilege('gone.read'); ords.delete_role('gone'); end;");
    let page = admin.open(&privilege).await;
    let refused = admin.submit(&page, "form[action$=restore]", &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert!(refused.text.contains("gone"), "{}", refused.text);

    let client = newest(&admin, "kind=client&name=hr_app").await;
    server.sql("hr", "begin oauth.grant_client_role('hr_app', 'extra'); end;");
    let page = admin.open(&client).await;
    let review = admin.submit(&page, "form[action$=restore]", &[]).await;
    assert!(!review.text.contains("gp_cs_"), "no secret is in it");
    admin.apply(&review).await;
    let roles = server.sql("hr", "select role_name from user_ords_client_roles where client_name = 'hr_app'");
    assert!(!roles.is_empty() && roles.iter().all(|row| row["role_name"] != "extra"), "{roles:?}");
    crate::client::Credentials::of_demo(&server).token(&server, "hr").await;
}
