//! What a privilege or a public entry covers: a pattern of paths below the schema alias.
//!
//! | written | covers |
//! |---|---|
//! | `/emp/list` | that path; letter case counts, as it does in the router |
//! | `/emp/:id` | any one segment in that place, never an empty one |
//! | `/emp/*` | `/emp`, `/emp/` and everything below |
//! | `/emp*` | segments that begin with `emp`, and everything below those |
//! | `/*` | everything |
//!
//! A final slash makes no difference, neither in the pattern nor in the path, so it never removes a lock. The
//! other forms of template patterns (`:a,:b`, `:id?`, `:path*`, `{name}`) mean here what they mean there, so
//! that a template's pattern can be copied into a privilege. A module counts as `<base path>*`.

mod index;
mod relation;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt;

use crate::definition::{InvalidDefinition, check_length};
use crate::path::PathTail;
use crate::pattern::{Form, Pattern, Piece, Segment, check_literal};
use crate::router::{base_segments, has_parts};

pub(crate) use index::CoverIndex;

/// Longest pattern of a privilege, in characters.
const COVER_CHARACTERS_MAX: usize = 600;

/// A set of paths below a schema alias.
#[derive(Clone, Debug)]
pub struct Cover {
    text: Box<str>,
    parts: Box<[Part]>,
    tail: Tail,
}

/// What one segment must be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    /// One segment of so many parts between commas; 1: any segment.
    Parameters(usize),
}

/// What may follow the parts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tail {
    /// Nothing.
    End,
    /// Nothing, or one segment.
    Optional,
    /// Anything, or nothing.
    Rest,
    /// One segment that begins so, then anything.
    Prefix(Box<str>),
}

impl Cover {
    /// Reads a pattern; `argument` is where it stands in a definition.
    pub fn parse(argument: &'static str, text: &str) -> Result<Self, InvalidDefinition> {
        check_length(argument, text, COVER_CHARACTERS_MAX)?;
        let Some(inner) = text.strip_prefix('/') else {
            let rule = format!(
                "`{}` would never match: a pattern starts below the schema alias with a slash, as in `/{}`",
                text.escape_debug(),
                text.trim().escape_debug()
            );
            return Err(InvalidDefinition::new(argument, rule));
        };
        let (parts, tail) = if inner.is_empty() { (Vec::new(), Tail::End) } else { read(argument, inner)? };
        Ok(Self { text: text.into(), parts: parts.into(), tail })
    }

    /// What a module covers: its base path and everything below.
    pub fn module(base_path: &str) -> Self {
        Self::all_below(base_segments(base_path).into_iter().map(Part::Literal).collect())
    }

    /// A cover around a pattern that cannot be read: everything below its leading literal segments.
    pub(crate) fn around(text: &str) -> Self {
        let inner = text.strip_prefix('/').unwrap_or(text);
        let literals = inner.split('/').take_while(|segment| check_literal("", segment).is_ok());
        Self::all_below(literals.map(|segment| Part::Literal(segment.into())).collect())
    }

    fn all_below(parts: Box<[Part]>) -> Self {
        let mut text = String::from("/");
        for part in &parts {
            if let Part::Literal(segment) = part {
                text = text + segment + "/";
            }
        }
        Self { text: (text + "*").into(), parts, tail: Tail::Rest }
    }

    /// The paths that a template answers, final slashes aside: one cover for each of its forms.
    pub(crate) fn of_template(base_path: &str, pattern: &Pattern) -> Vec<Self> {
        pattern.forms().iter().map(|form| Self::of_form(base_path, pattern, form)).collect()
    }

