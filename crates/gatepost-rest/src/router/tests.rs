use proptest::prelude::*;

use super::*;
use crate::path::RequestPath;

type Route = (&'static str, u8);

fn router(modules: &[(&str, &[Route])]) -> (Router<String>, Vec<RouteConflict>) {
    Router::build(modules.iter().map(|(base, routes)| {
        ModuleRoutes {
            base_path: (*base).to_owned(),
            routes: routes
                .iter()
                .map(|(text, priority)| (Pattern::parse(text).unwrap(), *priority, format!("{base} {text}")))
                .collect(),
        }
    }))
}

/// What answers a path: base path and pattern, then the values of its parameters.
fn answer(router: &Router<String>, raw: &str) -> String {
    let path = RequestPath::parse(raw).unwrap();
    let Some(found) = router.find(path.below(0)) else { return "none".into() };
    let values = found.captures.iter().map(|(name, value)| format!(" {name}={value}"));
    values.fold(found.value.clone(), |text, value| text + &value)
}

fn check(modules: &[(&str, &[Route])], cases: &[(&str, &str)]) {
    let (router, conflicts) = router(modules);
    assert_eq!(conflicts, [], "no conflicts expected");
    for (path, expected) in cases {
        assert_eq!(answer(&router, path), *expected, "{path}");
    }
}

#[test]
fn literals_come_before_parameters() {
    check(
        &[("/hr/", &[("emp/:id", 0), ("emp/list", 0), ("emp", 0), ("emp/", 0)])],
        &[
            ("/hr/emp/list", "/hr/ emp/list"),
            ("/hr/emp/lis", "/hr/ emp/:id id=lis"),
            ("/hr/emp/listx", "/hr/ emp/:id id=listx"),
            ("/hr/emp/LIST", "/hr/ emp/:id id=LIST"),
            ("/hr/emp", "/hr/ emp"),
            ("/hr/emp/", "/hr/ emp/"),
            ("/hr/emp/list/", "none"),
            ("/hr/emp/7/", "none"),
            ("/hr/EMP/7", "none"),
            ("/hr/emp/7/x", "none"),
            ("/emp/7", "none"),
            ("/hr", "none"),
            ("/hr/", "none"),
        ],
    );
}

#[test]
fn a_wrong_turn_is_taken_back() {
    check(
        &[("/", &[("a/:x/c", 0), ("a/b/d", 0), (":a/x/:b", 0), ("p/:c/y", 0), ("p/", 0)])],
        &[
            ("/a/b/c", "/ a/:x/c x=b"),
            ("/a/b/d", "/ a/b/d"),
            ("/a/x/q", "/ :a/x/:b a=a b=q"),
            ("/p/x/q", "/ :a/x/:b a=p b=q"),
            ("/p/x/y", "/ p/:c/y c=x"),
            ("/p/", "/ p/"),
            ("/a/b/e", "none"),
        ],
    );
}

#[test]
fn optional_compound_and_glob_parameters() {
    check(
        &[(
            "/v1/",
            &[
                ("objects/:object/:id?", 0),
                ("sale/:prod,:cust", 0),
                ("sale/:id", 0),
                ("sale/:a,:b,:c", 0),
                ("files/:path*", 0),
                ("files/readme", 0),
                ("files/:one/meta", 0),
                ("old/{id}", 0),
                ("old/{id}/x", 0),
            ],
        )],
        &[
            ("/v1/objects/emp/", "/v1/ objects/:object/:id? object=emp"),
            ("/v1/objects/emp/101", "/v1/ objects/:object/:id? object=emp id=101"),
            ("/v1/objects/emp", "none"),
            ("/v1/objects/emp/101/", "none"),
            ("/v1/sale/7,8", "/v1/ sale/:prod,:cust prod=7 cust=8"),
            ("/v1/sale/7%2C8", "/v1/ sale/:prod,:cust prod=7 cust=8"),
            ("/v1/sale/7", "/v1/ sale/:id id=7"),
            ("/v1/sale/7,", "/v1/ sale/:id id=7,"),
            ("/v1/sale/,", "/v1/ sale/:id id=,"),
            ("/v1/sale/1,2,3", "/v1/ sale/:a,:b,:c a=1 b=2 c=3"),
            ("/v1/sale/1,2,3,4", "/v1/ sale/:id id=1,2,3,4"),
            ("/v1/files/readme", "/v1/ files/readme"),
            ("/v1/files/readme/", "/v1/ files/:path* path=readme/"),
            ("/v1/files/a/meta", "/v1/ files/:one/meta one=a"),
            ("/v1/files/a/b%20c/d", "/v1/ files/:path* path=a/b c/d"),
            ("/v1/files/a/b/", "/v1/ files/:path* path=a/b/"),
            ("/v1/files/a", "/v1/ files/:path* path=a"),
            ("/v1/files/", "none"),
            ("/v1/files", "none"),
            ("/v1/old/1/details", "/v1/ old/{id} id=1/details"),
            ("/v1/old/1/x", "/v1/ old/{id}/x id=1"),
        ],
    );
}

#[test]
fn the_longest_base_path_is_tried_first() {
    check(
        &[
            ("/", &[("emp", 0), (":any*", 0)]),
            ("/emp/", &[(".", 0), ("x", 0)]),
            ("/emp/v2/", &[("x", 0), (":id?", 0)]),
            ("/dept/", &[(".", 0)]),
        ],
        &[
            ("/", "none"),
            ("/emp", "/ emp"),
            ("/emp/", "/emp/ ."),
            ("/emp/x", "/emp/ x"),
            ("/emp/v2/x", "/emp/v2/ x"),
            ("/emp/v2/", "/emp/v2/ :id?"),
            ("/emp/v2/7", "/emp/v2/ :id? id=7"),
            ("/emp/v2/7/8", "/ :any* any=emp/v2/7/8"),
            ("/dept/", "/dept/ ."),
            ("/dept", "/ :any* any=dept"),
            ("/dept/7", "/ :any* any=dept/7"),
        ],
    );
}

#[test]
fn the_base_path_answers_without_its_slash_when_nothing_else_does() {
    check(
        &[("/emp/", &[(".", 0)]), ("/", &[("dept", 0), (".", 0)]), ("/dept/", &[(".", 0)])],
        &[
            ("/emp", "/emp/ ."),
            ("/emp/", "/emp/ ."),
            ("/dept", "/ dept"),
            ("/dept/", "/dept/ ."),
            ("/", "/ ."),
        ],
    );
}

#[test]
fn module_base_is_the_longest_prefix() {
    let (router, _) = router(&[("/hr/", &[]), ("/hr/v2/", &[("x", 0)])]);
    for (path, expected) in [
        ("/hr/v2/nothing", Some("/hr/v2/")),
        ("/hr/v2", Some("/hr/v2/")),
        ("/hr/v3", Some("/hr/")),
        ("/hrx", None),
        ("/", None),
    ] {
        assert_eq!(router.module_base(RequestPath::parse(path).unwrap().below(0)), expected, "{path}");
    }
}

#[test]
fn templates_of_one_shape_conflict_and_the_higher_priority_answers() {
    let cases: [(&[Route], &str, &str); 6] = [
        (&[("emp/:id", 0), ("emp/:name", 0)], "/m/emp/7", "emp/:id"),
        (&[("emp/:id", 0), ("emp/:name", 1)], "/m/emp/7", "emp/:name"),
        (&[("emp/{id}", 0), ("emp/{name}", 5)], "/m/emp/7", "emp/{name}"),
        (&[("emp/:a,:b", 0), ("emp/:c,:d", 0)], "/m/emp/7,8", "emp/:a,:b"),
        (&[("emp/:id?", 0), ("emp/", 3)], "/m/emp/", "emp/"),
        (&[(":p*", 2), ("{q}", 1)], "/m/emp/x", ":p*"),
    ];
    for (routes, path, expected) in cases {
        let (router, conflicts) = router(&[("/m/", routes)]);
        assert_eq!(conflicts.len(), 1, "{routes:?}");
        assert_eq!(conflicts[0].kept.1, expected, "{routes:?}");
        assert!(answer(&router, path).starts_with(&format!("/m/ {expected}")), "{routes:?}");
    }
    let (router, _) = router(&[("/m/", &[("emp/:id?", 0), ("emp/", 3)])]);
    assert_eq!(answer(&router, "/m/emp/7"), "/m/ emp/:id? id=7", "the other form still answers");
}

#[test]
fn modules_that_meet_on_a_path_conflict() {
    let (router, conflicts) =
        router(&[("/a/", &[("b/:x", 9)]), ("/a/b/", &[(":y", 0)]), ("a/b", &[("c", 0)])]);
    assert_eq!(answer(&router, "/a/b/7"), "/a/b/ :y y=7");
    assert_eq!(answer(&router, "/a/b/c"), "a/b c");
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        conflicts[0].to_string(),
        "Template `b/:x` of base path `/a/` matches paths that template `:y` of base path `/a/b/` answers: change \
         one of the two patterns."
    );
}

