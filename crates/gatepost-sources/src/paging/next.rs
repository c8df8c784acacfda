//! What each paginator sends, and how it tells from a page whether there is another one.

use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::{PageRequest, PageResponse, Pager, Position, link};
use crate::address::{follow, same_origin};
use crate::definition::{CursorPaging, OffsetPaging, OrdsPaging, PagePaging, Pagination, Placement, Pointer};
use crate::error::{Code, SourceError};
use crate::rows::{Body, members};

/// The next page; none after the last.
type Next = Result<Option<PageRequest>, SourceError>;

impl Pager {
    /// The page at the current position.
    pub(super) fn request(&self) -> PageRequest {
        let Position { offset, page } = self.position;
        let mut request = PageRequest::default();
        match &self.pagination {
            Pagination::None | Pagination::LinkHeader(_) | Pagination::NextUrl(_) => {}
            Pagination::Ords(it) => {
                if let Some(size) = self.size(it.page_size) {
                    request.add(Placement::Query, "limit", size);
                }
                if offset > 0 {
                    request.add(Placement::Query, "offset", offset);
                }
            }
            Pagination::Offset(it) => {
                request.add(it.placement, &it.offset_param, it.start.saturating_add(offset));
                if let (Some(name), Some(size)) = (&it.limit_param, self.size(Some(it.page_size))) {
                    request.add(it.placement, name, size);
                }
            }
            Pagination::Page(it) => {
                request.add(it.placement, &it.page_param, it.first.saturating_add(page));
                if let (Some(name), Some(size)) = (&it.size_param, it.page_size) {
                    request.add(it.placement, name, size.into());
                }
            }
            Pagination::Cursor(it) => {
                if let (Some(name), Some(size)) = (&it.size_param, it.page_size) {
                    request.add(it.placement, name, size.into());
                }
            }
        }
        request
    }

    /// Moves on by what came.
    pub(super) fn advance(&mut self, response: &PageResponse<'_>) -> Next {
        match self.pagination.clone() {
            Pagination::None => Ok(None),
            Pagination::Ords(it) => self.after_ords(&it, response),
            Pagination::Offset(it) => Ok(self.after_offset(&it, response)),
            Pagination::Page(it) => Ok(self.after_page(&it, response)),
            Pagination::Cursor(it) => self.after_cursor(&it, response),
            Pagination::LinkHeader(it) => {
                let target = link::find(response.headers, &it.rel);
                self.after_link(target, response.url)
            }
            Pagination::NextUrl(it) => {
                let target = response.body.and_then(|body| body.token(&it.next));
                self.after_link(target, response.url)
            }
        }
    }

    fn after_ords(&mut self, it: &OrdsPaging, response: &PageResponse<'_>) -> Next {
        let Some(body) = response.body else { return Ok(None) };
        let member = |name: &str| Pointer::of(&[name]);
        if body.find(&member("hasMore")).is_none() {
            return self.after_link(ords_link(body), response.url);
        }
        if body.whole(&member("offset")).is_some_and(|offset| offset != self.position.offset) {
            let detail = "the server answers with another offset than was asked for";
            return Err(SourceError::new(Code::PageLoop).with_detail(detail));
        }
        if !body.flag(&member("hasMore")) {
            return Ok(None);
        }
        let asked = body.whole(&member("limit")).or(self.size(it.page_size));
        self.position.offset += passed(response, asked);
        Ok(Some(self.request()))
    }

    fn after_offset(&mut self, it: &OffsetPaging, response: &PageResponse<'_>) -> Option<PageRequest> {
        let asked = self.size(Some(it.page_size)).filter(|_| it.limit_param.is_some());
        let received = response.rows.len() as u64;
        let end = self.position.offset + received;
        let more = has_more(it.has_more.as_ref(), response)
            .or_else(|| Some(end < total(it.total.as_ref(), response)?))
            .unwrap_or_else(|| {
                received > 0 && !(it.short_page_ends && asked.is_some_and(|size| received < size))
            });
        if !more {
            return None;
        }
        self.position.offset += passed(response, asked.or(Some(it.page_size.into())));
        Some(self.request())
    }

