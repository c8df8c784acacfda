//! What came of a script, or of a look at a plan.

use std::fmt::Write as _;
use std::time::Duration;

use gatepost_store::data::{PlanStep, SessionValue};
use maud::{Markup, html};

use super::super::clients;
use crate::console::signed_in::InSchema;
use crate::console::ui::{self, Tone};
use crate::script::{Event, ScriptFailure};

/// Rows that one answer shows, of all queries together.
const ROWS_MAX: usize = 10_000;

/// Bytes of the values that one answer shows.
const BYTES_MAX: usize = 4 << 20;

/// Messages that one answer shows.
const MESSAGES_MAX: usize = 1_000;

/// Characters of a value that are shown.
const CELL_LENGTH_MAX: usize = 1_000;

/// What was asked for, and what came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A script ran.
    Ran(Done),
    /// The plan of a query, or why there is none.
    Plan(Result<Vec<PlanStep>, String>),
}

/// What a script did.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) sql: String,
    pub(super) dry_run: bool,
    pub(super) elapsed: Duration,
    /// Lines of the editor before what was run.
    first_line: u32,
    /// The summary of services that were made or changed.
    pub(super) report: String,
    results: Vec<Rows>,
    messages: Vec<(Tone, String)>,
    /// Clients that the script made or changed.
    clients: Vec<String>,
    failure: Option<(u32, String)>,
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Rows {
    columns: Vec<String>,
    all: Vec<Vec<SessionValue>>,
    truncated: bool,
}

impl Done {
    /// Nothing yet, of a script that begins after so many lines of the editor.
    pub(super) fn new(dry_run: bool, first_line: u32) -> Self {
        Self { dry_run, first_line, ..Self::default() }
    }

    /// Takes in what happens, within limits.
    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::Rows { columns, rows, truncated } => self.note_rows(columns, rows, truncated),
            Event::Affected { verb, rows: Some(rows) } => {
                self.say(Tone::Good, format!("{verb}: {}", ui::plural(rows as usize, "row")));
            }
            Event::Affected { verb, rows: None } => self.say(Tone::Good, format!("{verb}: done")),
            Event::Output(line) => self.say(Tone::Plain, line),
            Event::Note { line, text } => {
                self.say(Tone::Info, format!("line {}: {text}", line + self.first_line));
            }
            Event::BlockDone { line, changes } => {
                self.say(Tone::Good, format!("block at line {}: done", line + self.first_line));
                for change in changes {
                    let client = change.strip_prefix("client ").and_then(|rest| rest.rsplit_once(": "));
                    self.clients.extend(client.map(|(name, _)| name.to_owned()));
                    self.say(Tone::Good, change);
                }
            }
        }
    }

    fn note_rows(&mut self, columns: Vec<String>, rows: Vec<Vec<SessionValue>>, truncated: bool) {
        let (before, all) = (self.rows, rows.len());
        let mut kept = Vec::new();
        for row in rows {
            let bytes: usize = row.iter().map(|value| shown(value).map_or(4, |text| text.len())).sum();
            if self.rows >= ROWS_MAX || self.bytes + bytes > BYTES_MAX {
                break;
            }
            self.rows += 1;
            self.bytes += bytes;
            kept.push(row);
        }
        let truncated = truncated || self.rows - before < all;
        self.say(Tone::Good, format!("query: {}", ui::plural(all, "row")));
        self.results.push(Rows { columns, all: kept, truncated });
    }

    fn say(&mut self, tone: Tone, text: String) {
        if self.messages.len() < MESSAGES_MAX {
            self.messages.push((tone, text));
        }
    }

    /// Takes in why the script stopped.
    pub(super) fn fail(&mut self, failure: &ScriptFailure) {
        let line = failure.diagnostic.position.line + self.first_line;
        self.failure = Some((line, failure.to_string()));
    }

    /// Whether the script ran to its end.
    pub(super) fn succeeded(&self) -> bool {
        self.failure.is_none()
    }

    /// Rows of all queries.
    pub(super) fn row_count(&self) -> usize {
        self.rows
    }
}

