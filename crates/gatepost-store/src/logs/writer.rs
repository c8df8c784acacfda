//! The thread that writes the logs in batches and keeps them within their limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::queue::{Batch, Queue};
use super::totals::{DAY_MS, QUARTER_MS};
use super::{AccessRecord, AuditRecord, LogLimits, Record, clean, runs, totals};
use crate::catalog::DatabaseError;
use crate::database::{Access, Database, Parameter, Prepared};

const INSERT_ACCESS: &str = "insert into access_log
      (at_ms, request_id, address, method, path, route, client, status, outcome, reason, duration_us, schema)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

const INSERT_AUDIT: &str = "insert into audit_event
      (at_ms, request_id, address, event, outcome, reason, schema, client, detail)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// How often limits are checked.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// How many records may come between two checks of the size.
const PRUNE_RECORDS: usize = 50_000;

const ACCESS_TABLE: &str =
    "delete from access_log where id <= (select min(id) + (max(id) - min(id)) / 10 from access_log)";
const AUDIT_TABLE: &str =
    "delete from audit_event where id <= (select min(id) + (max(id) - min(id)) / 10 from audit_event)";
const RUN_TABLE: &str =
    "delete from sync_run where id <= (select min(id) + (max(id) - min(id)) / 10 from sync_run)";

/// Totals are small and tell of what is gone already; they go by days.
const ROUTE_TOTALS: &str =
    "delete from route_total where day <= (select min(day) + (max(day) - min(day)) / 10 from route_total)";
const CLIENT_TOTALS: &str = "delete from client_total
    where quarter <= (select min(quarter) + (max(quarter) - min(quarter)) / 10 from client_total)";

pub(super) struct Writer {
    database: Arc<Database>,
    limits: LogLimits,
    path: PathBuf,
    dropped: Arc<AtomicU64>,
    newest_ms: i64,
    batches: watch::Sender<u64>,
}

impl Writer {
    pub(super) fn new(
        database: Arc<Database>,
        limits: LogLimits,
        path: &Path,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        Self {
            database,
            limits,
            path: path.to_owned(),
            dropped,
            newest_ms: 0,
            batches: watch::Sender::new(0),
        }
    }

    /// The same writer, which tells of each batch of requests.
    pub(super) fn telling(self, batches: watch::Sender<u64>) -> Self {
        Self { batches, ..self }
    }

    /// The same writer, its newest record being of `newest_ms`.
    #[cfg(test)]
    pub(super) fn at(self, newest_ms: i64) -> Self {
        Self { newest_ms, ..self }
    }

