//! Remote servers, credentials and REST sources as the catalog keeps them, and the TOML form in which people write
//! them.
//!
//! Plain values that serialize to the catalog. Each object has `checked`, which normalizes it and refuses what breaks
//! a rule; the TOML reader ([`document`]) calls it too and adds the line. Objects refer to each other by name, which is
//! unique in a schema; [`RestSource::check_references`] looks at both ends.

pub mod amount;
pub mod credential;
pub mod document;
pub mod operation;
pub mod pagination;
pub mod parameter;
pub mod path;
pub mod pointer;
pub mod reach;
pub mod rows;
pub mod rule;
pub mod server;
pub mod source;
pub mod sync;
pub mod wire;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use credential::{ClientAuth, Credential, Oauth2Client, SecretReference, SignIn};
pub use document::Document;
pub use operation::{Operation, OperationMethod, Operations};
pub use pagination::{
    CursorPaging, LinkHeaderPaging, NextUrlPaging, OffsetPaging, OrdsPaging, PagePaging, Pagination,
    Placement,
};
pub use parameter::{Comparison, Parameter, ParameterLocation};
pub use pointer::Pointer;
pub use reach::SecretReach;
pub use rows::{Column, ColumnOrigin, ColumnType, Rows};
pub use rule::{Action, OnRule};
pub use server::{RemoteServer, ServerKind};
pub use source::{Cache, CacheScope, FetchMethod, FilterDialect, Limits, RestSource, SourceAuth, Timeouts};
pub use sync::{Schedule, Sync, SyncCursor, SyncMode};

/// Identity of a catalog object; never used twice.
pub type Id = u64;

/// A name has at most this many characters, so that PostgreSQL takes it as well.
pub const NAME_LENGTH_MAX: usize = 63;

/// A text of a definition (comment, template, SQL, one URL) has at most this many bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Who made and who last changed an object, and when (milliseconds since 1970, UTC).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Who made the object.
    pub created_by: String,
    /// When it was made.
    pub created_on_ms: i64,
    /// Who changed it last.
    pub updated_by: String,
    /// When it was last changed.
    pub updated_on_ms: i64,
}

impl Audit {
    /// The record of an object that `author` makes now.
    pub fn created(author: &str, now_ms: i64) -> Self {
        Self {
            created_by: author.into(),
            created_on_ms: now_ms,
            updated_by: author.into(),
            updated_on_ms: now_ms,
        }
    }

    /// Notes that `author` changed the object now.
    pub fn touch(&mut self, author: &str, now_ms: i64) {
        author.clone_into(&mut self.updated_by);
        self.updated_on_ms = now_ms;
    }
}

/// A value that a definition may not have, with the rule it breaks. Never repeats a value that could be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionError {
    /// The line of the TOML text, from 1; absent when there was no text.
    pub line: Option<usize>,
    /// The key at fault with the tables above it (`pagination.page_size`, `param[0].send`).
    pub key: String,
    /// The rule, as a sentence for the author of the definition.
    pub rule: String,
}

impl DefinitionError {
    /// A broken rule about `key`.
    pub fn new(key: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { line: None, key: key.into(), rule: rule.into() }
    }

    /// The same below a table: `send` becomes `param[0].send`.
    pub(crate) fn below(mut self, table: &str) -> Self {
        self.key = format!("{table}.{}", self.key);
        self
    }
}

impl std::fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.rule)
    }
}

impl std::error::Error for DefinitionError {}

/// What a check gives.
pub(crate) type Checked<T = ()> = Result<T, DefinitionError>;

/// Checks the name of an object, a parameter or a column: a lower-case identifier, so that it is a name in SQL and a
/// segment of a URL without quotes.
pub fn check_name(key: &str, name: &str) -> Checked {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_part) {
        let rule = "a name begins with a lower-case letter and has lower-case letters, digits and _ only";
        return Err(DefinitionError::new(key, rule));
    }
    if name.len() > NAME_LENGTH_MAX {
        return Err(DefinitionError::new(key, format!("a name has at most {NAME_LENGTH_MAX} characters")));
    }
    Ok(())
}

/// Checks a text: not empty, without NUL, within [`TEXT_BYTES_MAX`].
pub(crate) fn check_text(key: &str, text: &str) -> Checked {
    if text.trim().is_empty() {
        return Err(DefinitionError::new(key, "a text is needed"));
    }
    if text.contains('\0') {
        return Err(DefinitionError::new(key, "a NUL character is not allowed"));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(DefinitionError::new(key, format!("at most {TEXT_BYTES_MAX} bytes are allowed")));
    }
    Ok(())
}

/// Checks that a list is within its length.
pub(crate) fn check_count(key: &str, count: usize, most: usize) -> Checked {
    if count > most {
        return Err(DefinitionError::new(key, format!("{count} entries, at most {most} are allowed")));
    }
    Ok(())
}

/// Checks that a number is within its bounds.
pub(crate) fn check_between(key: &str, number: u64, least: u64, most: u64) -> Checked {
    if number < least || number > most {
        return Err(DefinitionError::new(key, format!("a number from {least} to {most} is needed")));
    }
    Ok(())
}

/// Checks optional comments.
pub(crate) fn check_comments(comments: Option<&str>) -> Checked {
    comments.map_or(Ok(()), |text| check_text("comments", text))
}

/// Declares an enum whose variants are words of the TOML form and of the catalog.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Reads its word, exactly as written.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}
pub(crate) use words;
