//! Whether this process should get requests: how old its view of the catalog is, whether the clocks
//! agree, and whether it is about to stop.

use std::sync::atomic::Ordering;

use gatepost_store::catalog::DatabaseError;

use super::App;

/// How far this node's clock and the catalog's may be apart.
pub(super) const CLOCKS_APART_MAX_MS: i64 = 5_000;

impl App {
    /// How long ago the catalog's revision was last confirmed, in milliseconds.
    pub fn stale_ms(&self) -> i64 {
        self.clock.steady_ms() - self.confirmed_steady_ms.load(Ordering::Acquire)
    }

    /// Whether this process's view is too old to decide anything by.
    pub fn is_stale(&self) -> bool {
        self.stale_ms() > i64::from(self.config.access.max_stale_seconds) * 1_000
    }

    /// From now on this process is not ready: it was told to stop, and others are to take over.
    pub fn stop_being_ready(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Asks the catalog's machine for the time, if it can be another machine. The question was answered somewhere
    /// between two looks at our clock, so only what is outside of them is a difference: a slow answer is none.
    pub fn compare_clocks(&self) -> Result<(), DatabaseError> {
        let before_ms = self.clock.now_ms();
        if let Some(theirs_ms) = self.store.clock_ms()? {
            let ahead_ms = (before_ms - theirs_ms).max(0) + (self.clock.now_ms() - theirs_ms).min(0);
            self.clock_ahead_ms.store(ahead_ms, Ordering::Release);
        }
        Ok(())
    }

    /// Whether the clocks of this node and of the catalog are too far apart.
    pub(super) fn clocks_differ(&self) -> bool {
        self.clock_ahead_ms.load(Ordering::Acquire).abs() > CLOCKS_APART_MAX_MS
    }

    /// Why this process should get no requests now; nothing when it is ready.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.is_stopping() {
            problems.push("this node is stopping".to_owned());
        }
        if self.is_stale() {
            problems.push("the catalog cannot be read".to_owned());
        }
        if self.snapshot().schemas().any(|schema| schema.data.is_none()) {
            problems.push("the data of a schema cannot be opened".to_owned());
        }
        let ahead_ms = self.clock_ahead_ms.load(Ordering::Acquire);
        if self.clocks_differ() {
            let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
            let seconds = ahead_ms.abs() / 1_000;
            problems.push(format!("the clock of this node is {seconds} s {side} the catalog's"));
        }
        problems
    }
}
