use proptest::prelude::*;

use super::*;
use crate::path::RequestPath;

fn cover(text: &str) -> Cover {
    Cover::parse("p_patterns", text).unwrap()
}

fn covers(cover: &Cover, raw: &str) -> bool {
    cover.matches(RequestPath::parse(raw).unwrap().below(0))
}

#[test]
fn paths_that_patterns_cover_and_do_not_cover() {
    let cases: [(&str, &[&str], &[&str]); 16] = [
        ("/x/*", &["/x", "/x/", "/x/y", "/x/y/z/", "/%78/y"], &["/", "/xy", "/X", "/y/x"]),
        ("/x", &["/x", "/x/"], &["/x/y", "/xy", "/"]),
        ("/x/", &["/x", "/x/"], &["/x/y"]),
        ("/", &["/"], &["/x"]),
        ("/*", &["/", "/x", "/x/y/"], &[]),
        ("/emp*", &["/emp", "/emp/", "/employees/7", "/emp/x"], &["/em", "/x/emp", "/", "/Emp"]),
        ("/v1/emp*", &["/v1/emp", "/v1/emps/7"], &["/v1", "/v1/", "/v1/x"]),
        ("/emp/:id", &["/emp/7", "/emp/7/", "/emp/7,8"], &["/emp", "/emp/", "/emp/7/x"]),
        ("/emp/:id/jobs", &["/emp/7/jobs", "/emp/7/jobs/"], &["/emp/jobs", "/emp/7"]),
        ("/emp/:id/*", &["/emp/7", "/emp/7/x/y"], &["/emp", "/emp/"]),
        ("/emp/:id?", &["/emp", "/emp/", "/emp/7"], &["/emp/7/8"]),
        ("/emp/:a,:b", &["/emp/7,8"], &["/emp/7", "/emp/7,", "/emp/7,8,9"]),
        ("/emp/:path*", &["/emp/7", "/emp/7/8/"], &["/emp", "/emp/"]),
        ("/emp/{id}", &["/emp/7", "/emp/7/8"], &["/emp/"]),
        ("/a b/ü", &["/a%20b/%c3%bc"], &["/a+b/ü"]),
        ("/admin;x", &["/admin;x"], &["/admin"]),
    ];
    for (text, inside, outside) in cases {
        for path in inside {
            assert!(covers(&cover(text), path), "{text} covers {path}");
        }
        for path in outside {
            assert!(!covers(&cover(text), path), "{text} does not cover {path}");
        }
    }
}

#[test]
fn faulty_patterns_are_refused_with_the_rule() {
    let cases = [
        ("emp/*", "starts below the schema alias with a slash, as in `/emp/*`"),
        ("*", "as in `/*`"),
        ("", "slash"),
        (" /x", "slash"),
        ("//x", "two slashes"),
        ("/x//*", "two slashes"),
        ("/x/../y", "dot segments"),
        ("/x/./*", "dot segments"),
        ("/*/x", "only at the end"),
        ("/x*/y", "only at the end"),
        ("/x/*/", "only at the end"),
        ("/x/**", "only at the end"),
        ("/x/:id?/y", "only in last place"),
        ("/x/:id*/y", "only in last place"),
        ("/x/:*", "cannot name a parameter"),
        ("/x/a%20b", "decoded"),
        ("/x?y=1", "query"),
        ("/x\\y", "never matches"),
        ("/x\u{0}", "never matches"),
        ("/x/ *", "never matches"),
        ("/..*", "dot segments"),
    ];
    for (text, part) in cases {
        let error = Cover::parse("p_patterns", text).expect_err(text);
        assert!(error.argument == "p_patterns" && error.rule.contains(part), "{text}: {error}");
    }
    assert!(Cover::parse("p_patterns", &format!("/{}", "a".repeat(600))).is_err());
}

#[test]
fn a_module_counts_as_its_base_path_and_all_below() {
    for (base, text) in [("/hr/", "/hr/*"), ("/", "/*"), ("/hr/v1/", "/hr/v1/*"), ("hr", "/hr/*")] {
        assert_eq!(Cover::module(base).as_str(), text);
        assert!(Cover::module(base).equals(&cover(text)), "{base}");
    }
}

#[test]
fn a_faulty_pattern_is_closed_around_its_literal_beginning() {
    for (text, around) in
        [("/a/b%20c/x", "/a/*"), ("emp/*", "/emp/*"), ("/a//b", "/a/*"), ("?", "/*"), ("", "/*")]
    {
        assert_eq!(Cover::around(text).as_str(), around, "{text}");
    }
}

