//! `gatepost source`: REST sources from the terminal.

mod define;
mod discover;
mod sync;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{ColumnType, RestSource};
use gatepost_sources::error::SourceError;
use gatepost_sources::filter::Wanted;
use gatepost_sources::paging::Window;
use gatepost_store::data::SessionValue;
use serde_json::Value;

use define::Define;
use discover::Discover;
use sync::{Runs, Sync};

use super::terminal::{Unwritten, say, tell};
use super::{Place, table};
use crate::app::App;
use crate::app::source_test::TestStep;
use crate::app::sources::RowsWanted;
use crate::outbound::{FetchFacts, ReadySource};

/// Propose, define and test REST sources, read their rows, copy them into tables.
#[derive(Debug, Args)]
pub(super) struct Source {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Call a source step by step and say where it fails and what to do about it.
    Test(Test),
    /// Print the rows of a source.
    Rows(Rows),
    /// Propose the definition of a source from what an API answers.
    Discover(Discover),
    /// Load remote servers, credentials and sources from a TOML file.
    Define(Define),
    /// Copy the rows of a source into its table.
    Sync(Sync),
    /// Show the newest synchronizations that this machine ran.
    Runs(Runs),
}

/// A source of an installation.
#[derive(Debug, Args)]
struct Named {
    #[command(flatten)]
    place: Place,
    /// The schema that the source belongs to.
    #[arg(long, value_name = "NAME")]
    schema: String,
    /// The source.
    #[arg(value_name = "SOURCE")]
    source: String,
}

/// A source that is called.
#[derive(Debug, Args)]
struct Called {
    #[command(flatten)]
    named: Named,
    /// A parameter of the source; may be given several times.
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = parse_parameter)]
    parameters: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gatepost source test hr_employees --schema intranet --data gatepost-demo")]
struct Test {
    #[command(flatten)]
    called: Called,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gatepost source rows hr_employees --schema intranet --data gatepost-demo --format csv > employees.csv")]
struct Rows {
    #[command(flatten)]
    called: Called,
    /// How rows are printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Rows at most; without it, as many as the source's limits allow.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Aligned columns.
    Table,
    /// An array of objects.
    Json,
    /// RFC 4180 with a header line.
    Csv,
}

fn parse_parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a parameter is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Source {
    /// The installation is opened, and closed, outside of the runtime: its stores may have runtimes of their own.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        match self.action {
            Action::Test(test) => {
                let (app, source) = test.called.named.find()?;
                runtime.block_on(test.run(&app, &source))
            }
            Action::Rows(rows) => {
                let (app, source) = rows.called.named.find()?;
                runtime.block_on(rows.run(&app, &source))
            }
            Action::Discover(discover) => discover.run(&runtime),
            Action::Define(define) => define.run(),
            Action::Sync(sync) => sync.run(runtime.handle()),
            Action::Runs(runs) => runs.run(),
        }
    }
}

impl Named {
    fn find(&self) -> anyhow::Result<(App, Arc<RestSource>)> {
        find(&self.place, &self.schema, &self.source)
    }
}

/// Opens the installation and finds the source.
fn find(place: &Place, schema: &str, source: &str) -> anyhow::Result<(App, Arc<RestSource>)> {
    let app = place.open()?;
    let snapshot = Arc::clone(&app.snapshot());
    let found = snapshot.catalog.schema_by_name(&schema.to_ascii_lowercase());
    let schema = found.with_context(|| format!("there is no schema `{schema}`"))?;
    let Some(source) = app.rest_source(schema.id, source) else {
        let known: Vec<_> =
            snapshot.catalog.rest_sources_of(schema.id).map(|source| source.name.as_str()).collect();
        bail!(
            "schema {} has no REST source `{source}`; there are: {}",
            schema.name,
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        );
    };
    Ok((app, source))
}

impl Test {
    async fn run(&self, app: &App, source: &Arc<RestSource>) -> anyhow::Result<()> {
        let (mut unwritten, mut failed) = (Ok(()), None);
        let parameters = &self.called.parameters;
        app.test_source(source, parameters, &mut |step| {
            if unwritten.is_ok() {
                unwritten = show(&step);
            }
            if let Err(error) = &step.outcome {
                failed = Some(format!("step {} ({}) failed: {}", step.number, step.label, error.code));
            }
        })
        .await;
        unwritten?;
        failed.map_or(Ok(()), |failed| Err(anyhow::anyhow!(failed)))
    }
}

/// Says what a step found, or where a test failed, why, and what to do.
fn show(step: &TestStep) -> Result<(), Unwritten> {
    let TestStep { number, label, outcome, lines, .. } = step;
    let error = match outcome {
        Ok(facts) => {
            say(format_args!("{number} {label:<10} ok     {facts}"))?;
            return lines.iter().try_for_each(|line| say(format_args!("           {line}")));
        }
        Err(error) => error,
    };
    say(format_args!("{number} {label:<10} FAILED {error}"))?;
    for (name, value) in [
        ("host", error.host.clone()),
        ("status", error.status.map(|status| status.to_string())),
        ("time", error.elapsed_ms.map(|ms| format!("{ms} ms"))),
        ("found", error.detail.clone()),
    ] {
        if let Some(value) = value {
            say(format_args!("           {name}: {value}"))?;
        }
    }
    say(format_args!("           fix: {}", error.code.hint()))
}

