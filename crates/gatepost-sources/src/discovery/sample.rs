//! From one answer of an API.

use std::collections::HashSet;

use http::HeaderMap;
use serde_json::value::RawValue;
use url::Url;

use super::name::Names;
use super::{DOCUMENT_BYTES_MAX, Discovered, pages, primary_key};
use crate::datum::{Datum, integer};
use crate::definition::rows::COLUMNS_MAX;
use crate::definition::{Column, ColumnType, Pointer, Rows};
use crate::error::{Code, SourceError};
use crate::rows::{Body, members};

/// So many rows are looked at.
const ROWS_MAX: usize = 200;

/// Objects within rows are taken apart down to this depth; deeper ones are JSON.
const DEPTH_MAX: usize = 3;

/// Names under which APIs put their rows, the usual ones first.
const ROW_NAMES: [&str; 12] = [
    "items", "data", "results", "records", "rows", "value", "entries", "content", "elements", "hits", "list",
    "docs",
];

/// Proposes rows, columns, key and paginator. `url` is where the answer came from.
pub fn from_sample(body: &[u8], headers: &HeaderMap, url: &Url) -> Result<Discovered, SourceError> {
    if body.len() > DOCUMENT_BYTES_MAX {
        let detail = format!("a sample of at most {DOCUMENT_BYTES_MAX} bytes is needed");
        return Err(SourceError::new(Code::ApiTooLarge).with_detail(detail));
    }
    let body = Body::parse(body)?;
    let mut rows = select(&body)?;
    let found = body.rows(&rows)?;
    let sampled: Vec<&RawValue> = found.into_iter().take(ROWS_MAX).collect();
    let mut notes = Vec::new();
    if sampled.is_empty() {
        notes.push("The answer has no rows; columns cannot be told from it.".into());
    }
    let leaves = leaves(&sampled);
    if leaves.len() > COLUMNS_MAX {
        notes.push(format!("The rows have {} members; the first {COLUMNS_MAX} are columns.", leaves.len()));
    }
    let mut names = Names::default();
    for leaf in leaves.iter().take(COLUMNS_MAX) {
        let name = if leaf.steps.is_empty() { "value".into() } else { names.claim(&leaf.steps) };
        rows.columns.push(Column::member(
            &name,
            Pointer::of(&leaf.steps),
            leaf.kind.unwrap_or(ColumnType::Text),
        ));
    }
    let nulls = leaves.iter().zip(&rows.columns).filter(|(leaf, _)| leaf.kind.is_none());
    let nulls: Vec<&str> = nulls.map(|(_, column)| column.name.as_str()).collect();
    if !nulls.is_empty() {
        notes.push(format!("These columns are null in all rows and taken as text: {}.", nulls.join(", ")));
    }
    let unique = leaves.iter().zip(&rows.columns).filter(|(leaf, _)| leaf.is_unique(sampled.len()));
    let unique: Vec<&str> = unique.map(|(_, column)| column.name.as_str()).collect();
    rows.primary_key = primary_key::guess(&unique).into_iter().collect();
    let pagination = pages::from_sample(&body, headers, url, &mut notes);
    Ok(Discovered { rows, pagination, notes })
}

/// Where the rows are: a list of objects, preferably under a usual name and near the top; else the object itself.
fn select(body: &Body<'_>) -> Result<Rows, SourceError> {
    let root = body.find(&Pointer::default()).map(RawValue::get).unwrap_or_default();
    match root.as_bytes().first() {
        Some(b'[') => Ok(Rows::default()),
        Some(b'{') => {
            let mut candidates = Vec::new();
            gather(body, &mut Vec::new(), &mut candidates);
            candidates.sort();
            let best = candidates.into_iter().next();
            let single = best.is_none();
            let select = best.map_or_else(|| lone_object(body), |(_, _, steps)| Pointer::of(&steps));
            Ok(Rows { select, single, ..Rows::default() })
        }
        _ => Err(SourceError::new(Code::SelectNotArray).with_detail("a single value")),
    }
}

/// Lists of objects, each with how unusual its name is and how deep it is.
fn gather(body: &Body<'_>, steps: &mut Vec<String>, found: &mut Vec<(usize, usize, Vec<String>)>) {
    let Some(members) = body.find(&Pointer::of(steps)).and_then(members) else { return };
    for (name, value) in members.iter().filter(|(name, _)| name != "links" && name != "_links") {
        steps.push(name.to_string());
        let known = ROW_NAMES.iter().position(|usual| name.eq_ignore_ascii_case(usual));
        match value.get().as_bytes().first() {
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
                let of_objects = items.first().is_some_and(|item| item.get().starts_with('{'));
                if of_objects || (items.is_empty() && known.is_some()) {
                    found.push((known.unwrap_or(ROW_NAMES.len()), steps.len(), steps.clone()));
                }
            }
            Some(b'{') if steps.len() < DEPTH_MAX => gather(body, steps, found),
            _ => {}
        }
        steps.pop();
    }
}

/// Some APIs wrap a single object: `{"data": {…}}`.
fn lone_object(body: &Body<'_>) -> Pointer {
    let members = body.find(&Pointer::default()).and_then(members).unwrap_or_default();
    match members.as_slice() {
        [(name, value)] if value.get().starts_with('{') => Pointer::of(&[name.as_ref()]),
        _ => Pointer::default(),
    }
}

