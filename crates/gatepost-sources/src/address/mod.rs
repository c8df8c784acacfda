//! From base URL, path, values and parameters to the URL that is called. Values can fill a segment and never more.

mod valid_for;

pub use valid_for::ValidFor;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::error::{Code, SourceError};

/// All but the unreserved characters (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The URL has at most this many bytes; servers refuse longer ones anyway.
pub const URL_BYTES_MAX: usize = 16 * 1024;

/// A redirect is followed at most this many times.
pub const REDIRECTS_MAX: u8 = 3;

/// Joins a base URL and a path by concatenation, with one slash between them. An empty path is the base itself.
pub fn join(base_url: &str, path: &str) -> String {
    let (base, path) = (base_url.trim_end_matches('/'), path.strip_prefix('/').unwrap_or(path));
    if path.is_empty() { base.to_owned() } else { format!("{base}/{path}") }
}

/// Appends an operation's path to a source's path, both as checked definitions have them. An empty one leaves that as
/// it is: to many servers a final slash makes another path.
pub fn append(source_path: &str, path: &str) -> String {
    let path = path.strip_prefix('/').unwrap_or(path);
    match (source_path.trim_end_matches('/'), path) {
        (_, "") => source_path.to_owned(),
        ("", _) => path.to_owned(),
        (source_path, _) => format!("{source_path}/{path}"),
    }
}

/// A value as a part of a path segment: all but letters, digits and `-._~` escaped.
pub fn encode_segment(value: &str) -> String {
    utf8_percent_encode(value, SEGMENT).to_string()
}

/// Puts values into the braces of a path. A segment that ends up empty is refused, and so is one with `.` or `..`
/// as a whole or between slashes: no escape keeps a server from taking those as steps.
pub fn fill_path<'v>(path: &str, value: impl Fn(&str) -> Option<&'v str>) -> Result<String, SourceError> {
    let segments: Result<Vec<_>, _> = path.split('/').map(|segment| fill_segment(segment, &value)).collect();
    Ok(segments?.join("/"))
}

fn fill_segment<'v>(segment: &str, value: &impl Fn(&str) -> Option<&'v str>) -> Result<String, SourceError> {
    if !segment.contains('{') {
        return Ok(segment.to_owned());
    }
    let mut filled = String::new();
    let mut rest = segment;
    while let Some((before, inner)) = rest.split_once('{') {
        let (name, after) = inner.split_once('}').unwrap_or((inner, ""));
        let text = value(name).ok_or_else(|| {
            SourceError::new(Code::ParameterMissing).with_detail(format!("path parameter `{name}`"))
        })?;
        filled.push_str(before);
        filled.push_str(&encode_segment(text));
        rest = after;
    }
    filled.push_str(rest);
    if filled.is_empty() || valid_for::hides_steps(&filled) {
        let detail = format!("path segment `{segment}`: the value cannot be a segment");
        return Err(SourceError::new(Code::ParameterInvalid).with_detail(detail));
    }
    Ok(filled)
}

