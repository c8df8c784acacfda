//! Rows of a REST source on their way into a table of the schema (ADR 0015).
//!
//! A run claims the source by a lease, collects what comes in a staging table, in short transactions, and puts it in
//! place in one transaction that also moves the mark and gives the lease back. Whoever lost the lease can change nothing
//! any more: each of its transactions begins with the row of the lease. Everything runs as the schema's owner.

mod batch;
mod statements;

use std::time::Duration;

use gatepost_rest::sql::Dialect;
use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{ColumnType, SyncMode};

use super::{
    DataStore, DictionarySource, DictionaryView, Session, SessionError, SessionResult, SessionValue,
};
use batch::Batch;
use statements::Statements;
pub use statements::table_drift;

/// How long a statement of the last transaction may run: it moves everything that was collected.
const APPLY_TIME: Duration = Duration::from_secs(30 * 60);

/// How long any other statement may run.
const STATEMENT_TIME: Duration = Duration::from_secs(60);

/// How long a write waits for others to the same file, one try at a time.
const BEGIN_TRIES: u32 = 20;

/// What is copied where.
#[derive(Clone, Debug)]
pub struct SyncTarget {
    /// The source's id.
    pub source_id: u64,
    /// The source's name, for people who look at the table of leases.
    pub source: String,
    /// The table.
    pub table: String,
    /// Whether the table is made when it is missing.
    pub create_table: bool,
    /// What happens to the rows that are there.
    pub mode: SyncMode,
    /// Whether rows that did not come are removed.
    pub delete_missing: bool,
    /// The columns of the rows, in their order.
    pub columns: Vec<(String, ColumnType)>,
    /// The columns that name a row.
    pub primary_key: Vec<String>,
}

/// Who claims, when, and for how long.
#[derive(Clone, Debug)]
pub struct SyncClaim {
    /// Names the run; no other run has this name.
    pub holder: String,
    /// Now (milliseconds since 1970).
    pub now_ms: i64,
    /// How long the claim holds without a word.
    pub lease_ms: i64,
    /// When the newest run that the claimant knows of began: if another one began meanwhile, there is nothing to do.
    pub newest_ms: Option<i64>,
    /// The definition that rows are fetched by; what another one collected is thrown away.
    pub version: String,
    /// Rows that were collected before this time are thrown away.
    pub fresh_ms: i64,
}

/// What is known of a source's runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    /// When the newest run began; 0: none did.
    pub begun_ms: i64,
    /// Who holds the lease.
    pub holder: Option<String>,
    /// Until when, if nothing is heard of them.
    pub lease_until_ms: i64,
    /// The greatest value of the cursor's column that is in the table.
    pub mark: Option<String>,
    /// What the mark belongs to.
    pub mark_of: Option<String>,
    /// The definition that the rows in the staging table came by.
    version: String,
    /// Rows in the staging table.
    staged: i64,
    /// From which row on an interrupted fetch can go on.
    position: Option<i64>,
    /// The greatest value of the cursor's column in the staging table.
    staged_mark: Option<String>,
}

/// What a claim came to.
#[derive(Debug)]
pub enum Claimed {
    /// The source is the claimant's.
    Ours(Box<TableSync>),
    /// Another run is under way, or one began since the claimant looked.
    Taken(SyncState),
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncError {
    /// The schema's data cannot be reached.
    Unavailable(String),
    /// The database refused a statement.
    Refused(String),
    /// Another run took the lease: this one was silent for too long.
    LeaseLost,
    /// A row has no value in a column of its key. Rows count from 1.
    KeyMissing {
        /// Which row.
        row: u64,
        /// Which column.
        column: String,
    },
}

impl std::fmt::Display for SyncError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unavailable(message) | Self::Refused(message) => f.write_str(message),
            Self::LeaseLost => f.write_str("another run took over"),
            Self::KeyMissing { row, column } => write!(f, "row {row} has no `{column}`, which is of its key"),
        }
    }
}

impl std::error::Error for SyncError {}

/// What a run did to the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncCounts {
    /// Rows that were not there.
    pub inserted: u64,
    /// Rows that were there and had other values.
    pub updated: u64,
    /// Rows that are there no more.
    pub deleted: u64,
}

/// A run that holds the lease.
#[derive(Debug)]
pub struct TableSync {
    session: Session,
    statements: Statements,
    holder: String,
    lease_ms: i64,
    source_id: i64,
    batch: Batch,
    /// Rows in the staging table.
    staged: i64,
    /// What was known before this run.
    before: SyncState,
    /// From which row on the fetch can go on after an interruption; `None` when it cannot.
    position: Option<i64>,
    staged_mark: Option<String>,
}

