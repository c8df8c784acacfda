//! Try it: requests to this server's own services, as callers send them, and what came of them.

mod answer;
mod draft;
mod form;
mod json;
mod kept;
mod send;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::Response;
use maud::{Markup, html};

use crate::console::fields::Fields;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::{Console, Refused, ui};
use crate::describe::snippets::{Language, Request, TokenSource};
use crate::describe::{Operation, operation_of};
use draft::{CallAs, Draft, Target};
use kept::Kept;

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/try", get(show).post(act))
        .route("/console/s/{schema}/try/forget", post(forget))
}

async fn show(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let kept = kept::list(&page).await?;
    let wanted = fields.get("history").and_then(|id| id.parse::<u64>().ok());
    let draft = match wanted.and_then(|id| kept.iter().find(|item| item.id == id)) {
        Some(item) => item.draft(),
        None if fields.get("preset") == Some("token") => Draft::token_request(&page),
        None => Draft::read(&page, &fields),
    };
    let waiting = html! {
        (ui::empty("Send a request: its status, body, headers and the reasons of the decision show here.", &html! {}))
    };
    shown(&page, &draft, &kept, None, &waiting).await
}

async fn act(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let mut draft = Draft::read(&page, &fields);
    let target = match draft.target(&page) {
        Ok(target) => target,
        Err(problem) => return refused(&page, &draft, &problem).await,
    };
    draft.url = target.url.clone();
    if let Some(language) = fields.get("copy").and_then(Language::parse) {
        let result = copied(&page, &draft, &target, language);
        return shown(&page, &draft, &kept::list(&page).await?, None, &result).await;
    }
    let proof = draft::Proof::read(&fields);
    if let Err(problem) = draft.check(&page, &proof) {
        return refused(&page, &draft, &problem).await;
    }
    let result = if fields.has("compare") {
        let without = Draft { call_as: CallAs::Nobody, ..draft.clone() };
        let closed = send::send(&page, &without, &target, &proof).await?;
        let open = send::send(&page, &draft, &target, &proof).await?;
        html! { div.compare {
            section aria-label="Without a token" { h2.h2.pad { "Without a token" } (answer::show(&page, &without, &closed, "without")) }
            section aria-label=(draft.call_as.title()) { h2.h2.pad { (draft.call_as.title()) } (answer::show(&page, &draft, &open, "with")) }
        } }
    } else {
        let answered = send::send(&page, &draft, &target, &proof).await?;
        kept::keep(&page, Kept::of(&draft, &answered)).await?;
        answer::show(&page, &draft, &answered, "answer")
    };
    shown(&page, &draft, &kept::list(&page).await?, None, &result).await
}

async fn refused(page: &InSchema, draft: &Draft, problem: &str) -> Result<Response<Body>, Refused> {
    let mut response = shown(page, draft, &kept::list(page).await?, Some(problem), &html! {}).await?;
    *response.status_mut() = http::StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

async fn forget(page: InSchema, _: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    kept::forget(&page).await?;
    Ok(crate::console::gate::see_other(&page.path("try")))
}

async fn shown(
    page: &InSchema,
    draft: &Draft,
    kept: &[Kept],
    problem: Option<&str>,
    result: &Markup,
) -> Result<Response<Body>, Refused> {
    let operation = operation(page, draft).await?;
    let body = html! {
        h1.sr { "Try it" }
        form #request action=(page.path("try")) method="post" {
            (page.csrf_field())
            (form::bar(draft))
            div.split {
                div {
                    @if let Some(problem) = problem { div.pad { (ui::problem(problem)) } }
                    (form::sections(page, draft, operation.as_ref()))
                }
                div.result aria-live="polite" { (result) }
            }
        }
        (form::history(page, kept))
    };
    let crumbs = [("Try it", "")];
    let frame = Page {
        title: "Try it",
        item: "try",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        wide: true,
        ..Page::default()
    };
    Ok(shell::page(page, frame, &body))
}

/// What the handler at the URL takes.
async fn operation(page: &InSchema, draft: &Draft) -> Result<Option<Operation>, Refused> {
    let Some((path, method)) = draft.place(page) else { return Ok(None) };
    let (alias, snapshot) = (page.schema.alias.clone(), std::sync::Arc::clone(&page.snapshot));
    page.console
        .blocking(move |app| {
            let schema = snapshot.schema(&alias)?;
            let template = schema.router.find(path.below(1))?.value;
            operation_of(app, schema, template, method)
        })
        .await
}

fn copied(page: &InSchema, draft: &Draft, target: &Target, language: Language) -> Markup {
    let token_url = format!("{}/oauth/token", page.console.app().issuer(&page.schema.alias));
    let client_id = match &draft.call_as {
        CallAs::Client(name) => {
            let mut clients = page.snapshot.catalog.clients_of(page.schema.id);
            clients.find(|client| client.name == *name).map(|client| client.client_id.clone())
        }
        CallAs::Secret(id) => Some(id.clone()),
        CallAs::Nobody | CallAs::Token => None,
    };
    let mut headers = draft.header_pairs().unwrap_or_default();
    if draft.call_as == CallAs::Token {
        headers.push(("Authorization".into(), "Bearer <access token>".into()));
    }
    let request = Request {
        method: draft.method.clone(),
        url: target.url.clone(),
        headers,
        body: draft.sent_body().map(str::to_owned),
        token: client_id.map(|client_id| TokenSource { url: token_url, client_id }),
    };
    let text = request.written_for(language);
    html! {
        div.pbar { h2.h2 { (language.title()) } div.r { (ui::copy(&text, &format!("Copy as {}", language.title()))) } }
        pre.code tabindex="0" role="region" aria-label={ "The request as " (language.title()) } { (text) }
    }
}
