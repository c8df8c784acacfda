//! Entity tags and preconditions (ords.md 4.12; RFC 9110 section 13).

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::shop::{Shop, header};

#[tokio::test]
async fn a_known_version_is_304_without_a_body() {
    let shop = Shop::shared().await;
    let first = shop.get("items/1").await;
    let tag = header(&first, "etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'));
    for known in [tag.clone(), format!("\"x\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
        let again =
            shop.request(Method::GET, "items/1").header("if-none-match", &known).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(header(&again, "etag"), tag);
        assert_eq!(header(&again, "content-security-policy"), "sandbox; default-src 'none'");
        assert_eq!(again.text().await.unwrap(), "");
    }
    for other in ["\"x\"", "x", ""] {
        let again = shop.request(Method::GET, "items/1").header("if-none-match", other).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::OK, "{other}");
    }
    assert_ne!(header(&shop.get("items/2").await, "etag"), tag);
    let head = shop.request(Method::HEAD, "items/1").header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_write_to_another_version_is_412_and_changes_nothing() {
    let shop = Shop::new().await;
    let tag = header(&shop.get("items/4").await, "etag").to_owned();
    let put = |tag: &str, name: &str| {
        shop.request(Method::PUT, "items/4").header("if-match", tag).json(&json!({"name": name, "price": 1}))
    };
    for wrong in ["\"x\"".to_owned(), format!("W/{tag}"), "x".to_owned()] {
        let refused = put(&wrong, "wrong").send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED, "{wrong}");
        let refused =
            shop.request(Method::DELETE, "items/4").header("if-match", &wrong).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED, "{wrong}");
    }
    assert_eq!(shop.count("select count(*) from item where id = 4 and name = 'drill'"), 1);
    assert_eq!(put(&format!("\"a\", {tag}"), "right").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(put(&tag, "late").send().await.unwrap().status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(put("*", "any").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(shop.count("select count(*) from item where id = 4 and name = 'any'"), 1);
    let missing = shop
        .request(Method::PUT, "items/999")
        .header("if-match", "*")
        .json(&json!({"name": "x"}))
        .send()
        .await
        .unwrap();
    assert_eq!(missing.status(), StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn of_writers_that_saw_the_same_version_one_wins() {
    let shop = Shop::new().await;
    for round in 0..5 {
        let tag = header(&shop.get("items/4").await, "etag").to_owned();
        let mut writers = Vec::new();
        for writer in 0..8 {
            let name = format!("writer {round} {writer}");
            let put = shop
                .request(Method::PUT, "items/4")
                .header("if-match", &tag)
                .json(&json!({"name": name, "price": 1}));
            writers.push(tokio::spawn(async move { put.send().await.unwrap().status() }));
        }
        let mut won = 0;
        for writer in writers {
            match writer.await.unwrap() {
                StatusCode::OK => won += 1,
                StatusCode::PRECONDITION_FAILED => {}
                other => panic!("{other}"),
            }
        }
        assert_eq!(won, 1, "round {round}");
    }
}

#[tokio::test]
async fn a_tag_can_come_from_a_query_or_not_at_all() {
    let shop = Shop::new().await;
    let first = header(&shop.get("tagged/1").await, "etag").to_owned();
    assert_eq!(header(&shop.get("tagged/1").await, "etag"), first, "the noise is not in the tag");
    let known = shop.request(Method::GET, "tagged/1").header("if-none-match", &first).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    shop.request(Method::PATCH, "items/1").json(&json!({"price": 1})).send().await.unwrap();
    assert_ne!(header(&shop.get("tagged/1").await, "etag"), first);
    let untagged = shop.request(Method::GET, "untagged").header("if-none-match", "*").send().await.unwrap();
    assert_eq!((untagged.status(), header(&untagged, "etag")), (StatusCode::OK, ""));
}

#[tokio::test]
async fn only_a_success_can_be_not_modified() {
    let shop = Shop::new().await;
    shop.server.sql("hr", "begin ords.define_template('shop', 'gone');
      ords.define_handler('shop', 'gone', 'GET', ords.source_type_plsql, 'begin :status_code := 410; :note := 1; end;');
      ords.define_parameter('shop', 'gone', 'GET', 'note', 'note', 'RESPONSE', 'INT', 'OUT'); commit; end;");
    crate::client::status_soon(&shop.url("gone"), Some(&shop.token), StatusCode::GONE).await;
    let answer = shop.request(Method::GET, "gone").header("if-none-match", "*").send().await.unwrap();
    assert_eq!((answer.status(), header(&answer, "etag")), (StatusCode::GONE, ""));
}
