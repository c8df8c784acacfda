//! Ending all tokens of a client and all sign-ins of a user, or of all: each gets a new generation.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gatepost_rest::definition::Id;
use gatepost_store::catalog::{Catalog, Change, CommitError};

use super::{App, clock};

/// How often a change of our own is built again when others were first.
const ATTEMPTS: u32 = 5;

impl App {
    /// Gives each of these clients and users a new generation, so that their tokens and sign-ins count no more. Ids below `next_id` are not given to new objects any more.
    pub(super) fn replace_generations(
        &self,
        source: &str,
        of: impl Fn(Id) -> bool,
        next_id: Id,
    ) -> Result<(), CommitError> {
        for _ in 1..ATTEMPTS {
            match self.try_to_replace_generations(source, &of, next_id) {
                Err(CommitError::Conflict { .. }) => self.refresh()?,
                outcome => return outcome,
            }
        }
        self.try_to_replace_generations(source, &of, next_id)
    }

    fn try_to_replace_generations(
        &self,
        source: &str,
        of: &impl Fn(Id) -> bool,
        next_id: Id,
    ) -> Result<(), CommitError> {
        let base = Arc::clone(&self.snapshot.load().catalog);
        let mut changed = base.as_ref().clone();
        changed.next_id = changed.next_id.max(next_id);
        renew_generations(&mut changed, of);
        let change = Change { author: "gatepost".into(), source: source.into(), now_ms: self.clock.now_ms() };
        self.commit(&base, &changed, &change).map(|_| ())
    }

    /// A catalog that took the place of another one may not know of revocations that the other one knew, so all
    /// tokens end with it. Tried again with the next refresh when it fails.
    pub(super) fn end_tokens_of_before(&self) {
        let next_id = self.restored_from.swap(0, Ordering::AcqRel);
        if next_id == 0 {
            return;
        }
        match self.replace_generations("catalog restored", |_| true, next_id) {
            Ok(()) => tracing::warn!("every token issued so far has ended"),
            Err(error) => {
                tracing::error!(%error, "tokens of before still count at other nodes");
                self.restored_from.store(next_id, Ordering::Release);
            }
        }
    }
}

/// Gives each of these clients and users a new generation in this value.
pub(super) fn renew_generations(catalog: &mut Catalog, of: impl Fn(Id) -> bool) {
    let meant: Vec<Id> = catalog.clients.keys().copied().filter(|id| of(*id)).collect();
    for id in meant {
        if let Some(client) = catalog.clients.get_mut(&id) {
            Arc::make_mut(client).new_generation(u64::from_le_bytes(clock::random_bytes()));
        }
    }
    let meant: Vec<Id> = catalog.users.keys().copied().filter(|id| of(*id)).collect();
    for id in meant {
        if let Some(user) = catalog.users.get_mut(&id) {
            Arc::make_mut(user).new_generation(u64::from_le_bytes(clock::random_bytes()));
        }
    }
}
