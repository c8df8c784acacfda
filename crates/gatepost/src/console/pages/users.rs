//! The people who may sign in: made, changed and removed by administrators.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get, post};
use gatepost_oauth::{User, UserKind};
use http::{Response, StatusCode};
use maud::{Markup, html};
use secrecy::SecretString;

use crate::app::people::{By, NewUser, PeopleError, UserChange};
use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, SignedIn};
use crate::console::ui::{self, Field, Tone};
use crate::console::{Console, PATH, Refused};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/users", get(list).post(create))
        .route("/console/users/{name}", get(show).post(change))
        .route("/console/users/{name}/end", post(end_sign_ins))
        .route("/console/users/{name}/delete", post(delete))
}

const ABOUT: &str = "People who sign in here. Programs are OAuth clients.";

/// What each kind may do, for the choice.
fn describe(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Administrator => "Administrator: everything",
        UserKind::Developer => "Developer: definitions and SQL of assigned schemas",
        UserKind::Viewer => "Viewer: reads definitions and source reports of assigned schemas",
        UserKind::Auditor => "Auditor: reads definitions, logs and findings of all schemas",
    }
}

async fn list(signed_in: SignedIn) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Administer)?;
    Ok(list_page(&signed_in, &Fields::default(), None))
}

fn list_page(signed_in: &SignedIn, fields: &Fields, problem: Option<&str>) -> Response<Body> {
    let snapshot = signed_in.console.app().snapshot();
    let mut users: Vec<&Arc<User>> = snapshot.catalog.users.values().collect();
    users.sort_by(|one, other| one.name.cmp(&other.name));
    let now_ms = signed_in.console.app().clock.now_ms();
    let table = html! {
        table.t {
            thead { tr { th scope="col" { "Name" } th scope="col" { "Kind" } th scope="col" { "Schemas" } th scope="col" { "Password set" } th scope="col" { "Status" } } }
            tbody { @for user in users { tr {
                th scope="row" { a href={ (PATH) "users/" (ui::encode(&user.name)) } { (user.name) } }
                td { (user.kind.as_str()) }
                td { @if user.kind.has_assigned_schemas() { (schema_names(signed_in, user).join(", ")) } @else { "all" } }
                td { (ui::ago(user.password_set_on_ms, now_ms)) }
                td { @if user.enabled { (ui::badge(Tone::Good, "", "enabled")) } @else { (ui::badge(Tone::Warn, "ban", "disabled")) } }
            } } }
        }
    };
    let body = html! {
        (ui::head("Users", ABOUT, &html! {}))
        div.grid.c2 {
            section.card aria-label="Users" { (ui::scroll("Users", &table)) }
            form.card.form method="post" action={ (PATH) "users" } {
                h2.h2 { "New user" }
                @if let Some(problem) = problem { (ui::problem(problem)) }
                (signed_in.csrf_field())
                (Field { name: "name", label: "Name", value: fields.text("name"), hint: "a-z, 0-9, and . _ - @", mono: true, required: true, autocomplete: "username", ..Field::default() })
                (Field { name: "password", label: "Password", kind: "password", hint: "At least 12 characters", required: true, autocomplete: "new-password", ..Field::default() })
                (access(signed_in, fields.get("kind").unwrap_or("developer"), &fields.all("schema").map(str::to_owned).collect::<Vec<_>>()))
                div.actions { button.btn.pri type="submit" data-primary { (ui::icon("plus")) "Create user" } }
            }
        }
    };
    let page = Page { title: "Users", item: "users", crumbs: &[("Users", "")], ..Page::default() };
    shell::page(signed_in, page, &body)
}

fn schema_names(signed_in: &SignedIn, user: &User) -> Vec<String> {
    let snapshot = signed_in.console.app().snapshot();
    user.schemas
        .iter()
        .filter_map(|id| snapshot.catalog.schemas.get(id))
        .map(|schema| schema.name.clone())
        .collect()
}

/// The choice of kind and schemas.
fn access(signed_in: &SignedIn, kind: &str, chosen: &[String]) -> Markup {
    let snapshot = signed_in.console.app().snapshot();
    let mut names: Vec<&str> = snapshot.catalog.schemas.values().map(|schema| schema.name.as_str()).collect();
    names.sort_unstable();
    html! {
        (ui::select("kind", "Kind", kind, UserKind::ALL.map(|kind| (kind.as_str(), describe(kind)))))
        fieldset {
            legend { "Schemas of a developer or viewer" }
            div.ticks { @for name in names { (ui::check("schema", name, chosen.iter().any(|other| other == name), name)) } }
        }
    }
}

/// The kind and the schemas that a form chose; administrators and auditors are assigned none.
fn chosen(fields: &Fields) -> Result<(UserKind, Vec<String>), Refused> {
    let kind =
        UserKind::parse(fields.text("kind")).ok_or_else(|| Refused::Invalid("Choose a kind.".into()))?;
    let schemas = if kind.has_assigned_schemas() {
        fields.all("schema").map(str::to_owned).collect()
    } else {
        Vec::new()
    };
    Ok((kind, schemas))
}

