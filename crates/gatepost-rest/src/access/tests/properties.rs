//! What holds for every set of definitions, checked on small random ones and all small paths.

use proptest::prelude::*;

use super::*;
use crate::cover::Cover;

/// Privileges as roles, patterns and whether the module is listed.
type Locks = Vec<(Vec<Id>, Vec<String>, bool)>;

fn patterns() -> impl Strategy<Value = String> {
    "(/(a|b|:x)){0,2}(/\\*|/:o\\?|/:g\\*|/a\\*|/a|/)"
}

fn locks(most: usize) -> impl Strategy<Value = Locks> {
    let roles = prop::collection::vec(CLERK..=PARTNER, 0..3);
    let lock = (roles, prop::collection::vec(patterns(), 0..3), any::<bool>());
    prop::collection::vec(lock, 0..=most)
}

fn openings() -> impl Strategy<Value = Vec<(String, bool)>> {
    prop::collection::vec((patterns(), any::<bool>()), 0..3)
}

fn clients() -> impl Strategy<Value = ClientAccess> {
    let some = |ids: std::ops::RangeInclusive<Id>| prop::collection::btree_set(ids, 0..3);
    (some(CLERK..=PARTNER), some(10..=13))
        .prop_map(|(roles, lists)| client(&Vec::from_iter(roles), &Vec::from_iter(lists)))
}

fn world(locks: &Locks, openings: &[(String, bool)]) -> World {
    let mut world = World::default().module(1, "/a/");
    for (id, (roles, patterns, module)) in (10..).zip(locks) {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        world = world.privilege(id, roles, &patterns, if *module { &[1] } else { &[] });
    }
    for (id, (pattern, write)) in (50..).zip(openings) {
        let methods: &[Method] = if *write { &[Method::Get, Method::Post] } else { &[Method::Get] };
        world = world.public(id, pattern, methods);
    }
    world
}

fn small_paths() -> Vec<RequestPath> {
    let mut texts = vec![String::new()];
    let mut longest = texts.clone();
    for _ in 0..3 {
        longest =
            longest.iter().flat_map(|text| ["a", "ab", "b", "a,b"].map(|s| format!("{text}/{s}"))).collect();
        texts.extend_from_slice(&longest);
    }
    let slashed: Vec<String> = texts.iter().map(|text| format!("{text}/")).collect();
    texts.into_iter().skip(1).chain(slashed).map(|text| path(&text)).collect()
}

const METHODS: [RequestMethod; 3] = [GET, POST, RequestMethod::Other];

fn decide(
    rules: &AccessRules,
    path: &RequestPath,
    method: RequestMethod,
    principal: &Principal<'_>,
) -> Verdict {
    rules.decide(None, path.below(0), method, principal, &mut ())
}

/// Requests without a token that pass.
fn open_requests(rules: &AccessRules) -> Vec<(String, RequestMethod)> {
    let mut open = Vec::new();
    for path in small_paths() {
        for method in METHODS {
            if matches!(decide(rules, &path, method, &Principal::Anonymous), Verdict::Allow(_)) {
                open.push((path.below(0).to_string(), method));
            }
        }
    }
    open
}