impl Rows {
    async fn run(&self, app: &App, source: &Arc<RestSource>) -> anyhow::Result<()> {
        let ready = app.ready_source(source, 0).map_err(|error| explained(&error))?;
        let window = Window { offset: 0, limit: self.limit };
        if source.rows.has_sql() {
            return self.run_with_sql(app, ready, window).await;
        }
        let mut fetch =
            app.fetch(ready, &self.called.parameters, window).map_err(|error| explained(&error))?;
        let mut out = self.out()?;
        let columns: Vec<(String, ColumnType)> =
            fetch.columns().map(|(name, kind)| (name.to_owned(), kind)).collect();
        let mut printer = Printer { format: self.format, columns, count: 0, pending: Vec::new() };
        printer.begin(&mut out)?;
        while let Some(page) = fetch.next_page().await.map_err(|error| explained(&error))? {
            printer.page(&mut out, page)?;
        }
        printer.end(&mut out)?;
        out.flush()?;
        drop(out);
        ended(fetch.report().mismatches.values().sum(), fetch.facts())
    }

    /// SQL is about all rows: they are printed when it is done.
    async fn run_with_sql(&self, app: &App, ready: ReadySource, window: Window) -> anyhow::Result<()> {
        let wanted = wanted(&self.called, window);
        let rows = app.source_rows(ready, &wanted).await.map_err(|error| explained(&error))?;
        let mut out = self.out()?;
        let mut printer =
            Printer { format: self.format, columns: rows.columns, count: 0, pending: Vec::new() };
        printer.begin(&mut out)?;
        printer.page(&mut out, rows.rows)?;
        printer.end(&mut out)?;
        out.flush()?;
        drop(out);
        ended(rows.mismatches, &rows.facts)
    }

    fn out(&self) -> anyhow::Result<Box<dyn io::Write>> {
        Ok(match &self.output {
            Some(file) => {
                let file = std::fs::File::create(file).with_context(|| file.display().to_string())?;
                Box::new(io::BufWriter::new(file))
            }
            None => Box::new(io::BufWriter::new(io::stdout().lock())),
        })
    }
}

/// New rows, as the definition has them.
fn wanted(called: &Called, window: Window) -> RowsWanted {
    let rows = Wanted { window, ..Wanted::default() };
    RowsWanted { parameters: called.parameters.clone(), rows, fresh: true, ..RowsWanted::default() }
}

/// Says what is missing of the rows that were printed.
fn ended(mismatches: u64, facts: &FetchFacts) -> anyhow::Result<()> {
    if mismatches > 0 {
        tell(format_args!("{mismatches} values did not fit their columns and became NULL"));
    }
    if let Some(limit) = facts.truncated {
        bail!("not all rows: limits.{} was reached", limit.as_str());
    }
    Ok(())
}

fn explained(error: &SourceError) -> anyhow::Error {
    let hint = error.code.hint();
    match &error.detail {
        Some(detail) => anyhow::anyhow!("{error}\n  found: {detail}\n  fix: {hint}"),
        None => anyhow::anyhow!("{error}\n  fix: {hint}"),
    }
}

/// Writes rows as they come; a table needs all of them.
struct Printer {
    format: Format,
    columns: Vec<(String, ColumnType)>,
    count: u64,
    pending: Vec<Vec<SessionValue>>,
}

impl Printer {
    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    fn begin(&self, out: &mut dyn io::Write) -> io::Result<()> {
        match self.format {
            Format::Table => Ok(()),
            Format::Json => out.write_all(b"["),
            Format::Csv => table::write_csv(&mut &mut *out, &self.names(), &[]),
        }
    }

    fn page(&mut self, out: &mut dyn io::Write, page: Vec<Vec<Datum>>) -> io::Result<()> {
        for row in page {
            match self.format {
                Format::Table => self.pending.push(row.iter().map(shown).collect()),
                Format::Csv => table::write_csv_row(out, &row.iter().map(shown).collect::<Vec<_>>())?,
                Format::Json => {
                    out.write_all(if self.count == 0 { b"\n " } else { b",\n " })?;
                    let members = self.columns.iter().zip(&row);
                    let members = members.map(|((name, _), datum)| {
                        format!("{}: {}", Value::from(name.as_str()), datum.to_json())
                    });
                    write!(out, "{{{}}}", members.collect::<Vec<_>>().join(", "))?;
                }
            }
            self.count += 1;
        }
        Ok(())
    }

    fn end(&self, out: &mut dyn io::Write) -> io::Result<()> {
        match self.format {
            Format::Table => table::write(&mut &mut *out, &self.names(), &self.pending),
            Format::Json if self.count == 0 => out.write_all(b"]\n"),
            Format::Json => out.write_all(b"\n]\n"),
            Format::Csv => Ok(()),
        }
    }
}

fn shown(datum: &Datum) -> SessionValue {
    match datum {
        Datum::Null => SessionValue::Null,
        Datum::Boolean(flag) => SessionValue::Boolean(*flag),
        Datum::Integer(digits) | Datum::Decimal(digits) => SessionValue::Number(digits.clone()),
        other => SessionValue::Text(other.plain().unwrap_or_default().to_owned()),
    }
}
