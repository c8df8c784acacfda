//! Synchronizing a REST source into its table (ADR 0015): a task fetches, this thread collects and puts in place.
//!
//! One page is in memory, one is on its way. The thread says that the run is alive, looks whether it is told to stop, and
//! notes what the run came to.

mod schedule;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{Column, ColumnType, Pagination, RestSource, Sync, SyncMode};
use gatepost_sources::error::{Code, SourceError};
use gatepost_sources::paging::Window;
use gatepost_sources::rows::RowReader;
use gatepost_store::data::{
    Claimed, DataStore, SyncClaim, SyncError, SyncState, SyncTarget, TableSync, table_drift,
};
use gatepost_store::logs::SyncRun;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::App;
use super::clock::random_bytes;
use super::sources::read_values;
use crate::outbound::{Fetch, FetchFacts};

pub use schedule::Scheduler;

/// How soon a run hears that it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What an interrupted run collected is of use to the next one for this long.
const FRESH_MS: i64 = 3_600_000;

/// Why a run is made.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// The source.
    pub source: Arc<RestSource>,
    /// What began it: `schedule`, `command`, `script`.
    pub trigger: &'static str,
    /// Fetch everything, whatever the cursor says.
    pub full: bool,
    /// Make the table if it is missing, whatever the definition says.
    pub create_table: bool,
    /// When the newest run that is known of began; another one makes this one unnecessary.
    pub newest_ms: Option<i64>,
}

impl SyncRequest {
    /// A run that somebody asked for.
    pub fn asked(source: &Arc<RestSource>, trigger: &'static str) -> Self {
        Self { source: Arc::clone(source), trigger, full: false, create_table: false, newest_ms: None }
    }
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncProgress {
    /// Rows that came, those of an interrupted run included.
    pub rows: u64,
    /// Requests to the API.
    pub requests: u32,
    /// Bytes of the answers.
    pub bytes: u64,
    /// Everything came; it is being put in place.
    pub applies: bool,
}

/// Why a run came to nothing. The table is as it was.
#[derive(Debug)]
pub enum SyncFailure {
    /// Another run is under way, or was made meanwhile.
    Taken(Box<SyncState>),
    /// The API, or the definition.
    Source(SourceError),
    /// The table.
    Table(SyncError),
    /// It was told to stop. What it collected stays for the next run where it can go on from there.
    Stopped,
}

impl SyncFailure {
    /// A stable word.
    pub fn code(&self) -> String {
        match self {
            Self::Taken(_) => "run_under_way".into(),
            Self::Source(error) => error.code.to_string(),
            Self::Table(SyncError::Unavailable(_)) => "data_unavailable".into(),
            Self::Table(SyncError::Refused(_)) => "table_refused".into(),
            Self::Table(SyncError::LeaseLost) => "lease_lost".into(),
            Self::Table(SyncError::KeyMissing { .. }) => "key_missing".into(),
            Self::Stopped => "stopped".into(),
        }
    }
}

impl std::fmt::Display for SyncFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Taken(_) => f.write_str("another run of this source is under way"),
            Self::Source(error) => error.fmt(f),
            Self::Table(error) => error.fmt(f),
            Self::Stopped => f.write_str("it was told to stop"),
        }
    }
}

