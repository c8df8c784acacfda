//! Bodies in chunks: at most two wait between the thread that makes them and the connection that sends them.
//!
//! A body ends cleanly only when its producer said that it is done. A producer that is dropped, stopped or late
//! leaves an error, so that a cut answer never looks whole.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::ExecuteError;

const CHUNKS_WAITING_MAX: usize = 2;

#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
    taken: Condvar,
    /// For producers that are tasks: a chunk was taken, or the consumer is gone.
    moved: Notify,
    gone: Notify,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Bytes>,
    end: End,
    waker: Option<Waker>,
    reader_gone: bool,
}

#[derive(Debug, Default)]
enum End {
    #[default]
    Open,
    Done,
    Failed(String),
    /// The failure was handed over.
    Over,
}

/// The consumer's side. Dropping it stops the statement.
#[derive(Debug)]
pub struct RowStream {
    pipe: Arc<Pipe>,
    stop: Arc<AtomicBool>,
}

/// The producer's side. Dropping it without [`Producer::finish`] is a failure.
#[derive(Debug)]
pub(super) struct Producer {
    pipe: Arc<Pipe>,
}

pub(super) fn pipe(stop: Arc<AtomicBool>) -> (Producer, RowStream) {
    let pipe = Arc::new(Pipe::default());
    (Producer { pipe: Arc::clone(&pipe) }, RowStream { pipe, stop })
}

impl RowStream {
    /// The next chunk; none at the clean end; an error when the body is cut.
    pub fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, io::Error>>> {
        let mut state = self.pipe.lock();
        if let Some(chunk) = state.chunks.pop_front() {
            drop(state);
            self.pipe.taken.notify_one();
            self.pipe.moved.notify_one();
            return Poll::Ready(Some(Ok(chunk)));
        }
        match std::mem::replace(&mut state.end, End::Over) {
            End::Open => {
                state.end = End::Open;
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
            End::Failed(message) => Poll::Ready(Some(Err(io::Error::other(message)))),
            End::Done | End::Over => Poll::Ready(None),
        }
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.pipe.lock().reader_gone = true;
        self.pipe.taken.notify_one();
        self.pipe.moved.notify_one();
        self.pipe.gone.notify_one();
    }
}

impl Producer {
    /// Hands a chunk over; waits while two wait already, no longer than `stall` and not beyond the deadline.
    pub(super) fn push(&self, chunk: Bytes, stall: Duration, deadline: Instant) -> Result<(), ExecuteError> {
        let until = deadline.min(Instant::now() + stall);
        let mut state = self.pipe.lock();
        while state.chunks.len() >= CHUNKS_WAITING_MAX && !state.reader_gone {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ExecuteError::Timeout);
            }
            let waited = self.pipe.taken.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.reader_gone {
            return Err(ExecuteError::Stopped);
        }
        state.chunks.push_back(chunk);
        wake(state);
        Ok(())
    }

    /// As [`Producer::push`], for producers that are tasks.
    pub(super) async fn push_waiting(
        &self,
        chunk: Bytes,
        stall: Duration,
        deadline: Instant,
    ) -> Result<(), ExecuteError> {
        let until = deadline.min(Instant::now() + stall);
        loop {
            let moved = self.pipe.moved.notified();
            {
                let mut state = self.pipe.lock();
                if state.reader_gone {
                    return Err(ExecuteError::Stopped);
                }
                if state.chunks.len() < CHUNKS_WAITING_MAX {
                    state.chunks.push_back(chunk);
                    wake(state);
                    return Ok(());
                }
            }
            tokio::time::timeout_at(until.into(), moved).await.map_err(|_| ExecuteError::Timeout)?;
        }
    }

    /// Becomes ready when the consumer is gone.
    pub(super) fn gone(&self) -> impl Future<Output = ()> + Send + 'static {
        let pipe = Arc::clone(&self.pipe);
        async move { pipe.gone.notified().await }
    }

    /// Ends the body: cleanly, or with the reason why it is cut.
    pub(super) fn finish(self, result: &Result<(), ExecuteError>) {
        let end = match result {
            Ok(()) => End::Done,
            Err(error) => End::Failed(format!("the answer is cut: {error}")),
        };
        self.end(end);
    }

    fn end(&self, end: End) {
        let mut state = self.pipe.lock();
        if matches!(state.end, End::Open) {
            state.end = end;
        }
        wake(state);
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.end(End::Failed("the answer is cut".into()));
    }
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
