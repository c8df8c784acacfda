//! `POST oauth/introspect` (RFC 7662): a client's own tokens, or all of the schema with role `gatepost.introspect`.

use axum::body::Body;
use gatepost_oauth::{AccessToken, ActiveToken, Form, IntrospectionResponse, Scopes, TokenQuery};
use gatepost_rest::definition::{Id, Role};
use http::{HeaderMap, Response, StatusCode};

use super::{Endpoint, Refusal, client};
use crate::app::principals::KnownClient;
use crate::http::authenticate::accept;
use crate::http::facts::Facts;
use crate::http::respond;

pub(super) async fn answer(
    endpoint: &Endpoint<'_>,
    headers: &HeaderMap,
    body: &[u8],
    facts: &mut Facts,
) -> Result<Response<Body>, Refusal> {
    let form = Form::parse(headers, body)?;
    let asking = client::authenticate(endpoint, headers, &form, facts).await?;
    endpoint.app.throttle.take_request(asking.client.id, facts.started).map_err(Refusal::throttled)?;
    let query = TokenQuery::parse(&form)?;
    let document = find_active(endpoint, &asking, query.token, facts.at_ms)
        .map_or_else(IntrospectionResponse::inactive, IntrospectionResponse::active);
    client::audit(endpoint, facts, "token introspected", "ok");
    Ok(respond::json(StatusCode::OK, &document))
}

/// The token, if every rule of the request path holds for it and the client may see it (INT-03).
fn find_active(
    endpoint: &Endpoint<'_>,
    asking: &KnownClient,
    text: &str,
    now_ms: i64,
) -> Option<ActiveToken> {
    let schema = endpoint.schema;
    let token = schema.sealing.open(text).ok()?;
    let holder = accept(endpoint.snapshot, schema, &token, now_ms).ok()?;
    if holder.client.id != asking.client.id && !may_introspect_all(endpoint, asking) {
        return None;
    }
    let scope = scope_of(endpoint, holder, &token);
    let scope = (!scope.is_empty()).then(|| scope.to_string());
    Some(ActiveToken::of_client(
        &token,
        &holder.client.client_id,
        scope,
        &audience(endpoint, &token),
        &schema.issuer,
    ))
}

fn may_introspect_all(endpoint: &Endpoint<'_>, asking: &KnownClient) -> bool {
    let role = endpoint.schema.roles().iter().find(|role| role.name == Role::INTROSPECT);
    role.is_some_and(|role| asking.access.roles.binary_search(&role.id).is_ok())
}

/// What the token opens now.
fn scope_of(endpoint: &Endpoint<'_>, holder: &KnownClient, token: &AccessToken) -> Scopes {
    let mut ids = endpoint.schema.rules.openable(&holder.access);
    if let Some(narrowed) = &token.privileges {
        ids.retain(|id| narrowed.contains(id));
    }
    let name = |id: &Id| endpoint.schema.privileges().iter().find(|privilege| privilege.id == *id);
    Scopes::of_privileges(ids.iter().filter_map(name).map(|privilege| privilege.name.as_str()))
}

fn audience(endpoint: &Endpoint<'_>, token: &AccessToken) -> String {
    let module = endpoint.schema.modules().iter().find(|module| module.id == token.audience);
    let issuer = &endpoint.schema.issuer;
    module.map_or_else(
        || issuer.clone(),
        |module| format!("{issuer}{}", module.base_path.trim_end_matches('/')),
    )
}
