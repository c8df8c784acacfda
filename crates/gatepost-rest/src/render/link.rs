//! Links of rows.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::value::{plain, string};
use super::{ColumnKind, Columns, Row, Value, Zone};
use crate::plan::{LinkBase, QUERY};

/// What a URL reference in a column may not hold as it is.
const REFERENCE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What the URLs of a page's rows begin with, as JSON: the request's URL and a slash. Every row has one, so it is
/// escaped once.
#[derive(Debug)]
pub(super) struct RowUrl(Vec<u8>);

impl RowUrl {
    pub(super) fn new(base: &LinkBase) -> Self {
        let mut prefix = Vec::with_capacity(base.url.len() + 3);
        string(&mut prefix, base.url.trim_end_matches('/'));
        // Instead of the closing quote; what follows needs no escaping.
        prefix.pop();
        prefix.push(b'/');
        Self(prefix)
    }

    fn write(&self, out: &mut Vec<u8>, row: &impl Row, ids: &[usize]) {
        out.extend_from_slice(&self.0);
        for (place, id) in ids.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            match row.value(*id) {
                number @ Value::Integer(_) => plain(out, &number, ColumnKind::Plain, &Zone::UTC),
                value => {
                    let text = text(&value).unwrap_or_default();
                    utf8_percent_encode(&text, QUERY)
                        .for_each(|piece| out.extend_from_slice(piece.as_bytes()));
                }
            }
        }
        out.push(b'"');
    }
}

/// Writes `"links":[..]` of an item.
pub(super) fn array(
    out: &mut Vec<u8>,
    columns: &Columns,
    row: &impl Row,
    (base, url): (&LinkBase, &RowUrl),
    first: bool,
    with_collection: bool,
) {
    out.extend_from_slice(if first { b"\"links\":[" } else { b",\"links\":[" });
    let mut first = true;
    if !columns.ids.is_empty() {
        out.extend_from_slice(b"{\"rel\":\"self\",\"href\":");
        url.write(out, row, &columns.ids);
        out.push(b'}');
        first = false;
    }
    for (number, relation) in &columns.links {
        if let Some(text) = text(&row.value(*number)) {
            link(out, &mut first, relation, &resolve(base, &text));
        }
    }
    if with_collection {
        link(out, &mut first, "collection", parent(&base.url));
    }
    out.push(b']');
}

/// Writes `"rel":{"$ref":href}` members, the older way.
pub(super) fn references(
    out: &mut Vec<u8>,
    columns: &Columns,
    row: &impl Row,
    (base, url): (&LinkBase, &RowUrl),
    mut first: bool,
) {
    let mut separate = |out: &mut Vec<u8>| {
        if !first {
            out.push(b',');
        }
        first = false;
    };
    if !columns.ids.is_empty() {
        separate(out);
        out.extend_from_slice(b"\"self\":{\"$ref\":");
        url.write(out, row, &columns.ids);
        out.push(b'}');
    }
    for (number, relation) in &columns.links {
        if let Some(text) = text(&row.value(*number)) {
            separate(out);
            string(out, relation);
            out.extend_from_slice(b":{\"$ref\":");
            string(out, &resolve(base, &text));
            out.push(b'}');
        }
    }
}

/// Writes the link of a feed's item, made from its first column.
pub(super) fn feed_member(out: &mut Vec<u8>, url: &RowUrl, row: &impl Row) {
    out.extend_from_slice(b"\"uri\":{\"$ref\":");
    url.write(out, row, &[0]);
    out.push(b'}');
}

/// Writes a member of a `links` array.
pub(super) fn link(out: &mut Vec<u8>, first: &mut bool, relation: &str, href: &str) {
    if !*first {
        out.push(b',');
    }
    *first = false;
    out.extend_from_slice(b"{\"rel\":");
    string(out, relation);
    out.extend_from_slice(b",\"href\":");
    string(out, href);
    out.push(b'}');
}

fn text(value: &Value<'_>) -> Option<String> {
    if *value == Value::Null {
        return None;
    }
    let mut bytes = Vec::new();
    plain(&mut bytes, value, ColumnKind::Plain, &Zone::UTC);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The URL without its last segment.
fn parent(url: &str) -> &str {
    let trimmed = url.strip_suffix('/').unwrap_or(url);
    let cut = trimmed.rfind('/').map_or(trimmed.len(), |slash| slash + 1);
    &trimmed[..cut]
}

/// Resolves a reference against the request's URL (RFC 3986 section 5.2); `^/` begins at the context.
fn resolve(base: &LinkBase, reference: &str) -> String {
    let reference = reference.trim();
    let absolute = ["http://", "https://"]
        .iter()
        .any(|scheme| reference.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let encode = |text: &str| utf8_percent_encode(text, REFERENCE).to_string();
    if absolute {
        return encode(reference);
    }
    if let Some(rest) = reference.strip_prefix("^/") {
        return format!("{}/{}", base.context.trim_end_matches('/'), encode(rest));
    }
    let root = root_length(&base.url);
    if reference.starts_with('/') {
        let path = reference.trim_start_matches('/');
        return format!("{}/{}", &base.url[..root], encode(path));
    }
    let directory = base.url.rfind('/').map_or(base.url.len(), |slash| slash.max(root));
    let mut segments: Vec<&str> =
        base.url[root..directory].split('/').filter(|part| !part.is_empty()).collect();
    let mut rest = reference;
    loop {
        if let Some(next) = rest.strip_prefix("./") {
            rest = next;
        } else if let Some(next) = rest.strip_prefix("../") {
            segments.pop();
            rest = next;
        } else {
            break;
        }
    }
    let mut url = base.url[..root].to_owned();
    for segment in segments {
        url.push('/');
        url.push_str(segment);
    }
    url.push('/');
    url.push_str(&encode(rest));
    url
}

/// The length of scheme and authority.
fn root_length(url: &str) -> usize {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..].find('/').map_or(url.len(), |slash| after_scheme + slash)
}
