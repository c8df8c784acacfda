//! The module: a named base path with the templates below it.

use serde::{Deserialize, Serialize};

use super::schema::RESERVED_SEGMENTS;
use super::{Audit, Id, InvalidDefinition, Template, check_length, check_name};

/// A module with everything below it. It is saved and replaced as one piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Identity.
    pub id: Id,
    /// The schema it belongs to.
    pub schema_id: Id,
    /// Its name, unique in the schema.
    pub name: String,
    /// Normalized: starts and ends with `/`.
    pub base_path: String,
    /// Default page size; 0 = no paging.
    pub items_per_page: u32,
    /// Whether its URLs answer.
    pub published: bool,
    /// Free text; becomes the description in API documents.
    pub comments: Option<String>,
    /// Origins that browsers may call from (scheme, host, port), or `*`.
    pub origins_allowed: Vec<String>,
    /// Where the rows of its GET handlers come from.
    #[serde(default)]
    pub reads_from: ReadsFrom,
    /// The templates, in the order they were defined.
    pub templates: Vec<Template>,
    /// Who and when.
    pub audit: Audit,
}

/// The servers that may answer a query, where a schema's data has replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReadsFrom {
    /// A replica that is not older than the operator allows, or the primary.
    #[default]
    Replica,
    /// The primary, so that whoever wrote reads what was written.
    Primary,
}

impl ReadsFrom {
    /// Reads `REPLICA` or `PRIMARY`, in any letter case.
    pub fn parse(text: &str) -> Result<Self, InvalidDefinition> {
        match text.to_ascii_uppercase().as_str() {
            "REPLICA" => Ok(Self::Replica),
            "PRIMARY" => Ok(Self::Primary),
            _ => Err(InvalidDefinition::new("p_from", format!("`{text}` is not one of REPLICA, PRIMARY"))),
        }
    }

    /// The stored spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "REPLICA",
            Self::Primary => "PRIMARY",
        }
    }
}

impl Module {
    /// Page size when a module names none.
    pub const ITEMS_PER_PAGE_DEFAULT: u32 = 25;

    /// Checks a module name: 1 to 255 characters.
    pub fn check_name(name: &str) -> Result<(), InvalidDefinition> {
        check_name("p_module_name", name, 255)
    }

    /// Brings a base path into its stored form: a leading and a trailing slash, plain segments.
    pub fn normalize_base_path(path: &str) -> Result<String, InvalidDefinition> {
        let argument = "p_base_path";
        check_length(argument, path, 255)?;
        let inner = path.trim_matches('/');
        if inner.is_empty() {
            return Ok("/".into());
        }
        for segment in inner.split('/') {
            check_literal_segment(argument, segment)?;
        }
        let first = inner.split('/').next().unwrap_or_default();
        if RESERVED_SEGMENTS.contains(&first) {
            let rule =
                format!("`{first}` below a schema alias belongs to Gatepost; choose another base path");
            return Err(InvalidDefinition::new(argument, rule));
        }
        Ok(format!("/{inner}/"))
    }

    /// The template with this pattern.
    pub fn template(&self, pattern: &str) -> Option<&Template> {
        self.templates.iter().find(|template| template.pattern == pattern)
    }
}

/// Checks a literal path segment of a definition: what a decoded request path can hold.
fn check_literal_segment(argument: &'static str, segment: &str) -> Result<(), InvalidDefinition> {
    let bad = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '?' | '#' | '\\' | '%' | ':' | '*' | '{' | '}')
    };
    if segment.is_empty() || segment == "." || segment == ".." || segment.contains(bad) {
        return Err(InvalidDefinition::new(argument, format!("`{segment}` cannot be a path segment here")));
    }
    Ok(())
}
