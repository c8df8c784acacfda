//! What is kept of all this, and what never is (oauth.md section 14).

use reqwest::StatusCode;
use serde_json::Value;

use crate::backend::Backend;
use crate::client::{Credentials, get, http};
use crate::folder::rows_of_sqlite;
use crate::shop::Shop;

/// Rows of the log file; records are written a moment after the answer, so the caller says how many it waits for.
async fn logged(shop: &Shop, sql: &str, at_least: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for _ in 0..500 {
        rows = texts(rows_of_sqlite(&shop.folder.path().join("logs.db"), sql));
        if rows.len() >= at_least {
            return rows;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{sql}: {rows:?}");
}

fn texts(rows: Vec<Vec<Value>>) -> Vec<Vec<String>> {
    let text = |value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}

async fn token_with(shop: &Shop, id: &str, secret: &str, fields: &[(&str, &str)]) -> StatusCode {
    let request = http().post(shop.server.url("hr/oauth/token")).basic_auth(id, Some(secret)).form(fields);
    request.send().await.unwrap().status()
}

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn adt_01_every_event_leaves_a_record_with_its_reason() {
    let shop = Shop::new().await;
    let Credentials { id, secret } = &shop.client;
    token_with(&shop, id, secret, &[GRANT]).await;
    token_with(&shop, id, "wrong", &[GRANT]).await;
    token_with(&shop, "nobody", "wrong", &[GRANT]).await;
    token_with(&shop, id, secret, &[GRANT, ("scope", "unknown")]).await;
    for endpoint in ["introspect", "revoke"] {
        let request =
            http().post(shop.server.url(&format!("hr/oauth/{endpoint}"))).basic_auth(id, Some(secret));
        request.form(&[("token", &shop.token)]).send().await.unwrap();
    }
    let events =
        "select event, outcome, reason, client from audit_event where client = 'shop_app' or client is null";
    let rows = logged(&shop, events, 7).await;
    for expected in [
        ["token issued", "success", "ok", "shop_app"],
        ["client authentication failed", "failure", "wrong secret", "shop_app"],
        ["client authentication failed", "failure", "unknown client", ""],
        ["token refused", "failure", "invalid_scope", "shop_app"],
        ["token introspected", "success", "ok", "shop_app"],
        ["token revoked", "success", "ok", "shop_app"],
    ] {
        assert!(rows.iter().any(|row| row == &expected), "{expected:?} in {rows:?}");
    }
    let denied =
        "select status, outcome, reason from access_log where path = '/ords/hr/shop/all/' order by id";
    get(&shop.url("all/"), None).await;
    get(&shop.url("all/"), Some(&shop.token)).await;
    let limited = Credentials::limited(&shop.server).token(&shop.server, "hr").await;
    get(&shop.url("all/"), Some(&limited)).await;
    let rows = logged(&shop, denied, 3).await;
    let expected = [
        ["401", "refused", "no token"],
        ["401", "refused", "token revoked"],
        ["403", "refused", "role missing"],
    ];
    assert_eq!(rows, expected);
    // Definitions and clients have their own history, with author and source.
    let history = texts(shop.folder.catalog_rows("select kind, name, action, author from history"));
    for (kind, name) in
        [("client", "shop_app"), ("role", "shop_user"), ("privilege", "shop.use"), ("module", "shop")]
    {
        assert!(
            history.iter().any(|row| row[0] == kind && row[1] == name && row[3] == "tester"),
            "{kind} {name}: {history:?}"
        );
    }
}

#[tokio::test]
async fn adt_02_records_say_when_where_and_for_what() {
    let shop = Shop::new().await;
    let fields = [GRANT, ("scope", "shop.use")];
    token_with(&shop, &shop.client.id, &shop.client.secret, &fields).await;
    let sql = "select at_ms, request_id, address, schema, client, detail from audit_event where detail like '%\"scope_asked\":\"shop.use\"%'";
    let row = &logged(&shop, sql, 1).await[0];
    assert!(row[0].parse::<i64>().unwrap() > 1_700_000_000_000);
    assert!(!row[1].is_empty());
    assert_eq!((row[2].as_str(), row[3].as_str(), row[4].as_str()), ("127.0.0.1", "hr", "shop_app"));
    let detail: serde_json::Value = serde_json::from_str(&row[5]).unwrap();
    assert_eq!(detail["scope_given"], "shop.use");
    assert!(!detail["token_id"].as_str().unwrap().is_empty());
    get(&shop.url("items/1"), Some(&shop.token)).await;
    let sql =
        "select method, path, route, client, status, reason from access_log where path like '%/items/1'";
    let row = &logged(&shop, sql, 1).await[0];
    assert_eq!(row, &["GET", "/ords/hr/shop/items/1", "shop items/:id", "shop_app", "200", "role"]);
}

#[tokio::test]
async fn adt_03_no_output_holds_a_secret_or_a_token() {
    let shop = Shop::with("[log]\nlevel = \"trace\"\n").await;
    let Credentials { id, secret } = &shop.client;
    let demo = Credentials::of_demo(&shop.server);
    let guess = "gp_cs_a-guess-of-somebody";
    token_with(&shop, id, guess, &[GRANT]).await;
    token_with(&shop, guess, guess, &[GRANT]).await;
    let form = [GRANT, ("client_id", id), ("client_secret", secret), ("extra", "needle-in-the-form")];
    http().post(shop.server.url("hr/oauth/token")).form(&form).send().await.unwrap();
    let query = format!("search/?word=needle-in-the-query&x={}", shop.token);
    shop.get(&query).await;
    http().get(shop.url("items/")).header("cookie", "needle-in-the-cookie=1").send().await.unwrap();
    get(&shop.url(&format!("items/?access_token={}", shop.token)), None).await;
    let revoked = http().post(shop.server.url("hr/oauth/revoke")).basic_auth(id, Some(secret));
    revoked.form(&[("token", &shop.token)]).send().await.unwrap();
    shop.request(reqwest::Method::POST, "notes")
        .json(&serde_json::json!({"text": "needle-in-the-body"}))
        .send()
        .await
        .unwrap();
    logged(&shop, "select 1 from access_log where path like '%/notes'", 1).await;
    let Shop { server, token, folder, client } = shop;
    let log = server.log_text();
    let status = server.stop();
    assert!(status.success());
    let needles = [
        token.as_str(),
        &client.secret,
        &demo.secret,
        guess,
        "needle-in-the-form",
        "needle-in-the-query",
        "needle-in-the-cookie",
    ];
    // demo.json and the key file are for secrets, data files are data; everything else is searched.
    let mut files = vec![("log".to_owned(), log.into_bytes())];
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_file() && name != "demo.json" {
            files.push((name, std::fs::read(path).unwrap()));
        }
    }
    files.push(("the catalog".to_owned(), folder.stolen_catalog()));
    assert!(files.len() >= 5, "logs, catalog, keys and configuration are searched");
    for (name, bytes) in &files {
        for needle in needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{name} holds {needle}");
        }
    }
}