impl From<SourceError> for SyncFailure {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<SyncError> for SyncFailure {
    fn from(error: SyncError) -> Self {
        Self::Table(error)
    }
}

impl App {
    /// Synchronizes a source and notes the run. Blocks; not to be called within a task of `runtime`, on which it fetches.
    pub fn synchronize(
        &self,
        runtime: &Handle,
        request: &SyncRequest,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(SyncProgress),
    ) -> Result<SyncRun, SyncFailure> {
        let source = &request.source;
        let Some(sync) = &source.sync else {
            let detail = "the definition has no `sync`";
            return Err(SourceError::new(Code::DefinitionBroken).with_detail(detail).into());
        };
        let started = Instant::now();
        let schema = self.catalog().schemas.get(&source.schema_id).map(|schema| schema.name.clone());
        let schema = schema.unwrap_or_default();
        let unavailable = |error: anyhow::Error| SyncError::Unavailable(format!("{error:#}"));
        let data = self.data(&schema).map_err(unavailable)?;
        let mut record = SyncRun {
            begun_ms: self.clock.now_ms(),
            schema,
            source: source.name.clone(),
            table: sync.table.clone(),
            trigger: request.trigger.into(),
            holder: format!("{:016x}", u64::from_le_bytes(random_bytes())),
            ..SyncRun::default()
        };
        let claimed = self.claim(&data, sync, request, &record);
        let outcome = match claimed {
            Ok(Claimed::Taken(state)) => return Err(SyncFailure::Taken(Box::new(state))),
            Ok(Claimed::Ours(table)) => {
                self.note_interrupted(&record, table.before());
                let mut run = Run { app: self, request, sync, record: &mut record, stop, progress };
                run.collect_and_apply(runtime, *table)
            }
            Err(error) => Err(error.into()),
        };
        record.duration_ms = Some(started.elapsed().as_millis() as i64);
        match &outcome {
            Ok(()) => record.outcome = "done".into(),
            Err(SyncFailure::Stopped) => record.outcome = "stopped".into(),
            Err(failure) => {
                record.outcome = "failed".into();
                record.code = Some(failure.code());
                record.message = Some(failure.to_string());
            }
        }
        self.logs.note_run(record.clone());
        outcome.map(|()| record)
    }

    /// What has to be run so that the table of a source has its columns; nothing when it fits. Blocks.
    pub fn sync_drift(&self, source: &RestSource) -> Result<Vec<String>, String> {
        let Some(sync) = &source.sync else { return Ok(Vec::new()) };
        let schema = self.catalog().schemas.get(&source.schema_id).map(|schema| schema.name.clone());
        let data = self.data(&schema.unwrap_or_default()).map_err(|error| format!("{error:#}"))?;
        let mut session = data.session().map_err(|error| error.to_string())?;
        let relations = session.relations().map_err(|error| error.to_string())?;
        let table = relations.iter().find(|relation| relation.name.eq_ignore_ascii_case(&sync.table));
        let existing: Option<Vec<String>> =
            table.map(|table| table.columns.iter().map(|column| column.name.clone()).collect());
        Ok(table_drift(data.dialect(), &target(source, sync), existing.as_deref()))
    }

    fn claim(
        &self,
        data: &DataStore,
        sync: &Sync,
        request: &SyncRequest,
        record: &SyncRun,
    ) -> Result<Claimed, SyncError> {
        let source = &request.source;
        let create_table = sync.create_table || request.create_table;
        let target = SyncTarget { create_table, ..target(source, sync) };
        let kind = if request.full { "full" } else { "new" };
        // A server that was moved has other rows.
        let catalog = self.catalog();
        let server = catalog.remote_servers_of(source.schema_id).find(|server| server.name == source.server);
        let server_ms = server.map_or(0, |server| server.audit.updated_on_ms);
        let claim = SyncClaim {
            holder: record.holder.clone(),
            now_ms: record.begun_ms,
            lease_ms: i64::from(self.config.sync.lease_seconds) * 1_000,
            newest_ms: request.newest_ms,
            version: format!("{} {server_ms} {kind}", source.audit.updated_on_ms),
            fresh_ms: record.begun_ms - FRESH_MS,
        };
        TableSync::claim(data, &target, &claim)
    }

    /// A run whose process ended said nothing; whoever takes its lease says it.
    fn note_interrupted(&self, record: &SyncRun, before: &SyncState) {
        let Some(holder) = &before.holder else { return };
        self.logs.note_run(SyncRun {
            begun_ms: before.begun_ms,
            holder: holder.clone(),
            trigger: "unknown".into(),
            outcome: "interrupted".into(),
            message: Some("its process ended before the run did".into()),
            ..record.clone()
        });
    }
}

fn target(source: &RestSource, sync: &Sync) -> SyncTarget {
    SyncTarget {
        source_id: source.id,
        source: source.name.clone(),
        table: sync.table.clone(),
        create_table: sync.create_table,
        mode: sync.mode,
        delete_missing: sync.delete_missing,
        columns: columns(source),
        primary_key: source.rows.primary_key.clone(),
    }
}

/// Columns that are copied: those that the answer has.
fn columns(source: &RestSource) -> Vec<(String, ColumnType)> {
    RowReader::new(&source.rows).columns().map(|(name, kind)| (name.to_owned(), kind)).collect()
}

/// What the fetching task says.
enum Said {
    Page { rows: Vec<Vec<Datum>>, facts: FetchFacts, mismatches: u64 },
    End { facts: FetchFacts },
    Failed(SourceError),
}

/// A run under way.
struct Run<'a> {
    app: &'a App,
    request: &'a SyncRequest,
    sync: &'a Sync,
    record: &'a mut SyncRun,
    stop: &'a AtomicBool,
    progress: &'a mut dyn FnMut(SyncProgress),
}

