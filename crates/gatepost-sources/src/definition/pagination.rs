//! How a source hands out its pages. Each paginator knows how the last page is recognized; one that could not is
//! refused.

use serde::{Deserialize, Serialize};

use super::wire::{check_header_name, check_parameter_name, check_settable_header};
use super::{Checked, DefinitionError, Pointer, check_between, words};

/// A page has at most this many rows.
pub const PAGE_SIZE_MAX: u32 = 10_000;

/// The paginator of a source (`pagination.type`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pagination {
    /// All rows come at once.
    #[default]
    None,
    /// As ORDS does: `limit` and `offset` out; `hasMore` in, else a link `next`.
    Ords(OrdsPaging),
    /// A row number and, mostly, a size.
    Offset(OffsetPaging),
    /// A page number and, mostly, a size.
    Page(PagePaging),
    /// A token of the answer names the next page.
    Cursor(CursorPaging),
    /// The header `Link` has the next URL (RFC 8288).
    LinkHeader(LinkHeaderPaging),
    /// A member of the answer has the next URL.
    NextUrl(NextUrlPaging),
}

/// Paging as ORDS does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdsPaging {
    /// Rows asked for at a time; absent: the server's size.
    pub page_size: Option<u32>,
}

/// Paging by row number. An empty page always ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetPaging {
    /// Carries the number of the first row.
    pub offset_param: String,
    /// Carries the size; absent: none is sent.
    pub limit_param: Option<String>,
    /// Rows asked for at a time.
    pub page_size: u32,
    /// The number of the very first row.
    pub start: u64,
    /// Where both parameters go.
    pub placement: Placement,
    /// A member that is false, null or absent on the last page.
    pub has_more: Option<Pointer>,
    /// A member with the number of all rows.
    pub total: Option<Pointer>,
    /// A page with fewer rows than were asked for is the last. Off by default: servers clamp sizes.
    pub short_page_ends: bool,
}

/// Paging by page number. An empty page always ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagePaging {
    /// Carries the number of the page.
    pub page_param: String,
    /// Carries the size; absent: the server's size is fixed, and `page_size` says what it is, if known.
    pub size_param: Option<String>,
    /// Rows of a full page.
    pub page_size: Option<u32>,
    /// The number of the first page.
    pub first: u64,
    /// Where both parameters go.
    pub placement: Placement,
    /// A member that is false, null or absent on the last page.
    pub has_more: Option<Pointer>,
    /// A member with the number of all rows.
    pub total: Option<Pointer>,
    /// A member with the number of all pages.
    pub total_pages: Option<Pointer>,
    /// A page with fewer rows than `page_size` is the last.
    pub short_page_ends: bool,
}

/// Paging by a token. An absent, null, empty or repeated one ends it; the last is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorPaging {
    /// Carries the token.
    pub cursor_param: String,
    /// The member with the next token.
    pub next: Option<Pointer>,
    /// The header with the next token.
    pub next_header: Option<String>,
    /// Carries the size.
    pub size_param: Option<String>,
    /// Rows asked for at a time.
    pub page_size: Option<u32>,
    /// Where both parameters go.
    pub placement: Placement,
}

/// Paging by the header `Link`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkHeaderPaging {
    /// The relation of the next page.
    pub rel: String,
}

/// Paging by a URL in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextUrlPaging {
    /// The member with the URL; absent, null or empty on the last page.
    pub next: Pointer,
}

words! {
    /// Where a paging parameter goes.
    Placement {
        /// The query string.
        Query = "query",
        /// A header.
        Header = "header",
        /// A member of the JSON body.
        Body = "body",
    }
}

