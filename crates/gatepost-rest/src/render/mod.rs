//! Rows to bodies, written straight into a byte buffer.
//!
//! [`Renderer`] takes the rows of a query one by one, so that large answers can leave in chunks. [`ChangeRows`] and
//! [`outputs`] write what DML and blocks answer. Nothing here builds a JSON tree.

mod change;
mod column;
mod csv;
mod link;
mod output;
mod page;
#[cfg(test)]
mod tests;
mod value;
mod zone;

use std::borrow::Cow;

pub use change::ChangeRows;
pub use column::{Column, ColumnKind, Columns};
pub use output::{Answer, BadOutput, outputs};
pub use value::{json_base64, json_key, json_string};
pub use zone::Zone;

use crate::definition::SourceType;
use crate::plan::Plan;
use link::RowUrl;

/// A value that a database gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number; NaN and infinities are written as null.
    Real(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Exact digits of a number.
    Number(Cow<'a, str>),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(&'a [u8]),
    /// Text that is JSON.
    Json(Cow<'a, str>),
}

/// A row of a result.
pub trait Row {
    /// The value of a column, numbered from 0 as the statement has them.
    fn value(&self, column: usize) -> Value<'_>;

    /// Writes the value of a column as JSON by itself, or says that [`Row::value`] must do.
    fn write_json(&self, _column: usize, _zone: &Zone, _out: &mut Vec<u8>) -> bool {
        false
    }
}

/// Whether a renderer wants more rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    More,
    /// It has all that it shows.
    Enough,
}

/// Writes the answer of a query.
#[derive(Debug)]
pub struct Renderer<'p> {
    plan: &'p Plan,
    columns: &'p Columns,
    row_url: RowUrl,
    rows: u64,
    has_more: bool,
    media_type: Option<String>,
}

/// A result that the handler's source type cannot show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadShape(pub String);

impl<'p> Renderer<'p> {
    /// A renderer for the rows of a plan's query.
    pub fn new(plan: &'p Plan, columns: &'p Columns) -> Result<Self, BadShape> {
        match plan.source.source_type {
            SourceType::Media if columns.count != 2 => {
                let message = "a source of type resource/lob has two columns: content type and content";
                Err(BadShape(message.into()))
            }
            _ => Ok(Self {
                plan,
                columns,
                row_url: RowUrl::new(&plan.links),
                rows: 0,
                has_more: false,
                media_type: None,
            }),
        }
    }

    /// Writes what stands before the first row.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        match self.plan.source.source_type {
            SourceType::CollectionFeed | SourceType::Query | SourceType::Feed => {
                out.extend_from_slice(b"{\"items\":[");
            }
            SourceType::CsvQuery => csv::header(out, self.columns),
            _ => {}
        }
    }

    /// Writes a row, or notes that there is one more than is shown.
    pub fn row(&mut self, out: &mut Vec<u8>, row: &impl Row) -> Flow {
        let many = matches!(
            self.plan.source.source_type,
            SourceType::CollectionFeed | SourceType::Query | SourceType::Feed | SourceType::CsvQuery
        );
        if many && self.rows == self.plan.window.limit {
            self.has_more = true;
            return Flow::Enough;
        }
        self.rows += 1;
        match self.plan.source.source_type {
            SourceType::CsvQuery => csv::row(out, self.columns, row),
            SourceType::Media => self.media(out, row),
            source_type => {
                if self.rows > 1 {
                    out.push(b',');
                }
                self.object(out, row, source_type);
            }
        }
        if many { Flow::More } else { Flow::Enough }
    }

    /// Writes what stands behind the last row.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        match self.plan.source.source_type {
            SourceType::CollectionFeed => page::collection(out, self.plan, self.rows, self.has_more),
            SourceType::Query | SourceType::Feed => page::legacy(out, self.plan, self.has_more),
            _ => {}
        }
    }

    /// Rows written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the answer is 404: the source type shows one row and there was none.
    pub fn not_found(&self) -> bool {
        let one = matches!(
            self.plan.source.source_type,
            SourceType::CollectionItem | SourceType::QueryOneRow | SourceType::Media
        );
        one && self.rows == 0
    }

    /// Whether rows were left out although the source type has no way to say so.
    pub fn is_cut(&self) -> bool {
        self.has_more && self.plan.source.source_type == SourceType::CsvQuery
    }

    /// The content type, known when the first row is written.
    pub fn content_type(&self) -> &str {
        match self.plan.source.source_type {
            SourceType::CsvQuery => "text/csv; charset=utf-8",
            SourceType::Media => self.media_type.as_deref().unwrap_or("application/octet-stream"),
            _ => "application/json",
        }
    }

    /// `Content-Disposition` of answers that browsers save.
    pub fn content_disposition(&self) -> Option<String> {
        (self.plan.source.source_type == SourceType::CsvQuery).then(|| csv::disposition(&self.plan.links.url))
    }

    fn object(&self, out: &mut Vec<u8>, row: &impl Row, source_type: SourceType) {
        out.push(b'{');
        let mut first = true;
        if source_type == SourceType::Feed && self.columns.count > 0 {
            link::feed_member(out, &self.row_url, row);
            first = false;
        }
        first = value::members(out, self.columns, row, first);
        let links = (&self.plan.links, &self.row_url);
        match source_type {
            SourceType::CollectionItem => link::array(out, self.columns, row, links, first, true),
            SourceType::CollectionFeed if self.columns.has_links() => {
                link::array(out, self.columns, row, links, first, false);
            }
            _ if self.columns.has_links() => {
                link::references(out, self.columns, row, links, first);
            }
            _ => {}
        }
        out.push(b'}');
    }

    fn media(&mut self, out: &mut Vec<u8>, row: &impl Row) {
        let media_type = match row.value(0) {
            Value::Text(text) => Some(text.into_owned()),
            _ => None,
        };
        // What is no header value would be dropped later; the neutral type is safe.
        self.media_type = media_type.filter(|text| http::HeaderValue::from_str(text).is_ok());
        match row.value(1) {
            Value::Blob(bytes) => out.extend_from_slice(bytes),
            other => value::plain(out, &other, ColumnKind::Plain, &Zone::UTC),
        }
    }
}
