//! `RESTful` services: modules, templates and handlers as a tree, one of them to edit, and who can call it.

mod draft;
mod handler;
mod inspector;
mod module;
mod publish;
mod run;
mod tree;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get, post};
use gatepost_rest::definition::{Handler, Method, Module, Template};
use http::Response;
use maud::{Markup, html};

use crate::audit::reach::Reach;
use crate::console::fields::Fields;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui;
use crate::console::{Console, Refused};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/services", get(first))
        .route("/console/s/{schema}/services/{module}", get(show_module))
        .route("/console/s/{schema}/services/{module}/{template}", get(show_template))
        .route("/console/s/{schema}/services/{module}/{template}/{method}", get(show_handler))
        .route("/console/s/{schema}/define/module", get(module::new).post(module::save))
        .route("/console/s/{schema}/define/template", get(module::new_template).post(module::save_template))
        .route("/console/s/{schema}/define/handler", get(handler::new).post(handler::save))
        .route("/console/s/{schema}/define/table", get(publish::choose).post(publish::propose))
        .route("/console/s/{schema}/delete/service", post(module::delete))
        .route("/console/s/{schema}/run/handler", post(run::run))
}

/// What is chosen in the tree.
#[derive(Clone, Copy, Default)]
struct Chosen<'a> {
    module: Option<&'a Module>,
    template: Option<&'a Template>,
    handler: Option<&'a Handler>,
}

fn modules(page: &InSchema) -> Vec<&Module> {
    let mut modules: Vec<&Module> =
        page.snapshot.catalog.modules_of(page.schema.id).map(AsRef::as_ref).collect();
    modules.sort_by(|one, other| one.name.cmp(&other.name));
    modules
}

fn find<'a>(page: &'a InSchema, module: &str, template: &str, method: &str) -> Result<Chosen<'a>, Refused> {
    let module = modules(page).into_iter().find(|known| known.name == module).ok_or(Refused::NotFound)?;
    if template.is_empty() {
        return Ok(Chosen { module: Some(module), ..Chosen::default() });
    }
    let template = module.template(template).ok_or(Refused::NotFound)?;
    if method.is_empty() {
        return Ok(Chosen { module: Some(module), template: Some(template), handler: None });
    }
    let method = Method::parse(method).map_err(|_| Refused::NotFound)?;
    let handler = template.handler(method).ok_or(Refused::NotFound)?;
    Ok(Chosen { module: Some(module), template: Some(template), handler: Some(handler) })
}

/// The path of something in the tree.
fn path_of(page: &InSchema, module: &str, template: &str, method: &str) -> String {
    let parts = [module, template, method].into_iter().filter(|part| !part.is_empty()).map(ui::encode);
    page.path(&format!("services/{}", parts.collect::<Vec<_>>().join("/")))
}

async fn first(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let handlers = modules(&page).into_iter().flat_map(|module| {
        module.templates.iter().flat_map(move |template| {
            template.handlers.iter().map(move |handler| Chosen {
                module: Some(module),
                template: Some(template),
                handler: Some(handler),
            })
        })
    });
    let mut handlers = handlers;
    if let Some(chosen) = handlers.next() {
        return Ok(handler::page(&page, chosen));
    }
    if let Some(module) = modules(&page).first() {
        return Ok(module::page(&page, Chosen { module: Some(module), ..Chosen::default() }));
    }
    let body = html! {
        (ui::head("RESTful services", "Publish SQL as REST APIs: a module holds templates, a template holds handlers.", &html! {}))
        section.card { (ui::empty("Nothing is published yet.", &html! {
            @if page.can(Act::Define) {
                div.actions {
                    a.btn.pri href=(page.path("define/table")) data-primary { (ui::icon("table")) "Publish a table" }
                    a.btn href=(page.path("define/module")) { (ui::icon("plus")) "New module" }
                }
            }
        })) }
    };
    let frame = Page {
        title: "RESTful services",
        item: "services",
        crumbs: &[("RESTful services", "")],
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    Ok(shell::page(&page, frame, &body))
}

async fn show_module(
    page: InSchema,
    Path((_, module)): Path<(String, String)>,
) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let chosen = find(&page, &module, "", "")?;
    Ok(module::page(&page, chosen))
}

async fn show_template(
    page: InSchema,
    Path((_, module, template)): Path<(String, String, String)>,
) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let chosen = find(&page, &module, &template, "")?;
    Ok(module::template_page(&page, chosen))
}

async fn show_handler(
    page: InSchema,
    Path((_, module, template, method)): Path<(String, String, String, String)>,
) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let chosen = find(&page, &module, &template, &method)?;
    Ok(handler::page(&page, chosen))
}

/// What the fields `module`, `template` and `method` of a form name.
fn named<'a>(page: &'a InSchema, fields: &Fields) -> Result<Chosen<'a>, Refused> {
    find(page, fields.text("module"), fields.text("template"), fields.text("method"))
}

fn reach(page: &InSchema) -> Reach {
    Reach::of(&page.snapshot.catalog, &page.schema, page.console.app().unprotected())
}

/// The three panes: the tree, what is edited, who can call it.
fn bench(
    page: &InSchema,
    chosen: Chosen<'_>,
    title: &str,
    editor: &Markup,
    inspector: &Markup,
) -> Response<Body> {
    let reach = reach(page);
    let body = html! {
        div.bench {
            (tree::tree(page, chosen, &reach))
            section.pane.ed #editor aria-label=(title) tabindex="-1" { (editor) }
            aside.pane.ins aria-label="Who can call this" { (inspector) }
        }
    };
    let list = page.path("services");
    let module = chosen.module.map_or("", |module| module.name.as_str());
    let template = chosen.template.map_or("", |template| template.pattern.as_str());
    let method = chosen.handler.map_or("", |handler| handler.method.as_str());
    let (module_path, template_path) = (path_of(page, module, "", ""), path_of(page, module, template, ""));
    let mut crumbs = vec![("RESTful services", list.as_str())];
    let steps = [(module, module_path.as_str()), (template, template_path.as_str()), (method, "")];
    crumbs.extend(steps.into_iter().filter(|(name, _)| !name.is_empty()));
    if let Some(last) = crumbs.last_mut() {
        last.1 = "";
    }
    let frame = Page {
        title,
        item: "services",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        wide: true,
        editor: true,
        ..Page::default()
    };
    shell::page(page, frame, &body)
}
