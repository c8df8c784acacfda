//! Putting values into templates.

use serde_json::{Map, Value};

use super::values::Values;
use super::{Piece, pieces};
use crate::definition::ColumnType;
use crate::error::{Code, SourceError};

/// Fills a text template: each `${name}` becomes its value as JSON, a text in quotes.
pub fn fill_text(template: &str, values: &Values) -> Result<String, SourceError> {
    fill(template, |name| values.find(name).to_json().to_string())
}

/// Fills a body. A text that is nothing but `${name}` becomes the value with its JSON type; within a longer text the
/// value is plain text. A member whose whole value is `${name}` is left out when `omit` says so of the name.
pub fn fill_body(body: &Value, values: &Values, omit: &impl Fn(&str) -> bool) -> Result<Value, SourceError> {
    match body {
        Value::String(text) => match lone_name(text) {
            Some(name) => Ok(values.find(name).to_json()),
            None => {
                Ok(Value::String(fill(text, |name| values.find(name).plain().unwrap_or_default().into())?))
            }
        },
        Value::Array(items) => {
            let items = items.iter().map(|item| fill_body(item, values, omit));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        Value::Object(members) => {
            let mut filled = Map::new();
            for (key, value) in members {
                let left_out = value.as_str().and_then(lone_name).is_some_and(omit);
                if !left_out {
                    filled.insert(key.clone(), fill_body(value, values, omit)?);
                }
            }
            Ok(Value::Object(filled))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(body.clone()),
    }
}

/// Sets a member of a body: by its name, or by a pointer that begins with `/`. Objects on the way are made.
pub fn put(body: &mut Value, at: &str, value: Value) -> Result<(), SourceError> {
    let steps: Vec<String> = match at.strip_prefix('/') {
        Some(_) => crate::definition::Pointer::parse("send", at)
            .map_or_else(|_| Vec::new(), |it| it.steps().collect()),
        None => vec![at.to_owned()],
    };
    let mut place = body;
    for name in &steps {
        let Value::Object(members) = place else {
            let detail = format!("the body has no place for `{at}`");
            return Err(SourceError::new(Code::DefinitionBroken).with_detail(detail));
        };
        place = members.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
    }
    *place = value;
    Ok(())
}

/// Checks a text template that looks like JSON: filled with a value of the type, it must be JSON.
pub(crate) fn check_json(template: &str, name: &str, kind: ColumnType) -> Result<(), &'static str> {
    if !template.trim_start().starts_with(['{', '[']) {
        return Ok(());
    }
    let sample = match kind {
        ColumnType::Integer | ColumnType::Decimal => "0",
        ColumnType::Boolean => "true",
        ColumnType::Json => "null",
        ColumnType::Text | ColumnType::Date | ColumnType::Timestamp | ColumnType::Timestamptz => "\"\"",
    };
    let filled = fill(template, |other| if other == name { sample.into() } else { "null".into() });
    match filled.map(|text| serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok()) {
        Ok(true) => Ok(()),
        _ => Err("this is no JSON once it is filled; `${name}` brings its own quotes"),
    }
}

/// The name, if a text is nothing but `${name}`.
fn lone_name(text: &str) -> Option<&str> {
    match pieces(text).ok()?.as_slice() {
        [Piece::Name(name)] => Some(name),
        _ => None,
    }
}

fn fill(template: &str, value: impl Fn(&str) -> String) -> Result<String, SourceError> {
    let pieces =
        pieces(template).map_err(|rule| SourceError::new(Code::DefinitionBroken).with_detail(rule))?;
    let texts = pieces.into_iter().map(|piece| match piece {
        Piece::Literal(text) => text.to_owned(),
        Piece::Name(name) => value(name),
    });
    Ok(texts.collect())
}