    pub(super) fn run(mut self, queue: &Queue) {
        let mut prune_at = Instant::now();
        let mut written = 0;
        let mut batch = Batch::default();
        loop {
            let open = queue.take(&mut batch, PRUNE_EVERY);
            if !batch.records.is_empty()
                && let Err(error) = self.write(&batch.records)
            {
                let records = batch.records.len();
                tracing::error!(%error, records, "the log store refused records; they are lost");
            }
            written += batch.records.len();
            batch.records.clear();
            for flush in batch.flushes.drain(..) {
                let _ = flush.send(());
            }
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                tracing::warn!(dropped, "log records were dropped because the queue was full");
            }
            if Instant::now() >= prune_at || written >= PRUNE_RECORDS {
                prune_at = Instant::now() + PRUNE_EVERY;
                written = 0;
                if let Err(error) = self.prune() {
                    tracing::error!(%error, "old log records could not be deleted");
                }
            }
            if !open {
                return;
            }
        }
    }

    fn write(&mut self, batch: &[Record]) -> Result<(), DatabaseError> {
        self.database.transaction(Access::Write, |transaction| {
            let mut access = transaction.prepare(INSERT_ACCESS)?;
            let mut audit = transaction.prepare(INSERT_AUDIT)?;
            let mut run = transaction.prepare(runs::INSERT)?;
            for record in batch {
                match record {
                    Record::Access(record) => insert_access(&mut *access, record)?,
                    Record::Audit(record) => insert_audit(&mut *audit, record)?,
                    Record::Run(record) => runs::insert(&mut *run, record)?,
                }
            }
            totals::write(transaction, batch)
        })?;
        self.newest_ms = batch.iter().map(Record::at_ms).fold(self.newest_ms, i64::max);
        if batch.iter().any(|record| matches!(record, Record::Access(_))) {
            self.batches.send_modify(|batches| *batches += 1);
        }
        Ok(())
    }

    /// Deletes what is too old, and the oldest tenth while the file is too large.
    pub(super) fn prune(&self) -> Result<(), DatabaseError> {
        let oldest_ms = self.newest_ms - i64::from(self.limits.age_days) * 86_400_000;
        self.database.transaction(Access::Write, |transaction| {
            for table in ["access_log", "audit_event", "sync_run"] {
                // Records come in the order of time, give or take a request: what is older than the first that
                // stays goes, and the rest of a large table is not read.
                let sql = format!(
                    "delete from {table} where id < coalesce(
                       (select id from {table} where at_ms >= $1 order by id limit 1),
                       (select max(id) + 1 from {table}))"
                );
                transaction.execute(&sql, &[Parameter::Integer(oldest_ms)])?;
            }
            let (quarter, day) = (oldest_ms.div_euclid(QUARTER_MS), oldest_ms.div_euclid(DAY_MS));
            transaction
                .execute("delete from client_total where quarter < $1", &[Parameter::Integer(quarter)])?;
            transaction.execute("delete from route_total where day < $1", &[Parameter::Integer(day)])?;
            Ok::<(), DatabaseError>(())
        })?;
        // The access log goes first: a flood of requests must not wash the audit trail away.
        for table in [ACCESS_TABLE, ROUTE_TOTALS, CLIENT_TOTALS, RUN_TABLE, AUDIT_TABLE] {
            while self.bytes_in_use()? > self.limits.size_bytes {
                if self.delete_oldest_tenth(table)? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Bytes of the file's pages that hold something; freed pages are used again before the file grows.
    fn bytes_in_use(&self) -> Result<u64, DatabaseError> {
        let mut bytes = 0;
        self.database.transaction(Access::Read, |transaction| {
            transaction.query(
                "select (c.page_count - f.freelist_count) * s.page_size
                 from pragma_page_count c, pragma_freelist_count f, pragma_page_size s",
                &[],
                &mut |row| {
                    bytes = row.integer(0)? as u64;
                    Ok(())
                },
            )
        })?;
        Ok(bytes)
    }

    fn delete_oldest_tenth(&self, sql: &str) -> Result<usize, DatabaseError> {
        tracing::info!(file = %self.path.display(), "the logs reached their size limit; the oldest tenth goes");
        self.database.transaction(Access::Write, |transaction| transaction.execute(sql, &[]))
    }
}

impl Record {
    fn at_ms(&self) -> i64 {
        match self {
            Self::Access(record) => record.at_ms,
            Self::Audit(record) => record.at_ms,
            Self::Run(record) => record.begun_ms,
        }
    }
}

fn insert_access(insert: &mut dyn Prepared, record: &AccessRecord) -> Result<(), DatabaseError> {
    let (path, reason, method) = (clean(&record.path), clean(&record.reason), clean(record.method.as_str()));
    let address = record.address.to_string();
    insert.execute(&[
        Parameter::Integer(record.at_ms),
        Parameter::Text(&record.request_id),
        Parameter::Text(&address),
        Parameter::Text(&method),
        Parameter::Text(&path),
        record.route.as_deref().into(),
        record.client.as_deref().into(),
        Parameter::Integer(i64::from(record.status)),
        Parameter::Text(record.outcome),
        Parameter::Text(&reason),
        Parameter::Integer(record.duration_us),
        record.schema.as_deref().into(),
    ])?;
    Ok(())
}

fn insert_audit(insert: &mut dyn Prepared, record: &AuditRecord) -> Result<(), DatabaseError> {
    let address = record.address.map(|address| address.to_string());
    let detail = record.detail.as_deref().map(clean);
    insert.execute(&[
        Parameter::Integer(record.at_ms),
        record.request_id.as_deref().into(),
        address.as_deref().into(),
        Parameter::Text(record.event),
        Parameter::Text(record.outcome),
        Parameter::Text(record.reason),
        record.schema.as_deref().into(),
        record.client.as_deref().into(),
        detail.as_deref().into(),
    ])?;
    Ok(())
}
