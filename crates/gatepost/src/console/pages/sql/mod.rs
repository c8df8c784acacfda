//! SQL commands: the schema's tables, an editor, and what came of what was run.

mod kept;
mod outcome;
mod run;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use gatepost_store::data::{DictionarySource as _, RELATIONS_MAX, Relation};
use http::Response;
use maud::{Markup, html};

use self::kept::Kept;
use self::outcome::Outcome;
use crate::console::fields::Fields;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::{Console, Refused, ui};
use crate::script::{Dictionary, Viewer};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/sql", get(show))
        .route("/console/s/{schema}/sql/run", post(run::run))
        .route("/console/s/{schema}/sql/apply", post(run::apply))
        .route("/console/s/{schema}/sql/download", post(run::download))
        .route("/console/s/{schema}/sql/forget", post(kept::forget))
}

/// A query for those who see the page for the first time.
const SAMPLE: &str = "-- The modules of this schema. Ctrl+Enter runs what is selected, else everything.\nselect name, uri_prefix, status\n  from user_ords_modules\n order by name;\n";

/// How many rows of a query can be asked for.
const ROWS: [&str; 3] = ["50", "500", "5000"];

/// What the page shows.
#[derive(Debug, Default)]
struct Sheet {
    sql: String,
    rows: String,
    /// The panel that is open.
    tab: &'static str,
    outcome: Option<Outcome>,
}

async fn show(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let kept = Kept::load(&page).await?;
    let remembered = fields.get("item").and_then(|id| id.parse().ok()).and_then(|id| kept.find(id));
    let sql = remembered.or_else(|| fields.raw("sql").map(str::to_owned)).unwrap_or_else(|| SAMPLE.into());
    let tab = match fields.text("tab") {
        "saved" => "saved",
        "history" => "history",
        _ => "results",
    };
    let sheet = Sheet { sql, tab, ..Sheet::default() };
    answer(&page, &sheet, &kept).await
}

/// The whole page, or for htmx what changed of it.
async fn answer(page: &InSchema, sheet: &Sheet, kept: &Kept) -> Result<Response<Body>, Refused> {
    let below = panels(page, sheet, kept);
    if page.partial {
        return Ok(shell::html_response(&below));
    }
    let relations = relations(page).await?;
    let views = views(page);
    let body = html! {
        div.bench.sqlb {
            section.pane.tree aria-label="Schema" { (tree(page, &relations, &views)) }
            section.pane.ed aria-label="SQL commands" {
                (ui::json_island("tables", &completions(&relations, &views)))
                (editor(page, sheet))
                div #result .result aria-live="polite" { (below) }
            }
        }
    };
    let frame = Page {
        title: "SQL commands",
        item: "sql",
        crumbs: &[("SQL commands", "")],
        schema: Some(&page.schema.name),
        wide: true,
        editor: true,
        ..Page::default()
    };
    Ok(shell::page(page, frame, &body))
}

fn editor(page: &InSchema, sheet: &Sheet) -> Markup {
    let run = page.path("sql/run");
    let rows = if sheet.rows.is_empty() { ROWS[0] } else { &sheet.rows };
    html! {
        form method="post" action=(run) hx-post=(run) hx-target="#result" hx-swap="innerHTML" data-sql-form {
            (page.csrf_field())
            input type="hidden" name="selection" value="";
            input type="hidden" name="line" value="0";
            div.pbar {
                button.btn.pri.sm type="submit" name="action" value="run" data-primary {
                    (ui::icon("play")) "Run" kbd aria-hidden="true" { "Ctrl ↵" }
                }
                button.btn.sm type="submit" name="action" value="dry" title="Runs everything and keeps nothing" { "Dry run" }
                button.btn.sm type="submit" name="action" value="explain" { "Explain" }
                span.spin role="status" { "Running…" }
                div.r {
                    label.sr for="rows" { "Rows that are shown" }
                    select.in.rows #rows name="rows" {
                        @for count in ROWS { option value=(count) selected[count == rows] { (count) " rows" } }
                    }
                }
            }
            textarea #editor .in.mono.area name="sql" rows="10" data-sql data-tables="#tables" aria-label="SQL" spellcheck="false" {
                "\n" (sheet.sql)
            }
            div.pbar.save {
                label.sr for="save-as" { "Name to save it under" }
                input.in #save-as name="name" placeholder="Name to save it under" autocomplete="off" maxlength="200";
                button.btn.sm type="submit" name="action" value="save" { (ui::icon("save")) "Save" }
            }
        }
    }
}

