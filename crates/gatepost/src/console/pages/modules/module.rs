//! The settings of a module and of a template, and what is new or goes.

use axum::body::Body;
use gatepost_rest::definition::{Audit, EtagType, Module, ReadsFrom, Template};
use http::{Response, StatusCode};
use maud::{Markup, html};

use super::{Chosen, bench, named, path_of};
use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field};
use crate::script::{Script, text};

pub(super) fn page(page: &InSchema, chosen: Chosen<'_>) -> Response<Body> {
    match chosen.module {
        Some(module) => module_form(page, chosen, module, None),
        None => module_form(page, chosen, &blank(), None),
    }
}

/// A module that is about to be made.
fn blank() -> Module {
    Module {
        id: 0,
        schema_id: 0,
        name: String::new(),
        base_path: String::new(),
        items_per_page: Module::ITEMS_PER_PAGE_DEFAULT,
        published: true,
        comments: None,
        origins_allowed: Vec::new(),
        reads_from: ReadsFrom::default(),
        templates: Vec::new(),
        audit: Audit::default(),
    }
}

pub(super) async fn new(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    Ok(module_form(&page, Chosen::default(), &blank(), None))
}

fn module_form(
    page: &InSchema,
    chosen: Chosen<'_>,
    module: &Module,
    problem: Option<&str>,
) -> Response<Body> {
    let title = chosen.module.map_or("New module", |module| module.name.as_str());
    let items = module.items_per_page.to_string();
    let origins = module.origins_allowed.join(", ");
    let issuer = page.console.app().issuer(&page.schema.alias);
    let editor = html! {
        div.urlbar { span.u { (issuer) (module.base_path) } (ui::copy(&format!("{issuer}{}", module.base_path), "Copy URL")) }
        form.form method="post" action=(page.path("define/module")) data-guard {
            h1.h1 { (title) }
            @if let Some(problem) = problem { (ui::problem(problem)) }
            (page.csrf_field())
            input type="hidden" name="module" value=(chosen.module.map_or("", |module| module.name.as_str()));
            div.two {
                (Field { name: "name", label: "Name", value: &module.name, hint: "For instance hr.v1", mono: true, required: true,
                    autofocus: chosen.module.is_none(), ..Field::default() })
                (Field { name: "base_path", label: "Base path", value: &module.base_path, hint: "Below the schema's alias, for instance /hr/", mono: true, required: true, ..Field::default() })
            }
            div.two {
                (Field { name: "items_per_page", label: "Rows per page", value: &items, kind: "number", ..Field::default() })
                (ui::select("reads", "GET handlers read", module.reads_from.as_str(),
                    [("REPLICA", "a replica, where there is one"), ("PRIMARY", "the primary")]))
            }
            (Field { name: "origins", label: "Origins allowed (CORS)", value: &origins, hint: "Comma-separated, for instance https://app.example.com", mono: true, ..Field::default() })
            @if module.origins_allowed.iter().any(|origin| origin == "*") { (ui::warning("Every site's scripts may call this module.")) }
            (Field { name: "comments", label: "Comment", value: module.comments.as_deref().unwrap_or_default(), rows: 2, ..Field::default() })
            (ui::check("published", "1", module.published, "Published: callers reach it"))
            @if page.can(Act::Define) {
                div.actions {
                    button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review and save" }
                    @if let Some(module) = chosen.module {
                        a.btn href={ (page.path("define/template")) "?module=" (ui::encode(&module.name)) } { (ui::icon("plus")) "New template" }
                        a.btn href={ (page.path("privileges/new")) "?module=" (ui::encode(&module.name)) } { (ui::icon("shield-check")) "Protect this module" }
                    }
                }
            }
        }
        @if chosen.module.is_some() { (delete_form(page, chosen, "Delete this module")) }
    };
    bench(page, chosen, title, &editor, &html! {})
}