#[test]
fn breadth_orders_narrow_before_wide() {
    let ordered = [
        "/emp/7",
        "/emp/list/*",
        "/emp/l*",
        "/emp/:id/a,b",
        "/emp/:id/x",
        "/emp/:id/:y",
        "/emp/:a,:b",
        "/emp/:id",
        "/emp/:id/*",
        "/emp/:id?",
        "/emp/*",
        "/emp*",
        "/:x/b/*",
        "/:x/b*",
        "/:x",
        "/:x/*",
        "/:x?",
        "/*",
    ];
    let positions: Vec<_> = ordered.iter().map(|text| cover(text).breadth()).collect();
    for (index, pair) in positions.windows(2).enumerate() {
        assert!(pair[0] < pair[1], "{} is narrower than {}", ordered[index], ordered[index + 1]);
    }
    assert_eq!(cover("/x").breadth(), cover("/x/").breadth());
    assert_eq!(cover("/hr/*").breadth(), Cover::module("/hr/").breadth());
    assert_eq!(cover("/emp/:id").breadth(), cover("/emp/:empno").breadth());
}

#[test]
fn relation_to_templates() {
    let cases = [
        // cover, base path, template, can meet, always covers
        ("/hr/*", "/hr/", "emp/:id", true, true),
        ("/hr/emp/7", "/hr/", "emp/:id", true, false),
        ("/hr/emp/", "/hr/", "emp/:id?", true, false),
        ("/hr/emp/:id?", "/hr/", "emp/:id?", true, true),
        ("/hr/emp/*", "/hr/", "emp/:id?", true, true),
        ("/hr/emp/:id", "/hr/", "emp/{id}", true, false),
        ("/hr/emp/secret/*", "/hr/", "emp/:path*", true, false),
        ("/hr/emp/secret/x", "/hr/", "emp/:id", false, false),
        ("/hr/emp*", "/hr/", "employees", true, true),
        ("/hr/emp*", "/hr/", ":name", true, false),
        ("/hr/emp/:a,:b", "/hr/", "emp/:x,:y", true, true),
        ("/hr/emp/7,8", "/hr/", "emp/:x,:y", true, false),
        ("/hr/emp/7", "/hr/", "emp/:x,:y", false, false),
        ("/hr", "/hr/", ".", true, true),
        ("/emp/", "/", "emp", true, true),
        ("/HR/*", "/hr/", "emp", false, false),
    ];
    for (text, base, template, meets, always) in cases {
        let pattern = Pattern::parse(template).unwrap();
        assert_eq!(cover(text).can_meet(base, &pattern), meets, "{text} can meet {base}{template}");
        assert_eq!(
            cover(text).always_covers(base, &pattern),
            always,
            "{text} always covers {base}{template}"
        );
    }
}

const SEGMENTS: [&str; 8] = ["a", "ab", "b", "c", "a,b", "b,a", "a,b,c", "ab,a"];

/// All paths of up to four segments.
fn small_paths() -> Vec<RequestPath> {
    let mut texts = vec![String::new()];
    let mut longest = texts.clone();
    for _ in 0..4 {
        longest =
            longest.iter().flat_map(|text| SEGMENTS.map(|segment| format!("{text}/{segment}"))).collect();
        texts.extend_from_slice(&longest);
    }
    texts.iter().map(|text| RequestPath::parse(if text.is_empty() { "/" } else { text }).unwrap()).collect()
}

fn any_cover() -> impl Strategy<Value = Cover> {
    "(/(a|ab|b|:x|:x,:y)){0,2}(/\\*|/:o\\?|/:g\\*|/a\\*|/ab\\*|/a,\\*|/a|/)".prop_map(|text| cover(&text))
}

proptest! {
    #[test]
    fn never_panics(text in "[/a:*?{},.% ]{0,16}") {
        let _ = Cover::parse("p_patterns", &text);
        let around = Cover::around(&text);
        if let Ok(cover) = Cover::parse("p_patterns", &text) {
            prop_assert!(around.contains(&cover), "{around} is around {cover}");
        }
    }

    #[test]
    fn overlap_and_containment_agree_with_counting_paths(a in any_cover(), b in any_cover()) {
        let (mut both, mut only_b) = (false, false);
        for path in small_paths() {
            let path = path.below(0);
            both |= a.matches(path) && b.matches(path);
            only_b |= b.matches(path) && !a.matches(path);
        }
        prop_assert_eq!(a.overlaps(&b), both, "{} meets {}", a, b);
        prop_assert_eq!(b.overlaps(&a), both, "{} meets {}", b, a);
        prop_assert_eq!(a.contains(&b), !only_b, "{} contains {}", a, b);
        if a.contains(&b) && !b.contains(&a) {
            prop_assert!(b.breadth() < a.breadth(), "{} is narrower than {}", b, a);
        }
    }

    #[test]
    fn a_final_slash_changes_nothing(a in any_cover(), path in "(/(a|ab|b|a,b)){1,4}") {
        prop_assert_eq!(covers(&a, &path), covers(&a, &format!("{path}/")));
        if !a.as_str().ends_with(['*', '?', '/']) {
            let with_slash = cover(&format!("{a}/"));
            prop_assert!(with_slash.equals(&a));
        }
    }
}
