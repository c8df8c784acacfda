//! Values as JSON and as plain text.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;

use super::{ColumnKind, Columns, Row, Value, Zone};

/// `"name":`, escaped.
pub fn json_key(name: &str) -> Box<[u8]> {
    let mut key = Vec::with_capacity(name.len() + 3);
    string(&mut key, name);
    key.push(b':');
    key.into_boxed_slice()
}

/// Writes the members of a row; says whether the next member is still the first.
pub(super) fn members(out: &mut Vec<u8>, columns: &Columns, row: &impl Row, mut first: bool) -> bool {
    for column in &columns.members {
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(&column.key);
        if column.kind == ColumnKind::Plain && row.write_json(column.number, &columns.zone, out) {
            continue;
        }
        json(out, &row.value(column.number), column.kind, &columns.zone);
    }
    first
}

/// Writes text as a JSON string.
pub fn json_string(out: &mut Vec<u8>, text: &str) {
    string(out, text);
}

/// Writes bytes as a JSON string of base64.
pub fn json_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    base64(out, bytes);
    out.push(b'"');
}

/// Writes a JSON string.
#[inline]
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    write(out, text);
}

/// Writing into a `Vec` cannot fail, and neither do numbers and text.
fn write<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}

/// Writes a value as JSON. Inlined into the loop over a row's columns, which then makes no `Value` to take it apart
/// again.
#[inline]
pub(super) fn json(out: &mut Vec<u8>, value: &Value<'_>, kind: ColumnKind, zone: &Zone) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Integer(number @ (0 | 1)) if kind == ColumnKind::Boolean => {
            out.extend_from_slice(if *number == 1 { b"true" } else { b"false" });
        }
        Value::Integer(number) => write(out, number),
        Value::Real(number) if !number.is_finite() => out.extend_from_slice(b"null"),
        Value::Real(number) => write(out, number),
        Value::Boolean(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Number(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Text(text) => match kind {
            ColumnKind::Plain | ColumnKind::Boolean => string(out, text),
            ColumnKind::Date | ColumnKind::Timestamp => string(out, &timestamp(text, zone)),
            ColumnKind::Json => embedded(out, text),
        },
        Value::Blob(bytes) => json_base64(out, bytes),
        Value::Json(text) => out.extend_from_slice(text.as_bytes()),
    }
}

/// Writes a value as text without quotes; NULL is nothing.
pub(super) fn plain(out: &mut Vec<u8>, value: &Value<'_>, kind: ColumnKind, zone: &Zone) {
    match value {
        Value::Null => {}
        Value::Text(text) if matches!(kind, ColumnKind::Date | ColumnKind::Timestamp) => {
            out.extend_from_slice(timestamp(text, zone).as_bytes());
        }
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Real(number) if !number.is_finite() => {}
        Value::Blob(bytes) => base64(out, bytes),
        other => json(out, other, kind, zone),
    }
}

/// A text that claims to be JSON must not break the document around it.
fn embedded(out: &mut Vec<u8>, text: &str) {
    if serde_json::from_str::<IgnoredAny>(text).is_ok() {
        out.extend_from_slice(text.as_bytes());
    } else {
        string(out, text);
    }
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    debug_assert!(written.is_ok());
}

/// `2024-05-01 09:30:00` to RFC 3339; without a zone it is in the schema's. Anything else, a bare date too, stays as it is.
pub(super) fn timestamp<'a>(text: &'a str, zone: &Zone) -> Cow<'a, str> {
    let bytes = text.as_bytes();
    if bytes.len() < 16 || !fits(&bytes[..10], b"0000-00-00") || !matches!(bytes[10], b' ' | b'T') {
        return Cow::Borrowed(text);
    }
    let Some(clock) = clock_length(&bytes[11..]) else { return Cow::Borrowed(text) };
    let (time, given) = text[11..].split_at(clock);
    let given = given.trim_start();
    let known = match given.len() {
        0 => true,
        1 => matches!(given, "Z" | "z"),
        6 => matches!(given.as_bytes()[0], b'+' | b'-') && fits(&given.as_bytes()[1..], b"00:00"),
        _ => false,
    };
    if !known {
        return Cow::Borrowed(text);
    }
    let seconds = if time.len() == 5 { ":00" } else { "" };
    let local = format!("{}T{time}{seconds}", &text[..10]);
    let offset = match given.len() {
        0 => zone.offset_of(&local),
        1 => Cow::Borrowed("Z"),
        _ => Cow::Borrowed(given),
    };
    Cow::Owned(local + &offset)
}

/// The length of `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fff` at the start.
fn clock_length(bytes: &[u8]) -> Option<usize> {
    if !fits(bytes.get(..5)?, b"00:00") {
        return None;
    }
    if !bytes.get(5..8).is_some_and(|seconds| fits(seconds, b":00")) {
        return Some(5);
    }
    if bytes.get(8) != Some(&b'.') {
        return Some(8);
    }
    let digits = bytes[9..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(9 + digits)
}

fn fits(bytes: &[u8], pattern: &[u8]) -> bool {
    bytes.len() == pattern.len()
        && bytes
            .iter()
            .zip(pattern)
            .all(|(byte, want)| if *want == b'0' { byte.is_ascii_digit() } else { byte == want })
}
