//! Explain access: who can call this, and why; and the whole table.

mod fix;
mod table;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use gatepost_rest::access::{Principal, Reason, RequestMethod, Verdict};
use gatepost_rest::definition::Method;
use gatepost_rest::path::RequestPath;
use http::Response;
use maud::{Markup, html};

use crate::app::principals::KnownClient;
use crate::app::published::PublishedSchema;
use crate::audit::explain::{Explanation, explain};
use crate::console::fields::Fields;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Tone};
use crate::console::{Console, Refused};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/access", get(show))
        .route("/console/s/{schema}/access/table.csv", get(table::csv))
        .route("/console/s/{schema}/access/grant", post(fix::grant))
}

/// Stands for a caller without a token in forms and URLs: no client can have this name.
const NOBODY: &str = "";

/// The question of the form.
struct Question<'a> {
    caller: &'a str,
    method: &'a str,
    path: String,
}

impl<'a> Question<'a> {
    /// What the URL asks; an example where it asks nothing.
    fn read(page: &'a InSchema, schema: &PublishedSchema, fields: &'a Fields) -> Self {
        let method = fields.get("method").unwrap_or("GET");
        let path = fields.get("path").map_or_else(|| example(schema), |path| below_alias(page, path));
        let first = clients(page).first().map_or(NOBODY, |client| client.name.as_str());
        let caller = match fields.raw("as") {
            Some(name) => name,
            None => first,
        };
        Self { caller, method, path }
    }
}

fn clients(page: &InSchema) -> Vec<&gatepost_oauth::Client> {
    let mut clients: Vec<_> = page.snapshot.catalog.clients_of(page.schema.id).map(AsRef::as_ref).collect();
    clients.sort_by(|one: &&gatepost_oauth::Client, other| one.name.cmp(&other.name));
    clients
}

/// The first path that is published.
fn example(schema: &PublishedSchema) -> String {
    let wanted = crate::describe::matrix::Wanted { filter: "", open_only: false, skip: 0, take: 1 };
    let (rows, _) = crate::describe::matrix::matrix(schema, &[], wanted);
    rows.first().map_or_else(|| "/".to_owned(), |row| row.path.clone())
}

/// A path below the alias, of a URL or of a path as callers send it.
fn below_alias(page: &InSchema, path: &str) -> String {
    let app = page.console.app();
    let path = path.strip_prefix(app.base_url.as_ref()).unwrap_or(path);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let prefix = format!("{}/{}/", app.config.server.context, page.schema.alias);
    match path.strip_prefix(&prefix) {
        Some(rest) => format!("/{rest}"),
        None if path.starts_with('/') => path.to_owned(),
        None => format!("/{path}"),
    }
}

async fn show(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let crumbs = [("Explain access", "")];
    let frame = Page {
        title: "Explain access",
        item: "access",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    let Some(schema) = page.snapshot.schema(&page.schema.alias) else {
        let body = html! {
            (ui::head("Explain access", "Ask about one caller and one request, or read the whole table.", &html! {}))
            (ui::empty("This schema is not enabled: nobody can call anything of it.", &html! {}))
        };
        return Ok(shell::page(&page, frame, &body));
    };
    let question = Question::read(&page, schema, &fields);
    let csv = format!("{}?{}", page.path("access/table.csv"), table::query(&fields, 0));
    let answer = answer(&page, schema, &question);
    let body = html! {
        (ui::head("Explain access", "Ask about one caller and one request, or read the whole table.", &html! {
            a.btn href=(csv) download { (ui::icon("download")) "CSV" }
        }))
        (form(&page, &question))
        div.grid.c2 {
            div.grid { (answer) (table::table(&page, schema, &fields)) }
            (rules(&page))
        }
    };
    Ok(shell::page(&page, frame, &body))
}

fn form(page: &InSchema, question: &Question<'_>) -> Markup {
    html! {
        form.card.ask action=(page.path("access")) method="get" {
            label for="as" { "Can" }
            select.in id="as" name="as" {
                option value=(NOBODY) selected[question.caller == NOBODY] { "anybody, without a token" }
                @for client in clients(page) {
                    option value=(client.name) selected[client.name == question.caller] { (client.name) }
                }
            }
            label for="method" { "call" }
            select.in id="method" name="method" {
                @for method in Method::ALL {
                    option value=(method.as_str()) selected[method.as_str() == question.method] { (method.as_str()) }
                }
            }
            label.sr for="path" { "Path" }
            input.in.mono id="path" name="path" value=(question.path) required spellcheck="false" autocomplete="off";
            span aria-hidden="true" { "?" }
            button.btn.pri type="submit" data-primary { "Explain" }
        }
    }
}

fn answer(page: &InSchema, schema: &PublishedSchema, question: &Question<'_>) -> Markup {
    let client = clients(page).into_iter().find(|client| client.name == question.caller);
    let known = client.and_then(|client| page.snapshot.principals.find(client.id));
    if known.is_none() && question.caller != NOBODY {
        return ui::problem(format!("There is no client {} in this schema.", question.caller));
    }
    let Ok(method) = question.method.parse::<http::Method>() else {
        return ui::problem("This is no method.");
    };
    let raw = format!("/{}{}", page.schema.alias, encoded(&question.path));
    let path = match RequestPath::parse(&raw) {
        Ok(path) => path,
        Err(bad) => return ui::problem(format!("No request can have this path: {bad}.")),
    };
    let method = RequestMethod::from(&method);
    let principal = principal_of(known.map(AsRef::as_ref));
    let explained = explain(schema, path.below(1), method, &principal);
    let disabled = known.is_some_and(|known| !known.client.enabled);
    html! {
        section.card.verdict aria-labelledby="verdict" {
            (headline(schema, &explained, disabled))
            ol.path {
                @for step in steps(&explained, disabled) {
                    li.no[!step.passed] {
                        span.k { (step.label) }
                        div {
                            span.sr { (if step.passed { "Passed: " } else { "Stops here: " }) }
                            (with_code(&step.text))
                            @if !step.passed { (fix::offers(page, schema, &explained, question)) }
                        }
                    }
                }
            }
        }
    }
}

fn principal_of(known: Option<&KnownClient>) -> Principal<'_> {
    known.map_or(Principal::Anonymous, |known| Principal::Client { access: &known.access, narrowed: None })
}

