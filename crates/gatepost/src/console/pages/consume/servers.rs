//! Remote servers: the addresses that are called.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get, post};
use gatepost_sources::definition::{Document, RemoteServer, ServerKind};
use http::Response;
use maud::{Markup, html};

use super::{framed, links, path_of, propose, sources_of, steps, unaccepted};
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::shell;
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field, Tone};
use crate::console::{Console, Refused};
use crate::script::{Script, text};

const ITEM: (&str, &str) = ("remote-servers", "Remote servers");
const ABOUT: &str = "The address of a server that you call. Make one for the data, and one for the token server if that is another.";

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/remote-servers", get(list))
        .route("/console/s/{schema}/remote-servers/new", get(new))
        .route("/console/s/{schema}/remote-servers/save", post(save))
        .route("/console/s/{schema}/remote-servers/{name}", get(show))
        .route("/console/s/{schema}/remote-servers/{name}/check", post(check))
        .route("/console/s/{schema}/remote-servers/{name}/delete", post(delete))
}

async fn list(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let mut servers: Vec<_> = page.snapshot.catalog.remote_servers_of(page.schema.id).collect();
    servers.sort_by(|one, other| one.name.cmp(&other.name));
    let table = html! {
        table.t {
            thead { tr {
                th scope="col" { "Server" } th scope="col" { "Base URL" } th scope="col" { "For" } th scope="col" { "Used by" }
            } }
            tbody { @for server in &servers { tr {
                th scope="row" { a.mono href=(path_of(&page, ITEM.0, &server.name)) { (server.name) } }
                td.mono { (server.base_url) }
                td { (server.kind.as_str()) @if is_plain(server) { " " (ui::badge(Tone::Warn, "triangle-alert", "not encrypted")) } }
                td { (links(&page, &users(&page, &server.name))) }
            } } }
        }
    };
    let new = html! {
        @if page.can(Act::Define) {
            a.btn.pri href=(page.path("remote-servers/new")) data-primary { (ui::icon("plus")) "New remote server" }
        }
    };
    let body = html! {
        (ui::head(ITEM.1, ABOUT, &new))
        div.card {
            @if servers.is_empty() { (ui::empty(ABOUT, &html! {})) } @else { (ui::scroll(ITEM.1, &table)) }
        }
    };
    Ok(framed(&page, ITEM, ITEM.1, &body))
}

fn is_plain(server: &RemoteServer) -> bool {
    server.base_url.starts_with("http://")
}

/// The sources that call a server, or get their tokens there.
fn users<'p>(page: &'p InSchema, name: &str) -> Vec<&'p str> {
    let uses = |auth: &Option<String>| auth.as_deref() == Some(name);
    let sources = sources_of(page).into_iter().filter(|source| {
        source.server == name || source.auth.as_ref().is_some_and(|auth| uses(&auth.server))
    });
    sources.map(|source| source.name.as_str()).collect()
}

fn find<'p>(page: &'p InSchema, name: &str) -> Result<&'p RemoteServer, Refused> {
    let mut servers = page.snapshot.catalog.remote_servers_of(page.schema.id);
    servers.find(|server| server.name == name).map(AsRef::as_ref).ok_or(Refused::NotFound)
}

async fn new(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    Ok(form(&page, None, &RemoteServer::new("", ServerKind::Rest, "https://"), None))
}

async fn show(page: InSchema, Path((_, name)): Path<(String, String)>) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let server = find(&page, &name)?;
    Ok(form(&page, Some(&server.name), server, None))
}