/// A member of the rows and what its values were.
struct Leaf<'b> {
    steps: Vec<String>,
    kind: Option<ColumnType>,
    values: HashSet<&'b str>,
    count: usize,
}

impl Leaf<'_> {
    fn is_unique(&self, rows: usize) -> bool {
        self.count == rows && self.values.len() == rows && rows > 0 && self.kind != Some(ColumnType::Json)
    }
}

fn leaves<'b>(rows: &[&'b RawValue]) -> Vec<Leaf<'b>> {
    let mut leaves: Vec<Leaf<'b>> = Vec::new();
    for row in rows {
        visit(row, &mut Vec::new(), &mut leaves);
    }
    // A list of objects and other things: each row is JSON as a whole.
    let has_objects = rows.iter().any(|row| row.get().starts_with('{'));
    if has_objects && leaves.iter().any(|leaf| leaf.steps.is_empty()) {
        leaves.retain(|leaf| leaf.steps.is_empty());
        for leaf in &mut leaves {
            leaf.kind = Some(ColumnType::Json);
        }
    }
    // What is an object in one row and a value in another is JSON as a whole.
    let torn: Vec<Vec<String>> = leaves
        .iter()
        .filter(|leaf| leaf.kind.is_some() && leaves.iter().any(|other| is_below(&other.steps, &leaf.steps)))
        .map(|leaf| leaf.steps.clone())
        .collect();
    leaves.retain(|leaf| !torn.iter().any(|steps| is_below(&leaf.steps, steps)));
    for leaf in leaves.iter_mut().filter(|leaf| torn.contains(&leaf.steps)) {
        leaf.kind = Some(ColumnType::Json);
    }
    // A null where other rows have an object says nothing.
    let prefixes: Vec<Vec<String>> = leaves.iter().map(|leaf| leaf.steps.clone()).collect();
    leaves.retain(|leaf| leaf.kind.is_some() || !prefixes.iter().any(|other| is_below(other, &leaf.steps)));
    leaves
}

fn is_below(steps: &[String], above: &[String]) -> bool {
    steps.len() > above.len() && steps.starts_with(above)
}

fn visit<'b>(value: &'b RawValue, steps: &mut Vec<String>, leaves: &mut Vec<Leaf<'b>>) {
    let inner =
        members(value).filter(|inner| steps.is_empty() || (!inner.is_empty() && steps.len() < DEPTH_MAX));
    if let Some(inner) = inner {
        for (name, value) in inner {
            // ORDS puts links into rows; they are not data.
            if steps.is_empty() && name == "links" && value.get().contains("\"rel\"") {
                continue;
            }
            steps.push(name.into_owned());
            visit(value, steps, leaves);
            steps.pop();
        }
        return;
    }
    let kind = kind_of(value);
    if kind.is_none() && steps.is_empty() {
        return;
    }
    let known = leaves.iter().position(|leaf| leaf.steps == *steps);
    let at = known.unwrap_or_else(|| {
        leaves.push(Leaf { steps: steps.clone(), kind: None, values: HashSet::new(), count: 0 });
        leaves.len() - 1
    });
    let leaf = &mut leaves[at];
    if let Some(kind) = kind {
        leaf.kind = Some(leaf.kind.map_or(kind, |before| merge(before, kind)));
        leaf.values.insert(value.get());
        leaf.count += 1;
    }
}

/// The narrowest type of a value; none for null.
fn kind_of(value: &RawValue) -> Option<ColumnType> {
    let json = value.get();
    Some(match json.as_bytes().first()? {
        b'n' => return None,
        b't' | b'f' => ColumnType::Boolean,
        b'{' | b'[' => ColumnType::Json,
        b'"' => text_kind(&serde_json::from_str::<String>(json).unwrap_or_default()),
        _ if integer(json).is_some() && !json.contains(['.', 'e', 'E']) => ColumnType::Integer,
        _ => ColumnType::Decimal,
    })
}

fn text_kind(text: &str) -> ColumnType {
    let is = |kind| Datum::from_text(kind, text).is_ok();
    match text.len() {
        10 if is(ColumnType::Date) => ColumnType::Date,
        11.. if is(ColumnType::Timestamp) => {
            if text.parse::<jiff::Timestamp>().is_ok() {
                ColumnType::Timestamptz
            } else {
                ColumnType::Timestamp
            }
        }
        _ => ColumnType::Text,
    }
}

/// The type that holds values of both.
fn merge(one: ColumnType, other: ColumnType) -> ColumnType {
    use ColumnType::{Date, Decimal, Integer, Json, Text, Timestamp, Timestamptz};
    match (one, other) {
        _ if one == other => one,
        (Json, _) | (_, Json) => Json,
        (Integer, Decimal) | (Decimal, Integer) => Decimal,
        (Date | Timestamp, Timestamptz) | (Timestamptz, Date | Timestamp) => Timestamptz,
        (Date, Timestamp) | (Timestamp, Date) => Timestamp,
        _ => Text,
    }
}
