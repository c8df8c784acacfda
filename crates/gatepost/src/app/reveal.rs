//! Copies of secrets that could be read for a while are deleted when their time is over. The view compares the
//! time itself; this makes sure that nothing is left to compare.

use std::sync::Arc;

use gatepost_oauth::ClientSecret;
use gatepost_store::catalog::{Catalog, Change, CommitError};

use super::App;

impl App {
    /// Deletes the copies whose time is over. Somebody else's commit in between is no failure: the next call does it.
    pub fn forget_revealed_secrets(&self) -> Result<(), CommitError> {
        let base = self.catalog();
        let now_ms = self.clock.now_ms();
        let Some(changed) = without_expired_copies(&base, now_ms) else { return Ok(()) };
        let change = Change { author: "gatepost".into(), source: "secrets.reveal_minutes".into(), now_ms };
        match self.commit(&base, &changed, &change) {
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The catalog without the readable copies of secrets whose time is over; none if there is no such copy.
pub(crate) fn without_expired_copies(catalog: &Catalog, now_ms: i64) -> Option<Catalog> {
    let expired = |secret: &ClientSecret| secret.reveal.as_ref().is_some_and(|copy| copy.until_ms <= now_ms);
    let holders: Vec<_> = catalog
        .clients
        .values()
        .filter(|client| client.secrets.iter().any(expired))
        .map(|client| client.id)
        .collect();
    if holders.is_empty() {
        return None;
    }
    let mut changed = catalog.clone();
    for id in holders {
        if let Some(client) = changed.clients.get_mut(&id) {
            for secret in Arc::make_mut(client).secrets.iter_mut().filter(|secret| expired(secret)) {
                secret.reveal = None;
            }
        }
    }
    Some(changed)
}
