//! Bodies and headers of answers: problem documents, pages, and what every answer carries.

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;

use super::facts::{Facts, REQUEST_ID};
use super::pages;
use crate::error::Failure;

/// Published answers can hold anything that is stored, HTML included: it must never act as a page of this origin.
const HANDLER_POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A problem document with the members of ORDS and of RFC 9457.
#[derive(Serialize)]
struct Problem<'a> {
    code: &'a str,
    title: &'a str,
    message: &'a str,
    r#type: String,
    instance: String,
    status: u16,
    detail: &'a str,
    #[serde(rename = "o:errorCode")]
    error_code: &'a str,
}

/// The answer to a request that failed: a page for a browser, else a problem document.
pub(super) fn failure(failure: &Failure, facts: &Facts, token_url: Option<&str>) -> Response<Body> {
    failure.log(&facts.request_id, facts.route.as_deref());
    let mut response = if facts.wants_html {
        let page = pages::error_page(failure, &facts.request_id, token_url).into_string();
        let mut response = Response::new(Body::from(page));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if let Ok(policy) = HeaderValue::from_str(&pages::CONTENT_SECURITY_POLICY) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    } else {
        let mut response = Response::new(Body::from(problem(failure, &facts.request_id)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HANDLER_POLICY);
        response
    };
    *response.status_mut() = failure.code.status();
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    if let Some((name, value)) = failure.header.as_deref() {
        headers.insert(name, value.clone());
    }
    if let Some(seconds) = failure.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn problem(failure: &Failure, request_id: &str) -> String {
    let (error_code, status, code) = failure.code.facts();
    let problem = Problem {
        code,
        title: failure.code.title(),
        message: &failure.detail,
        r#type: format!("tag:oracle.com,2020:error/{code}"),
        instance: format!("tag:oracle.com,2020:ecid/{request_id}"),
        status,
        detail: &failure.detail,
        error_code,
    };
    serde_json::to_string(&problem).unwrap_or_default()
}

/// What every published answer carries (DESIGN decision 25).
pub(super) fn protect(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HANDLER_POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
}

/// The reference number, and HSTS when TLS is ours.
pub(super) fn finish(headers: &mut HeaderMap, facts: &Facts, tls: bool) {
    if let Ok(id) = HeaderValue::from_str(&facts.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if tls {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}

/// A JSON document of ours.
pub(super) fn json<T: Serialize>(status: StatusCode, document: &T) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(document).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// Headers that a handler may not set: they belong to the protocol, to the lock, to caches that must not share
/// what is locked, or to the browser's rules for this whole origin.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    let prefixes = ["access-control-", "cross-origin-", "sec-", "proxy-"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || RESERVED.contains(&name)
}

const RESERVED: [&str; 31] = [
    "age",
    "alt-svc",
    "cache-control",
    "clear-site-data",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-security-policy-report-only",
    "date",
    "expires",
    "keep-alive",
    "nel",
    "origin-agent-cluster",
    "permissions-policy",
    "pragma",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "request-id",
    "service-worker-allowed",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-content-type-options",
];
