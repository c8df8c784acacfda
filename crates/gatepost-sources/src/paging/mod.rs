//! From one page to the next, as a state machine: it says what to send, is told what came, and says what to do.
//!
//! It advances by the rows that came, not by those that were asked for, because servers clamp sizes. It stops at the
//! source's limits and says so. It ends in an error where a server would lead it in a circle or to another origin.

mod link;
mod next;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::HeaderMap;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::address::ValidFor;
use crate::definition::{Limits, Pagination, RestSource};
use crate::error::{Code, SourceError};
use crate::rows::Body;

/// So many pages without a row may follow each other while the server says that there is more.
pub const EMPTY_PAGES_MAX: u32 = 10;

/// What a page adds to the request for rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Replaces path and query: a link that the server gave, judged already.
    pub url: Option<Url>,
    /// More query parameters.
    pub query: Vec<(String, String)>,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// Members of the body, by name or by a pointer that begins with `/`.
    pub body: Vec<(String, Value)>,
}

/// What came.
#[derive(Clone, Copy, Debug)]
pub struct PageResponse<'p> {
    /// The URL that was asked, after redirects.
    pub url: &'p Url,
    /// The answer's headers.
    pub headers: &'p HeaderMap,
    /// Its body; none when the answer counts as empty.
    pub body: Option<&'p Body<'p>>,
    /// The rows in it, as [`Body::rows`] gives them.
    pub rows: &'p [&'p RawValue],
    /// The size of the body, decompressed.
    pub bytes: u64,
    /// How long the whole fetch has taken so far.
    pub elapsed: Duration,
}

/// What to do after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask for this page.
    Next(PageRequest),
    /// That was the last page.
    Done,
    /// The rows that were wanted are there. There may be more.
    Enough,
    /// A limit was reached before the last page.
    Truncated(Truncation),
    /// No further page can be had.
    Failed(SourceError),
}

/// The limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncation {
    /// `limits.max_pages`.
    Pages,
    /// `limits.max_rows`.
    Rows,
    /// `limits.max_bytes`.
    Bytes,
    /// `limits.max_time`.
    Time,
}

impl Truncation {
    /// The key of the limit in the definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pages => "max_pages",
            Self::Rows => "max_rows",
            Self::Bytes => "max_bytes",
            Self::Time => "max_time",
        }
    }
}

/// Which rows are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Rows to leave out at the beginning.
    pub offset: u64,
    /// Rows wanted then; absent: all.
    pub limit: Option<u64>,
}

/// The state of a fetch.
#[derive(Clone, Debug)]
pub struct Pager {
    pagination: Pagination,
    limits: Limits,
    base_url: Url,
    valid_for: Option<ValidFor>,
    /// Rows at the beginning that the caller drops, because the server cannot.
    skip: u64,
    /// Rows to fetch, those to be dropped included.
    wanted: Option<u64>,
    position: Position,
    pages: u32,
    rows: u64,
    bytes: u64,
    empty_pages: u32,
    seen_tokens: HashSet<String>,
    seen_pages: HashSet<u64>,
    repeated_single_rows: u32,
}

/// Where the current page begins, by the paginator's own measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    /// The number of its first row, from 0.
    offset: u64,
    /// Its own number, from 0.
    page: u64,
}

impl Pager {
    /// Begins a fetch of a source. `base_url` is its server's. `valid_for` is what the credential is valid for, if the
    /// source has one: next pages must be covered by it, too.
    pub fn new(source: &RestSource, base_url: &Url, valid_for: Option<ValidFor>, window: Window) -> Self {
        let mut pager = Self {
            pagination: source.pagination.clone(),
            limits: source.limits.clone(),
            base_url: base_url.clone(),
            valid_for,
            skip: window.offset,
            wanted: window.limit.map(|limit| limit.saturating_add(window.offset)),
            position: Position::default(),
            pages: 0,
            rows: 0,
            bytes: 0,
            empty_pages: 0,
            seen_tokens: HashSet::new(),
            seen_pages: HashSet::new(),
            repeated_single_rows: 0,
        };
        if matches!(pager.pagination, Pagination::Ords(_) | Pagination::Offset(_)) {
            pager.position.offset = window.offset;
            pager.skip = 0;
            pager.wanted = window.limit;
        }
        pager
    }

