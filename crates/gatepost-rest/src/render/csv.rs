//! RFC 4180 text.

use super::value::plain;
use super::{Columns, Row};

pub(super) fn header(out: &mut Vec<u8>, columns: &Columns) {
    for (index, column) in columns.members.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let start = out.len();
        out.extend_from_slice(column.name.as_bytes());
        quote_if_needed(out, start);
    }
    out.extend_from_slice(b"\r\n");
}

pub(super) fn row(out: &mut Vec<u8>, columns: &Columns, row: &impl Row) {
    for (index, column) in columns.members.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let start = out.len();
        plain(out, &row.value(column.number), column.kind, &columns.zone);
        quote_if_needed(out, start);
    }
    out.extend_from_slice(b"\r\n");
}

/// `attachment`, named after the last segment of the URL.
pub(super) fn disposition(url: &str) -> String {
    let segment = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name: String =
        segment.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(64).collect();
    let name = if name.is_empty() { "export" } else { &name };
    format!("attachment; filename=\"{name}.csv\"")
}

fn quote_if_needed(out: &mut Vec<u8>, start: usize) {
    let field = &out[start..];
    if !field.iter().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n')) {
        return;
    }
    let field = field.to_vec();
    out.truncate(start);
    out.push(b'"');
    for byte in field {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
