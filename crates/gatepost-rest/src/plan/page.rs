//! The page that a request asks for.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{PlanError, same_name};
use crate::source::{CompiledSource, Paging};

/// What a handler and its module say about pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSettings {
    /// Rows on a page; 0 = as many as `rows_max` allows.
    pub items_per_page: u32,
    /// The most rows that one answer may have.
    pub rows_max: u64,
}

impl Default for PageSettings {
    /// The defaults of ORDS: 25 rows a page, 10,000 rows at most (`misc.pagination.maxRows`).
    fn default() -> Self {
        Self { items_per_page: 25, rows_max: 10_000 }
    }
}

/// A part of a query's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows to skip.
    pub offset: u64,
    /// Rows to show at most.
    pub limit: u64,
    /// The limit that the client named, capped.
    pub client_limit: Option<u64>,
    /// The page number of the older way.
    pub page: u64,
    /// Whether the handler has no page size of its own.
    pub unpaged: bool,
}

impl Window {
    /// Rows to fetch: one more than shown says whether there are more.
    pub fn fetched(&self) -> u64 {
        self.limit.saturating_add(1)
    }
}

/// What query strings keep as it is (RFC 3986 section 2.3).
pub(crate) const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn window(
    source: &CompiledSource,
    settings: PageSettings,
    query: &[(Cow<'_, str>, Cow<'_, str>)],
) -> Result<Window, PlanError> {
    let unpaged = settings.items_per_page == 0;
    let size = if unpaged { settings.rows_max } else { u64::from(settings.items_per_page) };
    let mut window =
        Window { offset: 0, limit: size.min(settings.rows_max), client_limit: None, page: 0, unpaged };
    match source.paging {
        Paging::None => window.limit = settings.rows_max,
        Paging::Offset => {
            let filters = query.iter().any(|(name, _)| same_name(name, "q"));
            if filters && !source.slots.iter().any(|slot| slot.wire_name.eq_ignore_ascii_case("q")) {
                return Err(PlanError::new("q", "filters are not available yet"));
            }
            window.offset = number(query, "offset")?.unwrap_or(0);
            window.client_limit = number(query, "limit")?.map(|limit| limit.min(settings.rows_max));
            window.limit = window.client_limit.unwrap_or(window.limit);
            window.page = window.offset.checked_div(window.limit).unwrap_or(0);
        }
        Paging::Page => {
            window.page = number(query, "page")?.unwrap_or(0);
            let offset =
                window.page.checked_mul(window.limit).filter(|offset| i64::try_from(*offset).is_ok());
            window.offset = offset.ok_or_else(|| PlanError::new("page", "it is too large"))?;
        }
    }
    Ok(window)
}

fn number(query: &[(Cow<'_, str>, Cow<'_, str>)], wanted: &str) -> Result<Option<u64>, PlanError> {
    let pairs = query.iter().map(|(name, value)| (&**name, &**value));
    let Some(text) = super::only_one(wanted, pairs)? else { return Ok(None) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = if digits { text.parse::<i64>().ok() } else { None };
    match value.and_then(|value| u64::try_from(value).ok()) {
        Some(value) => Ok(Some(value)),
        None => Err(PlanError::new(wanted, format!("`{text}` is not a whole number from 0"))),
    }
}

/// The parameters that links to other pages repeat.
pub(super) fn kept_query(paging: Paging, query: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    let own: &[&str] = match paging {
        Paging::None => return String::new(),
        Paging::Offset => &["offset", "limit"],
        Paging::Page => &["page"],
    };
    let mut kept = String::new();
    for (name, value) in query {
        if own.iter().any(|own| same_name(name, own)) {
            continue;
        }
        if !kept.is_empty() {
            kept.push('&');
        }
        kept.extend(utf8_percent_encode(name, QUERY));
        kept.push('=');
        kept.extend(utf8_percent_encode(value, QUERY));
    }
    kept
}
