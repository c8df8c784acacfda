//! Making a source: where its rows are, what an answer looks like, and the definition that is saved.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Path;
use gatepost_sources::address::ValidFor;
use gatepost_sources::definition::{Document, RestSource, SecretReach, ServerKind, SourceAuth};
use gatepost_sources::discovery::{DOCUMENT_BYTES_MAX, Discovered, from_sample};
use gatepost_sources::error::SourceError;
use gatepost_sources::paging::Window;
use http::Response;
use maud::{Markup, html};

use super::super::{framed, path_of, propose, steps, unaccepted};
use super::{ABOUT, ITEM, find, with_tabs};
use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field};

/// The tab with the definition as text.
pub(super) fn tab(page: &InSchema, source: &RestSource, toml: &str, problem: Option<&str>) -> Markup {
    html! {
        section.card aria-labelledby="definition" {
            header { h2 #definition { "Definition" } }
            (definition_form(page, &source.name, true, toml, problem))
        }
    }
}

fn definition_form(page: &InSchema, name: &str, exists: bool, toml: &str, problem: Option<&str>) -> Markup {
    html! {
        form.form method="post" action=(page.path("sources/save")) data-guard {
            @if let Some(problem) = problem { (ui::problem(problem)) }
            (page.csrf_field())
            input type="hidden" name="name" value=(name);
            @if exists { input type="hidden" name="was" value=(name); }
            div.field {
                label for="toml" { "Definition in TOML" }
                textarea #toml .in.mono.area name="toml" rows="24" spellcheck="false" readonly[!page.can(Act::Define)] { "\n" (toml) }
                span.hint { "Without secrets: the credential has them." }
            }
            @if page.can(Act::Define) {
                div.actions { button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review and save" } }
            }
        }
    }
}

pub(super) async fn new(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    Ok(endpoint_page(&page, &fields, None))
}

/// The first step: where the rows are and who asks.
fn endpoint_page(page: &InSchema, fields: &Fields, problem: Option<&Markup>) -> Response<Body> {
    let catalog = &page.snapshot.catalog;
    let mut servers: Vec<_> = catalog.remote_servers_of(page.schema.id).collect();
    servers.sort_by(|one, other| one.name.cmp(&other.name));
    let mut credentials: Vec<&str> =
        catalog.credentials_of(page.schema.id).map(|it| it.name.as_str()).collect();
    credentials.sort_unstable();
    let apis = servers.iter().filter(|server| server.kind == ServerKind::Rest);
    let apis = apis.map(|server| (server.name.as_str(), server.name.as_str()));
    let tokens = servers.iter().map(|server| (server.name.as_str(), server.name.as_str()));
    let body = html! {
        (ui::head("New source", ABOUT, &html! {}))
        @if servers.is_empty() {
            (ui::empty("A source needs a remote server first.", &html! {
                a.btn.pri href=(page.path("remote-servers/new")) data-primary { (ui::icon("plus")) "New remote server" }
            }))
        } @else {
            form.card.form method="post" action=(page.path("sources/new")) {
                @if let Some(problem) = problem { (ui::problem(problem)) }
                (page.csrf_field())
                div.two {
                    (Field { name: "name", label: "Name", value: fields.text("name"), mono: true, required: true, autofocus: true,
                        hint: "In SQL it is rest.NAME", ..Field::default() })
                    (ui::select("server", "Remote server", fields.text("server"), apis))
                }
                (Field { name: "path", label: "Path below its base URL", value: fields.text("path"), mono: true, required: true,
                    hint: "For instance hr/employees/", ..Field::default() })
                fieldset {
                    legend { "Signing in" }
                    div.three {
                        (ui::select("credential", "Credential", fields.text("credential"),
                            std::iter::once(("", "nobody")).chain(credentials.iter().map(|name| (*name, *name)))))
                        (ui::select("token_server", "Server of the token endpoint", fields.text("token_server"),
                            std::iter::once(("", "the same server")).chain(tokens)))
                        (Field { name: "token_path", label: "Path of the token endpoint", value: fields.text("token_path"), mono: true,
                            hint: "For OAuth: oauth/token", ..Field::default() })
                    }
                }
                div.actions {
                    button.btn.pri type="submit" data-primary { (ui::icon("search")) "Call it and discover" }
                    button.btn type="submit" name="blind" value="1" { "Go on without calling" }
                    a.btn href=(page.path(ITEM.0)) { "Cancel" }
                }
            }
        }
    };
    framed(page, ITEM, "New source", &body)
}

/// The second step: what came, and the definition that is proposed.
pub(super) async fn discover(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let source = read(&page, &fields);
    let source = match source.checked() {
        Ok(source) => source,
        Err(broken) => return Ok(unaccepted(endpoint_page(&page, &fields, Some(&html! { (broken) })))),
    };
    if find(&page, &source.name).is_ok() {
        let problem = html! { "There is a source of this name." };
        return Ok(unaccepted(endpoint_page(&page, &fields, Some(&problem))));
    }
    if fields.has("blind") {
        return Ok(proposal_page(&page, &source, &[]));
    }
    if let Some(place) = stranger(&page, &source) {
        let problem = html! { "The credential's secret has not been sent to " code { (place) } " so far. Name it in the credential's valid URLs, or go on without calling and set the secret again." };
        return Ok(unaccepted(endpoint_page(&page, &fields, Some(&problem))));
    }
    match sample(&page, &source).await {
        Err(error) => Ok(unaccepted(endpoint_page(&page, &fields, Some(&steps::failure(&error))))),
        Ok(found) => {
            let (notes, mut proposed) = (found.notes.clone(), source);
            found.apply(&mut proposed);
            Ok(proposal_page(&page, &proposed, &notes))
        }
    }
}

fn read(page: &InSchema, fields: &Fields) -> RestSource {
    let auth = fields.get("credential").map(|credential| SourceAuth {
        credential: credential.to_owned(),
        server: fields.get("token_server").map(str::to_owned),
        token_path: fields.get("token_path").map(|path| path.trim_start_matches('/').to_owned()),
        scope: Vec::new(),
    });
    let path = fields.text("path").trim_start_matches('/');
    RestSource {
        auth,
        schema_id: page.schema.id,
        ..RestSource::new(fields.text("name"), fields.text("server"), path)
    }
}

/// A place where the secret of a source that is not saved would go and may not go so far. Saving such a source takes the
/// secret away; calling before it is saved must not get around that.
fn stranger(page: &InSchema, source: &RestSource) -> Option<String> {
    let (catalog, schema) = (&page.snapshot.catalog, page.schema.id);
    let auth = source.auth.as_ref()?;
    let credential = catalog.credentials_of(schema).find(|credential| credential.name == auth.credential)?;
    let find =
        |name: &str| catalog.remote_servers_of(schema).find(|server| server.name == name).map(AsRef::as_ref);
    let known = SecretReach::of(credential, catalog.rest_sources_of(schema).map(AsRef::as_ref), find);
    let known = ValidFor::of_urls(known.urls());
    let api = find(&source.server);
    let token = auth.server.as_deref().map_or(api, find).and_then(|server| auth.token_url(server, None));
    let places = api.map(|server| server.base_url.clone()).into_iter().chain(token);
    let mut places = places.filter(|place| !place.parse().is_ok_and(|url| known.covers(&url)));
    places.next()
}

/// The first answer of a source that may not be defined yet, looked at.
async fn sample(page: &InSchema, source: &RestSource) -> Result<Discovered, SourceError> {
    let mut source = source.clone();
    source.limits.max_bytes = source.limits.max_bytes.min(DOCUMENT_BYTES_MAX as u64);
    let app = page.console.app();
    let ready = app.ready_source(&Arc::new(source), 0)?;
    let mut fetch = app.fetch(ready, &[], Window { offset: 0, limit: None })?;
    match fetch.sample().await? {
        Some(answer) => from_sample(&answer.body, &answer.headers, &answer.url),
        None => Ok(Discovered::default()),
    }
}

fn proposal_page(page: &InSchema, source: &RestSource, notes: &[String]) -> Response<Body> {
    let body = html! {
        (ui::head(&source.name, "Read the definition, change it if you like, and save it.", &html! {}))
        @for note in notes { (ui::warning(note)) }
        section.card aria-label="Definition" { (definition_form(page, &source.name, false, &source.to_toml(), None)) }
    };
    framed(page, ITEM, &source.name, &body)
}

/// Looks at an answer again and shows what would be another one.
pub(super) async fn rediscover(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let source = find(&page, &name)?;
    let inside = match sample(&page, &source).await {
        Err(error) => {
            html! { div.card.pad.stack { h2.h2 { "It could not be called" } (steps::failure(&error)) } }
        }
        Ok(found) => {
            let (notes, mut proposed) = (found.notes.clone(), (*source).clone());
            found.apply(&mut proposed);
            let (before, after) = (source.to_toml(), proposed.to_toml());
            html! {
                @for note in &notes { (ui::warning(note)) }
                section.card aria-labelledby="differs" {
                    header { h2 #differs { "What the API gives now, beside the definition" } }
                    @if before == after { p.pad.soft { "Nothing differs." } } @else { (ui::diff(&before, &after, "Differences")) }
                }
                @if before != after {
                    section.card aria-label="Proposed definition" { (definition_form(&page, &source.name, true, &after, None)) }
                }
            }
        }
    };
    Ok(framed(&page, ITEM, &source.name, &with_tabs(&page, &source, "profile", &inside)))
}

pub(super) async fn save(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let (name, toml) = (fields.text("name").to_owned(), fields.raw("toml").unwrap_or_default().to_owned());
    let known = fields.get("was").map(|was| find(&page, was)).transpose()?;
    let again = |problem: &str| {
        let inside = if let Some(source) = &known {
            with_tabs(&page, source, "definition", &tab(&page, source, &toml, Some(problem)))
        } else {
            html! {
                (ui::head(&name, "The definition was not accepted.", &html! {}))
                section.card aria-label="Definition" { (definition_form(&page, &name, false, &toml, Some(problem))) }
            }
        };
        framed(&page, ITEM, &name, &inside)
    };
    if known.is_none() && find(&page, &name).is_ok() {
        return Ok(unaccepted(again("There is a source of this name.")));
    }
    let source = match RestSource::from_toml(&name, &toml) {
        Ok(source) => source,
        Err(broken) => return Ok(unaccepted(again(&broken.to_string()))),
    };
    let done = path_of(&page, ITEM.0, &name);
    let back = if known.is_some() { done.clone() } else { page.path(ITEM.0) };
    let document = Document { sources: vec![source], ..Document::default() };
    propose(&page, document, (format!("REST source {name}"), done, back), again).await
}
