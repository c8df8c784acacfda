//! The request path, read once before routing: split at `/`, then each segment decoded once (RFC 3986 section
//! 2.4).
//!
//! Routing and access both use the value made here, so that no spelling of a path can mean one thing to the
//! router and another to the lock. A path that could be read in two ways is refused.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

/// Longest path that is read, in bytes as they were sent.
pub const PATH_BYTES_MAX: usize = 8 * 1024;

/// Most segments that a path may have.
pub const PATH_SEGMENTS_MAX: usize = 256;

/// A path of a request: decoded segments, and whether a slash follows the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath {
    segments: Box<[Box<str>]>,
    trailing_slash: bool,
}

impl RequestPath {
    /// Reads the path of a request target, as it was sent and without its query.
    pub fn parse(raw: &str) -> Result<Self, BadPath> {
        if raw.len() > PATH_BYTES_MAX {
            return Err(BadPath::TooLong);
        }
        let inner = raw.strip_prefix('/').ok_or(BadPath::NotAbsolute)?;
        if inner.is_empty() {
            return Ok(Self { segments: Box::default(), trailing_slash: true });
        }
        let (inner, trailing_slash) = match inner.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (inner, false),
        };
        let count = inner.bytes().filter(|byte| *byte == b'/').count() + 1;
        if count > PATH_SEGMENTS_MAX {
            return Err(BadPath::TooManySegments);
        }
        let mut segments = Vec::with_capacity(count);
        for (index, raw_segment) in inner.split('/').enumerate() {
            segments.push(decode_segment(raw_segment, index + 1)?);
        }
        Ok(Self { segments: segments.into_boxed_slice(), trailing_slash })
    }

    /// The decoded segments; none for `/`.
    pub fn segments(&self) -> &[Box<str>] {
        &self.segments
    }

    /// Whether the path ends with a slash. `/` does.
    pub fn trailing_slash(&self) -> bool {
        self.trailing_slash
    }

    /// What follows the first `n` segments; nothing if there are fewer.
    pub fn below(&self, n: usize) -> PathTail<'_> {
        PathTail { segments: self.segments.get(n..).unwrap_or_default(), trailing_slash: self.trailing_slash }
    }
}

/// The end of a path, for instance what follows a schema alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathTail<'a> {
    /// The decoded segments.
    pub segments: &'a [Box<str>],
    /// Whether the path ends with a slash.
    pub trailing_slash: bool,
}

impl<'a> PathTail<'a> {
    /// What follows the first `n` segments; nothing if there are fewer.
    #[must_use]
    pub fn below(self, n: usize) -> PathTail<'a> {
        PathTail { segments: self.segments.get(n..).unwrap_or_default(), ..self }
    }
}

/// Prints the decoded path with a leading slash, for people: not a URL.
impl fmt::Display for PathTail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in self.segments {
            write!(f, "/{segment}")?;
        }
        if self.trailing_slash || self.segments.is_empty() { f.write_str("/") } else { Ok(()) }
    }
}

/// Decodes one segment; `number` counts from 1 and is only for the error.
fn decode_segment(raw: &str, number: usize) -> Result<Box<str>, BadPath> {
    if raw.is_empty() {
        return Err(BadPath::EmptySegment(number));
    }
    if raw.bytes().any(|byte| matches!(byte, b'\\' | b'?' | b'#')) {
        return Err(BadPath::Delimiter(number));
    }
    let segment = if raw.contains('%') { decode_escapes(raw, number)? } else { Cow::Borrowed(raw) };
    if matches!(&*segment, "." | "..") {
        return Err(BadPath::DotSegment(number));
    }
    if segment.chars().any(char::is_control) {
        return Err(BadPath::ControlCharacter(number));
    }
    Ok(segment.into())
}

fn decode_escapes(raw: &str, number: usize) -> Result<Cow<'_, str>, BadPath> {
    let mut pieces = raw.split('%');
    pieces.next();
    let is_escape = |piece: &str| piece.len() >= 2 && piece.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if !pieces.all(is_escape) {
        return Err(BadPath::BadEscape(number));
    }
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| BadPath::NotUtf8(number))?;
    if decoded.contains(['/', '\\']) {
        return Err(BadPath::EncodedSlash(number));
    }
    Ok(decoded)
}

/// Why a path is refused. A number says which segment, counted from 1. Printing it never repeats what was
/// sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPath {
    /// It does not begin with `/`.
    NotAbsolute,
    /// More than [`PATH_BYTES_MAX`] bytes.
    TooLong,
    /// More than [`PATH_SEGMENTS_MAX`] segments.
    TooManySegments,
    /// Two slashes in a row.
    EmptySegment(usize),
    /// `.` or `..`, plain or encoded.
    DotSegment(usize),
    /// `%` without two hexadecimal digits.
    BadEscape(usize),
    /// Escapes that are not UTF-8.
    NotUtf8(usize),
    /// NUL or another control character, plain or encoded.
    ControlCharacter(usize),
    /// An encoded `/` or `\`.
    EncodedSlash(usize),
    /// A plain `\`, `?` or `#`.
    Delimiter(usize),
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, fault) = match self {
            Self::NotAbsolute => return f.write_str("The path does not begin with a slash."),
            Self::TooLong => return write!(f, "The path is longer than {PATH_BYTES_MAX} bytes."),
            Self::TooManySegments => {
                return write!(f, "The path has more than {PATH_SEGMENTS_MAX} segments.");
            }
            Self::EmptySegment(number) => (number, "is empty: two slashes in a row are not accepted"),
            Self::DotSegment(number) => (number, "is a dot segment, which is not accepted"),
            Self::BadEscape(number) => (number, "has a percent sign without two hexadecimal digits"),
            Self::NotUtf8(number) => (number, "is not UTF-8"),
            Self::ControlCharacter(number) => (number, "holds a control character"),
            Self::EncodedSlash(number) => (number, "holds an encoded slash or backslash"),
            Self::Delimiter(number) => (number, "holds a backslash, question mark or number sign"),
        };
        write!(f, "Segment {number} of the path {fault}.")
    }
}

impl std::error::Error for BadPath {}
