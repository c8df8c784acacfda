//! Entity tags (RFC 9110 section 13). Access is decided before any precondition is looked at (HTT-03).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{self, HeaderMap, HeaderValue};
use twox_hash::XxHash3_128;

use super::coding::without_coding;

/// The tag of a body: a digest of its bytes, 128 bits that tell versions apart. It proves nothing about who wrote them, so
/// that it need not be a cryptographic one, which would be a tenth of a page's time.
pub(super) fn of_bytes(bytes: &[u8]) -> HeaderValue {
    quoted(&XxHash3_128::oneshot(bytes).to_be_bytes())
}

/// The tag of a version that a query names.
pub(super) fn of_version(version: &str) -> HeaderValue {
    quoted(digest::digest(&digest::SHA256, version.as_bytes()).as_ref())
}

fn quoted(digest: &[u8]) -> HeaderValue {
    // 16 bytes are 22 characters.
    let mut text = [b'"'; 24];
    let encoded = URL_SAFE_NO_PAD.encode_slice(&digest[..16], &mut text[1..23]);
    debug_assert_eq!(encoded, Ok(22));
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The entity tag that `If-None-Match` names this version by: the caller has it already (304). A tag of an encoded
/// answer names its coding too, and the 304 says it as it was said.
pub(super) fn known_as(headers: &HeaderMap, tag: &HeaderValue) -> Option<HeaderValue> {
    let wanted = tag.to_str().unwrap_or_default();
    let found = given(headers, header::IF_NONE_MATCH)
        .map(|given| given.strip_prefix("W/").unwrap_or(given))
        .find(|given| *given == "*" || is_same(given, wanted))?;
    if found == "*" { Some(tag.clone()) } else { HeaderValue::from_str(found).ok() }
}

/// Whether `If-Match`, when there is one, names another version (412).
pub(super) fn is_outdated(headers: &HeaderMap, tag: Option<&HeaderValue>) -> bool {
    if !headers.contains_key(header::IF_MATCH) {
        return false;
    }
    let Some(tag) = tag else { return true };
    let wanted = tag.to_str().unwrap_or_default();
    !given(headers, header::IF_MATCH).any(|given| given == "*" || is_same(given, wanted))
}

fn given(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Whether two tags name one version, in whatever coding the first was sent.
fn is_same(given: &str, wanted: &str) -> bool {
    given == wanted || without_coding(given).is_some_and(|opaque| Some(opaque) == wanted.strip_suffix('"'))
}
