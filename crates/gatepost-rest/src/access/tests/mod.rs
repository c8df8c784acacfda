//! Decisions as tables; `properties` holds what must be true of all of them.

mod properties;

use super::*;
use crate::definition::{Audit, ReadsFrom};
use crate::path::RequestPath;
use crate::pattern::Pattern;
use crate::router::{ModuleRoutes, Router};

const SCHEMA: Id = 1;
const GET: RequestMethod = RequestMethod::Handler(Method::Get);
const POST: RequestMethod = RequestMethod::Handler(Method::Post);

const CLERK: Id = 21;
const MANAGER: Id = 22;
const PARTNER: Id = 23;

/// Definitions of a schema, written down briefly.
#[derive(Clone, Debug, Default)]
struct World {
    modules: Vec<Arc<Module>>,
    privileges: Vec<Arc<Privilege>>,
    entries: Vec<Arc<PublicEntry>>,
    unprotected: Unprotected,
}

impl World {
    fn module(mut self, id: Id, base_path: &str) -> Self {
        self.modules.push(Arc::new(Module {
            id,
            schema_id: SCHEMA,
            name: format!("module{id}"),
            base_path: base_path.into(),
            items_per_page: 25,
            published: true,
            comments: None,
            origins_allowed: Vec::new(),
            reads_from: ReadsFrom::default(),
            templates: Vec::new(),
            audit: Audit::default(),
        }));
        self
    }

    fn privilege(mut self, id: Id, roles: &[Id], patterns: &[&str], modules: &[Id]) -> Self {
        self.privileges.push(Arc::new(Privilege {
            id,
            schema_id: SCHEMA,
            name: format!("p{id}"),
            label: None,
            description: None,
            comments: None,
            roles: roles.to_vec(),
            patterns: patterns.iter().map(ToString::to_string).collect(),
            modules: modules.to_vec(),
            audit: Audit::default(),
        }));
        self
    }

    fn public(mut self, id: Id, pattern: &str, methods: &[Method]) -> Self {
        let (pattern, methods) = (pattern.into(), methods.to_vec());
        self.entries.push(Arc::new(PublicEntry {
            id,
            schema_id: SCHEMA,
            pattern,
            methods,
            audit: Audit::default(),
        }));
        self
    }

    fn rules(&self) -> AccessRules {
        let role = |(id, name): (Id, &str)| {
            Arc::new(Role { id, schema_id: SCHEMA, name: name.into(), audit: Audit::default() })
        };
        let roles = [(CLERK, "clerk"), (MANAGER, "manager"), (PARTNER, "partner")].map(role);
        AccessRules::build(SCHEMA, &self.modules, &self.privileges, &roles, &self.entries, self.unprotected)
    }
}

fn client(roles: &[Id], privileges: &[Id]) -> ClientAccess {
    ClientAccess {
        id: 900,
        name: "app".into(),
        client_id: "app-id".into(),
        roles: roles.into(),
        privileges: privileges.into(),
    }
}

fn path(raw: &str) -> RequestPath {
    RequestPath::parse(raw).unwrap()
}

fn anonymous(rules: &AccessRules, raw: &str, method: RequestMethod) -> Verdict {
    rules.decide(None, path(raw).below(0), method, &Principal::Anonymous, &mut ())
}

fn called(rules: &AccessRules, raw: &str, access: &ClientAccess, narrowed: Option<&[Id]>) -> Verdict {
    rules.decide(None, path(raw).below(0), GET, &Principal::Client { access, narrowed }, &mut ())
}

fn by_role(privilege: Id, role: Id) -> Verdict {
    Verdict::Allow(Admission::Role { privilege, role })
}

fn missing_role(privileges: &[Id]) -> Verdict {
    Verdict::Refuse(Refusal::MissingRole { privileges: privileges.into() })
}

