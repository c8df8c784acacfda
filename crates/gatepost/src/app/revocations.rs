//! The deny list: single tokens that were revoked before they expired.

use std::sync::Arc;

use gatepost_store::catalog::{CommitError, DatabaseError, RevokedToken};

use super::App;

/// Revocations of single tokens that a client may have on the deny list; beyond, its generation is replaced.
const REVOCATIONS_OF_CLIENT_MAX: usize = 10_000;

impl App {
    /// Puts a token on the deny list; a client with too many entries loses all its tokens instead. When this
    /// returns, the token opens nothing any more (REV-05).
    pub fn revoke_token(
        &self,
        token: &[u8; 16],
        entry: RevokedToken,
        source: &str,
    ) -> Result<(), CommitError> {
        if self.snapshot.load().catalog.revocations.count_of(entry.client) >= REVOCATIONS_OF_CLIENT_MAX {
            return self.replace_generations(source, |client| client == entry.client, 0);
        }
        self.store.revoke_token(token, entry)?;
        Ok(self.refresh()?)
    }

    /// Takes entries off the list that outlived their token. Whose clock is wrong takes off nothing: an entry that
    /// is gone too early lets a revoked token in at every node.
    pub fn forget_expired_revocations(&self) -> Result<(), DatabaseError> {
        self.compare_clocks()?;
        let now_ms = self.clock.now_ms();
        if self.clocks_differ() || !self.snapshot.load().catalog.revocations.has_expired(now_ms) {
            return Ok(());
        }
        self.store.forget_revocations(now_ms)?;
        let _refreshing = self.lock_refreshing();
        let mut catalog = self.snapshot.load().catalog.as_ref().clone();
        Arc::make_mut(&mut catalog.revocations).forget_expired(now_ms);
        self.publish(catalog, false);
        Ok(())
    }
}
