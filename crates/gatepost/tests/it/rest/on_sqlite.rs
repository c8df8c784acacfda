//! What SQLite would let a statement do besides reading and writing rows.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::backend::Backend;
use crate::client::status_soon;
use crate::shop::{PATIENT, Shop, parts};

#[tokio::test]
async fn user_sql_changes_no_setting_and_reaches_no_other_file() {
    let shop = Shop::on(Backend::Sqlite, PATIENT).await;
    shop.server.sql(
        "hr",
        "begin
           ords.define_template('shop', 'pragma');
           ords.define_handler('shop', 'pragma', 'GET', ords.source_type_collection_feed, 'pragma user_version = 7');
           ords.define_template('shop', 'attach');
           ords.define_handler('shop', 'attach', 'POST', ords.source_type_plsql, q'[attach database 'stolen.db' as stolen]');
         commit; end;",
    );
    status_soon(&shop.url("attach"), Some(&shop.token), StatusCode::METHOD_NOT_ALLOWED).await;
    for (method, path) in [(Method::GET, "pragma"), (Method::POST, "attach")] {
        let (status, body) = parts(shop.request(method, path).send().await.unwrap()).await;
        assert_eq!((status, &body["o:errorCode"]), (StatusCode::NOT_IMPLEMENTED, &json!("GP203")), "{path}");
    }
    assert_eq!(shop.count("pragma user_version"), 0);
}

#[tokio::test]
async fn a_text_equals_no_number() {
    let shop = Shop::on(Backend::Sqlite, PATIENT).await;
    for path in ["one/x", "items/1%20or%201=1"] {
        assert_eq!(shop.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