/// The mark: the greatest value of the cursor's column, and where that column is.
struct Mark {
    column: usize,
    /// Rows up to this value were appended by earlier runs.
    above: Option<Datum>,
    greatest: Option<Datum>,
}

impl Run<'_> {
    fn collect_and_apply(&mut self, runtime: &Handle, mut table: TableSync) -> Result<(), SyncFailure> {
        self.record.resumed_at = table.resumed_at().map(|row| row as i64);
        let mut mark = self.mark(&table);
        let collected = self.collect(runtime, &mut table, &mut mark);
        if let Err(failure) = collected {
            if matches!(failure, SyncFailure::Source(SourceError { code: Code::RowsTruncated, .. })) {
                // Going on from there would meet the same limit.
                table.forget();
            }
            table.abandon();
            return Err(failure);
        }
        let facts = SyncProgress {
            rows: self.record.counts.fetched,
            requests: self.record.counts.requests as u32,
            bytes: self.record.counts.bytes,
            applies: true,
        };
        (self.progress)(facts);
        let kept = table.before().mark.clone().filter(|_| self.is_own_mark(table.before()));
        let reached = mark.and_then(|mark| mark.greatest).and_then(|datum| datum.plain().map(str::to_owned));
        let counts = table.apply(self.app.clock.now_ms(), &self.mark_of(), reached.or(kept).as_deref())?;
        let own = &mut self.record.counts;
        (own.inserted, own.updated, own.deleted) = (counts.inserted, counts.updated, counts.deleted);
        Ok(())
    }

    /// Another table, or another column, has another mark.
    fn mark_of(&self) -> String {
        let column = self.sync.cursor.as_ref().map_or("", |cursor| cursor.column.as_str());
        format!("{} {column}", self.sync.table)
    }

    fn is_own_mark(&self, state: &SyncState) -> bool {
        state.mark_of.as_deref() == Some(&self.mark_of())
    }

    /// The cursor at the beginning of the run.
    fn mark(&self, table: &TableSync) -> Option<Mark> {
        let cursor = self.sync.cursor.as_ref()?;
        let columns = columns(&self.request.source);
        let column = columns.iter().position(|(name, _)| *name == cursor.column)?;
        let read = |text: &str| Datum::from_text(columns[column].1, text).ok();
        let before = table.before().mark.as_deref().filter(|_| self.is_own_mark(table.before()));
        let before = before.and_then(read);
        let known = if self.request.full { None } else { before.clone() };
        let above = known.filter(|_| self.sync.mode == SyncMode::Append);
        Some(Mark { column, above, greatest: later(before, table.staged_mark().and_then(read)) })
    }

    fn collect(
        &mut self,
        runtime: &Handle,
        table: &mut TableSync,
        mark: &mut Option<Mark>,
    ) -> Result<(), SyncFailure> {
        let source = &self.request.source;
        let resumed_at = table.resumed_at().unwrap_or(0);
        let mut fetch = self.fetch(table, resumed_at)?;
        // Where a fetch goes on by the number of a row, it can go on later.
        let can_resume = matches!(source.pagination, Pagination::Ords(_) | Pagination::Offset(_));
        let (sender, mut pages) = mpsc::channel(1);
        let task = runtime.spawn(async move {
            while let Some(said) = next(&mut fetch).await {
                let is_last = !matches!(said, Said::Page { .. });
                if sender.send(said).await.is_err() || is_last {
                    return;
                }
            }
        });
        let _ends_with_this = Abort(task);
        let renew = Duration::from_secs(u64::from(self.app.config.sync.lease_seconds)) / 3;
        let mut renewed = Instant::now();
        self.record.counts.fetched = resumed_at;
        loop {
            if self.stop.load(Ordering::Acquire) {
                self.write(table, can_resume, mark.as_ref())?;
                return Err(SyncFailure::Stopped);
            }
            let said = runtime.block_on(async { tokio::time::timeout(LOOK_EVERY, pages.recv()).await });
            let mut full = false;
            match said {
                Ok(Some(Said::Page { rows, facts, mismatches })) => {
                    full = self.take(table, mark, rows)?;
                    self.count(&facts);
                    self.record.counts.mismatches = mismatches;
                }
                Ok(Some(Said::End { facts })) => {
                    self.count(&facts);
                    let Some(limit) = facts.truncated else { return Ok(()) };
                    let detail = format!("limits.{} was reached", limit.as_str());
                    return Err(SourceError::new(Code::RowsTruncated).with_detail(detail).into());
                }
                Ok(Some(Said::Failed(error))) => {
                    self.write(table, can_resume, mark.as_ref())?;
                    return Err(error.into());
                }
                // The task ends by saying something.
                Ok(None) => return Err(SyncFailure::Stopped),
                Err(_) => {}
            }
            if full || renewed.elapsed() >= renew {
                self.write(table, can_resume, mark.as_ref())?;
                renewed = Instant::now();
            }
        }
    }

    fn fetch(&self, table: &TableSync, resumed_at: u64) -> Result<Fetch, SyncFailure> {
        let source = &self.request.source;
        let ready = self.app.ready_source(source, 0)?;
        let mut values = read_values(source, &[])?;
        if let Some(cursor) = &self.sync.cursor
            && !self.request.full
            && self.is_own_mark(table.before())
            && let Some(mark) = &table.before().mark
            && let Some(kind) = source.rows.column(&cursor.column).and_then(Column::kind)
            && let Ok(datum) = Datum::from_text(kind, mark)
        {
            values.set(&cursor.param, datum.earlier(cursor.overlap_ms));
        }
        let window = Window { offset: resumed_at, limit: None };
        Ok(Fetch::new(&self.app.outbound, ready, &values, &[], window, super::sources::system_ms)?)
    }

    /// Takes the rows of a page; says whether what waits is worth a transaction.
    fn take(
        &mut self,
        table: &mut TableSync,
        mark: &mut Option<Mark>,
        mut rows: Vec<Vec<Datum>>,
    ) -> Result<bool, SyncFailure> {
        self.record.counts.fetched += rows.len() as u64;
        if let Some(mark) = mark {
            rows.retain(|row| mark.is_new(&row[mark.column]));
            for row in &rows {
                mark.greatest = later(mark.greatest.take(), Some(row[mark.column].clone()));
            }
        }
        Ok(table.add(&rows)?)
    }

    fn count(&mut self, facts: &FetchFacts) {
        let counts = &mut self.record.counts;
        (counts.requests, counts.bytes) = (u64::from(facts.requests), facts.bytes);
        (self.progress)(SyncProgress {
            rows: counts.fetched,
            requests: facts.requests,
            bytes: facts.bytes,
            applies: false,
        });
    }

    fn write(&self, table: &mut TableSync, can_resume: bool, mark: Option<&Mark>) -> Result<(), SyncFailure> {
        let position = can_resume.then_some(self.record.counts.fetched);
        let mark = mark.and_then(|mark| mark.greatest.as_ref()).and_then(Datum::plain);
        Ok(table.flush(self.app.clock.now_ms(), position, mark)?)
    }
}

impl Mark {
    /// Whether earlier runs did not append a row with this value.
    fn is_new(&self, datum: &Datum) -> bool {
        let order = self.above.as_ref().and_then(|above| datum.compare(above));
        order != Some(std::cmp::Ordering::Less) && order != Some(std::cmp::Ordering::Equal)
    }
}

/// The greater of two values; NULL is none.
fn later(one: Option<Datum>, other: Option<Datum>) -> Option<Datum> {
    let (one, other) = (one.filter(|it| !it.is_null()), other.filter(|it| !it.is_null()));
    match (one, other) {
        (Some(one), Some(other)) if other.compare(&one) == Some(std::cmp::Ordering::Greater) => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

async fn next(fetch: &mut Fetch) -> Option<Said> {
    let page = fetch.next_page().await;
    let facts = fetch.facts().clone();
    let mismatches = fetch.report().mismatches.values().sum();
    Some(match page {
        Ok(Some(rows)) => Said::Page { rows, facts, mismatches },
        Ok(None) => Said::End { facts },
        Err(error) => Said::Failed(error),
    })
}

/// Ends a task with its run.
struct Abort(tokio::task::JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}