impl Pagination {
    /// The words of `type`.
    pub const TYPES: [&'static str; 7] =
        ["none", "ords", "offset", "page", "cursor", "link_header", "next_url"];

    /// The word of `type`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => Self::TYPES[0],
            Self::Ords(_) => Self::TYPES[1],
            Self::Offset(_) => Self::TYPES[2],
            Self::Page(_) => Self::TYPES[3],
            Self::Cursor(_) => Self::TYPES[4],
            Self::LinkHeader(_) => Self::TYPES[5],
            Self::NextUrl(_) => Self::TYPES[6],
        }
    }

    /// The names it sends, with the place that they go to.
    pub fn sent_names(&self) -> Vec<(Placement, &str)> {
        let (placement, names) = match self {
            Self::None | Self::LinkHeader(_) | Self::NextUrl(_) => return Vec::new(),
            Self::Ords(_) => (Placement::Query, vec![Some("limit"), Some("offset")]),
            Self::Offset(it) => {
                (it.placement, vec![Some(it.offset_param.as_str()), it.limit_param.as_deref()])
            }
            Self::Page(it) => (it.placement, vec![Some(it.page_param.as_str()), it.size_param.as_deref()]),
            Self::Cursor(it) => {
                (it.placement, vec![Some(it.cursor_param.as_str()), it.size_param.as_deref()])
            }
        };
        names.into_iter().flatten().map(|name| (placement, name)).collect()
    }

    /// Checks names, sizes and that the last page can be recognized.
    pub(super) fn check(&self) -> Checked {
        let keys: &[&str] = match self {
            Self::Offset(_) => &["offset_param", "limit_param"],
            Self::Page(_) => &["page_param", "size_param"],
            Self::Cursor(_) => &["cursor_param", "size_param"],
            _ => &[],
        };
        let names = self.sent_names();
        for (key, (placement, name)) in keys.iter().zip(&names) {
            match placement {
                Placement::Header => check_settable_header(key, name)?,
                Placement::Query | Placement::Body => check_parameter_name(key, name)?,
            }
        }
        if let [(_, first), (_, second)] = names.as_slice()
            && first == second
        {
            return Err(DefinitionError::new(keys[1], "both parameters have the same name"));
        }
        match self {
            Self::None => Ok(()),
            Self::Ords(it) => check_size(it.page_size),
            Self::Offset(it) => it.check(),
            Self::Page(it) => it.check(),
            Self::Cursor(it) => it.check(),
            Self::LinkHeader(it) => it.check(),
            Self::NextUrl(it) => it.check(),
        }
    }
}

impl OffsetPaging {
    fn check(&self) -> Checked {
        check_size(Some(self.page_size))?;
        if self.short_page_ends && self.limit_param.is_none() {
            let rule = "without `limit_param` no size is asked for, so no page is short";
            return Err(DefinitionError::new("short_page_ends", rule));
        }
        Ok(())
    }
}

impl PagePaging {
    fn check(&self) -> Checked {
        check_size(self.page_size)?;
        if self.size_param.is_some() && self.page_size.is_none() {
            return Err(DefinitionError::new("page_size", "`size_param` needs a `page_size` to send"));
        }
        if self.short_page_ends && self.page_size.is_none() {
            return Err(DefinitionError::new("short_page_ends", "a page is short of a `page_size` only"));
        }
        Ok(())
    }
}

impl CursorPaging {
    fn check(&self) -> Checked {
        check_size(self.page_size)?;
        if self.size_param.is_some() != self.page_size.is_some() {
            return Err(DefinitionError::new("page_size", "`size_param` and `page_size` go together"));
        }
        match (&self.next, &self.next_header) {
            (None, None) => {
                let rule = "no stop condition: name `next` (a pointer) or `next_header`";
                Err(DefinitionError::new("next", rule))
            }
            (Some(_), Some(_)) => Err(DefinitionError::new("next_header", "`next` is given already")),
            (Some(next), None) => check_not_root("next", next),
            (None, Some(header)) => check_header_name("next_header", header),
        }
    }
}

impl LinkHeaderPaging {
    fn check(&self) -> Checked {
        let is_part = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '<' | '>');
        if self.rel.is_empty() || self.rel.len() > 128 || !self.rel.chars().all(is_part) {
            return Err(DefinitionError::new("rel", "a link relation such as `next` is needed"));
        }
        Ok(())
    }
}

impl NextUrlPaging {
    fn check(&self) -> Checked {
        check_not_root("next", &self.next)
    }
}

fn check_size(size: Option<u32>) -> Checked {
    size.map_or(Ok(()), |size| check_between("page_size", size.into(), 1, PAGE_SIZE_MAX.into()))
}

fn check_not_root(key: &str, pointer: &Pointer) -> Checked {
    if pointer.is_root() {
        return Err(DefinitionError::new(key, "the whole body cannot name the next page"));
    }
    Ok(())
}
