//! Texts and JSON bodies with `${name}` in them, and the values that are put in. `$${` is a literal `${`.

mod fill;
mod values;

use serde_json::Value;

pub(crate) use fill::check_json;
pub use fill::{fill_body, fill_text, put};
pub use values::{Values, operation_parameters};

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text that stays.
    Literal(&'t str),
    /// The name of a value that is put in.
    Name(&'t str),
}

/// Takes a template apart.
pub fn pieces(template: &str) -> Result<Vec<Piece<'_>>, &'static str> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find("${") {
        let (before, opened) = rest.split_at(at);
        if let Some(literal) = before.strip_suffix('$') {
            pieces.extend([Piece::Literal(literal), Piece::Literal("${")]);
            rest = &opened[2..];
            continue;
        }
        let (name, after) = opened[2..].split_once('}').ok_or("a `${` without a `}`")?;
        if crate::definition::check_name("", name).is_err() {
            return Err(
                "`${…}` holds a name of lower-case letters, digits and _; write `$${` for the text itself",
            );
        }
        pieces.extend([Piece::Literal(before), Piece::Name(name)]);
        rest = after;
    }
    pieces.push(Piece::Literal(rest));
    pieces.retain(|piece| *piece != Piece::Literal(""));
    Ok(pieces)
}

/// The names in a template, in order.
pub fn references(template: &str) -> Result<Vec<&str>, &'static str> {
    let names = pieces(template)?.into_iter().filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Literal(_) => None,
    });
    Ok(names.collect())
}

/// The names in all texts of a JSON body. Names of members are no templates.
pub fn references_of_body(body: &Value) -> Result<Vec<&str>, &'static str> {
    match body {
        Value::String(text) => references(text),
        Value::Array(items) => gather(items.iter()),
        Value::Object(members) => gather(members.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Vec::new()),
    }
}

fn gather<'v>(values: impl Iterator<Item = &'v Value>) -> Result<Vec<&'v str>, &'static str> {
    values.map(references_of_body).collect::<Result<Vec<_>, _>>().map(|names| names.concat())
}

#[cfg(test)]
mod tests;