fn form(page: &InSchema, was: Option<&str>, server: &RemoteServer, problem: Option<&str>) -> Response<Body> {
    let (title, editable) = (was.unwrap_or("New remote server"), page.can(Act::Define));
    let kinds = ServerKind::ALL.iter().map(|kind| {
        (
            kind.as_str(),
            match kind {
                ServerKind::Rest => "an API, which may serve tokens as well",
                ServerKind::Authentication => "tokens only",
            },
        )
    });
    let body = html! {
        (ui::head(title, ABOUT, &actions(page, was)))
        div.grid.c2 {
            form.card.form method="post" action=(page.path("remote-servers/save")) data-guard {
                @if let Some(problem) = problem { (ui::problem(problem)) }
                (page.csrf_field())
                @if let Some(was) = was { input type="hidden" name="was" value=(was); }
                @else {
                    (Field { name: "name", label: "Name", value: &server.name, mono: true, required: true, autofocus: true,
                        hint: "Sources name it by this: lower case letters, digits, _", ..Field::default() })
                }
                (Field { name: "base_url", label: "Base URL", value: &server.base_url, mono: true, required: true, kind: "url",
                    hint: "Without a path that differs from source to source", ..Field::default() })
                (ui::select("kind", "What is called there", server.kind.as_str(), kinds))
                (Field { name: "tls_ca", label: "Certificates to trust besides the system's, in PEM",
                    value: server.tls_ca.as_deref().unwrap_or_default(), mono: true, rows: 3, ..Field::default() })
                (Field { name: "comments", label: "Comments", value: server.comments.as_deref().unwrap_or_default(), rows: 2,
                    ..Field::default() })
                @if editable { (buttons(page)) }
            }
            div.grid {
                @if let Some(was) = was {
                    @if is_plain(server) { (ui::warning("Secrets and rows go to this server without encryption.")) }
                    @if editable { (check_card(page, was)) }
                    section.card aria-labelledby="used" {
                        header { h2 #used { "Used by" } }
                        div.pad { (links(page, &users(page, was))) }
                    }
                }
            }
        }
    };
    framed(page, ITEM, title, &body)
}

fn buttons(page: &InSchema) -> Markup {
    html! {
        div.actions {
            button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review and save" }
            a.btn href=(page.path(ITEM.0)) { "Cancel" }
        }
    }
}

fn actions(page: &InSchema, was: Option<&str>) -> Markup {
    html! {
        @if let Some(was) = was { @if page.can(Act::Define) {
            form method="post" action={ (path_of(page, ITEM.0, was)) "/delete" } {
                (page.csrf_field())
                button.btn.danger type="submit" { (ui::icon("trash-2")) "Delete" }
            }
        } }
    }
}

fn check_card(page: &InSchema, name: &str) -> Markup {
    let check = format!("{}/check", path_of(page, ITEM.0, name));
    html! {
        section.card aria-labelledby="reach" {
            header { h2 #reach { "Connection" } }
            div.pad.stack {
                form method="post" action=(check) hx-post=(check) hx-target="#checked" hx-swap="innerHTML" {
                    (page.csrf_field())
                    button.btn type="submit" { (ui::icon("cable")) "Check connection" } " "
                    span.spin role="status" { "Connecting…" }
                }
                div #checked aria-live="polite" {}
            }
        }
    }
}

async fn check(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let (server, app) = (find(&page, &name)?.clone(), page.console.app());
    let mut told = Vec::new();
    app.test_server(&server, &mut |step| told.push(step)).await;
    let markup = steps::steps(&told);
    if page.partial {
        return Ok(shell::html_response(&markup));
    }
    let body =
        html! { (ui::head(&server.name, "Whether it can be reached", &html! {})) section.card { (markup) } };
    Ok(framed(&page, ITEM, &server.name, &body))
}

async fn save(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let was = fields.get("was");
    let name = was.unwrap_or_else(|| fields.text("name"));
    let kind = ServerKind::parse(fields.text("kind")).unwrap_or(ServerKind::Rest);
    let given = |field: &str| fields.get(field).map(str::to_owned);
    let server = RemoteServer {
        tls_ca: given("tls_ca"),
        comments: given("comments"),
        ..RemoteServer::new(name, kind, fields.text("base_url"))
    };
    if was.is_none() && find(&page, name).is_ok() {
        return Ok(unaccepted(form(&page, None, &server, Some("There is a remote server of this name."))));
    }
    let checked = match server.clone().checked() {
        Ok(checked) => checked,
        Err(broken) => return Ok(unaccepted(form(&page, was, &server, Some(&broken.to_string())))),
    };
    let done = path_of(&page, ITEM.0, name);
    let back = was.map_or_else(|| page.path(ITEM.0), |_| done.clone());
    let document = Document { servers: vec![checked], ..Document::default() };
    let title = format!("Remote server {name}");
    propose(&page, document, (title, done, back), |problem| form(&page, was, &server, Some(problem))).await
}

async fn delete(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    let server = find(&page, &name)?;
    let mut script = Script::default();
    script.call("gatepost.drop_remote_server", &[("p_name", text(&server.name))]);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: page.path(ITEM.0),
        back: path_of(&page, ITEM.0, &server.name),
        title: format!("Delete remote server {}", server.name),
        apply: None,
    };
    review::propose_or_refuse(&page, proposal).await
}
