//! The access log: who called what, with what outcome, and why.

mod export;
mod filter;
mod live;
mod row;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use gatepost_store::logs::{AccessRecord, ClientTotal, Page as LogPage, TotalsFilter};
use http::Response;
use maud::{Markup, html};

use super::figures::Chart;
use crate::config::AccessLog;
use crate::console::fields::Fields;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, SignedIn};
use crate::console::{Console, PATH, Refused, ui};
pub(in crate::console) use filter::scope;
use filter::{Asked, NOBODY, STATUSES};
pub(in crate::console) use row::{head, row};

/// Rows of a page.
const ROWS: u32 = 100;

/// Rows that a live list keeps.
pub(in crate::console) const LIVE_ROWS_MAX: u32 = 200;

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/log", get(list))
        .route("/console/log/live", get(live::live))
        .route("/console/log/export", get(export::export))
        .route("/console/log/{id}", get(show))
}

/// What the page shows.
struct Found {
    page: LogPage<AccessRecord>,
    /// Absent where the filter asks for what the totals do not know.
    totals: Option<Vec<ClientTotal>>,
    newest: i64,
}

async fn list(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::ReadLogs)?;
    let now_ms = signed_in.console.app().clock.now_ms();
    let asked = Asked::read(&signed_in, &fields, now_ms);
    let before = fields.get("before").and_then(|id| id.parse().ok());
    let filter = asked.filter.clone();
    let found = signed_in
        .console
        .blocking(move |app| {
            let totals = filter.is_of_totals().then(|| {
                app.logs.list_client_totals(&TotalsFilter {
                    from_ms: filter.from_ms.unwrap_or(0),
                    to_ms: filter.to_ms.unwrap_or(now_ms),
                    schemas: filter.schemas.clone(),
                    client: filter.client.clone(),
                    status: filter.status,
                })
            });
            Ok::<_, gatepost_store::catalog::DatabaseError>(Found {
                newest: app.logs.newest_access_id()?,
                page: app.logs.find_access(&filter, before, ROWS)?,
                totals: totals.transpose()?,
            })
        })
        .await?
        .map_err(Refused::failed)?;
    let is_live = fields.has("live") && before.is_none();
    let body = html! {
        (ui::head("Access log", "Who called what, and what came of it. Queries, bodies and tokens are not kept.", &actions(&asked, is_live)))
        (kept(&signed_in))
        div.grid {
            (form(&signed_in, &asked))
            (chart(&asked, found.totals.as_deref()))
            (requests(&asked, &found, now_ms, is_live))
        }
    };
    let frame = Page {
        title: "Access log",
        item: "log",
        crumbs: &[("Access log", "")],
        chart: true,
        ..Page::default()
    };
    Ok(shell::page(&signed_in, frame, &body))
}

fn actions(asked: &Asked, is_live: bool) -> Markup {
    let query = asked.query_without("");
    html! {
        @if is_live { a.btn href={ (PATH) "log?" (query) } { "Stop live" } }
        @else { a.btn href={ (PATH) "log?" (query) "&live=1" } { (ui::icon("activity")) "Live" } }
        a.btn href={ (PATH) "log/export?format=csv&" (query) } download { (ui::icon("download")) "CSV" }
        a.btn href={ (PATH) "log/export?format=json&" (query) } download { (ui::icon("download")) "JSON" }
    }
}

/// What the log keeps, and what it leaves out.
fn kept(signed_in: &SignedIn) -> Markup {
    let log = &signed_in.console.app().config.log;
    html! {
        p.dim.kept { "Kept for " (ui::plural(log.days as usize, "day")) ", at most " (ui::count(log.size_mib)) " MiB." }
        @match log.access {
            AccessLog::All => {}
            AccessLog::Refused => { (ui::warning("log.access is \"refused\": requests that were allowed are not in the log.")) }
            AccessLog::Off => { (ui::warning("log.access is \"off\": no request is written to the log.")) }
        }
    }
}

