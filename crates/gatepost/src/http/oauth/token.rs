//! `POST oauth/token` (RFC 6749 section 3.2). Issuing writes nothing but the audit trail.

use axum::body::Body;
use gatepost_oauth::grant::client_credentials::{Issue, Issued, issue};
use gatepost_oauth::{ClientCredentialsRequest, Form, OauthError, Scopes, TokenId, TokenRequest};
use gatepost_rest::definition::Id;
use gatepost_store::logs::AuditRecord;
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;

use super::{Endpoint, Refusal, client};
use crate::app::clock::random_bytes;
use crate::app::principals::KnownClient;
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
    let schema = endpoint.schema;
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
        lifetime_seconds: endpoint.app.config.oauth.access_token_seconds,
        lifetime_seconds_max: endpoint.app.config.oauth.longest_token_seconds(),
        catalog_revision: endpoint.snapshot.catalog.revision,
        token_id: TokenId(random_bytes()),
        now_ms: facts.at_ms,
        keys: &schema.sealing,
    })
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
