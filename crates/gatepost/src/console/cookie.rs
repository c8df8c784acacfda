//! The cookies of the console: who is signed in, and how pages look.

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};

use crate::app::clock::random_bytes;

/// With TLS the prefix makes browsers keep the cookie to this host (RFC 6265bis section 4.1.3).
const SECURE_NAME: &str = "__Host-gatepost";
const PLAIN_NAME: &str = "gatepost";

/// The name of the cookie that holds the chosen theme.
const THEME: &str = "theme";

/// The name of the cookie that holds the schema seen last.
const SCHEMA: &str = "schema";

/// The token of the sign-in cookie.
pub(super) fn sign_in(headers: &HeaderMap, secure: bool) -> Option<&str> {
    find(headers, if secure { SECURE_NAME } else { PLAIN_NAME })
}

/// The theme that the person chose: `light` or `dark`; else the browser's.
pub(super) fn theme(headers: &HeaderMap) -> Option<&'static str> {
    match find(headers, THEME)? {
        "light" => Some("light"),
        "dark" => Some("dark"),
        _ => None,
    }
}

/// The schema that the person looked at last.
pub(super) fn schema(headers: &HeaderMap) -> Option<&str> {
    find(headers, SCHEMA)
}

/// Remembers the schema.
pub(super) fn set_schema(name: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{SCHEMA}={name}; Path=/console; SameSite=Lax; Max-Age=31536000")).ok()
}

/// Sets the sign-in cookie; without `seconds` it ends with the browser's session.
pub(super) fn set_sign_in(token: &str, seconds: Option<i64>, secure: bool) -> Option<HeaderValue> {
    let (name, secure) = if secure { (SECURE_NAME, "; Secure") } else { (PLAIN_NAME, "") };
    let age = seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
    HeaderValue::from_str(&format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")).ok()
}

/// The token that the forms of an answer carry: made from the sign-in's cookie, which no other site can read, under a
/// mask of its own. Else it would be the same text in every compressed page, and could be guessed by their lengths.
pub(super) fn csrf_token(token: &str) -> String {
    let mask = random_bytes::<LENGTH>();
    let masked = masked_digest(token, &mask);
    URL_SAFE_NO_PAD.encode([mask, masked].concat())
}

/// Whether a form carries a token of this sign-in.
pub(super) fn is_csrf_token(token: &str, sent: &str) -> bool {
    let Ok(sent) = URL_SAFE_NO_PAD.decode(sent) else { return false };
    let Some((mask, masked)) = sent.split_first_chunk::<LENGTH>() else { return false };
    let expected = masked_digest(token, mask);
    constant_time::verify_slices_are_equal(&expected, masked).is_ok()
}

/// Bytes of a digest and of its mask.
const LENGTH: usize = digest::SHA256_OUTPUT_LEN;

fn masked_digest(token: &str, mask: &[u8; LENGTH]) -> [u8; LENGTH] {
    let digest = digest::digest(&digest::SHA256, format!("gatepost form {token}").as_bytes());
    let mut masked = *mask;
    for (byte, of_digest) in masked.iter_mut().zip(digest.as_ref()) {
        *byte ^= of_digest;
    }
    masked
}

fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_needs_the_token_of_its_own_sign_in() {
        assert!(is_csrf_token("a", &csrf_token("a")));
        assert!(!is_csrf_token("a", &csrf_token("b")));
        assert!(!is_csrf_token("a", "") && !is_csrf_token("a", "AAAA"));
        assert_ne!(csrf_token("a"), csrf_token("a"), "no two answers hold the same text");
    }

    #[test]
    fn with_tls_only_the_cookie_of_this_host_counts() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("gatepost=a; theme=dark; __Host-gatepost=b"));
        assert_eq!(sign_in(&headers, true), Some("b"));
        assert_eq!(sign_in(&headers, false), Some("a"));
        assert_eq!(theme(&headers), Some("dark"));
        assert!(set_sign_in("t", None, true).unwrap().to_str().unwrap().contains("; Secure"));
    }
}
