//! From JSON and from text to typed values.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::{Datum, Mismatch, decimal, integer};
use crate::definition::ColumnType;

/// JSON text, known to be one complete value without spaces around it.
pub(super) fn from_json(kind: ColumnType, json: &str) -> Result<Datum, Mismatch> {
    let (first, found) = match json.as_bytes().first() {
        Some(b'n') => return Ok(Datum::Null),
        Some(b'"') => (b'"', "text"),
        Some(b't' | b'f') => (b't', "boolean"),
        Some(b'{') => (b'{', "object"),
        Some(b'[') => (b'[', "list"),
        _ => (b'0', "number"),
    };
    let datum = match (kind, first) {
        (ColumnType::Json, _) => Some(Datum::Json(json.into())),
        (_, b'"') => serde_json::from_str::<String>(json).ok().and_then(|text| scalar(kind, &text)),
        (ColumnType::Text, b't' | b'0') => Some(Datum::Text(json.into())),
        (ColumnType::Boolean, b't') => Some(Datum::Boolean(json == "true")),
        (ColumnType::Boolean, b'0') => match integer(json).as_deref() {
            Some("0") => Some(Datum::Boolean(false)),
            Some("1") => Some(Datum::Boolean(true)),
            _ => None,
        },
        (ColumnType::Integer | ColumnType::Decimal, b'0') => scalar(kind, json),
        _ => None,
    };
    datum.ok_or(Mismatch { found })
}

/// Plain text.
pub(super) fn from_text(kind: ColumnType, text: &str) -> Result<Datum, Mismatch> {
    let datum = match kind {
        ColumnType::Json => {
            let raw = serde_json::from_str::<&serde_json::value::RawValue>(text).ok();
            raw.map(|raw| Datum::Json(raw.get().into()))
        }
        _ => scalar(kind, text),
    };
    datum.ok_or(Mismatch { found: "text" })
}

fn scalar(kind: ColumnType, text: &str) -> Option<Datum> {
    match kind {
        // Neither database keeps a NUL in a text.
        ColumnType::Text => (!text.contains('\0')).then(|| Datum::Text(text.into())),
        ColumnType::Integer => integer(text).map(Datum::Integer),
        ColumnType::Decimal => decimal(text).map(Datum::Decimal),
        ColumnType::Boolean if text.eq_ignore_ascii_case("true") => Some(Datum::Boolean(true)),
        ColumnType::Boolean if text.eq_ignore_ascii_case("false") => Some(Datum::Boolean(false)),
        ColumnType::Boolean | ColumnType::Json => None,
        ColumnType::Date => date(text).map(|date| Datum::Date(date.to_string())),
        ColumnType::Timestamp => timestamp(text).map(|time| Datum::Timestamp(time.to_string())),
        ColumnType::Timestamptz => moment(text).map(|time| Datum::Timestamptz(time.to_string())),
    }
}

/// A day, or the day of a time as it is written, whatever its zone: ORDS writes days as midnight UTC.
fn date(text: &str) -> Option<Date> {
    let day = text.get(..10).filter(|_| begins_with_day(text))?;
    if text.len() > 10 {
        timestamp(text)?;
    }
    day.parse().ok()
}

/// A time without zone; one with a zone is taken in UTC.
fn timestamp(text: &str) -> Option<DateTime> {
    if !begins_with_day(text) {
        return None;
    }
    match text.parse::<Timestamp>() {
        Ok(moment) => Some(TimeZone::UTC.to_datetime(moment)),
        Err(_) => text.parse().ok(),
    }
}

/// A moment; a time without zone is taken in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(timestamp(text)?).ok()
}

/// `YYYY-MM-DD`, alone or before `T` or a space. Other forms that parsers take (`20260814`, week dates) are more likely
/// something else.
fn begins_with_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-dd";
    bytes.len() >= shape.len()
        && shape.iter().zip(bytes).all(|(shape, byte)| match shape {
            b'd' => byte.is_ascii_digit(),
            _ => byte == shape,
        })
        && bytes.get(10).is_none_or(|byte| matches!(byte, b'T' | b't' | b' '))
}
