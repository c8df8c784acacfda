//! The threads that read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use gatepost_rest::plan::Plan;
use tokio::sync::oneshot;

use super::super::stream::{Producer, pipe};
use super::connection::UserConnection;
use super::query::{self, Sink};
use super::queue::Queue;
use super::{DataOptions, ExecuteError, Limits, Reply, ReplyBody};

#[derive(Debug)]
pub(super) struct ReadJob {
    pub(super) plan: Plan,
    pub(super) limits: Limits,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) reply: oneshot::Sender<Result<ReadAnswer, ExecuteError>>,
}

#[derive(Debug)]
pub(super) enum ReadAnswer {
    Done(Box<Reply>),
    /// The answer does not fit a buffer: the plan, to be run again where it can stream.
    TooLong(Box<Plan>),
}

/// Runs jobs whose answers fit a buffer.
pub(super) fn run_buffered(connection: &UserConnection, queue: &Queue<ReadJob>, options: &DataOptions) {
    while let Some(popped) = queue.pop() {
        // The jobs that wait already may share one snapshot: it is taken after all of them were asked for.
        let shared = popped.more && connection.sqlite.execute_batch("begin").is_ok();
        buffered(connection, popped.item, options);
        while shared && let Some(job) = queue.pop_before(popped.pushed) {
            buffered(connection, job, options);
        }
        end_transaction(connection);
    }
}

/// Runs jobs whose answers may be long.
pub(super) fn run_streams(connection: &UserConnection, queue: &Queue<ReadJob>, options: &DataOptions) {
    while let Some(popped) = queue.pop() {
        streamed(connection, popped.item, options);
        end_transaction(connection);
    }
}

fn end_transaction(connection: &UserConnection) {
    if !connection.sqlite.is_autocommit()
        && let Err(error) = connection.sqlite.execute_batch("rollback")
    {
        tracing::error!(%error, "a reading transaction could not be ended");
    }
}

/// The job, unless its client went away or its time ran out while it waited.
fn in_time(job: ReadJob) -> Option<ReadJob> {
    if job.reply.is_closed() {
        return None;
    }
    if Instant::now() < job.limits.deadline {
        return Some(job);
    }
    // It was never begun, so that its client may come again. Fails when nobody waits any more.
    let _ = job.reply.send(Err(ExecuteError::Busy));
    None
}

/// Refuses what does not fit.
pub(super) struct BufferOnly {
    pub(super) bytes_max: usize,
    pub(super) overflown: bool,
}

impl Sink for BufferOnly {
    fn buffer_bytes_max(&self) -> usize {
        self.bytes_max
    }

    fn overflow(
        &mut self,
        _out: &mut Vec<u8>,
        _head: &mut dyn FnMut() -> Result<Reply, ExecuteError>,
    ) -> Result<(), ExecuteError> {
        self.overflown = true;
        Err(ExecuteError::TooLarge)
    }
}

fn buffered(connection: &UserConnection, job: ReadJob, options: &DataOptions) {
    let Some(ReadJob { plan, limits, stop, reply }) = in_time(job) else { return };
    let mut sink = BufferOnly { bytes_max: options.buffer_bytes_max, overflown: false };
    let watched = connection.watch.job(limits.deadline, Some(&stop));
    let result = guarded(|| query::run(connection, &plan, limits, &mut sink));
    drop(watched);
    let answer = match result {
        Err(_) if sink.overflown => {
            plan.source.hints.streams.store(true, Ordering::Relaxed);
            Ok(ReadAnswer::TooLong(Box::new(plan)))
        }
        other => other.map(|reply| ReadAnswer::Done(Box::new(reply))),
    };
    // Nobody waits any more: the client went away.
    let _ = reply.send(answer);
}

fn guarded(work: impl FnOnce() -> Result<Reply, ExecuteError>) -> Result<Reply, ExecuteError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!("a reading job panicked");
        Err(ExecuteError::Panic)
    })
}

/// Buffers the first part, then sends the reply and streams the rest.
struct Chunks<'o> {
    options: &'o DataOptions,
    limits: Limits,
    stop: Arc<AtomicBool>,
    reply: Option<oneshot::Sender<Result<ReadAnswer, ExecuteError>>>,
    producer: Option<Producer>,
}

impl Sink for Chunks<'_> {
    fn buffer_bytes_max(&self) -> usize {
        if self.producer.is_none() { self.options.buffer_bytes_max } else { self.options.chunk_bytes }
    }

    fn overflow(
        &mut self,
        out: &mut Vec<u8>,
        head: &mut dyn FnMut() -> Result<Reply, ExecuteError>,
    ) -> Result<(), ExecuteError> {
        if self.producer.is_none() {
            let mut start = head()?;
            let (producer, stream) = pipe(Arc::clone(&self.stop));
            start.body = ReplyBody::Stream(stream);
            self.producer = Some(producer);
            let sender = self.reply.take().ok_or(ExecuteError::Stopped)?;
            sender.send(Ok(ReadAnswer::Done(Box::new(start)))).map_err(|_| ExecuteError::Stopped)?;
        }
        let chunk = std::mem::replace(out, Vec::with_capacity(self.options.chunk_bytes + 1024));
        self.push(Bytes::from(chunk))
    }
}

impl Chunks<'_> {
    fn push(&self, chunk: Bytes) -> Result<(), ExecuteError> {
        match &self.producer {
            Some(producer) => producer.push(chunk, self.options.stall, self.limits.deadline),
            None => Err(ExecuteError::Stopped),
        }
    }

    fn finish(mut self, result: Result<Reply, ExecuteError>, plan: &Plan) {
        if self.producer.is_none() {
            plan.source.hints.streams.store(false, Ordering::Relaxed);
            if let Some(reply) = self.reply.take() {
                // Nobody waits any more: the client went away.
                let _ = reply.send(result.map(|reply| ReadAnswer::Done(Box::new(reply))));
            }
            return;
        }
        let last = result.and_then(|reply| match reply.body {
            ReplyBody::Full(bytes) => self.push(bytes),
            ReplyBody::Stream(_) => Ok(()),
        });
        if let Some(producer) = self.producer.take() {
            producer.finish(&last);
        }
    }
}

fn streamed(connection: &UserConnection, job: ReadJob, options: &DataOptions) {
    let Some(ReadJob { plan, limits, stop, reply }) = in_time(job) else { return };
    let mut sink = Chunks { options, limits, stop: Arc::clone(&stop), reply: Some(reply), producer: None };
    let watched = connection.watch.job(limits.deadline, Some(&stop));
    let result = guarded(|| query::run(connection, &plan, limits, &mut sink));
    drop(watched);
    sink.finish(result, &plan);
}
