//! Output binds: status, location, headers, and the members of one JSON object.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use super::value::{json, plain};
use super::{ColumnKind, Value, Zone};
use crate::definition::ParameterType;
use crate::plan::BindValue;
use crate::source::{CompiledSource, OutputTarget};

/// What the output binds of a source say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status; absent: the usual one.
    pub status: Option<u16>,
    /// The location that answers instead, or `Location`.
    pub location: Option<String>,
    /// Headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The object of RESPONSE members; absent when the source has none.
    pub body: Option<Vec<u8>>,
}

/// An output that cannot be sent; text for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOutput(pub String);

/// Reads the output binds from the values that the source left in its slots.
pub fn outputs(source: &CompiledSource, values: &[BindValue]) -> Result<Answer, BadOutput> {
    let mut answer = Answer::default();
    for output in &source.outputs {
        let value = &values[output.slot];
        match &output.target {
            OutputTarget::Member { key, kind } => {
                let body = answer.body.get_or_insert_with(Vec::new);
                body.push(if body.is_empty() { b'{' } else { b',' });
                body.extend_from_slice(key);
                member(body, value, *kind);
            }
            _ if *value == BindValue::Null => {}
            OutputTarget::Status => answer.status = Some(status(value)?),
            OutputTarget::Location => answer.location = Some(text(value)),
            OutputTarget::Header(name) => {
                let header = HeaderValue::from_str(&text(value))
                    .map_err(|_| BadOutput(format!("the value for header `{name}` is not allowed in one")))?;
                answer.headers.push((name.clone(), header));
            }
        }
    }
    if let Some(body) = &mut answer.body {
        body.push(b'}');
    }
    Ok(answer)
}

fn status(value: &BindValue) -> Result<u16, BadOutput> {
    let shown = text(value);
    let number = shown.strip_suffix(".0").unwrap_or(&shown).parse::<u16>().ok();
    number
        .filter(|status| (200..=599).contains(status))
        .ok_or_else(|| BadOutput(format!("`{shown}` is not a status code from 200 to 599")))
}

fn text(value: &BindValue) -> String {
    let mut bytes = Vec::new();
    plain(&mut bytes, &borrowed(value), ColumnKind::Plain, &Zone::UTC);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn member(out: &mut Vec<u8>, value: &BindValue, kind: ParameterType) {
    match kind {
        ParameterType::String if *value != BindValue::Null => {
            json(out, &Value::Text(Cow::Owned(text(value))), ColumnKind::Plain, &Zone::UTC);
        }
        ParameterType::Boolean => json(out, &borrowed(value), ColumnKind::Boolean, &Zone::UTC),
        ParameterType::Timestamp => json(out, &borrowed(value), ColumnKind::Timestamp, &Zone::UTC),
        ParameterType::Int | ParameterType::Long | ParameterType::Double => number(out, value),
        _ => json(out, &borrowed(value), ColumnKind::Plain, &Zone::UTC),
    }
}

/// Digits that came as text are a number where a number is declared.
fn number(out: &mut Vec<u8>, value: &BindValue) {
    let value = borrowed(value);
    match &value {
        Value::Text(text) if serde_json::from_str::<serde_json::Number>(text).is_ok() => {
            json(out, &Value::Number(Cow::Borrowed(text.trim())), ColumnKind::Plain, &Zone::UTC);
        }
        _ => json(out, &value, ColumnKind::Plain, &Zone::UTC),
    }
}

fn borrowed(value: &BindValue) -> Value<'_> {
    match value {
        BindValue::Null => Value::Null,
        BindValue::Integer(number) => Value::Integer(*number),
        BindValue::Real(number) => Value::Real(*number),
        BindValue::Boolean(flag) => Value::Boolean(*flag),
        BindValue::Text(text) => Value::Text(Cow::Borrowed(text)),
        BindValue::Blob(bytes) => Value::Blob(bytes),
    }
}
