//! The first visit: the first administrator, made by whoever can read what the program printed.

use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderMap, Response, StatusCode};
use maud::{Markup, html};
use secrecy::SecretString;

use gatepost_oauth::UserError;

use crate::app::people::{By, PeopleError};
use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::ui::Field;
use crate::console::{Caller, Console, PATH, Refused, cookie, shell, ui};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new().route(&format!("{PATH}setup"), get(form).post(make))
}

/// What is wrong, and with which field.
type Problem = (&'static str, String);

async fn form(State(console): State<Console>, headers: HeaderMap, fields: Fields) -> Response<Body> {
    if console.app().has_no_users() {
        return shell::html_response(&page(&headers, &fields, None));
    }
    let mut response = shell::html_response(&shell::bare("Set up", cookie::theme(&headers), &done_before()));
    *response.status_mut() = StatusCode::CONFLICT;
    response
}

fn done_before() -> Markup {
    html! {
        div.card.pad.stack {
            h1.h1 { "Already set up" }
            p { "There is an administrator. Others are made by administrators, or with " code.mono { "gatepost user add" } "." }
            p { a.btn.pri href={ (PATH) "sign-in" } { "Sign in" } }
        }
    }
}

fn page(headers: &HeaderMap, fields: &Fields, problem: Option<&Problem>) -> Markup {
    let error = |name: &str| problem.filter(|(field, _)| *field == name).map(|(_, text)| text.as_str());
    let code = Field {
        name: "code",
        label: "Setup code",
        value: fields.text("code"),
        hint: "The program printed it where it was started.",
        error: error("code"),
        mono: true,
        required: true,
        autocomplete: "one-time-code",
        autofocus: problem.is_none(),
        ..Field::default()
    };
    let name = Field {
        name: "name",
        label: "Name",
        value: fields.text("name"),
        hint: "What you sign in with: a-z, 0-9, and . _ - @",
        error: error("name"),
        required: true,
        autocomplete: "username",
        ..Field::default()
    };
    let password = Field {
        name: "password",
        label: "Password",
        hint: "At least 12 characters.",
        error: error("password"),
        kind: "password",
        required: true,
        autocomplete: "new-password",
        ..Field::default()
    };
    let again = Field { name: "again", label: "Password again", hint: "", error: error("again"), ..password };
    let body = html! {
        form.card.pad.stack method="post" action={ (PATH) "setup" } {
            h1.h1 { "Set up Gatepost" }
            p.soft { "Publishes SQL as REST APIs and keeps the door locked. First, the administrator." }
            @if let Some((_, text)) = problem { (ui::problem(text)) }
            (code) (name) (password) (again)
            button.btn.pri type="submit" data-primary { "Create administrator" }
        }
    };
    shell::bare("Set up", cookie::theme(headers), &body)
}

async fn make(
    State(console): State<Console>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    if !console.app().has_no_users() {
        return Ok(form(State(console), headers, fields).await);
    }
    let refuse = |problem: Problem| {
        let mut response = shell::html_response(&page(&headers, &fields, Some(&problem)));
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        Ok(response)
    };
    // The code has 60 bits: nobody guesses it while the program runs.
    if !console.inner.setup.is_code(fields.text("code")) {
        tracing::warn!(address = %caller.address, "a wrong setup code was given");
        return refuse(("code", "This is not the code that the program printed.".into()));
    }
    let password = fields.raw("password").unwrap_or_default();
    if fields.raw("again") != Some(password) {
        return refuse(("again", "The two passwords differ.".into()));
    }
    let (name, password) = (fields.text("name").to_lowercase(), SecretString::from(password));
    let made = console
        .blocking(move |app| app.first_user(&name, password, By { author: "setup", source: "console" }))
        .await?;
    match made {
        Ok(_) => Ok(see_other(&format!("{PATH}sign-in"))),
        Err(PeopleError::Invalid(error)) => {
            let field = if error == UserError::Name { "name" } else { "password" };
            refuse((field, error.to_string()))
        }
        Err(error) => Err(Refused::failed(error)),
    }
}
