//! Cross-origin requests (Fetch standard): per module, exact origins or `*`, never with credentials.

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::error::{Code, Failure};

/// Whether the request asks for permission and not for the resource.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// What a cross-origin request may do.
#[derive(Clone, Debug)]
pub(super) enum Sharing {
    /// No origin was named, or our own.
    SameOrigin,
    /// This origin may read the answer.
    Allow(HeaderValue),
}

/// Checks the request's origin against the allowed ones. Browsers send `Origin` with writes to their own origin
/// too, so that one always passes.
pub(super) fn check(headers: &HeaderMap, allowed: &[String], public_url: &str) -> Result<Sharing, Failure> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(Sharing::SameOrigin) };
    let text = origin.to_str().unwrap_or_default();
    if text.eq_ignore_ascii_case(public_url) {
        return Ok(Sharing::SameOrigin);
    }
    if allowed.iter().any(|allowed| allowed == "*") {
        return Ok(Sharing::Allow(HeaderValue::from_static("*")));
    }
    if allowed.iter().any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(text)) {
        return Ok(Sharing::Allow(origin.clone()));
    }
    Err(Failure::new(Code::OriginRefused, "This resource may not be called from the page's origin"))
}

/// The answer to a preflight.
pub(super) fn preflight(
    headers: &HeaderMap,
    allowed: &[String],
    public_url: &str,
) -> Result<Response<Body>, Failure> {
    let sharing = check(headers, allowed, public_url)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    if let Sharing::Allow(_) = sharing {
        let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        // `*` does not cover Authorization, so the headers asked for are named back.
        let asked = asked.cloned().unwrap_or(HeaderValue::from_static("authorization, content-type"));
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    share(answer, &sharing);
    Ok(response)
}

/// Adds what the browser needs to let the page read the answer.
pub(super) fn share(answer: &mut HeaderMap, sharing: &Sharing) {
    answer.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Sharing::Allow(origin) = sharing {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let exposed = HeaderValue::from_static("ETag, Location, Retry-After, WWW-Authenticate, Request-Id");
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}
