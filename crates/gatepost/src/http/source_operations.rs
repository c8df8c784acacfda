//! `{alias}/sources/{name}/` and `{alias}/sources/{name}/{id}`: changing the rows of a REST source, and reading one, by
//! the operations that its definition declares. The body is checked by the source's columns before anything is sent.

use std::sync::Arc;

use axum::body::Body;
use gatepost_rest::access::RequestMethod;
use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{Column, RestSource};
use gatepost_sources::rows::members;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;
use serde_json::value::RawValue;

use super::authenticate::authenticate;
use super::facts::Facts;
use super::rest::{Served, admit, refuse};
use super::sources::{Target, find, hops, told};
use super::{body, query_string, respond};
use crate::app::source_operations::{OperationDone, OperationWanted};
use crate::error::{Code, Failure};

/// Which operation a method means; none for those that are no operation.
fn operation(method: &Method, key: Option<&str>) -> Option<&'static str> {
    match (method, key) {
        (&Method::POST, None) => Some("insert"),
        (&Method::GET | &Method::HEAD, Some(_)) => Some("fetch_one"),
        (&Method::PUT, Some(_)) => Some("update"),
        (&Method::DELETE, Some(_)) => Some("delete"),
        _ => None,
    }
}

/// The methods that a path of the source has; empty when there are none.
pub(super) fn allow(source: &RestSource, key: Option<&str>) -> String {
    let names: &[(&str, &str)] = match key {
        None => &[("insert", "POST")],
        Some(_) => &[("fetch_one", "GET, HEAD"), ("update", "PUT"), ("delete", "DELETE")],
    };
    let declared = names.iter().filter(|(name, _)| source.operations.find(name).is_some());
    let rows = key.is_none().then_some("GET, HEAD");
    rows.into_iter().chain(declared.map(|(_, methods)| *methods)).collect::<Vec<_>>().join(", ")
}

/// Carries an operation out. The caller was admitted already; if there is a body, that is decided again after it.
pub(super) async fn answer(
    served: &Served<'_>,
    target: &Target<'_>,
    head: &Parts,
    incoming: Incoming,
    facts: &mut Facts,
) -> Result<Response<Body>, Failure> {
    let (source, key) = (&target.source, target.key);
    let name = operation(&head.method, key).filter(|name| source.operations.find(name).is_some());
    let Some(name) = name else {
        let failure = Failure::new(Code::MethodNotAllowed, "The source does not declare this operation");
        return Err(failure.allow(&allow(source, key)));
    };
    let parameters = query_string::pairs(head.uri.query())?;
    let parameters = parameters.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned()));
    let mut row = Vec::new();
    if matches!(name, "insert" | "update") {
        let bytes = body::read(served.app, incoming, served.app.config.limits.body_bytes).await?;
        decide_again(served, source, head, facts)?;
        row = read_row(source, head, &bytes.bytes)?;
    }
    add_key(source, key, &mut row)?;
    let wanted = OperationWanted { name, parameters: parameters.collect(), row };
    let ready = served.app.ready_source(source, hops(&head.headers)?).map_err(|error| told(&error))?;
    let done = served.app.operate(ready, wanted).await.map_err(|error| {
        let failure = told(&error);
        if failure.code == Code::SourceTimeout && name != "fetch_one" {
            // Nobody knows what became of it.
            let detail = format!("{}. It may have been done all the same", failure.detail);
            return Failure { detail, ..failure };
        }
        failure
    })?;
    render(name, done)
}