fn form(signed_in: &SignedIn, asked: &Asked) -> Markup {
    let snapshot = signed_in.console.app().snapshot();
    let schemas = signed_in.schemas(&snapshot);
    let clients: std::collections::BTreeSet<&str> = schemas
        .iter()
        .flat_map(|schema| snapshot.catalog.clients_of(schema.id))
        .map(|client| client.name.as_str())
        .collect();
    let chips = asked.chips();
    let field =
        |name, label, kind| ui::Field { name, label, value: asked.value(name), kind, ..ui::Field::default() };
    let all = [("", "All")];
    html! {
        form.card.filter action={ (PATH) "log" } method="get" role="search" aria-label="Filter of the access log" {
            (asked.period.field("range"))
            (ui::select("schema", "Schema", asked.value("schema"), all.into_iter().chain(schemas.iter().map(|schema| (schema.name.as_str(), schema.name.as_str())))))
            (ui::select("client", "Client", asked.value("client"), all.into_iter().chain([(NOBODY, "nobody")]).chain(clients.iter().map(|name| (*name, *name)))))
            (ui::select("status", "Status", asked.value("status"), STATUSES))
            (field("text", "Path holds", "search"))
            (field("min_ms", "At least ms", "number"))
            (field("reference", "Reference", "text"))
            @if !asked.value("route").is_empty() { input type="hidden" name="route" value=(asked.value("route")); }
            div.field { button.btn.pri type="submit" data-primary { "Filter" } }
            @if !chips.is_empty() {
                div.chips {
                    @for (text, query) in &chips {
                        a.b href={ (PATH) "log?" (query) } { (text) " " span.sr { "(remove)" } (ui::icon("x")) }
                    }
                    a href={ (PATH) "log?" (asked.period.query()) } { "Clear all" }
                }
            }
        }
    }
}

fn chart(asked: &Asked, totals: Option<&[ClientTotal]>) -> Markup {
    let Some(totals) = totals else {
        return html! {
            p.soft { "The chart counts by time, schema, client and status. Remove the other filters to see it." }
        };
    };
    let chart = Chart::by_client(totals, &asked.period);
    let query = asked.query_without_time();
    let link = format!("{PATH}log?from={{from}}&to={{to}}{}{query}", if query.is_empty() { "" } else { "&" });
    html! {
        section.card aria-labelledby="chart-title" {
            header { h2 #chart-title { "Requests by client" } div.r { (chart.legend()) } }
            (chart.draw("log-chart", "Requests by client", &asked.period, Some(&link), true))
        }
    }
}

fn requests(asked: &Asked, found: &Found, now_ms: i64, is_live: bool) -> Markup {
    let older = found.page.next.map(|id| format!("{PATH}log?{}&before={id}", asked.query_without("")));
    let stream =
        is_live.then(|| format!("{PATH}log/live?after={}&{}", found.newest, asked.query_without_time()));
    html! {
        section.card aria-labelledby="log-title" {
            header { h2 #log-title { "Requests" } div.r { (live_state(is_live)) } }
            @if found.page.records.is_empty() && !is_live {
                (ui::empty("No request matches.", &html! { a.btn href={ (PATH) "log" } { "Clear filters" } }))
            } @else {
                (ui::scroll("Table of requests", &html! {
                    table.t.dense {
                        (head())
                        tbody data-live=[stream] data-live-rows=(LIVE_ROWS_MAX) { @for (id, record) in &found.page.records { (row(*id, record, now_ms)) } }
                    }
                }))
            }
            @if let Some(older) = older {
                p.pad {
                    @if let Some(ms) = found.page.looked_back_to_ms { span.dim { "Looked back to " (ui::ago(ms, now_ms)) ". " } }
                    a.btn.sm href=(older) { "Older" }
                }
            }
        }
    }
}

/// The sign that a list is live, and the button that holds it.
pub(in crate::console) fn live_state(is_live: bool) -> Markup {
    html! {
        @if is_live {
            button.btn.sm type="button" data-live-new hidden { "" }
            span.b.ok data-live-state role="status" { "Live" }
        }
    }
}

async fn show(signed_in: SignedIn, Path(id): Path<i64>) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::ReadLogs)?;
    let found = signed_in.console.blocking(move |app| app.logs.find_access_record(id)).await?;
    let record = found.map_err(Refused::failed)?.ok_or(Refused::NotFound)?;
    let scope = scope(&signed_in, None);
    let seen = |schema: &str| scope.as_ref().is_none_or(|scope| scope.iter().any(|one| one == schema));
    if !seen(record.schema.as_deref().unwrap_or_default()) {
        return Err(Refused::NotFound);
    }
    let now_ms = signed_in.console.app().clock.now_ms();
    let body = html! {
        (ui::head("Request", "What the log keeps of it.", &html! {
            @if let Some(link) = row::why(&record) { a.btn href=(link) { (ui::icon("route")) "Explain" } }
            @if signed_in.can(Act::Define) {
                @if let Some(link) = row::again(&record) { a.btn href=(link) { (ui::icon("send")) "Repeat in Try it" } }
            }
        }))
        section.card aria-label="Request" { (row::facts(&record, now_ms)) }
    };
    let log = format!("{PATH}log");
    let crumbs = [("Access log", log.as_str()), (record.request_id.as_str(), "")];
    let frame = Page { title: "Request", item: "log", crumbs: &crumbs, ..Page::default() };
    Ok(shell::page(&signed_in, frame, &body))
}
