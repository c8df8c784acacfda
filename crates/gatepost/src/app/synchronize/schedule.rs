//! Synchronizations that are due, run by a serving process.
//!
//! Every node looks at the clock; the lease in the schema's own data decides which one runs. A node claims only if no run
//! began since it looked, so a run that is due is made once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gatepost_sources::cron::Cron;
use gatepost_sources::definition::{Id, RestSource, Schedule};
use gatepost_store::data::sync_state;
use jiff::tz::TimeZone;
use tokio::runtime::Handle;

use super::{SyncFailure, SyncRequest};
use crate::app::App;

/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a source is left alone whose data cannot be reached.
const LATER_MS: i64 = 5_000;

/// How long a source is left alone after a run of it was begun, here or at another node.
const AGAIN_MS: i64 = 1_000;

/// How long the end of the process waits for runs; what they do then ends with it and takes no effect.
const STOP_WAIT: Duration = Duration::from_secs(10);

impl App {
    /// When the next runs of a source are due, the first of them at once if it is late. `newest_ms` is when the newest run
    /// began; 0: none did.
    pub fn next_runs(&self, source: &RestSource, newest_ms: i64, count: usize) -> Vec<i64> {
        let Some(schedule) = schedule_of(source) else { return Vec::new() };
        let schema = self.catalog().schemas.get(&source.schema_id).map(|schema| schema.name.clone());
        let zone = zone_of(self, &schema.unwrap_or_default());
        let (now_ms, mut newest_ms) = (self.clock.now_ms(), newest_ms);
        let next = || {
            let due_ms = due_after(schedule, newest_ms, now_ms, &zone).max(now_ms);
            newest_ms = due_ms;
            due_ms
        };
        std::iter::repeat_with(next).take(count).filter(|due_ms| *due_ms < i64::MAX).collect()
    }
}

/// Runs what is due until it is dropped.
#[derive(Debug)]
pub struct Scheduler {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    running: Arc<AtomicUsize>,
}

