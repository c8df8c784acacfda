//! What is known of a request before anything of it is believed.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use http::{HeaderMap, HeaderName, Method, header};

use crate::app::clock::random_bytes;

/// The answer's header with the request's reference number.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

static PROCESS: LazyLock<String> = LazyLock::new(|| {
    random_bytes::<4>().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
});
static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// The request's reference number, its caller and its beginning, and what is found out on the way: for the log.
#[derive(Debug)]
pub struct Facts {
    /// Tells this request from all others.
    pub request_id: String,
    /// The caller's address.
    pub address: IpAddr,
    /// When it arrived, in milliseconds since 1970.
    pub at_ms: i64,
    /// When it arrived, for durations.
    pub started: Instant,
    /// Whether errors go to a person's browser.
    pub wants_html: bool,
    /// The name of the schema whose address it was sent to.
    pub schema: Option<Arc<str>>,
    /// The template that was found, as `module pattern`.
    pub route: Option<Arc<str>>,
    /// The name of the client that called.
    pub client: Option<Arc<str>>,
    /// Why it was let in or not.
    pub reason: &'static str,
}

impl Facts {
    /// Notes a request that arrived now.
    pub fn new(
        method: &Method,
        headers: &HeaderMap,
        peer: IpAddr,
        trusted_proxies: &[IpAddr],
        at_ms: i64,
    ) -> Self {
        Self {
            request_id: request_id(REQUESTS.fetch_add(1, Ordering::Relaxed)),
            address: caller_address(headers, peer, trusted_proxies),
            at_ms,
            started: Instant::now(),
            wants_html: wants_html(method, headers),
            schema: None,
            route: None,
            client: None,
            reason: "",
        }
    }
}

/// The process and the request's number in it, hexadecimal.
fn request_id(number: u64) -> String {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    let mut id = String::with_capacity(PROCESS.len() + 1 + digits as usize);
    id.push_str(&PROCESS);
    id.push('-');
    let hex = |place: u32| char::from(b"0123456789abcdef"[(number >> (4 * place) & 0xf) as usize]);
    id.extend((0..digits).rev().map(hex));
    id
}

/// The socket's address, or from listed proxies the right-most untrusted one (THR-05).
fn caller_address(headers: &HeaderMap, peer: IpAddr, trusted_proxies: &[IpAddr]) -> IpAddr {
    if !trusted_proxies.contains(&peer) {
        return peer;
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    forwarded
        .iter()
        .rev()
        .map_while(|address| address.trim().parse::<IpAddr>().ok())
        .find(|address| !trusted_proxies.contains(address))
        .unwrap_or(peer)
}

/// Whether a proxy says that it passed this request on; such a request is not from loopback, whatever the socket.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// Error format as ORDS chooses it (Developer's Guide, `error.responseFormat` = auto): a page when `text/html` is
/// the most preferred type, unless the request comes from a program or a script in a page.
fn wants_html(method: &Method, headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if headers.contains_key(X_REQUESTED_WITH) || text(header::USER_AGENT).starts_with("curl/") {
        return false;
    }
    if headers.contains_key(header::ORIGIN) {
        return method == Method::POST
            && text(header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded");
    }
    preferred_type(text(header::ACCEPT)).is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
}

/// The media type with the highest weight; of equals the first.
fn preferred_type(accept: &str) -> Option<&str> {
    let mut best: Option<(&str, f32)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok()).unwrap_or(1.0);
        if !kind.is_empty() && best.is_none_or(|(_, best)| weight > best) {
            best = Some((kind, weight));
        }
    }
    best.map(|(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_page_goes_to_browsers_only() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let html = |pairs: &[(&'static str, &str)]| wants_html(&Method::GET, &headers(pairs));
        assert!(html(&[("accept", browser)]));
        assert!(!html(&[("accept", "*/*")]));
        assert!(!html(&[]));
        assert!(!html(&[("accept", "application/json, text/html;q=0.5")]));
        assert!(!html(&[("accept", browser), ("user-agent", "curl/8")]));
        assert!(!html(&[("accept", browser), ("x-requested-with", "XMLHttpRequest")]));
        assert!(!html(&[("accept", browser), ("origin", "https://a")]));
    }

    #[test]
    fn a_request_is_named_by_its_process_and_number() {
        for number in [0, 1, 0xf, 0x10, 0xabc_def0, u64::MAX] {
            assert_eq!(request_id(number), format!("{}-{number:x}", *PROCESS));
        }
    }

    #[test]
    fn thr_05_forwarded_addresses_count_only_from_listed_proxies() {
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        let forged = headers(&[("x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.0.0.2")]);
        assert_eq!(caller_address(&forged, peer, &[]), peer);
        let proxies = [peer, "10.0.0.2".parse().unwrap()];
        assert_eq!(caller_address(&forged, peer, &proxies), "2.2.2.2".parse::<IpAddr>().unwrap());
    }
}
