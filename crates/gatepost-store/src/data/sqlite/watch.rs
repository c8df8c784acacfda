//! What a connection's progress handler and authorizer look at: the deadline and the stop flag of the job at hand,
//! and whether the SQL at hand is a user's.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::ExecuteError;

const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Watch {
    start: Instant,
    /// Microseconds since `start`.
    deadline: AtomicU64,
    /// Calls of the progress handler that are left.
    budget: AtomicU32,
    stop: Mutex<Option<Arc<AtomicBool>>>,
    user: AtomicBool,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            deadline: AtomicU64::new(NEVER),
            budget: AtomicU32::new(u32::MAX),
            stop: Mutex::new(None),
            user: AtomicBool::new(false),
        }
    }

    /// Begins a job. What the guard leaves behind watches nothing.
    pub(super) fn job(&self, deadline: Instant, stop: Option<&Arc<AtomicBool>>) -> JobGuard<'_> {
        let micros = deadline.saturating_duration_since(self.start).as_micros();
        self.deadline.store(u64::try_from(micros).unwrap_or(NEVER), Ordering::Relaxed);
        self.set_stop(stop.cloned());
        JobGuard(self)
    }

    /// Bounds the work of the job at hand, in thousands of SQLite's steps.
    pub(super) fn set_budget(&self, calls: u32) {
        self.budget.store(calls, Ordering::Relaxed);
    }

    /// Marks the SQL that is prepared or run from here on as a user's.
    pub(super) fn user(&self) -> UserGuard<'_> {
        UserGuard { watch: self, before: self.user.swap(true, Ordering::Relaxed) }
    }

    pub(super) fn is_user(&self) -> bool {
        self.user.load(Ordering::Relaxed)
    }

    /// The progress handler: whether to interrupt.
    pub(super) fn tick(&self) -> bool {
        let budget = self.budget.load(Ordering::Relaxed);
        if budget == 0 {
            return true;
        }
        if budget != u32::MAX {
            self.budget.store(budget - 1, Ordering::Relaxed);
        }
        self.stopped() || self.late()
    }

    /// Why a statement was interrupted.
    pub(super) fn reason(&self) -> ExecuteError {
        if self.stopped() { ExecuteError::Stopped } else { ExecuteError::Timeout }
    }

    pub(super) fn out_of_budget(&self) -> bool {
        self.budget.load(Ordering::Relaxed) == 0
    }

    fn late(&self) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline != NEVER && self.start.elapsed().as_micros() >= u128::from(deadline)
    }

    fn stopped(&self) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        stop.as_ref().is_some_and(|stop| stop.load(Ordering::Acquire))
    }

    fn set_stop(&self, stop: Option<Arc<AtomicBool>>) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = stop;
    }
}

pub(super) struct JobGuard<'w>(&'w Watch);

impl Drop for JobGuard<'_> {
    fn drop(&mut self) {
        self.0.deadline.store(NEVER, Ordering::Relaxed);
        self.0.budget.store(u32::MAX, Ordering::Relaxed);
        self.0.set_stop(None);
    }
}

/// Guards nest: each puts back what it found.
pub(super) struct UserGuard<'w> {
    watch: &'w Watch,
    before: bool,
}

impl Drop for UserGuard<'_> {
    fn drop(&mut self) {
        self.watch.user.store(self.before, Ordering::Relaxed);
    }
}

/// Lives in the future that waits for a job: when the future is dropped, the job stops.
#[derive(Debug)]
pub(super) struct StopGuard(Option<Arc<AtomicBool>>);

impl StopGuard {
    pub(super) fn new() -> (Self, Arc<AtomicBool>) {
        let stop = Arc::new(AtomicBool::new(false));
        (Self(Some(Arc::clone(&stop))), stop)
    }

    /// Lets the job go on without this guard.
    pub(super) fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        if let Some(stop) = &self.0 {
            stop.store(true, Ordering::Release);
        }
    }
}
