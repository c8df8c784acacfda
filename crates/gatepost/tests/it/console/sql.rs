//! SQL commands: who may, what is reviewed first, and what is kept of what was run.

use reqwest::StatusCode;

use super::secure::with_user;
use super::{Browser, Page};
use crate::backend::Backend;
use crate::folder::Folder;
use crate::server::TestServer;

const SQL: &str = "/console/s/hr/sql";

async fn run(browser: &Browser, action: &str, sql: &str) -> Page {
    browser.post("/console/s/hr/sql/run", &[("action", action), ("sql", sql), ("rows", "50")]).await
}

#[tokio::test]
async fn only_administrators_and_developers_of_the_schema_run_sql() {
    let folder = Folder::new("console-sql-1");
    let server = TestServer::demo(&folder);
    let nobody = Browser::nobody(&server);
    assert_eq!(
        nobody.get(SQL).await.location.as_deref(),
        Some("/console/sign-in?next=%2Fconsole%2Fs%2Fhr%2Fsql")
    );
    for kind in ["viewer", "auditor"] {
        let reader = with_user(&server, &folder, kind).await;
        assert_eq!(reader.get(SQL).await.status, StatusCode::FORBIDDEN, "{kind}");
        for page in ["run", "apply", "download", "forget"] {
            let fields = [
                ("action", "run"),
                ("sql", "delete from emp"),
                ("script", "delete from emp"),
                ("revision", "1"),
            ];
            let refused = reader.post(&format!("{SQL}/{page}"), &fields).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{kind} {page}");
        }
    }
    let developer = with_user(&server, &folder, "developer").await;
    for page in ["", "/run", "/apply", "/download"] {
        let path = format!("/console/s/intranet/sql{page}");
        let fields = [("action", "run"), ("sql", "select 1 as one"), ("script", "x"), ("revision", "1")];
        let refused =
            if page.is_empty() { developer.get(&path).await } else { developer.post(&path, &fields).await };
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}");
    }
    // A script cannot leave its schema either, whatever the page.
    let foreign = "begin ords.enable_schema(p_schema => 'intranet'); end;";
    assert_eq!(run(&developer, "run", foreign).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.sql("hr", "select count(*) as n from emp")[0]["n"].as_i64(), Some(14));
    assert_eq!(run(&developer, "run", "select ename from emp").await.status, StatusCode::OK);
}

#[tokio::test]
async fn rows_messages_and_errors_are_shown_and_a_dry_run_keeps_nothing() {
    let folder = Folder::new("console-sql-2");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let page = admin.open(SQL).await;
    assert!(
        page.texts(".tree summary").iter().any(|text| text.starts_with("emp")),
        "{:?}",
        page.texts(".tree summary")
    );
    let completed: serde_json::Value = serde_json::from_str(&page.texts("#tables")[0]).unwrap();
    assert!(completed["emp"].as_array().unwrap().contains(&"ename".into()), "{completed}");

    let wrong = run(&admin, "run", "select ename from emp;\nselect nothing from emp;").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.attribute("[data-mark-line]", "data-mark-line"), "2");
    assert!(wrong.texts("#panel-messages [role=alert]")[0].contains("nothing"), "{}", wrong.text);
    assert!(wrong.texts("#editor")[0].contains("select nothing"), "what was typed is kept");

    let page = run(&admin, "run", "select ename, comm from emp where empno in (7839) order by 1").await;
    assert_eq!(page.texts("#panel-results td"), ["KING", "null"]);
    let hidden =
        run(&admin, "run", "select '<script>alert(1)</script>' as x from emp where empno = 7839").await;
    assert!(!hidden.text.contains("<script>alert"), "values are text");

    let dry = run(&admin, "dry", "delete from emp").await;
    assert!(dry.texts(".ran")[0].contains("nothing was kept"), "{:?}", dry.texts(".ran"));
    assert!(dry.texts("#panel-messages li")[0].contains("DELETE: 14 rows"));
    assert_eq!(server.sql("hr", "select count(*) as n from emp")[0]["n"].as_i64(), Some(14));

    let refused = run(&admin, "explain", "delete from emp").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let plan = run(&admin, "explain", "select * from emp where sal > 1").await;
    let shown = plan.texts("#panel-explain li").join(" ");
    assert!(shown.contains("emp") && shown.contains("reads all rows"), "{shown}");

    let fields = [
        ("sql", "select deptno, dname from dept order by 1; select 'a,b' as x"),
        ("format", "csv"),
        ("number", "1"),
    ];
    let csv = admin.post("/console/s/hr/sql/download", &fields).await;
    assert_eq!(csv.text, "x\r\n\"a,b\"\r\n");
    assert!(csv.headers["content-disposition"].to_str().unwrap().contains("rows.csv"));
    let fields = [("sql", "delete from emp returning empno"), ("format", "json"), ("number", "0")];
    let deleted = admin.post("/console/s/hr/sql/download", &fields).await;
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&deleted.text).unwrap().len(), 14);
    assert_eq!(
        server.sql("hr", "select count(*) as n from emp")[0]["n"].as_i64(),
        Some(14),
        "nothing is kept"
    );
}