/// What is known of a source's runs; nothing before the first. Blocks, as everything here does.
pub fn sync_state(data: &DataStore, source_id: u64) -> Result<SyncState, SyncError> {
    let mut session = open(data)?;
    // Without the table there was no run.
    Ok(read_state(&mut session, source_id as i64).unwrap_or_default())
}

impl TableSync {
    /// Claims the source, makes what is missing and throws away what an interrupted run collected unless it can go on
    /// from there.
    pub fn claim(data: &DataStore, target: &SyncTarget, claim: &SyncClaim) -> Result<Claimed, SyncError> {
        let mut session = open(data)?;
        let source_id = target.source_id as i64;
        make_state_table(&mut session, target)?;
        let before = read_state(&mut session, source_id)?;
        let began_meanwhile = claim.newest_ms.is_some_and(|known| known != before.begun_ms);
        let held = before.holder.is_some() && before.lease_until_ms > claim.now_ms;
        if began_meanwhile || held {
            return Ok(Claimed::Taken(before));
        }
        let binds = [
            ("holder", SessionValue::Text(claim.holder.clone())),
            ("until", SessionValue::Integer(claim.now_ms + claim.lease_ms)),
            ("now", SessionValue::Integer(claim.now_ms)),
            ("begun", SessionValue::Integer(before.begun_ms)),
            ("id", SessionValue::Integer(source_id)),
        ];
        let claimed = whole(&mut session, |session| run(session, statements::CLAIM, &binds))?;
        if claimed.affected != Some(1) {
            return Ok(Claimed::Taken(read_state(&mut session, source_id)?));
        }
        let prepared = prepare(&mut session, data.dialect(), target);
        let mut sync = Self {
            statements: match prepared {
                Ok(statements) => statements,
                Err(error) => {
                    release(&mut session, &claim.holder, source_id);
                    return Err(error);
                }
            },
            batch: Batch::new(data.dialect(), &target.columns, &target.primary_key, target.mode),
            session,
            holder: claim.holder.clone(),
            lease_ms: claim.lease_ms,
            source_id,
            staged: 0,
            before,
            position: None,
            staged_mark: None,
        };
        sync.batch.keep_columns(&sync.statements.columns);
        let outcome = sync.stage(claim);
        match outcome {
            Ok(()) => Ok(Claimed::Ours(Box::new(sync))),
            Err(error) => {
                sync.abandon();
                Err(error)
            }
        }
    }

    /// Goes on with what an interrupted run collected, or begins an empty staging table.
    fn stage(&mut self, claim: &SyncClaim) -> Result<(), SyncError> {
        let before = &self.before;
        let interrupted = before.version == claim.version && before.begun_ms >= claim.fresh_ms;
        if let Some(position) = before.position.filter(|_| interrupted)
            && before.staged > 0
        {
            self.staged = before.staged;
            self.position = Some(position);
            self.staged_mark.clone_from(&before.staged_mark);
            return Ok(());
        }
        let version = claim.version.clone();
        self.transaction(claim.now_ms, |sync| {
            let statements = [sync.statements.drop_stage.clone(), sync.statements.make_stage.clone()];
            for statement in &statements {
                run(&mut sync.session, statement, &[])?;
            }
            let binds = [text("version", &version), ("id", SessionValue::Integer(sync.source_id))];
            run(&mut sync.session, statements::STAGE_EMPTY, &binds).map(drop)
        })
    }

    /// From which row on the fetch goes on, when an interrupted one had come so far.
    pub fn resumed_at(&self) -> Option<u64> {
        self.position.and_then(|position| u64::try_from(position).ok()).filter(|position| *position > 0)
    }

    /// What was known of the source before this run.
    pub fn before(&self) -> &SyncState {
        &self.before
    }

    /// The greatest value of the cursor's column that was collected before an interruption.
    pub fn staged_mark(&self) -> Option<&str> {
        self.staged_mark.as_deref()
    }

    /// Columns of the source that the table has; those that it does not have are left out.
    pub fn columns(&self) -> &[String] {
        &self.statements.columns
    }

    /// Takes rows. They are written when they are worth a transaction; says whether they are.
    pub fn add(&mut self, rows: &[Vec<Datum>]) -> Result<bool, SyncError> {
        for row in rows {
            self.batch.add(row)?;
        }
        Ok(self.batch.is_full())
    }