#[test]
fn locked_by_default() {
    let rules = World::default().module(1, "/hr/").rules();
    let closed = Verdict::Refuse(Refusal::NoPrivilege);
    for raw in ["/", "/hr/emp", "/hr/emp/7"] {
        assert_eq!(anonymous(&rules, raw, GET), closed, "{raw}");
        assert_eq!(called(&rules, raw, &client(&[CLERK], &[]), None), closed, "{raw}");
    }
}

#[test]
fn a_role_opens_and_listing_alone_does_not() {
    let rules = World::default().module(1, "/hr/").privilege(10, &[CLERK, MANAGER], &[], &[1]).rules();
    assert_eq!(anonymous(&rules, "/hr/emp", GET), Verdict::Refuse(Refusal::Anonymous));
    assert_eq!(called(&rules, "/hr/emp", &client(&[MANAGER], &[]), None), by_role(10, MANAGER));
    assert_eq!(called(&rules, "/hr/emp", &client(&[], &[10]), None), missing_role(&[10]));
    assert_eq!(called(&rules, "/hr/emp", &client(&[PARTNER], &[10]), None), missing_role(&[10]));
    assert_eq!(called(&rules, "/hr", &client(&[CLERK], &[]), None), by_role(10, CLERK));
    assert_eq!(called(&rules, "/hrx", &client(&[CLERK], &[]), None), Verdict::Refuse(Refusal::NoPrivilege));
}

#[test]
fn a_privilege_without_roles_opens_only_to_clients_that_list_it() {
    let rules = World::default().privilege(10, &[], &["/hr/*"], &[]).rules();
    let not_listed = Verdict::Refuse(Refusal::NotListed { privileges: [10].into() });
    assert_eq!(called(&rules, "/hr/x", &client(&[CLERK, MANAGER], &[]), None), not_listed);
    assert_eq!(called(&rules, "/hr/x", &client(&[], &[9, 11]), None), not_listed);
    let listed = Verdict::Allow(Admission::Listed { privilege: 10 });
    assert_eq!(called(&rules, "/hr/x", &client(&[], &[9, 10]), None), listed);
}

#[test]
fn a_role_that_is_gone_opens_nothing() {
    let rules = World::default().privilege(10, &[777], &["/*"], &[]).rules();
    assert_eq!(called(&rules, "/x", &client(&[CLERK], &[10]), None), missing_role(&[10]));
}

/// The advice of the post: each client has a role and a privilege of its own on the same module.
#[test]
fn several_clients_have_a_privilege_each_on_one_module() {
    let world = World::default()
        .module(1, "/employees/")
        .privilege(11, &[CLERK], &[], &[1])
        .privilege(12, &[PARTNER], &[], &[1])
        .privilege(13, &[], &["/employees/*"], &[]);
    let rules = world.rules();
    let locks = rules.locks_of_template("/employees/", &Pattern::parse("emp/:id").unwrap());
    assert!(locks.always_locked() && !locks.may_be_public());
    let cases = [
        (client(&[CLERK], &[]), by_role(11, CLERK)),
        (client(&[PARTNER], &[]), by_role(12, PARTNER)),
        (client(&[], &[13]), Verdict::Allow(Admission::Listed { privilege: 13 })),
        (client(&[MANAGER], &[11, 12]), missing_role(&[11, 12, 13])),
    ];
    for (access, expected) in cases {
        for locks in [None, Some(&locks)] {
            let principal = Principal::Client { access: &access, narrowed: None };
            let request = path("/employees/emp/7");
            assert_eq!(rules.decide(locks, request.below(0), GET, &principal, &mut ()), expected);
        }
    }
}