#[tokio::test]
async fn adt_04_values_of_requests_are_escaped_and_cut() {
    let shop = Shop::with("[log]\nformat = \"json\"\nlevel = \"debug\"\n").await;
    let secret = &shop.client.secret;
    // A password in the wrong field is not kept, whatever it looks like.
    token_with(&shop, "pass\nword\r\nin the wrong field", secret, &[GRANT]).await;
    get(&shop.url("items/%0d%0aforged"), Some(&shop.token)).await;
    get(&shop.url("items/a%C2%85b"), Some(&shop.token)).await;
    token_with(&shop, &shop.client.id, secret, &[GRANT, ("scope", &"x".repeat(5000))]).await;
    let rows =
        logged(&shop, "select coalesce(detail, '') from audit_event where event = 'token refused'", 1).await;
    assert!(rows.iter().all(|row| row[0].len() < 2000), "{} bytes of a request are kept", rows[0][0].len());
    let sql = "select path from access_log where path like '%items/%'";
    let rows = logged(&shop, sql, 2).await;
    assert!(rows.iter().all(|row| !row[0].chars().any(char::is_control)), "{rows:?}");
    let log = shop.server.log_text();
    assert!(!log.contains("wrong field"), "{log}");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[tokio::test]
async fn adt_05_the_access_log_has_no_query() {
    let shop = Shop::new().await;
    shop.get("search/?word=needle").await;
    let rows = logged(&shop, "select path from access_log where path like '%search%'", 1).await;
    assert_eq!(rows, [["/ords/hr/shop/search/"]]);
}

#[tokio::test]
async fn adt_06_a_log_that_cannot_be_written_stops_no_token() {
    let shop = Shop::new().await;
    let file = shop.folder.path().join("logs.db");
    let logs = rusqlite::Connection::open(&file).unwrap();
    logs.execute_batch("begin immediate").unwrap();
    let token = shop.client.token(&shop.server, "hr").await;
    assert_eq!(get(&shop.url("items/"), Some(&token)).await.status(), StatusCode::OK);
    logs.execute_batch("rollback").unwrap();
    drop(logs);
    // Administration is recorded with the change itself, in the same transaction of the catalog.
    shop.server.sql("hr", "begin ords.create_role('audited'); commit; end;");
    let recorded = shop.folder.catalog_rows("select author from history where name = 'audited'");
    assert_eq!(recorded, [["tester"]]);
}

#[tokio::test]
async fn adt_06_the_trail_is_a_file_of_its_own() {
    let shop = Shop::new().await;
    logged(&shop, "select 1 from audit_event", 1).await;
    let tables = match shop.folder.backend() {
        Backend::Sqlite => "select name from sqlite_schema",
        Backend::Postgres => {
            "select table_name from information_schema.tables where table_schema = 'gatepost'"
        }
    };
    let tables = texts(shop.folder.catalog_rows(tables)).concat();
    assert!(tables.iter().any(|name| name == "history"), "{tables:?}");
    for name in ["access_log", "audit_event"] {
        assert!(!tables.iter().any(|table| table == name), "{tables:?}");
    }
}
