//! The access log, the audit trail and the run log of synchronizations, in a file of their own with limits on age and
//! size.
//!
//! Writing never waits: a request hands its record to a bounded queue, one thread writes them in batches. What
//! does not fit the queue is counted and the count is logged. Values from requests are escaped and cut here
//! (ADT-04); query strings, bodies, tokens and secrets have no field to be in (ADT-03, ADT-05).

mod access;
mod audit;
mod durations;
mod filter;
mod queue;
mod runs;
mod totals;
mod writer;

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use http::Method;

use crate::catalog::DatabaseError;
use crate::database::{Database, Migration};
pub use access::AccessFilter;
pub use audit::{AuditEntry, AuditFilter};
pub use durations::Durations;
pub use filter::{Page, SCAN_ROWS_MAX, StatusFilter};
use queue::Queue;
pub use runs::{SyncRun, SyncRunCounts};
use tokio::sync::watch;
pub use totals::{ClientSeen, ClientTotal, DAY_MS, QUARTER_MS, RouteTotal, Total, TotalsFilter};

const MIGRATIONS: [Migration; 3] = [
    Migration { version: 1, sqlite: include_str!("../../migrations/sqlite/logs_0001.sql"), postgres: None },
    Migration { version: 2, sqlite: include_str!("../../migrations/sqlite/logs_0002.sql"), postgres: None },
    Migration { version: 3, sqlite: include_str!("../../migrations/sqlite/logs_0003.sql"), postgres: None },
];

/// The longest text that a record keeps from a request, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// How long and how much the logs keep.
#[derive(Clone, Copy, Debug)]
pub struct LogLimits {
    /// Older records are deleted.
    pub age_days: u32,
    /// Beyond this size of the file the oldest records are deleted.
    pub size_bytes: u64,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRecord {
    /// When it arrived (milliseconds since 1970).
    pub at_ms: i64,
    /// Its id, also told to the caller.
    pub request_id: String,
    /// The caller's address.
    pub address: IpAddr,
    /// The method.
    pub method: Method,
    /// The path without the query.
    pub path: String,
    /// The schema's name.
    pub schema: Option<Arc<str>>,
    /// The template that answered, as `module pattern`.
    pub route: Option<Arc<str>>,
    /// The client's name.
    pub client: Option<Arc<str>>,
    /// The status of the answer.
    pub status: u16,
    /// `allowed`, `refused` or `failed`.
    pub outcome: &'static str,
    /// Why, in a few words.
    pub reason: Cow<'static, str>,
    /// Until the answer's first byte was ready, in microseconds.
    pub duration_us: i64,
}

/// Something an auditor wants to know (`reference/oauth.md` section 14).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditRecord {
    /// When (milliseconds since 1970).
    pub at_ms: i64,
    /// The request it belongs to.
    pub request_id: Option<String>,
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// `token issued`, `token refused`, `client authentication failed`, …
    pub event: &'static str,
    /// `success` or `failure`.
    pub outcome: &'static str,
    /// A stable code.
    pub reason: &'static str,
    /// The schema's name.
    pub schema: Option<String>,
    /// The client's id as it presents it, if such a client exists.
    pub client: Option<Arc<str>>,
    /// Scopes asked and given, the token's id, the author of a change.
    pub detail: Option<String>,
}

#[derive(Debug)]
enum Record {
    Access(AccessRecord),
    Audit(AuditRecord),
    Run(Box<SyncRun>),
}

/// The logs of an installation. Dropping the last handle writes what is queued.
#[derive(Debug)]
pub struct LogStore {
    queue: Arc<Queue>,
    dropped: Arc<AtomicU64>,
    /// For questions, so that they and the writer do not wait for each other.
    reader: Arc<Database>,
    /// Counts the batches that held requests.
    batches: watch::Sender<u64>,
    writer: Option<JoinHandle<()>>,
}

impl LogStore {
    /// Opens or makes the file and starts its writer.
    pub fn open(path: &Path, limits: LogLimits) -> Result<Self, DatabaseError> {
        let database = Arc::new(Database::open_sqlite(path, &MIGRATIONS, true)?);
        let reader = Arc::new(Database::open_sqlite(path, &MIGRATIONS, false)?);
        let queue = Arc::new(Queue::default());
        let batches = watch::Sender::new(0);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = writer::Writer::new(database, limits, path, Arc::clone(&dropped));
        let writer = writer.telling(batches.clone());
        let thread = std::thread::Builder::new()
            .name("gatepost-logs".into())
            .spawn({
                let queue = Arc::clone(&queue);
                move || writer.run(&queue)
            })
            .map_err(|error| DatabaseError::Other(error.to_string()))?;
        Ok(Self { queue, dropped, reader, batches, writer: Some(thread) })
    }

    /// Notes a request.
    pub fn note_access(&self, record: AccessRecord) {
        self.send(Record::Access(record));
    }

    /// Notes an audit event.
    pub fn note_audit(&self, record: AuditRecord) {
        self.send(Record::Audit(record));
    }

    /// Waits until everything noted so far is on disk.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        self.queue.flush(done);
        // An error here means that the writer is gone, and with it what was queued.
        let _ = wait.recv();
    }

    /// Changes whenever this process has written requests; those of other processes are only seen by a look.
    pub fn watch_access(&self) -> watch::Receiver<u64> {
        self.batches.subscribe()
    }

    fn send(&self, record: Record) {
        if !self.queue.push(record) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        // Closing the queue lets the writer finish what is in it.
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Makes a text from a request safe to keep: control characters escaped, cut at `TEXT_BYTES_MAX`.
fn clean(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_BYTES_MAX && !text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return text.into();
    }
    let mut kept = String::with_capacity(TEXT_BYTES_MAX);
    for c in text.chars() {
        if c.is_control() {
            kept.extend(c.escape_default());
        } else {
            kept.push(c);
        }
        if kept.len() >= TEXT_BYTES_MAX {
            break;
        }
    }
    kept.into()
}

#[cfg(test)]
mod tests;
