//! Copies of secrets that could be read for a while are deleted when their time is over. The view compares the
//! time itself; this makes sure that nothing is left to compare.

use std::sync::Arc;

use gatepost_oauth::{Client, ClientSecret};
use gatepost_rest::definition::Id;
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

    /// Deletes the readable copies of a client's secrets: who made them has stored them.
    pub fn forget_revealed_secret(&self, client: Id, author: &str) -> Result<(), CommitError> {
        self.change_secrets(client, author, |client| {
            client.secrets.iter_mut().for_each(|secret| secret.reveal = None);
        })
    }

    /// Revokes the secret in one of a client's slots.
    pub fn revoke_client_secret(&self, client: Id, slot: u8, author: &str) -> Result<(), CommitError> {
        self.change_secrets(client, author, |client| {
            client.revoke_slot(slot);
        })
    }

    fn change_secrets(
        &self,
        client: Id,
        author: &str,
        change: impl FnOnce(&mut Client),
    ) -> Result<(), CommitError> {
        let base = self.catalog();
        let mut changed = Catalog::clone(&base);
        if let Some(client) = changed.clients.get_mut(&client) {
            change(Arc::make_mut(client));
        }
        let now_ms = self.clock.now_ms();
        let by = Change { author: author.to_owned(), source: "console".into(), now_ms };
        self.commit(&base, &changed, &by).map(|_| ())
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
