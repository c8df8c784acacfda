//! Types as JSON Schema (draft 2020-12), and a value of each to begin with.

use gatepost_store::data::ValueType;
use serde_json::{Map, Value, json};

use super::{Member, RowLinks};

/// The schema of a value that is there.
pub(super) fn value(kind: &ValueType) -> Value {
    match kind {
        ValueType::Any => json!({}),
        ValueType::Boolean => json!({"type": "boolean"}),
        ValueType::Integer => json!({"type": "integer"}),
        ValueType::Number => json!({"type": "number"}),
        ValueType::Text => json!({"type": "string"}),
        ValueType::Date => json!({"type": "string", "format": "date"}),
        ValueType::Timestamp => json!({"type": "string", "format": "date-time"}),
        ValueType::Uuid => json!({"type": "string", "format": "uuid"}),
        ValueType::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        ValueType::List(element) => json!({"type": "array", "items": nullable(element)}),
    }
}

/// The schema of a value that may be null.
pub(super) fn nullable(kind: &ValueType) -> Value {
    let mut schema = value(kind);
    if let Some(name) = schema.get("type").and_then(Value::as_str).map(str::to_owned) {
        schema["type"] = json!([name, "null"]);
    }
    schema
}

/// The members of an object.
pub(super) fn properties(members: &[Member]) -> Map<String, Value> {
    members.iter().map(|member| (member.name.clone(), nullable(&member.kind))).collect()
}

/// An object of which all members are always there.
pub(super) fn complete(properties: &Map<String, Value>) -> Value {
    let names: Vec<&String> = properties.keys().collect();
    json!({"type": "object", "required": names, "properties": properties})
}

/// A row. One of whose columns nothing is known is any object.
pub(super) fn row(members: &[Member], links: RowLinks) -> Value {
    let mut properties = properties(members);
    match links {
        RowLinks::Array => {
            let link = json!({"$ref": "#/components/schemas/Link"});
            properties.insert("links".to_owned(), json!({"type": "array", "items": link}));
        }
        RowLinks::Feed => {
            properties.insert("uri".to_owned(), json!({"$ref": "#/components/schemas/Reference"}));
        }
        RowLinks::None | RowLinks::References => {}
    }
    if properties.is_empty() { json!({"type": "object"}) } else { complete(&properties) }
}

/// A value of the type, the same for everybody: it comes from no data, and as a key it most likely names none.
pub fn sample(kind: &ValueType) -> Value {
    match kind {
        ValueType::Any | ValueType::Text => json!("text"),
        ValueType::Boolean => json!(true),
        ValueType::Integer | ValueType::Number => json!(0),
        ValueType::Date => json!("2026-01-31"),
        ValueType::Timestamp => json!("2026-01-31T12:00:00Z"),
        ValueType::Uuid => json!("00000000-0000-4000-8000-000000000000"),
        ValueType::Bytes => json!("AA=="),
        ValueType::List(element) => json!([sample(element)]),
    }
}
