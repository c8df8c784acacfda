//! SQL as users write it: a lexer that finds binds, statements, keywords and names, and nothing more.
//!
//! It never judges grammar; the database does. What it must get right is where text, comments and quoted names
//! begin and end, since a bind inside them is none. Both databases get positional parameters made here
//! (`?1`, `$1`), one number for each distinct name; placeholders of the databases' own are refused.

mod lexer;
mod remote;
mod split;
mod statement;
#[cfg(test)]
mod tests;

pub use lexer::{Kind, Token, lex};
pub use remote::{Operand, RemoteUse, remote_uses};
pub use split::split;
pub use statement::{Bind, Statement};

/// Whose rules for quoting, comments and placeholders hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL and engines compatible with it.
    Postgres,
}

/// SQL that is refused, with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where, as a byte offset into the text.
    pub offset: usize,
    /// What was found (`q'`, `?`).
    pub construct: String,
    /// Why it is refused and what to write instead.
    pub message: String,
}

impl Refusal {
    /// A refusal of what stands there.
    pub fn at(offset: usize, construct: &str, message: &str) -> Self {
        Self::new(offset, construct, message)
    }

    pub(crate) fn new(offset: usize, construct: impl Into<String>, message: impl Into<String>) -> Self {
        Self { offset, construct: construct.into(), message: message.into() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.construct, self.message)
    }
}

impl std::error::Error for Refusal {}

/// Line and column of a byte offset, both from 1, columns in characters.
pub fn position(text: &str, offset: usize) -> (u32, u32) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line as u32, before[start..].chars().count() as u32 + 1)
}

/// The byte offset of a line and a column, both from 1, columns in characters.
pub fn offset_of(text: &str, line: u32, column: u32) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum();
    let characters = text[start..].chars().take(column.saturating_sub(1) as usize);
    start + characters.map(char::len_utf8).sum::<usize>()
}
