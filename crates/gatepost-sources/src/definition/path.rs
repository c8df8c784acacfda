//! The two texts that make an address: a base URL, and a path below it.
//!
//! They are joined by concatenation, as APEX does; resolving them as RFC 3986 would lose the base's last segments
//! when the path begins with a slash. So a path may hold nothing that changes where it leads.

use url::{Host, Url};

use super::{Checked, DefinitionError};

const URL_LENGTH_MAX: usize = 2_000;
const PATH_LENGTH_MAX: usize = 1_000;

/// Checks and normalizes a base URL or an entry of a valid-for list: `http` or `https`, a host, a path; no user, query
/// or fragment. The host becomes ASCII and lower case, the scheme's own port goes, and so does a trailing slash.
pub fn check_base_url(key: &str, text: &str) -> Checked<String> {
    let refuse = |rule: &str| Err(DefinitionError::new(key, rule));
    let lower = text.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")) else {
        return refuse("a URL that begins with https:// (or http://) is needed");
    };
    if text.len() > URL_LENGTH_MAX {
        return refuse("the URL is too long");
    }
    // The parser would take all of these and mean something else.
    if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return refuse("a URL has no spaces, control characters or backslashes");
    }
    if text.contains(['?', '#', '{', '}']) {
        return refuse("a base URL has no query, no fragment and no placeholders");
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // The parser would skip slashes until it finds a host.
    if authority.is_empty() || path.starts_with('/') || path.trim_end_matches('/').contains("//") {
        return refuse("the URL has no host, or an empty segment");
    }
    if authority.contains('@') {
        return refuse("a user name or password in a URL is not allowed; use a credential");
    }
    check_segments(key, path.split('/').filter(|segment| !segment.is_empty()))?;
    let Ok(url) = Url::parse(text) else {
        return refuse("this is not a URL with a host");
    };
    let is_name = |name: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        !name.is_empty() && name.chars().all(allowed)
    };
    match url.host() {
        None => return refuse("the URL has no host"),
        Some(Host::Domain(name)) if !is_name(name) => {
            return refuse("the host has characters that no name has");
        }
        Some(_) => {}
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Checks a path below a base URL and takes off a slash at its beginning. `{name}` stands for a path parameter.
pub fn check_path(key: &str, text: &str) -> Checked<String> {
    let path = text.strip_prefix('/').unwrap_or(text);
    let refuse = |rule: &str| Err(DefinitionError::new(key, rule));
    if path.len() > PATH_LENGTH_MAX {
        return refuse("the path is too long");
    }
    if path.contains(['?', '#']) {
        return refuse("a path has no query and no fragment; declare a parameter with `in = \"query\"`");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/{}".contains(c);
    if !path.chars().all(allowed) {
        return refuse("a path has letters, digits and -._~!$&'()*+,;=:@ only; escape others as %XX");
    }
    if path.split('/').next().is_some_and(|first| first.contains(':')) {
        return refuse("the first segment has a colon and could be taken for a scheme");
    }
    if path.starts_with('/') || path.contains("//") {
        return refuse("a path has no empty segments");
    }
    check_segments(key, path.split('/'))?;
    path_parameters(path).map_err(|rule| DefinitionError::new(key, rule))?;
    Ok(path.to_owned())
}

/// The names in braces, in order. A segment is either literal or has parameters in it; braces do not nest.
pub fn path_parameters(path: &str) -> Result<Vec<&str>, &'static str> {
    let mut names = Vec::new();
    let mut rest = path;
    while let Some(at) = rest.find(['{', '}']) {
        let inner = rest[at..].strip_prefix('{').ok_or("a `}` without a `{`")?;
        let (name, after) = inner.split_once('}').ok_or("a `{` without a `}`")?;
        if super::check_name("", name).is_err() {
            return Err("braces hold the name of a path parameter");
        }
        names.push(name);
        rest = after;
    }
    Ok(names)
}

/// No segment may be, once decoded, a dot segment or hold a slash; every escape must be whole.
fn check_segments<'p>(key: &str, segments: impl Iterator<Item = &'p str>) -> Checked {
    for segment in segments {
        let lower = segment.to_ascii_lowercase();
        let whole = lower.match_indices('%').all(|(at, _)| {
            let digits = lower.as_bytes().get(at + 1..at + 3);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        });
        if !whole {
            return Err(DefinitionError::new(key, "a % is followed by two hexadecimal digits"));
        }
        if ["%2f", "%5c", "%00"].iter().any(|escape| lower.contains(escape)) {
            return Err(DefinitionError::new(key, "an escaped slash, backslash or NUL is not allowed"));
        }
        if matches!(lower.replace("%2e", ".").as_str(), "." | "..") {
            return Err(DefinitionError::new(key, "`.` and `..` are not allowed as segments"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_that_could_mislead_are_refused() {
        for text in [
            "",
            "hr.example.com",
            "ftp://hr.example.com",
            "https:hr.example.com",
            "https:/hr.example.com",
            "https://",
            "https:///ords",
            "https://h//ords",
            "https://h/a//b",
            "https://user@hr.example.com",
            "https://user:pw@hr.example.com/ords",
            "https://hr.example.com@evil.example",
            "https://hr.example.com\\@evil.example",
            "https://hr.example.com/ords?x=1",
            "https://hr.example.com/#a",
            "https://hr.example.com/a/../b",
            "https://hr.example.com/a/%2e%2E/b",
            "https://hr.example.com/a%2fb",
            "https://hr.example.com/a%5Cb",
            "https://hr.example.com/a%",
            "https://hr.exa\tmple.com/",
            " https://hr.example.com/",
            "https://hr.example.com:99999/",
            "https://hr example.com/",
            "https://{tenant}.example.com/",
            "https://hr.example.com/{tenant}",
            "https://hr*.example.com/",
            "https://hr,example.com/",
        ] {
            assert!(check_base_url("base_url", text).is_err(), "{text}");
        }
    }

    #[test]
    fn base_urls_have_one_spelling() {
        let normal = |text: &str| check_base_url("base_url", text).unwrap();
        assert_eq!(normal("https://HR.Example.com:443/ords/hr/"), "https://hr.example.com/ords/hr");
        assert_eq!(normal("https://hr.example.com"), "https://hr.example.com");
        assert_eq!(normal("https://hr.example.com/"), "https://hr.example.com");
        assert_eq!(normal("HTTP://hr.example.com:8080/a//"), "http://hr.example.com:8080/a");
        assert_eq!(normal("https://b\u{fc}cher.example/x"), "https://xn--bcher-kva.example/x");
        assert_eq!(normal("http://0x7f.1/"), "http://127.0.0.1");
        assert_eq!(normal("http://[::1]:80/a"), "http://[::1]/a");
    }

    #[test]
    fn paths_that_leave_the_base_are_refused() {
        for text in [
            "../x",
            "a/../b",
            "a/..",
            ".",
            "./a",
            "a/%2e%2e/b",
            "a/.%2E",
            "//evil.example/x",
            "a//b",
            "https://evil.example",
            "x:y",
            "a?b=1",
            "a#b",
            "a b",
            "a\\b",
            "a%2fb",
            "a%5cb",
            "a%00",
            "a%zz",
            "a%2",
            "\u{e9}",
            "{",
            "}",
            "{a",
            "a}",
            "{{a}}",
            "{A}",
            "{}",
            "a\nb",
        ] {
            assert!(check_path("path", text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_keep_all_but_the_first_slash() {
        assert_eq!(check_path("path", "/oauth/token").unwrap(), "oauth/token");
        assert_eq!(check_path("path", "employees/").unwrap(), "employees/");
        assert_eq!(check_path("path", "").unwrap(), "");
        assert_eq!(check_path("path", "a/{dept}/x:y,{empno}").unwrap(), "a/{dept}/x:y,{empno}");
        assert_eq!(path_parameters("a/{dept}/x:y,{empno}").unwrap(), ["dept", "empno"]);
    }
}
