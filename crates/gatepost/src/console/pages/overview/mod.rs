//! The overview: the state of the house on one screen.

mod checklist;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use gatepost_rest::definition::Id;
use gatepost_store::catalog::DatabaseError;
use gatepost_store::logs::{AccessFilter, AccessRecord, ClientTotal, TotalsFilter};
use http::Response;
use maud::{Markup, html};

use super::audit::{findings, page_of, tone};
use super::figures::{Chart, milliseconds, stat};
use super::log::{LIVE_ROWS_MAX, head, live_state, row, scope};
use crate::app::usage::Figures;
use crate::audit::Finding;
use crate::console::fields::Fields;
use crate::console::period::Period;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, SignedIn, path};
use crate::console::{Console, PATH, Refused, ui};

/// The newest requests that are there from the start.
const ROWS: u32 = 10;

/// Findings that are shown.
const FINDINGS: usize = 3;

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new().route(PATH, get(show)).route("/console/overview", get(show))
}

/// What the log says.
struct Watched {
    totals: Vec<ClientTotal>,
    latest: Vec<(i64, AccessRecord)>,
    newest: i64,
}

async fn show(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::ReadDefinitions)?;
    let now_ms = signed_in.console.app().clock.now_ms();
    let period = Period::read(&fields, now_ms);
    let sees_log = signed_in.can(Act::ReadLogs);
    let watched = if sees_log { Some(watch(&signed_in, &period).await?) } else { None };
    let found = if sees_log { findings(&signed_in).await? } else { Vec::new() };
    let steps = steps(&signed_in).await?;
    let body = html! {
        (ui::head("Overview", about(&signed_in), &actions(&signed_in)))
        @if let Some(watched) = &watched { (numbers(&watched.totals, &period)) }
        div.grid.c2 {
            @if let Some(watched) = &watched {
                div.grid { (chart(&watched.totals, &period)) (latest(watched, now_ms)) }
            }
            div.grid {
                (steps)
                @if sees_log { (needs_a_look(&found)) }
            }
        }
    };
    let frame = Page {
        title: "Overview",
        item: "overview",
        crumbs: &[("Overview", "")],
        chart: true,
        ..Page::default()
    };
    Ok(shell::page(&signed_in, frame, &body))
}

async fn watch(signed_in: &SignedIn, period: &Period) -> Result<Watched, Refused> {
    let schemas = scope(signed_in, None);
    let filter = TotalsFilter {
        from_ms: period.from_ms,
        to_ms: period.to_ms,
        schemas: schemas.clone(),
        ..TotalsFilter::default()
    };
    let latest = AccessFilter { schemas, ..AccessFilter::default() };
    let read = move |app: &std::sync::Arc<crate::app::App>| {
        Ok::<_, DatabaseError>(Watched {
            newest: app.logs.newest_access_id()?,
            latest: app.logs.find_access(&latest, None, ROWS)?.records,
            totals: app.logs.list_client_totals(&filter)?,
        })
    };
    signed_in.console.blocking(read).await?.map_err(Refused::failed)
}

/// What is published, in a sentence.
fn about(signed_in: &SignedIn) -> String {
    let snapshot = signed_in.console.app().snapshot();
    let schemas = signed_in.schemas(&snapshot);
    let modules = schemas
        .iter()
        .flat_map(|schema| snapshot.catalog.modules_of(schema.id))
        .filter(|module| module.published)
        .count();
    let public = schemas.iter().flat_map(|schema| snapshot.catalog.public_entries_of(schema.id)).count();
    let published =
        format!("{} published in {}.", ui::plural(modules, "module"), ui::plural(schemas.len(), "schema"));
    match public {
        0 => published,
        1 => format!("{published} One pattern is public."),
        _ => format!("{published} {public} patterns are public."),
    }
}

fn actions(signed_in: &SignedIn) -> Markup {
    let snapshot = signed_in.console.app().snapshot();
    let Some(schema) = signed_in.schema(&snapshot) else { return html! {} };
    html! {
        a.btn href=(path(&schema.name, "reference")) { (ui::icon("book-open")) "API reference" }
        @if signed_in.can(Act::Define) {
            a.btn.pri href=(path(&schema.name, "services")) data-primary { (ui::icon("network")) "RESTful services" }
        }
    }
}

