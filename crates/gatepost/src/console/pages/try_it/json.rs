//! JSON for people: indented, with its digits and the order of its members as they came.

use maud::{Markup, Render, html};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The text indented and coloured; nothing when it is no JSON.
pub(super) fn pretty(text: &str) -> Option<Markup> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    Some(html! { @for piece in pieces(text) { (piece) } })
}

/// A piece of the text with its colour.
struct Piece {
    class: &'static str,
    text: String,
}

impl Render for Piece {
    fn render(&self) -> Markup {
        html! { @if self.class.is_empty() { (self.text) } @else { span class=(self.class) { (self.text) } } }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut depth = 0usize;
    let mut rest = text.trim_start();
    let line = |depth: usize| format!("\n{}", "  ".repeat(depth));
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => {
                rest.find(|c: char| "{}[],:\"".contains(c) || c.is_whitespace()).unwrap_or(rest.len()).max(1)
            }
        };
        let (token, after) = rest.split_at(length);
        rest = after.trim_start();
        let mut plain = |text: String| pieces.push(Piece { class: "", text });
        match first {
            '{' | '[' if rest.starts_with(['}', ']']) => {
                plain(format!("{token}{}", &rest[..1]));
                rest = rest[1..].trim_start();
            }
            '{' | '[' => {
                depth += 1;
                plain(format!("{token}{}", line(depth)));
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                plain(format!("{}{token}", line(depth)));
            }
            ',' => plain(format!(",{}", line(depth))),
            ':' => plain(": ".into()),
            '"' => {
                let class = if rest.starts_with(':') { "tk-k" } else { "tk-s" };
                pieces.push(Piece { class, text: token.to_owned() });
            }
            _ => pieces.push(Piece { class: "tk-n", text: token.to_owned() }),
        }
    }
    pieces
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The rows of `items`, as columns and cells.
pub(super) fn rows(text: &str) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    use gatepost_sources::rows::members;
    let document: &RawValue = serde_json::from_str(text).ok()?;
    let items = members(document)?.into_iter().find(|(name, _)| name == "items")?.1;
    let items: Vec<&RawValue> = serde_json::from_str(items.get()).ok()?;
    let first = members(items.first()?)?;
    let columns: Vec<String> = first.iter().map(|(name, _)| name.to_string()).collect();
    let rows = items.into_iter().map(|item| {
        let members = members(item).unwrap_or_default();
        let cell = |column: &String| {
            let value = members.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value.get());
            serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned())
        };
        columns.iter().map(cell).collect()
    });
    let rows = rows.collect();
    Some((columns, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_order_stay_and_markup_is_text() {
        let shown = pretty(r#"{"b":[1.10,{}],"a":"<b>\"x"}"#).unwrap().into_string();
        let text = shown.replace("<span class=\"tk-k\">", "").replace("<span class=\"tk-s\">", "");
        let text = text.replace("<span class=\"tk-n\">", "").replace("</span>", "").replace("&quot;", "\"");
        assert_eq!(text, "{\n  \"b\": [\n    1.10,\n    {}\n  ],\n  \"a\": \"&lt;b&gt;\\\"x\"\n}");
        assert!(pretty("{").is_none());
    }

    #[test]
    fn items_become_a_table() {
        let (columns, rows) = rows(r#"{"items":[{"z":1,"a":"x"},{"a":null}]}"#).unwrap();
        assert_eq!(columns, ["z", "a"]);
        assert_eq!(rows, [["1", "x"], ["", "null"]]);
        assert!(super::rows(r#"{"items":[]}"#).is_none());
    }
}