/// Characters that a person types and a request would have escaped.
fn encoded(path: &str) -> String {
    path.replace(' ', "%20").replace('{', "%7B").replace('}', "%7D")
}

fn headline(schema: &PublishedSchema, explained: &Explanation<'_>, disabled: bool) -> Markup {
    let text = sentence(&schema.rules.describe(&explained.verdict));
    let (tone, icon, word) = match explained.refusal_status() {
        _ if disabled => (Tone::Warn, "lock", "No — 401 Unauthorized"),
        None if matches!(explained.verdict, Verdict::Allow(ref by) if is_open(by)) => {
            (Tone::Warn, "lock-open", "Yes — public")
        }
        None => (Tone::Good, "check", "Yes"),
        Some(401) => (Tone::Warn, "lock", "No — 401 Unauthorized"),
        Some(404) => (Tone::Warn, "lock", "No — 404 Not Found"),
        Some(_) => (Tone::Warn, "lock", "No — 403 Forbidden"),
    };
    html! {
        header {
            (ui::badge(tone, icon, word))
            h2 #verdict {
                @if disabled { "The client is disabled, so no token of it opens anything." }
                @else { (with_code(&text)) }
            }
        }
    }
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What stands between backticks as code.
pub(in crate::console::pages) fn with_code(text: &str) -> Markup {
    html! { @for (at, piece) in text.split('`').enumerate() {
        @if at % 2 == 1 { code.mono { (piece) } } @else { (piece) }
    } }
}

fn is_open(admission: &gatepost_rest::access::Admission) -> bool {
    use gatepost_rest::access::Admission::{Public, Unprotected};
    matches!(admission, Public { .. } | Unprotected)
}

/// A step of the way.
pub(in crate::console::pages) struct Step {
    pub(in crate::console::pages) label: &'static str,
    pub(in crate::console::pages) text: String,
    pub(in crate::console::pages) passed: bool,
}

/// The reasons as steps. The last one that is not the verdict is where a refusal stopped.
pub(in crate::console::pages) fn steps(explained: &Explanation<'_>, disabled: bool) -> Vec<Step> {
    let refused = matches!(explained.verdict, Verdict::Refuse(_));
    let mut steps = Vec::new();
    for reason in &explained.reasons {
        let label = match reason {
            Reason::Request { .. } => "Request",
            Reason::Sealed { .. } | Reason::Covered { .. } => "Protected by",
            Reason::Uncovered | Reason::PublicEntryBeaten { .. } => "Protection",
            Reason::PublicEntry { .. } => "Public",
            Reason::Anonymous | Reason::Client { .. } => "Caller",
            Reason::Door { roles, .. } => {
                if roles.is_empty() {
                    "Listed"
                } else {
                    "Role"
                }
            }
            Reason::Verdict { .. } => continue,
        };
        let mut text = reason.to_string();
        if let (Reason::Request { .. }, Some(template)) = (reason, explained.template) {
            text = format!(
                "{text} Matches module {}, template {}.",
                template.module.name,
                template.template().pattern
            );
        } else if matches!(reason, Reason::Request { .. }) {
            text.push_str(" Nothing is published at this path.");
        }
        steps.push(Step { label, text, passed: true });
    }
    if disabled {
        steps.push(Step { label: "Client", text: "It is disabled.".into(), passed: true });
    }
    if let (true, Some(last)) = (refused || disabled, steps.last_mut()) {
        last.passed = false;
    }
    steps
}

fn rules(page: &InSchema) -> Markup {
    let rules = [
        (
            "The narrowest pattern decides",
            "Several privileges as narrow as each other are alternative doors.",
        ),
        (
            "Any one role is enough",
            "A privilege lists the roles that it accepts; one without roles opens to clients that list it.",
        ),
        ("Scopes narrow, never widen", "A token carries what the client holds now, or less."),
        ("What nothing covers is closed", "Unless a public entry opens it; the audit lists those."),
    ];
    html! {
        div.grid {
            section.card aria-labelledby="rules" {
                header { h2 #rules { "What decides" } }
                ol.steps { @for (at, (title, text)) in rules.iter().enumerate() { li {
                    span.n aria-hidden="true" { (at + 1) }
                    div { b { (title) } span.s { (text) } }
                    span {}
                } } }
            }
            @if page.can(Act::ReadLogs) {
                section.card aria-labelledby="also" {
                    header { h2 #also { "Also see" } }
                    div.pad { p.soft { "Every refusal in the " a href={ (crate::console::PATH) "log" } { "access log" } " leads here." } }
                }
            }
        }
    }
}
