//! The console's own files, embedded and compressed by `build.rs`. All are below one folder whose name changes with
//! any of them, so that browsers keep them for good.

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};

/// A file that pages load.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/console_assets.rs"));

/// Changes with the files.
pub(super) const FINGERPRINT: &str = env!("CONSOLE_FINGERPRINT");

/// The path of a file, as pages name it.
pub(super) fn path(name: &str) -> String {
    debug_assert!(ASSETS.iter().any(|asset| asset.name == name), "no asset {name}");
    format!("{}{FINGERPRINT}/{name}", super::ASSETS_PATH)
}

/// Answers with a file of the set that is current.
pub(super) fn answer(fingerprint: &str, name: &str, request: &HeaderMap) -> Response<Body> {
    let asset = ASSETS.iter().find(|asset| asset.name == name && fingerprint == FINGERPRINT);
    let Some(asset) = asset else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let accepts = request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let gzip = asset.gzip.filter(|_| accepts.is_some_and(|accepts| accepts.contains("gzip")));
    let mut response = Response::new(Body::from(gzip.unwrap_or(asset.plain)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if gzip.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
