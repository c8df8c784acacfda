//! Schemas of an OpenAPI 3 document, as far as rows and parameters need them.

use serde_json::{Map, Value};

use crate::definition::ColumnType;
use crate::definition::rows::COLUMNS_MAX;

/// References are followed this many times; schemas may refer to themselves.
const REFERENCES_MAX: usize = 16;

/// So many parts of one schema are looked at: `allOf` could name itself many times.
const PARTS_MAX: usize = 500;

/// Objects within rows are taken apart down to this depth.
const DEPTH_MAX: usize = 3;

/// Follows references within the document.
pub(super) fn resolve<'d>(document: &'d Value, value: &'d Value) -> Option<&'d Value> {
    let mut value = value;
    for _ in 0..REFERENCES_MAX {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Some(value) };
        value = document.pointer(reference.strip_prefix('#')?)?;
    }
    None
}

/// The properties of an object schema, those of `allOf` included, sorted by name.
pub(super) fn properties<'d>(document: &'d Value, schema: &'d Value) -> Map<String, Value> {
    let mut found = Map::new();
    gather(document, schema, &mut found, REFERENCES_MAX, &mut { PARTS_MAX });
    found
}

fn gather(document: &Value, schema: &Value, found: &mut Map<String, Value>, depth: usize, parts: &mut usize) {
    let Some(schema) = resolve(document, schema).filter(|_| depth > 0 && *parts > 0) else { return };
    *parts -= 1;
    for part in list(schema, "allOf") {
        gather(document, part, found, depth - 1, parts);
    }
    // Of alternatives, the first describes at least some rows.
    if let Some(first) = list(schema, "oneOf").chain(list(schema, "anyOf")).next() {
        gather(document, first, found, depth - 1, parts);
    }
    let own = schema.get("properties").and_then(Value::as_object);
    for (name, property) in own.into_iter().flatten() {
        if let Some(property) = resolve(document, property) {
            found.insert(name.clone(), property.clone());
        }
    }
}

/// The word of `type`; in OpenAPI 3.1 it may be a list with `null` in it.
pub(super) fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(word) => Some(word),
        Value::Array(words) => words.iter().filter_map(Value::as_str).find(|word| *word != "null"),
        _ => None,
    }
}

/// The type of a column or parameter.
pub(super) fn column_type(schema: &Value) -> ColumnType {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    match (type_of(schema), format) {
        (Some("integer"), _) => ColumnType::Integer,
        (Some("number"), _) => ColumnType::Decimal,
        (Some("boolean"), _) => ColumnType::Boolean,
        (Some("array" | "object"), _) => ColumnType::Json,
        (Some("string"), "date-time") => ColumnType::Timestamptz,
        (Some("string"), "date") => ColumnType::Date,
        (None, _) if schema.get("properties").is_some() || schema.get("allOf").is_some() => ColumnType::Json,
        _ => ColumnType::Text,
    }
}

/// The items of a list schema.
pub(super) fn items<'d>(document: &'d Value, schema: &'d Value) -> Option<&'d Value> {
    let schema = resolve(document, schema)?;
    let is_list = type_of(schema) == Some("array") || schema.get("items").is_some();
    is_list.then(|| schema.get("items").and_then(|items| resolve(document, items))).flatten()
}

/// Columns of an item: where each is, and its type. Objects are taken apart.
pub(super) fn leaves(document: &Value, schema: &Value) -> Vec<(Vec<String>, ColumnType)> {
    let mut found = Vec::new();
    descend(document, schema, &mut Vec::new(), &mut found);
    found
}

fn descend(
    document: &Value,
    schema: &Value,
    steps: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, ColumnType)>,
) {
    for (name, property) in properties(document, schema) {
        if found.len() >= COLUMNS_MAX {
            return;
        }
        steps.push(name);
        let inner = steps.len() < DEPTH_MAX && !properties(document, &property).is_empty();
        if inner {
            descend(document, &property, steps, found);
        } else {
            found.push((steps.clone(), column_type(&property)));
        }
        steps.pop();
    }
}

fn list<'d>(schema: &'d Value, key: &str) -> impl Iterator<Item = &'d Value> + use<'d> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten()
}
