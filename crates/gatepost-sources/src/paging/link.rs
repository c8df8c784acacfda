//! The header `Link` (RFC 8288) as far as paging needs it.

use http::HeaderMap;
use http::header::LINK;

/// The target of the first link of this relation. Relations are compared without regard to letter case.
pub(super) fn find(headers: &HeaderMap, rel: &str) -> Option<String> {
    let mut values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    values.find_map(|value| find_in(value, rel))
}

fn find_in(value: &str, rel: &str) -> Option<String> {
    let mut rest = value;
    while let Some((_, opened)) = rest.split_once('<') {
        let (target, after) = opened.split_once('>')?;
        let (parameters, next) = split_at_comma(after);
        if relations(parameters)
            .is_some_and(|all| all.split_whitespace().any(|one| one.eq_ignore_ascii_case(rel)))
        {
            return Some(target.trim().to_owned());
        }
        rest = next;
    }
    None
}

/// What comes before the comma that ends a link, and what comes after it. Commas in quotes end nothing.
fn split_at_comma(text: &str) -> (&str, &str) {
    match unquoted(text).find(|(_, c)| *c == ',') {
        Some((at, _)) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// The value of the first `rel` parameter; later ones do not count (RFC 8288 section 3.3).
fn relations(parameters: &str) -> Option<&str> {
    let mut rest = parameters;
    loop {
        let end = unquoted(rest).find(|(_, c)| *c == ';').map_or(rest.len(), |(at, _)| at);
        if let Some((name, value)) = rest[..end].split_once('=')
            && name.trim().eq_ignore_ascii_case("rel")
        {
            let value = value.trim();
            return Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value));
        }
        rest = rest.get(end + 1..)?;
    }
}

/// The characters that stand in no quotes, with their places.
fn unquoted(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().filter(move |(_, c)| {
        let outside = !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        outside
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_by_relation() {
        for (value, expected) in [
            ("", None),
            ("<https://h/2>", None),
            ("<https://h/2>; rel=prev", None),
            ("<https://h/2; rel=next", None),
            ("<https://h/2>; title=\"rel=next\"", None),
            ("<https://h/2>; rel=first; rel=next", None),
            ("<https://h/2>; rel=next", Some("https://h/2")),
            ("<https://h/2>; rel=\"next\"", Some("https://h/2")),
            ("<https://h/2>;REL=\"last NEXT\"", Some("https://h/2")),
            ("< ?page=2 > ; rel = next", Some("?page=2")),
            ("<https://h/1>; rel=\"prev\", <https://h/3?a=1,2>; rel=\"next\"", Some("https://h/3?a=1,2")),
            ("<https://h/1>; title=\"a, <b>\\\"\"; rel=prev, <https://h/3>; rel=next", Some("https://h/3")),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(LINK, value.parse().unwrap());
            assert_eq!(find(&headers, "next").as_deref(), expected, "{value}");
        }
        let mut headers = HeaderMap::new();
        headers.append(LINK, "<https://h/1>; rel=first".parse().unwrap());
        headers.append(LINK, "<https://h/2>; rel=next".parse().unwrap());
        assert_eq!(find(&headers, "next").as_deref(), Some("https://h/2"));
    }
}
