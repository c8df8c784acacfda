//! Copying a source into a table: what, how and when, runs under way and runs that were.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Path;
use gatepost_sources::definition::{Document, RestSource, Schedule, Sync, SyncMode};
use gatepost_store::data::sync_state;
use gatepost_store::logs::SyncRun;
use http::Response;
use maud::{Markup, html};

use super::super::{framed, path_of, propose, unaccepted};
use super::{ITEM, find, with_tabs};
use crate::app::synchronize::SyncRequest;
use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::jobs::Job;
use crate::console::shell;
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field, Tone};

/// Runs that are listed.
const RUNS: u32 = 50;

/// Times of coming runs that are shown.
const NEXT: usize = 3;

/// What is known of the table and of runs.
struct Facts {
    /// When the newest run began; 0: none did.
    newest_ms: i64,
    /// Whether a run is under way, at any node.
    under_way: bool,
    next: Vec<i64>,
    /// What the table needs, or why that is not known.
    drift: Result<Vec<String>, String>,
}

pub(super) async fn tab(
    page: &InSchema,
    source: &Arc<RestSource>,
    problem: Option<&str>,
) -> Result<Markup, Refused> {
    let facts = if source.sync.is_some() { Some(facts(page, source).await?) } else { None };
    Ok(html! {
        div.grid.c2 {
            section.card aria-labelledby="copied" {
                header { h2 #copied { "Copy into a table" } }
                (form(page, source, problem))
            }
            @if let (Some(sync), Some(facts)) = (&source.sync, &facts) {
                div.grid {
                    (runs_now(page, source, facts))
                    (schedule(page, sync, facts))
                    (drift(page, sync, facts))
                }
            }
        }
    })
}

async fn facts(page: &InSchema, source: &Arc<RestSource>) -> Result<Facts, Refused> {
    let (source, schema) = (Arc::clone(source), page.schema.name.clone());
    let look = move |app: &Arc<crate::app::App>| {
        let state = app.data(&schema).ok().and_then(|data| sync_state(&data, source.id).ok());
        let newest_ms = state.as_ref().map_or(0, |state| state.begun_ms);
        let now_ms = app.clock.now_ms();
        let under_way = state.is_some_and(|state| state.holder.is_some() && state.lease_until_ms > now_ms);
        Facts {
            newest_ms,
            under_way,
            next: app.next_runs(&source, newest_ms, NEXT),
            drift: app.sync_drift(&source),
        }
    };
    page.console.blocking(look).await
}

fn form(page: &InSchema, source: &RestSource, problem: Option<&str>) -> Markup {
    let sync = source.sync.as_ref();
    let (every, cron) = match sync.and_then(|sync| sync.schedule.as_ref()) {
        Some(Schedule::Every(ms)) => ((ms / 1_000).to_string(), ""),
        Some(Schedule::Cron(text)) => (String::new(), text.as_str()),
        None => (String::new(), ""),
    };
    let modes = SyncMode::ALL.iter().map(|mode| {
        (
            mode.as_str(),
            match mode {
                SyncMode::Append => "append: keep what is there, add all",
                SyncMode::Merge => "merge: by the primary key, change and add",
                SyncMode::Replace => "replace: what is there goes, in one transaction",
            },
        )
    });
    html! {
        form.form method="post" action={ (path_of(page, ITEM.0, &source.name)) "/sync" } data-guard {
            @if let Some(problem) = problem { (ui::problem(problem)) }
            (page.csrf_field())
            (Field { name: "table", label: "Table", value: sync.map_or(source.name.as_str(), |sync| &sync.table), mono: true, required: true, ..Field::default() })
            (ui::select("mode", "Mode", sync.map_or(SyncMode::Replace, |sync| sync.mode).as_str(), modes))
            div.two {
                (Field { name: "every", label: "Every so many seconds", value: &every, kind: "number", ..Field::default() })
                (Field { name: "cron", label: "Or by the clock, as cron does", value: cron, mono: true, hint: "minute hour day month weekday", ..Field::default() })
            }
            (ui::check("create_table", "1", sync.is_none_or(|sync| sync.create_table), "Make the table when it is missing"))
            (ui::check("delete_missing", "1", sync.is_some_and(|sync| sync.delete_missing), "Merge: remove rows that the source no longer has"))
            @if sync.is_some_and(|sync| sync.cursor.is_some()) { p.soft { "Only what is new is fetched, by the cursor of the definition." } }
            @if page.can(Act::Define) { div.actions {
                button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review and save" }
                @if sync.is_some() { button.btn.danger type="submit" name="off" value="1" { "Do not copy any more" } }
            } }
        }
    }
}

fn runs_now(page: &InSchema, source: &RestSource, facts: &Facts) -> Markup {
    let here = path_of(page, ITEM.0, &source.name);
    let now_ms = page.console.app().clock.now_ms();
    html! {
        section.card aria-labelledby="runs" {
            header { h2 #runs { "Run now" } div.r { span.dim { "newest run: " (ui::ago(facts.newest_ms, now_ms)) } } }
            div.pad.stack {
                @if page.can(Act::Define) {
                    form.actions method="post" action={ (here) "/run" } {
                        (page.csrf_field())
                        button.btn type="submit" name="action" value="run" { (ui::icon("play")) "Run now" }
                        button.btn type="submit" name="action" value="full" { "Fetch everything" }
                    }
                }
                div #progress aria-live="polite" { (state(page, source, facts.under_way)) }
            }
        }
    }
}

/// How far a run has come; looks again by itself while it lives.
fn state(page: &InSchema, source: &RestSource, under_way: bool) -> Markup {
    let progress = format!("{}/progress", path_of(page, ITEM.0, &source.name));
    let job = page.console.job(source.id);
    let living = |job: &Job| {
        html! {
            @let now = job.progress();
            div hx-get=(progress) hx-trigger="load delay:700ms" hx-target="#progress" hx-swap="innerHTML" {
                p { (ui::badge(Tone::Info, "refresh-cw", if now.applies { "putting in place" } else { "fetching" })) }
                p { (ui::count(now.rows)) " rows, " (now.requests) " requests, " (ui::count(now.bytes)) " bytes" }
                @if page.can(Act::Define) {
                    form method="post" action={ (path_of(page, ITEM.0, &source.name)) "/run" } {
                        (page.csrf_field())
                        button.btn.sm type="submit" name="action" value="stop" { "Stop" }
                    }
                }
            }
        }
    };
    html! {
        @match job.as_deref().map(|job| (job, job.outcome())) {
            Some((job, None)) => (living(job)),
            Some((_, Some(Ok(done)))) => { p { (ui::badge(Tone::Good, "circle-check", "done")) } p { (done) } },
            Some((_, Some(Err(failed)))) => { p { (ui::badge(Tone::Bad, "circle-x", "failed")) } p { (failed) } },
            None if under_way => p { (ui::badge(Tone::Info, "refresh-cw", "a run is under way")) },
            None => {}
        }
    }
}

fn schedule(page: &InSchema, sync: &Sync, facts: &Facts) -> Markup {
    let now_ms = page.console.app().clock.now_ms();
    let words = match &sync.schedule {
        None => "Only when somebody asks.".to_owned(),
        Some(Schedule::Every(ms)) => {
            format!("Every {} seconds, counted from the beginning of the run before.", ms / 1_000)
        }
        Some(Schedule::Cron(text)) => format!("By the clock: {text}"),
    };
    html! {
        section.card aria-labelledby="when" {
            header { h2 #when { "Schedule" } }
            div.pad.stack {
                p { (words) }
                @if !facts.next.is_empty() { ol { @for at in &facts.next { li { (ui::ago(*at, now_ms)) } } } }
            }
        }
    }
}

fn drift(page: &InSchema, sync: &Sync, facts: &Facts) -> Markup {
    html! {
        section.card aria-labelledby="fits" {
            header { h2 #fits { "The table" } }
            @match &facts.drift {
                Err(error) => p.pad.soft { "It cannot be looked at: " (error) },
                Ok(statements) if statements.is_empty() => p.pad { (ui::badge(Tone::Good, "circle-check", "fits")) " " span.mono { (sync.table) } " has every column of the source." },
                Ok(statements) => {
                    @let script = format!("{};\n", statements.join(";\n"));
                    p.pad { (ui::badge(Tone::Warn, "triangle-alert", "differs")) " These statements bring it to the source's columns:" }
                    pre.code tabindex="0" role="region" aria-label="Statements" { (script) }
                    @if page.can(Act::Define) {
                        p.pad { a.btn.sm href=(page.path(&format!("sql?sql={}", ui::encode(&script)))) { (ui::icon("terminal")) "Open in SQL commands" } }
                    }
                }
            }
        }
    }
}

pub(super) async fn save(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let source = find(&page, &name)?;
    let changed = read(&source, &fields).and_then(|sync| {
        RestSource { sync, ..(*source).clone() }.checked().map_err(|broken| broken.to_string())
    });
    let shown = async |problem: &str| {
        let inside = tab(&page, &source, Some(problem)).await?;
        Ok::<_, Refused>(framed(&page, ITEM, &source.name, &with_tabs(&page, &source, "sync", &inside)))
    };
    let changed = match changed {
        Ok(changed) => changed,
        Err(problem) => return Ok(unaccepted(shown(&problem).await?)),
    };
    let document = Document { sources: vec![changed], ..Document::default() };
    let here = format!("{}?tab=sync", path_of(&page, ITEM.0, &name));
    let failed = shown("The definition was not accepted; the Definition tab says more.").await?;
    propose(&page, document, (format!("Synchronize {name}"), here.clone(), here), |_| failed).await
}

fn read(source: &RestSource, fields: &Fields) -> Result<Option<Sync>, String> {
    if fields.has("off") {
        return Ok(None);
    }
    let schedule = match (fields.get("every"), fields.get("cron")) {
        (Some(_), Some(_)) => return Err("Every so many seconds, or by the clock: not both.".into()),
        (Some(every), None) => {
            let seconds: u64 = every.parse().map_err(|_| format!("{every} is no number of seconds."))?;
            Some(Schedule::Every(seconds.saturating_mul(1_000)))
        }
        (None, Some(cron)) => Some(Schedule::Cron(cron.to_owned())),
        (None, None) => None,
    };
    Ok(Some(Sync {
        table: fields.text("table").to_owned(),
        mode: SyncMode::parse(fields.text("mode")).ok_or("Choose a mode.")?,
        schedule,
        cursor: source.sync.as_ref().and_then(|sync| sync.cursor.clone()),
        delete_missing: fields.has("delete_missing"),
        create_table: fields.has("create_table"),
    }))
}

/// Begins a run, or tells one to stop.
pub(super) async fn run(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let source = find(&page, &name)?;
    let here = format!("{}?tab=sync", path_of(&page, ITEM.0, &name));
    if fields.text("action") == "stop" {
        if let Some(job) = page.console.job(source.id) {
            job.stop();
        }
        return Ok(see_other(&here));
    }
    if source.sync.is_none() {
        return Err(Refused::Invalid("The source is not copied into a table.".into()));
    }
    let request =
        SyncRequest { full: fields.text("action") == "full", ..SyncRequest::asked(&source, "console") };
    if page.console.begin_job(request) {
        return Ok(see_other(&here));
    }
    Err(Refused::Conflict("A run of this source is under way, or too many runs are.".into()))
}

pub(super) async fn progress(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let source = find(&page, &name)?;
    Ok(shell::html_response(&state(&page, &source, false)))
}

/// The newest runs.
pub(super) async fn log(page: &InSchema, source: &RestSource) -> Result<Markup, Refused> {
    let (schema, name) = (page.schema.name.clone(), source.name.clone());
    let runs = page.console.blocking(move |app| app.logs.list_runs(&schema, Some(&name), RUNS)).await?;
    let runs = runs.map_err(Refused::failed)?;
    let now_ms = page.console.app().clock.now_ms();
    let table = html! {
        table.t.dense {
            thead { tr {
                th scope="col" { "Begun" } th scope="col" { "By" } th scope="col" { "Outcome" } th.n scope="col" { "ms" }
                th.n scope="col" { "Fetched" } th.n scope="col" { "Inserted" } th.n scope="col" { "Updated" } th.n scope="col" { "Deleted" }
                th.n scope="col" { "Requests" } th scope="col" { "Message" }
            } }
            tbody { @for run in &runs { tr {
                td { (ui::ago(run.begun_ms, now_ms)) }
                td { (run.trigger) }
                td { (outcome(run)) }
                td.n { @if let Some(ms) = run.duration_ms { (ms) } }
                td.n { (run.counts.fetched) } td.n { (run.counts.inserted) } td.n { (run.counts.updated) } td.n { (run.counts.deleted) }
                td.n { (run.counts.requests) }
                td { (run.message.as_deref().unwrap_or_default()) }
            } } }
        }
    };
    Ok(html! {
        div.card {
            @if runs.is_empty() { (ui::empty("Nothing was copied yet at this node.", &html! {})) } @else { (ui::scroll("Runs", &table)) }
        }
    })
}

fn outcome(run: &SyncRun) -> Markup {
    match run.outcome.as_str() {
        "done" => ui::badge(Tone::Good, "circle-check", "done"),
        "failed" => ui::badge(Tone::Bad, "circle-x", "failed"),
        other => ui::badge(Tone::Warn, "info", other),
    }
}
