//! Usage: what each client and each handler came to.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use gatepost_store::logs::{ClientTotal, RouteTotal, TotalsFilter};
use http::Response;
use maud::{Markup, html};

use super::figures::{Chart, milliseconds, name_of};
use super::log::scope;
use crate::app::usage::{ClientUsage, Figures, Usage};
use crate::console::fields::Fields;
use crate::console::period::Period;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, SignedIn, path};
use crate::console::{Console, PATH, Refused, ui};

/// Handlers that are listed.
const HANDLERS_MAX: u32 = 50;

/// Clients with a chart of their own.
const CHARTS_MAX: usize = 6;

/// Clients that are listed.
const CLIENTS_MAX: usize = 200;

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new().route("/console/usage", get(show))
}

async fn show(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::ReadLogs)?;
    let now_ms = signed_in.console.app().clock.now_ms();
    let period = Period::read(&fields, now_ms);
    let filter = TotalsFilter {
        from_ms: period.from_ms,
        to_ms: period.to_ms,
        schemas: scope(&signed_in, None),
        ..TotalsFilter::default()
    };
    let (totals, usage) = signed_in
        .console
        .blocking(move |app| {
            let totals = app.logs.list_client_totals(&filter)?;
            let clients = app.usage_of_clients(&totals)?;
            let handlers = app.logs.list_route_totals(&filter, HANDLERS_MAX)?;
            Ok::<_, gatepost_store::catalog::DatabaseError>((totals, Usage { clients, handlers }))
        })
        .await?
        .map_err(Refused::failed)?;
    let body = html! {
        (ui::head("Usage", html! { "What each client and each handler came to in " (period.said(now_ms)) "." }, &period.form("/console/usage")))
        @if usage.clients.is_empty() {
            (ui::empty("No requests in this time.", &html! { a.btn href="/console/usage?range=30d" { "Look at 30 days" } }))
        } @else {
            div.grid {
                (charts(&totals, &usage.clients, &period))
                (clients(&usage.clients, &period, now_ms))
                (handlers(&usage.handlers, &period, now_ms))
                p.dim { "Percentiles are upper bounds, at most 28 % too high. Handlers are counted in whole days (UTC) that the range touches; clients in quarters of an hour." }
            }
        }
    };
    let frame =
        Page { title: "Usage", item: "usage", crumbs: &[("Usage", "")], chart: true, ..Page::default() };
    Ok(shell::page(&signed_in, frame, &body))
}

/// A small chart for each of the busiest clients; their times are the same, and so is the cursor.
fn charts(totals: &[ClientTotal], clients: &[ClientUsage], period: &Period) -> Markup {
    html! {
        div.grid.c3 {
            @for (at, usage) in clients.iter().take(CHARTS_MAX).enumerate() {
                @let own: Vec<&ClientTotal> = totals.iter().filter(|one| one.schema == usage.schema && one.client == usage.client).collect();
                @let chart = Chart::of_one(&own, period);
                @let title = format!("usage-{at}");
                section.card aria-labelledby=(title) {
                    header { h2 id=(title) { (name_of(&usage.client)) } div.r { span.dim { (usage.schema) } (chart.legend()) } }
                    (chart.draw(&format!("usage-data-{at}"), &format!("Requests of {}", name_of(&usage.client)), period, None, true))
                }
            }
        }
    }
}

