//! Synchronizations that people begin here: they go on while the page looks how far they have come.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gatepost_rest::definition::Id;
use tokio::runtime::Handle;

use super::Console;
use crate::app::synchronize::{SyncProgress, SyncRequest};

/// The newest run of each source, here.
#[derive(Debug, Default)]
pub(super) struct Jobs(Mutex<HashMap<Id, Arc<Job>>>);

/// A run.
#[derive(Debug, Default)]
pub(super) struct Job {
    progress: Mutex<SyncProgress>,
    /// What it came to: a sentence.
    outcome: OnceLock<Result<String, String>>,
    stop: AtomicBool,
}

impl Job {
    /// How far it has come.
    pub(super) fn progress(&self) -> SyncProgress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it came to, when it is over.
    pub(super) fn outcome(&self) -> Option<&Result<String, String>> {
        self.outcome.get()
    }

    /// Tells it to stop.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Arc<Job>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Console {
    /// The newest run of a source that was begun here.
    pub(super) fn job(&self, source: Id) -> Option<Arc<Job>> {
        self.inner.jobs.lock().get(&source).cloned()
    }

    /// Begins a run, unless one of this source is under way, or too many are. Returns whether it did.
    pub(super) fn begin_job(&self, request: SyncRequest) -> bool {
        let mut jobs = self.inner.jobs.lock();
        let is_living = |job: &Arc<Job>| job.outcome().is_none();
        let catalog = self.app().catalog();
        jobs.retain(|source, job| is_living(job) || catalog.rest_sources.contains_key(source));
        let source = request.source.id;
        let too_many = jobs.values().filter(|job| is_living(job)).count() >= self.app().config.sync.runs;
        if too_many || jobs.get(&source).is_some_and(is_living) {
            return false;
        }
        let job = Arc::new(Job::default());
        jobs.insert(source, Arc::clone(&job));
        let (app, runtime) = (Arc::clone(self.app()), Handle::current());
        tokio::task::spawn_blocking(move || {
            let done = app.synchronize(&runtime, &request, &job.stop, &mut |progress| {
                *job.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
            });
            let outcome = done.map(|run| run.to_string()).map_err(|failure| failure.to_string());
            // Nobody else sets it.
            let _ = job.outcome.set(outcome);
        });
        true
    }
}
