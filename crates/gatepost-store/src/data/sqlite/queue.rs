//! A bounded queue between request tasks and threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::ExecuteError;

#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    most: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(u64, T)>,
    /// How many were ever pushed; an item's number is the count before it.
    pushed: u64,
    waiting: usize,
    closed: bool,
}

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

impl Refused {
    pub(super) fn into_error(self) -> ExecuteError {
        match self {
            Self::Full => ExecuteError::Busy,
            Self::Closed => ExecuteError::Stopped,
        }
    }
}

/// An item, and how many had been pushed when it was taken.
pub(super) struct Popped<T> {
    pub(super) item: T,
    pub(super) pushed: u64,
    /// Whether others wait behind it.
    pub(super) more: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize) -> Self {
        let state = State { items: VecDeque::new(), pushed: 0, waiting: 0, closed: false };
        Self { state: Mutex::new(state), ready: Condvar::new(), most }
    }

    pub(super) fn push(&self, item: T) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.items.len() >= self.most {
            return Err(Refused::Full);
        }
        let number = state.pushed;
        state.pushed += 1;
        state.items.push_back((number, item));
        let wake = state.waiting > 0;
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// Waits for an item; none once the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<Popped<T>> {
        let mut state = self.lock();
        loop {
            if let Some((_, item)) = state.items.pop_front() {
                return Some(Popped { item, pushed: state.pushed, more: !state.items.is_empty() });
            }
            if state.closed {
                return None;
            }
            state.waiting += 1;
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// An item that was pushed when no more than `pushed` had been.
    pub(super) fn pop_before(&self, pushed: u64) -> Option<T> {
        let mut state = self.lock();
        let (number, _) = state.items.front()?;
        if *number >= pushed { None } else { state.items.pop_front().map(|(_, item)| item) }
    }

    /// Moves up to `most` items over.
    pub(super) fn drain(&self, most: usize, into: &mut Vec<T>) {
        let mut state = self.lock();
        let count = most.min(state.items.len());
        into.extend(state.items.drain(..count).map(|(_, item)| item));
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