/// The URL to call: base, filled path, and the parameters in their order. The result keeps the origin of the base and
/// all its segments, or it is an error.
pub fn request_url(base_url: &str, path: &str, query: &[(String, String)]) -> Result<Url, SourceError> {
    let broken = || SourceError::new(Code::DefinitionBroken).with_detail("base URL and path make no URL");
    let base = Url::parse(base_url).map_err(|_| broken())?;
    let mut url = Url::parse(&join(base_url, path)).map_err(|_| broken())?;
    if !same_origin(&base, &url) || url.query().is_some() || url.fragment().is_some() {
        return Err(broken());
    }
    if !ValidFor::of_urls([base_url]).covers(&url) {
        return Err(broken());
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    if url.as_str().len() > URL_BYTES_MAX {
        let detail = format!("the URL would have more than {URL_BYTES_MAX} bytes");
        return Err(SourceError::new(Code::ParameterInvalid).with_detail(detail));
    }
    Ok(url)
}

/// Whether two URLs have the same scheme, host and port.
pub fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Reads a link that an answer to `current` holds: relative to that URL, within its origin, without a user. The
/// fragment goes. What the credential is valid for is asked of [`ValidFor`] besides.
pub fn follow(current: &Url, link: &str) -> Result<Url, SourceError> {
    let shown = crate::error::quote(link.split(['?', '#']).next().unwrap_or_default(), 200);
    let mut next = current
        .join(link.trim())
        .map_err(|_| SourceError::new(Code::PageInvalid).with_detail(format!("not a URL: {shown}")))?;
    if link.len() > URL_BYTES_MAX {
        return Err(SourceError::new(Code::PageInvalid).with_detail("the URL is too long"));
    }
    if !same_origin(current, &next) || !next.username().is_empty() || next.password().is_some() {
        let origin = next.origin().ascii_serialization();
        return Err(SourceError::new(Code::PageCrossOrigin).with_detail(format!("origin {origin}")));
    }
    next.set_fragment(None);
    Ok(next)
}

/// Where a redirect leads, if it may be followed: GET and HEAD only, within the origin, and not too often. The caller
/// asks egress policy and valid-for again. `redirects` counts those followed so far.
pub fn follow_redirect(
    method: &http::Method,
    current: &Url,
    location: Option<&str>,
    redirects: u8,
) -> Result<Url, SourceError> {
    let refuse = |detail: String| SourceError::new(Code::ApiRedirected).with_detail(detail);
    if !matches!(*method, http::Method::GET | http::Method::HEAD) {
        return Err(refuse(format!("a redirect of {method} is not followed")));
    }
    if redirects >= REDIRECTS_MAX {
        return Err(refuse(format!("more than {REDIRECTS_MAX} redirects")));
    }
    let location = location.ok_or_else(|| refuse("a redirect without Location".into()))?;
    follow(current, location).map_err(|error| refuse(error.detail.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(path: &str, value: &str) -> Option<String> {
        fill_path(path, |name| (name == "a").then_some(value)).ok()
    }

    #[test]
    fn paths_are_joined_not_resolved() {
        assert_eq!(join("https://h/ords/hr", "/oauth/token"), "https://h/ords/hr/oauth/token");
        assert_eq!(join("https://h/ords/hr/", "oauth/token"), "https://h/ords/hr/oauth/token");
        assert_eq!(join("https://h", "employees/"), "https://h/employees/");
        assert_eq!(join("https://h/x", ""), "https://h/x");
        assert_eq!(append("employees/", "{empno}"), "employees/{empno}");
        assert_eq!(append("employees/", ""), "employees/");
        assert_eq!(append("employees", ""), "employees");
        assert_eq!(append("", "{empno}"), "{empno}");
    }

    #[test]
    fn values_stay_in_their_segment() {
        assert_eq!(fill("x/{a}/y", "1/2").as_deref(), Some("x/1%2F2/y"));
        assert_eq!(fill("x/{a}", "a?b#c").as_deref(), Some("x/a%3Fb%23c"));
        assert_eq!(
            fill("x/{a},{a}.json", "\u{e4} b%").as_deref(),
            Some("x/%C3%A4%20b%25,%C3%A4%20b%25.json")
        );
        assert_eq!(fill("x/v{a}", "..").as_deref(), Some("x/v.."));
        for value in ["", ".", "..", "../../etc", "a/..", "a\\..\\b", "a\0"] {
            assert_eq!(fill("x/{a}/y", value), None, "{value}");
        }
        assert_eq!(fill("x/.{a}", "."), None);
        assert_eq!(fill("x/{b}", "1"), None);
    }

    #[test]
    fn request_urls_keep_the_base() {
        let query = [("q".to_owned(), r#"{"a":{"$eq":1}}&b"#.to_owned())];
        let url = request_url("https://h/ords/hr", "emp/7%2F8/", &query);
        assert_eq!(
            url.unwrap().as_str(),
            "https://h/ords/hr/emp/7%2F8/?q=%7B%22a%22%3A%7B%22%24eq%22%3A1%7D%7D%26b"
        );
        let long = [("q".to_owned(), "x".repeat(URL_BYTES_MAX))];
        assert_eq!(request_url("https://h", "", &long).unwrap_err().code, Code::ParameterInvalid);
        for path in ["../x", "a/../../../x", "a?b", "a#b"] {
            assert!(request_url("https://h/ords/hr", path, &[]).is_err(), "{path}");
        }
    }

    #[test]
    fn links_stay_within_the_origin() {
        let current = Url::parse("https://h:8443/ords/hr/emp/?offset=0").unwrap();
        let follow = |link: &str| follow(&current, link).map(String::from).map_err(|error| error.code);
        for link in [
            "https://evil.example/ords/hr/emp/?offset=25",
            "//evil.example/x",
            "http://h:8443/ords/hr/emp/",
            "https://h/ords/hr/emp/",
            "https://user@h:8443/ords/hr/emp/",
            "https://h:8443@evil.example/",
            "\\\\evil.example\\x",
            "javascript:alert(1)",
        ] {
            assert_eq!(follow(link), Err(Code::PageCrossOrigin), "{link}");
        }
        assert_eq!(follow("http://[::1"), Err(Code::PageInvalid));
        assert_eq!(follow("https://H:8443/x?a=1#f").as_deref(), Ok("https://h:8443/x?a=1"));
        assert_eq!(follow("?offset=25").as_deref(), Ok("https://h:8443/ords/hr/emp/?offset=25"));
        assert_eq!(follow("/other").as_deref(), Ok("https://h:8443/other"));
    }

    #[test]
    fn redirects_are_for_reading_within_the_origin_and_few() {
        let current = Url::parse("https://h/a").unwrap();
        let to = |method: http::Method, location: Option<&str>, redirects| {
            follow_redirect(&method, &current, location, redirects)
                .map(String::from)
                .map_err(|error| error.code)
        };
        let refused = Err(Code::ApiRedirected);
        assert_eq!(to(http::Method::POST, Some("/b"), 0), refused);
        assert_eq!(to(http::Method::GET, None, 0), refused);
        assert_eq!(to(http::Method::GET, Some("/b"), REDIRECTS_MAX), refused);
        assert_eq!(to(http::Method::GET, Some("http://h/b"), 0), refused);
        assert_eq!(to(http::Method::GET, Some("https://evil.example/b"), 0), refused);
        assert_eq!(to(http::Method::GET, Some("/b"), 0).as_deref(), Ok("https://h/b"));
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_place(value in ".*") {
            let Ok(path) = fill_path("x/{a}/y", |_| Some(&value)) else { return Ok(()) };
            let url = request_url("https://h/base", &path, &[]).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 4, "{}", url);
            prop_assert_eq!((segments[0], segments[1], segments[3]), ("base", "x", "y"));
            let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8().unwrap();
            prop_assert_eq!(decoded.as_ref(), value.as_str());
            prop_assert!(url.query().is_none() && url.fragment().is_none());
        }
    }
}