impl Outcome {
    /// The panel that shows what was asked for.
    pub(super) fn tab(&self) -> &'static str {
        match self {
            Self::Plan(_) => "explain",
            Self::Ran(done) if done.succeeded() && !done.results.is_empty() => "results",
            Self::Ran(_) => "messages",
        }
    }

    pub(super) fn is_failure(&self) -> bool {
        match self {
            Self::Plan(plan) => plan.is_err(),
            Self::Ran(done) => !done.succeeded(),
        }
    }

    pub(super) fn result_count(&self) -> usize {
        if let Self::Ran(done) = self { done.results.len() } else { 0 }
    }

    pub(super) fn message_count(&self) -> usize {
        if let Self::Ran(done) = self { done.messages.len() } else { 0 }
    }

    /// A line above the panels.
    pub(super) fn summary(&self) -> Markup {
        let Self::Ran(done) = self else { return html! {} };
        html! {
            p.ran {
                @if let Some((line, _)) = &done.failure {
                    span data-mark-line=(line) { (ui::badge(Tone::Bad, "circle-x", format_args!("stopped at line {line}"))) }
                } @else { (ui::badge(Tone::Good, "circle-check", "done")) }
                @if done.dry_run { (ui::badge(Tone::Info, "info", "dry run: nothing was kept")) }
                span.dim { "in " (milliseconds(done.elapsed)) " ms" }
            }
        }
    }

    pub(super) fn results(&self, page: &InSchema) -> Markup {
        let Self::Ran(done) = self else { return super::nothing_yet() };
        html! {
            @if done.results.is_empty() { (ui::empty("No query was run: see Messages.", &html! {})) }
            @for (number, result) in done.results.iter().enumerate() { (grid(page, done, number, result)) }
        }
    }

    pub(super) fn messages(&self, page: &InSchema) -> Markup {
        let Self::Ran(done) = self else { return super::nothing_yet() };
        html! {
            div.said {
                @if let Some((_, text)) = &done.failure {
                    div.call.bad role="alert" { (ui::icon("circle-x")) pre.code tabindex="0" role="region" aria-label="Error" { (text) } }
                }
                @if !done.dry_run { @for card in secrets(page, &done.clients) { (card) } }
                @if !done.report.is_empty() { pre.code tabindex="0" role="region" aria-label="Services" { (done.report) } }
                @if done.messages.is_empty() && done.succeeded() { p.soft { "Nothing to say: there was no statement." } }
                ol { @for (tone, text) in &done.messages { li { (mark(*tone)) span.mono { (text) } } } }
                @if done.messages.len() == MESSAGES_MAX { p.soft { "Only the first " (MESSAGES_MAX) " messages are shown." } }
            }
        }
    }

    pub(super) fn plan(&self) -> Markup {
        let steps = match self {
            Self::Ran(_) => return super::no_plan(),
            Self::Plan(Err(error)) => return html! { div.said { (ui::problem(error)) } },
            Self::Plan(Ok(steps)) => steps,
        };
        html! {
            ol.plan { @for step in steps { li.{ "in" (step.depth.min(12)) } {
                span.mono { (step.text) } " "
                @if step.reads_all { (ui::badge(Tone::Warn, "triangle-alert", "reads all rows")) }
            } } }
        }
    }
}

/// The secrets of clients that were made just now, while they can be read.
fn secrets(page: &InSchema, names: &[String]) -> Vec<Markup> {
    // Newer than the page's own, which is from before the script.
    let snapshot = page.console.app().snapshot();
    let client =
        |name: &String| snapshot.catalog.clients_of(page.schema.id).find(|client| client.name == *name);
    let mut names: Vec<&String> = names.iter().collect();
    names.dedup();
    names.into_iter().filter_map(client).filter_map(|client| clients::readable(page, client)).collect()
}

fn grid(page: &InSchema, done: &Done, number: usize, result: &Rows) -> Markup {
    let name = format!("Result {}", number + 1);
    let table = html! {
        table.t.dense {
            thead { tr { @for (at, column) in result.columns.iter().enumerate() {
                @let kind = kind_of(result, at);
                th scope="col" .n[kind == "number"] { (column) @if !kind.is_empty() { " " small { (kind) } } }
            } } }
            tbody { @for row in &result.all { tr { @for value in row {
                td .n[is_number(value)] .mono[matches!(value, SessionValue::Blob(_))] {
                    @match shown(value) { Some(text) => (text), None => span.null { "null" } }
                }
            } } } }
        }
    };
    html! {
        (ui::scroll(&name, &table))
        div.pbar {
            span.dim {
                (ui::plural(result.all.len(), "row")) @if result.truncated { ", and there are more" }
            }
            form.r method="post" action=(page.path("sql/download")) {
                (page.csrf_field())
                input type="hidden" name="sql" value=(done.sql);
                input type="hidden" name="number" value=(number);
                button.btn.sm type="submit" name="format" value="csv" { (ui::icon("download")) "CSV" }
                button.btn.sm type="submit" name="format" value="json" { (ui::icon("download")) "JSON" }
            }
        }
    }
}

fn is_number(value: &SessionValue) -> bool {
    matches!(value, SessionValue::Integer(_) | SessionValue::Real(_) | SessionValue::Number(_))
}

/// What the values of a column are; nothing if all are null.
fn kind_of(result: &Rows, column: usize) -> &'static str {
    let values = result.all.iter().filter_map(|row| row.get(column));
    let first = values.into_iter().find(|value| !matches!(value, SessionValue::Null));
    match first {
        None | Some(SessionValue::Null) => "",
        Some(SessionValue::Text(_)) => "text",
        Some(SessionValue::Boolean(_)) => "boolean",
        Some(SessionValue::Blob(_)) => "bytes",
        Some(_) => "number",
    }
}

/// A value as the grid shows it; nothing for NULL.
fn shown(value: &SessionValue) -> Option<String> {
    Some(match value {
        SessionValue::Null => return None,
        SessionValue::Integer(number) => number.to_string(),
        SessionValue::Real(number) => number.to_string(),
        SessionValue::Boolean(flag) => flag.to_string(),
        SessionValue::Number(text) | SessionValue::Text(text) => cut(text),
        SessionValue::Blob(bytes) => {
            let mut text = String::new();
            for byte in bytes.iter().take(32) {
                // Writing to a string cannot fail.
                let _ = write!(text, "{byte:02x}");
            }
            if bytes.len() > 32 { format!("{text}… ({} bytes)", bytes.len()) } else { text }
        }
    })
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_LENGTH_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn mark(tone: Tone) -> Markup {
    match tone {
        Tone::Good => ui::icon("check"),
        Tone::Plain => ui::icon("chevron-right"),
        Tone::Info | Tone::Warn | Tone::Bad => ui::icon("info"),
    }
}

fn milliseconds(elapsed: Duration) -> String {
    let ms = elapsed.as_secs_f64() * 1_000.0;
    if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}
