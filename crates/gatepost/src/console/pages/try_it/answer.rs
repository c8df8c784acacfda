//! What came of a request: status in words, body, headers, and the reasons of the decision.

use gatepost_rest::access::RequestMethod;
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};

use super::draft::Draft;
use super::json;
use super::send::{Answered, BYTES_MAX, Got};
use crate::audit::explain::explain;
use crate::console::pages::access;
use crate::console::signed_in::InSchema;
use crate::console::ui::{self, Tone};
use crate::error::USER_DEFINED_RESOURCE_ERROR;
use crate::http::authenticate::authenticate;

/// Rows of a table.
const ROWS_MAX: usize = 500;

/// Shows an answer; `id` tells it from another one on the page.
pub(super) fn show(page: &InSchema, draft: &Draft, answered: &Answered, id: &str) -> Markup {
    html! {
        @if let Some(token) = &answered.token_request { (token_request(token, id)) }
        @match &answered.outcome {
            Err(problem) => { div.pad { (ui::problem(problem)) } }
            Ok(got) => {
                div.pbar.answer {
                    (status(got.status))
                    span.dim.num { (milliseconds(got)) " ms · " (size(got)) }
                }
                @if got.cut { div.pad { (ui::warning(format!("The answer is longer; {BYTES_MAX} bytes of it were read."))) } }
                (body(got, id))
                details.part {
                    summary { "Headers " span.b { (got.headers.len()) } }
                    (headers(&got.headers, id))
                }
            }
        }
        details.part open { summary { "Trace" } (trace(page, draft, answered)) }
    }
}

fn milliseconds(got: &Got) -> String {
    format!("{:.1}", got.elapsed.as_secs_f64() * 1000.0)
}

fn size(got: &Got) -> String {
    let bytes = got.body.len();
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn status(status: u16) -> Markup {
    let (tone, icon) = match status {
        200..300 => (Tone::Good, "check"),
        300..400 => (Tone::Plain, "arrow-right"),
        401 | 403 => (Tone::Warn, "lock"),
        400..500 => (Tone::Warn, "triangle-alert"),
        _ => (Tone::Bad, "triangle-alert"),
    };
    let words = match status {
        USER_DEFINED_RESOURCE_ERROR => "User Defined Resource Error",
        _ => StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or(""),
    };
    ui::badge(tone, icon, format!("{status} {words}"))
}

fn body(got: &Got, id: &str) -> Markup {
    let Ok(text) = std::str::from_utf8(&got.body) else {
        return html! { div.pad { p.soft { "The body is not text." } } };
    };
    if text.is_empty() {
        return html! { div.pad { p.soft { "The body is empty." } } };
    }
    let name = format!("Body, {id}");
    let pretty = json::pretty(text);
    let rows = pretty.as_ref().and_then(|_| json::rows(text));
    html! {
        @if let Some((columns, rows)) = &rows {
            details.part {
                summary { "Table " span.b { (rows.len()) } }
                (ui::scroll(&format!("Rows, {id}"), &html! {
                    table.t.dense {
                        thead { tr { @for column in columns { th scope="col" { (column) } } } }
                        tbody { @for row in rows.iter().take(ROWS_MAX) { tr { @for cell in row { td { (cell) } } } } }
                    }
                }))
                @if rows.len() > ROWS_MAX { p.dim.pad { "The first " (ROWS_MAX) " rows." } }
            }
        }
        pre.code tabindex="0" role="region" aria-label=(name) {
            @match pretty { Some(pretty) => { (pretty) } None => { (text) } }
        }
    }
}

fn headers(headers: &HeaderMap, id: &str) -> Markup {
    let table = html! {
        table.t.dense {
            thead { tr { th scope="col" { "Header" } th scope="col" { "Value" } } }
            tbody { @for (name, value) in headers { tr {
                th scope="row" { code.mono { (name.as_str()) } }
                td.mono { (String::from_utf8_lossy(value.as_bytes())) }
            } } }
        }
    };
    ui::scroll(&format!("Headers, {id}"), &table)
}

fn token_request(got: &Result<Got, String>, id: &str) -> Markup {
    html! {
        details.part open {
            summary { "Token request" }
            @match got {
                Err(problem) => { div.pad { (ui::problem(problem)) } }
                Ok(got) => {
                    div.pbar.answer { (status(got.status)) span.dim.num { (milliseconds(got)) " ms" } }
                    @let text = super::kept::without_secrets(&String::from_utf8_lossy(&got.body));
                    pre.code tabindex="0" role="region" aria-label={ "Token answer, " (id) } {
                        @match json::pretty(&text) { Some(pretty) => { (pretty) } None => { (text) } }
                    }
                    @if got.status == 401 {
                        p.soft.pad { "The id or the secret is wrong, or the client is disabled. Rotate the secret to get a new one." }
                    }
                }
            }
        }
    }
}

/// The reasons of the decision, found again as the request found them.
fn trace(page: &InSchema, draft: &Draft, answered: &Answered) -> Markup {
    let Some(schema) = page.snapshot.schema(&page.schema.alias) else { return html! {} };
    let Some((path, _)) = draft.place(page) else { return html! {} };
    if path.segments().get(1).is_some_and(|first| first.as_ref() == "oauth") {
        return html! { p.soft.pad { "An OAuth endpoint: the client proves who it is, and no privilege decides." } };
    }
    let app = page.console.app();
    // What changed since the request is in the newest snapshot, and not in the page's.
    let caller = authenticate(&page.snapshot, schema, &answered.sent, None, app.clock.now_ms());
    let Ok(caller) = caller else {
        return html! { p.soft.pad { "The token does not count: it is not one of this schema, has ended, or was revoked." } };
    };
    let method: http::Method = draft.method.parse().unwrap_or_default();
    let explained = explain(schema, path.below(1), RequestMethod::from(&method), &caller.principal());
    let question = page.path(&format!(
        "access?as={}&method={}&path={}",
        match &draft.call_as {
            super::CallAs::Client(name) => ui::encode(name),
            _ => String::new(),
        },
        ui::encode(&draft.method),
        ui::encode(&path.below(1).to_string()),
    ));
    html! {
        ul.trace { @for step in access::steps(&explained, false) { li {
            @if step.passed { (ui::icon("circle-check")) } @else { span.amber { (ui::icon("lock")) } }
            span { span.sr { (if step.passed { "Passed: " } else { "Stops here: " }) } (access::with_code(&step.text)) }
            span.dim { (step.label) }
        } } }
        p.pad { a.btn.sm href=(question) { (ui::icon("route")) "Explain access" } }
    }
}
