//! One operation of the reference.

use gatepost_store::data::ValueType;
use maud::{Markup, html};

use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Tone};
use crate::describe::snippets::{Language, Request};
use crate::describe::{Answer, Door, Member, Operation, OperationBody, Place, RowLinks, Services, sample};

pub(super) fn card(
    page: &InSchema,
    services: &Services,
    operation: &Operation,
    language: Language,
    client_id: &str,
) -> Markup {
    let request = Request::sample(services, operation, client_id);
    let snippet = request.written_for(language);
    let method = operation.method.as_str();
    let url = format!("{}{}", services.base_url, operation.path);
    let try_it = page.path(&format!("try?method={method}&url={}", ui::encode(&url)));
    let explain =
        page.path(&format!("access?method={method}&path={}", ui::encode(&sample_path(services, &request))));
    html! {
        section.card.op id=(operation.id) aria-labelledby={ (operation.id) "-title" } {
            header {
                h2 id={ (operation.id) "-title" } { (ui::method(method)) " " span.mono { (operation.path) } }
                div.r {
                    (door(&operation.door))
                    a.btn.sm.ghost href=(explain) { (ui::icon("route")) "Explain" }
                    @if page.can(Act::Define) { a.btn.sm href=(try_it) { (ui::icon("send")) "Try it" } }
                }
            }
            div.stack {
                @if let Some(summary) = &operation.summary { p { (summary) } }
                (parameters(operation))
                @if let Some(body) = &operation.body { (body_of(body)) }
                (answer(operation))
                div {
                    div.bar2 { h3.h3 { "Sample request" } (ui::copy(&snippet, "Copy sample request")) }
                    pre.code tabindex="0" role="region" aria-label={ "Sample request, " (operation.id) } { (snippet) }
                }
            }
        }
    }
}

/// The path of a sample request, below the alias.
fn sample_path(services: &Services, request: &Request) -> String {
    request.url.strip_prefix(&services.base_url).unwrap_or("/").to_owned()
}

pub(super) fn door(door: &Door) -> Markup {
    html! {
        @match door {
            Door::Public => { (ui::badge(Tone::Warn, "lock-open", "public")) }
            Door::Closed => { (ui::badge(Tone::Plain, "lock", "closed to everybody")) }
            Door::Privileges(names) => { @for name in names { (ui::badge(Tone::Good, "lock", name)) } }
        }
    }
}

fn parameters(operation: &Operation) -> Markup {
    if operation.parameters.is_empty() {
        return html! {};
    }
    let table = html! {
        table.t.dense {
            thead { tr {
                th scope="col" { "Parameter" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "About" }
            } }
            tbody { @for parameter in &operation.parameters { tr {
                th scope="row" { code.mono { (parameter.name) } }
                td { @match parameter.place { Place::Path => "path", Place::Query => "query", Place::Header => "header" } }
                td { (words(&parameter.kind)) @if parameter.place == Place::Path { " · required" } }
                td.wrap { (parameter.comments.as_deref().unwrap_or("")) }
            } } }
        }
    };
    html! { div { h3.h3 { "Parameters" } (ui::scroll(&format!("Parameters, {}", operation.id), &table)) } }
}

fn body_of(body: &OperationBody) -> Markup {
    let types = if body.media_types.is_empty() { "any type".to_owned() } else { body.media_types.join(", ") };
    html! {
        div {
            h3.h3 { "Body" }
            p.soft { (types) @if body.members.is_empty() { ", taken as a whole" } }
            @if !body.members.is_empty() { (members("Members of the body", &body.members)) }
        }
    }
}

fn answer(operation: &Operation) -> Markup {
    let (about, columns): (&str, &[Member]) = match &operation.answer {
        Answer::Collection(columns, _) => ("A page of rows with links to other pages. Each row:", columns),
        Answer::Legacy(columns, _) => ("A page of rows. Each row:", columns),
        Answer::Row(columns, _) => ("One row; 404 when there is none:", columns),
        Answer::Csv => ("All rows as CSV.", &[]),
        Answer::Media => ("What the row holds, with its own content type; 404 when there is none.", &[]),
        Answer::Change(columns) if columns.is_empty() => {
            ("How many rows were changed: rowsAffected.", columns)
        }
        Answer::Change(columns) => ("The row that was changed:", columns),
        Answer::Block { members, .. } if members.is_empty() => ("The status says what came of it.", members),
        Answer::Block { members, .. } => ("An object:", members),
        Answer::NotRunnable { waits: true } => ("503: it waits for a REST source.", &[]),
        Answer::NotRunnable { waits: false } => ("501: its source cannot run on this server.", &[]),
    };
    html! {
        div {
            h3.h3 { "Answer" }
            p.soft { (about) }
            @if !columns.is_empty() { (members("Members of the answer", columns)) }
            @if let Some(sample) = sample_of(&operation.answer) {
                pre.code.sunken tabindex="0" role="region" aria-label={ "Sample answer, " (operation.id) } { (sample) }
            }
        }
    }
}

fn members(name: &str, members: &[Member]) -> Markup {
    let table = html! {
        table.t.dense {
            thead { tr { th scope="col" { "Member" } th scope="col" { "Type" } th scope="col" { "In the database" } } }
            tbody { @for member in members { tr {
                th scope="row" { code.mono { (member.name) } }
                td { (words(&member.kind)) }
                td.mono.dim { (member.type_name) }
            } } }
        }
    };
    ui::scroll(name, &table)
}

/// A type in words.
fn words(kind: &ValueType) -> String {
    match kind {
        ValueType::Any => "any".into(),
        ValueType::Boolean => "boolean".into(),
        ValueType::Integer => "integer".into(),
        ValueType::Number => "number".into(),
        ValueType::Text => "string".into(),
        ValueType::Date => "date".into(),
        ValueType::Timestamp => "date-time".into(),
        ValueType::Uuid => "UUID".into(),
        ValueType::Bytes => "base64".into(),
        ValueType::List(element) => format!("list of {}", words(element)),
    }
}

/// An answer with a value of each type, in the order of its columns.
fn sample_of(answer: &Answer) -> Option<String> {
    let (columns, page, links) = match answer {
        Answer::Collection(columns, links) | Answer::Legacy(columns, links) => (columns, true, *links),
        Answer::Row(columns, links) => (columns, false, *links),
        Answer::Change(columns) | Answer::Block { members: columns, .. } => (columns, false, RowLinks::None),
        Answer::Csv | Answer::Media | Answer::NotRunnable { .. } => return None,
    };
    if columns.is_empty() {
        return None;
    }
    let indent = if page { "      " } else { "  " };
    let mut members: Vec<String> = columns
        .iter()
        .map(|column| {
            format!("{indent}{}: {}", serde_json::Value::from(column.name.as_str()), sample(&column.kind))
        })
        .collect();
    if links == RowLinks::Array {
        members.push(format!("{indent}\"links\": []"));
    }
    let row = members.join(",\n");
    let paged = matches!(answer, Answer::Collection(..));
    Some(match (page, paged) {
        (true, true) => format!(
            "{{\n  \"items\": [\n    {{\n{row}\n    }}\n  ],\n  \"hasMore\": false,\n  \"limit\": 25,\n  \"offset\": 0,\n  \
             \"count\": 1,\n  \"links\": []\n}}"
        ),
        (true, false) => format!("{{\n  \"items\": [\n    {{\n{row}\n    }}\n  ]\n}}"),
        _ => format!("{{\n{row}\n}}"),
    })
}
