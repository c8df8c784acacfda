//! The tree of modules, templates and handlers, each handler with its lock.

use std::collections::BTreeSet;

use gatepost_rest::definition::{Handler, Module, Template};
use maud::{Markup, html};

use super::{Chosen, modules, path_of};
use crate::audit::reach::{Reach, Who};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui;

pub(super) fn tree(page: &InSchema, chosen: Chosen<'_>, reach: &Reach) -> Markup {
    let public: BTreeSet<&str> =
        reach.by_route().filter(|(_, who)| who.contains(&Who::Anybody)).map(|(route, _)| route).collect();
    html! {
        nav.pane.tree aria-label="Modules" {
            div.bar {
                h2.h2 { "Modules" }
                div.r { @if page.can(Act::Define) {
                    a.btn.icon.sm.ghost href=(page.path("define/table")) aria-label="Publish a table" title="Publish a table" { (ui::icon("table")) }
                    a.btn.icon.sm.ghost href=(page.path("define/module")) aria-label="New module" title="New module" { (ui::icon("plus")) }
                } }
            }
            div.filter { input.in type="search" placeholder="Filter" aria-label="Filter modules" data-filter=".tree a.row"; }
            ul { @for module in modules(page) { (of_module(page, module, chosen, &public)) } }
        }
    }
}

fn of_module(page: &InSchema, module: &Module, chosen: Chosen<'_>, public: &BTreeSet<&str>) -> Markup {
    let current = chosen.module.is_some_and(|other| other.id == module.id);
    let open = module.templates.iter().any(|template| {
        template.handlers.iter().any(|handler| public.contains(route(module, template, handler).as_str()))
    });
    html! {
        li { details open[current] {
            summary { span.car { (ui::icon("chevron-right")) } (ui::icon("folder")) (module.name) (state(module.published, open)) }
            ul {
                li { a.row href=(path_of(page, &module.name, "", "")) aria-current=[(current && chosen.template.is_none()).then_some("page")] {
                    (ui::icon("settings")) "Module settings"
                } }
                @for template in &module.templates { (of_template(page, module, template, chosen, public)) }
                @if page.can(Act::Define) {
                    li { a.row.dim href={ (page.path("define/template")) "?module=" (ui::encode(&module.name)) } { (ui::icon("plus")) "New template" } }
                }
            }
        } }
    }
}

fn of_template(
    page: &InSchema,
    module: &Module,
    template: &Template,
    chosen: Chosen<'_>,
    public: &BTreeSet<&str>,
) -> Markup {
    let current = chosen.template.is_some_and(|other| other.id == template.id);
    let named = format!("?module={}&template={}", ui::encode(&module.name), ui::encode(&template.pattern));
    html! {
        li { details open[current || chosen.template.is_none()] {
            summary { span.car { (ui::icon("chevron-right")) } span.mono { (template.pattern) } }
            ul {
                @for handler in &template.handlers {
                    @let here = current && chosen.handler.is_some_and(|other| other.id == handler.id);
                    li { a.row href=(path_of(page, &module.name, &template.pattern, handler.method.as_str())) aria-current=[here.then_some("page")] {
                        (ui::method(handler.method.as_str()))
                        span.name { (handler.comments.as_deref().unwrap_or(&template.pattern)) }
                        (state(module.published, public.contains(route(module, template, handler).as_str())))
                    } }
                }
                li { a.row.dim href=(path_of(page, &module.name, &template.pattern, "")) aria-current=[(current && chosen.handler.is_none()).then_some("page")] {
                    (ui::icon("settings")) "Template settings"
                } }
                @if page.can(Act::Define) && template.handlers.len() < 5 {
                    li { a.row.dim href={ (page.path("define/handler")) (named) } { (ui::icon("plus")) "New handler" } }
                }
            }
        } }
    }
}

fn state(published: bool, public: bool) -> Markup {
    html! {
        @if !published { span.end { "draft" } }
        @else if public { span.end.warn { "public" (ui::icon("lock-open")) } }
        @else { span.end.ok { (ui::icon("lock")) span.sr { "locked" } } }
    }
}

/// The name of a handler's route, as the audit writes it.
pub(super) fn route(module: &Module, template: &Template, handler: &Handler) -> String {
    format!("{} {}{}", handler.method.as_str(), module.base_path, template.pattern)
}