    fn after_page(&mut self, it: &PagePaging, response: &PageResponse<'_>) -> Option<PageRequest> {
        let received = response.rows.len() as u64;
        let page_end = self.position.page + 1;
        let more = has_more(it.has_more.as_ref(), response)
            .or_else(|| Some(page_end < total(it.total_pages.as_ref(), response)?))
            .or_else(|| Some(self.rows < total(it.total.as_ref(), response)?))
            .unwrap_or_else(|| {
                let short = it.page_size.is_some_and(|size| received < size.into());
                received > 0 && !(it.short_page_ends && short)
            });
        self.position.page = page_end;
        more.then(|| self.request())
    }

    fn after_cursor(&mut self, it: &CursorPaging, response: &PageResponse<'_>) -> Next {
        let in_body = it.next.as_ref().and_then(|next| response.body?.token(next));
        let in_header = it.next_header.as_ref().and_then(|name| {
            response.headers.get(name)?.to_str().ok().map(str::to_owned).filter(|text| !text.is_empty())
        });
        let Some(cursor) = in_body.or(in_header) else { return Ok(None) };
        if !self.seen_tokens.insert(cursor.clone()) {
            // Some servers repeat the last cursor on an empty page; with rows it is a circle.
            if response.rows.is_empty() {
                return Ok(None);
            }
            return Err(SourceError::new(Code::PageLoop).with_detail("a cursor came twice"));
        }
        let mut request = self.request();
        request.add_value(it.placement, &it.cursor_param, Value::String(cursor));
        Ok(Some(request))
    }

    /// A link to the next page, wherever it stood.
    fn after_link(&mut self, target: Option<String>, current: &Url) -> Next {
        let Some(target) = target else { return Ok(None) };
        let next = follow(current, &target)?;
        let allowed = self.valid_for.as_ref().is_none_or(|valid_for| valid_for.covers(&next));
        if !same_origin(&self.base_url, &next) || !allowed {
            let detail = "the next page is outside of the remote server or of the credential's valid_for";
            return Err(SourceError::new(Code::PageCrossOrigin).with_detail(detail));
        }
        self.seen_tokens.insert(current.to_string());
        if !self.seen_tokens.insert(next.to_string()) {
            return Err(SourceError::new(Code::PageLoop).with_detail("a next link came twice"));
        }
        Ok(Some(PageRequest { url: Some(next), ..PageRequest::default() }))
    }

    /// The size to ask for: no more than is wanted.
    fn size(&self, page_size: Option<u32>) -> Option<u64> {
        let page_size = page_size.map(u64::from);
        let wanted = self.wanted.map(|wanted| wanted.saturating_sub(self.rows).max(1));
        page_size.map(|size| wanted.map_or(size, |wanted| size.min(wanted)))
    }
}

impl PageRequest {
    fn add(&mut self, placement: Placement, name: &str, number: u64) {
        self.add_value(placement, name, Value::from(number));
    }

    fn add_value(&mut self, placement: Placement, name: &str, value: Value) {
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match placement {
            Placement::Query => self.query.push((name.to_owned(), text)),
            Placement::Header => self.headers.push((name.to_owned(), text)),
            Placement::Body => self.body.push((name.to_owned(), value)),
        }
    }
}

/// By how many rows to move on: by those that came, or past a page that is empty though there is more.
fn passed(response: &PageResponse<'_>, asked: Option<u64>) -> u64 {
    match response.rows.len() as u64 {
        0 => asked.unwrap_or(1).max(1),
        received => received,
    }
}

fn has_more(at: Option<&Pointer>, response: &PageResponse<'_>) -> Option<bool> {
    at.map(|at| response.body.is_some_and(|body| body.flag(at)))
}

fn total(at: Option<&Pointer>, response: &PageResponse<'_>) -> Option<u64> {
    response.body?.whole(at?)
}

/// The link `next` of an ORDS answer: `links` is a list of `rel` and `href`.
fn ords_link(body: &Body<'_>) -> Option<String> {
    let links = body.find(&Pointer::of(&["links"]))?;
    let links: Vec<&RawValue> = serde_json::from_str(links.get()).ok()?;
    links.into_iter().find_map(|link| {
        let members = members(link)?;
        let text = |name: &str| {
            let (_, value) = members.iter().find(|(other, _)| other == name)?;
            serde_json::from_str::<String>(value.get()).ok()
        };
        (text("rel")? == "next").then(|| text("href")).flatten()
    })
}
