//! The URI pattern of a template (ORDS Developer's Guide, "Route Patterns").
//!
//! | written | matches |
//! |---|---|
//! | `emp` | itself, by letter case |
//! | `:id` | one whole segment, never an empty one |
//! | `:id?` in last place | one segment, or nothing after the slash before it |
//! | `:a,:b` | one segment of so many parts between commas |
//! | `:path*` in last place | one or more segments with their slashes |
//! | `.` | the base path itself |
//!
//! URI templates, the older syntax, are there for import: `{name}` in last place is as `:name*`, elsewhere as
//! `:name`. (In ORDS it is the expression `(.*)` anywhere; a pattern that relied on crossing slashes in the
//! middle needs another spelling.) Query parameters are never a part of a pattern.

#[cfg(test)]
mod tests;
mod uri_template;

use crate::definition::{InvalidDefinition, check_length};

pub use uri_template::UriTemplate;

const ARGUMENT: &str = "p_pattern";

/// Longest pattern, in characters, as in ORDS.
const PATTERN_CHARACTERS_MAX: usize = 600;

/// Names that a path parameter may not have: binds that Gatepost fills itself, and the token parameter of
/// RFC 6750 section 2.3, which is never read.
const RESERVED_NAMES: [&str; 14] = [
    "body",
    "body_text",
    "body_json",
    "content_type",
    "current_user",
    "status_code",
    "forward_location",
    "fetch_offset",
    "fetch_size",
    "row_offset",
    "row_count",
    "page_offset",
    "page_size",
    "access_token",
];

/// A pattern that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    names: Box<[Box<str>]>,
    forms: Vec<Form>,
}

/// One shape of path that a pattern stands for; `:id?` stands for two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) segments: Vec<Segment>,
    /// The parameter that takes the rest, at least one segment.
    pub(crate) glob: Option<Box<str>>,
    /// Whether a slash ends it. Of no meaning with a glob, which takes paths with and without.
    pub(crate) trailing_slash: bool,
}

/// One segment of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(Box<str>),
    /// One parameter, or several between commas.
    Parameters(Box<[Box<str>]>),
}

