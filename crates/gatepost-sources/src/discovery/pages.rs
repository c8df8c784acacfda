//! How an answer shows that there are more pages.

use http::HeaderMap;
use url::Url;

use crate::address::follow;
use crate::definition::pagination::PAGE_SIZE_MAX;
use crate::definition::{
    CursorPaging, LinkHeaderPaging, NextUrlPaging, OffsetPaging, OrdsPaging, PagePaging, Pagination,
    Placement, Pointer,
};
use crate::rows::Body;

/// Members that hold the next URL.
const NEXT_URLS: [&[&str]; 9] = [
    &["@odata.nextLink"],
    &["next"],
    &["links", "next"],
    &["_links", "next", "href"],
    &["paging", "next"],
    &["pagination", "next"],
    &["meta", "next"],
    &["next_url"],
    &["nextLink"],
];

/// Members that hold the next cursor, and the parameter that such APIs take.
const CURSORS: [(&[&str], &str); 8] = [
    (&["next_cursor"], "cursor"),
    (&["nextCursor"], "cursor"),
    (&["meta", "next_cursor"], "cursor"),
    (&["response_metadata", "next_cursor"], "cursor"),
    (&["paging", "cursors", "after"], "after"),
    (&["nextPageToken"], "pageToken"),
    (&["next_page_token"], "page_token"),
    (&["continuationToken"], "continuationToken"),
];

/// Numbers of all pages and of all rows.
const PAGE_TOTALS: [&[&str]; 6] = [
    &["total_pages"],
    &["totalPages"],
    &["meta", "total_pages"],
    &["meta", "last_page"],
    &["pagination", "total_pages"],
    &["page", "totalPages"],
];
const ROW_TOTALS: [&[&str]; 6] = [
    &["total"],
    &["totalCount"],
    &["total_count"],
    &["totalResults"],
    &["meta", "total"],
    &["pagination", "total"],
];

pub(super) fn from_sample(
    body: &Body<'_>,
    headers: &HeaderMap,
    url: &Url,
    notes: &mut Vec<String>,
) -> Pagination {
    let has = |name: &str| body.find(&Pointer::of(&[name])).is_some();
    if has("items") && has("hasMore") && has("limit") && has("offset") {
        notes.push(
            "The server pages as ORDS does. Where it takes the parameter `q`, filters = \"ords\" lets it filter and sort."
                .into(),
        );
        let size = body.whole(&Pointer::of(&["limit"])).and_then(|size| u32::try_from(size).ok());
        let page_size = size.filter(|size| (1..=PAGE_SIZE_MAX).contains(size));
        return Pagination::Ords(OrdsPaging { page_size });
    }
    let linked = headers.get_all(http::header::LINK).iter().any(|value| {
        value.to_str().is_ok_and(|text| text.contains("rel=\"next\"") || text.contains("rel=next"))
    });
    if linked {
        return Pagination::LinkHeader(LinkHeaderPaging { rel: "next".into() });
    }
    if let Some(next) = NEXT_URLS.iter().map(|steps| Pointer::of(steps)).find(|at| is_next_url(body, at, url))
    {
        return Pagination::NextUrl(NextUrlPaging { next });
    }
    if let Some((steps, parameter)) =
        CURSORS.iter().find(|(steps, _)| body.find(&Pointer::of(steps)).is_some())
    {
        notes.push(format!("The parameter that takes the cursor is a guess: `{parameter}`."));
        return Pagination::Cursor(CursorPaging {
            cursor_param: (*parameter).into(),
            next: Some(Pointer::of(steps)),
            next_header: None,
            size_param: None,
            page_size: None,
            placement: Placement::Query,
        });
    }
    by_totals(body, url, notes)
}

/// A text that leads to another URL of the same origin.
fn is_next_url(body: &Body<'_>, at: &Pointer, url: &Url) -> bool {
    let Some(text) = body.token(at) else { return false };
    let is_url = text.contains("://") || text.starts_with(['/', '?']);
    is_url && follow(url, &text).is_ok_and(|next| next != *url)
}

/// Numbers only: which parameter moves on is seen from the URL, if at all.
fn by_totals(body: &Body<'_>, url: &Url, notes: &mut Vec<String>) -> Pagination {
    let find =
        |all: &[&[&str]]| all.iter().map(|steps| Pointer::of(steps)).find(|at| body.whole(at).is_some());
    let sent = |names: &[&str]| {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(name, _)| names.contains(&name.as_ref()))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
    };
    let size = sent(&["limit", "size", "page_size", "pageSize", "per_page", "perPage"]);
    let number = size.as_ref().and_then(|(_, value)| value.parse::<u32>().ok());
    let number = number.filter(|number| (1..=PAGE_SIZE_MAX).contains(number));
    let (total_pages, total) = (find(&PAGE_TOTALS), find(&ROW_TOTALS));
    if total_pages.is_some() || sent(&["page"]).is_some() {
        notes.push("The parameter `page` is a guess, and so is that pages count from 1.".into());
        return Pagination::Page(PagePaging {
            page_param: "page".into(),
            size_param: size.filter(|_| number.is_some()).map(|(name, _)| name),
            page_size: number,
            first: 1,
            placement: Placement::Query,
            has_more: None,
            total,
            total_pages,
            short_page_ends: false,
        });
    }
    if let (Some(total), true) =
        (total, body.find(&Pointer::of(&["offset"])).is_some() || sent(&["offset"]).is_some())
    {
        notes.push("The parameters `offset` and `limit` are a guess.".into());
        return Pagination::Offset(OffsetPaging {
            offset_param: "offset".into(),
            limit_param: Some(size.map_or_else(|| "limit".into(), |(name, _)| name)),
            page_size: number.unwrap_or(100),
            start: 0,
            placement: Placement::Query,
            has_more: None,
            total: Some(total),
            short_page_ends: false,
        });
    }
    notes.push("No sign of further pages was found; all rows are taken to come at once.".into());
    Pagination::None
}