fn render(name: &str, done: OperationDone) -> Result<Response<Body>, Failure> {
    let row = match done {
        OperationDone::Done(row) => row,
        OperationDone::NotFound => return Err(Failure::new(Code::NoRow, "The API has no such row")),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Some(row) = row {
        let member =
            |(name, datum): &(String, Datum)| format!("{}:{}", Value::from(name.as_str()), datum.to_json());
        let members: Vec<String> = row.iter().map(member).collect();
        response = Response::new(Body::from(format!("{{{}}}", members.join(","))));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    if name == "insert" {
        *response.status_mut() = StatusCode::CREATED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    respond::protect(headers);
    Ok(response)
}

/// A body can take its time. What changed meanwhile counts: a client that was disabled changes nothing any more, and a
/// source that was defined anew is not called as it was.
fn decide_again(
    served: &Served<'_>,
    source: &Arc<RestSource>,
    head: &Parts,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let snapshot = served.app.snapshot();
    if Arc::ptr_eq(&snapshot, served.snapshot) {
        return Ok(());
    }
    let schema = served.renewed(&snapshot)?;
    let now_ms = served.app.clock.now_ms();
    let caller = authenticate(&snapshot, &schema, &head.headers, head.uri.query(), now_ms)
        .map_err(|failure| refuse(failure, &schema, facts))?;
    let served = Served { snapshot: &snapshot, schema: &schema, ..*served };
    let tail = served.path.below(2);
    let again = find(&served, tail);
    admit(&served, (None, again.is_some()), tail, RequestMethod::from(&head.method), &caller, facts)?;
    if again.is_some_and(|again| *again.source == **source) {
        return Ok(());
    }
    Err(Failure::new(Code::Busy, "The source was defined anew meanwhile").retry_after(1))
}

/// Reads a row: an object whose members are columns of the source, each of its type.
fn read_row(source: &RestSource, head: &Parts, bytes: &[u8]) -> Result<Vec<(String, Datum)>, Failure> {
    let bad = |detail: String| Failure::new(Code::BadBody, detail);
    let sent = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !sent.eq_ignore_ascii_case("application/json") {
        return Err(Failure::new(Code::UnsupportedMediaType, "A row is sent as application/json"));
    }
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(|_| bad("The body is not JSON".to_owned()))?;
    let members = members(raw).ok_or_else(|| bad("The body is not a JSON object".to_owned()))?;
    let mut row: Vec<(String, Datum)> = Vec::new();
    for (name, value) in members {
        let Some(kind) = source.rows.column(&name).and_then(Column::kind) else {
            return Err(bad(format!("There is no column `{}`", name.escape_debug())));
        };
        if row.iter().any(|(other, _)| *other == name) {
            return Err(bad(format!("Column `{name}` is given twice")));
        }
        let datum = Datum::from_json(kind, value)
            .map_err(|_| bad(format!("The value of `{name}` is not of type {}", kind.as_str())))?;
        row.push((name.into_owned(), datum));
    }
    Ok(row)
}

/// Adds the key of the path; a body may repeat it and must not contradict it.
fn add_key(source: &RestSource, key: Option<&str>, row: &mut Vec<(String, Datum)>) -> Result<(), Failure> {
    let Some(key) = key else { return Ok(()) };
    let bad = |detail: String| Failure::new(Code::BadParameter, detail);
    let columns = &source.rows.primary_key;
    // As in ORDS: the parts of a key of several columns are joined by commas.
    let parts: Vec<&str> = if columns.len() > 1 { key.split(',').collect() } else { vec![key] };
    if columns.is_empty() || parts.len() != columns.len() {
        return Err(bad(format!("The key of a row is {} values", columns.len())));
    }
    for (name, text) in columns.iter().zip(parts) {
        let Some(kind) = source.rows.column(name).and_then(Column::kind) else {
            return Err(bad(format!("There is no column `{name}`")));
        };
        let datum = Datum::from_text(kind, text)
            .map_err(|_| bad(format!("The key's `{name}` is not of type {}", kind.as_str())))?;
        match row.iter().find(|(other, _)| other == name) {
            Some((_, given)) if *given != datum => {
                return Err(Failure::new(Code::BadBody, format!("`{name}` is not the key of the path")));
            }
            Some(_) => {}
            None => row.push((name.clone(), datum)),
        }
    }
    Ok(())
}
