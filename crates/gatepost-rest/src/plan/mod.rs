//! From a request and a compiled source to a plan: every bind with its value, the page, the links.
//!
//! The values are owned, so that a plan can go to another thread. What a client got wrong is a [`PlanError`] that
//! names the parameter.

mod body;
mod convert;
mod page;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

pub use body::RequestBody;
pub(crate) use page::QUERY;
pub use page::{PageSettings, Window};

use crate::definition::ReadsFrom;
use crate::source::{CompiledSource, Implicit, Literal, Slot, SlotSource};

/// What a request brings for the binds of a source.
#[derive(Clone, Debug)]
pub struct RequestValues<'a> {
    /// Decoded values of the path, by the names in the pattern.
    pub captures: &'a [(&'a str, Cow<'a, str>)],
    /// Decoded pairs of the query string, in order.
    pub query: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// The members of the body.
    pub body: RequestBody<'a>,
    /// The body as it came.
    pub body_bytes: &'a Bytes,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// `Content-Type` as it came.
    pub content_type: Option<&'a str>,
    /// The principal: a client id or a user name.
    pub current_user: Option<&'a str>,
}

/// A value for a bind.
#[derive(Clone, Debug, PartialEq)]
pub enum BindValue {
    /// NULL
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Bytes),
}

impl From<&Literal> for BindValue {
    fn from(literal: &Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Integer(number) => Self::Integer(*number),
            Literal::Text(text) => Self::Text(text.clone()),
        }
    }
}

/// What links are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkBase {
    /// The absolute URL of this request, without its query string.
    pub url: String,
    /// The absolute URL of the context (`https://api.test/ords/`).
    pub context: Arc<str>,
    /// The absolute URL of the module in the metadata catalog.
    pub described_by: Option<Arc<str>>,
}

/// What is to be executed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The compiled handler.
    pub source: Arc<CompiledSource>,
    /// A value for each of its slots.
    pub values: Vec<BindValue>,
    /// The page.
    pub window: Window,
    /// What links are made from.
    pub links: LinkBase,
    /// The client's other query parameters, encoded (`a=1&b=2`), for links to other pages.
    pub kept_query: String,
    /// Who asks, for databases that decide by row; set by the caller where they do.
    pub principal: Option<Arc<Principal>>,
    /// Which servers may answer it. The primary, unless the caller says that a somewhat older answer will do.
    pub reads_from: ReadsFrom,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// The client id or the user name.
    pub name: String,
    /// The roles that it holds.
    pub roles: Vec<String>,
}

/// What a client got wrong: 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// The parameter at fault; empty when it is the body as a whole.
    pub parameter: String,
    /// A sentence for the client.
    pub message: String,
}

impl PlanError {
    pub(crate) fn new(parameter: impl Into<String>, message: impl Into<String>) -> Self {
        Self { parameter: parameter.into(), message: message.into() }
    }
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.parameter.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "parameter `{}`: {}", self.parameter, self.message)
    }
}

impl std::error::Error for PlanError {}

/// Plans a request.
pub fn plan(
    source: &Arc<CompiledSource>,
    settings: PageSettings,
    links: LinkBase,
    values: &RequestValues<'_>,
) -> Result<Plan, PlanError> {
    let window = page::window(source, settings, values.query)?;
    let kept_query = page::kept_query(source.paging, values.query);
    let binds = source
        .slots
        .iter()
        .map(|slot| bind(slot, source, &window, values))
        .collect::<Result<Vec<_>, PlanError>>()?;
    Ok(Plan {
        source: Arc::clone(source),
        values: binds,
        window,
        links,
        kept_query,
        principal: None,
        reads_from: ReadsFrom::Primary,
    })
}

