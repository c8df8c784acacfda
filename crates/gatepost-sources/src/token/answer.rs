//! Reading what a token endpoint answers (RFC 6749 sections 5.1 and 5.2).

use std::collections::BTreeSet;

use http::{HeaderMap, StatusCode, header};
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use crate::error::{Code, SourceError, quote};

/// An answer has at most this many bytes; more is not read.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A token is used for no longer than this, whatever the server says.
const LIFETIME_MS_MAX: u64 = 24 * 3_600_000;

/// What a server said is quoted up to this many characters.
const QUOTE_CHARACTERS_MAX: usize = 200;

/// A token that was granted.
#[derive(Debug)]
pub struct Grant {
    /// The token: visible ASCII.
    pub access_token: SecretString,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// The scope that was granted, when the answer says it.
    pub scope: Option<Vec<String>>,
    /// What is odd about the answer.
    pub warnings: Vec<Warning>,
}

/// How long a token lives, by its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// This many milliseconds, at most a day.
    Milliseconds(u64),
    /// The answer does not say; the credential's default holds.
    Unknown,
    /// The answer makes no sense or says that it is over: for the request at hand only.
    Once,
}

/// Something odd that does not stop a token from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// No `token_type`.
    TokenTypeAbsent,
    /// `expires_in` is no number above zero.
    ExpiresInUnusable,
    /// These scopes were asked for and not granted.
    ScopeNarrowed(Vec<String>),
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFailure {
    /// The code and, in `detail`, what the server said: its `error` and `error_description`, or where it pointed. Not
    /// yet redacted.
    pub error: SourceError,
    /// The server's `error` word, when it gave one.
    pub server_error: Option<String>,
}

/// Reads an answer. `scope` is what was asked for. `body` is the whole body or more than [`ANSWER_BYTES_MAX`] of it.
pub fn read_answer(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    scope: &[String],
) -> Result<Grant, TokenFailure> {
    if status.is_redirection() {
        let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let host = location.and_then(|text| Some(Url::parse(text).ok()?.host_str()?.to_owned()));
        let detail = format!(
            "status {status}, Location on host {}",
            host.as_deref().unwrap_or("of the server itself")
        );
        return Err(failure(Code::TokenRedirected, status, detail));
    }
    if body.len() > ANSWER_BYTES_MAX {
        return Err(failure(Code::TokenTooLarge, status, format!("more than {ANSWER_BYTES_MAX} bytes")));
    }
    let members = match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    };
    match members {
        Some(members) if members.contains_key("error") => Err(server_failure(status, &members)),
        Some(members) if status == StatusCode::OK => grant(status, &members, scope),
        _ if status != StatusCode::OK => {
            Err(failure(Code::TokenHttp(status.as_u16()), status, "the answer has no `error`".into()))
        }
        _ => {
            let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let detail = format!("no JSON object; content type {}", quote(kind.unwrap_or("absent"), 100));
            Err(failure(Code::TokenNotJson, status, detail))
        }
    }
}

fn grant(status: StatusCode, members: &Map<String, Value>, asked: &[String]) -> Result<Grant, TokenFailure> {
    let mut warnings = Vec::new();
    match members.get("token_type") {
        None | Some(Value::Null) => warnings.push(Warning::TokenTypeAbsent),
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
        Some(other) => {
            let detail = format!("token_type {}", quote(&other.to_string(), 50));
            return Err(failure(Code::TokenTypeUnsupported, status, detail));
        }
    }
    let token = members.get("access_token").and_then(Value::as_str).filter(|token| {
        // RFC 6749 appendix A.12 allows the space as well; it would break the header.
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
    });
    let Some(token) = token else {
        let detail = "access_token is absent, empty or no visible ASCII";
        return Err(failure(Code::TokenNotJson, status, detail.into()));
    };
    let lifetime = lifetime(members.get("expires_in"));
    if lifetime == Lifetime::Once {
        warnings.push(Warning::ExpiresInUnusable);
    }
    let scope = members
        .get("scope")
        .and_then(Value::as_str)
        .map(|text| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>());
    if let Some(granted) = &scope {
        let granted: BTreeSet<_> = granted.iter().collect();
        let lost: Vec<_> = asked.iter().filter(|scope| !granted.contains(scope)).cloned().collect();
        if !lost.is_empty() {
            warnings.push(Warning::ScopeNarrowed(lost));
        }
    }
    Ok(Grant { access_token: token.into(), lifetime, scope, warnings })
}

/// `expires_in`: an integer, a number as text, a fraction. At most a day.
fn lifetime(value: Option<&Value>) -> Lifetime {
    let text = match value {
        None | Some(Value::Null) => return Lifetime::Unknown,
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(_) => return Lifetime::Once,
    };
    match text.parse::<f64>() {
        // Seconds of any size: infinity and what is beyond a day become a day.
        Ok(seconds) if seconds > 0.0 => {
            let milliseconds = (seconds * 1_000.0).min(LIFETIME_MS_MAX as f64);
            Lifetime::Milliseconds((milliseconds as u64).max(1))
        }
        _ => Lifetime::Once,
    }
}

/// The server's own error (RFC 6749 section 5.2).
fn server_failure(status: StatusCode, members: &Map<String, Value>) -> TokenFailure {
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    let word = text("error");
    let code = match word {
        "invalid_client" => Code::TokenInvalidClient,
        "invalid_scope" => Code::TokenInvalidScope,
        "unsupported_grant_type" => Code::TokenUnsupportedGrant,
        "unauthorized_client" => Code::TokenUnauthorizedClient,
        _ => Code::TokenHttp(status.as_u16()),
    };
    let (word, description) = (quote(word, QUOTE_CHARACTERS_MAX), text("error_description"));
    let detail = match description {
        "" => format!("error {word}"),
        _ => format!("error {word}: {}", quote(description, QUOTE_CHARACTERS_MAX)),
    };
    TokenFailure { server_error: Some(word), ..failure(code, status, detail) }
}

