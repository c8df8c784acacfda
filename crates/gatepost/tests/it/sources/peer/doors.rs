//! One row for each way to sign in, to nobody who does it in another way.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};

use super::{Asked, CLIENT_ID, Known, SECRET, json, status};

pub(super) fn answer(known: &Known, name: &str, asked: &Asked) -> Response {
    let authorization = asked.header("authorization");
    let admitted = match name {
        "basic" => {
            // RFC 7617: as they are. A user's name has no colon.
            let user = CLIENT_ID.replace(':', "-");
            authorization == format!("Basic {}", STANDARD.encode(format!("{user}:{SECRET}")))
        }
        "bearer" => authorization == "Bearer a-bearer-of-the-tests",
        "header" => asked.header("x-api-key") == SECRET,
        "query" => asked.query("api_key").as_deref() == Some(SECRET),
        "oauth2" => {
            let token = authorization.strip_prefix("Bearer ");
            token.is_some_and(|token| known.tokens.lock().unwrap().is_live(token))
        }
        _ => return status(StatusCode::NOT_FOUND),
    };
    if admitted {
        return json("[{\"n\":1}]");
    }
    let mut refused = status(StatusCode::UNAUTHORIZED);
    let challenge = HeaderValue::from_static("Bearer realm=\"tests\"");
    refused.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    refused
}
