//! The engine for SQLite: one file a schema.
//!
//! Reads go to a few threads with a read-only connection each, or run in place when one row by a unique key is all
//! they touch; answers beyond a buffer stream from threads of their own. Writes go through one thread that commits
//! them in groups. User SQL never meets a connection without an authorizer.

mod authorize;
mod change;
mod connection;
mod dictionary;
mod error;
mod in_place;
mod query;
mod queue;
mod reader;
pub(super) mod scratch;
mod session;
#[cfg(test)]
mod tests;
mod watch;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use gatepost_rest::plan::Plan;
use gatepost_rest::source::{CompiledSource, Step};
use tokio::sync::oneshot;

use super::{DataError, DataOptions, Description, ExecuteError, Limits, Precondition, Reply, ReplyBody};
use connection::{Kind, UserConnection};
use queue::Queue;
use reader::{ReadAnswer, ReadJob};
pub(super) use session::Session;
use watch::StopGuard;
use writer::WriteJob;

/// The threads and queues of one file. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: usize,
    path: PathBuf,
    options: DataOptions,
    reads: Arc<Queue<ReadJob>>,
    streams: Arc<Queue<ReadJob>>,
    writes: Arc<Queue<WriteJob>>,
    checker: Mutex<UserConnection>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closed: AtomicBool,
}

impl Engine {
    /// Opens the file, which is made when it is missing, and starts the threads.
    pub(super) fn open(path: &Path, options: DataOptions) -> Result<Self, DataError> {
        static NEXT_ID: AtomicUsize = AtomicUsize::new(1);
        let writer = UserConnection::open(path, Kind::Write, &options)?;
        let checker = UserConnection::open(path, Kind::Write, &options)?;
        let shared = Shared {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            path: path.to_owned(),
            reads: Arc::new(Queue::new(options.queue_max)),
            streams: Arc::new(Queue::new(options.queue_max)),
            writes: Arc::new(Queue::new(options.queue_max)),
            checker: Mutex::new(checker),
            threads: Mutex::new(Vec::new()),
            closed: AtomicBool::new(false),
            options,
        };
        // From here on, dropping `shared` closes the queues and so ends the threads started before a failure.
        shared.start(writer)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs a plan.
    pub(super) async fn execute(&self, plan: Plan, limits: Limits) -> Result<Reply, ExecuteError> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(ExecuteError::Stopped);
        }
        if plan.source.writes {
            return Box::pin(self.write(plan, None, limits)).await;
        }
        let mut plan = plan;
        if self.shared.options.in_place && plan.source.hints.is_point() {
            match in_place::run(&self.shared, &plan, limits) {
                Some(result) => return result,
                None => plan.source.hints.point.store(1, Ordering::Relaxed),
            }
        }
        if !plan.source.hints.streams.load(Ordering::Relaxed) {
            match self.read(&self.shared.reads, plan, limits).await? {
                ReadAnswer::Done(reply) => return Ok(*reply),
                ReadAnswer::TooLong(back) => plan = *back,
            }
        }
        match self.read(&self.shared.streams, plan, limits).await? {
            ReadAnswer::Done(reply) => Ok(*reply),
            ReadAnswer::TooLong(_) => Err(ExecuteError::TooLarge),
        }
    }

    /// Runs a plan that changes data, if a precondition holds in the same transaction.
    pub(super) async fn execute_if(
        &self,
        plan: Plan,
        precondition: Precondition,
        limits: Limits,
    ) -> Result<Reply, ExecuteError> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(ExecuteError::Stopped);
        }
        Box::pin(self.write(plan, Some(precondition), limits)).await
    }

    /// Prepares a handler's statements without running them, for load reports. Blocks.
    pub(super) fn check(&self, source: &CompiledSource) -> Result<Description, String> {
        let checker = self.shared.checker.lock().unwrap_or_else(PoisonError::into_inner);
        let _user = checker.watch.user();
        let mut description = Description::default();
        for step in &source.steps {
            match step {
                Step::Query(query) => {
                    checker.prepare_check(query.text())?;
                    description = checker.description(&query.sql).map_err(|error| error.to_string())?;
                }
                Step::Change { statement, .. } => {
                    checker.prepare_check(&statement.sql.text)?;
                    if !source.block {
                        description =
                            checker.description(&statement.sql).map_err(|error| error.to_string())?;
                    }
                }
                Step::Assign { expression, .. } => checker.prepare_check(&expression.sql.text)?,
                Step::Set { .. } => {}
            }
        }
        if let Some(etag) = &source.etag {
            checker.prepare_check(&etag.sql.text).map_err(|message| format!("etag query: {message}"))?;
        }
        Ok(description)
    }

    /// Opens a connection for scripts of the schema's owner. Blocks, as everything that a session does.
    pub(super) fn session(&self) -> Result<Session, DataError> {
        Session::open(&self.shared.path, &self.shared.options)
    }

    /// Lets the jobs at hand finish, refuses new ones and waits for the threads. Blocks.
    pub(super) fn close(&self) {
        self.shared.close_queues();
        let threads =
            std::mem::take(&mut *self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a data thread ended with a panic");
            }
        }
    }

    async fn read(
        &self,
        queue: &Queue<ReadJob>,
        plan: Plan,
        limits: Limits,
    ) -> Result<ReadAnswer, ExecuteError> {
        let (reply, answer) = oneshot::channel();
        let (guard, stop) = StopGuard::new();
        queue.push(ReadJob { plan, limits, stop, reply }).map_err(queue::Refused::into_error)?;
        let answer = answer.await.map_err(|_| ExecuteError::Stopped)??;
        // From here on a stream has a guard of its own.
        guard.release();
        Ok(answer)
    }

    async fn write(
        &self,
        plan: Plan,
        precondition: Option<Precondition>,
        limits: Limits,
    ) -> Result<Reply, ExecuteError> {
        let (reply, answer) = oneshot::channel();
        let job = WriteJob { plan, precondition, limits, reply };
        self.shared.writes.push(job).map_err(queue::Refused::into_error)?;
        answer.await.map_err(|_| ExecuteError::Stopped)?
    }
}

impl Shared {
    fn start(&self, writer: UserConnection) -> Result<(), DataError> {
        let queue = Arc::clone(&self.writes);
        let options = self.options.clone();
        self.spawn("gatepost-write", move || writer::run(&writer, &queue, &options))?;
        for number in 0..self.options.reader_threads.max(1) {
            let connection = UserConnection::open(&self.path, Kind::Read, &self.options)?;
            let (queue, options) = (Arc::clone(&self.reads), self.options.clone());
            self.spawn(&format!("gatepost-read-{number}"), move || {
                reader::run_buffered(&connection, &queue, &options);
            })?;
        }
        for number in 0..self.options.stream_threads.max(1) {
            let connection = UserConnection::open(&self.path, Kind::Read, &self.options)?;
            connection.expect_scans()?;
            let (queue, options) = (Arc::clone(&self.streams), self.options.clone());
            self.spawn(&format!("gatepost-stream-{number}"), move || {
                reader::run_streams(&connection, &queue, &options);
            })?;
        }
        Ok(())
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), DataError> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(|error| DataError::Open(format!("no thread could be started: {error}")))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn close_queues(&self) {
        self.closed.store(true, Ordering::Release);
        self.reads.close();
        self.streams.close();
        self.writes.close();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close_queues();
    }
}
