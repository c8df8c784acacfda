//! What is called elsewhere: remote servers, the credentials to sign in there, and the sources of rows.

mod credentials;
mod servers;
mod sources;
mod steps;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use gatepost_sources::definition::{Document, RestSource};
use http::{Response, StatusCode};
use maud::Markup;

use crate::console::review::{self, Proposal};
use crate::console::shell::{self, Page};
use crate::console::signed_in::InSchema;
use crate::console::{Console, Refused, ui};
use crate::script::write_document;

pub(super) fn routes() -> Router<Console> {
    Router::new().merge(servers::routes()).merge(credentials::routes()).merge(sources::routes())
}

/// Shows what a definition would change, or the form again with what is wrong.
async fn propose(
    page: &InSchema,
    document: Document,
    (title, done, back): (String, String, String),
    form: impl FnOnce(&str) -> Response<Body>,
) -> Result<Response<Body>, Refused> {
    let schema = page.schema.name.clone();
    let proposal = Proposal { schema, script: write_document(&document), done, back, title, apply: None };
    match review::propose(page, proposal).await? {
        Ok(response) => Ok(response),
        Err(failure) => Ok(unaccepted(form(&failure.diagnostic.message))),
    }
}

/// A form that was not accepted.
fn unaccepted(mut response: Response<Body>) -> Response<Body> {
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}

/// A page below one of the three lists.
fn framed(page: &InSchema, (item, list): (&str, &str), title: &str, body: &Markup) -> Response<Body> {
    let up = page.path(item);
    let below = [(list, up.as_str()), (title, "")];
    let crumbs = if title == list { &below[1..] } else { &below[..] };
    let chart = item == "sources";
    let frame = Page { title, item, crumbs, schema: Some(&page.schema.name), chart, ..Page::default() };
    shell::page(page, frame, body)
}

/// The sources of the page's schema, by name.
fn sources_of(page: &InSchema) -> Vec<&Arc<RestSource>> {
    let mut sources: Vec<_> = page.snapshot.catalog.rest_sources_of(page.schema.id).collect();
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    sources
}

/// The path of an object's page.
fn path_of(page: &InSchema, item: &str, name: &str) -> String {
    page.path(&format!("{item}/{}", ui::encode(name)))
}

/// Links to sources.
fn links(page: &InSchema, names: &[&str]) -> Markup {
    maud::html! {
        @if names.is_empty() { span.dim { "nothing" } }
        @for (at, name) in names.iter().enumerate() {
            @if at > 0 { ", " } a.mono href=(path_of(page, "sources", name)) { (name) }
        }
    }
}
