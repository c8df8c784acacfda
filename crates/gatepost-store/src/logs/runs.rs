//! The run log: what each synchronization of a REST source came to.

use super::{LogStore, Record, clean};
use crate::catalog::DatabaseError;
use crate::database::{Access, Parameter, Prepared, Row};

pub(super) const INSERT: &str = "insert into sync_run
      (at_ms, schema, source, target, trigger_kind, holder, outcome, code, message, duration_ms, resumed_at,
       fetched, inserted, updated, deleted, mismatches, requests, bytes)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";

/// A run of a synchronization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncRun {
    /// When it began (milliseconds since 1970).
    pub begun_ms: i64,
    /// The schema's name.
    pub schema: String,
    /// The source's name.
    pub source: String,
    /// The table.
    pub table: String,
    /// What began it: `schedule`, `command` or `script`.
    pub trigger: String,
    /// The run's name in the lease.
    pub holder: String,
    /// `done`, `failed`, `stopped`, or `interrupted` when its process ended.
    pub outcome: String,
    /// The code of a failure.
    pub code: Option<String>,
    /// What went wrong, in a sentence without secrets.
    pub message: Option<String>,
    /// How long it took; unknown of one that was interrupted.
    pub duration_ms: Option<i64>,
    /// From which row on it went on with an earlier one.
    pub resumed_at: Option<i64>,
    /// How much.
    pub counts: SyncRunCounts,
}

/// How much a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncRunCounts {
    /// Rows that came.
    pub fetched: u64,
    /// Rows that were not in the table.
    pub inserted: u64,
    /// Rows that were there with other values.
    pub updated: u64,
    /// Rows that were taken out.
    pub deleted: u64,
    /// Values that did not fit their columns and became NULL.
    pub mismatches: u64,
    /// Requests to the API, retries included.
    pub requests: u64,
    /// Bytes of the answers.
    pub bytes: u64,
}

impl std::fmt::Display for SyncRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SyncRunCounts { fetched, inserted, updated, deleted, mismatches, .. } = self.counts;
        write!(
            f,
            "{} into {}: {fetched} rows fetched, {inserted} inserted, {updated} updated, {deleted} deleted in {} ms",
            self.source,
            self.table,
            self.duration_ms.unwrap_or_default()
        )?;
        if let Some(row) = self.resumed_at {
            write!(f, "; went on at row {row}")?;
        }
        if mismatches > 0 {
            write!(f, "; {mismatches} values did not fit and became NULL")?;
        }
        Ok(())
    }
}

impl LogStore {
    /// Notes a run that is over.
    pub fn note_run(&self, run: SyncRun) {
        self.send(Record::Run(Box::new(run)));
    }

    /// The newest runs of a schema first; of one source, if it is named. Runs of other nodes are in their logs.
    pub fn list_runs(
        &self,
        schema: &str,
        source: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SyncRun>, DatabaseError> {
        let mut runs = Vec::new();
        self.reader.transaction(Access::Read, |transaction| {
            transaction.query(
                "select at_ms, schema, source, target, trigger_kind, holder, outcome, code, message,
                        coalesce(duration_ms, -1), coalesce(resumed_at, -1),
                        fetched, inserted, updated, deleted, mismatches, requests, bytes
                 from sync_run where schema = $1 and source = coalesce($2, source) order by id desc limit $3",
                &[Parameter::Text(schema), source.into(), Parameter::Integer(i64::from(limit))],
                &mut |row| {
                    runs.push(read(row)?);
                    Ok(())
                },
            )
        })?;
        Ok(runs)
    }
}

fn read(row: &dyn Row) -> Result<SyncRun, DatabaseError> {
    let known = |column| row.integer(column).map(|number| (number >= 0).then_some(number));
    let count = |column| row.integer(column).map(|number| number as u64);
    Ok(SyncRun {
        begun_ms: row.integer(0)?,
        schema: row.text(1)?,
        source: row.text(2)?,
        table: row.text(3)?,
        trigger: row.text(4)?,
        holder: row.text(5)?,
        outcome: row.text(6)?,
        code: row.optional_text(7)?,
        message: row.optional_text(8)?,
        duration_ms: known(9)?,
        resumed_at: known(10)?,
        counts: SyncRunCounts {
            fetched: count(11)?,
            inserted: count(12)?,
            updated: count(13)?,
            deleted: count(14)?,
            mismatches: count(15)?,
            requests: count(16)?,
            bytes: count(17)?,
        },
    })
}

pub(super) fn insert(insert: &mut dyn Prepared, run: &SyncRun) -> Result<(), DatabaseError> {
    let message = run.message.as_deref().map(clean);
    let optional = |number: Option<i64>| number.map_or(Parameter::Null, Parameter::Integer);
    let count = |number: u64| Parameter::Integer(number as i64);
    insert.execute(&[
        Parameter::Integer(run.begun_ms),
        Parameter::Text(&run.schema),
        Parameter::Text(&run.source),
        Parameter::Text(&run.table),
        Parameter::Text(&run.trigger),
        Parameter::Text(&run.holder),
        Parameter::Text(&run.outcome),
        run.code.as_deref().into(),
        message.as_deref().into(),
        optional(run.duration_ms),
        optional(run.resumed_at),
        count(run.counts.fetched),
        count(run.counts.inserted),
        count(run.counts.updated),
        count(run.counts.deleted),
        count(run.counts.mismatches),
        count(run.counts.requests),
        count(run.counts.bytes),
    ])?;
    Ok(())
}