fn delete_form(page: &InSchema, chosen: Chosen<'_>, label: &str) -> Markup {
    html! {
        @if page.can(Act::Define) {
            form.pad method="post" action=(page.path("delete/service")) {
                (page.csrf_field())
                input type="hidden" name="module" value=(chosen.module.map_or("", |module| module.name.as_str()));
                input type="hidden" name="template" value=(chosen.template.map_or("", |template| template.pattern.as_str()));
                button.btn.sm.danger type="submit" { (ui::icon("trash-2")) (label) }
            }
        }
    }
}

pub(super) async fn save(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let chosen = if fields.has("module") { named(&page, &fields)? } else { Chosen::default() };
    let given = |name: &str| fields.get(name).map(str::to_owned);
    let before = chosen.module.cloned().unwrap_or_else(blank);
    let changed = Module {
        name: fields.text("name").to_owned(),
        base_path: fields.text("base_path").to_owned(),
        items_per_page: fields.text("items_per_page").parse().unwrap_or(Module::ITEMS_PER_PAGE_DEFAULT),
        published: fields.has("published"),
        comments: given("comments"),
        origins_allowed: fields
            .text("origins")
            .split(',')
            .map(str::trim)
            .filter(|o| !o.is_empty())
            .map(str::to_owned)
            .collect(),
        reads_from: ReadsFrom::parse(fields.text("reads")).unwrap_or_default(),
        ..before
    };
    let mut script = Script::default();
    if let Some(module) = chosen.module.filter(|module| module.name != changed.name) {
        script.call(
            "ords.rename_module",
            &[("p_module_name", text(&module.name)), ("p_new_name", text(&changed.name))],
        );
    }
    script.module(&changed);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: path_of(&page, &changed.name, "", ""),
        back: chosen
            .module
            .map_or_else(|| page.path("services"), |module| path_of(&page, &module.name, "", "")),
        title: format!("Module {}", changed.name),
        apply: None,
    };
    match review::propose(&page, proposal).await? {
        Ok(response) => Ok(response),
        Err(failure) => {
            Ok(unprocessable(module_form(&page, chosen, &changed, Some(&failure.diagnostic.message))))
        }
    }
}

fn unprocessable(mut response: Response<Body>) -> Response<Body> {
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}

/// A template that is about to be made.
fn blank_template() -> Template {
    Template {
        id: 0,
        pattern: String::new(),
        priority: 0,
        etag_type: EtagType::default(),
        etag_query: None,
        comments: None,
        handlers: Vec::new(),
        audit: Audit::default(),
    }
}

pub(super) async fn new_template(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let chosen = named(&page, &fields)?;
    Ok(template_form(&page, Chosen { template: None, ..chosen }, &blank_template(), None))
}

pub(super) fn template_page(page: &InSchema, chosen: Chosen<'_>) -> Response<Body> {
    match chosen.template {
        Some(template) => template_form(page, chosen, template, None),
        None => self::page(page, chosen),
    }
}