#[test]
fn the_narrowest_breadth_decides() {
    let rules = World::default()
        .module(1, "/hr/")
        .privilege(10, &[CLERK], &["/*"], &[])
        .privilege(11, &[MANAGER], &[], &[1])
        .privilege(12, &[PARTNER], &["/hr/emp/:id"], &[])
        .privilege(13, &[CLERK], &["/hr/emp/7"], &[])
        .privilege(14, &[MANAGER], &["/hr/emp/7/"], &[])
        .rules();
    let cases: [(&str, &[Id]); 7] = [
        ("/other", &[10]),
        ("/hr/dept", &[11]),
        ("/hr/emp", &[11]),
        ("/hr/emp/8", &[12]),
        ("/hr/emp/7", &[13, 14]),
        ("/hr/emp/7/", &[13, 14]),
        ("/hr/emp/7/x", &[11]),
    ];
    for (raw, privileges) in cases {
        assert_eq!(called(&rules, raw, &client(&[], &[]), None), missing_role(privileges), "{raw}");
    }
    assert_eq!(called(&rules, "/hr/emp/7", &client(&[MANAGER], &[]), None), by_role(14, MANAGER));
    assert_eq!(called(&rules, "/hr/emp/8", &client(&[CLERK, MANAGER], &[]), None), missing_role(&[12]));
}

#[test]
fn public_entries_open_their_methods_and_never_beat_a_privilege() {
    let rules = World::default()
        .privilege(10, &[CLERK], &["/demo/secret"], &[])
        .public(50, "/demo/*", &[Method::Get])
        .public(51, "/form", &[Method::Get, Method::Post])
        .rules();
    let open = |entry| Verdict::Allow(Admission::Public { entry });
    let closed = Verdict::Refuse(Refusal::NoPrivilege);
    let cases = [
        ("/demo", GET, open(50)),
        ("/demo/", GET, open(50)),
        ("/demo/x/y", GET, open(50)),
        ("/demo/x", POST, closed.clone()),
        ("/demo/x", RequestMethod::Other, closed.clone()),
        ("/form", POST, open(51)),
        ("/form/", POST, open(51)),
        ("/form/x", POST, closed.clone()),
        ("/demos", GET, closed.clone()),
        ("/Demo/x", GET, closed),
        ("/demo/secret", GET, Verdict::Refuse(Refusal::Anonymous)),
        ("/demo/secret/", GET, Verdict::Refuse(Refusal::Anonymous)),
        ("/demo/secret/x", GET, open(50)),
    ];
    for (raw, method, expected) in cases {
        assert_eq!(anonymous(&rules, raw, method), expected, "{method:?} {raw}");
    }
    assert_eq!(called(&rules, "/demo/x", &client(&[], &[]), Some(&[])), open(50), "a token does no harm");
    assert_eq!(called(&rules, "/demo/secret", &client(&[], &[]), None), missing_role(&[10]));
}

#[test]
fn methods_are_read_by_letter_case_and_head_is_get() {
    let cases =
        [("GET", GET), ("HEAD", GET), ("POST", POST), ("PATCH", RequestMethod::Handler(Method::Patch))];
    for (name, expected) in cases {
        assert_eq!(RequestMethod::from(&http::Method::from_bytes(name.as_bytes()).unwrap()), expected);
    }
    for name in ["get", "Head", "OPTIONS", "TRACE", "CONNECT", "GETX", "PROPFIND"] {
        let method = http::Method::from_bytes(name.as_bytes()).unwrap();
        assert_eq!(RequestMethod::from(&method), RequestMethod::Other, "{name}");
    }
}

#[test]
fn unprotected_public_opens_only_what_nothing_covers() {
    let world = World { unprotected: Unprotected::Public, ..World::default() };
    let rules = world.privilege(10, &[CLERK], &["/hr/*"], &[]).rules();
    assert_eq!(anonymous(&rules, "/x", POST), Verdict::Allow(Admission::Unprotected));
    assert_eq!(anonymous(&rules, "/x", RequestMethod::Other), Verdict::Refuse(Refusal::NoPrivilege));
    assert_eq!(anonymous(&rules, "/hr", GET), Verdict::Refuse(Refusal::Anonymous));
}

