//! The REST-enabled schema: a name, a URL alias, and a place for data of its own.

use serde::{Deserialize, Serialize};

use super::{Audit, Id, InvalidDefinition, check_length, check_name};

/// Path segments below a schema alias that belong to Gatepost itself; no module may begin with one.
pub const RESERVED_SEGMENTS: [&str; 7] =
    ["oauth", "sign-in", "sign-out", "metadata-catalog", "open-api-catalog", "sources", "_"];

/// A schema that `ORDS.ENABLE_SCHEMA` made known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Identity.
    pub id: Id,
    /// Its name, lower case; also names its place for data.
    pub name: String,
    /// The first path segment of its URLs (`p_url_mapping_pattern`).
    pub alias: String,
    /// Whether its services are served at all.
    pub enabled: bool,
    /// Whether its metadata catalog asks for authorization.
    pub auto_rest_auth: bool,
    /// Who and when.
    pub audit: Audit,
}

impl Schema {
    /// Checks and normalizes a schema name: letters, digits, `_`, `$`, `#`, at most 128 characters, folded to
    /// lower case.
    pub fn check_name(name: &str) -> Result<String, InvalidDefinition> {
        check_name("p_schema", name, 128)?;
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '#')) {
            return Err(InvalidDefinition::new("p_schema", "only letters, digits, _, $ and # are allowed"));
        }
        Ok(name.to_ascii_lowercase())
    }

    /// Checks a URL alias: one path segment of unreserved characters.
    pub fn check_alias(alias: &str) -> Result<String, InvalidDefinition> {
        let argument = "p_url_mapping_pattern";
        check_name(argument, alias, 128)?;
        check_length(argument, alias, 128)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '$');
        if !alias.chars().all(allowed) || matches!(alias, "." | "..") {
            return Err(InvalidDefinition::new(argument, "one path segment of letters, digits, - . _ ~ $"));
        }
        Ok(alias.to_owned())
    }
}
