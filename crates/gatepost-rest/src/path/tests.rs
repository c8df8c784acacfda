use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

fn read(raw: &str) -> Result<(Vec<String>, bool), BadPath> {
    let path = RequestPath::parse(raw)?;
    Ok((path.segments().iter().map(ToString::to_string).collect(), path.trailing_slash()))
}

#[test]
fn accepted_paths_are_split_and_decoded_once() {
    let cases: [(&str, &[&str], bool); 16] = [
        ("/", &[], true),
        ("/a", &["a"], false),
        ("/a/b/", &["a", "b"], true),
        ("/a/b", &["a", "b"], false),
        ("/a%20b/c", &["a b", "c"], false),
        ("/a+b", &["a+b"], false),
        ("/a%2Bb", &["a+b"], false),
        ("/a%252fb", &["a%2fb"], false),
        ("/%252e%252e/x", &["%2e%2e", "x"], false),
        ("/%C3%A4/ö", &["ä", "ö"], false),
        ("/a;x=1/b", &["a;x=1", "b"], false),
        ("/a%3Fb%23c", &["a?b#c"], false),
        ("/.hidden/..x/x../...", &[".hidden", "..x", "x..", "..."], false),
        ("/7,8", &["7,8"], false),
        ("/%61%64min", &["admin"], false),
        ("/a:b*", &["a:b*"], false),
    ];
    for (raw, segments, trailing_slash) in cases {
        let expected = (segments.iter().map(ToString::to_string).collect(), trailing_slash);
        assert_eq!(read(raw), Ok(expected), "{raw}");
    }
}

/// The spellings of obligation BEA-07, and every row of the table behind decision 27 that is refused.
#[test]
fn spellings_that_could_mean_two_things_are_refused() {
    let cases = [
        ("/admin//users", BadPath::EmptySegment(2)),
        ("//admin", BadPath::EmptySegment(1)),
        ("/admin//", BadPath::EmptySegment(2)),
        ("//", BadPath::EmptySegment(1)),
        ("/./admin", BadPath::DotSegment(1)),
        ("/admin/.", BadPath::DotSegment(2)),
        ("/x/../admin", BadPath::DotSegment(2)),
        ("/x/%2e%2e/admin", BadPath::DotSegment(2)),
        ("/x/%2E./admin", BadPath::DotSegment(2)),
        ("/x/.%2e/admin/", BadPath::DotSegment(2)),
        ("/%2e/admin", BadPath::DotSegment(1)),
        ("/x%2fadmin", BadPath::EncodedSlash(1)),
        ("/x%2Fadmin", BadPath::EncodedSlash(1)),
        ("/..%2fadmin", BadPath::EncodedSlash(1)),
        ("/x%5cadmin", BadPath::EncodedSlash(1)),
        ("/x\\admin", BadPath::Delimiter(1)),
        ("/..\\admin", BadPath::Delimiter(1)),
        ("/admin%00", BadPath::ControlCharacter(1)),
        ("/admin%0a", BadPath::ControlCharacter(1)),
        ("/admin\r", BadPath::ControlCharacter(1)),
        ("/admin%7f", BadPath::ControlCharacter(1)),
        ("/admin%c2%85", BadPath::ControlCharacter(1)),
        ("/%zz", BadPath::BadEscape(1)),
        ("/a%", BadPath::BadEscape(1)),
        ("/a%2", BadPath::BadEscape(1)),
        ("/a%%20", BadPath::BadEscape(1)),
        ("/a%u002e", BadPath::BadEscape(1)),
        ("/%+2e", BadPath::BadEscape(1)),
        ("/a%ff", BadPath::NotUtf8(1)),
        ("/%c0%ae%c0%ae/admin", BadPath::NotUtf8(1)),
        ("/%ed%a0%80", BadPath::NotUtf8(1)),
        ("/a?b", BadPath::Delimiter(1)),
        ("/a#f", BadPath::Delimiter(1)),
        ("", BadPath::NotAbsolute),
        ("*", BadPath::NotAbsolute),
        ("admin", BadPath::NotAbsolute),
        ("http://other/x", BadPath::NotAbsolute),
    ];
    for (raw, expected) in cases {
        assert_eq!(read(raw), Err(expected), "{raw:?}");
    }
}

#[test]
fn limits_hold() {
    assert_eq!(read(&format!("/{}", "a".repeat(PATH_BYTES_MAX))), Err(BadPath::TooLong));
    assert!(read(&format!("/{}", "a".repeat(PATH_BYTES_MAX - 1))).is_ok());
    assert!(read(&"/a".repeat(PATH_SEGMENTS_MAX)).is_ok());
    assert_eq!(read(&"/a".repeat(PATH_SEGMENTS_MAX + 1)), Err(BadPath::TooManySegments));
}

#[test]
fn below_leaves_out_the_first_segments() {
    let path = RequestPath::parse("/ords/hr/emp/").unwrap();
    assert_eq!(path.below(2).to_string(), "/emp/");
    assert_eq!(path.below(3).to_string(), "/");
    assert!(path.below(9).segments.is_empty());
    assert_eq!(RequestPath::parse("/ords/hr/emp/7").unwrap().below(2).below(1).to_string(), "/7");
}

proptest! {
    #[test]
    fn never_panics_and_errors_do_not_echo(raw in "/?[a-z%2e.f/\\\\\u{1}\u{e9}?]{0,40}") {
        if let Err(error) = RequestPath::parse(&raw) {
            prop_assert!(error.to_string().is_ascii());
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }

    #[test]
    fn an_encoded_path_reads_back(segments in prop::collection::vec("[^/\\\\\\p{Cc}]{1,8}", 1..5)) {
        prop_assume!(segments.iter().all(|s| s != "." && s != ".."));
        let encode = |s: &String| utf8_percent_encode(s, NON_ALPHANUMERIC).to_string();
        let raw = format!("/{}", segments.iter().map(encode).collect::<Vec<_>>().join("/"));
        prop_assert_eq!(read(&raw), Ok((segments, false)));
    }
}
