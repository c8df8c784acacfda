//! A person's own sign-ins and password.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Response, StatusCode};
use maud::html;
use secrecy::SecretString;

use crate::app::people::{By, PeopleError};
use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::shell::{self, Page};
use crate::console::signed_in::SignedIn;
use crate::console::ui::{self, Field};
use crate::console::{Console, PATH, Refused};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route(&format!("{PATH}me"), get(show))
        .route(&format!("{PATH}me/end"), post(end))
        .route(&format!("{PATH}me/password"), get(password_form).post(set_password))
}

async fn show(signed_in: SignedIn) -> Result<Response<Body>, Refused> {
    let user = Arc::clone(&signed_in.user);
    let sign_ins =
        signed_in.console.blocking(move |app| app.list_sign_ins(&user)).await?.map_err(Refused::failed)?;
    let now_ms = signed_in.console.app().clock.now_ms();
    let table = html! {
        table.t {
            thead { tr {
                th scope="col" { "Browser" } th scope="col" { "Address" } th scope="col" { "Signed in" }
                th scope="col" { "Last seen" } th scope="col" { "Ends" } th scope="col" { span.sr { "Actions" } }
            } }
            tbody { @for sign_in in &sign_ins { tr {
                td { (sign_in.user_agent) }
                td.mono { (sign_in.address) }
                td { (ui::ago(sign_in.made_on_ms, now_ms)) }
                td { (ui::ago(sign_in.seen_on_ms, now_ms)) }
                td { (ui::ago(sign_in.expires_on_ms, now_ms)) }
                td.n {
                    @if sign_in.id == signed_in.sign_in.id { (ui::badge(ui::Tone::Good, "", "this one")) }
                    @else {
                        form method="post" action={ (PATH) "me/end" } {
                            (signed_in.csrf_field())
                            input type="hidden" name="id" value=(sign_in.id);
                            button.btn.sm.danger type="submit" { "End" }
                        }
                    }
                }
            } } }
        }
    };
    let body = html! {
        (ui::head("Your sign-ins", "Where you are signed in now. End what you do not know.", &html! {
            a.btn href={ (PATH) "me/password" } { "Change password" }
        }))
        section.card aria-label="Sign-ins" { (ui::scroll("Sign-ins", &table)) }
    };
    let page =
        Page { title: "Your sign-ins", item: "me", crumbs: &[("Your sign-ins", "")], ..Page::default() };
    Ok(shell::page(&signed_in, page, &body))
}

async fn end(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    let (user, id) = (Arc::clone(&signed_in.user), fields.text("id").to_owned());
    signed_in.console.blocking(move |app| app.end_sign_in(&user, &id)).await?.map_err(Refused::failed)?;
    Ok(see_other(&format!("{PATH}me")))
}

async fn password_form(signed_in: SignedIn) -> Result<Response<Body>, Refused> {
    signed_in.confirmed(&format!("{PATH}me/password"))?;
    Ok(password_page(&signed_in, None))
}

fn password_page(signed_in: &SignedIn, problem: Option<&str>) -> Response<Body> {
    let password = Field {
        name: "password",
        label: "New password",
        hint: "At least 12 characters. All your sign-ins end.",
        kind: "password",
        required: true,
        autocomplete: "new-password",
        autofocus: true,
        ..Field::default()
    };
    let again = Field { name: "again", label: "New password again", hint: "", autofocus: false, ..password };
    let body = html! {
        form.card.pad.stack.narrow method="post" action={ (PATH) "me/password" } {
            h1.h1 { "Change password" }
            @if let Some(problem) = problem { (ui::problem(problem)) }
            (signed_in.csrf_field())
            (ui::user_name(&signed_in.user.name))
            (password) (again)
            button.btn.pri type="submit" data-primary { "Change password" }
        }
    };
    let path = format!("{PATH}me");
    let crumbs = [("Your sign-ins", path.as_str()), ("Password", "")];
    shell::page(
        signed_in,
        Page { title: "Change password", item: "me", crumbs: &crumbs, ..Page::default() },
        &body,
    )
}

async fn set_password(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.confirmed(&format!("{PATH}me/password"))?;
    let refuse = |problem: &str| {
        let mut response = password_page(&signed_in, Some(problem));
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        Ok(response)
    };
    let password = fields.raw("password").unwrap_or_default();
    if fields.raw("again") != Some(password) {
        return refuse("The two passwords differ.");
    }
    let (name, password) = (signed_in.user.name.clone(), SecretString::from(password));
    let set = signed_in
        .console
        .blocking(move |app| app.set_password(&name, &password, By { author: &name, source: "console" }))
        .await?;
    match set {
        Ok(_) => Ok(see_other(&format!("{PATH}sign-in"))),
        Err(PeopleError::Invalid(error)) => refuse(&error.to_string()),
        Err(error) => Err(Refused::failed(error)),
    }
}
