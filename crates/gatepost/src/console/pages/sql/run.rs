//! Running what is in the editor: for good, as a dry run, or only its plan.

use std::time::Instant;

use axum::body::Body;
use gatepost_plsql::{StatementKind, split};
use http::{Response, StatusCode};

use super::kept::{self, Kept};
use super::outcome::{Done, Outcome};
use super::{Sheet, answer, dictionary};
use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::shell;
use crate::console::signed_in::{Act, InSchema};
use crate::script::{self, Event, ScriptFailure, ScriptOptions, table};

/// Rows of one download, at most.
const DOWNLOAD_ROWS_MAX: usize = 10_000;

/// Rows of a query that are shown, at most.
const ROWS_MAX: usize = 5_000;

pub(super) async fn run(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let text = text(&fields).to_owned();
    let outcome = match fields.text("action") {
        "save" => return kept::save(&page, &fields).await,
        "explain" => explain(&page, &text).await?,
        "dry" => execute(&page, &fields, &text, true).await?,
        _ => {
            if has_block(&text) {
                match review::propose_change(&page, proposal(&page, &text)).await? {
                    Ok(Some(response)) => return Ok(response),
                    Ok(None) => {}
                    Err(failure) => return show(&page, &fields, refused(&fields, &failure), &text).await,
                }
            }
            execute(&page, &fields, &text, false).await?
        }
    };
    show(&page, &fields, outcome, &text).await
}

/// Runs a script whose changes were reviewed.
pub(super) async fn apply(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    let apply = Some(page.path("sql/apply"));
    let proposal = Proposal { apply, schema: page.schema.name.clone(), ..Proposal::read(&fields) };
    if let Some(again) = review::review_again(&page, &proposal, &fields).await? {
        return Ok(again);
    }
    let outcome = execute(&page, &fields, &proposal.script, false).await?;
    show(&page, &fields, outcome, &proposal.script).await
}

/// The rows of the last query, as a file. Nothing is kept of what the script does.
pub(super) async fn download(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let options = ScriptOptions {
        row_limit: Some(DOWNLOAD_ROWS_MAX),
        dry_run: true,
        ..page.script_options(&page.schema.name)
    };
    let (text, json) = (fields.raw("sql").unwrap_or_default().to_owned(), fields.text("format") == "json");
    let number: usize = fields.text("number").parse().unwrap_or(0);
    let work = move |app: &std::sync::Arc<crate::app::App>| {
        let (mut found, mut seen) = (None, 0);
        let outcome = script::run(&**app, &text, &options, &mut |event| {
            if let Event::Rows { columns, rows, .. } = event {
                if seen == number {
                    found = Some((columns, rows));
                }
                seen += 1;
            }
        });
        outcome.map(|_| found)
    };
    let found =
        page.console.blocking(work).await?.map_err(|failure| Refused::Invalid(failure.to_string()))?;
    let Some((columns, rows)) = found else {
        return Err(Refused::Invalid("The script has no such result.".into()));
    };
    let mut bytes = Vec::new();
    let (written, name, kind) = if json {
        (table::write_json(&mut bytes, &columns, &rows), "rows.json", "application/json")
    } else {
        (table::write_csv(&mut bytes, &columns, &rows), "rows.csv", "text/csv; charset=utf-8")
    };
    written.map_err(Refused::failed)?;
    Ok(shell::download(name, kind, bytes))
}

/// What is selected, else everything.
fn text(fields: &Fields) -> &str {
    let selection = fields.raw("selection").filter(|text| !text.trim().is_empty());
    selection.or(fields.raw("sql")).unwrap_or_default()
}

/// Only blocks change definitions. What cannot be cut into statements is not run either.
fn has_block(text: &str) -> bool {
    split(text).is_ok_and(|all| all.iter().any(|statement| statement.kind == StatementKind::Block))
}

fn proposal(page: &InSchema, text: &str) -> Proposal {
    let here = page.path("sql");
    Proposal {
        schema: page.schema.name.clone(),
        script: text.to_owned(),
        done: here.clone(),
        back: here,
        title: "SQL commands".into(),
        apply: Some(page.path("sql/apply")),
    }
}

/// The place of the selection in the editor, as lines before it.
fn first_line(fields: &Fields) -> u32 {
    fields.text("line").parse().unwrap_or(0)
}

fn refused(fields: &Fields, failure: &ScriptFailure) -> Outcome {
    let mut done = Done::new(false, first_line(fields));
    done.fail(failure);
    Outcome::Ran(done)
}

async fn execute(page: &InSchema, fields: &Fields, text: &str, dry_run: bool) -> Result<Outcome, Refused> {
    let limit = fields.text("rows").parse().map_or(50, |rows: usize| rows.clamp(1, ROWS_MAX));
    let options = ScriptOptions { row_limit: Some(limit), dry_run, ..page.script_options(&page.schema.name) };
    let script = text.to_owned();
    let (started, mut done) = (Instant::now(), Done::new(dry_run, first_line(fields)));
    let work = move |app: &std::sync::Arc<crate::app::App>| {
        match script::run(&**app, &script, &options, &mut |event| done.note(event)) {
            Ok(report) if report.is_empty() => {}
            Ok(report) => report.to_string().trim_end().clone_into(&mut done.report),
            Err(failure) => done.fail(&failure),
        }
        done
    };
    let mut done = page.console.blocking(work).await?;
    done.elapsed = started.elapsed();
    text.clone_into(&mut done.sql);
    kept::remember(page, text, &done).await?;
    Ok(Outcome::Ran(done))
}

async fn explain(page: &InSchema, text: &str) -> Result<Outcome, Refused> {
    let (schema, sql, views) = (page.schema.name.clone(), query_of(text), dictionary(page));
    let look = move |app: &std::sync::Arc<crate::app::App>| {
        let data = app.data(&schema).map_err(|error| format!("{error:#}"))?;
        let mut session = data.session().map_err(|error| error.to_string())?;
        session.explain(&sql, &views).map_err(|error| error.to_string())
    };
    Ok(Outcome::Plan(page.console.blocking(look).await?))
}

/// The first statement that is no directive.
fn query_of(text: &str) -> String {
    let statements = split(text).unwrap_or_default();
    let query = statements.into_iter().find(|statement| statement.kind == StatementKind::Sql);
    query.map_or_else(|| text.to_owned(), |statement| statement.text)
}

async fn show(
    page: &InSchema,
    fields: &Fields,
    outcome: Outcome,
    text: &str,
) -> Result<Response<Body>, Refused> {
    let failed = outcome.is_failure();
    let sheet = Sheet {
        sql: fields.raw("sql").unwrap_or(text).to_owned(),
        rows: fields.text("rows").to_owned(),
        tab: outcome.tab(),
        outcome: Some(outcome),
    };
    let kept = Kept::load(page).await?;
    let mut response = answer(page, &sheet, &kept).await?;
    if failed {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}