fn clients(clients: &[ClientUsage], period: &Period, now_ms: i64) -> Markup {
    let more = clients.len().saturating_sub(CLIENTS_MAX);
    html! {
        section.card aria-labelledby="clients-title" {
            header { h2 #clients-title { "Clients" } div.r { span.dim.num { (clients.len()) } } }
            (ui::scroll("Usage by client", &html! {
                table.t.dense {
                    thead { tr {
                        th scope="col" { "Client" } th scope="col" { "Schema" } th.n scope="col" { "Requests" } th.n scope="col" { "Denied" }
                        th.n scope="col" { "Failed" } th.n scope="col" { "p50 ms" } th.n scope="col" { "p95 ms" } th.n scope="col" { "Tokens" }
                        th scope="col" { "Last token" } th scope="col" { "Last call" }
                    } }
                    tbody { @for usage in clients.iter().take(CLIENTS_MAX) { tr {
                        th scope="row" { (client_link(usage)) }
                        td { (usage.schema) }
                        td.n { a href=(log_of(usage, period, "")) { (ui::count(usage.figures.total.requests)) } }
                        td.n { @if usage.figures.denied > 0 { a href=(log_of(usage, period, "&status=denied")) { (ui::count(usage.figures.denied)) } } @else { "0" } }
                        td.n { (ui::count(usage.figures.failed)) }
                        (percentiles(&usage.figures.total.durations))
                        td.n { (ui::count(usage.figures.total.tokens)) }
                        td { (ui::ago(usage.last_token_ms.unwrap_or(0), now_ms)) }
                        td { (ui::ago(usage.last_call_ms.unwrap_or(0), now_ms)) }
                    } } }
                }
            }))
            @if more > 0 { p.pad.dim { "and " (more) " more" } }
        }
    }
}

fn client_link(usage: &ClientUsage) -> Markup {
    if usage.client.is_empty() || usage.schema.is_empty() {
        return html! { span.dim { (name_of(&usage.client)) } };
    }
    html! { a href=(path(&usage.schema, &format!("clients/{}", ui::encode(&usage.client)))) { (usage.client) } }
}

fn log_of(usage: &ClientUsage, period: &Period, more: &str) -> String {
    let client = if usage.client.is_empty() { "-".to_owned() } else { ui::encode(&usage.client) };
    let schema = if usage.schema.is_empty() {
        String::new()
    } else {
        format!("&schema={}", ui::encode(&usage.schema))
    };
    format!("{PATH}log?{}&client={client}{schema}{more}", period.query())
}

fn percentiles(durations: &gatepost_store::logs::Durations) -> Markup {
    let told = |percent| durations.percentile_us(percent).map_or_else(|| "–".to_owned(), milliseconds);
    html! { td.n { (told(50)) } td.n { (told(95)) } }
}

fn handlers(handlers: &[RouteTotal], period: &Period, now_ms: i64) -> Markup {
    html! {
        section.card aria-labelledby="handlers-title" {
            header { h2 #handlers-title { "Handlers" } div.r { span.dim { "the busiest " (HANDLERS_MAX) } } }
            (ui::scroll("Usage by handler", &html! {
                table.t.dense {
                    thead { tr {
                        th scope="col" { "Handler" } th scope="col" { "Schema" } th.n scope="col" { "Requests" } th.n scope="col" { "Denied" }
                        th.n scope="col" { "Failed" } th.n scope="col" { "p50 ms" } th.n scope="col" { "p95 ms" } th scope="col" { "Last call" }
                    } }
                    tbody { @for one in handlers { tr {
                        th scope="row" {
                            @if one.route.is_empty() { span.dim { "no handler found" } }
                            @else { a.mono href={ (PATH) "log?" (period.query()) "&route=" (ui::encode(&one.route)) "&schema=" (ui::encode(&one.schema)) } { (one.route) } }
                        }
                        td { (one.schema) }
                        td.n { (ui::count(one.total.requests)) }
                        td.n { (ui::count(one.denied)) }
                        td.n { (ui::count(one.failed)) }
                        (percentiles(&one.total.durations))
                        td { (ui::ago(one.total.last_ms, now_ms)) }
                    } } }
                }
            }))
        }
    }
}

/// What one client came to in the last 24 hours, for its page. For those who may not see the log it is nothing.
pub(in crate::console) async fn of_client(
    signed_in: &SignedIn,
    schema: &str,
    client: &str,
) -> Result<Markup, Refused> {
    if !signed_in.can(Act::ReadLogs) {
        return Ok(html! {});
    }
    let now_ms = signed_in.console.app().clock.now_ms();
    let period = Period::read(&Fields::default(), now_ms);
    let filter = TotalsFilter {
        from_ms: period.from_ms,
        to_ms: period.to_ms,
        schemas: Some(vec![schema.to_owned()]),
        client: Some(client.to_owned()),
        status: None,
    };
    let (schema_name, client_name) = (schema.to_owned(), client.to_owned());
    let (totals, seen) = signed_in
        .console
        .blocking(move |app| {
            let totals = app.logs.list_client_totals(&filter)?;
            let seen = app.logs.list_clients_seen()?;
            let seen = seen.into_iter().find(|seen| seen.schema == schema_name && seen.client == client_name);
            Ok::<_, gatepost_store::catalog::DatabaseError>((totals, seen))
        })
        .await?
        .map_err(Refused::failed)?;
    let figures = Figures::of(&totals);
    let chart = Chart::of_one(&totals.iter().collect::<Vec<_>>(), &period);
    let p95 = figures.total.durations.percentile_us(95).map_or_else(|| "–".to_owned(), milliseconds);
    let last = |ms: Option<i64>| ui::ago(ms.unwrap_or(0), now_ms);
    Ok(html! {
        section.card aria-labelledby="usage-title" {
            header { h2 #usage-title { "Usage, 24 hours" } div.r { (chart.legend()) } }
            (chart.draw("usage-data", &format!("Requests of {client}"), &period, None, true))
            dl.kv.pad {
                dt { "Requests" } dd.num { a.u href={ (PATH) "log?range=24h&schema=" (ui::encode(schema)) "&client=" (ui::encode(client)) } { (ui::count(figures.total.requests)) } }
                dt { "Denied" } dd.num { (ui::count(figures.denied)) }
                dt { "Time to answer, p95" } dd.num { (p95) " ms" }
                dt { "Tokens issued" } dd.num { (ui::count(figures.total.tokens)) }
                dt { "Last token" } dd { (last(seen.as_ref().and_then(|seen| seen.last_token_ms))) }
                dt { "Last call" } dd { (last(seen.as_ref().and_then(|seen| seen.last_call_ms))) }
            }
        }
    })
}
