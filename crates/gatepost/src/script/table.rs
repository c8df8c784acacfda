//! Rows as text: aligned columns, JSON, CSV.

use std::borrow::Cow;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepost_store::data::SessionValue;

/// The widest column of a table, in characters; longer values are cut.
const WIDTH_MAX: usize = 80;

/// Writes aligned columns and a count.
pub(crate) fn write(out: &mut impl Write, columns: &[String], rows: &[Vec<SessionValue>]) -> io::Result<()> {
    let cells: Vec<Vec<Cow<'_, str>>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let width = |index: usize, head: &String| {
        let cells = cells.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
        cells.chain([head.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(|(index, head)| width(index, head)).collect();
    let line = |cells: &[Cow<'_, str>], right: &dyn Fn(usize) -> bool| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(index, (cell, width))| {
                    if right(index) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                },
            )
            .collect();
        padded.join(" | ").trim_end().to_owned()
    };
    let heads: Vec<Cow<'_, str>> = columns.iter().map(|head| Cow::Borrowed(head.as_str())).collect();
    writeln!(out, "{}", line(&heads, &|_| false))?;
    writeln!(out, "{}", widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("-+-"))?;
    for (row, values) in cells.iter().zip(rows) {
        let right = |index: usize| {
            matches!(
                values.get(index),
                Some(SessionValue::Integer(_) | SessionValue::Real(_) | SessionValue::Number(_))
            )
        };
        writeln!(out, "{}", line(row, &right))?;
    }
    writeln!(out, "({} {})\n", rows.len(), if rows.len() == 1 { "row" } else { "rows" })
}

/// Writes an array of objects.
pub(crate) fn write_json(
    out: &mut impl Write,
    columns: &[String],
    rows: &[Vec<SessionValue>],
) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, row) in rows.iter().enumerate() {
        out.write_all(if index == 0 { b"\n {" } else { b",\n {" })?;
        for (at, (name, value)) in columns.iter().zip(row).enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(out, "{separator}{}: {}", json_text(name)?, json_value(value)?)?;
        }
        out.write_all(b"}")?;
    }
    out.write_all(if rows.is_empty() { b"]\n" } else { b"\n]\n" })
}

/// Writes a header line and rows (RFC 4180).
pub(crate) fn write_csv(
    out: &mut impl Write,
    columns: &[String],
    rows: &[Vec<SessionValue>],
) -> io::Result<()> {
    write!(out, "{}\r\n", columns.iter().map(|head| quote(head)).collect::<Vec<_>>().join(","))?;
    rows.iter().try_for_each(|row| write_csv_row(out, row))
}

/// Writes one row.
pub(crate) fn write_csv_row(out: &mut (impl Write + ?Sized), row: &[SessionValue]) -> io::Result<()> {
    write!(out, "{}\r\n", row.iter().map(|value| quote(&plain(value))).collect::<Vec<_>>().join(","))
}

fn quote(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn plain(value: &SessionValue) -> Cow<'_, str> {
    match value {
        SessionValue::Null => Cow::Borrowed(""),
        SessionValue::Integer(number) => number.to_string().into(),
        SessionValue::Real(number) => number.to_string().into(),
        SessionValue::Boolean(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        SessionValue::Number(text) | SessionValue::Text(text) => Cow::Borrowed(text),
        SessionValue::Blob(bytes) => STANDARD.encode(bytes).into(),
    }
}

/// A value on one line of a terminal: control characters escaped, cut at `WIDTH_MAX`.
fn cell(value: &SessionValue) -> Cow<'_, str> {
    let text = plain(value);
    if text.chars().count() <= WIDTH_MAX && !text.contains(char::is_control) {
        return text;
    }
    let mut shown: String = text.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"");
    if shown.chars().count() > WIDTH_MAX {
        shown = shown.chars().take(WIDTH_MAX - 1).chain(['…']).collect();
    }
    shown.into()
}

fn json_text(text: &str) -> io::Result<String> {
    serde_json::to_string(text).map_err(io::Error::other)
}

fn json_value(value: &SessionValue) -> io::Result<String> {
    Ok(match value {
        SessionValue::Null => "null".into(),
        SessionValue::Integer(number) => number.to_string(),
        SessionValue::Real(number) => serde_json::to_string(number).map_err(io::Error::other)?,
        SessionValue::Boolean(flag) => flag.to_string(),
        SessionValue::Number(digits) => digits.clone(),
        SessionValue::Text(text) => json_text(text)?,
        SessionValue::Blob(bytes) => json_text(&STANDARD.encode(bytes))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Vec<String>, Vec<Vec<SessionValue>>) {
        let columns = vec!["id".to_owned(), "note".to_owned()];
        let rows = vec![
            vec![SessionValue::Integer(7), SessionValue::Text("a \"b\", c".into())],
            vec![SessionValue::Null, SessionValue::Text("line\nbreak".into())],
        ];
        (columns, rows)
    }

    fn printed(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_printed_in_three_ways() {
        let (columns, rows) = sample();
        let table = printed(|out| write(out, &columns, &rows).unwrap());
        assert_eq!(table, "id | note\n---+------------\n 7 | a \"b\", c\n   | line\\nbreak\n(2 rows)\n\n");
        let json = printed(|out| write_json(out, &columns, &rows).unwrap());
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed[1]["note"], "line\nbreak");
        let csv = printed(|out| write_csv(out, &columns, &rows).unwrap());
        assert_eq!(csv, "id,note\r\n7,\"a \"\"b\"\", c\"\r\n,\"line\nbreak\"\r\n");
    }
}