fn numbers(totals: &[ClientTotal], period: &Period) -> Markup {
    let figures = Figures::of(totals);
    let requests = figures.total.requests;
    let none = || "–".to_owned();
    let of_any = |text: String| if requests == 0 { none() } else { text };
    let share = if requests == 0 { 0.0 } else { figures.denied as f64 * 100.0 / requests as f64 };
    let told = |percent| figures.total.durations.percentile_us(percent).map_or_else(none, milliseconds);
    let clients: std::collections::BTreeSet<(&str, &str)> = totals
        .iter()
        .filter(|one| one.total.tokens > 0)
        .map(|one| (one.schema.as_str(), one.client.as_str()))
        .collect();
    html! {
        div.grid.c4.numbers {
            (stat(&format!("Requests, {}", period.label), &of_any(ui::count(requests)), "", &format!("{} failed", ui::count(figures.failed))))
            (stat("Denied (401 and 403)", &of_any(ui::count(figures.denied)), "", &format!("{share:.1} % of all requests")))
            (stat("Time to answer, p95", &told(95), "ms", &format!("median {} ms", told(50))))
            (stat("Tokens issued", &of_any(ui::count(figures.total.tokens)), "", &format!("to {}", ui::plural(clients.len(), "client"))))
        }
    }
}

fn chart(totals: &[ClientTotal], period: &Period) -> Markup {
    let chart = Chart::by_client(totals, period);
    let link = format!("{PATH}log?from={{from}}&to={{to}}");
    html! {
        section.card aria-labelledby="chart-title" {
            header {
                h2 #chart-title { "Requests by client" }
                div.r { (chart.legend()) (period.form(PATH)) }
            }
            (chart.draw("overview-chart", "Requests by client", period, Some(&link), false))
        }
    }
}

fn latest(watched: &Watched, now_ms: i64) -> Markup {
    let stream = format!("{PATH}log/live?after={}", watched.newest);
    html! {
        section.card aria-labelledby="latest-title" {
            header { h2 #latest-title { "Latest requests" } div.r { (live_state(true)) a.btn.sm.ghost href={ (PATH) "log" } { "Open log" } } }
            (ui::scroll("Table of the latest requests", &html! {
                table.t.dense {
                    (head())
                    tbody data-live=(stream) data-live-rows=(LIVE_ROWS_MAX) {
                        @for (id, record) in &watched.latest { (row(*id, record, now_ms)) }
                    }
                }
            }))
            @if watched.latest.is_empty() { p.pad.soft data-live-empty { "No requests yet." } }
        }
    }
}

async fn steps(signed_in: &SignedIn) -> Result<Markup, Refused> {
    let snapshot = arc_swap::Guard::into_inner(signed_in.console.app().snapshot());
    let Some(schema) = signed_in.schema(&snapshot) else {
        return Ok(ui::empty("No schema is assigned to you.", &html! {}));
    };
    let schemas = signed_in.schemas(&snapshot);
    let names: Vec<String> = schemas.iter().map(|schema| schema.name.clone()).collect();
    let asked = std::sync::Arc::clone(&schema);
    let seen = signed_in
        .console
        .blocking(move |app| checklist::Seen::read(app, &asked, &names))
        .await?
        .map_err(Refused::failed)?;
    let ids: Vec<Id> = schemas.iter().map(|schema| schema.id).collect();
    let steps = checklist::steps(&snapshot, &schema, &ids, seen);
    Ok(checklist::draw(&schema, &steps, signed_in.can(Act::Define)))
}

fn needs_a_look(found: &[Finding]) -> Markup {
    let open: Vec<&Finding> = found.iter().filter(|finding| finding.accepted.is_none()).collect();
    html! {
        section.card aria-labelledby="look-title" {
            header { h2 #look-title { "Needs a look" } div.r { a.btn.sm.ghost href={ (PATH) "audit" } { "All " (open.len()) } } }
            @if open.is_empty() { p.pad.soft { "Nothing open." } }
            ul.who {
                @for finding in open.iter().take(FINDINGS) {
                    li {
                        span.no { (ui::icon(tone(finding.severity).1)) }
                        div {
                            b { (finding.object) }
                            p {
                                (finding.severity) ": " (finding.why) ". "
                                @let link = page_of(finding).unwrap_or_else(|| format!("{PATH}audit"));
                                a href=(link) { "Look" }
                            }
                        }
                    }
                }
            }
        }
    }
}
