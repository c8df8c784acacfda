//! Who can call a handler, and why.

use std::collections::BTreeSet;

use gatepost_oauth::Client;
use gatepost_rest::definition::{Handler, Module, Privilege, Template};
use maud::{Markup, html};

use super::tree::route;
use crate::audit::reach::{Reach, Who};
use crate::console::signed_in::{InSchema, path};
use crate::console::ui;
use crate::script::Script;

/// Clients that are listed; the page that explains access has all of them.
const CLIENTS_MAX: usize = 20;

pub(super) fn inspector(page: &InSchema, module: &Module, template: &Template, handler: &Handler) -> Markup {
    let reach = super::reach(page);
    let name = route(module, template, handler);
    let callers = reach.by_route().find(|(route, _)| *route == name).map(|(_, who)| who).unwrap_or_default();
    let explain = format!(
        "{}?method={}&path={}",
        path(&page.schema.name, "access"),
        handler.method.as_str(),
        ui::encode(&format!("{}{}", module.base_path, template.pattern))
    );
    html! {
        div.bar { h2.h2 { "Who can call this" } div.r { a.btn.sm.ghost href=(explain) { "Explain" } } }
        @if !module.published { p.sec.soft { "Nobody: the module is not published." } }
        @else { ul.who { (who(page, &reach, &name, &callers)) } }
        div.sec { h3 { "As a script" } (script(page, module, template, handler)) }
    }
}

fn who(page: &InSchema, reach: &Reach, route: &str, callers: &BTreeSet<Who>) -> Markup {
    let catalog = &page.snapshot.catalog;
    let privileges: Vec<&Privilege> = catalog
        .privileges_of(page.schema.id)
        .map(AsRef::as_ref)
        .filter(|privilege| reach.routes_of_privilege(privilege.id).any(|locked| locked == route))
        .collect();
    let public = callers.contains(&Who::Anybody);
    let mut clients: Vec<&Client> = catalog.clients_of(page.schema.id).map(AsRef::as_ref).collect();
    clients.sort_by_key(|client| (!callers.contains(&Who::Client(client.name.clone())), client.name.clone()));
    html! {
        @if public { li { span.no { (ui::icon("lock-open")) } div { b { "Anyone can call this" } p { "It is public: no token is needed." } } } }
        @for client in clients.iter().take(CLIENTS_MAX) {
            li { (of_client(page, client, &privileges, public || callers.contains(&Who::Client(client.name.clone())), public)) }
        }
        @if clients.len() > CLIENTS_MAX { li { span.no { (ui::icon("users")) } div { p { "and " (clients.len() - CLIENTS_MAX) " more clients" } } } }
        @if !public { li { span.no { (ui::icon("circle-x")) } div { b { "Anyone without a token" } p { "401, the handler is locked." } } } }
    }
}

fn of_client(
    page: &InSchema,
    client: &Client,
    privileges: &[&Privilege],
    allowed: bool,
    public: bool,
) -> Markup {
    let catalog = &page.snapshot.catalog;
    let link = page.path(&format!("clients/{}", ui::encode(&client.name)));
    let chain = privileges.iter().find_map(|privilege| {
        let role = client.roles.iter().find(|role| privilege.roles.contains(role))?;
        Some([catalog.roles.get(role)?.name.as_str(), privilege.name.as_str()])
    });
    let needed: Vec<&str> = privileges.iter().map(|privilege| privilege.name.as_str()).collect();
    html! {
        @if allowed { span.yes { (ui::icon("circle-check")) } } @else { span.no { (ui::icon("circle-x")) } }
        div {
            b { a href=(link) { (client.name) } }
            @if let (true, Some(chain)) = (allowed, chain) { (ui::chain(&chain)) }
            @else if allowed && public { p { "As anyone." } }
            @else if allowed { p { "It lists " (needed.join(" or ")) "." } }
            @else if !client.enabled { p { "401, the client is disabled." } }
            @else if needed.is_empty() { p { "403, no privilege covers it: closed to everybody." } }
            @else { p { "403, it holds no role that " (needed.join(" or ")) " asks for." } }
        }
    }
}

fn script(page: &InSchema, module: &Module, template: &Template, handler: &Handler) -> Markup {
    let mut script = Script::default();
    script.handler(module, template, handler);
    let text = script.into_block();
    html! {
        p { "The calls that define this handler, to run elsewhere." }
        details { summary { "Show script" } pre.code tabindex="0" role="region" aria-label="Script" { (text) } }
        p { (ui::copy(&text, "Copy script")) " " a.u href=(page.path("script")) { "The whole schema" } }
    }
}
