//! The table of everyone and everything, a page of it and as CSV.

use std::sync::Arc;

use axum::body::Body;
use gatepost_rest::access::Principal;
use http::Response;
use maud::{Markup, html};

use super::{clients, principal_of};
use crate::app::principals::KnownClient;
use crate::app::published::PublishedSchema;
use crate::console::fields::Fields;
use crate::console::signed_in::{Act, InSchema};
use crate::console::{Refused, shell, ui};
use crate::describe::matrix::{Cell, Row, Wanted, matrix};

/// Handlers on a page.
const ROWS: usize = 100;

/// Clients on a page: more do not fit beside each other.
const CLIENTS: usize = 12;

/// Cells of a table as CSV, at most.
const CSV_CELLS_MAX: usize = 1_000_000;

/// The filter of the table, as a part of its URL.
pub(super) fn query(fields: &Fields, from: usize) -> String {
    let mut parts = vec![format!("from={from}")];
    for name in ["filter", "open", "as", "method", "path"] {
        parts.extend(fields.raw(name).map(|value| format!("{name}={}", ui::encode(value))));
    }
    parts.join("&")
}

/// The enabled clients of the table.
fn callers(page: &InSchema, most: usize) -> (Vec<Arc<KnownClient>>, usize) {
    let enabled: Vec<_> = clients(page).into_iter().filter(|client| client.enabled).collect();
    let known = enabled.iter().take(most).filter_map(|client| page.snapshot.principals.find(client.id));
    (known.cloned().collect(), enabled.len())
}

fn principals(callers: &[Arc<KnownClient>]) -> Vec<Principal<'_>> {
    let clients = callers.iter().map(|known| principal_of(Some(known.as_ref())));
    clients.chain([Principal::Anonymous]).collect()
}

pub(super) fn table(page: &InSchema, schema: &PublishedSchema, fields: &Fields) -> Markup {
    let from: usize = fields.get("from").and_then(|from| from.parse().ok()).unwrap_or(0);
    let (callers, all) = callers(page, CLIENTS);
    let wanted = Wanted {
        filter: fields.get("filter").unwrap_or_default(),
        open_only: fields.has("open"),
        skip: from,
        take: ROWS,
    };
    let (rows, more) = matrix(schema, &principals(&callers), wanted);
    let here = |from: usize| format!("{}?{}#everyone", page.path("access"), query(fields, from));
    html! {
        section.card aria-labelledby="everyone" {
            header {
                h2 #everyone { "Everyone, everything" }
                form.r action=(page.path("access")) method="get" data-autosubmit {
                    @for name in ["as", "method", "path"] {
                        @if let Some(value) = fields.raw(name) { input type="hidden" name=(name) value=(value); }
                    }
                    label.sr for="filter" { "Filter handlers" }
                    input.in.mono.short id="filter" type="search" name="filter" value=(wanted.filter) placeholder="Filter";
                    (ui::check("open", "yes", wanted.open_only, "Only what is open"))
                    button.btn.sm.no-script type="submit" { "Show" }
                }
            }
            @if rows.is_empty() { (ui::empty("No handler is like this.", &html! {})) }
            @else { (ui::scroll("Who may call which handler", &cells(&callers, &rows))) }
            @if more || from > 0 || all > callers.len() {
                div.sec.actions {
                    @if from > 0 { a.btn.sm href=(here(from.saturating_sub(ROWS))) { "Earlier" } }
                    @if more { a.btn.sm href=(here(from + ROWS)) { "More" } }
                    @if all > callers.len() {
                        span.dim { "The first " (callers.len()) " of " (all) " clients; the CSV has all." }
                    }
                }
            }
        }
    }
}

fn cells(callers: &[Arc<KnownClient>], rows: &[Row]) -> Markup {
    html! {
        table.t.matrix {
            thead { tr {
                th scope="col" { "Handler" }
                @for known in callers { th.c scope="col" { (known.name) } }
                th.c scope="col" { "No token" }
            } }
            tbody { @for row in rows { tr {
                th scope="row" { (ui::method(row.method.as_str())) " " span.mono { (row.path) } }
                @for cell in &row.cells { td.c { (mark(*cell)) } }
            } } }
        }
    }
}

fn mark(cell: Cell) -> Markup {
    let (class, icon) = match cell {
        Cell::Admitted => ("yes", "check"),
        Cell::Public => ("open", "lock-open"),
        Cell::Refused => ("no", "x"),
    };
    html! { span.(class) title=(cell.word()) { (ui::icon(icon)) span.sr { (cell.word()) } } }
}

/// The whole table, of all clients, as it is filtered.
pub(super) async fn csv(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let console = page.console.clone();
    let text = console.blocking(move |_| write_csv(&page, &fields)).await??;
    Ok(shell::download("access.csv", "text/csv; charset=utf-8", text))
}

fn write_csv(page: &InSchema, fields: &Fields) -> Result<String, Refused> {
    let schema = page.snapshot.schema(&page.schema.alias).ok_or(Refused::NotFound)?;
    let (callers, _) = callers(page, CSV_CELLS_MAX);
    let wanted = Wanted {
        filter: fields.get("filter").unwrap_or_default(),
        open_only: fields.has("open"),
        skip: 0,
        take: CSV_CELLS_MAX / (callers.len() + 1),
    };
    let (rows, more) = matrix(schema, &principals(&callers), wanted);
    if more {
        return Err(Refused::Invalid(format!("The table has more than {CSV_CELLS_MAX} cells. Filter it.")));
    }
    let mut text = String::from("method,path");
    for known in &callers {
        text.push(',');
        text.push_str(&quoted(&known.name));
    }
    text.push_str(",no token\r\n");
    for row in rows {
        text.push_str(row.method.as_str());
        text.push(',');
        text.push_str(&quoted(&row.path));
        for cell in row.cells {
            text.push(',');
            text.push_str(cell.word());
        }
        text.push_str("\r\n");
    }
    Ok(text)
}

/// A field of CSV (RFC 4180). What a spreadsheet would take for a formula begins with an apostrophe.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}
