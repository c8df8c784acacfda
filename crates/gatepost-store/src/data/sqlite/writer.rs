//! The one thread that writes: requests that wait together are committed together.
//!
//! Each request has a savepoint, and nobody is answered before COMMIT. SQLite ends the whole transaction by itself
//! when a change is interrupted, the disk is full or a statement says `or rollback`; then, and when COMMIT fails, the
//! batch runs again without the culprit. Handlers that were interrupted run in a transaction of their own for a
//! while, so that their neighbours do not wait for them again.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use gatepost_rest::plan::Plan;
use rusqlite::{Connection, Statement};
use tokio::sync::oneshot;

use super::change;
use super::connection::UserConnection;
use super::error::execute_error;
use super::query;
use super::queue::Queue;
use super::reader::BufferOnly;
use super::{DataOptions, ExecuteError, Limits, Precondition, Reply};

const BATCH_MAX: usize = 512;
const QUARANTINE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct WriteJob {
    pub(super) plan: Plan,
    pub(super) precondition: Option<Precondition>,
    pub(super) limits: Limits,
    pub(super) reply: oneshot::Sender<Result<Reply, ExecuteError>>,
}

type Outcome = Result<Reply, ExecuteError>;

/// Runs jobs until the queue is closed and empty.
pub(super) fn run(connection: &UserConnection, queue: &Queue<WriteJob>, options: &DataOptions) {
    let control = match Control::prepare(&connection.sqlite) {
        Ok(control) => control,
        Err(error) => {
            tracing::error!(%error, "the writer cannot begin");
            queue.close();
            return;
        }
    };
    let mut writer = Writer {
        connection,
        control,
        write_time: options.write_time,
        buffer_bytes_max: options.buffer_bytes_max,
        quarantine: HashMap::new(),
    };
    while let Some(popped) = queue.pop() {
        let mut jobs = vec![popped.item];
        queue.drain(BATCH_MAX - 1, &mut jobs);
        let (apart, together): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| writer.is_quarantined(&job.plan));
        writer.batch(together);
        for job in apart {
            writer.batch(vec![job]);
        }
    }
}

/// Our own statements, prepared apart from the cache that user SQL shares.
struct Control<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    savepoint: Statement<'c>,
    release: Statement<'c>,
    undo: Statement<'c>,
}

impl<'c> Control<'c> {
    fn prepare(sqlite: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: sqlite.prepare("begin immediate")?,
            commit: sqlite.prepare("commit")?,
            rollback: sqlite.prepare("rollback")?,
            savepoint: sqlite.prepare("savepoint request")?,
            release: sqlite.prepare("release request")?,
            undo: sqlite.prepare("rollback to request")?,
        })
    }
}

fn step(statement: &mut Statement<'_>) -> Result<(), ExecuteError> {
    statement.raw_execute().map(drop).map_err(|error| execute_error(&error))
}

struct Writer<'c> {
    connection: &'c UserConnection,
    control: Control<'c>,
    write_time: Duration,
    buffer_bytes_max: usize,
    quarantine: HashMap<u64, Instant>,
}

/// How a pass over a batch ended.
enum Pass {
    /// Committed: an outcome for each job.
    Committed(Vec<Outcome>),
    /// The transaction is gone because of this job.
    Culprit(usize, ExecuteError),
    /// COMMIT failed.
    CommitFailed(ExecuteError),
    /// No transaction could be begun.
    NotBegun(ExecuteError),
}

