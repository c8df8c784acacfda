//! Content coding of answers (RFC 9110 section 8.4): br or gzip, when the caller asks for it and it is worth it.
//!
//! The coder reads the body and fails with it, so a stream that is cut never looks complete. Answers that are not
//! to be stored (tokens, errors) stay as they are: what is secret is not squeezed together with what a stranger
//! chose.

use std::convert::Infallible;

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Extensions, Request, Response, StatusCode, Version};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate as _, SizeAbove};

/// Shorter answers are sent as they are.
const BYTES_MIN: u64 = 1024;

/// A coding that this server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Brotli (RFC 7932).
    Br,
    /// gzip (RFC 1952).
    Gzip,
}

impl Coding {
    const ALL: [Self; 2] = [Self::Br, Self::Gzip];

    fn as_str(self) -> &'static str {
        match self {
            Self::Br => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The coding that the caller likes best, of equals the denser one; none when it names none of ours.
    pub(crate) fn preferred(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let Some(coding) =
                Self::ALL.into_iter().find(|coding| name.eq_ignore_ascii_case(coding.as_str()))
            else {
                continue;
            };
            // A weight that cannot be read is no wish.
            let weight = match parts.next() {
                None => 1.0,
                Some(weight) => weight.strip_prefix("q=").and_then(|q| q.parse().ok()).unwrap_or(0.0),
            };
            let denser = |other: Self| coding == Self::Br && other == Self::Gzip;
            let better = |(other, most): (Self, f32)| weight > most || (weight >= most && denser(other));
            if weight > 0.0 && best.is_none_or(better) {
                best = Some((coding, weight));
            }
        }
        best.map(|(coding, _)| coding)
    }
}

/// Encodes an answer if it is text, long enough, and may be stored. Its entity tag then names the coding too.
pub(crate) async fn encode(response: Response<Body>, coding: Coding) -> Response<Body> {
    let mut request = Request::new(());
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding.as_str()));
    let layer = CompressionLayer::new().compress_when(SizeAbove::new(BYTES_MIN).and(is_worth_it));
    let mut response = Some(response);
    let answer = service_fn(move |_: Request<()>| {
        let response = response.take().unwrap_or_default();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let Ok(encoded) = layer.layer(answer).oneshot(request).await;
    let mut response = encoded.map(Body::new);
    if response.headers().contains_key(header::CONTENT_ENCODING) {
        name_coding(response.headers_mut(), coding);
    }
    response
}

fn is_worth_it(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let text =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let kind = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    let textual = kind.starts_with("text/") || kind == "application/json" || kind.ends_with("+json");
    textual && !text(header::CACHE_CONTROL).contains("no-store")
}

/// Representations of different codings need different strong tags (RFC 9110 section 8.8.3.3).
fn name_coding(headers: &mut HeaderMap, coding: Coding) {
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let Some(opaque) = tag.and_then(|tag| tag.strip_suffix('"')) else { return };
    if let Ok(tag) = HeaderValue::from_str(&format!("{opaque}-{}\"", coding.as_str())) {
        headers.insert(header::ETAG, tag);
    }
}

/// A tag as it is without a coding.
pub(super) fn without_coding(tag: &str) -> Option<&str> {
    let opaque = tag.strip_suffix('"')?;
    Coding::ALL.iter().find_map(|coding| opaque.strip_suffix(coding.as_str())?.strip_suffix('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferred(value: &str) -> Option<Coding> {
        let value = HeaderValue::from_str(value).unwrap();
        Coding::preferred(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]))
    }

    #[test]
    fn nothing_is_encoded_unasked() {
        assert_eq!(Coding::preferred(&HeaderMap::new()), None);
        for value in
            ["", "identity", "*", "deflate, zstd", "gzip;q=0", "br;q=0.0, identity", "gzip;q=x", "gzipped"]
        {
            assert_eq!(preferred(value), None, "{value}");
        }
    }

    #[test]
    fn the_weight_decides_and_of_equals_the_denser() {
        assert_eq!(preferred("gzip"), Some(Coding::Gzip));
        assert_eq!(preferred("GZIP, deflate, br"), Some(Coding::Br));
        assert_eq!(preferred("br, gzip"), Some(Coding::Br));
        assert_eq!(preferred("br;q=0.5, gzip;q=0.8"), Some(Coding::Gzip));
        assert_eq!(preferred("br;q=0, gzip"), Some(Coding::Gzip));
    }

    #[test]
    fn a_tag_with_a_coding_is_known_again() {
        assert_eq!(without_coding("\"abc-gzip\""), Some("\"abc"));
        assert_eq!(without_coding("\"abc-br\""), Some("\"abc"));
        assert_eq!(without_coding("\"abc\""), None);
        assert_eq!(without_coding("abc-gzip"), None);
    }
}
