//! Between those who note something and the thread that writes it.
//!
//! The thread is woken for a batch, not for each record: a wake-up costs more than a record does.

use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Record;

/// Records that may wait; beyond, they are dropped.
const RECORDS_MAX: usize = 16_384;

/// Room that only the audit trail and the run log may use, so that a flood of requests does not crowd it out.
const AUDIT_ROOM: usize = 4_096;

/// Records that are worth a transaction.
const BATCH_RECORDS: usize = 2_048;

/// How long a record may wait for company.
const BATCH_WAIT: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct State {
    records: Vec<Record>,
    /// Told when everything before them is on disk.
    flushes: Vec<SyncSender<()>>,
    closed: bool,
}

/// What the writer takes from the queue.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) flushes: Vec<SyncSender<()>>,
}

impl State {
    fn is_urgent(&self) -> bool {
        self.closed || !self.flushes.is_empty()
    }
}

impl Queue {
    /// Takes a record in; `false` if there is no room.
    pub(super) fn push(&self, record: Record) -> bool {
        let room = match record {
            Record::Access(_) => RECORDS_MAX,
            Record::Audit(_) | Record::Run(_) => RECORDS_MAX + AUDIT_ROOM,
        };
        let mut state = self.lock();
        if state.records.len() >= room || state.closed {
            return false;
        }
        state.records.push(record);
        let wake = matches!(state.records.len(), 1 | BATCH_RECORDS);
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        true
    }

    /// Asks to be told when everything pushed so far is on disk.
    pub(super) fn flush(&self, done: SyncSender<()>) {
        self.lock().flushes.push(done);
        self.ready.notify_one();
    }

    /// Ends the queue: what is in it is still taken out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Waits for records, at most `patience`, and then a little for more; moves what there is into `batch`, which
    /// is empty. Says whether the queue is still open.
    pub(super) fn take(&self, batch: &mut Batch, patience: Duration) -> bool {
        let nothing = |state: &mut State| state.records.is_empty() && !state.is_urgent();
        let few = |state: &mut State| state.records.len() < BATCH_RECORDS && !state.is_urgent();
        let state = self.lock();
        let waited = self.ready.wait_timeout_while(state, patience, nothing);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if !state.records.is_empty() {
            let waited = self.ready.wait_timeout_while(state, BATCH_WAIT, few);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut state.records, &mut batch.records);
        std::mem::swap(&mut state.flushes, &mut batch.flushes);
        !state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
