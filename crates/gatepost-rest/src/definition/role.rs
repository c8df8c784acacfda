//! The role: a name that clients hold and privileges ask for.

use serde::{Deserialize, Serialize};

use super::{Audit, Id, InvalidDefinition, check_name};

/// A role of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Identity.
    pub id: Id,
    /// The schema it belongs to.
    pub schema_id: Id,
    /// Its name, unique in the schema.
    pub name: String,
    /// Who and when.
    pub audit: Audit,
}

impl Role {
    /// The role whose holders may introspect all tokens of the schema (RFC 7662).
    pub const INTROSPECT: &'static str = "gatepost.introspect";

    /// Checks a role name: 1 to 255 characters.
    pub fn check_name(name: &str) -> Result<(), InvalidDefinition> {
        check_name("p_role_name", name, 255)
    }
}
