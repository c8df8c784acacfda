//! Operations of a REST source: one row by its key, a new row, a changed one, one less. One request each; it is sent
//! again only where that does no work twice (`gatepost_sources::retry`).

use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{Column, ColumnOrigin, Operation, OperationMethod, Pointer, Rows};
use gatepost_sources::error::{Code, SourceError};
use gatepost_sources::request::operation_request;
use gatepost_sources::rows::{Body, RowReader};
use gatepost_sources::template::{Values, operation_parameters, put};
use serde_json::{Map, Value};

use super::App;
use super::sources::system_ms;
use crate::outbound::{Answer, Fetch, ReadySource};

/// What a caller wants done.
#[derive(Clone, Debug)]
pub struct OperationWanted {
    /// `fetch_one`, `insert`, `update` or `delete`.
    pub name: &'static str,
    /// Parameters by name, as text.
    pub parameters: Vec<(String, String)>,
    /// Columns that the caller gave, those of the key included.
    pub row: Vec<(String, Datum)>,
}

/// What an operation came to.
#[derive(Clone, Debug)]
pub enum OperationDone {
    /// The API did it, and answered with the row or without.
    Done(Option<Vec<(String, Datum)>>),
    /// The API has no such row.
    NotFound,
}

impl App {
    /// Makes the request of an operation.
    pub async fn operate(
        &self,
        ready: ReadySource,
        wanted: OperationWanted,
    ) -> Result<OperationDone, SourceError> {
        let source = std::sync::Arc::clone(&ready.source);
        let operation = source.operations.find(wanted.name).ok_or(Code::DefinitionBroken)?;
        let parameters = operation_parameters(&source, operation);
        let given = wanted.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut values = Values::read(&parameters, given)?;
        let is_parameter = |name: &str| parameters.iter().any(|parameter| parameter.name == name);
        let row = wanted.row.iter().filter(|(name, _)| !is_parameter(name));
        values.add_row(row.cloned());
        let mut parts = operation_request(&source, operation, &values)?;
        if sends_row(wanted.name, operation) {
            // Without a template the row itself is sent, each column where answers have it.
            let body = parts.body.get_or_insert_with(|| Value::Object(Map::new()));
            for (name, datum) in &wanted.row {
                if let Some(at) = source.rows.column(name).and_then(place) {
                    put(body, at.as_str(), datum.to_json())?;
                }
            }
        }
        let strict = source.rows.strict;
        let rows = Rows {
            select: operation.select.clone().unwrap_or_default(),
            single: true,
            strict,
            columns: source.rows.columns.clone(),
            ..Rows::default()
        };
        let _changing = (wanted.name != "fetch_one").then(|| self.source_cache.changing(source.id));
        let mut fetch = Fetch::of_parts(&self.outbound, ready, parts, system_ms);
        match fetch.sample().await {
            Ok(Some(answer)) => Ok(OperationDone::Done(read(&rows, &answer, wanted.name)?)),
            // An answer without content, or one that a rule of the source takes for no rows.
            Ok(None) if wanted.name != "fetch_one" && succeeded(&fetch) => Ok(OperationDone::Done(None)),
            Ok(None) => Ok(OperationDone::NotFound),
            Err(error) if error.code == Code::ApiNotFound && wanted.name != "insert" => {
                Ok(OperationDone::NotFound)
            }
            Err(error) => Err(error),
        }
    }
}

fn succeeded(fetch: &Fetch) -> bool {
    fetch.facts().status.is_some_and(|status| (200..300).contains(&status))
}

/// Whether the body is the row: a method with a body and no template for it.
fn sends_row(name: &str, operation: &Operation) -> bool {
    let writes = matches!(name, "insert" | "update");
    let takes_body = !matches!(operation.method, OperationMethod::Get | OperationMethod::Delete);
    writes && takes_body && operation.body.is_none()
}

fn place(column: &Column) -> Option<&Pointer> {
    match &column.origin {
        ColumnOrigin::Member { at, .. } => Some(at).filter(|at| !at.is_root()),
        ColumnOrigin::Sql { .. } => None,
    }
}

/// The row in an answer. What is written need not be answered with anything; what is asked for must be.
fn read(rows: &Rows, answer: &Answer, name: &str) -> Result<Option<Vec<(String, Datum)>>, SourceError> {
    if name == "delete" {
        return Ok(None);
    }
    let body = Body::parse(&answer.body);
    let found = body.and_then(|body| {
        let mut reader = RowReader::new(rows);
        let names: Vec<String> = reader.columns().map(|(name, _)| name.to_owned()).collect();
        let Some(row) = body.rows(rows)?.into_iter().next().filter(|row| row.get().starts_with('{')) else {
            return Ok(None);
        };
        Ok(Some(names.into_iter().zip(reader.read(row)?).collect()))
    });
    match found {
        Ok(None) if name == "fetch_one" => Err(Code::SelectNotFound.into()),
        Err(_) if name != "fetch_one" => Ok(None),
        found => found,
    }
}