#[test]
fn a_narrowed_token_opens_only_its_own_doors() {
    let rules = World::default()
        .privilege(10, &[CLERK], &["/a/*"], &[])
        .privilege(11, &[CLERK], &["/b/*"], &[])
        .privilege(12, &[CLERK], &["/b/*"], &[])
        .rules();
    let access = client(&[CLERK], &[]);
    let narrowed = |needed: &[Id]| Verdict::Refuse(Refusal::NarrowedToken { needed: needed.into() });
    let cases: [(&str, &[Id], Verdict); 6] = [
        ("/a/x", &[10], by_role(10, CLERK)),
        ("/b/x", &[10], narrowed(&[11, 12])),
        ("/b/x", &[12], by_role(12, CLERK)),
        ("/a/x", &[], narrowed(&[10])),
        ("/a/x", &[999], narrowed(&[10])),
        ("/c", &[10], Verdict::Refuse(Refusal::NoPrivilege)),
    ];
    for (raw, ids, expected) in cases {
        assert_eq!(called(&rules, raw, &access, Some(ids)), expected, "{raw} {ids:?}");
    }
    assert_eq!(called(&rules, "/a/x", &client(&[], &[]), Some(&[10])), missing_role(&[10]));
}

#[test]
fn scopes_that_a_client_can_open_and_ask_for() {
    let rules = World::default()
        .privilege(12, &[CLERK, MANAGER], &["/a/*"], &[])
        .privilege(10, &[], &["/b/*"], &[])
        .privilege(11, &[MANAGER], &[], &[])
        .privilege(13, &[PARTNER], &["/c/*"], &[])
        .privilege(14, &[], &["/d/*"], &[])
        .rules();
    let access = client(&[MANAGER], &[10, 13, 999]);
    assert_eq!(rules.openable(&access), [10, 11, 12]);
    assert_eq!(rules.requestable(&access), [10, 11, 12, 13]);
}

#[test]
fn a_pattern_that_cannot_be_read_opens_nothing() {
    let world = World::default().public(50, "/*", &[Method::Get]).privilege(10, &[CLERK], &["/hr/*"], &[]);
    let rules = world.clone().privilege(11, &[MANAGER], &["/hr/pay/%20/x"], &[]).rules();
    let access = client(&[CLERK, MANAGER], &[]);
    let sealed = Verdict::Refuse(Refusal::Sealed { privilege: 11 });
    assert_eq!(called(&rules, "/hr/pay/1/x", &access, None), sealed);
    assert_eq!(anonymous(&rules, "/hr/pay", GET), Verdict::Refuse(Refusal::Anonymous));
    assert_eq!(called(&rules, "/hr/emp", &access, None), by_role(10, CLERK));
    assert!(uncovered_public(&rules, &world.rules()).is_empty(), "`/hr/*` is still locked");

    let rules = world.public(51, "demo/*", &[Method::Post]).rules();
    assert_eq!(anonymous(&rules, "/demo/x", POST), Verdict::Refuse(Refusal::NoPrivilege));
}

#[test]
fn objects_of_other_schemas_count_for_nothing() {
    let world = World::default().module(1, "/hr/").privilege(10, &[CLERK], &["/*"], &[1]).public(
        50,
        "/*",
        &[Method::Get],
    );
    let rules =
        AccessRules::build(2, &world.modules, &world.privileges, &[], &world.entries, Unprotected::Refuse);
    assert_eq!(anonymous(&rules, "/hr/x", GET), Verdict::Refuse(Refusal::NoPrivilege));
    assert!(rules.openable(&client(&[CLERK], &[])).is_empty());
}

#[test]
fn template_locks_of_other_rules_are_not_trusted() {
    let open = World::default().public(50, "/x", &[Method::Get]);
    let locks = open.rules().locks_of_template("/", &Pattern::parse("x").unwrap());
    let locked = open.privilege(10, &[CLERK], &["/x"], &[]).rules();
    let request = path("/x");
    let verdict = locked.decide(Some(&locks), request.below(0), GET, &Principal::Anonymous, &mut ());
    assert_eq!(verdict, Verdict::Refuse(Refusal::Anonymous));
}

