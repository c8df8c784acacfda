//! OAuth clients: the list, one client, its secrets and tokens.

mod form;
mod secrets;
mod show;

pub(super) use secrets::readable;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use gatepost_oauth::{Client, ClientSecret};
use http::Response;
use maud::{Markup, html};

use crate::audit::reach::{Reach, Who};
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Tone};
use crate::console::{Console, Refused};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/clients", get(list))
        .route("/console/s/{schema}/clients/new", get(form::new).post(form::register))
        .route("/console/s/{schema}/clients/preview", post(form::preview))
        .route("/console/s/{schema}/clients/{name}/apply", post(form::apply))
        .route("/console/s/{schema}/clients/{name}", get(show::show))
        .route("/console/s/{schema}/clients/{name}/edit", get(form::edit).post(form::change))
        .route("/console/s/{schema}/clients/{name}/delete", post(show::delete))
        .route("/console/s/{schema}/clients/{name}/status", post(show::set_status))
        .route("/console/s/{schema}/clients/{name}/rotate", get(secrets::rotate_form).post(secrets::rotate))
        .route("/console/s/{schema}/clients/{name}/revoke-secret", post(secrets::revoke))
        .route("/console/s/{schema}/clients/{name}/revoke-tokens", post(secrets::revoke_tokens))
        .route("/console/s/{schema}/clients/{name}/stored", post(secrets::stored))
}

const ABOUT: &str = "A program that calls this schema's APIs. It gets a token for its id and secret.";

/// Days after which a secret is shown as old, as the audit does.
const SECRET_DAYS: i64 = 365;

async fn list(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let catalog = &page.snapshot.catalog;
    let mut clients: Vec<&Client> = catalog.clients_of(page.schema.id).map(AsRef::as_ref).collect();
    clients.sort_by(|one, other| one.name.cmp(&other.name));
    let reach = Reach::of(catalog, &page.schema, page.console.app().unprotected());
    let now_ms = page.console.app().clock.now_ms();
    let table = html! {
        table.t {
            thead { tr {
                th scope="col" { "Client" } th scope="col" { "Client id" } th scope="col" { "Roles" }
                th.n scope="col" { "May call" } th scope="col" { "Secret set" } th scope="col" { "Status" }
            } }
            tbody { @for client in &clients { tr {
                th scope="row" { a href=(path_of(&page, &client.name)) { (client.name) } }
                td.mono { (client.client_id) }
                td { (role_names(&page, client).join(", ")) }
                td.n { (routes_of(&reach, &client.name).len()) }
                td { (secret_age(client, now_ms)) }
                td { (status(client)) }
            } } }
        }
    };
    let new = html! {
        @if page.can(Act::Define) {
            a.btn.pri href=(page.path("clients/new")) data-primary { (ui::icon("plus")) "Register client" }
        }
    };
    let body = html! {
        (ui::head("OAuth clients", ABOUT, &new))
        section.card aria-label="OAuth clients" {
            @if clients.is_empty() { (ui::empty(ABOUT, &html! {})) } @else { (ui::scroll("OAuth clients", &table)) }
        }
    };
    let frame = Page {
        title: "OAuth clients",
        item: "clients",
        crumbs: &[("OAuth clients", "")],
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    Ok(shell::page(&page, frame, &body))
}

fn path_of(page: &InSchema, name: &str) -> String {
    page.path(&format!("clients/{}", ui::encode(name)))
}

fn find<'a>(page: &'a InSchema, name: &str) -> Result<&'a Client, Refused> {
    let mut clients = page.snapshot.catalog.clients_of(page.schema.id);
    clients.find(|client| client.name == name).map(AsRef::as_ref).ok_or(Refused::NotFound)
}

fn role_names<'a>(page: &'a InSchema, client: &Client) -> Vec<&'a str> {
    let roles = &page.snapshot.catalog.roles;
    let mut names: Vec<&str> =
        client.roles.iter().filter_map(|id| roles.get(id)).map(|role| role.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn privilege_names<'a>(page: &'a InSchema, client: &Client) -> Vec<&'a str> {
    let privileges = &page.snapshot.catalog.privileges;
    let ids = client.privileges.iter().filter_map(|id| privileges.get(id));
    let mut names: Vec<&str> = ids.map(|privilege| privilege.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// The routes that a client reaches with a token of its own.
fn routes_of<'a>(reach: &'a Reach, name: &str) -> Vec<&'a str> {
    let who = Who::Client(name.to_owned());
    reach.by_route().filter(|(_, callers)| callers.contains(&who)).map(|(route, _)| route).collect()
}

fn status(client: &Client) -> Markup {
    if client.enabled {
        ui::badge(Tone::Good, "", "enabled")
    } else {
        ui::badge(Tone::Warn, "ban", "disabled")
    }
}

fn secret_age(client: &Client, now_ms: i64) -> Markup {
    let newest = client.secrets.iter().map(|secret: &ClientSecret| secret.issued_on_ms).max();
    match newest {
        None => ui::badge(Tone::Warn, "", "no secret"),
        Some(at_ms) if now_ms - at_ms > SECRET_DAYS * 86_400_000 => {
            ui::badge(Tone::Warn, "clock", ui::ago(at_ms, now_ms))
        }
        Some(at_ms) => ui::ago(at_ms, now_ms),
    }
}
