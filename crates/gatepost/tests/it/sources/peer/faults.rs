//! What no API should answer. Faults below HTTP are in [`super::raw`].

use std::io::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, StatusCode, header};
use serde_json::json as value;

use super::{Asked, Known, json, status};

/// More than any limit of the tests.
const LARGE: usize = 50 << 20;

pub(super) async fn answer(known: &Known, name: &str, asked: &Asked, count: usize) -> Response {
    match name {
        "silent" => std::future::pending().await,
        "slow-body" => slow(),
        "endless-body" => endless(),
        "endless-refusal" => with_status(endless(), "500"),
        "large" => json(format!("[{}]", " ".repeat(LARGE))),
        "gzip-bomb" => bomb("gzip", gzip()),
        "brotli-bomb" => bomb("br", brotli()),
        "wrong-encoding" => bomb("gzip", b"[{\"n\":1}]".to_vec()),
        "unknown-encoding" => bomb("zstd", vec![0x28, 0xb5, 0x2f, 0xfd, 0]),
        "cut-body" => cut(),
        "cut-json" => json("[{\"n\":1},{\"n\":"),
        "html" => html(),
        "wrong-type" => wrong_type(),
        "no-utf8" => Response::new(Body::from(&b"[{\"n\":\"\xff\xfe\"}]"[..])),
        "empty" => json(""),
        "deep" => json(format!("{}{}", "[".repeat(200_000), "]".repeat(200_000))),
        "no-rows" => json("{\"rows\":[]}"),
        "no-list" => json("{\"items\":{\"a\":1}}"),
        "echo-keys" => json(value!({ credentials(asked): 1 }).to_string()),
        "echo-link" => {
            json(value!({ "items": [{}], "next": format!("http://[{}", credentials(asked)) }).to_string())
        }
        "echo" => with_status(json(echo(asked)), "400"),
        // To where the query says.
        "redirect" => to(&asked.query("to").unwrap_or_default(), "302"),
        "circle" => to(&format!("/faults/circle?n={count}"), "302"),
        "hops" if asked.number("n") >= Some(3) => json("[{\"n\":1}]"),
        "hops" => to(&format!("/faults/hops?n={}", asked.number("n").unwrap_or(0) + 1), "302"),
        "no-location" => status(StatusCode::FOUND),
        "401-once" if count != 2 => json("[{\"n\":1}]"),
        "401-after" if count == 1 => json("[{\"n\":1}]"),
        "401-once" | "401-after" => with_status(json("{}"), "401"),
        "scope" => {
            let mut refused = with_status(json("{}"), "401");
            let challenge =
                HeaderValue::from_static("Bearer error=\"insufficient_scope\", scope=\"hr.read\"");
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            refused
        }
        "busy-once" if count > 1 => json("[{\"n\":1}]"),
        "busy-once" => retry_after("1"),
        "busy" => retry_after("0"),
        "busy-for-long" => retry_after("3600"),
        "empty-answer" => status(StatusCode::NO_CONTENT),
        _ => match name.split_once('/') {
            Some(("status", code)) => with_status(json("{\"no\":1}"), code),
            Some(("pages", kind)) => page(known, kind, asked, count),
            _ => status(StatusCode::NOT_FOUND),
        },
    }
}

/// Pages that never end, go in a circle or lead away.
fn page(known: &Known, kind: &str, asked: &Asked, count: usize) -> Response {
    let here = |rest: &str| format!("{}/faults/pages/{rest}", known.base_url);
    let rows = |from: usize| value!([{ "n": from }, { "n": from + 1 }]);
    let offset = asked.number("offset").unwrap_or(0);
    let body = match kind {
        "endless" => value!({ "items": rows(offset), "hasMore": true, "offset": offset, "limit": 2 }),
        "same-offset" => value!({ "items": rows(count * 2), "hasMore": true, "offset": 0 }),
        "always-empty" => value!({ "items": [], "hasMore": true }),
        "empty-middle" if (2..4).contains(&offset) => value!({ "items": [], "hasMore": true }),
        "empty-middle" => value!({ "items": rows(offset), "hasMore": offset < 4 }),
        "same-cursor" => value!({ "items": rows(count * 2), "next": "again" }),
        "circle" => {
            value!({ "items": rows(count * 2), "next": here(if count % 2 == 1 { "circle?b" } else { "circle?a" }) })
        }
        "away" => value!({ "items": rows(0), "next": asked.query("to") }),
        "broken-second" if count > 1 => return with_status(endless(), "500"),
        "broken-second" | "same-page" => value!({ "items": rows(0), "hasMore": true }),
        _ => return status(StatusCode::NOT_FOUND),
    };
    let mut response = json(body.to_string());
    if let ("away", Some(to)) = (kind, asked.query("to")) {
        let link = HeaderValue::try_from(format!("<{to}>; rel=\"next\"")).unwrap();
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// What was sent, as servers show it that are meant to help.
fn echo(asked: &Asked) -> String {
    let headers =
        asked.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")));
    let authorization = asked.header("authorization");
    value!({ "you sent": [authorization, asked.header("x-api-key"), asked.target, asked.body], "headers": headers.collect::<Vec<_>>() })
        .to_string()
}

/// What signed in.
fn credentials(asked: &Asked) -> String {
    let query = asked.query("api_key").unwrap_or_default();
    format!("{}{}{query}", asked.header("authorization"), asked.header("x-api-key"))
}

/// Spaces without end.
pub(super) fn endless() -> Response {
    let chunk = Bytes::from(vec![b' '; 64 * 1024]);
    let chunks = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    let mut response = json("");
    *response.body_mut() = Body::from_stream(chunks);
    response
}

/// A byte now and then, for ever.
fn slow() -> Response {
    let bytes = stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
    });
    Response::new(Body::from_stream(Box::pin(bytes)))
}

/// The connection ends within the body.
fn cut() -> Response {
    let part = stream::iter([Ok(Bytes::from_static(b"[{\"n\":1},"))]);
    let end = stream::once(async {
        // What was written is on its way before the connection breaks.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(std::io::Error::other("cut"))
    });
    Response::new(Body::from_stream(Box::pin(part.chain(end))))
}

fn bomb(coding: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = json("");
    *response.body_mut() = Body::from(bytes);
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    response
}

fn gzip() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; LARGE]).unwrap();
    encoder.finish().unwrap()
}

fn brotli() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut bytes, 64 * 1024, 5, 22);
    encoder.write_all(&vec![b' '; LARGE]).unwrap();
    drop(encoder);
    bytes
}

fn html() -> Response {
    let mut response = json("<!doctype html><title>Maintenance</title>");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn wrong_type() -> Response {
    let mut response = json("[{\"n\":1}]");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

pub(super) fn to(location: &str, code: &str) -> Response {
    let mut response = with_status(json("{}"), code);
    response.headers_mut().insert(header::LOCATION, HeaderValue::try_from(location).unwrap());
    response
}

fn retry_after(seconds: &'static str) -> Response {
    let mut response = with_status(json("{}"), "429");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
    response
}

fn with_status(mut response: Response, code: &str) -> Response {
    *response.status_mut() = StatusCode::from_bytes(code.as_bytes()).unwrap();
    response
}
