//! What an execution answers.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::RowStream;

/// The answer of a plan.
#[derive(Debug, Default)]
pub struct Reply {
    /// The status that an output bind set.
    pub status: Option<u16>,
    /// The location that an output bind set.
    pub location: Option<String>,
    /// Headers that output binds set, and `Content-Disposition` of downloads.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The content type; none when there is no body.
    pub content_type: Option<Cow<'static, str>>,
    /// The value of the template's `ETag` query, without quotes.
    pub etag: Option<String>,
    /// The body.
    pub body: ReplyBody,
    /// Rows in the body, or rows changed. For a stream: rows in its first part.
    pub rows: u64,
    /// Whether the source type shows one row and there was none: 404.
    pub not_found: bool,
}

/// A body, whole or in chunks.
#[derive(Debug)]
pub enum ReplyBody {
    /// All of it.
    Full(Bytes),
    /// Chunks as they are made.
    Stream(RowStream),
}

impl Default for ReplyBody {
    fn default() -> Self {
        Self::Full(Bytes::new())
    }
}

/// A content type without an allocation where it is one of the usual.
pub(super) fn content_type(text: &str) -> Cow<'static, str> {
    match text {
        "application/json" => Cow::Borrowed("application/json"),
        "text/csv; charset=utf-8" => Cow::Borrowed("text/csv; charset=utf-8"),
        other => Cow::Owned(other.to_owned()),
    }
}
