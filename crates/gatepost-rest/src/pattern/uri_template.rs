//! Patterns as URI templates, for documents about services.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Form, Pattern, Segment};

/// What a path segment keeps as it is (RFC 3986 section 3.3), but for what has a meaning in templates.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// One shape of path that a pattern stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    /// With `{name}` for each parameter, literals percent-encoded, relative to the base path (`emp/{id}`).
    pub text: String,
    /// Its parameters.
    pub names: Vec<String>,
    /// The one of them that takes slashes too.
    pub rest: Option<String>,
}

impl Pattern {
    /// The pattern as URI templates: two when its last segment may be left out, else one.
    pub fn uri_templates(&self) -> Vec<UriTemplate> {
        self.forms().iter().map(uri_template).collect()
    }
}

fn uri_template(form: &Form) -> UriTemplate {
    let mut template = UriTemplate { text: String::new(), names: Vec::new(), rest: None };
    for (place, segment) in form.segments.iter().enumerate() {
        if place > 0 {
            template.text.push('/');
        }
        match segment {
            Segment::Literal(text) => template.text.extend(utf8_percent_encode(text, SEGMENT)),
            Segment::Parameters(names) => {
                for (place, name) in names.iter().enumerate() {
                    let comma = if place > 0 { "," } else { "" };
                    // Writing into a text cannot fail.
                    let _ = write!(template.text, "{comma}{{{name}}}");
                    template.names.push(name.to_string());
                }
            }
        }
    }
    let slash = form.glob.is_some() || form.trailing_slash;
    if slash && !form.segments.is_empty() {
        template.text.push('/');
    }
    if let Some(name) = &form.glob {
        let _ = write!(template.text, "{{{name}}}");
        template.names.push(name.to_string());
        template.rest = Some(name.to_string());
    }
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_uri_templates() {
        let cases: [(&str, &[&str]); 8] = [
            (".", &[""]),
            ("emp/", &["emp/"]),
            ("emp/:id", &["emp/{id}"]),
            ("emp/:id?", &["emp/", "emp/{id}"]),
            ("range/:a,:b/rows", &["range/{a},{b}/rows"]),
            ("files/:path*", &["files/{path}"]),
            ("old/{id}", &["old/{id}"]),
            ("größe x/", &["gr%C3%B6%C3%9Fe%20x/"]),
        ];
        for (pattern, expected) in cases {
            let templates = Pattern::parse(pattern).unwrap().uri_templates();
            let texts: Vec<&str> = templates.iter().map(|template| template.text.as_str()).collect();
            assert_eq!(texts, expected, "{pattern}");
        }
        let glob = Pattern::parse("files/:path*").unwrap().uri_templates().remove(0);
        assert_eq!((glob.names, glob.rest.as_deref()), (vec!["path".to_owned()], Some("path")));
    }
}
