//! *Run with…*: the query of the form, with values for its binds, in a transaction that is undone.

use axum::body::Body;
use gatepost_rest::sql::Statement;
use gatepost_store::data::{SessionResult, SessionValue};
use http::Response;
use maud::{Markup, html};

use super::draft::Draft;
use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui;
use crate::script::{Dictionary, Viewer};

/// Rows that are shown.
const ROWS_MAX: usize = 50;

/// What a try came to.
struct Tried {
    binds: Vec<(String, String)>,
    outcome: Result<SessionResult, String>,
}

pub(super) async fn run(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let draft = Draft::read(&fields);
    let given: Vec<(String, String)> = fields
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("bind:")?.to_owned(), value.to_owned())))
        .collect();
    let tried = attempt(&page, draft.source, given).await?;
    let markup = shown(&tried);
    if page.partial {
        return Ok(shell::html_response(&markup));
    }
    let frame = Page {
        title: "Run",
        item: "services",
        crumbs: &[("Run", "")],
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    Ok(shell::page(&page, frame, &html! { h1.h1 { "Run" } (markup) }))
}

async fn attempt(page: &InSchema, source: String, given: Vec<(String, String)>) -> Result<Tried, Refused> {
    let schema = page.schema.clone();
    let viewer = Viewer { name: page.user.name.clone(), administrator: false };
    page.console
        .blocking(move |app| {
            let refused = |text: String| Tried { binds: Vec::new(), outcome: Err(text) };
            let statement = match Statement::parse(&source, app.dialect(&schema.name)) {
                Ok(statement) => statement,
                Err(refusal) => return refused(refusal.to_string()),
            };
            if !matches!(statement.keyword.as_str(), "SELECT" | "WITH" | "VALUES") {
                return refused("Only queries are run here. Try the saved handler in Try it.".into());
            }
            let value = |name: &String| {
                let found = given.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
                (name.clone(), found.unwrap_or_default())
            };
            let binds: Vec<(String, String)> = statement.names.iter().map(value).collect();
            let values: Vec<(String, SessionValue)> =
                binds.iter().map(|(name, text)| (name.clone(), typed(text))).collect();
            let dictionary = Dictionary {
                catalog: app.catalog().as_ref().clone(),
                schema: Some(schema.clone()),
                viewer,
                key_ring: app.ring().clone(),
                runs: Vec::new(),
                now_ms: app.clock.now_ms(),
            };
            let outcome = app.data(&schema.name).map_err(|error| error.to_string()).and_then(|data| {
                let mut session = data.session().map_err(|error| error.to_string())?;
                session.set_rows_max(ROWS_MAX);
                session.begin().map_err(|error| error.message)?;
                let outcome = session.run(&source, &values, &dictionary).map_err(|error| error.message);
                // Whatever a function did while it was read is undone.
                let undone = session.rollback().map_err(|error| error.message);
                undone.and(outcome)
            });
            Tried { binds, outcome }
        })
        .await
}

/// A value as a request would bind it: a number in canonical form is a number (DESIGN decision 19).
fn typed(text: &str) -> SessionValue {
    if text.is_empty() {
        return SessionValue::Null;
    }
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => SessionValue::Integer(number),
        _ => SessionValue::Text(text.to_owned()),
    }
}

fn shown(tried: &Tried) -> Markup {
    html! {
        @if !tried.binds.is_empty() {
            fieldset.binds {
                legend { "Values of the binds; empty: NULL" }
                @for (name, value) in &tried.binds {
                    @let id = format!("bind:{name}");
                    div.field { label for=(id) { ":" (name) } input.in.mono id=(id) name=(id) value=(value) autocomplete="off"; }
                }
            }
        }
        @match &tried.outcome {
            Err(text) => { (ui::problem(text)) }
            Ok(result) => { (rows(result)) }
        }
    }
}

fn rows(result: &SessionResult) -> Markup {
    let table = html! {
        table.t.dense {
            thead { tr { @for column in &result.columns { th scope="col" { (column) } } } }
            tbody { @for row in &result.rows { tr { @for value in row { td { (cell(value)) } } } } }
        }
    };
    html! {
        p.hint role="status" { (ui::plural(result.rows.len(), "row")) @if result.truncated { ", and there are more" } }
        (ui::scroll("Rows", &table))
    }
}

fn cell(value: &SessionValue) -> Markup {
    match value {
        SessionValue::Null => html! { span.null { "null" } },
        SessionValue::Integer(number) => html! { (number) },
        SessionValue::Real(number) => html! { (number) },
        SessionValue::Number(digits) => html! { (digits) },
        SessionValue::Boolean(value) => html! { (value) },
        SessionValue::Text(text) => html! { (text) },
        SessionValue::Blob(bytes) => html! { span.dim { (bytes.len()) " bytes" } },
    }
}
