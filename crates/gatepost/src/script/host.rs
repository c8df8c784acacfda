//! What a script needs from the program around it.

use std::sync::Arc;

use gatepost_oauth::KeyRing;
use gatepost_rest::definition::Schema;
use gatepost_rest::source::{CompiledSource, RemoteRows};
use gatepost_rest::sql::Dialect;
use gatepost_sources::definition::RestSource;
use gatepost_store::catalog::{Catalog, Change, CommitError};
use gatepost_store::data::Session;
use gatepost_store::logs::SyncRun;

/// The program around a script: stores, keys, clock and random source. All calls may block.
pub trait ScriptHost {
    /// The newest catalog.
    fn catalog(&self) -> Arc<Catalog>;

    /// Writes what a block changed. Fails with `CommitError::Conflict` if `base` is not the newest any more.
    fn commit(&self, base: &Catalog, changed: &Catalog, change: &Change)
    -> Result<Arc<Catalog>, CommitError>;

    /// Opens a connection to the schema's place for data.
    fn session(&self, schema: &Schema) -> Result<Session, String>;

    /// Asks the schema's database whether a handler's statements can be prepared there.
    fn check(&self, schema: &Schema, source: &CompiledSource) -> Result<(), String>;

    /// The rows that a statement needs of a REST source, as JSON; else why not, for its author.
    fn remote_rows(
        &self,
        schema: &Schema,
        source: &Arc<RestSource>,
        remote: &RemoteRows,
    ) -> Result<String, String>;

    /// Whose SQL the handlers of this schema are written for.
    fn dialect(&self, schema: &Schema) -> Dialect;

    /// The keys outside the catalog.
    fn key_ring(&self) -> Arc<KeyRing>;

    /// The time (milliseconds since 1970).
    fn now_ms(&self) -> i64;

    /// Fills a buffer with random bytes.
    fn random(&self, bytes: &mut [u8]);

    /// The newest synchronizations of a schema's sources that this node ran.
    fn sync_runs(&self, schema: &Schema) -> Vec<SyncRun>;

    /// Copies a source into its table, and says in a sentence what that came to.
    fn synchronize(&self, source: &Arc<RestSource>, full: bool) -> Result<String, String>;

    /// How long a stored secret stays readable; 0 = not at all.
    fn reveal_minutes(&self) -> u32;
}
