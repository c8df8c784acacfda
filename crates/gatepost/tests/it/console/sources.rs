//! Remote servers, web credentials and REST data sources: secrets go in and never come out, and rows come.

use reqwest::StatusCode;

use super::secure::with_user;
use super::{Browser, Page};
use crate::folder::Folder;
use crate::process::eventually_async;
use crate::server::{TestServer, run_ok};

const AT: &str = "/console/s/intranet";

/// A demo that may call itself, whichever database it is on.
fn demo(folder: &Folder) -> TestServer {
    folder.configure("demo = true\n[egress]\nallow_loopback = true\n");
    TestServer::demo(folder)
}

async fn in_intranet(server: &TestServer, folder: &Folder, kind: &str) -> Browser {
    let browser = with_user(server, folder, kind).await;
    if matches!(kind, "developer" | "viewer") {
        let data = folder.path().to_str().unwrap();
        run_ok(&["user", "change", kind, "--schema", "intranet", "--data", data]);
        eventually_async("the schema is assigned", async || {
            browser.get(&format!("{AT}/sources")).await.status == StatusCode::OK
        })
        .await;
    }
    browser
}

#[tokio::test]
async fn readers_see_definitions_and_call_nothing() {
    let folder = Folder::new("console-sources-1");
    let server = demo(&folder);
    for kind in ["viewer", "auditor"] {
        let reader = in_intranet(&server, &folder, kind).await;
        for path in
            ["remote-servers", "remote-servers/hr_api", "credentials", "credentials/hr_reader", "sources"]
        {
            let page = reader.open(&format!("{AT}/{path}")).await;
            assert!(
                page.texts("main button[type=submit]").is_empty(),
                "{kind} {path}: {:?}",
                page.texts("main button")
            );
        }
        for path in [
            "remote-servers/save",
            "remote-servers/hr_api/check",
            "remote-servers/hr_api/delete",
            "credentials/save",
            "credentials/hr_reader/secret",
            "credentials/hr_reader/token",
            "credentials/hr_reader/delete",
            "sources/new",
            "sources/save",
            "sources/hr_employees/test",
            "sources/hr_employees/rediscover",
            "sources/hr_employees/sync",
            "sources/hr_employees/run",
            "sources/hr_employees/delete",
        ] {
            let page = reader
                .post(&format!("{AT}/{path}"), &[("name", "x"), ("action", "forget"), ("off", "1")])
                .await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{kind} {path}");
        }
        let rows = reader.get(&format!("{AT}/sources/hr_employees?tab=rows")).await;
        let may = if kind == "viewer" { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(rows.status, may, "{kind}");
    }
    // Somebody of another schema does not learn that this one is there.
    let data = folder.path().to_str().unwrap();
    run_ok(&["user", "change", "viewer", "--schema", "hr", "--data", data]);
    let viewer = with_user(&server, &folder, "developer").await;
    assert_eq!(viewer.get(&format!("{AT}/sources/hr_employees")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_server_a_credential_and_a_source_are_made_by_forms_and_the_secret_is_nowhere() {
    let folder = Folder::new("console-sources-2");
    let server = demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let base = server.known("base_url");

    let save = |fields: Vec<(&'static str, String)>, path: &'static str| {
        let admin = &admin;
        async move {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            admin.post(&format!("{AT}/{path}"), &fields).await
        }
    };
    let bad = save(
        vec![("name", "own".into()), ("base_url", "ftp://x".into()), ("kind", "rest".into())],
        "remote-servers/save",
    )
    .await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.attribute("#base_url", "value"), "ftp://x", "what was typed is kept");
    let taken = save(
        vec![("name", "hr_api".into()), ("base_url", base.clone()), ("kind", "rest".into())],
        "remote-servers/save",
    )
    .await;
    assert_eq!(
        taken.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a new one does not replace one that is there"
    );
    let review = save(
        vec![("name", "own".into()), ("base_url", base.clone()), ("kind", "rest".into())],
        "remote-servers/save",
    )
    .await;
    assert_eq!(admin.apply(&review).await.texts("h1"), ["own"]);
    let reached = admin.post(&format!("{AT}/remote-servers/own/check"), &[]).await;
    assert_eq!(reached.texts(".path .k"), ["dns", "connect"], "{}", reached.text);

    let credential = vec![
        ("name", "own_key".to_owned()),
        ("type", "oauth2_client_credentials".to_owned()),
        ("client_id", server.known("client_id")),
        ("client_auth", "basic".to_owned()),
        ("valid_for", base.clone()),
    ];
    let review = save(credential.clone(), "credentials/save").await;
    let page = admin.apply(&review).await;
    assert!(page.text.contains("not set"), "{}", page.text);
    let empty =
        admin.post(&format!("{AT}/credentials/own_key/secret"), &[("action", "set"), ("secret", "")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let secret = server.known("client_secret");
    let set = admin
        .post(&format!("{AT}/credentials/own_key/secret"), &[("action", "set"), ("secret", &secret)])
        .await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.text);

    let mut endpoint = vec![
        ("name", "own_rows".to_owned()),
        ("server", "own".to_owned()),
        ("path", "hr/employees/".to_owned()),
        ("credential", "own_key".to_owned()),
        ("token_path", "oauth/wrong".to_owned()),
    ];
    let failed = save(endpoint.clone(), "sources/new").await;
    assert_eq!(failed.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", failed.text);
    endpoint[4].1 = "oauth/token".to_owned();
    let proposed = save(endpoint, "sources/new").await;
    assert!(proposed.texts("#toml")[0].contains("ename"), "{}", proposed.text);
    let broken = admin.submit(&proposed, "form[action$='sources/save']", &[("toml", "server = 7")]).await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY);
    let review = admin.submit(&proposed, "form[action$='sources/save']", &[]).await;
    let page = admin.apply(&review).await;
    assert!(page.texts("tbody td").iter().any(|cell| cell == "KING"), "{}", page.text);
    let issued = admin.post(&format!("{AT}/credentials/own_key/token"), &[("source", "own_rows")]).await;
    assert!(issued.text.contains("a token was issued") && !issued.text.contains("gp_at_"), "{}", issued.text);

    // Where it may go changes: the secret is taken away, and calling an unsaved source does not get around that.
    let mut elsewhere = credential;
    elsewhere[4].1 = "https://elsewhere.example".to_owned();
    elsewhere.push(("was", "own_key".to_owned()));
    let review = save(elsewhere, "credentials/save").await;
    assert!(admin.apply(&review).await.text.contains("not set"));

    for path in ["credentials/own_key", "sources/own_rows?tab=definition", "sources/own_rows?tab=test"] {
        assert!(!admin.open(&format!("{AT}/{path}")).await.text.contains(&secret), "{path}");
    }
    let trail = String::from_utf8_lossy(&folder.stolen_catalog()).into_owned();
    assert!(!trail.contains(&secret), "the secret is in the catalog");
    assert!(!server.log_text().contains(&secret));
}

#[tokio::test]
async fn an_unsaved_source_sends_a_secret_nowhere_new() {
    let folder = Folder::new("console-sources-3");
    let server = demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let thief = format!("http://{}", listener.local_addr().unwrap());
    server.sql(
        "intranet",
        &format!(
            "begin
               gatepost.define_remote_server('thief', '{thief}');
               gatepost.define_credential('key', 'bearer');
               gatepost.define_rest_source('known', 'server = \"hr_api\"\npath = \"hr/employees/\"\nauth = {{ credential = \"key\" }}');
               gatepost.set_credential_secret('key', 'a secret of somebody');
             end;"
        ),
    );
    let ready = async || admin.get(&format!("{AT}/remote-servers/thief")).await.status == StatusCode::OK;
    eventually_async("the definitions are served", ready).await;
    let fields = [("name", "new"), ("server", "thief"), ("path", "rows"), ("credential", "key")];
    let refused = admin.post(&format!("{AT}/sources/new"), &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert!(refused.text.contains("has not been sent to"), "{}", refused.text);
    assert!(listener.accept().is_err(), "somebody called");
    let blind =
        [("name", "new"), ("server", "thief"), ("path", "rows"), ("credential", "key"), ("blind", "1")];
    let proposed = admin.post(&format!("{AT}/sources/new"), &blind).await;
    let review = admin.submit(&proposed, "form[action$='sources/save']", &[]).await;
    admin.apply(&review).await;
    assert!(
        admin.open(&format!("{AT}/credentials/key")).await.text.contains("not set"),
        "saving takes it away"
    );
}

#[tokio::test]
async fn rows_are_filtered_sorted_and_paged_and_a_test_says_where_it_fails() {
    let folder = Folder::new("console-sources-4");
    let server = demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let rows = |query: &'static str| {
        let admin = &admin;
        async move { admin.open(&format!("{AT}/sources/hr_employees?tab=rows&{query}")).await }
    };
    let cells = |page: &Page| page.texts("tbody td:nth-child(2)");
    assert_eq!(cells(&rows("column=ename&is=contains&value=KIN").await), ["KING"]);
    assert_eq!(cells(&rows("sort=sal&down=1").await)[0], "KING");
    assert_eq!(cells(&rows("offset=13").await).len(), 1);
    assert_eq!(cells(&rows("p_deptno=10").await).len(), 3);
    let wrong = rows("column=sal&is=gt&value=much").await;
    assert!(wrong.texts("[role=alert]")[0].contains("no value of sal"), "{}", wrong.text);
    assert!(rows("column=nothing&value=x").await.texts("[role=alert]")[0].contains("no column"));
    assert!(rows("").await.attribute("[data-chart]", "data-chart").contains("chart"));

    let tested = admin.post(&format!("{AT}/sources/hr_employees/test"), &[]).await;
    assert_eq!(tested.texts(".path .k"), ["definition", "dns", "connect", "token", "call", "rows"]);
    assert!(tested.texts(".path li.no").is_empty(), "{}", tested.text);
    admin.post(&format!("{AT}/credentials/hr_reader/secret"), &[("action", "forget")]).await;
    let tested = admin.post(&format!("{AT}/sources/hr_employees/test"), &[]).await;
    assert_eq!(tested.texts(".path li.no .k"), ["definition"], "{}", tested.text);
    assert!(tested.text.contains("SET_CREDENTIAL_SECRET"), "{}", tested.text);
}

#[tokio::test]
async fn a_source_is_copied_into_a_table_and_the_run_is_followed() {
    let folder = Folder::new("console-sources-5");
    let server = demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let tab = format!("{AT}/sources/hr_employees?tab=sync");
    let early = admin.post(&format!("{AT}/sources/hr_employees/run"), &[("action", "run")]).await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY, "there is no table to copy into");
    let page = admin.open(&tab).await;
    let both = [("every", "60"), ("cron", "0 3 * * *")];
    let refused = admin.submit(&page, "form[action$='/sync']", &both).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wanted = [("table", "copied"), ("mode", "merge"), ("cron", "0 3 * * *"), ("create_table", "1")];
    let review = admin.submit(&page, "form[action$='/sync']", &wanted).await;
    let page = admin.apply(&review).await;
    assert_eq!(page.texts("ol li time").len(), 3, "the next three times: {}", page.text);
    assert!(page.text.contains("create table if not exists"), "the table is missing so far: {}", page.text);
    let begun = admin.post(&format!("{AT}/sources/hr_employees/run"), &[("action", "run")]).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
    eventually_async("the run is over", async || {
        let progress = admin.get(&format!("{AT}/sources/hr_employees/progress")).await;
        assert!(!progress.text.contains("failed"), "{}", progress.text);
        progress.text.contains("14 rows fetched, 14 inserted")
    })
    .await;
    assert_eq!(server.sql("intranet", "select count(*) as n from copied")[0]["n"].as_i64(), Some(14));
    assert!(admin.open(&tab).await.text.contains("has every column"));
    eventually_async("the run is in the log", async || {
        let log = admin.open(&format!("{AT}/sources/hr_employees?tab=log")).await;
        log.texts("tbody td:nth-child(5)") == ["14"]
    })
    .await;
    let off = admin.submit(&admin.open(&tab).await, "form[action$='/sync']", &[("off", "1")]).await;
    assert!(!admin.apply(&off).await.text.contains("Run now"));
}
