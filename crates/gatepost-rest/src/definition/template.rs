//! The resource template: one URI pattern of a module.

use serde::{Deserialize, Serialize};

use super::{Audit, Handler, Id, InvalidDefinition, Method, check_length};

/// A URI pattern and its handlers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Identity.
    pub id: Id,
    /// As it was written, without a leading slash; `.` is the base path itself.
    pub pattern: String,
    /// 0 (lowest) to 9.
    pub priority: u8,
    /// How the ETag is made.
    pub etag_type: EtagType,
    /// The query behind `EtagType::Query`.
    pub etag_query: Option<String>,
    /// Free text.
    pub comments: Option<String>,
    /// At most one a method.
    pub handlers: Vec<Handler>,
    /// Who and when.
    pub audit: Audit,
}

impl Template {
    /// Checks the fields that need no other object. The pattern's syntax is checked by `pattern::Pattern::parse`.
    pub fn check(
        pattern: &str,
        priority: i64,
        etag_type: EtagType,
        etag_query: Option<&str>,
    ) -> Result<u8, InvalidDefinition> {
        check_length("p_pattern", pattern, 600)?;
        if etag_type == EtagType::Query && etag_query.is_none_or(|sql| sql.trim().is_empty()) {
            return Err(InvalidDefinition::new("p_etag_query", "etag type QUERY needs a query"));
        }
        u8::try_from(priority)
            .ok()
            .filter(|priority| *priority <= 9)
            .ok_or_else(|| InvalidDefinition::new("p_priority", format!("{priority} is not between 0 and 9")))
    }

    /// The handler of this method.
    pub fn handler(&self, method: Method) -> Option<&Handler> {
        self.handlers.iter().find(|handler| handler.method == method)
    }
}

/// How the ETag of a template's answers is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EtagType {
    /// From the bytes of the answer.
    #[default]
    Hash,
    /// From the value that a query returns.
    Query,
    /// No ETag.
    None,
}

impl EtagType {
    /// Reads `HASH`, `QUERY` or `NONE`, in any letter case.
    pub fn parse(text: &str) -> Result<Self, InvalidDefinition> {
        match text.to_ascii_uppercase().as_str() {
            "HASH" => Ok(Self::Hash),
            "QUERY" => Ok(Self::Query),
            "NONE" => Ok(Self::None),
            _ => Err(InvalidDefinition::new(
                "p_etag_type",
                format!("`{text}` is not one of HASH, QUERY, NONE"),
            )),
        }
    }

    /// The stored spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hash => "HASH",
            Self::Query => "QUERY",
            Self::None => "NONE",
        }
    }
}
