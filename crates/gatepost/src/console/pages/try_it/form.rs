//! The form: request bar, who calls, parameters, headers, body; and what was sent before.

use gatepost_rest::definition::Method;
use maud::{Markup, html};

use super::draft::{CallAs, Draft};
use super::kept::Kept;
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field};
use crate::describe::snippets::Language;
use crate::describe::{Operation, OperationParameter, Place};

/// Clients that can be chosen.
const CLIENTS_MAX: usize = 500;

pub(super) fn bar(draft: &Draft) -> Markup {
    let methods = ["GET", "HEAD"].into_iter().chain(Method::ALL[1..].iter().map(|method| method.as_str()));
    html! {
        div.reqbar {
            label.sr for="method" { "Method" }
            select.in id="method" name="method" {
                @for method in methods { option value=(method) selected[method == draft.method] { (method) } }
            }
            label.sr for="url" { "URL" }
            input.in.mono id="url" name="url" value=(draft.url) required spellcheck="false" autocomplete="off" inputmode="url";
            button.btn.pri type="submit" name="send" value="yes" data-primary { (ui::icon("send")) "Send" }
            details.more {
                summary.btn { (ui::icon("code")) "Copy as" (ui::icon("chevron-down")) }
                div.menu { @for language in Language::ALL {
                    button type="submit" name="copy" value=(language.name()) { (language.title()) }
                } }
            }
        }
    }
}

pub(super) fn sections(page: &InSchema, draft: &Draft, operation: Option<&Operation>) -> Markup {
    html! {
        details.part open {
            summary { "Authorization" }
            div.stack { (authorization(page, draft)) }
        }
        @if let Some(operation) = operation.filter(|operation| !operation.parameters.is_empty()) {
            details.part open {
                summary { "Parameters " span.b { (operation.parameters.len()) } }
                div.stack { div.two { (parameters(draft, operation)) } }
            }
        }
        details.part open[!draft.headers.is_empty()] {
            summary { "Headers" }
            div.stack { (Field { name: "headers", label: "Headers, one a line", value: &draft.headers, hint: "Name: value",
                mono: true, rows: 3, ..Field::default() }) }
        }
        details.part open[draft.sent_body().is_some()] {
            summary { "Body" }
            div.stack {
                (Field { name: "body", label: "Body, as it is sent", value: &draft.body, hint: "Say what it is by a header: Content-Type: application/json",
                    mono: true, rows: 6, ..Field::default() })
                @if let Some(body) = operation.and_then(|operation| operation.body.as_ref()) {
                    p.dim { "This handler takes " (types(&body.media_types)) @if !body.members.is_empty() {
                        " with " @for (at, member) in body.members.iter().enumerate() { @if at > 0 { ", " } code.mono { (member.name) } }
                    } "." }
                }
            }
        }
    }
}

fn types(media_types: &[String]) -> String {
    if media_types.is_empty() { "any type".into() } else { media_types.join(" or ") }
}

fn authorization(page: &InSchema, draft: &Draft) -> Markup {
    let chosen = draft.call_as.value();
    let mut names: Vec<&str> =
        page.snapshot.catalog.clients_of(page.schema.id).map(|client| client.name.as_str()).collect();
    names.sort_unstable();
    let client_id = match &draft.call_as {
        CallAs::Secret(id) => id.as_str(),
        _ => "",
    };
    html! {
        div.field {
            label for="as" { "Call as" }
            select.in id="as" name="as" aria-describedby="as-hint" {
                option value="nobody" selected[chosen == "nobody"] { "Nobody: no token" }
                @if page.can(Act::Administer) { @for name in names.iter().take(CLIENTS_MAX) {
                    @let value = format!("client:{name}");
                    option value=(value) selected[chosen == value] { (name) " (OAuth client)" }
                } }
                option value="token" selected[chosen == "token"] { "A token that I have" }
                option value="secret" selected[chosen == "secret"] { "A client by its id and secret" }
            }
            span.hint #as-hint {
                "For an OAuth client the server makes a token of 60 seconds and notes your name in the audit trail. That takes an administrator."
            }
        }
        details.inner open[matches!(draft.call_as, CallAs::Token | CallAs::Secret(_))] {
            summary { "Token, or client id and secret" }
            div.two {
                (Field { name: "client_id", label: "Client id", value: client_id, hint: "For the last choice only.", mono: true, ..Field::default() })
                (Field { name: "proof", label: "Access token, or client secret", kind: "password", hint: "It is sent and not kept.", mono: true, ..Field::default() })
            }
        }
        div.call {
            (ui::icon("lock-open"))
            div { b { "See the locked door first" } p.soft { "Send the same request with no token and compare the answers side by side." } }
            button.btn type="submit" name="compare" value="yes" { "Compare" }
        }
        div.call {
            (ui::icon("key-round"))
            div { b { "Token request" } p.soft { "What a client sends to get its token: Basic and grant_type." } }
            a.btn href=(page.path("try?preset=token")) { "Fill in" }
        }
    }
}

fn parameters(draft: &Draft, operation: &Operation) -> Markup {
    html! {
        @for parameter in &operation.parameters {
            @let (place, word) = match parameter.place {
                Place::Path => ('p', "path"),
                Place::Query => ('q', "query"),
                Place::Header => ('h', "header"),
            };
            @let open = parameter.place != Place::Path || draft.url.contains(&format!("{{{}}}", parameter.name));
            @if open {
                (Field { name: &format!("{place}.{}", parameter.name), label: &format!("{} ({word})", parameter.name),
                    value: &value(draft, place, parameter), hint: parameter.comments.as_deref().unwrap_or(""),
                    mono: true, ..Field::default() })
            } @else {
                p.dim { code.mono { (parameter.name) } " stands in the URL." }
            }
        }
    }
}

fn value(draft: &Draft, place: char, parameter: &OperationParameter) -> String {
    if place == 'q' {
        return draft.query_value(&parameter.name);
    }
    let given = draft.parameters.iter().find(|(other, name, _)| *other == place && *name == parameter.name);
    given.map_or_else(String::new, |(_, _, value)| value.clone())
}

pub(super) fn history(page: &InSchema, kept: &[Kept]) -> Markup {
    let now_ms = page.console.app().clock.now_ms();
    let table = html! {
        table.t.dense {
            thead { tr {
                th scope="col" { "Request" } th scope="col" { "As" } th scope="col" { "Answer" } th scope="col" { "When" }
            } }
            tbody { @for item in kept { tr {
                th scope="row" { (ui::method(&item.method)) " " a.mono href=(page.path(&format!("try?history={}", item.id))) { (item.url) } }
                td { (item.draft().call_as.title()) }
                td { @if item.status == 0 { "no answer" } @else { (item.status) } }
                td { (ui::ago(item.at_ms, now_ms)) }
            } } }
        }
    };
    html! {
        section.kept aria-labelledby="kept" {
            div.pbar {
                h2.h2 #kept { "Sent before" }
                div.r {
                    span.dim { "The last 50 of yours, without tokens and secrets" }
                    @if !kept.is_empty() {
                        form method="post" action=(page.path("try/forget")) { (page.csrf_field()) button.btn.sm type="submit" { "Forget them" } }
                    }
                }
            }
            @if kept.is_empty() { (ui::empty("Nothing yet.", &html! {})) } @else { (ui::scroll("Sent before", &table)) }
        }
    }
}