impl Writer<'_> {
    /// Runs jobs in one transaction, or in several when one of them spoils it, and answers them all.
    fn batch(&mut self, mut jobs: Vec<WriteJob>) {
        jobs.retain(|job| !job.reply.is_closed());
        let now = Instant::now();
        for job in jobs.extract_if(.., |job| job.limits.deadline <= now) {
            answer(job, Err(ExecuteError::Busy));
        }
        while !jobs.is_empty() {
            match self.pass(&jobs) {
                Pass::Committed(outcomes) => {
                    for (job, outcome) in jobs.drain(..).zip(outcomes) {
                        answer(job, outcome);
                    }
                }
                Pass::Culprit(index, error) => {
                    self.end();
                    answer(jobs.remove(index), Err(error));
                }
                Pass::CommitFailed(error) if jobs.len() == 1 => {
                    self.end();
                    answer(jobs.remove(0), Err(error));
                }
                Pass::CommitFailed(_) => {
                    // Which job it was shows when each has a transaction of its own.
                    self.end();
                    for job in jobs.drain(..) {
                        self.batch(vec![job]);
                    }
                }
                Pass::NotBegun(error) => {
                    self.end();
                    for job in jobs.drain(..) {
                        answer(job, Err(error.clone()));
                    }
                }
            }
        }
    }

    fn pass(&mut self, jobs: &[WriteJob]) -> Pass {
        if let Err(error) = step(&mut self.control.begin) {
            return Pass::NotBegun(error);
        }
        let mut outcomes = Vec::with_capacity(jobs.len());
        for (index, job) in jobs.iter().enumerate() {
            match self.job(job) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => return Pass::Culprit(index, error),
            }
        }
        match step(&mut self.control.commit) {
            Ok(()) => Pass::Committed(outcomes),
            Err(error) => Pass::CommitFailed(error),
        }
    }

    /// Runs a job in a savepoint. An outer error means that the transaction is lost or not to be trusted.
    fn job(&mut self, job: &WriteJob) -> Result<Outcome, ExecuteError> {
        step(&mut self.control.savepoint)?;
        let outcome = self.guarded(job)?;
        if matches!(outcome, Err(ExecuteError::Timeout)) {
            let now = Instant::now();
            self.quarantine.retain(|_, until| *until > now);
            self.quarantine.insert(job.plan.source.id, now + QUARANTINE);
        }
        if self.connection.sqlite.is_autocommit() {
            return Err(outcome.err().unwrap_or(ExecuteError::Statement {
                message: "the statement ended the transaction".into(),
            }));
        }
        if outcome.is_err() {
            step(&mut self.control.undo)?;
        }
        step(&mut self.control.release)?;
        Ok(outcome)
    }

    fn guarded(&self, job: &WriteJob) -> Result<Outcome, ExecuteError> {
        let deadline = job.limits.deadline.min(Instant::now() + self.write_time);
        let _watched = self.connection.watch.job(deadline, None);
        let _user = self.connection.watch.user();
        let work = || {
            if let Some(precondition) = &job.precondition {
                self.check(precondition, job.limits)?;
            }
            change::run(self.connection, &job.plan, job.limits)
        };
        catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
            tracing::error!("a writing job panicked");
            ExecuteError::Panic
        })
    }

    fn check(&self, precondition: &Precondition, limits: Limits) -> Result<(), ExecuteError> {
        let mut sink = BufferOnly { bytes_max: self.buffer_bytes_max, overflown: false };
        match query::run(self.connection, &precondition.plan, limits, &mut sink) {
            Ok(reply) if (precondition.holds)(&reply) => Ok(()),
            Err(error @ (ExecuteError::Timeout | ExecuteError::Busy | ExecuteError::Corrupt(_))) => {
                Err(error)
            }
            Ok(_) | Err(_) => Err(ExecuteError::Outdated),
        }
    }

    fn is_quarantined(&mut self, plan: &Plan) -> bool {
        let Some(until) = self.quarantine.get(&plan.source.id) else { return false };
        let still = *until > Instant::now();
        if !still {
            self.quarantine.remove(&plan.source.id);
        }
        still
    }

    /// Leaves no transaction behind.
    fn end(&mut self) {
        if !self.connection.sqlite.is_autocommit()
            && let Err(error) = step(&mut self.control.rollback)
        {
            tracing::error!(%error, "a writing transaction could not be rolled back");
        }
    }
}

fn answer(job: WriteJob, outcome: Outcome) {
    // Nobody waits any more: the client went away after its change was made.
    let _ = job.reply.send(outcome);
}
