//! What a schema publishes and what locks it: the objects that definition scripts make.
//!
//! Plain values that serialize to the catalog. Each type checks its own fields when it is made or changed
//! (ORDS Developer's Guide, package ORDS); nothing here knows how a request finds them (`router`) or who
//! may pass (`access`).

mod handler;
mod module;
mod parameter;
mod privilege;
mod public_entry;
mod role;
mod schema;
mod template;

use serde::{Deserialize, Serialize};

pub use handler::{Handler, Method, SourceType};
pub use module::{Module, ReadsFrom};
pub use parameter::{Parameter, ParameterAccess, ParameterSource, ParameterType};
pub use privilege::Privilege;
pub use public_entry::PublicEntry;
pub use role::Role;
pub use schema::{RESERVED_SEGMENTS, Schema};
pub use template::{EtagType, Template};

/// Identity of a catalog object. Numbers start at 10,000 as in ORDS and are never used twice, so a deleted
/// object's id can never come to mean another one.
pub type Id = u64;

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

/// A value that a definition may not have, with the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDefinition {
    /// The argument at fault, in its ORDS spelling (`p_base_path`).
    pub argument: &'static str,
    /// The rule, as a sentence for the author of the definition.
    pub rule: String,
}

impl InvalidDefinition {
    /// A broken rule about `argument`.
    pub fn new(argument: &'static str, rule: impl Into<String>) -> Self {
        Self { argument, rule: rule.into() }
    }
}

impl std::fmt::Display for InvalidDefinition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.argument, self.rule)
    }
}

impl std::error::Error for InvalidDefinition {}

/// Checks a text against the length that ORDS allows for it (ORDS Developer's Guide, `ORDS_METADATA` columns).
pub(crate) fn check_length(argument: &'static str, text: &str, most: usize) -> Result<(), InvalidDefinition> {
    let length = text.chars().count();
    if length > most {
        return Err(InvalidDefinition::new(
            argument,
            format!("{length} characters, at most {most} are allowed"),
        ));
    }
    Ok(())
}

/// Checks a name: present, within its length, without control characters.
pub(crate) fn check_name(argument: &'static str, name: &str, most: usize) -> Result<(), InvalidDefinition> {
    if name.is_empty() {
        return Err(InvalidDefinition::new(argument, "a name is needed"));
    }
    if name.chars().any(char::is_control) {
        return Err(InvalidDefinition::new(argument, "control characters are not allowed in a name"));
    }
    check_length(argument, name, most)
}
