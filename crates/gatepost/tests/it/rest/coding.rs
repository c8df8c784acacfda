//! Content coding: when asked, and when it is worth it.

use std::io::Read as _;

use reqwest::{Method, StatusCode};

use crate::client::http;
use crate::shop::{Shop, header};

fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap(),
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut plain).unwrap(),
        other => panic!("{other}"),
    };
    plain
}

#[tokio::test]
async fn nothing_is_encoded_unasked_or_when_it_is_small() {
    let shop = Shop::shared().await;
    for accepted in ["", "identity", "deflate", "gzip;q=0, br;q=0", "*"] {
        let answer =
            shop.request(Method::GET, "many/100").header("accept-encoding", accepted).send().await.unwrap();
        assert_eq!(
            (answer.status(), header(&answer, "content-encoding")),
            (StatusCode::OK, ""),
            "{accepted}"
        );
    }
    for path in ["one/1", "photo/1", "items/999"] {
        let answer =
            shop.request(Method::GET, path).header("accept-encoding", "gzip, br").send().await.unwrap();
        assert_eq!(header(&answer, "content-encoding"), "", "{path}");
    }
    let refused = http().get(shop.url("many/100")).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!((refused.status(), header(&refused, "content-encoding")), (StatusCode::UNAUTHORIZED, ""));
    // Refusing every coding is no reason to fail.
    let none = shop
        .request(Method::POST, "notes")
        .header("accept-encoding", "identity;q=0, *;q=0")
        .send()
        .await
        .unwrap();
    assert_eq!(none.status(), StatusCode::OK);
}

#[tokio::test]
async fn large_text_is_encoded_and_means_the_same() {
    let shop = Shop::shared().await;
    for path in ["many/100", "many/9000"] {
        let plain = shop.get(path).await.bytes().await.unwrap();
        for (accepted, coding) in
            [("gzip", "gzip"), ("br", "br"), ("gzip, deflate, br", "br"), ("br;q=0.1, GZIP", "gzip")]
        {
            let answer =
                shop.request(Method::GET, path).header("accept-encoding", accepted).send().await.unwrap();
            assert_eq!(header(&answer, "content-encoding"), coding);
            assert_eq!(header(&answer, "content-type"), "application/json");
            assert!(header(&answer, "vary").contains("Accept-Encoding"));
            let length = header(&answer, "content-length").to_owned();
            let bytes = answer.bytes().await.unwrap();
            assert!(length.is_empty() || length == bytes.len().to_string());
            assert!(bytes.len() < plain.len() / 2);
            assert_eq!(decoded(coding, &bytes), plain, "{path} {accepted}");
        }
    }
}

#[tokio::test]
async fn the_tag_names_the_coding_and_is_known_in_either() {
    let shop = Shop::shared().await;
    let plain = header(&shop.get("many/100").await, "etag").to_owned();
    let encoded =
        shop.request(Method::GET, "many/100").header("accept-encoding", "gzip").send().await.unwrap();
    let tag = header(&encoded, "etag").to_owned();
    assert_eq!(tag, format!("{}-gzip\"", plain.strip_suffix('"').unwrap()));
    for known in [&plain, &tag] {
        let again = shop
            .request(Method::GET, "many/100")
            .header("accept-encoding", "gzip")
            .header("if-none-match", known);
        let again = again.send().await.unwrap();
        assert_eq!((again.status(), header(&again, "etag")), (StatusCode::NOT_MODIFIED, known.as_str()));
    }
}