async fn create(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Administer)?;
    signed_in.confirmed(&format!("{PATH}users"))?;
    let (kind, schemas) = chosen(&fields)?;
    let password = SecretString::from(fields.raw("password").unwrap_or_default());
    let new = NewUser { name: fields.text("name").to_lowercase(), kind, schemas, password };
    let author = signed_in.user.name.clone();
    let made = signed_in
        .console
        .blocking(move |app| app.create_user(&new, By { author: &author, source: "console" }))
        .await?;
    match made {
        Ok(user) => Ok(see_other(&format!("{PATH}users/{}", ui::encode(&user.name)))),
        Err(PeopleError::Commit(error)) => Err(Refused::failed(error)),
        Err(error) => {
            let mut response = list_page(&signed_in, &fields, Some(&error.to_string()));
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}

fn find(signed_in: &SignedIn, name: &str) -> Result<Arc<User>, Refused> {
    signed_in.console.app().snapshot().catalog.user_by_name(name).cloned().ok_or(Refused::NotFound)
}

async fn show(signed_in: SignedIn, Path(name): Path<String>) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Administer)?;
    let user = find(&signed_in, &name)?;
    user_page(&signed_in, &user, None).await
}

async fn user_page(
    signed_in: &SignedIn,
    user: &Arc<User>,
    problem: Option<&str>,
) -> Result<Response<Body>, Refused> {
    let of = Arc::clone(user);
    let sign_ins =
        signed_in.console.blocking(move |app| app.list_sign_ins(&of)).await?.map_err(Refused::failed)?;
    let here = format!("{PATH}users/{}", ui::encode(&user.name));
    let now_ms = signed_in.console.app().clock.now_ms();
    let table = html! {
        table.t {
            thead { tr { th scope="col" { "Browser" } th scope="col" { "Address" } th scope="col" { "Last seen" } } }
            tbody { @for sign_in in &sign_ins { tr { td { (sign_in.user_agent) } td.mono { (sign_in.address) } td { (ui::ago(sign_in.seen_on_ms, now_ms)) } } } }
        }
    };
    let body = html! {
        (ui::head(&user.name, describe(user.kind), &html! {
            form method="post" action={ (here) "/delete" } { (signed_in.csrf_field()) button.btn.danger type="submit" { (ui::icon("trash-2")) "Remove" } }
        }))
        div.grid.c2 {
            section.card aria-labelledby="sign-ins" {
                header { h2 #sign-ins { "Signed in" } div.r {
                    form method="post" action={ (here) "/end" } { (signed_in.csrf_field()) button.btn.sm.danger type="submit" { "End all" } }
                } }
                @if sign_ins.is_empty() { (ui::empty("Not signed in anywhere.", &html! {})) } @else { (ui::scroll("Sign-ins", &table)) }
            }
            form.card.form method="post" action=(here) {
                h2.h2 { "Change" }
                @if let Some(problem) = problem { (ui::problem(problem)) }
                (signed_in.csrf_field())
                (ui::user_name(&user.name))
                (access(signed_in, user.kind.as_str(), &schema_names(signed_in, user)))
                (ui::check("enabled", "1", user.enabled, "May sign in"))
                (Field { name: "password", label: "New password", kind: "password", hint: "Empty: as it is", autocomplete: "new-password", ..Field::default() })
                div.actions { button.btn.pri type="submit" data-primary { (ui::icon("save")) "Save" } }
            }
        }
    };
    let list = format!("{PATH}users");
    let crumbs = [("Users", list.as_str()), (user.name.as_str(), "")];
    Ok(shell::page(
        signed_in,
        Page { title: &user.name, item: "users", crumbs: &crumbs, ..Page::default() },
        &body,
    ))
}

async fn change(
    signed_in: SignedIn,
    Path(name): Path<String>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Administer)?;
    let here = format!("{PATH}users/{}", ui::encode(&name));
    signed_in.confirmed(&here)?;
    let user = find(&signed_in, &name)?;
    let (kind, schemas) = chosen(&fields)?;
    let change =
        UserChange { kind: Some(kind), schemas: Some(schemas), enabled: Some(fields.has("enabled")) };
    let password = fields.raw("password").filter(|text| !text.is_empty()).map(SecretString::from);
    let author = signed_in.user.name.clone();
    let changed = signed_in
        .console
        .blocking(move |app| {
            let by = By { author: &author, source: "console" };
            // The password first: one that is refused changes nothing.
            if let Some(password) = password {
                app.set_password(&name, &password, by)?;
            }
            app.change_user(&name, &change, by)
        })
        .await?;
    match changed {
        Ok(_) => Ok(see_other(&here)),
        Err(PeopleError::Commit(error)) => Err(Refused::failed(error)),
        Err(error) => {
            let mut response = user_page(&signed_in, &user, Some(&error.to_string())).await?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}

async fn end_sign_ins(
    signed_in: SignedIn,
    Path(name): Path<String>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Administer)?;
    let user = find(&signed_in, &name)?;
    signed_in.console.blocking(move |app| app.end_sign_ins(&user)).await?.map_err(Refused::failed)?;
    Ok(see_other(&format!("{PATH}users/{}", ui::encode(&name))))
}

async fn delete(signed_in: SignedIn, Path(name): Path<String>, _: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Administer)?;
    signed_in.confirmed(&format!("{PATH}users/{}", ui::encode(&name)))?;
    let user = find(&signed_in, &name)?;
    let author = signed_in.user.name.clone();
    let deleted = signed_in
        .console
        .blocking(move |app| app.delete_user(&name, By { author: &author, source: "console" }))
        .await?;
    match deleted {
        Ok(()) => Ok(see_other(&format!("{PATH}users"))),
        Err(PeopleError::Commit(error)) => Err(Refused::failed(error)),
        Err(error) => user_page(&signed_in, &user, Some(&error.to_string())).await,
    }
}