fn bind(
    slot: &Slot,
    source: &CompiledSource,
    window: &Window,
    values: &RequestValues<'_>,
) -> Result<BindValue, PlanError> {
    match &slot.source {
        // Rows of REST sources are put in when the values that they are asked for with are known.
        SlotSource::Unset | SlotSource::Remote => Ok(BindValue::Null),
        SlotSource::Implicit(implicit) => implicit_value(*implicit, window, values),
        SlotSource::Header(name) => {
            let mut found = values.headers.get_all(name).iter();
            let (first, second) = (found.next(), found.next());
            if second.is_some() {
                return Err(PlanError::new(&slot.wire_name, "the header is given twice"));
            }
            let Some(value) = first else { return Ok(BindValue::Null) };
            let text = std::str::from_utf8(value.as_bytes())
                .map_err(|_| PlanError::new(&slot.wire_name, "the header is not UTF-8"))?;
            convert::text(slot, source.dialect, text)
        }
        SlotSource::Request => request_value(slot, source, values),
    }
}

/// Path beats query beats body.
fn request_value(
    slot: &Slot,
    source: &CompiledSource,
    values: &RequestValues<'_>,
) -> Result<BindValue, PlanError> {
    let wanted = slot.wire_name.as_str();
    let from_query = only_one(wanted, values.query.iter().map(|(name, value)| (&**name, value)))?;
    let from_path = values.captures.iter().find(|(name, _)| same_name(name, wanted));
    if let Some(text) = from_path.map(|(_, value)| value).or(from_query) {
        return convert::text(slot, source.dialect, text);
    }
    if source.reads_body() {
        return Ok(BindValue::Null);
    }
    match &values.body {
        RequestBody::None | RequestBody::Raw(_) => Ok(BindValue::Null),
        RequestBody::Form(pairs) => {
            match only_one(wanted, pairs.iter().map(|(name, value)| (&**name, value)))? {
                Some(text) => convert::text(slot, source.dialect, text),
                None => Ok(BindValue::Null),
            }
        }
        RequestBody::Json(members) => {
            match only_one(wanted, members.iter().map(|(name, value)| (&**name, value)))? {
                Some(raw) => convert::json(slot, source.dialect, raw),
                None => Ok(BindValue::Null),
            }
        }
    }
}

/// The value of this name, in any letter case; two of them are an error.
fn only_one<'v, V: ?Sized>(
    wanted: &str,
    pairs: impl Iterator<Item = (&'v str, &'v V)>,
) -> Result<Option<&'v V>, PlanError> {
    let mut found = pairs.filter(|(name, _)| same_name(name, wanted));
    let first = found.next();
    if found.next().is_some() {
        return Err(PlanError::new(wanted, "it is given twice"));
    }
    Ok(first.map(|(_, value)| value))
}

fn same_name(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right) || (!left.is_ascii() && left.to_lowercase() == right.to_lowercase())
}

fn implicit_value(
    implicit: Implicit,
    window: &Window,
    values: &RequestValues<'_>,
) -> Result<BindValue, PlanError> {
    let number = |value: u64| BindValue::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    let optional = |text: Option<&str>| text.map_or(BindValue::Null, |text| BindValue::Text(text.into()));
    Ok(match implicit {
        Implicit::Body if values.body_bytes.is_empty() => BindValue::Null,
        Implicit::Body => BindValue::Blob(values.body_bytes.clone()),
        Implicit::BodyText => body::text(values.body_bytes)?,
        Implicit::BodyJson => body::json(values)?,
        Implicit::ContentType => optional(values.content_type),
        Implicit::CurrentUser => optional(values.current_user),
        Implicit::FetchOffset => number(window.offset),
        Implicit::FetchSize => number(window.fetched()),
        Implicit::RowOffset => number(window.offset.saturating_add(1)),
        Implicit::RowCount => number(window.offset.saturating_add(window.fetched())),
        Implicit::PageOffset => number(window.page),
        Implicit::PageSize => number(window.limit),
        Implicit::StatusCode | Implicit::ForwardLocation => BindValue::Null,
    })
}
