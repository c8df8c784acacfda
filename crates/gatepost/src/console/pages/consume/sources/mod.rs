//! REST data sources: rows of other people's APIs, described, tested, shown and copied.

mod chart;
mod edit;
mod report;
mod sync;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get, post};
use gatepost_sources::definition::{ColumnOrigin, RestSource};
use http::Response;
use maud::{Markup, html};

use super::{framed, path_of, sources_of, steps};
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::shell;
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field, Tone};
use crate::console::{Console, Refused};
use crate::script::{Script, text};

const ITEM: (&str, &str) = ("sources", "REST data sources");
const ABOUT: &str =
    "Rows of somebody else's API, as a table here: in SQL, over HTTP, as a report, or copied.";

/// The tabs of a source: name, label, and what it takes to see them.
const TABS: [(&str, &str, Act); 6] = [
    ("rows", "Rows", Act::ReadSources),
    ("definition", "Definition", Act::ReadDefinitions),
    ("profile", "Data profile", Act::ReadDefinitions),
    ("test", "Test", Act::Define),
    ("sync", "Synchronize", Act::ReadDefinitions),
    ("log", "Log", Act::ReadDefinitions),
];

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/sources", get(list))
        .route("/console/s/{schema}/sources/new", get(edit::new).post(edit::discover))
        .route("/console/s/{schema}/sources/save", post(edit::save))
        .route("/console/s/{schema}/sources/{name}", get(show))
        .route("/console/s/{schema}/sources/{name}/test", post(test))
        .route("/console/s/{schema}/sources/{name}/rediscover", post(edit::rediscover))
        .route("/console/s/{schema}/sources/{name}/sync", post(sync::save))
        .route("/console/s/{schema}/sources/{name}/run", post(sync::run))
        .route("/console/s/{schema}/sources/{name}/progress", get(sync::progress))
        .route("/console/s/{schema}/sources/{name}/delete", post(delete))
}

async fn list(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let sources = sources_of(&page);
    let table = html! {
        table.t {
            thead { tr {
                th scope="col" { "Source" } th scope="col" { "Server and path" } th scope="col" { "Signs in as" }
                th.n scope="col" { "Columns" } th scope="col" { "Copied into" }
            } }
            tbody { @for source in &sources { tr {
                th scope="row" { a.mono href=(path_of(&page, ITEM.0, &source.name)) { (source.name) } }
                td.mono { (source.server) "/" (source.path) }
                td.mono { @match &source.auth { Some(auth) => (auth.credential), None => span.dim { "nobody" } } }
                td.n { (source.rows.columns.len()) }
                td.mono { @match &source.sync { Some(sync) => (sync.table), None => span.dim { "nothing" } } }
            } } }
        }
    };
    let new = html! {
        @if page.can(Act::Define) {
            a.btn.pri href=(page.path("sources/new")) data-primary { (ui::icon("plus")) "New source" }
        }
    };
    let body = html! {
        (ui::head(ITEM.1, ABOUT, &new))
        div.card {
            @if sources.is_empty() { (ui::empty(ABOUT, &html! {})) } @else { (ui::scroll(ITEM.1, &table)) }
        }
    };
    Ok(framed(&page, ITEM, ITEM.1, &body))
}

fn find(page: &InSchema, name: &str) -> Result<Arc<RestSource>, Refused> {
    let source = sources_of(page).into_iter().find(|source| source.name == name);
    source.cloned().ok_or(Refused::NotFound)
}

async fn show(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let source = find(&page, &name)?;
    let asked = fields.get("tab").and_then(|tab| TABS.iter().find(|known| known.0 == tab));
    let first = || TABS.iter().find(|tab| page.can(tab.2));
    let Some((tab, _, act)) = asked.or_else(first) else { return Err(Refused::NotFound) };
    page.may(*act)?;
    let inside = match *tab {
        "rows" => report::rows(&page, &source, &fields).await,
        "profile" => profile(&page, &source),
        "test" => test_form(&page, &source, &html! {}),
        "sync" => sync::tab(&page, &source, None).await?,
        "log" => sync::log(&page, &source).await?,
        _ => edit::tab(&page, &source, &source.to_toml(), None),
    };
    Ok(framed(&page, ITEM, &source.name, &with_tabs(&page, &source, tab, &inside)))
}

/// The head of a source's pages, with what is below the tab.
fn with_tabs(page: &InSchema, source: &RestSource, open: &str, inside: &Markup) -> Markup {
    let here = path_of(page, ITEM.0, &source.name);
    let delete = html! {
        @if page.can(Act::Define) {
            form method="post" action={ (here) "/delete" } {
                (page.csrf_field())
                button.btn.danger type="submit" { (ui::icon("trash-2")) "Delete" }
            }
        }
    };
    let about = html! { span.mono { (url_of(page, source)) } };
    html! {
        (ui::head(&source.name, about, &delete))
        nav.tabs.links aria-label="Source" {
            @for (tab, label, act) in TABS { @if page.can(act) {
                a href={ (here) "?tab=" (tab) } aria-current=[(tab == open).then_some("page")] { (label) }
            } }
        }
        div.below { (inside) }
    }
}

fn url_of(page: &InSchema, source: &RestSource) -> String {
    let mut servers = page.snapshot.catalog.remote_servers_of(page.schema.id);
    let server = servers.find(|server| server.name == source.server);
    server.map_or_else(
        || source.path.clone(),
        |server| gatepost_sources::address::join(&server.base_url, &source.path),
    )
}