/// The panels below the editor.
fn panels(page: &InSchema, sheet: &Sheet, kept: &Kept) -> Markup {
    let outcome = sheet.outcome.as_ref();
    let tabs = [
        ("results", "Results", outcome.map_or(0, Outcome::result_count)),
        ("messages", "Messages", outcome.map_or(0, Outcome::message_count)),
        ("explain", "Explain", 0),
        ("saved", "Saved", kept.saved.len()),
        ("history", "History", kept.history.len()),
    ];
    let panel = |name: &str| match name {
        "results" => outcome.map_or_else(nothing_yet, |outcome| outcome.results(page)),
        "messages" => outcome.map_or_else(nothing_yet, |outcome| outcome.messages(page)),
        "explain" => outcome.map_or_else(no_plan, Outcome::plan),
        "saved" => kept.saved(page),
        _ => kept.history(page),
    };
    html! {
        // Here, because a review takes the place of all this and has a title of its own.
        h1.sr { "SQL commands" }
        @if let Some(outcome) = outcome { (outcome.summary()) }
        div.tabs.up role="tablist" aria-label="What came of it" {
            @for (name, label, count) in tabs {
                @let open = name == sheet.tab;
                button type="button" role="tab" id={ "tab-" (name) } aria-controls={ "panel-" (name) }
                    aria-selected=(if open { "true" } else { "false" }) tabindex=(if open { "0" } else { "-1" }) {
                    (label) @if count > 0 { span.b { (count) } }
                }
            }
        }
        @for (name, label, _) in tabs {
            div role="tabpanel" id={ "panel-" (name) } aria-labelledby={ "tab-" (name) } hidden[name != sheet.tab] {
                h2.sr { (label) }
                (panel(name))
            }
        }
    }
}

fn nothing_yet() -> Markup {
    ui::empty("Run something: rows and messages appear here.", &html! {})
}

fn no_plan() -> Markup {
    ui::empty("Explain shows how the database would run a query, without running it.", &html! {})
}

fn tree(page: &InSchema, relations: &Result<Vec<Relation>, String>, views: &Views) -> Markup {
    let select = |columns: &[&str], name: &str| {
        let columns: Vec<_> = columns.iter().map(|column| identifier(column)).collect();
        let text = format!("select {}\n  from {};\n", columns.join(", "), identifier(name));
        page.path(&format!("sql?sql={}", ui::encode(&text)))
    };
    html! {
        div.bar { h2.h2 { "Schema " (page.schema.name) } }
        @match relations {
            Err(error) => p.pad.soft { "The data cannot be read: " (error) },
            Ok(relations) if relations.is_empty() => p.pad.soft { "There is no table yet." },
            Ok(relations) => {
                ul { @for relation in relations { li {
                    @let columns: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
                    details {
                        summary {
                            span.car { (ui::icon("chevron-right")) }
                            (ui::icon(if relation.is_view { "eye" } else { "table" })) span.mono { (relation.name) }
                            span.end { @if relation.is_view { "view" } @else { (relation.columns.len()) } }
                        }
                        ul {
                            li { a.row href=(select(&columns, &relation.name)) { "Select its rows" } }
                            @for column in &relation.columns { li {
                                button.row type="button" data-insert=(identifier(&column.name)) {
                                    span.mono { (column.name) }
                                    span.end { @if column.is_key { "key · " } (column.kind) }
                                }
                            } }
                        }
                    }
                } } }
                @if relations.len() == RELATIONS_MAX { p.pad.soft { "Only the first " (RELATIONS_MAX) " are listed." } }
            }
        }
        ul { li { details {
            summary {
                span.car { (ui::icon("chevron-right")) } (ui::icon("shield-check")) "Gatepost views"
                span.end { (views.len()) }
            }
            ul { @for (name, columns) in views { li {
                a.row.mono href=(select(&columns.iter().map(String::as_str).collect::<Vec<_>>(), name)) { (name) }
            } } }
        } } }
    }
}

/// A name as a statement has it: quoted where letters or signs ask for it.
fn identifier(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let starts = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if plain && starts { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Views over definitions, with their columns.
type Views = BTreeMap<String, Vec<String>>;

fn views(page: &InSchema) -> Views {
    let dictionary = dictionary(page);
    let views = dictionary.views().iter();
    views
        .map(|view| (view.name.to_owned(), view.columns.iter().map(|it| (*it).to_owned()).collect()))
        .collect()
}

/// What the editor completes: tables with their columns.
fn completions(relations: &Result<Vec<Relation>, String>, views: &Views) -> Views {
    let tables = relations.iter().flatten().map(|relation| {
        let columns = relation.columns.iter().map(|column| column.name.clone()).collect();
        (relation.name.clone(), columns)
    });
    tables.chain(views.iter().map(|(name, columns)| (name.clone(), columns.clone()))).collect()
}

/// The definitions as views show them to this person.
fn dictionary(page: &InSchema) -> Dictionary {
    let app = page.console.app();
    let options = page.script_options(&page.schema.name);
    Dictionary {
        catalog: page.snapshot.catalog.as_ref().clone(),
        schema: Some(page.schema.clone()),
        viewer: Viewer { name: options.author, administrator: options.administrator },
        key_ring: app.ring(),
        runs: Vec::new(),
        now_ms: app.clock.now_ms(),
    }
}

async fn relations(page: &InSchema) -> Result<Result<Vec<Relation>, String>, Refused> {
    let schema = page.schema.name.clone();
    let look = move |app: &std::sync::Arc<crate::app::App>| {
        let data = app.data(&schema).map_err(|error| format!("{error:#}"))?;
        let mut session = data.session().map_err(|error| error.to_string())?;
        session.relations().map_err(|error| error.to_string())
    };
    page.console.blocking(look).await
}
