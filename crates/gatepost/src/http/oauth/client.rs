//! Which client is asking (RFC 6749 section 2.3), for all three endpoints.

use std::sync::{Arc, PoisonError};

use gatepost_oauth::secret::verify::{verify_unknown_client, verify_unknown_client_slowly};
use gatepost_oauth::{Form, OauthError, Presented, Verification, presented};
use gatepost_store::logs::AuditRecord;
use http::HeaderMap;
use secrecy::SecretString;

use super::{Endpoint, Refusal};
use crate::app::App;
use crate::app::principals::KnownClient;
use crate::http::facts::Facts;

/// Authenticates the client. All reasons for a refusal look the same from outside (TOK-12); the audit trail knows.
pub(super) async fn authenticate(
    endpoint: &Endpoint<'_>,
    headers: &HeaderMap,
    form: &Form<'_>,
    facts: &mut Facts,
) -> Result<Arc<KnownClient>, Refusal> {
    let presented = presented(headers, form)?;
    let known = endpoint.snapshot.principals.find_presented(endpoint.schema.schema.id, &presented.client_id);
    let (app, at) = (endpoint.app, facts.started);
    let id = known.map(|known| known.client.id);
    facts.client = known.map(|known| Arc::clone(&known.name));
    if let Err(seconds) = app.throttle.check(id, facts.address, at) {
        audit(endpoint, facts, "throttled", "too many failures");
        return Err(Refusal::throttled(seconds));
    }
    let reason = match verify(app, known, &presented).await? {
        Verification::Match => match known {
            Some(known) if known.client.enabled => return Ok(Arc::clone(known)),
            _ => "client disabled",
        },
        _ if known.is_none() => "unknown client",
        _ => "wrong secret",
    };
    if endpoint.first_look && has_changed(endpoint).await {
        return Err(Refusal { look_again: true, ..OauthError::invalid_client().into() });
    }
    app.throttle.note_failure(id, facts.address, at);
    audit(endpoint, facts, "client authentication failed", reason);
    Err(Refusal { reason, ..OauthError::invalid_client().into() })
}

/// Whether the catalog has moved on since the request was judged: a client made or a secret rotated a moment ago by
/// another process works at once. Every failure looks, so that time tells nothing.
async fn has_changed(endpoint: &Endpoint<'_>) -> bool {
    let app = Arc::clone(endpoint.app);
    let looked = tokio::task::spawn_blocking(move || app.refresh()).await;
    if let Ok(Err(error)) = looked {
        tracing::error!(%error, "the catalog cannot be read");
    }
    endpoint.app.snapshot().catalog.revision != endpoint.snapshot.catalog.revision
}

/// Compares the secret. Where some client has a secret that is slow to check, every failure takes as long, so that
/// time tells nothing about which clients exist (STO-04).
async fn verify(
    app: &Arc<App>,
    known: Option<&Arc<KnownClient>>,
    presented: &Presented,
) -> Result<Verification, Refusal> {
    let ring = app.ring();
    let verification = match known {
        None => verify_unknown_client(&presented.secret, &ring),
        Some(known) => {
            let proof = *known.proof.read().unwrap_or_else(PoisonError::into_inner);
            known
                .client
                .verify_secret(&presented.secret, &ring, &|candidate| proof.as_ref() == Some(candidate))
        }
    };
    let secret: SecretString = presented.secret.clone();
    match (verification, known) {
        (Verification::Match, _) => Ok(Verification::Match),
        (Verification::NeedsSlowHash, Some(known)) => {
            let checked = Arc::clone(known);
            let proof = slowly(app, move || checked.client.verify_slowly(&secret, &ring)).await?;
            let Some(proof) = proof else { return Ok(Verification::Mismatch) };
            *known.proof.write().unwrap_or_else(PoisonError::into_inner) = Some(proof);
            Ok(Verification::Match)
        }
        _ => {
            if app.snapshot().principals.has_chosen_secrets() {
                slowly(app, move || verify_unknown_client_slowly(&secret)).await?;
            }
            Ok(Verification::Mismatch)
        }
    }
}

async fn slowly<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let busy = |_| Refusal::unavailable("Too many secrets are being checked.");
    app.slow_checks.run(work).await.map_err(busy)
}

/// Notes an event of the token endpoint's neighbours.
pub(super) fn audit(endpoint: &Endpoint<'_>, facts: &Facts, event: &'static str, reason: &'static str) {
    let outcome = if reason == "ok" { "success" } else { "failure" };
    endpoint.app.logs.note_audit(AuditRecord {
        at_ms: facts.at_ms,
        request_id: Some(facts.request_id.clone()),
        address: Some(facts.address),
        event,
        outcome,
        reason,
        schema: Some(endpoint.schema.schema.name.clone()),
        client: facts.client.clone(),
        detail: None,
    });
}