/// The rules, said once more and simply: whether a client passes.
fn passes(world: &World, path: &RequestPath, access: &ClientAccess) -> bool {
    let mut doors: Vec<(crate::cover::Breadth, &Privilege)> = Vec::new();
    for privilege in &world.privileges {
        let parse = |text: &String| Cover::parse("p_patterns", text).unwrap();
        let modules = world.modules.iter().filter(|module| privilege.modules.contains(&module.id));
        let covers = privilege
            .patterns
            .iter()
            .map(parse)
            .chain(modules.map(|module| Cover::module(&module.base_path)));
        doors.extend(
            covers.filter(|cover| cover.matches(path.below(0))).map(|cover| (cover.breadth(), &**privilege)),
        );
    }
    let Some(narrowest) = doors.iter().map(|(breadth, _)| *breadth).min() else {
        let opens = |entry: &Arc<PublicEntry>| {
            Cover::parse("p_pattern", &entry.pattern).unwrap().matches(path.below(0))
        };
        return world.entries.iter().any(opens);
    };
    doors.iter().filter(|(breadth, _)| *breadth == narrowest).any(|(_, privilege)| {
        if privilege.roles.is_empty() {
            access.privileges.contains(&privilege.id)
        } else {
            privilege.roles.iter().any(|role| access.roles.contains(role))
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn decisions_follow_the_rules(locks in locks(4), openings in openings(), access in clients()) {
        let world = world(&locks, &openings);
        let rules = world.rules();
        let principal = Principal::Client { access: &access, narrowed: None };
        for path in small_paths() {
            let verdict = decide(&rules, &path, GET, &principal);
            let allowed = matches!(verdict, Verdict::Allow(_));
            prop_assert_eq!(allowed, passes(&world, &path, &access), "{}", path.below(0));
            let locked = world.privileges.iter().any(|privilege| {
                let matches = |text: &String| Cover::parse("", text).unwrap().matches(path.below(0));
                privilege.patterns.iter().any(matches)
            });
            for method in METHODS {
                let anonymous = decide(&rules, &path, method, &Principal::Anonymous);
                if locked {
                    prop_assert_eq!(anonymous, Verdict::Refuse(Refusal::Anonymous));
                } else if method == RequestMethod::Other {
                    prop_assert!(matches!(anonymous, Verdict::Refuse(_)));
                }
            }
        }
    }

    #[test]
    fn a_new_privilege_lets_nobody_in_without_a_token(
        locks in locks(3), more in locks(2), openings in openings(),
    ) {
        let before = open_requests(&world(&locks, &openings).rules());
        let after = open_requests(&world(&[locks, more].concat(), &openings).rules());
        prop_assert!(after.iter().all(|request| before.contains(request)));
    }

    #[test]
    fn a_privilege_taken_away_opens_nothing_unless_reported(
        locks in locks(2), gone in locks(2), openings in openings(),
    ) {
        let before = world(&[gone, locks.clone()].concat(), &openings).rules();
        let after = world(&locks, &openings).rules();
        let opened: Vec<_> = {
            let open = open_requests(&before);
            open_requests(&after).into_iter().filter(|request| !open.contains(request)).collect()
        };
        if uncovered_public(&before, &after).is_empty() {
            prop_assert_eq!(opened, vec![]);
        }
    }

    #[test]
    fn changed_privileges_open_nothing_unless_reported(
        old in locks(3), new in locks(3), openings in openings(),
    ) {
        let (before, after) = (world(&old, &openings).rules(), world(&new, &openings).rules());
        if uncovered_public(&before, &after).is_empty() {
            let open = open_requests(&before);
            prop_assert!(open_requests(&after).iter().all(|request| open.contains(request)));
        }
    }

    #[test]
    fn locks_of_a_template_decide_as_the_path_does(
        locks in locks(4), openings in openings(), access in clients(),
        templates in prop::collection::vec("(/(a|b|:x|:y,:z)){0,2}(/:o\\?|/:g\\*|/ab|/)", 1..4),
        base in prop::sample::select(vec!["/", "/a/", "/b/a/"]),
    ) {
        let rules = world(&locks, &openings).rules();
        let patterns = templates.iter().filter_map(|text| {
            Pattern::parse(&text.replace(":x/:x", ":x/:w").replace(":z/:y,:z", ":z/:v,:u")).ok()
        });
        let routes = patterns.map(|pattern| {
            let locks = rules.locks_of_template(base, &pattern);
            (pattern, 0, locks)
        });
        let (router, _) = Router::build([ModuleRoutes { base_path: base.into(), routes: routes.collect() }]);
        let principals = [
            Principal::Anonymous,
            Principal::Client { access: &access, narrowed: None },
            Principal::Client { access: &access, narrowed: Some(&[10, 12]) },
        ];
        for path in small_paths() {
            let Some(found) = router.find(path.below(0)) else { continue };
            for (principal, method) in principals.iter().flat_map(|p| METHODS.map(|method| (p, method))) {
                let by_template = rules.decide(Some(found.value), path.below(0), method, principal, &mut ());
                prop_assert_eq!(&by_template, &decide(&rules, &path, method, principal), "{}", path.below(0));
                if matches!(principal, Principal::Anonymous) && matches!(by_template, Verdict::Allow(_)) {
                    prop_assert!(found.value.may_be_public() && !found.value.always_locked());
                }
            }
        }
    }

    #[test]
    fn a_final_slash_and_a_trace_change_nothing(
        locks in locks(4), openings in openings(), access in clients(),
    ) {
        let rules = world(&locks, &openings).rules();
        let narrowed = Principal::Client { access: &access, narrowed: Some(&[11]) };
        for principal in [Principal::Anonymous, narrowed] {
            for path in small_paths().iter().filter(|path| !path.trailing_slash()) {
                let with_slash = super::path(&format!("{}/", path.below(0)));
                let verdict = decide(&rules, path, GET, &principal);
                prop_assert_eq!(&verdict, &decide(&rules, &with_slash, GET, &principal));
                let mut reasons: Vec<Reason> = Vec::new();
                prop_assert_eq!(&verdict, &rules.decide(None, path.below(0), GET, &principal, &mut reasons));
                let allowed = matches!(verdict, Verdict::Allow(_));
                let last_is_verdict =
                    matches!(reasons.last(), Some(Reason::Verdict { allowed: told, .. }) if *told == allowed);
                prop_assert!(last_is_verdict);
            }
        }
    }

    #[test]
    fn a_narrowed_token_opens_no_more_than_a_whole_one(
        locks in locks(4), openings in openings(), access in clients(),
    ) {
        let rules = world(&locks, &openings).rules();
        let narrowed = Principal::Client { access: &access, narrowed: Some(&[10, 13]) };
        let whole = Principal::Client { access: &access, narrowed: None };
        for path in small_paths() {
            let (narrow, wide) = (decide(&rules, &path, GET, &narrowed), decide(&rules, &path, GET, &whole));
            match narrow {
                Verdict::Allow(Admission::Role { privilege, .. } | Admission::Listed { privilege }) => {
                    prop_assert!([10, 13].contains(&privilege));
                    prop_assert!(matches!(wide, Verdict::Allow(_)));
                }
                Verdict::Allow(_) => prop_assert_eq!(narrow, wide),
                Verdict::Refuse(Refusal::NarrowedToken { needed }) => {
                    prop_assert!(matches!(wide, Verdict::Allow(_)));
                    prop_assert!(!needed.contains(&10) && !needed.contains(&13));
                }
                Verdict::Refuse(_) => prop_assert_eq!(narrow, wide),
            }
        }
    }

    #[test]
    fn a_spoiled_pattern_lets_nobody_in(
        mut locks in locks(3), openings in openings(), access in clients(), which in any::<prop::sample::Index>(),
    ) {
        let sound = world(&locks, &openings).rules();
        let mut texts: Vec<&mut String> = locks.iter_mut().flat_map(|lock| lock.1.iter_mut()).collect();
        prop_assume!(!texts.is_empty());
        let spoiled_one = which.index(texts.len());
        texts[spoiled_one].remove(0);
        let spoiled = world(&locks, &openings).rules();
        for principal in [Principal::Anonymous, Principal::Client { access: &access, narrowed: None }] {
            for path in small_paths() {
                if matches!(decide(&spoiled, &path, GET, &principal), Verdict::Allow(_)) {
                    prop_assert!(matches!(decide(&sound, &path, GET, &principal), Verdict::Allow(_)));
                }
            }
        }
    }
}
