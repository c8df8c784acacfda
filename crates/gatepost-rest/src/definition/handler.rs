//! The handler: one HTTP method of a template and the SQL that answers it.

use serde::{Deserialize, Serialize};

use super::{Audit, Id, InvalidDefinition, Parameter};

/// A handler and its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handler {
    /// Identity.
    pub id: Id,
    /// The HTTP method it answers.
    pub method: Method,
    /// How the source runs and how its result is written.
    pub source_type: SourceType,
    /// The SQL, as it was written.
    pub source: String,
    /// Page size; absent: the module's. 0 = no paging.
    pub items_per_page: Option<u32>,
    /// Content types that a request body may have; empty: any.
    pub mimes_allowed: Vec<String>,
    /// Free text.
    pub comments: Option<String>,
    /// Declared parameters.
    pub parameters: Vec<Parameter>,
    /// Who and when.
    pub audit: Audit,
}

/// A method that a handler may have. HEAD is answered by GET handlers, OPTIONS by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl Method {
    /// All of them, in the order that `Allow` lists them.
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// Reads a method name of a definition, in any letter case.
    pub fn parse(text: &str) -> Result<Self, InvalidDefinition> {
        let upper = text.to_ascii_uppercase();
        Self::ALL.into_iter().find(|method| method.as_str() == upper).ok_or_else(|| {
            InvalidDefinition::new(
                "p_method",
                format!("`{text}` is not one of GET, POST, PUT, PATCH, DELETE"),
            )
        })
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Source types of ORDS with their stored values (ORDS Developer's Guide, `ORDS.DEFINE_HANDLER`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceType {
    /// Rows with `hasMore`, `limit`, `offset`, `count` and `links`.
    #[serde(rename = "json/collection")]
    CollectionFeed,
    /// The first row with a link to its collection; no row is 404.
    #[serde(rename = "json/item")]
    CollectionItem,
    /// Rows, paged by `?page=n`, the form of older releases.
    #[serde(rename = "json/query")]
    Query,
    /// The first row as a bare object; no row is 404.
    #[serde(rename = "json/query;type=single")]
    QueryOneRow,
    /// As `Query`, the first column being the row's id.
    #[serde(rename = "json/query;type=feed")]
    Feed,
    /// RFC 4180 text with a header line.
    #[serde(rename = "csv/query")]
    CsvQuery,
    /// Two columns, content type and content; no row is 404.
    #[serde(rename = "resource/lob")]
    Media,
    /// A statement or block that changes data.
    #[serde(rename = "plsql/block")]
    PlSql,
}

impl SourceType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::CollectionFeed,
        Self::CollectionItem,
        Self::Query,
        Self::QueryOneRow,
        Self::Feed,
        Self::CsvQuery,
        Self::Media,
        Self::PlSql,
    ];

    /// Reads a stored value (`json/collection`).
    pub fn parse(text: &str) -> Result<Self, InvalidDefinition> {
        let lower: String = text.to_ascii_lowercase().split_whitespace().collect();
        if lower == "json/feed" {
            return Ok(Self::Feed);
        }
        if lower == "mle/javascript" {
            return Err(InvalidDefinition::new("p_source_type", "`mle/javascript` runs inside Oracle only"));
        }
        Self::ALL.into_iter().find(|kind| kind.as_str() == lower).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            InvalidDefinition::new("p_source_type", format!("`{text}` is not one of {}", known.join(", ")))
        })
    }

    /// The stored value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CollectionFeed => "json/collection",
            Self::CollectionItem => "json/item",
            Self::Query => "json/query",
            Self::QueryOneRow => "json/query;type=single",
            Self::Feed => "json/query;type=feed",
            Self::CsvQuery => "csv/query",
            Self::Media => "resource/lob",
            Self::PlSql => "plsql/block",
        }
    }

    /// The name of the constant in package ORDS (`source_type_collection_feed`).
    pub fn constant(self) -> &'static str {
        match self {
            Self::CollectionFeed => "source_type_collection_feed",
            Self::CollectionItem => "source_type_collection_item",
            Self::Query => "source_type_query",
            Self::QueryOneRow => "source_type_query_one_row",
            Self::Feed => "source_type_feed",
            Self::CsvQuery => "source_type_csv_query",
            Self::Media => "source_type_media",
            Self::PlSql => "source_type_plsql",
        }
    }
}