fn template_form(
    page: &InSchema,
    chosen: Chosen<'_>,
    template: &Template,
    problem: Option<&str>,
) -> Response<Body> {
    let Some(module) = chosen.module else { return self::page(page, chosen) };
    let title = chosen.template.map_or("New template", |template| template.pattern.as_str());
    let priority = template.priority.to_string();
    let url =
        format!("{}{}{}", page.console.app().issuer(&page.schema.alias), module.base_path, template.pattern);
    let editor = html! {
        div.urlbar { span.u { (url) } (ui::copy(&url, "Copy URL")) }
        form.form method="post" action=(page.path("define/template")) data-guard {
            h1.h1 { (title) }
            @if let Some(problem) = problem { (ui::problem(problem)) }
            (page.csrf_field())
            input type="hidden" name="module" value=(module.name);
            input type="hidden" name="template" value=(chosen.template.map_or("", |template| template.pattern.as_str()));
            (Field { name: "pattern", label: "URI template", value: &template.pattern, mono: true, required: true,
                hint: "Below the base path: employees/ or employees/:id, where :id is a bind.",
                autofocus: chosen.template.is_none(), ..Field::default() })
            div.three {
                (Field { name: "priority", label: "Priority, 0 to 9", value: &priority, kind: "number", hint: "When two templates match, the higher one counts.", ..Field::default() })
                (ui::select("etag", "Entity tag", template.etag_type.as_str(), [("HASH", "Hash of the answer"), ("QUERY", "A query"), ("NONE", "None")]))
                (Field { name: "etag_query", label: "Query of the entity tag", value: template.etag_query.as_deref().unwrap_or_default(), mono: true, ..Field::default() })
            }
            (Field { name: "comments", label: "Comment", value: template.comments.as_deref().unwrap_or_default(), rows: 2, ..Field::default() })
            @if page.can(Act::Define) {
                div.actions {
                    button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review and save" }
                    @if let Some(template) = chosen.template {
                        a.btn href={ (page.path("define/handler")) "?module=" (ui::encode(&module.name)) "&template=" (ui::encode(&template.pattern)) } { (ui::icon("plus")) "New handler" }
                    }
                }
            }
        }
        @if chosen.template.is_some() { (delete_form(page, chosen, "Delete this template")) }
    };
    bench(page, Chosen { handler: None, ..chosen }, title, &editor, &html! {})
}

pub(super) async fn save_template(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let chosen = named(&page, &fields)?;
    let module = chosen.module.ok_or(Refused::NotFound)?;
    let before = chosen.template.cloned().unwrap_or_else(blank_template);
    let changed = Template {
        pattern: fields.text("pattern").to_owned(),
        priority: fields.text("priority").parse().unwrap_or(0),
        etag_type: EtagType::parse(fields.text("etag")).unwrap_or_default(),
        etag_query: fields.get("etag_query").map(str::to_owned),
        comments: fields.get("comments").map(str::to_owned),
        ..before
    };
    let mut script = Script::default();
    if let Some(template) = chosen.template.filter(|template| template.pattern != changed.pattern) {
        script.call(
            "ords.delete_template",
            &[("p_module_name", text(&module.name)), ("p_pattern", text(&template.pattern))],
        );
    }
    script.template(module, &changed);
    let back =
        path_of(&page, &module.name, chosen.template.map_or("", |template| template.pattern.as_str()), "");
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: path_of(&page, &module.name, &changed.pattern, ""),
        back,
        title: format!("Template {}{}", module.base_path, changed.pattern),
        apply: None,
    };
    match review::propose(&page, proposal).await? {
        Ok(response) => Ok(response),
        Err(failure) => {
            Ok(unprocessable(template_form(&page, chosen, &changed, Some(&failure.diagnostic.message))))
        }
    }
}

/// Proposes that a module, a template or a handler goes: what the fields name.
pub(super) async fn delete(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    let chosen = named(&page, &fields)?;
    let module = chosen.module.ok_or(Refused::NotFound)?;
    let template = chosen.template.map_or("", |template| template.pattern.as_str());
    let method = chosen.handler.map_or("", |handler| handler.method.as_str());
    let mut arguments = vec![("p_module_name", text(&module.name))];
    let (call, title) = match (chosen.template, chosen.handler) {
        (Some(_), Some(_)) => {
            ("ords.delete_handler", format!("Delete {method} {}{template}", module.base_path))
        }
        (Some(_), None) => {
            ("ords.delete_template", format!("Delete template {}{template}", module.base_path))
        }
        _ => ("ords.delete_module", format!("Delete module {}", module.name)),
    };
    if chosen.template.is_some() {
        arguments.push(("p_pattern", text(template)));
    }
    if chosen.handler.is_some() {
        arguments.push(("p_method", text(method)));
    }
    let mut script = Script::default();
    script.call(call, &arguments);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: page.path("services"),
        back: path_of(&page, &module.name, template, method),
        title,
        apply: None,
    };
    review::propose_or_refuse(&page, proposal).await
}
