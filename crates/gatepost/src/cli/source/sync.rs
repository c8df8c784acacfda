//! `gatepost source sync` and `gatepost source runs`.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use gatepost_store::data::{SessionValue, sync_state};
use gatepost_store::logs::SyncRun;
use tokio::runtime::Handle;

use super::super::terminal::{Unwritten, say, tell, tell_in_place};
use super::super::{Place, table};
use super::{Format, Named, explained};
use crate::app::App;
use crate::app::clock::rfc3339;
use crate::app::synchronize::{SyncFailure, SyncProgress, SyncRequest};

/// How often progress is told to somebody who sees it, and to a file.
const TOLD_EVERY: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gatepost source sync hr_employees --schema intranet --data gatepost-demo

The table shows all of a run or nothing of it. A run that was interrupted can be run again; it goes on from
where it was if the API pages by row numbers.")]
pub(super) struct Sync {
    #[command(flatten)]
    named: Named,
    /// Fetch everything, whatever the cursor says.
    #[arg(long)]
    full: bool,
    /// Make the table by the source's columns if it is missing.
    #[arg(long)]
    create_table: bool,
}

impl Sync {
    pub(super) fn run(self, runtime: &Handle) -> anyhow::Result<()> {
        let (app, source) = self.named.find()?;
        if source.sync.is_none() {
            bail!("REST source {} has no `sync` in its definition: no table is named", source.name);
        }
        let request = SyncRequest {
            full: self.full,
            create_table: self.create_table,
            ..SyncRequest::asked(&source, "command")
        };
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        runtime.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                told.store(true, Ordering::Release);
            }
        });
        match synchronize(&app, runtime, &request, &stop) {
            Ok(run) => Ok(say(run)?),
            Err(SyncFailure::Source(error)) => Err(explained(&error)),
            Err(failure @ SyncFailure::Table(_)) if !self.create_table => {
                let hint = "fix: see that the table and its columns are there, or give --create-table";
                bail!("{}: {failure}\n  {hint}", failure.code())
            }
            Err(failure) => bail!("{}: {failure}", failure.code()),
        }
    }
}

/// Runs a synchronization. The lease of a process that ended is not renewed any more: it is waited for. A run that
/// lives renews it, and is not waited for.
fn synchronize(
    app: &App,
    runtime: &Handle,
    request: &SyncRequest,
    stop: &AtomicBool,
) -> Result<SyncRun, SyncFailure> {
    let until = Instant::now() + Duration::from_secs(u64::from(app.config.sync.lease_seconds) + 2);
    let mut shown = Shown::default();
    let mut lease = None;
    loop {
        let outcome = app.synchronize(runtime, request, stop, &mut |progress| shown.tell(progress));
        shown.end();
        match &outcome {
            Err(SyncFailure::Taken(state))
                if lease.is_none_or(|known| known == state.lease_until_ms)
                    && Instant::now() < until
                    && !stop.load(Ordering::Acquire) =>
            {
                lease = Some(state.lease_until_ms);
            }
            _ => return outcome,
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Progress on standard error: one line that changes on a terminal, else a line now and then.
#[derive(Default)]
struct Shown {
    at: Option<Instant>,
    open: bool,
}

impl Shown {
    fn tell(&mut self, progress: SyncProgress) {
        let on_terminal = std::io::stderr().is_terminal();
        let every = TOLD_EVERY[usize::from(!on_terminal)];
        let first = *self.at.get_or_insert_with(Instant::now);
        if first.elapsed() < every && !(progress.applies && self.open) {
            return;
        }
        self.at = Some(Instant::now());
        let SyncProgress { rows, requests, bytes, applies } = progress;
        let doing = if applies { "putting in place" } else { "fetching" };
        let text = format!("{doing}: {rows} rows, {requests} requests, {} KiB", bytes / 1024);
        if on_terminal {
            tell_in_place(text);
            self.open = true;
        } else {
            tell(text);
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            tell_in_place("");
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gatepost source runs hr_employees --schema intranet --data gatepost-demo")]
pub(super) struct Runs {
    #[command(flatten)]
    place: Place,
    /// The schema that the source belongs to.
    #[arg(long, value_name = "NAME")]
    schema: String,
    /// The source; all of the schema's without it.
    #[arg(value_name = "SOURCE")]
    source: Option<String>,
    /// How many, the newest first.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// How runs are printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

const COLUMNS: [&str; 14] = [
    "begun",
    "source",
    "table",
    "trigger",
    "outcome",
    "code",
    "ms",
    "fetched",
    "inserted",
    "updated",
    "deleted",
    "mismatches",
    "requests",
    "message",
];

impl Runs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        let schema = self.schema.to_ascii_lowercase();
        if app.catalog().schema_by_name(&schema).is_none() {
            bail!("there is no schema `{}`", self.schema);
        }
        if let Some(source) = &self.source {
            tell_of_the_living(&app, &schema, source);
        }
        let runs = app.logs.list_runs(&schema, self.source.as_deref(), self.limit)?;
        let columns = COLUMNS.map(str::to_owned);
        let rows: Vec<_> = runs.iter().map(row).collect();
        let mut out = std::io::stdout().lock();
        match self.format {
            Format::Table => table::write(&mut out, &columns, &rows),
            Format::Csv => table::write_csv(&mut out, &columns, &rows),
            Format::Json => table::write_json(&mut out, &columns, &rows),
        }
        .map_err(Unwritten::from)?;
        Ok(())
    }
}

/// Says that a run is under way, at whichever node. The log has it when it is over.
fn tell_of_the_living(app: &App, schema: &str, source: &str) {
    let catalog = app.catalog();
    let id = catalog.schema_by_name(schema).map(|schema| schema.id);
    let found = id.and_then(|id| app.rest_source(id, source));
    let state = found.and_then(|source| sync_state(&app.data(schema).ok()?, source.id).ok());
    let now_ms = app.clock.now_ms();
    if let Some(state) = state.filter(|state| state.holder.is_some() && state.lease_until_ms > now_ms) {
        tell(format_args!("a run that began at {} is under way", rfc3339(state.begun_ms)));
    }
}

fn row(run: &SyncRun) -> Vec<SessionValue> {
    let text = |text: &str| SessionValue::Text(text.to_owned());
    let optional = |value: &Option<String>| value.as_deref().map_or(SessionValue::Null, text);
    let count = |number: u64| SessionValue::Integer(number as i64);
    let counts = &run.counts;
    vec![
        text(&rfc3339(run.begun_ms)),
        text(&run.source),
        text(&run.table),
        text(&run.trigger),
        text(&run.outcome),
        optional(&run.code),
        run.duration_ms.map_or(SessionValue::Null, SessionValue::Integer),
        count(counts.fetched),
        count(counts.inserted),
        count(counts.updated),
        count(counts.deleted),
        count(counts.mismatches),
        count(counts.requests),
        optional(&run.message),
    ]
}