/// The columns of the rows, and what else of the API is known.
fn profile(page: &InSchema, source: &RestSource) -> Markup {
    let columns = html! {
        table.t {
            thead { tr { th scope="col" { "Column" } th scope="col" { "Type" } th scope="col" { "Where it comes from" } th scope="col" { "Key" } } }
            tbody { @for column in &source.rows.columns { tr {
                th scope="row" { span.mono { (column.name) } }
                td { @match column.kind() { Some(kind) => (kind.as_str()), None => span.dim { "any" } } }
                td.mono { @match &column.origin {
                    ColumnOrigin::Member { at, .. } => (at.to_string()),
                    ColumnOrigin::Sql { expression, .. } => (expression),
                } }
                td { @if source.rows.primary_key.contains(&column.name) { (ui::badge(Tone::Info, "key-round", "primary key")) } }
            } } }
        }
    };
    let again = format!("{}/rediscover", path_of(page, ITEM.0, &source.name));
    html! {
        section.card aria-labelledby="columns" {
            header {
                h2 #columns { "Data profile" }
                @if page.can(Act::Define) { div.r {
                    form method="post" action=(again) { (page.csrf_field()) button.btn.sm type="submit" { (ui::icon("refresh-cw")) "Rediscover" } }
                } }
            }
            @if source.rows.columns.is_empty() { (ui::empty("Each row is one column of JSON until columns are described.", &html! {})) }
            @else { (ui::scroll("All columns", &columns)) }
        }
        (parameters(source))
        (operations(source))
    }
}

fn parameters(source: &RestSource) -> Markup {
    let table = html! {
        table.t {
            thead { tr { th scope="col" { "Parameter" } th scope="col" { "In" } th scope="col" { "Sent as" } th scope="col" { "Value" } } }
            tbody { @for parameter in &source.parameters { tr {
                th scope="row" { span.mono { (parameter.name) } }
                td { (parameter.location.as_str()) }
                td.mono { (parameter.wire_name()) }
                td.mono { @match &parameter.value { Some(value) => (value.to_string()), None => span.dim { "the caller's" } } }
            } } }
        }
    };
    html! {
        section.card aria-labelledby="parameters" {
            header { h2 #parameters { "Parameters" } }
            @if source.parameters.is_empty() { (ui::empty("Callers give nothing.", &html! {})) } @else { (ui::scroll("All parameters", &table)) }
        }
    }
}

fn operations(source: &RestSource) -> Markup {
    let table = html! {
        table.t {
            thead { tr { th scope="col" { "Operation" } th scope="col" { "Path" } } }
            tbody {
                tr { th scope="row" { "fetch rows" } td.mono { (source.method.as_str()) " " (source.path) } }
                @for (name, operation) in source.operations.iter() {
                    tr { th scope="row" { (name) } td.mono { (operation.path) } }
                }
            }
        }
    };
    html! {
        section.card aria-labelledby="operations" {
            header { h2 #operations { "Operations" } }
            (ui::scroll("All operations", &table))
        }
    }
}

/// The fields for the parameters that a caller gives.
fn parameter_fields(source: &RestSource, fields: &Fields) -> Markup {
    let open: Vec<_> = source.parameters.iter().filter(|parameter| parameter.value.is_none()).collect();
    html! {
        @if !open.is_empty() { div.three {
            @for parameter in open {
                @let name = format!("p_{}", parameter.name);
                (Field { name: &name, label: &parameter.name, value: fields.text(&name), mono: true, ..Field::default() })
            }
        } }
    }
}

/// The parameters that were filled in.
fn given(source: &RestSource, fields: &Fields) -> Vec<(String, String)> {
    let value = |name: &str| fields.get(&format!("p_{name}")).map(str::to_owned);
    let named = source.parameters.iter().filter(|parameter| parameter.value.is_none());
    named.filter_map(|parameter| Some((parameter.name.clone(), value(&parameter.name)?))).collect()
}

fn test_form(page: &InSchema, source: &RestSource, found: &Markup) -> Markup {
    let action = format!("{}/test", path_of(page, ITEM.0, &source.name));
    html! {
        section.card aria-labelledby="tested" {
            header { h2 #tested { "Test" } }
            form.form method="post" action=(action) hx-post=(action) hx-target="#steps" hx-swap="innerHTML" {
                (page.csrf_field())
                p.soft { "Calls the API once, for five rows, and says where it fails and what to do about it." }
                (parameter_fields(source, &Fields::default()))
                div.actions { button.btn.pri type="submit" data-primary { (ui::icon("play")) "Test" } span.spin role="status" { "Calling…" } }
            }
            div #steps aria-live="polite" { (found) }
        }
    }
}

async fn test(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let source = find(&page, &name)?;
    let mut told = Vec::new();
    page.console.app().test_source(&source, &given(&source, &fields), &mut |step| told.push(step)).await;
    let found = steps::steps(&told);
    if page.partial {
        return Ok(shell::html_response(&found));
    }
    let inside = test_form(&page, &source, &found);
    Ok(framed(&page, ITEM, &source.name, &with_tabs(&page, &source, "test", &inside)))
}

async fn delete(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    let source = find(&page, &name)?;
    let mut script = Script::default();
    script.call("gatepost.drop_rest_source", &[("p_name", text(&source.name))]);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: page.path(ITEM.0),
        back: path_of(&page, ITEM.0, &source.name),
        title: format!("Delete REST source {}", source.name),
        apply: None,
    };
    review::propose_or_refuse(&page, proposal).await
}
