//! The token endpoints: `basic`, `basic_raw` and `post` each take one way of authentication (RFC 6749 section 2.3.1),
//! `lifetime/…` gives tokens with an `expires_in` of one's own, the rest is at fault.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};

use super::{Asked, CLIENT_ID, Known, faults, form, json, status};

/// Tokens that were given, and to whom.
pub(super) struct Tokens {
    secret: String,
    given: Vec<String>,
    live: BTreeSet<String>,
}

impl Tokens {
    pub(super) fn new(secret: &str) -> Self {
        Self { secret: secret.into(), given: Vec::new(), live: BTreeSet::new() }
    }

    pub(super) fn change_secret(&mut self, secret: &str) {
        secret.clone_into(&mut self.secret);
    }

    pub(super) fn end_all(&mut self) {
        self.live.clear();
    }

    pub(super) fn is_live(&self, token: &str) -> bool {
        self.live.contains(token)
    }

    pub(super) fn given(&self) -> Vec<String> {
        self.given.clone()
    }

    fn give(&mut self) -> String {
        let token = format!("token-of-the-peer-{:04}", self.given.len() + 1);
        self.given.push(token.clone());
        self.live.insert(token.clone());
        token
    }
}

pub(super) async fn answer(known: &Known, name: &str, asked: &Asked, count: usize) -> Response {
    match name {
        "basic" | "basic_raw" | "post" => {
            // So long that whoever else needs a token asks meanwhile, if it may.
            tokio::time::sleep(Duration::from_millis(100)).await;
            if is_client(known, name, asked) { granted(known, "3600") } else { refused(asked) }
        }
        "short-then-long" => granted(known, if count == 1 { "1" } else { "3600" }),
        "trouble-twice" if count > 2 => granted(known, "3600"),
        "trouble-twice" | "trouble" => status(StatusCode::INTERNAL_SERVER_ERROR),
        "silent" => std::future::pending().await,
        "html" => json("<html>Sign in</html>"),
        "cut" => json("{\"access_token\":\"t\",\"token_ty"),
        "list" => json("[]"),
        "no-token" => json("{\"token_type\":\"Bearer\"}"),
        "line-break" => json("{\"access_token\":\"t\\r\\nX-Injected: yes\",\"token_type\":\"Bearer\"}"),
        "mac" => json("{\"access_token\":\"t\",\"token_type\":\"mac\"}"),
        "large" => json(format!("{{\"access_token\":\"{}\"}}", "t".repeat(100_000))),
        "endless" => faults::endless(),
        "other-scope" => with_status(StatusCode::BAD_REQUEST, "{\"error\":\"invalid_scope\"}"),
        "other-grant" => with_status(StatusCode::BAD_REQUEST, "{\"error\":\"unsupported_grant_type\"}"),
        "unauthorized" => with_status(StatusCode::BAD_REQUEST, "{\"error\":\"unauthorized_client\"}"),
        _ => match name.strip_prefix("lifetime/") {
            Some("absent") => {
                json(format!("{{\"access_token\":\"{}\"}}", known.tokens.lock().unwrap().give()))
            }
            Some("text") => granted(known, "\"3600\""),
            Some(seconds) => granted(known, seconds),
            None => match name.strip_prefix("redirect/") {
                Some(port) => faults::to(&format!("http://127.0.0.1:{port}/token/basic"), "307"),
                None => status(StatusCode::NOT_FOUND),
            },
        },
    }
}

fn granted(known: &Known, expires_in: &str) -> Response {
    let token = known.tokens.lock().unwrap().give();
    json(format!("{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":{expires_in}}}"))
}

/// Whether the client has signed in in this one way.
fn is_client(known: &Known, way: &str, asked: &Asked) -> bool {
    let secret = known.tokens.lock().unwrap().secret.clone();
    let fields = form(&asked.body);
    let field = |name: &str| {
        let found: Vec<_> = fields.iter().filter(|(other, _)| other == name).collect();
        match found.as_slice() {
            [(_, value)] => Some(value.as_str()),
            _ => None,
        }
    };
    if field("grant_type") != Some("client_credentials") {
        return false;
    }
    let encode = |text: &str| {
        // What RFC 6749 asks for is what a form would send.
        let escaped =
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        ["*-._"]
            .iter()
            .flat_map(|kept| kept.chars())
            .fold(escaped, |text, kept| text.replace(&format!("%{:02X}", u32::from(kept)), &kept.to_string()))
    };
    let basic = |id: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let authorization = asked.header("authorization");
    let in_body = fields.iter().any(|(name, _)| name.starts_with("client_"));
    match way {
        "basic" => {
            let plus = |text: &str| encode(text).replace("%20", "+");
            !in_body && authorization == basic(&plus(CLIENT_ID), &plus(&secret))
        }
        "basic_raw" => !in_body && authorization == basic(CLIENT_ID, &secret),
        _ => {
            authorization.is_empty()
                && field("client_id") == Some(CLIENT_ID)
                && field("client_secret") == Some(&secret)
        }
    }
}

/// A refusal that repeats all that was sent, as some servers do.
fn refused(asked: &Asked) -> Response {
    let said = format!("not {} {}", asked.header("authorization"), asked.body);
    let body = serde_json::json!({ "error": "invalid_client", "error_description": said });
    let mut response = with_status(StatusCode::UNAUTHORIZED, &body.to_string());
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tests\""));
    response
}

fn with_status(status: StatusCode, body: &str) -> Response {
    let mut response = json("");
    *response.body_mut() = Body::from(body.to_owned());
    *response.status_mut() = status;
    response
}