#[test]
fn captures_are_found_by_name_in_any_letter_case() {
    let (router, _) = router(&[("/", &[("emp/:Id/:rest*", 0)])]);
    let path = RequestPath::parse("/emp/7/a/b").unwrap();
    let captures = router.find(path.below(0)).unwrap().captures;
    assert_eq!(captures.get("ID").as_deref(), Some("7"));
    assert_eq!(captures.get("rest").as_deref(), Some("a/b"));
    assert_eq!(captures.get("other"), None);
    assert_eq!((captures.len(), captures.is_empty()), (2, false));
}

proptest! {
    /// Whatever a template answers is a path that its form describes.
    #[test]
    fn answers_agree_with_the_cover_of_the_template(
        patterns in prop::collection::vec("(a|b|:x|:x,:y|ab)(/(a|b|:z|:z,:w))?(/|/:o\\?|/:g\\*)?", 1..8),
        path in "(/(a|b|ab|a,b|c)){1,4}/?",
    ) {
        let parsed: Vec<Pattern> = patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        let routes = parsed.iter().map(|pattern| (pattern.clone(), 0, pattern.clone())).collect();
        let (router, _) = Router::build([ModuleRoutes { base_path: "/".into(), routes }]);
        let path = RequestPath::parse(&path).unwrap();
        let fits = |pattern: &Pattern| {
            pattern.forms().iter().any(|form| fits_form(form, path.below(0)))
        };
        match router.find(path.below(0)) {
            Some(found) => prop_assert!(fits(found.value)),
            None => prop_assert!(!parsed.iter().any(fits)),
        }
    }
}

fn fits_form(form: &Form, path: PathTail<'_>) -> bool {
    let fixed = form.segments.len();
    let fits = |(segment, value): (&Segment, &str)| match segment {
        Segment::Literal(text) => **text == *value,
        Segment::Parameters(names) => has_parts(value, names.len()),
    };
    let length = path.segments.len();
    let ends = if form.glob.is_some() {
        length > fixed
    } else {
        length == fixed && path.trailing_slash == form.trailing_slash
    };
    ends && form.segments.iter().zip(path.segments.iter().map(|value| &**value)).all(fits)
}
