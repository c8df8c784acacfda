//! A proposal for a source, from what a server shows: an answer, an ORDS catalog, an OpenAPI 3 document. A proposal is
//! for people to read and change; nothing is guessed while rows are fetched.

mod name;
mod openapi;
mod ords;
mod pages;
mod primary_key;
mod sample;

use crate::definition::{Pagination, RestSource, Rows};

pub use openapi::{ApiPath, OpenApi};
pub use ords::{CatalogEntry, from_ords_catalog, from_ords_metadata};
pub use sample::from_sample;

/// A sample or a document of more bytes is not looked at.
pub const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// Where rows are, and their columns.
    pub rows: Rows,
    /// How pages follow each other.
    pub pagination: Pagination,
    /// What to look at, as sentences.
    pub notes: Vec<String>,
}

impl Discovered {
    /// Puts the proposal into a source. What the source says about strictness and about SQL over the rows stays.
    pub fn apply(self, source: &mut RestSource) {
        source.pagination = if self.rows.single { Pagination::None } else { self.pagination };
        source.rows = Rows { strict: source.rows.strict, query: source.rows.query.take(), ..self.rows };
    }
}

#[cfg(test)]
mod tests;