impl Pattern {
    /// Reads a pattern. A leading slash is dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidDefinition> {
        check_length(ARGUMENT, text, PATTERN_CHARACTERS_MAX)?;
        let text = text.strip_prefix('/').unwrap_or(text);
        if matches!(text, "" | ".") {
            let form = Form { segments: Vec::new(), glob: None, trailing_slash: true };
            return Ok(Self { text: ".".into(), names: Box::default(), forms: vec![form] });
        }
        if text.contains('{') && text.contains(':') {
            return Err(invalid(
                "`:name` and `{name}` are two syntaxes and do not mix in one pattern".to_owned(),
            ));
        }
        let (inner, trailing_slash) = match text.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (text, false),
        };
        let pieces: Vec<Piece<'_>> =
            inner.split('/').map(|segment| Piece::parse(ARGUMENT, segment)).collect::<Result<_, _>>()?;
        let names = check_parameter_names(&pieces)?;
        Ok(Self { text: text.into(), names, forms: forms(&pieces, trailing_slash)? })
    }

    /// The pattern as it was written, without a leading slash; `.` for the base path itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its parameters, from left to right.
    pub fn parameter_names(&self) -> &[Box<str>] {
        &self.names
    }

    pub(crate) fn forms(&self) -> &[Form] {
        &self.forms
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What stands between two slashes of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Literal(&'a str),
    Parameters(Vec<&'a str>),
    /// `:name?`
    Optional(&'a str),
    /// `:name*`
    Glob(&'a str),
    /// `{name}`
    Legacy(&'a str),
}

impl<'a> Piece<'a> {
    pub(crate) fn parse(argument: &'static str, text: &'a str) -> Result<Self, InvalidDefinition> {
        if text.contains(['{', '}']) {
            let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            let rule = || format!("`{text}` cannot be read: `{{name}}` takes a whole segment");
            let name = name.ok_or_else(|| InvalidDefinition::new(argument, rule()))?;
            return Ok(Self::Legacy(check_parameter_syntax(argument, name)?));
        }
        if !text.starts_with(':') {
            check_literal(argument, text)?;
            return Ok(Self::Literal(text));
        }
        if !text.contains(',') {
            let name = &text[1..];
            if let Some(name) = name.strip_suffix('?') {
                return Ok(Self::Optional(check_parameter_syntax(argument, name)?));
            }
            if let Some(name) = name.strip_suffix('*') {
                return Ok(Self::Glob(check_parameter_syntax(argument, name)?));
            }
        }
        let names = text.split(',').map(|part| {
            let rule = || format!("`{part}` cannot be read: all parts between commas are `:name`");
            let name = part.strip_prefix(':').ok_or_else(|| InvalidDefinition::new(argument, rule()))?;
            check_parameter_syntax(argument, name)
        });
        Ok(Self::Parameters(names.collect::<Result<_, _>>()?))
    }

    fn names(&self) -> &[&'a str] {
        match self {
            Self::Literal(_) => &[],
            Self::Parameters(names) => names,
            Self::Optional(name) | Self::Glob(name) | Self::Legacy(name) => std::slice::from_ref(name),
        }
    }
}

/// Checks a literal segment: something that a decoded segment of a request can be.
pub(crate) fn check_literal(argument: &'static str, text: &str) -> Result<(), InvalidDefinition> {
    let rule = if text.is_empty() {
        "two slashes in a row never match: requests with an empty segment are refused".to_owned()
    } else if matches!(text, "." | "..") {
        format!("`{text}` never matches: requests with dot segments are refused")
    } else if text.contains(':') {
        format!("`{text}` cannot be read: a parameter takes a whole segment, `/:name/`")
    } else if text.contains('*') {
        format!("`{text}` cannot be read: `*` stands only at the end")
    } else if text.contains(['?', '#']) {
        format!(
            "`{text}` cannot be read: a query is no part of a pattern, each of its values is a bind anyway"
        )
    } else if text.contains('%') {
        format!("`{text}` never matches: paths are compared decoded, so write the character itself")
    } else if text.contains('\\') || text.trim() != text || text.chars().any(char::is_control) {
        format!("`{}` never matches a segment of a request", text.escape_debug())
    } else {
        return Ok(());
    };
    Err(InvalidDefinition::new(argument, rule))
}

fn check_parameter_syntax<'a>(argument: &'static str, name: &'a str) -> Result<&'a str, InvalidDefinition> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '#')) {
        return Ok(name);
    }
    let rule = format!(
        "`{}` cannot name a parameter: a letter, then letters, digits, _, $ or #",
        name.escape_debug()
    );
    Err(InvalidDefinition::new(argument, rule))
}

/// Binds are the same in any letter case, so names are too.
fn check_parameter_names(pieces: &[Piece<'_>]) -> Result<Box<[Box<str>]>, InvalidDefinition> {
    let mut names: Vec<Box<str>> = Vec::new();
    for name in pieces.iter().flat_map(Piece::names) {
        if RESERVED_NAMES.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            return Err(invalid(format!("`:{name}` is filled by Gatepost and cannot come from the path")));
        }
        if names.iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
            return Err(invalid(format!("`:{name}` stands there twice")));
        }
        names.push((*name).into());
    }
    Ok(names.into_boxed_slice())
}

fn forms(pieces: &[Piece<'_>], trailing_slash: bool) -> Result<Vec<Form>, InvalidDefinition> {
    let mut form = Form { segments: Vec::new(), glob: None, trailing_slash };
    for (index, piece) in pieces.iter().enumerate() {
        let last = index + 1 == pieces.len() && !trailing_slash;
        let segment = match piece {
            Piece::Literal(text) => Segment::Literal((*text).into()),
            Piece::Parameters(names) => {
                Segment::Parameters(names.iter().map(|name| (*name).into()).collect())
            }
            Piece::Glob(name) | Piece::Legacy(name) if last => {
                form.glob = Some((*name).into());
                return Ok(vec![form]);
            }
            Piece::Legacy(name) => Segment::Parameters([(*name).into()].into()),
            Piece::Optional(name) if last => {
                let without = Form { trailing_slash: true, ..form.clone() };
                form.segments.push(Segment::Parameters([(*name).into()].into()));
                return Ok(vec![without, form]);
            }
            Piece::Optional(name) => return Err(invalid(format!("`:{name}?` stands only in last place"))),
            Piece::Glob(name) => return Err(invalid(format!("`:{name}*` stands only in last place"))),
        };
        form.segments.push(segment);
    }
    Ok(vec![form])
}

fn invalid(rule: String) -> InvalidDefinition {
    InvalidDefinition::new(ARGUMENT, rule)
}
