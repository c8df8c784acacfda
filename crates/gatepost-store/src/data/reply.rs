//! What an execution answers.

use std::borrow::Cow;

use bytes::Bytes;
use gatepost_rest::plan::{BindValue, Plan};
use gatepost_rest::render::{self, Renderer};
use http::header::CONTENT_DISPOSITION;
use http::{HeaderName, HeaderValue};

use super::{ExecuteError, RowStream};

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

/// The reply that a renderer's rows make, without the body.
pub(super) fn head(renderer: &Renderer<'_>) -> Result<Reply, ExecuteError> {
    let mut reply = Reply {
        content_type: Some(content_type(renderer.content_type())),
        rows: renderer.rows(),
        not_found: renderer.not_found(),
        ..Reply::default()
    };
    if let Some(disposition) = renderer.content_disposition() {
        let value = HeaderValue::from_str(&disposition)
            .map_err(|_| ExecuteError::BadOutput("the file name is no header value".into()))?;
        reply.headers.push((CONTENT_DISPOSITION, value));
    }
    Ok(reply)
}

/// The reply that the output binds make.
pub(super) fn answer(plan: &Plan, values: &[BindValue]) -> Result<Reply, ExecuteError> {
    let answer = render::outputs(&plan.source, values)
        .map_err(|render::BadOutput(message)| ExecuteError::BadOutput(message))?;
    Ok(Reply {
        status: answer.status,
        location: answer.location,
        headers: answer.headers,
        content_type: answer.body.is_some().then(|| content_type("application/json")),
        body: ReplyBody::Full(Bytes::from(answer.body.unwrap_or_default())),
        ..Reply::default()
    })
}

/// The value of an `ETag` query as text.
pub(super) fn etag_text(value: BindValue) -> Option<String> {
    match value {
        BindValue::Null | BindValue::Blob(_) => None,
        BindValue::Integer(number) => Some(number.to_string()),
        BindValue::Real(number) => Some(number.to_string()),
        BindValue::Boolean(flag) => Some(flag.to_string()),
        BindValue::Text(text) => Some(text),
    }
}