    /// Rows at the beginning of what comes that the caller drops: those before the window, where the server cannot
    /// leave them out.
    pub fn rows_to_skip(&self) -> u64 {
        self.skip
    }

    /// The first page.
    pub fn first(&self) -> PageRequest {
        self.request()
    }

    /// How many rows of the next page may be kept by `limits.max_rows`.
    pub fn rows_left(&self) -> u64 {
        self.limits.max_rows.saturating_sub(self.rows)
    }

    /// How many bytes the next body may have. A longer one is not read to its end; see [`Pager::too_large`].
    pub fn bytes_left(&self) -> u64 {
        self.limits.max_bytes.saturating_sub(self.bytes)
    }

    /// How long the fetch may still take.
    pub fn time_left(&self, elapsed: Duration) -> Duration {
        Duration::from_millis(self.limits.max_time_ms).saturating_sub(elapsed)
    }

    /// What to do when a body is longer than [`Pager::bytes_left`].
    pub fn too_large(&self) -> Step {
        self.cut(Truncation::Bytes, Code::ApiTooLarge)
    }

    /// What to do when [`Pager::time_left`] has run out within a page.
    pub fn out_of_time(&self) -> Step {
        self.cut(Truncation::Time, Code::ApiTimeout)
    }

    /// Takes note of a page and says what is next.
    pub fn next(&mut self, response: &PageResponse<'_>) -> Step {
        let received = response.rows.len() as u64;
        self.pages += 1;
        self.rows = self.rows.saturating_add(received);
        self.bytes = self.bytes.saturating_add(response.bytes);
        self.empty_pages = if received == 0 { self.empty_pages + 1 } else { 0 };
        if self.rows > self.limits.max_rows {
            return Step::Truncated(Truncation::Rows);
        }
        if self.wanted.is_some_and(|wanted| self.rows >= wanted) {
            return Step::Enough;
        }
        if self.pagination != Pagination::None && self.is_repeated(response.rows) {
            let detail = format!("page {} has the rows of an earlier page", self.pages);
            return Step::Failed(SourceError::new(Code::PageLoop).with_detail(detail));
        }
        match self.advance(response) {
            Ok(None) => Step::Done,
            Ok(Some(_)) if self.empty_pages >= EMPTY_PAGES_MAX => {
                let detail =
                    format!("{EMPTY_PAGES_MAX} pages without rows, and the server says that there is more");
                Step::Failed(SourceError::new(Code::PageLoop).with_detail(detail))
            }
            Ok(Some(request)) => match self.limit_reached(response.elapsed) {
                Some(limit) => Step::Truncated(limit),
                None => Step::Next(request),
            },
            Err(error) => Step::Failed(error),
        }
    }

    fn limit_reached(&self, elapsed: Duration) -> Option<Truncation> {
        if self.pages >= self.limits.max_pages {
            Some(Truncation::Pages)
        } else if self.rows >= self.limits.max_rows {
            Some(Truncation::Rows)
        } else if self.bytes >= self.limits.max_bytes {
            Some(Truncation::Bytes)
        } else if self.time_left(elapsed).is_zero() {
            Some(Truncation::Time)
        } else {
            None
        }
    }

    fn cut(&self, limit: Truncation, code: Code) -> Step {
        // Without a single page there is nothing to show.
        if self.pages == 0 { Step::Failed(code.into()) } else { Step::Truncated(limit) }
    }

    /// Whether a page has the same rows as an earlier one. One row alone may come twice by chance, so pages of one row
    /// count only from the third repetition in a row.
    fn is_repeated(&mut self, rows: &[&RawValue]) -> bool {
        if rows.is_empty() {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        for row in rows {
            row.get().hash(&mut hasher);
        }
        let new = self.seen_pages.insert(hasher.finish());
        self.repeated_single_rows = if new { 0 } else { self.repeated_single_rows + 1 };
        !new && (rows.len() > 1 || self.repeated_single_rows >= 3)
    }
}
