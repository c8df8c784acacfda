//! Roles: names that clients hold and privileges ask for.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get, post};
use gatepost_oauth::Client;
use gatepost_rest::definition::{Privilege, Role};
use http::{Response, StatusCode};
use maud::{Markup, html};

use crate::audit::reach::Reach;
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field};
use crate::console::{Console, Refused};
use crate::script::{Script, text};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/roles", get(list).post(create))
        .route("/console/s/{schema}/roles/{name}", get(show))
        .route("/console/s/{schema}/roles/{name}/grant", post(grant))
        .route("/console/s/{schema}/roles/{name}/delete", post(delete))
}

const ABOUT: &str = "A role is a name that clients hold and privileges ask for.";

async fn list(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    Ok(list_page(&page, "", None))
}

fn list_page(page: &InSchema, name: &str, error: Option<&str>) -> Response<Body> {
    let roles = roles(page);
    let form = html! {
        form.card.form method="post" action=(page.path("roles")) {
            (page.csrf_field())
            (Field { name: "name", label: "New role", value: name, hint: "For instance hr_reader", error,
                mono: true, required: true, autofocus: error.is_some(), ..Field::default() })
            div.actions { button.btn.pri type="submit" data-primary { (ui::icon("plus")) "Create role" } }
        }
    };
    let table = html! {
        table.t {
            thead { tr {
                th scope="col" { "Role" } th scope="col" { "Accepted by privileges" } th scope="col" { "Held by clients" }
            } }
            tbody { @for role in &roles { tr {
                th scope="row" { a.mono href=(page.path(&format!("roles/{}", ui::encode(&role.name)))) { (role.name) } }
                td { (names(accepting(page, role).map(|privilege| privilege.name.as_str()))) }
                td { (names(holding(page, role).map(|client| client.name.as_str()))) }
            } } }
        }
    };
    let body = html! {
        (ui::head("Roles", ABOUT, &html! {}))
        div.grid.c2 {
            section.card aria-label="Roles" {
                @if roles.is_empty() { (ui::empty(ABOUT, &html! {})) } @else { (ui::scroll("Roles", &table)) }
            }
            @if page.can(Act::Define) { (form) }
        }
    };
    let frame = Page {
        title: "Roles",
        item: "roles",
        crumbs: &[("Roles", "")],
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    shell::page(page, frame, &body)
}

fn roles(page: &InSchema) -> Vec<&Role> {
    let mut roles: Vec<&Role> = page.snapshot.catalog.roles_of(page.schema.id).map(AsRef::as_ref).collect();
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    roles
}

fn accepting<'a>(page: &'a InSchema, role: &'a Role) -> impl Iterator<Item = &'a Privilege> {
    let privileges = page.snapshot.catalog.privileges_of(page.schema.id).map(AsRef::as_ref);
    privileges.filter(|privilege| privilege.roles.contains(&role.id))
}

fn holding<'a>(page: &'a InSchema, role: &'a Role) -> impl Iterator<Item = &'a Client> {
    let clients = page.snapshot.catalog.clients_of(page.schema.id).map(AsRef::as_ref);
    clients.filter(|client| client.roles.contains(&role.id))
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Markup {
    let names: Vec<&str> = names.collect();
    html! { @if names.is_empty() { span.dim { "none" } } @else { (names.join(", ")) } }
}

async fn create(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    let name = fields.text("name");
    let mut script = Script::default();
    script.call("ords.create_role", &[("p_role_name", text(name))]);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: page.path(&format!("roles/{}", ui::encode(name))),
        back: page.path("roles"),
        title: format!("New role {name}"),
        apply: None,
    };
    match review::propose(&page, proposal).await? {
        Ok(response) => Ok(response),
        Err(failure) => {
            let mut response = list_page(&page, name, Some(&failure.diagnostic.message));
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}

fn find<'a>(page: &'a InSchema, name: &str) -> Result<&'a Role, Refused> {
    roles(page).into_iter().find(|role| role.name == name).ok_or(Refused::NotFound)
}

async fn show(page: InSchema, Path((_, name)): Path<(String, String)>) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let role = find(&page, &name)?;
    let reach = Reach::of(&page.snapshot.catalog, &page.schema, page.console.app().unprotected());
    let mut opens: Vec<&str> =
        accepting(&page, role).flat_map(|privilege| reach.routes_of_privilege(privilege.id)).collect();
    opens.sort_unstable();
    opens.dedup();
    let here = |tail: &str| page.path(&format!("roles/{}{tail}", ui::encode(&role.name)));
    let others: Vec<&str> = page
        .snapshot
        .catalog
        .clients_of(page.schema.id)
        .filter(|client| !client.roles.contains(&role.id))
        .map(|client| client.name.as_str())
        .collect();
    let body = html! {
        (ui::head(&role.name, ABOUT, &html! {
            @if page.can(Act::Define) {
                form method="post" action=(here("/delete")) {
                    (page.csrf_field())
                    button.btn.danger type="submit" { (ui::icon("trash-2")) "Delete" }
                }
            }
        }))
        div.grid.c2 {
            section.card aria-labelledby="opens" {
                header { h2 #opens { "Opens" } div.r { span.dim { (ui::plural(opens.len(), "handler")) } } }
                @if opens.is_empty() { (ui::empty("No privilege accepts this role, so it opens nothing.", &html! {
                    a.btn href=(page.path("privileges/new")) { "New privilege" }
                })) }
                ul.doors { @for route in &opens { li { (ui::icon("lock")) span.mono { (route) } } } }
            }
            div.grid {
                section.card aria-labelledby="accepted" {
                    header { h2 #accepted { "Accepted by" } }
                    ul.doors { @for privilege in accepting(&page, role) { li {
                        a.mono href=(page.path(&format!("privileges/{}", ui::encode(&privilege.name)))) { (privilege.name) }
                    } } }
                }
                section.card aria-labelledby="held" {
                    header { h2 #held { "Held by" } }
                    ul.doors { @for client in holding(&page, role) { li {
                        a href=(page.path(&format!("clients/{}", ui::encode(&client.name)))) { (client.name) }
                    } } }
                    @if page.can(Act::Define) && !others.is_empty() {
                        form.form method="post" action=(here("/grant")) {
                            (page.csrf_field())
                            (ui::select("client", "Grant to client", "", others.iter().map(|name| (*name, *name))))
                            div.actions { button.btn type="submit" { "Grant" } }
                        }
                    }
                }
            }
        }
    };
    let list = page.path("roles");
    let crumbs = [("Roles", list.as_str()), (role.name.as_str(), "")];
    let frame = Page {
        title: &role.name,
        item: "roles",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    Ok(shell::page(&page, frame, &body))
}

async fn grant(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    let role = find(&page, &name)?;
    let client = fields.text("client");
    let mut script = Script::default();
    script.call(
        "oauth.grant_client_role",
        &[("p_client_name", text(client)), ("p_role_name", text(&role.name))],
    );
    let back = page.path(&format!("roles/{}", ui::encode(&role.name)));
    let title = format!("Grant {} to {client}", role.name);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: back.clone(),
        back,
        title,
        apply: None,
    };
    review::propose_or_refuse(&page, proposal).await
}

async fn delete(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    let role = find(&page, &name)?;
    let mut script = Script::default();
    script.call("ords.delete_role", &[("p_role_name", text(&role.name))]);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: page.path("roles"),
        back: page.path(&format!("roles/{}", ui::encode(&role.name))),
        title: format!("Delete role {}", role.name),
        apply: None,
    };
    review::propose_or_refuse(&page, proposal).await
}