#[test]
fn a_template_that_can_meet_a_lock_is_not_taken_as_open() {
    let rules = World::default()
        .public(50, "/*", &[Method::Get])
        .privilege(10, &[CLERK], &["/hr/emp/7"], &[])
        .rules();
    for (template, open) in
        [("emp/:id", true), ("emp/7", false), ("emp/7/", false), (":x/:y", true), (":p*", true)]
    {
        let locks = rules.locks_of_template("/hr/", &Pattern::parse(template).unwrap());
        assert_eq!(locks.may_be_public(), open, "{template}");
        assert_eq!(locks.always_locked(), !open, "{template}");
        let request = path("/hr/emp/7");
        let verdict = rules.decide(Some(&locks), request.below(0), GET, &Principal::Anonymous, &mut ());
        assert_eq!(verdict, Verdict::Refuse(Refusal::Anonymous), "{template}");
    }
}

/// Obligation BEA-07: whatever is written, the locked template is never reached without a token, even below a
/// public entry that covers everything.
#[test]
fn no_spelling_of_a_path_passes_the_lock() {
    let rules =
        World::default().public(50, "/*", &[Method::Get]).privilege(10, &[CLERK], &["/admin/*"], &[]).rules();
    let routes = ["users", "users/", ".", "users/:id"].map(|text| (Pattern::parse(text).unwrap(), 0, ()));
    let admin = ModuleRoutes { base_path: "/admin/".into(), routes: routes.into() };
    let (templates, _) = Router::build([admin]);
    let spellings = [
        "/admin/users",
        "/admin/users/",
        "/admin",
        "/admin/",
        "//admin/users",
        "/admin//users",
        "/admin/users//",
        "/./admin/users",
        "/x/../admin/users",
        "/admin/./users",
        "/admin/x/../users",
        "/%2e/admin/users",
        "/x/%2e%2e/admin/users",
        "/x/%2E%2E/admin/users",
        "/%61dmin/users",
        "/admin/%75sers",
        "/admin%2fusers",
        "/admin%2Fusers",
        "/admin\\users",
        "/admin%5cusers",
        "/ADMIN/users",
        "/Admin/Users",
        "/admin;x/users",
        "/admin/users;x=1",
        "/admin/users%00",
        "/admin%00/users",
        "/admin/users%0a",
        "/%2561dmin/users",
        "/admin/users%2f",
        "/admin/users/7",
        "/admin/users/%37",
        "/admin/users?x",
        "/..;/admin/users",
        "admin/users",
    ];
    let mut refused = 0;
    for raw in spellings {
        let Ok(request) = RequestPath::parse(raw) else { continue };
        let verdict = rules.decide(None, request.below(0), GET, &Principal::Anonymous, &mut ());
        if templates.find(request.below(0)).is_some() {
            assert_eq!(verdict, Verdict::Refuse(Refusal::Anonymous), "{raw}");
            refused += 1;
        }
    }
    assert_eq!(refused, 8);
}

#[test]
fn reasons_tell_the_whole_chain() {
    let rules = World::default()
        .module(1, "/hr/")
        .privilege(10, &[CLERK], &["/*"], &[])
        .privilege(11, &[CLERK, MANAGER], &[], &[1])
        .privilege(12, &[], &["/hr/*"], &[])
        .public(50, "/hr/emp/*", &[Method::Get])
        .public(51, "/demo", &[Method::Get])
        .rules();
    let explain = |raw: &str, principal: Principal<'_>| {
        let mut reasons: Vec<Reason> = Vec::new();
        rules.decide(None, path(raw).below(0), GET, &principal, &mut reasons);
        reasons.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let access = client(&[CLERK], &[10]);
    assert_eq!(
        explain("/hr/emp/7", Principal::Client { access: &access, narrowed: Some(&[10]) }),
        [
            "GET on `/hr/emp/7`.",
            "Privilege `p11` covers it by `/hr/*` (module `module1`); nothing narrower matches, so it decides.",
            "Privilege `p12` covers it by `/hr/*`; nothing narrower matches, so it decides.",
            "Privilege `p10` covers it by `/*`; a narrower pattern decides.",
            "Public entry `/hr/emp/*` matches too, but never beats a privilege.",
            "Client `app` holds the role `clerk` and lists the privilege `p10`; its token is limited to the \
             privilege `p10`.",
            "Privilege `p11` opens to holders of the roles `clerk`, `manager`: the client holds `clerk`, but the \
             token does not cover it.",
            "Privilege `p12` has no roles and opens to clients that list it: this one does not.",
            "Refused: the token is limited to other privileges; it would need the privilege `p11`.",
        ]
    );
    let rules = World::default().public(51, "/demo", &[Method::Get, Method::Post]).rules();
    let mut reasons: Vec<Reason> = Vec::new();
    rules.decide(None, path("/demo").below(0), GET, &Principal::Anonymous, &mut reasons);
    let sentences: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    assert_eq!(
        sentences,
        [
            "GET on `/demo`.",
            "No privilege covers it.",
            "Public entry `/demo` opens GET, POST, this method.",
            "Allowed: the route is public.",
        ]
    );
}

