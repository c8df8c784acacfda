//! Binary values of PostgreSQL as JSON and as text.
//!
//! A value that is not as its type promises is written as null: the server is trusted to send what it declares.

mod described;
mod digits;
mod nested;
mod number;
mod other;
#[cfg(test)]
mod tests;
mod time;

use std::borrow::Cow;

use gatepost_rest::render::{Value, Zone, json_base64, json_string};
use tokio_postgres::types::{Kind, Type};

pub(super) use described::{described, value_type};
use nested::Reader;

/// Whether values of this type are written here; others are cast to text by the statement.
pub(super) fn is_known(kind: &Type) -> bool {
    match kind.kind() {
        Kind::Enum(_) => true,
        Kind::Array(element) | Kind::Domain(element) => is_known(element),
        Kind::Range(element) => is_known(element) && other::range_prints(element),
        Kind::Composite(fields) => fields.iter().all(|field| is_known(field.type_())),
        _ => is_text(kind) || is_scalar(kind),
    }
}

fn is_scalar(kind: &Type) -> bool {
    matches!(
        *kind,
        Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::OID
            | Type::FLOAT4
            | Type::FLOAT8
            | Type::NUMERIC
            | Type::DATE
            | Type::TIMESTAMP
            | Type::TIMESTAMPTZ
            | Type::TIME
            | Type::TIMETZ
            | Type::INTERVAL
            | Type::UUID
            | Type::BYTEA
            | Type::JSON
            | Type::JSONB
            | Type::INET
            | Type::CIDR
            | Type::MACADDR
            | Type::RECORD
            | Type::VOID
    )
}

/// Types whose bytes are their text.
fn is_text(kind: &Type) -> bool {
    matches!(
        *kind,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::CHAR | Type::XML | Type::UNKNOWN
    ) || matches!(kind.kind(), Kind::Enum(_))
        || kind.name() == "citext"
}

/// The value as the renderer and binds take it. Times are text in the form that answers have.
pub(super) fn value<'a>(kind: &Type, bytes: &'a [u8], zone: &Zone) -> Value<'a> {
    if let Kind::Domain(base) = kind.kind() {
        return value(base, bytes, zone);
    }
    if is_text(kind) {
        return Value::Text(String::from_utf8_lossy(bytes));
    }
    match *kind {
        Type::BOOL => Value::Boolean(bytes.first() == Some(&1)),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => {
            number::integer(bytes, *kind == Type::OID).map_or(Value::Null, Value::Integer)
        }
        Type::FLOAT8 => number::double(bytes).map_or(Value::Null, Value::Real),
        Type::BYTEA => Value::Blob(bytes),
        Type::JSON => Value::Json(String::from_utf8_lossy(bytes)),
        Type::JSONB => Value::Json(String::from_utf8_lossy(bytes.get(1..).unwrap_or_default())),
        Type::FLOAT4 | Type::NUMERIC => written(kind, bytes, zone, |text| match text.as_str() {
            "null" => Value::Null,
            _ => Value::Number(Cow::Owned(text)),
        }),
        _ => match kind.kind() {
            Kind::Array(_) | Kind::Composite(_) => {
                written(kind, bytes, zone, |text| Value::Json(Cow::Owned(text)))
            }
            _ if *kind == Type::RECORD => written(kind, bytes, zone, |text| Value::Json(Cow::Owned(text))),
            _ => written(kind, bytes, zone, |text| {
                serde_json::from_str::<Option<String>>(&text)
                    .ok()
                    .flatten()
                    .map_or(Value::Null, |text| Value::Text(Cow::Owned(text)))
            }),
        },
    }
}

fn written<'a>(kind: &Type, bytes: &[u8], zone: &Zone, wrap: impl FnOnce(String) -> Value<'a>) -> Value<'a> {
    let mut out = Vec::new();
    write_json(kind, bytes, zone, &mut out);
    String::from_utf8(out).map_or(Value::Null, wrap)
}

/// Writes the value as JSON.
pub(super) fn write_json(kind: &Type, bytes: &[u8], zone: &Zone, out: &mut Vec<u8>) {
    let start = out.len();
    if try_write(kind, bytes, zone, out).is_none() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

fn try_write(kind: &Type, bytes: &[u8], zone: &Zone, out: &mut Vec<u8>) -> Option<()> {
    match *kind {
        Type::INT4 | Type::INT8 | Type::INT2 => number::write_integer(bytes, false, out),
        Type::TEXT | Type::VARCHAR => write_text(bytes, out),
        Type::NUMERIC => number::write_numeric(bytes, out),
        Type::DATE => time::write_date(bytes, out),
        Type::BOOL => {
            out.extend_from_slice(if *bytes.first()? == 1 { b"true" } else { b"false" });
            Some(())
        }
        Type::TIMESTAMP => time::write_timestamp(bytes, zone, out),
        Type::TIMESTAMPTZ => time::write_instant(bytes, out),
        Type::TIME => time::write_time(bytes, out),
        Type::TIMETZ => time::write_time_with_zone(bytes, out),
        Type::INTERVAL => time::write_interval(bytes, out),
        Type::OID => number::write_integer(bytes, true, out),
        Type::FLOAT4 => number::write_float(bytes, out),
        Type::FLOAT8 => number::write_double(bytes, out),
        Type::UUID => other::write_uuid(bytes, out),
        Type::BYTEA => {
            json_base64(out, bytes);
            Some(())
        }
        Type::JSON => {
            out.extend_from_slice(bytes);
            Some(())
        }
        Type::JSONB => {
            out.extend_from_slice(bytes.strip_prefix(&[1])?);
            Some(())
        }
        Type::INET | Type::CIDR => other::write_network(bytes, *kind == Type::CIDR, out),
        Type::MACADDR => other::write_mac(bytes, out),
        Type::RECORD => nested::write_record(bytes, zone, out),
        _ => match kind.kind() {
            Kind::Array(element) => nested::write_array(element, bytes, zone, out),
            Kind::Domain(base) => try_write(base, bytes, zone, out),
            Kind::Composite(fields) => nested::write_composite(fields, bytes, zone, out),
            Kind::Range(element) => other::write_range(element, bytes, zone, out),
            _ if *kind == Type::VOID => None,
            _ => write_text(bytes, out),
        },
    }
}

fn write_text(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    json_string(out, std::str::from_utf8(bytes).ok()?);
    Some(())
}
