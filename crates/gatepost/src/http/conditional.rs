//! Entity tags (RFC 9110 section 13). Access is decided before any precondition is looked at (HTT-03).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{self, HeaderMap, HeaderValue};

/// The tag of a body: a digest of its bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> HeaderValue {
    quoted(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The tag of a version that a query names.
pub(super) fn of_version(version: &str) -> HeaderValue {
    quoted(digest::digest(&digest::SHA256, version.as_bytes()).as_ref())
}

fn quoted(digest: &[u8]) -> HeaderValue {
    let text = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16]));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` names this version: the caller has it already (304).
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    names(headers, header::IF_NONE_MATCH, tag, true)
}

/// Whether `If-Match`, when there is one, names another version (412).
pub(super) fn is_outdated(headers: &HeaderMap, tag: Option<&HeaderValue>) -> bool {
    if !headers.contains_key(header::IF_MATCH) {
        return false;
    }
    tag.is_none_or(|tag| !names(headers, header::IF_MATCH, tag, false))
}

fn names(headers: &HeaderMap, name: header::HeaderName, tag: &HeaderValue, weak: bool) -> bool {
    let wanted = tag.to_str().unwrap_or_default();
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|given| {
            let given = given.trim();
            let given = if weak { given.strip_prefix("W/").unwrap_or(given) } else { given };
            given == "*" || given == wanted
        })
}
