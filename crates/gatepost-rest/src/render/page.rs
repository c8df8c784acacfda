//! What stands behind the rows of a page.

use super::link::link;
use super::value::string;
use crate::plan::Plan;

/// `hasMore`, `limit`, `offset`, `count` and the links of a collection.
pub(super) fn collection(out: &mut Vec<u8>, plan: &Plan, rows: u64, has_more: bool) {
    let window = &plan.window;
    let url = plan.links.url.as_str();
    let limit = if window.unpaged && window.client_limit.is_none() { 0 } else { window.limit };
    out.extend_from_slice(b"],\"hasMore\":");
    out.extend_from_slice(if has_more { b"true" } else { b"false" });
    for (key, number) in [(",\"limit\":", limit), (",\"offset\":", window.offset), (",\"count\":", rows)] {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(number.to_string().as_bytes());
    }
    out.extend_from_slice(b",\"links\":[");
    let mut first = true;
    link(out, &mut first, "self", url);
    if let Some(described_by) = &plan.links.described_by {
        link(out, &mut first, "describedby", described_by);
    }
    link(out, &mut first, "first", &offset_url(plan, None));
    if has_more && window.limit > 0 {
        link(out, &mut first, "next", &offset_url(plan, Some(window.offset.saturating_add(window.limit))));
    }
    if window.offset > 0 {
        link(out, &mut first, "prev", &offset_url(plan, Some(window.offset.saturating_sub(window.limit))));
    }
    out.extend_from_slice(b"]}");
}

/// The links of an older collection.
pub(super) fn legacy(out: &mut Vec<u8>, plan: &Plan, has_more: bool) {
    let page = plan.window.page;
    out.push(b']');
    let paged = !plan.window.unpaged || has_more || page > 0;
    if paged {
        reference(out, "first", &page_url(plan, 0));
    }
    if has_more && plan.window.limit > 0 {
        reference(out, "next", &page_url(plan, page.saturating_add(1)));
    }
    if page > 0 {
        reference(out, "previous", &page_url(plan, page - 1));
    }
    out.push(b'}');
}

fn reference(out: &mut Vec<u8>, name: &str, href: &str) {
    out.push(b',');
    string(out, name);
    out.extend_from_slice(b":{\"$ref\":");
    string(out, href);
    out.push(b'}');
}

/// Keeps the client's limit and its other parameters.
fn offset_url(plan: &Plan, offset: Option<u64>) -> String {
    let offset = offset.map(|offset| format!("offset={offset}"));
    let limit = plan.window.client_limit.map(|limit| format!("limit={limit}"));
    with_query(plan, offset.into_iter().chain(limit))
}

fn page_url(plan: &Plan, page: u64) -> String {
    let page = (page > 0).then(|| format!("page={page}"));
    with_query(plan, page.into_iter())
}

fn with_query(plan: &Plan, own: impl Iterator<Item = String>) -> String {
    let mut url = plan.links.url.clone();
    let mut separator = '?';
    for parameter in own.chain((!plan.kept_query.is_empty()).then(|| plan.kept_query.clone())) {
        url.push(separator);
        url.push_str(&parameter);
        separator = '&';
    }
    url
}