    /// Writes what was taken. `position` says from which row on a fetch could go on, `mark` which is the greatest value
    /// of the cursor's column so far.
    pub fn flush(&mut self, now_ms: i64, position: Option<u64>, mark: Option<&str>) -> Result<(), SyncError> {
        if self.batch.is_empty() {
            return self.keep_lease(now_ms);
        }
        let (rows, first, count) = (self.batch.take(), self.staged, self.batch.taken());
        let position = position.and_then(|position| i64::try_from(position).ok());
        let mark = mark.map(str::to_owned);
        self.transaction(now_ms, |sync| {
            let binds = [("rows", SessionValue::Text(rows)), ("first", SessionValue::Integer(first))];
            let insert = sync.statements.insert.clone();
            run(&mut sync.session, &insert, &binds)?;
            let binds = [
                ("staged", SessionValue::Integer(first + count)),
                ("position", position.map_or(SessionValue::Null, SessionValue::Integer)),
                ("mark", mark.clone().map_or(SessionValue::Null, SessionValue::Text)),
                ("id", SessionValue::Integer(sync.source_id)),
            ];
            run(&mut sync.session, statements::STAGED, &binds).map(drop)
        })?;
        (self.staged, self.position, self.staged_mark) = (first + count, position, mark);
        Ok(())
    }

    /// Says that this run is alive.
    pub fn keep_lease(&mut self, now_ms: i64) -> Result<(), SyncError> {
        self.transaction(now_ms, |_| Ok(()))
    }

    /// Puts what was collected in place, remembers the mark and gives the lease back, all in one transaction.
    pub fn apply(mut self, now_ms: i64, mark_of: &str, mark: Option<&str>) -> Result<SyncCounts, SyncError> {
        self.flush(now_ms, None, mark)?;
        self.session.set_time(APPLY_TIME);
        let mark = mark.map(str::to_owned);
        let applied = self.transaction(now_ms, |sync| {
            let mut counts = SyncCounts::default();
            for step in sync.statements.apply.clone() {
                let affected = run(&mut sync.session, &step.text, &[])?.affected.unwrap_or(0);
                match step.count {
                    statements::Count::Nothing => {}
                    statements::Count::Inserted => counts.inserted += affected,
                    statements::Count::Updated => counts.updated += affected,
                    statements::Count::Deleted => counts.deleted += affected,
                }
            }
            let binds = [
                text("mark_of", mark_of),
                ("mark", mark.clone().map_or(SessionValue::Null, SessionValue::Text)),
                ("id", SessionValue::Integer(sync.source_id)),
            ];
            run(&mut sync.session, statements::APPLIED, &binds)?;
            Ok(counts)
        });
        if applied.is_err() {
            self.abandon();
        }
        applied
    }

    /// Gives the lease back without touching the table. What was collected stays for the next run, if it can go on from
    /// there.
    pub fn abandon(&mut self) {
        let _ = self.session.rollback();
        release(&mut self.session, &self.holder, self.source_id);
    }

    /// Throws away what was collected, so that the next run begins anew.
    pub fn forget(&mut self) {
        let binds = [("id", SessionValue::Integer(self.source_id)), text("version", "")];
        let _ = self.session.rollback();
        let _ = whole(&mut self.session, |session| run(session, statements::STAGE_EMPTY, &binds));
    }

    /// Runs `work` in a transaction that only the holder of the lease can make.
    fn transaction<T>(
        &mut self,
        now_ms: i64,
        work: impl FnOnce(&mut Self) -> Result<T, SyncError>,
    ) -> Result<T, SyncError> {
        begin(&mut self.session)?;
        let binds = [
            ("until", SessionValue::Integer(now_ms + self.lease_ms)),
            text("holder", &self.holder),
            ("id", SessionValue::Integer(self.source_id)),
        ];
        let kept = run(&mut self.session, statements::KEEP, &binds);
        let outcome = match kept.map(|kept| kept.affected) {
            Ok(Some(1)) => work(self),
            Ok(_) => Err(SyncError::LeaseLost),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(value) => {
                self.session.commit().map_err(refused)?;
                Ok(value)
            }
            Err(error) => {
                let _ = self.session.rollback();
                Err(error)
            }
        }
    }
}

fn open(data: &DataStore) -> Result<Session, SyncError> {
    let mut session = data.session().map_err(|error| SyncError::Unavailable(error.to_string()))?;
    session.set_time(STATEMENT_TIME);
    Ok(session)
}

