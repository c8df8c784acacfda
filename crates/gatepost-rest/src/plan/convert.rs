//! Values of a request to values for binds.
//!
//! A declared type converts or refuses. Without one, text stays text on PostgreSQL, which knows what its parameter
//! is; on SQLite a number in canonical form binds as a number, because an untyped text bind compares greater than
//! any number there and would let every row through.

use serde_json::value::RawValue;

use super::{BindValue, PlanError};
use crate::definition::ParameterType;
use crate::source::Slot;
use crate::sql::Dialect;

/// Text of a path, a query string, a form or a header.
pub(super) fn text(slot: &Slot, dialect: Dialect, text: &str) -> Result<BindValue, PlanError> {
    if text.contains('\0') {
        return Err(PlanError::new(&slot.wire_name, "a NUL character is not allowed"));
    }
    match slot.kind {
        Some(kind) => declared(slot, kind, dialect, text),
        None if dialect == Dialect::Sqlite => {
            Ok(canonical_number(text).unwrap_or_else(|| BindValue::Text(text.into())))
        }
        None => Ok(BindValue::Text(text.into())),
    }
}

/// A member of a JSON body.
pub(super) fn json(slot: &Slot, dialect: Dialect, raw: &RawValue) -> Result<BindValue, PlanError> {
    let json = raw.get();
    match json.as_bytes().first() {
        Some(b'n') => Ok(BindValue::Null),
        Some(b'"') => {
            let decoded: String = serde_json::from_str(json)
                .map_err(|_| PlanError::new(&slot.wire_name, "the text is not valid"))?;
            if decoded.contains('\0') {
                return Err(PlanError::new(&slot.wire_name, "a NUL character is not allowed"));
            }
            match slot.kind {
                Some(kind) => declared(slot, kind, dialect, &decoded),
                None => Ok(BindValue::Text(decoded)),
            }
        }
        Some(b'{' | b'[') => match slot.kind {
            None | Some(ParameterType::String) => Ok(BindValue::Text(json.into())),
            Some(kind) => Err(mismatch(slot, kind, json)),
        },
        Some(b't' | b'f') => match slot.kind {
            None => Ok(BindValue::Boolean(json == "true")),
            Some(kind) => declared(slot, kind, dialect, json),
        },
        _ => match slot.kind {
            Some(kind) => declared(slot, kind, dialect, json),
            None if dialect == Dialect::Sqlite => Ok(number(json)),
            None => Ok(BindValue::Text(json.into())),
        },
    }
}

fn declared(slot: &Slot, kind: ParameterType, dialect: Dialect, text: &str) -> Result<BindValue, PlanError> {
    let value = match kind {
        ParameterType::String | ParameterType::ResultSet => Some(BindValue::Text(text.into())),
        ParameterType::Int => text.parse::<i32>().ok().map(|value| BindValue::Integer(value.into())),
        ParameterType::Long => text.parse::<i64>().ok().map(BindValue::Integer),
        ParameterType::Double => double(text),
        ParameterType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(BindValue::Boolean(true)),
            "false" | "0" => Some(BindValue::Boolean(false)),
            _ => None,
        },
        ParameterType::Timestamp => timestamp(text, dialect),
    };
    value.ok_or_else(|| mismatch(slot, kind, text))
}

fn mismatch(slot: &Slot, kind: ParameterType, text: &str) -> PlanError {
    let expected = match kind {
        ParameterType::Int => "a whole number of 32 bits",
        ParameterType::Long => "a whole number of 64 bits",
        ParameterType::Double => "a number",
        ParameterType::Boolean => "true or false",
        ParameterType::Timestamp => "an RFC 3339 timestamp",
        ParameterType::String | ParameterType::ResultSet => "text",
    };
    let shown: String = text.chars().take(60).collect();
    PlanError::new(&slot.wire_name, format!("`{shown}` is not {expected}"))
}

fn double(text: &str) -> Option<BindValue> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let value = text.parse::<f64>().ok().filter(|value| plain && value.is_finite())?;
    Some(canonical_number(text).unwrap_or(BindValue::Real(value)))
}

/// The form of SQLite's own `datetime()`, in UTC; a date without a time stays one. PostgreSQL keeps the zone.
fn timestamp(text: &str, dialect: Dialect) -> Option<BindValue> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        if dialect == Dialect::Postgres {
            return Some(BindValue::Text(moment.to_string()));
        }
        let utc = jiff::tz::Offset::UTC.to_datetime(moment);
        return Some(BindValue::Text(utc.to_string().replace('T', " ")));
    }
    if text.len() == 10 {
        return text.parse::<jiff::civil::Date>().ok().map(|date| BindValue::Text(date.to_string()));
    }
    // A zone that jiff did not take must not be dropped.
    let zoned = text.get(10..).is_some_and(|time| time.contains(['Z', 'z', '+', '-', '[']));
    let civil = text.parse::<jiff::civil::DateTime>().ok().filter(|_| !zoned)?;
    Some(BindValue::Text(civil.to_string().replace('T', " ")))
}

/// A number that its text and nothing else stands for: no leading zeros or plus sign, no exponent, and a decimal
/// that keeps its digits as a float.
fn canonical_number(text: &str) -> Option<BindValue> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) || text == "-0" {
        return None;
    }
    match fraction {
        None => text.parse().ok().map(BindValue::Integer),
        Some(fraction) if all_digits(fraction) => {
            let value: f64 = text.parse().ok()?;
            (value.to_string() == text).then_some(BindValue::Real(value))
        }
        Some(_) => None,
    }
}

/// A JSON number, or its digits as text when a float would lose some.
fn number(json: &str) -> BindValue {
    if let Some(value) = canonical_number(json) {
        return value;
    }
    let digits = json.contains('.').then(|| json.trim_end_matches('0').trim_end_matches('.'));
    if let Some(value) = digits.and_then(canonical_number) {
        return match value {
            BindValue::Integer(whole) if whole as f64 as i64 == whole => BindValue::Real(whole as f64),
            BindValue::Integer(_) => BindValue::Text(json.into()),
            other => other,
        };
    }
    match json.parse::<f64>() {
        Ok(value) if value.is_finite() && json.contains(['e', 'E']) => BindValue::Real(value),
        Ok(0.0) => BindValue::Integer(0),
        _ => BindValue::Text(json.into()),
    }
}
