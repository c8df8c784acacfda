//! The privilege: a named lock on patterns and modules, opened by roles, and an OAuth scope.

use serde::{Deserialize, Serialize};

use super::{Audit, Id, InvalidDefinition, check_name};

/// A privilege of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privilege {
    /// Identity.
    pub id: Id,
    /// The schema it belongs to.
    pub schema_id: Id,
    /// Its name, unique in the schema; also an OAuth scope.
    pub name: String,
    /// Short title.
    pub label: Option<String>,
    /// What it allows, in words.
    pub description: Option<String>,
    /// Free text.
    pub comments: Option<String>,
    /// Any one of these roles opens it; none: only clients that list the privilege.
    pub roles: Vec<Id>,
    /// Patterns below the schema alias, each with a leading slash.
    pub patterns: Vec<String>,
    /// Modules, each as good as the pattern `<base path>*`.
    pub modules: Vec<Id>,
    /// Who and when.
    pub audit: Audit,
}

impl Privilege {
    /// Checks a privilege name: 1 to 255 characters of a scope token (RFC 6749 section 3.3), so that it can be
    /// asked for as a scope.
    pub fn check_name(name: &str) -> Result<(), InvalidDefinition> {
        check_name("p_privilege_name", name, 255)?;
        if !name.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
            let rule =
                "a privilege is an OAuth scope: printable ASCII without spaces, quotes and backslashes";
            return Err(InvalidDefinition::new("p_privilege_name", rule));
        }
        if name.contains(',') {
            return Err(InvalidDefinition::new(
                "p_privilege_name",
                "a comma separates names in p_privilege_names",
            ));
        }
        Ok(())
    }
}
