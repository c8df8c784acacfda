use proptest::prelude::*;

use super::*;

/// A pattern in a shorthand: literals as they are, `<a,b>` for parameters, `<x..>` for a glob, forms between
/// ` | `.
fn shape(text: &str) -> String {
    let pattern = Pattern::parse(text).unwrap();
    let show = |form: &Form| {
        let mut parts: Vec<String> = Vec::new();
        for segment in &form.segments {
            parts.push(match segment {
                Segment::Literal(text) => text.to_string(),
                Segment::Parameters(names) => format!("<{}>", names.join(",")),
            });
        }
        if let Some(name) = &form.glob {
            parts.push(format!("<{name}..>"));
        } else if form.trailing_slash {
            parts.push(String::new());
        }
        parts.join("/")
    };
    pattern.forms().iter().map(show).collect::<Vec<_>>().join(" | ")
}

#[test]
fn forms_of_patterns() {
    let cases = [
        ("emp", "emp"),
        ("/emp", "emp"),
        ("emp/", "emp/"),
        (".", ""),
        ("", ""),
        ("/", ""),
        ("emp/:id", "emp/<id>"),
        ("emp/:id/", "emp/<id>/"),
        (":id?", " | <id>"),
        ("objects/:object/:id?", "objects/<object>/ | objects/<object>/<id>"),
        ("sale/:prod_id,:cust_id", "sale/<prod_id,cust_id>"),
        ("a/:x,:y,:z/b", "a/<x,y,z>/b"),
        ("files/:path*", "files/<path..>"),
        ("emp/{id}", "emp/<id..>"),
        ("emp/{id}/", "emp/<id>/"),
        ("emp/{id}/jobs/{job}", "emp/<id>/jobs/<job..>"),
        ("my file/v1.0/a-b_c~d", "my file/v1.0/a-b_c~d"),
        ("größe", "größe"),
    ];
    for (text, expected) in cases {
        assert_eq!(shape(text), expected, "{text}");
    }
}

#[test]
fn parameter_names_are_listed_from_left_to_right() {
    let pattern = Pattern::parse("/a/:x,:Y/b/:z?").unwrap();
    assert_eq!(pattern.parameter_names(), ["x".into(), "Y".into(), "z".into()]);
    assert_eq!(pattern.as_str(), "a/:x,:Y/b/:z?");
    assert_eq!(Pattern::parse("/").unwrap().as_str(), ".");
}

#[test]
fn faulty_patterns_are_refused_with_the_rule() {
    let cases = [
        ("a//b", "two slashes"),
        ("//a", "two slashes"),
        ("a//", "two slashes"),
        ("a/./b", "dot segments"),
        ("a/..", "dot segments"),
        ("emp:id", "whole segment"),
        ("v:major.:minor", "whole segment"),
        (":id.json", "cannot name a parameter"),
        (":", "cannot name a parameter"),
        (":1", "cannot name a parameter"),
        (":emp-id", "cannot name a parameter"),
        (":a,b", "between commas"),
        (":a,:b*", "cannot name a parameter"),
        (":a?,:b", "cannot name a parameter"),
        (":a?/b", "only in last place"),
        (":a?/", "only in last place"),
        (":a*/b", "only in last place"),
        ("emp*", "`*` stands only at the end"),
        ("emp?a={a}", "cannot be read"),
        ("emp/?deptno=10", "a query is no part"),
        ("{a}{b}", "cannot name a parameter"),
        ("x{a}", "whole segment"),
        ("{a/b}", "whole segment"),
        (":a/{b}", "do not mix"),
        ("a%20b", "decoded"),
        ("a\\b", "never matches"),
        ("a /b", "never matches"),
        ("a\u{0}b", "never matches"),
        (":a/:A", "twice"),
        (":a,:a", "twice"),
        (":body", "filled by Gatepost"),
        (":Current_User", "filled by Gatepost"),
        (":x/:PAGE_SIZE?", "filled by Gatepost"),
        ("{status_code}", "filled by Gatepost"),
        (":access_token*", "filled by Gatepost"),
    ];
    for (text, part) in cases {
        let error = Pattern::parse(text).expect_err(text);
        assert!(error.argument == "p_pattern" && error.rule.contains(part), "{text}: {error}");
    }
    assert!(Pattern::parse(&"a".repeat(601)).is_err());
}

#[test]
fn every_implicit_bind_is_refused_in_any_letter_case() {
    for name in RESERVED_NAMES {
        for name in [name.to_owned(), name.to_ascii_uppercase()] {
            assert!(Pattern::parse(&format!("a/:{name}")).is_err(), "{name}");
        }
    }
}

proptest! {
    #[test]
    fn never_panics(text in "[a-c:*?{},/.%\u{e9} ]{0,24}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            prop_assert_eq!(&Pattern::parse(pattern.as_str()), &Ok(pattern.clone()));
        }
    }
}