    fn of_form(base_path: &str, pattern: &Pattern, form: &Form) -> Self {
        let mut parts: Vec<Part> = base_segments(base_path).into_iter().map(Part::Literal).collect();
        parts.extend(form.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => Part::Literal(text.clone()),
            Segment::Parameters(names) => Part::Parameters(names.len()),
        }));
        if form.glob.is_some() {
            parts.push(Part::Parameters(1));
        }
        let tail = if form.glob.is_some() { Tail::Rest } else { Tail::End };
        let text = format!("{}/{pattern}", base_path.trim_end_matches('/'));
        Self { text: text.into(), parts: parts.into(), tail }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it covers a path below the schema alias.
    pub fn matches(&self, path: PathTail<'_>) -> bool {
        let Some((head, rest)) = path.segments.split_at_checked(self.parts.len()) else { return false };
        let tail = match (&self.tail, rest) {
            (Tail::Rest, _) | (Tail::End | Tail::Optional, []) | (Tail::Optional, [_]) => true,
            (Tail::Prefix(prefix), [first, ..]) => first.starts_with(&**prefix),
            (Tail::End | Tail::Optional, _) | (Tail::Prefix(_), []) => false,
        };
        tail && self.parts.iter().zip(head).all(|(part, segment)| part.takes(segment))
    }

    /// How wide it is. A cover that contains another one is wider.
    pub fn breadth(&self) -> Breadth {
        let literals = self.parts.iter().map(Part::literal_bytes).sum::<usize>() + self.tail.literal_bytes();
        Breadth {
            wildcard: self.tail != Tail::End || self.leading_literals().count() < self.parts.len(),
            literal_prefix: Reverse(self.literal_prefix()),
            segments_least: Reverse(self.segments_least()),
            literals: Reverse(literals),
            tail: self.tail.rank(),
        }
    }

    fn leading_literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map_while(|part| match part {
            Part::Literal(text) => Some(&**text),
            Part::Parameters(_) => None,
        })
    }

    /// The length of what stands before the first wildcard, slashes counted.
    fn literal_prefix(&self) -> usize {
        let leading: usize = self.leading_literals().map(|text| 1 + text.len()).sum();
        let parameter_follows = self.leading_literals().count() < self.parts.len();
        match self.tail {
            _ if parameter_follows => leading + 1,
            Tail::End => leading,
            _ => leading + 1 + self.tail.literal_bytes(),
        }
    }
}

impl fmt::Display for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How wide a cover is: the narrowest orders first.
///
/// Paths without a wildcard are narrowest, then the longest literal prefix is. Among covers of the same
/// prefix the one that asks for more segments is narrower, then the one with more literal characters, then
/// the one with the narrower end. So a cover that contains another one is always the wider of the two,
/// whatever their spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Breadth {
    wildcard: bool,
    literal_prefix: Reverse<usize>,
    segments_least: Reverse<usize>,
    literals: Reverse<usize>,
    tail: u8,
}

impl Part {
    fn takes(&self, segment: &str) -> bool {
        match self {
            Self::Literal(text) => **text == *segment,
            Self::Parameters(count) => has_parts(segment, *count),
        }
    }

    /// Characters that a segment must hold; for parameters their commas.
    fn literal_bytes(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Parameters(count) => count - 1,
        }
    }
}

impl Tail {
    fn literal_bytes(&self) -> usize {
        match self {
            Self::Prefix(prefix) => prefix.len(),
            Self::End | Self::Optional | Self::Rest => 0,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::End => 0,
            Self::Optional => 1,
            Self::Rest => 2,
            Self::Prefix(_) => 3,
        }
    }
}

/// Reads what follows the leading slash.
fn read(argument: &'static str, inner: &str) -> Result<(Vec<Part>, Tail), InvalidDefinition> {
    let mut parts = Vec::new();
    let without_slash = inner.strip_suffix('/').unwrap_or(inner);
    let mut segments = without_slash.split('/').peekable();
    while let Some(text) = segments.next() {
        let last = segments.peek().is_none() && without_slash.len() == inner.len();
        let stem = text.strip_suffix('*').filter(|_| last && !text.starts_with(':'));
        match stem {
            Some("") => return Ok((parts, Tail::Rest)),
            Some(prefix) => {
                check_literal(argument, prefix)?;
                return Ok((parts, Tail::Prefix(prefix.into())));
            }
            None => {}
        }
        match Piece::parse(argument, text)? {
            Piece::Literal(text) => parts.push(Part::Literal(text.into())),
            Piece::Parameters(names) => parts.push(Part::Parameters(names.len())),
            Piece::Legacy(_) | Piece::Glob(_) if last => {
                parts.push(Part::Parameters(1));
                return Ok((parts, Tail::Rest));
            }
            Piece::Legacy(_) => parts.push(Part::Parameters(1)),
            Piece::Optional(_) if last => return Ok((parts, Tail::Optional)),
            Piece::Glob(name) | Piece::Optional(name) => {
                let rule = format!("`:{name}` with `*` or `?` stands only in last place");
                return Err(InvalidDefinition::new(argument, rule));
            }
        }
    }
    Ok((parts, Tail::End))
}