fn failure(code: Code, status: StatusCode, detail: String) -> TokenFailure {
    let error = SourceError::new(code).with_status(status.as_u16()).with_detail(detail);
    TokenFailure { error, server_error: None }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use Lifetime::{Milliseconds, Once, Unknown};

    fn read(status: u16, body: &str) -> Result<Grant, TokenFailure> {
        let status = StatusCode::from_u16(status).unwrap();
        read_answer(status, &HeaderMap::new(), body.as_bytes(), &["a".into(), "b".into()])
    }

    fn code(status: u16, body: &str) -> String {
        read(status, body).unwrap_err().error.code.to_string()
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for (status, body, expected) in [
            (200, "", "token_not_json"),
            (200, "<html>", "token_not_json"),
            (200, "[]", "token_not_json"),
            (200, "{}", "token_not_json"),
            (200, r#"{"access_token":"","token_type":"bearer"}"#, "token_not_json"),
            (200, r#"{"access_token":"a b","token_type":"bearer"}"#, "token_not_json"),
            (200, r#"{"access_token":"a\r\nX: y","token_type":"bearer"}"#, "token_not_json"),
            (200, r#"{"access_token":"\u00e9","token_type":"bearer"}"#, "token_not_json"),
            (200, r#"{"access_token":7,"token_type":"bearer"}"#, "token_not_json"),
            (200, r#"{"access_token":"t","token_type":"mac"}"#, "token_type_unsupported"),
            (200, r#"{"access_token":"t","token_type":7}"#, "token_type_unsupported"),
            (200, r#"{"error":"invalid_scope"}"#, "token_invalid_scope"),
            (201, r#"{"access_token":"t","token_type":"bearer"}"#, "token_http_201"),
            (400, r#"{"error":"invalid_client"}"#, "token_invalid_client"),
            (401, r#"{"error":"invalid_client","access_token":"t"}"#, "token_invalid_client"),
            (400, r#"{"error":"unsupported_grant_type"}"#, "token_unsupported_grant"),
            (400, r#"{"error":"unauthorized_client"}"#, "token_unauthorized_client"),
            (400, r#"{"error":"invalid_request"}"#, "token_http_400"),
            (401, "", "token_http_401"),
            (500, "oops", "token_http_500"),
            (307, "", "token_redirected"),
        ] {
            assert_eq!(code(status, body), expected, "{status} {body}");
        }
        let large =
            format!(r#"{{"access_token":"t","token_type":"bearer","x":"{}"}}"#, "x".repeat(ANSWER_BYTES_MAX));
        assert_eq!(code(200, &large), "token_too_large");
    }

    #[test]
    fn a_redirect_names_the_host_and_nothing_else() {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, "https://login.example/x?secret=1".parse().unwrap());
        let failure = read_answer(StatusCode::FOUND, &headers, b"", &[]).unwrap_err();
        let detail = failure.error.detail.unwrap();
        assert!(detail.contains("login.example") && !detail.contains("secret"), "{detail}");
    }

    #[test]
    fn what_the_server_said_is_quoted_short() {
        let body = format!(r#"{{"error":"invalid_client","error_description":"no\r\n{}"}}"#, "x".repeat(500));
        let failure = read(400, &body).unwrap_err();
        assert_eq!(failure.server_error.as_deref(), Some("invalid_client"));
        let detail = failure.error.detail.unwrap();
        assert!(
            detail.starts_with("error invalid_client: no  x") && detail.chars().count() < 250,
            "{detail}"
        );
    }

    #[test]
    fn odd_lifetimes_are_read_or_used_once() {
        let lifetime = |value: &str| {
            let body = format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{value}}}"#);
            read(200, &body).unwrap().lifetime
        };
        for (value, expected) in [
            ("3600", Milliseconds(3_600_000)),
            ("\"3600\"", Milliseconds(3_600_000)),
            ("\" 60 \"", Milliseconds(60_000)),
            ("3599.5", Milliseconds(3_599_500)),
            ("1", Milliseconds(1_000)),
            ("0.0001", Milliseconds(1)),
            ("1000000000000", Milliseconds(LIFETIME_MS_MAX)),
            ("1e400", Milliseconds(LIFETIME_MS_MAX)),
            ("null", Unknown),
            ("0", Once),
            ("-1", Once),
            ("\"\"", Once),
            ("\"NaN\"", Once),
            ("\"soon\"", Once),
            ("true", Once),
            ("[60]", Once),
        ] {
            assert_eq!(lifetime(value), expected, "{value}");
        }
        let absent = read(200, r#"{"access_token":"t","token_type":"bearer"}"#).unwrap();
        assert_eq!(absent.lifetime, Unknown);
    }

    #[test]
    fn a_usable_answer_keeps_its_warnings() {
        let grant =
            read(200, r#"{"access_token":"t.~/+=","expires_in":0,"scope":"a c","refresh_token":"r"}"#)
                .unwrap();
        assert_eq!(grant.access_token.expose_secret(), "t.~/+=");
        assert_eq!(grant.scope.as_deref(), Some(&["a".to_owned(), "c".to_owned()][..]));
        assert_eq!(
            grant.warnings,
            [Warning::TokenTypeAbsent, Warning::ExpiresInUnusable, Warning::ScopeNarrowed(vec!["b".into()])]
        );
        assert!(!format!("{grant:?}").contains("t.~"), "Debug keeps quiet");
    }
}