#[test]
fn narrower_locks_that_admit_more_are_reported() {
    let rules = World::default()
        .module(1, "/hr/")
        .privilege(10, &[MANAGER], &["/*"], &[])
        .privilege(11, &[CLERK, MANAGER], &[], &[1])
        .privilege(12, &[PARTNER], &["/hr/*"], &[])
        .privilege(13, &[], &["/hr/pay"], &[])
        .privilege(14, &[MANAGER], &["/hr/pay/x"], &[])
        .privilege(15, &[PARTNER], &["/other"], &[])
        .rules();
    let found: Vec<String> = rules.widened_by().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "`/hr/pay` (privilege `p13`) decides before the wider `/hr/*` (privilege `p11`, `p12`) and admits \
             clients that list `p13`, whom that one alone would refuse.",
            "`/hr/pay` (privilege `p13`) decides before the wider `/*` (privilege `p10`) and admits clients that \
             list `p13`, whom that one alone would refuse.",
            "`/other` (privilege `p15`) decides before the wider `/*` (privilege `p10`) and admits holders of \
             `partner`, whom that one alone would refuse.",
            "`/hr/*` (privilege `p11`, `p12`) decides before the wider `/*` (privilege `p10`) and admits holders of \
             `clerk`, `partner`, whom that one alone would refuse.",
        ]
    );
}

#[test]
fn deleting_a_privilege_under_a_public_entry_is_reported() {
    let base = World::default().module(1, "/demo/").public(50, "/demo/*", &[Method::Get]).public(
        51,
        "/it's/*",
        &[Method::Get],
    );
    let cases: [(&str, World, usize); 6] = [
        ("nothing else locks it", base.clone(), 1),
        ("a wider lock stays", base.clone().privilege(11, &[], &["/*"], &[]), 0),
        ("the module stays locked", base.clone().privilege(11, &[], &[], &[1]), 0),
        ("only a part stays locked", base.clone().privilege(11, &[], &["/demo/secret/x"], &[]), 1),
        ("another part stays locked", base.clone().privilege(11, &[], &["/demo/other/*"], &[]), 1),
        ("the entry goes as well", World { entries: Vec::new(), ..base.clone() }, 0),
    ];
    let before = base.clone().privilege(10, &[CLERK], &["/demo/secret/*", "/elsewhere"], &[]).rules();
    for (name, after, count) in cases {
        assert_eq!(uncovered_public(&before, &after.rules()).len(), count, "{name}");
    }
    let before = base.clone().privilege(10, &[CLERK], &["/it's/x"], &[]).rules();
    assert_eq!(
        uncovered_public(&before, &base.rules())[0].to_string(),
        "Public entry `/it's/*` would come to light: privilege `p10` locks `/it's/x`, and without that, paths there \
         would be open to everybody. Remove the entry first: GATEPOST.DENY_PUBLIC(p_pattern => '/it''s/*')."
    );
}