#[tokio::test]
async fn definitions_are_reviewed_first_and_a_new_secret_is_shown_once() {
    let folder = Folder::new("console-sql-3");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let block = "begin\n  oauth.create_client('till', 'client_credentials', p_support_email => 'a@b.example');\n  oauth.grant_client_role('till', 'hr_reader');\nend;\n/";
    let failing = run(&admin, "run", "begin oauth.create_clent('x'); end;").await;
    assert_eq!(failing.status, StatusCode::UNPROCESSABLE_ENTITY);
    let review = run(&admin, "run", block).await;
    assert!(review.texts("ul.doors li").iter().any(|door| door.contains("client till")), "{}", review.text);
    let known = || server.sql("hr", "select name from user_ords_clients where name = 'till'").len();
    assert_eq!(known(), 0, "a review changes nothing");
    let done = admin.apply(&review).await;
    assert_eq!(known(), 1);
    let secret = done.texts(".secret code");
    assert!(secret[1].starts_with("gp_cs_"), "{secret:?}");
    assert!(!admin.open(SQL).await.text.contains(&secret[1]), "it is not in the page afterwards");
    // What was reviewed on older definitions is reviewed once more, and cannot be any more.
    let stale = admin.submit(&review, "form.review", &[]).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(stale.text.contains("exists already"), "{}", stale.text);
    // A block that defines nothing is run at once.
    let plain = run(&admin, "run", "begin dbms_output.put_line('hello'); end;").await;
    assert!(plain.texts("#panel-messages li").iter().any(|line| line == "hello"), "{}", plain.text);
}

#[tokio::test]
async fn history_and_saved_scripts_are_the_users_own_and_hold_no_secret() {
    let folder = Folder::new("console-sql-4");
    let server = TestServer::demo(&folder);
    let (admin, developer) =
        (Browser::of_demo(&server).await, with_user(&server, &folder, "developer").await);
    run(&admin, "run", "select deptno from dept").await;
    let secret = "the api key of somebody";
    let call = format!("begin gatepost.set_credential_secret('nobody', '{secret}'); end;");
    assert_eq!(run(&admin, "dry", &call).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = admin.open(&format!("{SQL}?tab=history")).await;
    let shown = page.texts("#panel-history tbody a");
    assert_eq!(
        shown,
        ["begin gatepost.set_credential_secret('nobody', '********'); end;", "select deptno from dept"]
    );
    let refused =
        admin.post(&format!("{SQL}/run"), &[("action", "save"), ("name", "key"), ("sql", &call)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nameless = admin.post(&format!("{SQL}/run"), &[("action", "save"), ("sql", "select 1 as x")]).await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);
    let saved = admin
        .post(&format!("{SQL}/run"), &[("action", "save"), ("name", "mine"), ("sql", "select 2 as x")])
        .await;
    assert_eq!(saved.texts("#panel-saved tbody a"), ["select 2 as x"]);
    let link = saved.attribute("#panel-saved tbody a", "href");
    assert!(admin.open(&link).await.texts("#editor")[0].contains("select 2 as x"));
    assert!(
        !developer.open(&link).await.texts("#editor")[0].contains("select 2 as x"),
        "it is another one's"
    );
    assert!(developer.open(SQL).await.texts("#panel-saved tbody a").is_empty());
    let item = saved.attribute("#panel-saved input[name=item]", "value");
    let forget = [("item", item.as_str())];
    assert_eq!(developer.post(&format!("{SQL}/forget"), &forget).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.post(&format!("{SQL}/forget"), &forget).await.status, StatusCode::SEE_OTHER);
    assert!(admin.open(SQL).await.texts("#panel-saved tbody a").is_empty());
    if folder.backend() == Backend::Sqlite {
        assert!(!String::from_utf8_lossy(&folder.stolen_catalog()).contains(secret));
    }
}
