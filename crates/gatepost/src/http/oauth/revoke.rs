//! `POST oauth/revoke` (RFC 7009). After the 200 no request that starts later passes with the token (REV-05).

use std::sync::Arc;

use axum::body::Body;
use gatepost_oauth::{Form, TokenQuery};
use gatepost_store::catalog::RevokedToken;
use http::{HeaderMap, Response, StatusCode};

use super::{Endpoint, Refusal, client};
use crate::http::facts::Facts;

pub(super) async fn answer(
    endpoint: &Endpoint<'_>,
    headers: &HeaderMap,
    body: &[u8],
    facts: &mut Facts,
) -> Result<Response<Body>, Refusal> {
    let form = Form::parse(headers, body)?;
    let known = client::authenticate(endpoint, headers, &form, facts).await?;
    endpoint.app.throttle.take_request(known.client.id, facts.started).map_err(Refusal::throttled)?;
    let query = TokenQuery::parse(&form)?;
    // Unknown, foreign and expired tokens are answered like good ones (REV-02, REV-03).
    if let Ok(token) = endpoint.schema.sealing.open(query.token)
        && token.client == known.client.id
        && !token.is_expired(facts.at_ms)
    {
        let entry = RevokedToken { client: token.client, expires_ms: token.expires_ms };
        let app = Arc::clone(endpoint.app);
        let revoked =
            tokio::task::spawn_blocking(move || app.revoke_token(&token.token_id.0, entry, "oauth/revoke"))
                .await;
        match revoked {
            Ok(Ok(())) => client::audit(endpoint, facts, "token revoked", "ok"),
            // REV-04: a store that fails must never look like success.
            failed => {
                tracing::error!(request_id = facts.request_id, ?failed, "a token could not be revoked");
                client::audit(endpoint, facts, "token revoked", "store failed");
                return Err(Refusal::unavailable("The token could not be revoked. Try again."));
            }
        }
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}
