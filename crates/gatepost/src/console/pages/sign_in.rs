//! Signing in and out, and giving the password again before something dangerous.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::{HeaderMap, Response, StatusCode, header};
use maud::{Markup, html};
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::sign_ins::{Attempt, SignInRefused};
use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::review::local;
use crate::console::signed_in::SignedIn;
use crate::console::ui::Field;
use crate::console::{Caller, Console, PATH, Refused, cookie, shell, ui};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route(&format!("{PATH}sign-in"), get(form).post(sign_in))
        .route(&format!("{PATH}sign-out"), post(sign_out))
        .route(&format!("{PATH}confirm"), get(confirm_form).post(confirm))
}

async fn form(State(console): State<Console>, headers: HeaderMap, fields: Fields) -> Response<Body> {
    if console.app().has_no_users() {
        return see_other(&format!("{PATH}setup"));
    }
    shell::html_response(&page(&headers, &fields, None))
}

fn page(headers: &HeaderMap, fields: &Fields, problem: Option<&str>) -> Markup {
    let name = Field {
        name: "name",
        label: "Name",
        value: fields.text("name"),
        autocomplete: "username",
        required: true,
        autofocus: fields.get("name").is_none(),
        ..Field::default()
    };
    let body = html! {
        form.card.pad.stack method="post" action={ (PATH) "sign-in" } {
            h1.h1 { "Sign in" }
            @if let Some(problem) = problem { (ui::problem(problem)) }
            input type="hidden" name="next" value=(fields.text("next"));
            (name)
            (password("Password", "current-password", !name.autofocus))
            (ui::check("keep", "1", fields.has("keep"), "Keep me signed in on this computer"))
            button.btn.pri type="submit" data-primary { "Sign in" }
        }
    };
    shell::bare("Sign in", cookie::theme(headers), &body)
}

fn password<'a>(label: &'a str, autocomplete: &'a str, autofocus: bool) -> Field<'a> {
    Field {
        name: "password",
        label,
        kind: "password",
        autocomplete,
        required: true,
        autofocus,
        ..Field::default()
    }
}

async fn sign_in(
    State(console): State<Console>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    let keep = fields.has("keep");
    let attempt = Attempt {
        name: fields.text("name").to_owned(),
        password: SecretString::from(fields.raw("password").unwrap_or_default()),
        address: caller.address,
        user_agent: text(&headers, &header::USER_AGENT),
        keep,
    };
    let app = Arc::clone(console.app());
    match app.sign_in(attempt).await {
        Ok(made) => {
            let mut response = see_other(&local(fields.text("next")));
            let (token, seconds) = (made.token.expose_secret(), keep.then_some(made.lasts_seconds));
            if let Some(cookie) = cookie::set_sign_in(token, seconds, console.is_secure()) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(SignInRefused::Database(cause)) => Err(Refused::failed(cause)),
        Err(refused) => {
            let status = match refused {
                SignInRefused::Throttled(_) | SignInRefused::Busy => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let mut response = shell::html_response(&page(&headers, &fields, Some(&sentence(&refused))));
            *response.status_mut() = status;
            Ok(response)
        }
    }
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// A refusal as a sentence of a page.
fn sentence(refused: &SignInRefused) -> String {
    let text = refused.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

async fn sign_out(signed_in: SignedIn, _: Fields) -> Result<Response<Body>, Refused> {
    let (user, id) = (Arc::clone(&signed_in.user), signed_in.sign_in.id.clone());
    signed_in.console.blocking(move |app| app.end_sign_in(&user, &id)).await?.map_err(Refused::failed)?;
    let mut response = see_other(&format!("{PATH}sign-in"));
    if let Some(cookie) = cookie::set_sign_in("", Some(0), signed_in.console.is_secure()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn confirm_form(signed_in: SignedIn, fields: Fields) -> Response<Body> {
    confirm_page(&signed_in, &fields, None)
}

fn confirm_page(signed_in: &SignedIn, fields: &Fields, problem: Option<&str>) -> Response<Body> {
    let body = html! {
        form.card.pad.stack.narrow method="post" action={ (PATH) "confirm" } {
            h1.h1 { "Confirm that it is you" }
            p.soft { "What comes next is dangerous. Your password counts for ten minutes." }
            @if let Some(problem) = problem { (ui::problem(problem)) }
            (signed_in.csrf_field())
            input type="hidden" name="next" value=(fields.text("next"));
            (ui::user_name(&signed_in.user.name))
            (password("Password", "current-password", true))
            button.btn.pri type="submit" data-primary { "Confirm" }
        }
    };
    let page = shell::Page { title: "Confirm", crumbs: &[("Confirm", "")], ..shell::Page::default() };
    shell::page(signed_in, page, &body)
}

async fn confirm(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    let password = SecretString::from(fields.raw("password").unwrap_or_default());
    let app = Arc::clone(signed_in.console.app());
    let (user, sign_in) = (&signed_in.user, &signed_in.sign_in);
    match app.confirm_password(user, sign_in, &password, signed_in.caller.address).await {
        Ok(()) => Ok(see_other(&local(fields.text("next")))),
        Err(SignInRefused::Database(cause)) => Err(Refused::failed(cause)),
        Err(refused) => {
            let mut response = confirm_page(&signed_in, &fields, Some(&sentence(&refused)));
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}