impl Scheduler {
    /// Starts looking. Sources are fetched on `runtime`.
    pub fn start(app: &Arc<App>, runtime: Handle) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let running = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::Builder::new().name("gatepost-sync".into()).spawn({
            let (app, stop, running) = (Arc::downgrade(app), Arc::clone(&stop), Arc::clone(&running));
            move || look(&app, &runtime, &stop, &running)
        })?;
        Ok(Self { stop, thread: Some(thread), running })
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
        let begun = Instant::now();
        while self.running.load(Ordering::Acquire) > 0 && begun.elapsed() < STOP_WAIT {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What is known of a source with a schedule.
struct Known {
    /// The definition that it is known by.
    updated_on_ms: i64,
    /// When its newest run began (milliseconds since 1970); unknown while its schema's data cannot be reached.
    newest_run: Option<i64>,
    due_ms: i64,
}

fn look(app: &Weak<App>, runtime: &Handle, stop: &Arc<AtomicBool>, running: &Arc<AtomicUsize>) {
    let mut known: HashMap<Id, Known> = HashMap::new();
    while !stop.load(Ordering::Acquire) {
        let Some(app) = app.upgrade() else { return };
        if !app.is_stale() && !app.is_stopping() {
            let catalog = app.catalog();
            known.retain(|id, _| catalog.rest_sources.contains_key(id));
            for source in catalog.rest_sources.values().filter(|source| schedule_of(source).is_some()) {
                let most = app.config.sync.runs;
                if is_due(&app, &mut known, source) && running.load(Ordering::Acquire) < most {
                    begin(&app, runtime, stop, running, &mut known, source);
                }
            }
        }
        drop(app);
        std::thread::park_timeout(LOOK_EVERY);
    }
}

fn schedule_of(source: &RestSource) -> Option<&Schedule> {
    source.sync.as_ref()?.schedule.as_ref()
}

/// Whether a run is due as far as this node knows.
fn is_due(app: &App, known: &mut HashMap<Id, Known>, source: &RestSource) -> bool {
    let now_ms = app.clock.now_ms();
    let is_known = known.get(&source.id).is_some_and(|it| it.updated_on_ms == source.audit.updated_on_ms);
    if !is_known {
        let found = find_out(app, source, now_ms, true);
        known.insert(source.id, found);
    }
    known.get(&source.id).is_some_and(|it| it.due_ms <= now_ms)
}

/// Asks the schema's data when the newest run was, and so when the next one is due.
fn find_out(app: &App, source: &RestSource, now_ms: i64, warns: bool) -> Known {
    let updated_on_ms = source.audit.updated_on_ms;
    let schema = app.catalog().schemas.get(&source.schema_id).map(|schema| schema.name.clone());
    let schema = schema.unwrap_or_default();
    let state = app
        .data(&schema)
        .map_err(|error| format!("{error:#}"))
        .and_then(|data| sync_state(&data, source.id).map_err(|error| error.to_string()));
    match state {
        Ok(state) => {
            let zone = zone_of(app, &schema);
            let due_ms =
                schedule_of(source).map_or(i64::MAX, |it| due_after(it, state.begun_ms, now_ms, &zone));
            Known { updated_on_ms, newest_run: Some(state.begun_ms), due_ms }
        }
        Err(error) => {
            if warns {
                tracing::warn!(source = source.name, error, "a synchronization waits for its schema's data");
            }
            Known { updated_on_ms, newest_run: None, due_ms: now_ms + LATER_MS }
        }
    }
}

/// When the run after one that began at `newest_ms` (0: none did) is due, by the clocks of a zone.
fn due_after(schedule: &Schedule, newest_ms: i64, now_ms: i64, zone: &TimeZone) -> i64 {
    match schedule {
        Schedule::Every(every_ms) if newest_ms > 0 => {
            newest_ms.saturating_add(i64::try_from(*every_ms).unwrap_or(i64::MAX))
        }
        Schedule::Every(_) => now_ms,
        Schedule::Cron(text) => {
            // Without a run so far, times before now are not made up for.
            let after_ms = if newest_ms > 0 { newest_ms } else { now_ms };
            let next = Cron::parse(text).ok().and_then(|cron| cron.next_after(after_ms, zone));
            next.unwrap_or(i64::MAX)
        }
    }
}

/// The zone of a schema.
fn zone_of(app: &App, schema: &str) -> TimeZone {
    let zone = app.config.schemas.get(schema).map(|storage| storage.time_zone.as_str());
    zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

/// Runs a source on a thread of its own.
fn begin(
    app: &Arc<App>,
    runtime: &Handle,
    stop: &Arc<AtomicBool>,
    running: &Arc<AtomicUsize>,
    known: &mut HashMap<Id, Known>,
    source: &Arc<RestSource>,
) {
    let now_ms = app.clock.now_ms();
    // Asked again: another node may have run it since. A failure that was told of is not told of again.
    let warns = known.get(&source.id).is_none_or(|it| it.newest_run.is_some());
    let found = find_out(app, source, now_ms, warns);
    let (newest_ms, due_ms) = (found.newest_run, found.due_ms);
    known.insert(source.id, Known { due_ms: due_ms.max(now_ms + AGAIN_MS), ..found });
    if newest_ms.is_none() || due_ms > now_ms {
        return;
    }
    let request = SyncRequest { newest_ms, ..SyncRequest::asked(source, "schedule") };
    let counted = Running::new(running);
    let work = {
        let (app, runtime, stop) = (Arc::clone(app), runtime.clone(), Arc::clone(stop));
        move || {
            let _counted = counted;
            match app.synchronize(&runtime, &request, &stop, &mut |_| {}) {
                Ok(run) => tracing::info!(source = run.source, rows = run.counts.fetched, "synchronized"),
                Err(SyncFailure::Taken(_) | SyncFailure::Stopped) => {}
                Err(failure) => {
                    let (source, code) = (&request.source.name, failure.code());
                    tracing::warn!(source, code, %failure, "a synchronization failed");
                }
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("gatepost-sync-run".into()).spawn(work) {
        tracing::error!(%error, "no thread for a synchronization");
    }
}

/// Counts a run while it lives.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_due_after_the_newest_one_wherever_it_was_made() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let (noon, berlin) = (at("2026-08-14T12:00:00Z"), TimeZone::get("Europe/Berlin").unwrap());
        let every = Schedule::Every(60_000);
        assert_eq!(due_after(&every, 0, noon, &TimeZone::UTC), noon);
        assert_eq!(due_after(&every, noon - 1, noon, &TimeZone::UTC), noon + 59_999);
        // What was missed while nobody served is made once.
        assert_eq!(due_after(&every, 1_000, noon, &TimeZone::UTC), 61_000);
        let cron = Schedule::Cron("30 2 * * *".into());
        assert_eq!(due_after(&cron, 0, noon, &berlin), at("2026-08-15T00:30:00Z"));
        assert_eq!(due_after(&cron, at("2026-08-13T00:30:00Z"), noon, &berlin), at("2026-08-14T00:30:00Z"));
        assert_eq!(
            due_after(&cron, at("2026-08-14T00:30:01Z"), noon, &TimeZone::UTC),
            at("2026-08-14T02:30:00Z")
        );
    }
}
