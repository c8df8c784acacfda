//! API reference: what callers are told of the services, from the model that the documents are made of.

mod operation;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use gatepost_rest::definition::Module;
use http::Response;
use maud::{Markup, html};

use crate::console::fields::Fields;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::{Console, Refused, ui};
use crate::describe::snippets::Language;
use crate::describe::{self, DescribedModule, Seen, Services, find_module, openapi, postman};

/// Operations on a page.
const OPERATIONS: usize = 50;

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/reference", get(first))
        .route("/console/s/{schema}/reference/{module}", get(show))
        .route("/console/s/{schema}/documents/openapi.json", get(openapi_file))
        .route("/console/s/{schema}/documents/postman.json", get(postman_file))
}

const ABOUT: &str =
    "What callers may know of the published handlers: parameters, bodies, answers, and what opens them.";

async fn first(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let published = names(&page).into_iter().next();
    match published {
        Some(name) => shown(page, &name, &fields).await,
        None => Ok(frame(
            &page,
            &html! {
                (ui::head("API reference", ABOUT, &html! {}))
                (ui::empty("No module is published yet.", &html! {
                    a.btn href=(page.path("services")) { "RESTful services" }
                }))
            },
        )),
    }
}

async fn show(
    page: InSchema,
    Path((_, module)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    shown(page, &module, &fields).await
}

/// The published modules, by name.
fn names(page: &InSchema) -> Vec<String> {
    let Some(schema) = page.snapshot.schema(&page.schema.alias) else { return Vec::new() };
    let mut names: Vec<String> = schema
        .modules()
        .iter()
        .filter(|module| {
            module.published && module.templates.iter().any(|template| !template.handlers.is_empty())
        })
        .map(|module| module.name.clone())
        .collect();
    names.sort();
    names
}

/// The model of a module, or of all.
async fn services(page: &InSchema, module: Option<&str>) -> Result<Services, Refused> {
    let (alias, module) = (page.schema.alias.clone(), module.map(str::to_owned));
    let made = page.console.blocking(move |app| {
        let snapshot = app.snapshot();
        let schema = snapshot.schema(&alias).ok_or(Refused::NotFound)?;
        let wanted = module.map(|name| find_module(schema, &name).ok_or(Refused::NotFound)).transpose()?;
        let wanted: Option<&Module> = wanted.map(AsRef::as_ref);
        describe::describe(app, schema, wanted, Seen::Everything).map_err(|_| Refused::Busy)
    });
    made.await?
}

async fn shown(page: InSchema, name: &str, fields: &Fields) -> Result<Response<Body>, Refused> {
    let services = services(&page, Some(name)).await?;
    let module = services.modules.first().ok_or(Refused::NotFound)?;
    let language = fields.get("lang").and_then(Language::parse).unwrap_or(Language::Curl);
    let from: usize = fields.get("from").and_then(|from| from.parse().ok()).unwrap_or(0);
    let client_id = client_id(&page);
    let here = |language: Language, from: usize| {
        let path = page.path(&format!("reference/{}", ui::encode(&module.name)));
        format!("{path}?lang={}&from={from}", language.name())
    };
    let shown = module.operations.iter().skip(from).take(OPERATIONS);
    let body = html! {
        (ui::head("API reference", ABOUT, &downloads(&page, module)))
        div.grid.ref {
            nav.card.contents aria-label="Contents" { (contents(&page, module, from)) }
            div.grid {
                section.card aria-labelledby="module" {
                    header { h2 #module { "Module " (module.name) } div.r { span.dim { (ui::plural(module.operations.len(), "operation")) } } }
                    div.pad { dl.kv {
                        dt { "Base URL" } dd.mono { (services.base_url) (module.base_path) " "
                            (ui::copy(&format!("{}{}", services.base_url, module.base_path), "Copy base URL")) }
                        dt { "Token URL" } dd.mono { (services.token_url) " " (ui::copy(&services.token_url, "Copy token URL")) }
                        @if let Some(comments) = &module.comments { dt { "About" } dd { (comments) } }
                    } }
                    nav.tabs aria-label="Language of samples" {
                        @for other in Language::ALL {
                            a href=(here(other, from)) aria-current=[(other == language).then_some("true")] { (other.title()) }
                        }
                    }
                }
                @for described in shown { (operation::card(&page, &services, described, language, &client_id)) }
                @if module.operations.len() > from + OPERATIONS || from > 0 {
                    div.actions {
                        @if from > 0 { a.btn href=(here(language, from.saturating_sub(OPERATIONS))) { "Earlier operations" } }
                        @if module.operations.len() > from + OPERATIONS { a.btn href=(here(language, from + OPERATIONS)) { "More operations" } }
                    }
                }
            }
        }
    };
    Ok(frame(&page, &body))
}

fn frame(page: &InSchema, body: &Markup) -> Response<Body> {
    let crumbs = [("API reference", "")];
    let frame = Page {
        title: "API reference",
        item: "reference",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    shell::page(page, frame, body)
}

/// The id that samples have in them: of the first client by name.
fn client_id(page: &InSchema) -> String {
    let clients = page.snapshot.catalog.clients_of(page.schema.id).filter(|client| client.enabled);
    let first = clients.min_by(|one, other| one.name.cmp(&other.name));
    first.map_or_else(|| "CLIENT_ID".to_owned(), |client| client.client_id.clone())
}

fn downloads(page: &InSchema, module: &DescribedModule) -> Markup {
    let file = |name: &str| page.path(&format!("documents/{name}?module={}", ui::encode(&module.name)));
    html! {
        a.btn href=(file("openapi.json")) download { (ui::icon("download")) "OpenAPI 3.1" }
        a.btn href=(file("postman.json")) download { (ui::icon("download")) "Postman" }
        details.more {
            summary.btn { "Whole schema" (ui::icon("chevron-down")) }
            div.menu {
                a href=(page.path("documents/openapi.json")) download { "OpenAPI 3.1" }
                a href=(page.path("documents/postman.json")) download { "Postman collection" }
            }
        }
    }
}

fn contents(page: &InSchema, module: &DescribedModule, from: usize) -> Markup {
    html! {
        ul { @for name in names(page) { li {
            a href=(page.path(&format!("reference/{}", ui::encode(&name)))) aria-current=[(name == module.name).then_some("page")] { (name) }
            @if name == module.name {
                ul { @for described in module.operations.iter().skip(from).take(OPERATIONS) { li {
                    a href={ "#" (described.id) } { (ui::method(described.method.as_str())) " " span.mono { (described.path) } }
                } } }
            }
        } } }
    }
}

async fn openapi_file(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    file(&page, &fields, "openapi.json", openapi).await
}

async fn postman_file(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    file(&page, &fields, "postman_collection.json", postman).await
}

async fn file(
    page: &InSchema,
    fields: &Fields,
    name: &str,
    make: fn(&Services) -> serde_json::Value,
) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let module = fields.get("module");
    let services = services(page, module).await?;
    let text = serde_json::to_string_pretty(&make(&services)).map_err(Refused::failed)?;
    let name = format!(
        "{}.{name}",
        [Some(page.schema.name.as_str()), module].into_iter().flatten().collect::<Vec<_>>().join(".")
    );
    Ok(shell::download(&name, "application/json", text))
}