/// Gives a lease back. One that cannot be given back ends by time.
fn release(session: &mut Session, holder: &str, source_id: i64) {
    let binds = [text("holder", holder), ("id", SessionValue::Integer(source_id))];
    let _ = whole(session, |session| run(session, statements::RELEASE, &binds));
}

/// Runs `work` in a transaction of its own, for which it waits.
fn whole<T>(
    session: &mut Session,
    work: impl FnOnce(&mut Session) -> Result<T, SyncError>,
) -> Result<T, SyncError> {
    begin(session)?;
    match work(session) {
        Ok(value) => {
            session.commit().map_err(refused)?;
            Ok(value)
        }
        Err(error) => {
            let _ = session.rollback();
            Err(error)
        }
    }
}

/// Takes the write lock of a file, for which others may be ahead.
fn begin(session: &mut Session) -> Result<(), SyncError> {
    let mut tries = 0;
    loop {
        match session.begin() {
            Ok(()) => return Ok(()),
            Err(_) if tries < BEGIN_TRIES => tries += 1,
            Err(error) => return Err(refused(error)),
        }
    }
}

fn make_state_table(session: &mut Session, target: &SyncTarget) -> Result<(), SyncError> {
    if read_state(session, target.source_id as i64).is_err() {
        // Another node may make it at this moment.
        if let Err(error) = whole(session, |session| run(session, statements::MAKE_STATE, &[])) {
            read_state(session, target.source_id as i64).map_err(|_| error)?;
        }
    }
    let binds = [("id", SessionValue::Integer(target.source_id as i64)), text("source", &target.source)];
    whole(session, |session| run(session, statements::ADD_STATE, &binds)).map(drop)
}

/// Makes the table if that is asked for, and sees which columns it has.
fn prepare(session: &mut Session, dialect: Dialect, target: &SyncTarget) -> Result<Statements, SyncError> {
    if target.create_table {
        whole(session, |session| run(session, &statements::make_table(dialect, target), &[]))?;
    }
    let found = run(session, &statements::look(&target.table), &[])?.columns;
    let columns: Vec<(String, ColumnType)> =
        target.columns.iter().filter(|(name, _)| found.contains(name)).cloned().collect();
    if columns.is_empty() {
        let message = format!("table {} has none of the source's columns", target.table);
        return Err(SyncError::Refused(message));
    }
    if target.mode == SyncMode::Merge
        && let Some(missing) = target.primary_key.iter().find(|key| !found.contains(key))
    {
        let message = format!("table {} has no column {missing}, which is of the key", target.table);
        return Err(SyncError::Refused(message));
    }
    Ok(Statements::new(dialect, target, &columns))
}

fn read_state(session: &mut Session, source_id: i64) -> Result<SyncState, SyncError> {
    let result = run(session, statements::STATE, &[("id", SessionValue::Integer(source_id))])?;
    let Some(row) = result.rows.into_iter().next() else { return Ok(SyncState::default()) };
    let text = |value: &SessionValue| match value {
        SessionValue::Text(text) => Some(text.clone()),
        _ => None,
    };
    let number = |value: &SessionValue| match value {
        SessionValue::Integer(number) => Some(*number),
        SessionValue::Number(digits) => digits.parse().ok(),
        _ => None,
    };
    let [begun, holder, until, mark, mark_of, version, staged, position, staged_mark] = row.as_slice() else {
        return Err(SyncError::Refused("table gatepost_sync has other columns".into()));
    };
    Ok(SyncState {
        begun_ms: number(begun).unwrap_or_default(),
        holder: text(holder),
        lease_until_ms: number(until).unwrap_or_default(),
        mark: text(mark),
        mark_of: text(mark_of),
        version: text(version).unwrap_or_default(),
        staged: number(staged).unwrap_or_default(),
        position: number(position),
        staged_mark: text(staged_mark),
    })
}

fn run(session: &mut Session, sql: &str, binds: &[(&str, SessionValue)]) -> Result<SessionResult, SyncError> {
    let binds: Vec<(String, SessionValue)> =
        binds.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    session.run(sql, &binds, &NoViews).map_err(refused)
}

fn refused(error: SessionError) -> SyncError {
    SyncError::Refused(error.message)
}

fn text(name: &'static str, value: &str) -> (&'static str, SessionValue) {
    (name, SessionValue::Text(value.to_owned()))
}

/// Our own statements name no view.
struct NoViews;

impl DictionarySource for NoViews {
    fn views(&self) -> &[DictionaryView] {
        &[]
    }

    fn rows_json(&self, _: &str) -> String {
        "[]".into()
    }
}

#[cfg(test)]
mod tests;
