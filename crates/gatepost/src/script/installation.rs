//! Scripts run on the installation of this process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gatepost_oauth::KeyRing;
use gatepost_rest::definition::Schema;
use gatepost_rest::source::{CompiledSource, RemoteRows};
use gatepost_rest::sql::Dialect;
use gatepost_sources::definition::RestSource;
use gatepost_store::catalog::{Catalog, Change, CommitError};
use gatepost_store::data::Session;
use gatepost_store::logs::SyncRun;
use tokio::runtime::{Builder, Handle};

use super::ScriptHost;
use crate::app::App;
use crate::app::clock::fill_random;
use crate::app::remote_rows::Asker;
use crate::app::synchronize::SyncRequest;

/// Runs that the view shows, the newest ones.
const RUNS_SHOWN_MAX: u32 = 500;

impl ScriptHost for App {
    fn catalog(&self) -> Arc<Catalog> {
        // Another process may have been first; a failure shows at the commit.
        if let Err(error) = self.refresh() {
            tracing::warn!(%error, "the catalog cannot be read");
        }
        App::catalog(self)
    }

    fn commit(
        &self,
        base: &Catalog,
        changed: &Catalog,
        change: &Change,
    ) -> Result<Arc<Catalog>, CommitError> {
        App::commit(self, base, changed, change)
    }

    fn session(&self, schema: &Schema) -> Result<Session, String> {
        let data = self.data(&schema.name).map_err(|error| format!("{error:#}"))?;
        data.session().map_err(|error| error.to_string())
    }

    fn check(&self, schema: &Schema, source: &CompiledSource) -> Result<(), String> {
        let data = self.data(&schema.name).map_err(|error| format!("{error:#}"))?;
        data.check(source).map(|_| ())
    }

    fn remote_rows(
        &self,
        schema: &Schema,
        source: &Arc<RestSource>,
        remote: &RemoteRows,
    ) -> Result<String, String> {
        let dialect = App::dialect(self, &schema.name);
        let rows = self.wait(App::remote_rows(self, source, remote, |_| None, dialect, Asker::default()));
        rows.map_err(|error| error.to_string())?.map_err(|error| {
            let found = error.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{error}{found}; fix: {}", error.code.hint())
        })
    }

    fn dialect(&self, schema: &Schema) -> Dialect {
        App::dialect(self, &schema.name)
    }

    fn key_ring(&self) -> Arc<KeyRing> {
        self.ring()
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn random(&self, bytes: &mut [u8]) {
        fill_random(bytes);
    }

    fn reveal_minutes(&self) -> u32 {
        self.config.secrets.reveal_minutes
    }

    fn sync_runs(&self, schema: &Schema) -> Vec<SyncRun> {
        let runs = self.logs.list_runs(&schema.name, None, RUNS_SHOWN_MAX);
        runs.unwrap_or_else(|error| {
            tracing::warn!(%error, "the run log cannot be read");
            Vec::new()
        })
    }

    fn synchronize(&self, source: &Arc<RestSource>, full: bool) -> Result<String, String> {
        let request = SyncRequest { full, ..SyncRequest::asked(source, "script") };
        let run = |runtime: &Handle| {
            let stop = AtomicBool::new(false);
            App::synchronize(self, runtime, &request, &stop, &mut |_| {})
        };
        let outcome = if let Ok(runtime) = Handle::try_current() {
            run(&runtime)
        } else {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            run(runtime.map_err(|error| error.to_string())?.handle())
        };
        outcome.map(|run| run.to_string()).map_err(|failure| format!("{}: {failure}", failure.code()))
    }
}
