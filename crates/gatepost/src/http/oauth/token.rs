//! `POST oauth/token` (RFC 6749 section 3.2). Issuing writes nothing but the audit trail.

use std::net::IpAddr;

use axum::body::Body;
use gatepost_oauth::grant::client_credentials::{Issue, Issued, issue};
use gatepost_oauth::{ClientCredentialsRequest, Form, OauthError, Scopes, TokenId, TokenRequest};
use gatepost_rest::definition::Id;
use gatepost_store::logs::AuditRecord;
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;

use super::{Endpoint, Refusal, client};
use crate::app::App;
use crate::app::clock::random_bytes;
use crate::app::principals::KnownClient;
use crate::app::published::PublishedSchema;
use crate::app::snapshot::Snapshot;
use crate::http::facts::Facts;
use crate::http::respond;

pub(super) async fn answer(
    endpoint: &Endpoint<'_>,
    headers: &HeaderMap,
    body: &[u8],
    facts: &mut Facts,
) -> Result<Response<Body>, Refusal> {
    let form = Form::parse(headers, body)?;
    let known = client::authenticate(endpoint, headers, &form, facts).await?;
    let app = endpoint.app;
    app.throttle.take_request(known.client.id, facts.started).map_err(Refusal::throttled)?;
    let outcome = TokenRequest::parse(&form, &known.client).and_then(|request| match request {
        TokenRequest::ClientCredentials(request) => issue_to(endpoint, &known, &request, facts),
    });
    let asked = form.value("scope");
    match outcome {
        Ok(issued) => {
            note(endpoint, facts, "token issued", "ok", asked, Some(&issued));
            Ok(respond::json(StatusCode::OK, &issued.response))
        }
        Err(error) => {
            note(endpoint, facts, "token refused", error.code().as_str(), asked, None);
            Err(error.into())
        }
    }
}

/// Issues what the client may have now.
fn issue_to(
    endpoint: &Endpoint<'_>,
    known: &KnownClient,
    request: &ClientCredentialsRequest,
    facts: &Facts,
) -> Result<Issued, OauthError> {
    let oauth = &endpoint.app.config.oauth;
    let lifetimes = (oauth.access_token_seconds, oauth.longest_token_seconds());
    issue_for((endpoint.snapshot, endpoint.schema), known, request, lifetimes, facts.at_ms)
}

fn issue_for(
    (snapshot, schema): (&Snapshot, &PublishedSchema),
    known: &KnownClient,
    request: &ClientCredentialsRequest,
    (lifetime_seconds, lifetime_seconds_max): (u32, u32),
    now_ms: i64,
) -> Result<Issued, OauthError> {
    let privilege = |id: &Id| schema.privileges().iter().find(|privilege| privilege.id == *id);
    issue(&Issue {
        client: &known.client,
        request,
        requestable: &|name| {
            let ids = schema.rules.requestable(&known.access);
            ids.into_iter().find(|id| privilege(id).is_some_and(|privilege| privilege.name == name))
        },
        openable: &|| {
            let ids = schema.rules.openable(&known.access);
            Scopes::of_privileges(ids.iter().filter_map(privilege).map(|privilege| privilege.name.as_str()))
        },
        default_resource: &schema.issuer,
        module_by_base_path: &|base_path| {
            let mut modules = schema.modules().iter();
            modules.find(|module| module.base_path.trim_matches('/') == base_path).map(|module| module.id)
        },
        lifetime_seconds,
        lifetime_seconds_max,
        catalog_revision: snapshot.catalog.revision,
        token_id: TokenId(random_bytes()),
        now_ms,
        keys: &schema.sealing,
    })
}

/// How long a token lives with which a person calls as a client.
const PERSON_TOKEN_SECONDS: u32 = 60;

/// A person who calls as a client.
#[derive(Clone, Copy, Debug)]
pub struct OnBehalf<'a> {
    /// The person's name.
    pub person: &'a str,
    /// From where.
    pub address: IpAddr,
    /// The request in which it is asked for.
    pub request_id: &'a str,
}

/// A token of a minute with which a person calls as a client, without its secret (DESIGN decision 26). The audit trail
/// names the person. Who may ask is the caller's matter: administrators.
pub fn issue_to_person(
    app: &App,
    snapshot: &Snapshot,
    schema: &PublishedSchema,
    known: &KnownClient,
    by: OnBehalf<'_>,
) -> Result<String, OauthError> {
    let (request, now_ms) =
        (ClientCredentialsRequest { scope: None, resources: Vec::new() }, app.clock.now_ms());
    let lifetimes = (PERSON_TOKEN_SECONDS, PERSON_TOKEN_SECONDS);
    let outcome = issue_for((snapshot, schema), known, &request, lifetimes, now_ms);
    let (outcome_word, reason) = match &outcome {
        Ok(_) => ("success", "called as a client in the console"),
        Err(error) => ("failure", error.code().as_str()),
    };
    let token_id = outcome.as_ref().ok().map(|issued| issued.token.token_id.to_string());
    let detail =
        serde_json::json!({"person": by.person, "token_id": token_id, "seconds": PERSON_TOKEN_SECONDS});
    app.logs.note_audit(AuditRecord {
        at_ms: now_ms,
        request_id: Some(by.request_id.to_owned()),
        address: Some(by.address),
        event: if outcome.is_ok() { "token issued" } else { "token refused" },
        outcome: outcome_word,
        reason,
        schema: Some(schema.schema.name.clone()),
        client: Some(known.client.client_id.as_str().into()),
        detail: Some(detail.to_string()),
    });
    outcome.map(|issued| issued.response.access_token)
}

/// What the audit trail keeps of a token.
#[derive(Serialize)]
struct Detail<'a> {
    scope_asked: Option<&'a str>,
    scope_given: Option<&'a str>,
    token_id: Option<String>,
}

fn note(
    endpoint: &Endpoint<'_>,
    facts: &Facts,
    event: &'static str,
    reason: &'static str,
    asked: Option<&str>,
    issued: Option<&Issued>,
) {
    let given = issued.and_then(|issued| issued.response.scope.as_deref());
    let token = issued.map(|issued| issued.token.token_id.to_string());
    let detail = Detail { scope_asked: asked, scope_given: given, token_id: token };
    endpoint.app.logs.note_audit(AuditRecord {
        at_ms: facts.at_ms,
        request_id: Some(facts.request_id.clone()),
        address: Some(facts.address),
        event,
        outcome: if issued.is_some() { "success" } else { "failure" },
        reason,
        schema: Some(endpoint.schema.schema.name.clone()),
        client: facts.client.clone(),
        detail: serde_json::to_string(&detail).ok(),
    });
}
