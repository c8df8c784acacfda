//! The authorization server's endpoints below `{context}/{alias}/oauth/` and its metadata.

mod client;
mod introspect;
pub mod metadata;
mod revoke;
mod token;

use std::sync::Arc;

use axum::body::Body;
use gatepost_oauth::{BasicChallenge, OauthError, OauthErrorCode};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::facts::Facts;
use super::{body, cors, respond};
use crate::app::App;
use crate::app::published::PublishedSchema;
use crate::app::snapshot::Snapshot;
use crate::error::{Code, Failure};
pub use token::{OnBehalf, issue_to_person};

/// What an endpoint needs to know besides the request.
pub struct Endpoint<'a> {
    /// The installation.
    pub app: &'a Arc<App>,
    /// What it is answered from.
    pub snapshot: &'a Snapshot,
    /// The schema whose authorization server this is.
    pub schema: &'a PublishedSchema,
    /// Whether a refusal may be looked at once more on a newer catalog.
    pub first_look: bool,
}

/// A refused request, in the format of OAuth.
#[derive(Debug)]
pub struct Refusal {
    error: OauthError,
    status: StatusCode,
    retry_after_seconds: Option<u32>,
    /// For the log and the audit trail.
    reason: &'static str,
    /// The catalog changed meanwhile: the request is to be judged anew.
    look_again: bool,
}

impl From<OauthError> for Refusal {
    fn from(error: OauthError) -> Self {
        let status = match error.code() {
            OauthErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
            OauthErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            OauthErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let reason = error.code().as_str();
        Self { error, status, retry_after_seconds: None, reason, look_again: false }
    }
}

impl Refusal {
    fn unavailable(description: &'static str) -> Self {
        let error = OauthError::new(OauthErrorCode::TemporarilyUnavailable, description);
        Self { retry_after_seconds: Some(1), ..error.into() }
    }

    fn throttled(seconds: u32) -> Self {
        let error =
            OauthError::new(OauthErrorCode::TemporarilyUnavailable, "Too many requests. Try again later.");
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self { status, retry_after_seconds: Some(seconds), reason: "throttled", ..error.into() }
    }

    fn into_response(self, realm: &str) -> Response<Body> {
        let mut response = respond::json(self.status, &self.error.body());
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, BasicChallenge { realm }.to_header_value());
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Answers a request below `oauth/`; `None` when there is no such endpoint.
pub async fn serve(
    endpoint: Endpoint<'_>,
    name: &str,
    request: Request<Incoming>,
    facts: &mut Facts,
) -> Option<Response<Body>> {
    if !matches!(name, "token" | "revoke" | "introspect") {
        return None;
    }
    facts.wants_html = false;
    facts.route = Some(format!("oauth/{name}").into());
    let config = &endpoint.app.config;
    let public_url = &*endpoint.app.base_url;
    if cors::is_preflight(request.method(), request.headers()) {
        let preflight = cors::preflight(request.headers(), &config.oauth.token_origins, public_url);
        return Some(preflight.unwrap_or_else(|failure| respond::failure(&failure, facts, None)));
    }
    let sharing = match cors::check(request.headers(), &config.oauth.token_origins, public_url) {
        Ok(sharing) => sharing,
        Err(failure) => return Some(respond::failure(&failure, facts, None)),
    };
    let mut response = match answer(&endpoint, name, request, facts).await {
        Ok(response) => {
            facts.reason = "ok";
            response
        }
        Err(refusal) => {
            facts.reason = refusal.reason;
            tracing::debug!(request_id = facts.request_id, reason = refusal.reason, "oauth/{name} refused");
            refusal.into_response(&endpoint.schema.issuer)
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    cors::share(response.headers_mut(), &sharing);
    Some(response)
}

async fn answer(
    endpoint: &Endpoint<'_>,
    name: &str,
    request: Request<Incoming>,
    facts: &mut Facts,
) -> Result<Response<Body>, Refusal> {
    if request.method() != Method::POST {
        let error = OauthError::invalid_request("This endpoint answers POST only.");
        return Err(Refusal { status: StatusCode::METHOD_NOT_ALLOWED, reason: "method", ..error.into() });
    }
    if endpoint.app.is_stale() {
        return Err(Refusal::unavailable("The server cannot read its catalog."));
    }
    let (head, body) = request.into_parts();
    let body_max = endpoint.app.config.oauth.body_bytes;
    let body = body::read(endpoint.app, body, body_max).await.map_err(|failure| body_refusal(&failure))?;
    match judge(endpoint, name, &head.headers, &body.bytes, true, facts).await {
        Err(refusal) if refusal.look_again => {
            judge(endpoint, name, &head.headers, &body.bytes, false, facts).await
        }
        outcome => outcome,
    }
}

/// A body can take its time: clients, secrets and keys are judged as they are when it is there.
async fn judge(
    endpoint: &Endpoint<'_>,
    name: &str,
    headers: &HeaderMap,
    body: &[u8],
    first_look: bool,
    facts: &mut Facts,
) -> Result<Response<Body>, Refusal> {
    let snapshot = endpoint.app.snapshot();
    let Some(schema) = snapshot.schema(&endpoint.schema.schema.alias) else {
        return Err(OauthError::invalid_client().into());
    };
    let endpoint = &Endpoint { app: endpoint.app, snapshot: &snapshot, schema, first_look };
    match name {
        "token" => token::answer(endpoint, headers, body, facts).await,
        "revoke" => revoke::answer(endpoint, headers, body, facts).await,
        _ => introspect::answer(endpoint, headers, body, facts).await,
    }
}

fn body_refusal(failure: &Failure) -> Refusal {
    if failure.code == Code::Busy {
        return Refusal::unavailable("Too many bodies are being received.");
    }
    let status = failure.code.status();
    let error = match failure.code {
        Code::BodyTooLarge => OauthError::invalid_request("The body is too large."),
        Code::BodyTimeout => OauthError::invalid_request("The body did not arrive in time."),
        _ => OauthError::invalid_request("The body cannot be read."),
    };
    Refusal { status, ..error.into() }
}
