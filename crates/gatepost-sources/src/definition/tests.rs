use serde_json::json;

use super::*;

fn source() -> RestSource {
    let mut source = RestSource::new("employees", "hr_api", "employees/");
    source.rows.columns = vec![
        Column::member("empno", Pointer::of(&["empno"]), ColumnType::Integer),
        Column::member("changed", Pointer::of(&["changed"]), ColumnType::Timestamptz),
    ];
    source
}

fn server(name: &str, base_url: &str) -> RemoteServer {
    RemoteServer::new(name, ServerKind::Rest, base_url).checked().unwrap()
}

fn oauth() -> Credential {
    let client = Oauth2Client { client_id: "reader".into(), ..Oauth2Client::default() };
    Credential::new("hr_reader", SignIn::Oauth2ClientCredentials(client))
}

fn auth(credential: &str) -> SourceAuth {
    SourceAuth {
        credential: credential.into(),
        server: None,
        token_path: Some("oauth/token".into()),
        scope: Vec::new(),
    }
}

fn refused(source: RestSource) -> String {
    source.checked().unwrap_err().key
}

#[test]
fn names_are_plain_identifiers() {
    for name in ["", "Emp", "1a", "_a", "a-b", "a b", "a.b", "a\"b", "\u{e4}", &"a".repeat(64)] {
        assert!(check_name("name", name).is_err(), "{name}");
    }
    assert!(check_name("name", "hr_employees2").is_ok());
}

#[test]
fn literal_secrets_in_a_source_are_refused() {
    let with = |name: &str, location, value: &str| {
        let mut source = source();
        let value = Some(json!(value));
        source.parameters =
            vec![Parameter { send: Some(name.into()), value, ..Parameter::new("p", location) }];
        source.checked()
    };
    assert!(with("X-Api-Key", ParameterLocation::Header, "abc").is_err());
    assert!(with("api_key", ParameterLocation::Query, "abc").is_err());
    assert!(with("X-Tenant", ParameterLocation::Header, "Bearer abc").is_err());
    assert!(with("Authorization", ParameterLocation::Header, "x").is_err());
    assert!(with("X-Tenant", ParameterLocation::Header, "a\r\nX: y").is_err());
    assert!(with("X-Tenant", ParameterLocation::Header, "blue").is_ok());
    let error = with("X-Api-Key", ParameterLocation::Header, "hunter2").unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn paginators_without_a_stop_condition_are_refused() {
    let mut source = source();
    source.pagination = Pagination::Cursor(CursorPaging {
        cursor_param: "cursor".into(),
        next: None,
        next_header: None,
        size_param: None,
        page_size: None,
        placement: Placement::Query,
    });
    assert_eq!(refused(source.clone()), "pagination.next");
    source.pagination = Pagination::NextUrl(NextUrlPaging { next: Pointer::default() });
    assert_eq!(refused(source), "pagination.next");
}

#[test]
fn paging_in_a_body_needs_a_body() {
    let mut source = source();
    source.pagination = Pagination::Offset(OffsetPaging {
        offset_param: "from".into(),
        limit_param: Some("size".into()),
        page_size: 100,
        start: 0,
        placement: Placement::Body,
        has_more: None,
        total: None,
        short_page_ends: false,
    });
    assert_eq!(refused(source.clone()), "pagination.in");
    source.method = FetchMethod::Post;
    assert!(source.clone().checked().is_ok());
    source.rows.single = true;
    assert_eq!(refused(source), "pagination.type");
}

#[test]
fn parameters_do_not_meet_each_other_or_the_paginator() {
    let parameter = |name: &str| Parameter::new(name, ParameterLocation::Query);
    let mut source = source();
    source.parameters = vec![parameter("a"), Parameter { send: Some("a".into()), ..parameter("b") }];
    assert_eq!(refused(source.clone()), "param[1].send");
    source.parameters = vec![parameter("a"), parameter("a")];
    assert_eq!(refused(source.clone()), "param[1].name");
    source.parameters = vec![parameter("limit")];
    assert_eq!(refused(source.clone()), "param[0].name");
    source.pagination = Pagination::Ords(OrdsPaging { page_size: Some(100) });
    source.parameters = vec![Parameter { send: Some("offset".into()), ..parameter("skip") }];
    assert_eq!(refused(source), "param[0].send");
}

#[test]
fn paths_and_path_parameters_agree() {
    let mut source = source();
    source.path = "departments/{dept}/employees".into();
    assert_eq!(refused(source.clone()), "path");
    source.parameters = vec![Parameter::new("dept", ParameterLocation::Path)];
    assert!(source.clone().checked().is_ok());
    source.path = "employees".into();
    assert_eq!(refused(source.clone()), "param[0].in");
    source.operations.fetch_one = Some(Operation::new(OperationMethod::Get, "{dept}/{empno}"));
    assert!(source.clone().checked().is_ok());
    source.operations.fetch_one = Some(Operation::new(OperationMethod::Get, "{dept}/{nothing}"));
    assert_eq!(refused(source.clone()), "op.fetch_one.path");
    source.operations.fetch_one = Some(Operation::new(OperationMethod::Delete, "{dept}"));
    assert_eq!(refused(source), "op.fetch_one.method");
}

#[test]
fn bodies_name_known_values_only() {
    let mut source = source();
    let mut insert = Operation::new(OperationMethod::Post, "");
    insert.body = Some(json!({ "no": "${empno}", "tags": ["${tag}"] }));
    source.operations.insert = Some(insert.clone());
    assert_eq!(refused(source.clone()), "op.insert.body");
    insert.parameters = vec![Parameter::new("tag", ParameterLocation::Query)];
    source.operations.insert = Some(insert.clone());
    assert!(source.clone().checked().is_ok());
    insert.body = Some(json!({ "a": null }));
    source.operations.insert = Some(insert);
    assert_eq!(refused(source.clone()), "op.insert.body");
    source.operations.insert = None;
    source.body = Some(json!({}));
    assert_eq!(refused(source), "body");
}

#[test]
fn limits_have_maxima() {
    for (key, change) in [
        ("limits.max_pages", (|s: &mut RestSource| s.limits.max_pages = 0) as fn(&mut RestSource)),
        ("limits.max_pages", |s| s.limits.max_pages = 100_001),
        ("limits.max_rows", |s| s.limits.max_rows = u64::MAX),
        ("limits.max_bytes", |s| s.limits.max_bytes = u64::MAX),
        ("limits.max_time", |s| s.limits.max_time_ms = u64::MAX),
        ("timeout.connect", |s| s.timeout.connect_ms = 0),
        ("timeout.total", |s| s.timeout.total_ms = u64::MAX),
        ("cache.ttl", |s| s.cache = Cache { scope: CacheScope::All, ttl_ms: 0 }),
        ("cache.ttl", |s| s.cache = Cache { scope: CacheScope::Off, ttl_ms: 1_000 }),
        ("pagination.page_size", |s| s.pagination = Pagination::Ords(OrdsPaging { page_size: Some(10_001) })),
    ] {
        let mut source = source();
        change(&mut source);
        assert_eq!(refused(source), key);
    }
}

#[test]
fn rules_about_success_need_a_text() {
    let rule = |statuses: &[u16], contains: Option<&str>| {
        let mut source = source();
        let statuses = statuses.to_vec();
        source.on = vec![OnRule { statuses, contains: contains.map(str::to_owned), action: Action::Empty }];
        source.checked().map(|source| source.on[0].statuses.clone())
    };
    assert!(rule(&[], None).is_err());
    assert!(rule(&[200], None).is_err());
    assert!(rule(&[99], None).is_err());
    assert!(rule(&[600], None).is_err());
    assert_eq!(rule(&[429, 404, 404], None).unwrap(), [404, 429]);
    assert!(rule(&[200], Some("no data")).is_ok());
}

#[test]
fn synchronization_needs_what_its_mode_needs() {
    let plain = Sync {
        table: "hr_employees".into(),
        mode: SyncMode::Append,
        schedule: None,
        cursor: None,
        delete_missing: false,
        create_table: false,
    };
    let cursor = SyncCursor { column: "changed".into(), param: "since".into(), overlap_ms: 600_000 };
    let check = |sync: Sync, keyed: bool| {
        let mut source = source();
        source.parameters = vec![Parameter::new("since", ParameterLocation::Query)];
        source.rows.primary_key = if keyed { vec!["empno".into()] } else { Vec::new() };
        source.sync = Some(sync);
        source.checked().err().map(|error| error.key)
    };
    assert_eq!(check(plain.clone(), false), None);
    let merge = Sync { mode: SyncMode::Merge, ..plain.clone() };
    assert_eq!(check(merge.clone(), false).as_deref(), Some("sync.mode"));
    assert_eq!(check(Sync { delete_missing: true, ..merge.clone() }, true), None);
    assert_eq!(
        check(Sync { delete_missing: true, ..plain.clone() }, true).as_deref(),
        Some("sync.delete_missing")
    );
    let with_cursor = Sync { cursor: Some(cursor.clone()), ..merge };
    assert_eq!(check(with_cursor.clone(), true), None);
    let missing = Sync { delete_missing: true, ..with_cursor.clone() };
    assert_eq!(check(missing, true).as_deref(), Some("sync.delete_missing"));
    let replace = Sync { mode: SyncMode::Replace, ..with_cursor.clone() };
    assert_eq!(check(replace, true).as_deref(), Some("sync.mode"));
    let number =
        Sync { cursor: Some(SyncCursor { column: "empno".into(), ..cursor.clone() }), ..plain.clone() };
    assert_eq!(check(number, true).as_deref(), Some("sync.cursor.overlap"));
    let unknown = Sync { cursor: Some(SyncCursor { param: "from".into(), ..cursor }), ..plain.clone() };
    assert_eq!(check(unknown, true).as_deref(), Some("sync.cursor.param"));
    let again = Sync { mode: SyncMode::Append, ..with_cursor };
    assert_eq!(check(again, true).as_deref(), Some("sync.cursor.overlap"));
    let own = Sync { table: "gatepost_sync".into(), ..plain.clone() };
    assert_eq!(check(own, true).as_deref(), Some("sync.table"));
    let cron = Sync { schedule: Some(Schedule::Cron("0 */4 * *".into())), ..plain.clone() };
    assert_eq!(check(cron, true).as_deref(), Some("sync.cron"));
    let every = Sync { schedule: Some(Schedule::Every(1)), ..plain };
    assert_eq!(check(every, true).as_deref(), Some("sync.every"));
}

#[test]
fn credentials_are_checked_by_type() {
    let error = |sign_in: SignIn| Credential::new("c", sign_in).checked().unwrap_err().key;
    assert_eq!(error(SignIn::Basic { username: "a:b".into() }), "username");
    assert_eq!(error(SignIn::Basic { username: String::new() }), "username");
    assert_eq!(error(SignIn::Header { header: "Host".into() }), "header");
    assert_eq!(error(SignIn::Query { parameter: String::new() }), "parameter");
    let client = |change: fn(&mut Oauth2Client)| {
        let mut client = Oauth2Client { client_id: "id".into(), ..Oauth2Client::default() };
        change(&mut client);
        error(SignIn::Oauth2ClientCredentials(client))
    };
    assert_eq!(client(|c| c.client_id.clear()), "client_id");
    assert_eq!(client(|c| c.scope = vec!["a b".into()]), "scope");
    assert_eq!(client(|c| c.default_expires_in_ms = 0), "default_expires_in");
    for name in ["grant_type", "scope", "client_id", "client_secret", "client_assertion", "password"] {
        let mut client = Oauth2Client { client_id: "id".into(), ..Oauth2Client::default() };
        client.token_params.insert(name.into(), "x".into());
        assert_eq!(error(SignIn::Oauth2ClientCredentials(client)), format!("token_params.{name}"));
    }
    let certificates = RemoteServer {
        tls_ca: Some("-----BEGIN PRIVATE KEY-----".into()),
        ..RemoteServer::new("s", ServerKind::Rest, "https://h")
    };
    assert_eq!(certificates.checked().unwrap_err().key, "tls_ca");
}

#[test]
fn edits_that_redirect_a_secret_are_named() {
    let before = Credential { valid_for: vec!["https://a".into(), "https://b".into()], ..oauth() };
    let after = |change: fn(&mut Credential)| {
        let mut after = before.clone();
        change(&mut after);
        Credential::redirects_secret(&before, &after)
    };
    assert_eq!(after(|_| {}), None);
    assert_eq!(after(|c| c.comments = Some("x".into())), None);
    assert_eq!(after(|c| c.valid_for = vec!["https://b".into()]), None);
    assert_eq!(after(|c| c.valid_for.clear()), Some("valid_for"));
    assert_eq!(after(|c| c.valid_for.push("https://c".into())), Some("valid_for"));
    assert_eq!(after(|c| c.sign_in = SignIn::Bearer), Some("type"));
    assert_eq!(after(|c| c.secret = SecretReference::Env("X".into())), Some("secret"));
    let post = |c: &mut Credential| {
        let SignIn::Oauth2ClientCredentials(client) = &mut c.sign_in else { panic!("not OAuth") };
        client.client_auth = ClientAuth::Post;
    };
    assert_eq!(after(post), Some("client_auth"));
    let header = |name: &str| Credential::new("c", SignIn::Header { header: name.into() });
    assert_eq!(Credential::redirects_secret(&header("X-A"), &header("X-B")), Some("header"));
    assert_eq!(Credential::redirects_secret(&header("X-A"), &header("x-a")), None);
    let query = |name: &str| Credential::new("c", SignIn::Query { parameter: name.into() });
    assert_eq!(Credential::redirects_secret(&query("a"), &query("b")), Some("parameter"));

    let (old, new) = (server("s", "https://a/x"), server("s", "https://a/y"));
    assert_eq!(RemoteServer::redirects_secret(&old, &new), Some("base_url"));
    assert_eq!(RemoteServer::redirects_secret(&old, &server("s", "https://A:443/x/")), None);

    let open = source();
    let closed = RestSource { auth: Some(auth("hr_reader")), ..source() };
    assert_eq!(RestSource::redirects_secret(&open, &closed), Some("auth"));
    assert_eq!(RestSource::redirects_secret(&closed, &open), None);
    let moved = RestSource { server: "other".into(), ..closed.clone() };
    assert_eq!(RestSource::redirects_secret(&closed, &moved), Some("server"));
    let token = SourceAuth { token_path: Some("steal".into()), ..auth("hr_reader") };
    let moved = RestSource { auth: Some(token), ..closed.clone() };
    assert_eq!(RestSource::redirects_secret(&closed, &moved), Some("auth.token_path"));
}

#[test]
fn a_source_of_somebody_else_cannot_take_a_secret_further() {
    let (good, evil) = (server("good", "https://good"), server("evil", "https://evil"));
    let find = |name: &str| [&good, &evil].into_iter().find(|server| server.name == name);
    let mut first = RestSource::new("first", "good", "x");
    first.auth = Some(auth("hr_reader"));
    let second = RestSource { name: "second".into(), server: "evil".into(), ..first.clone() };
    let credential = oauth();

    let nothing = SecretReach::of(&credential, [], find);
    let one = SecretReach::of(&credential, [&first], find);
    let both = SecretReach::of(&credential, [&first, &second], find);
    assert!(nothing.is_empty());
    assert_eq!(one.urls().collect::<Vec<_>>(), ["https://good", "https://good/oauth/token"]);
    assert_eq!(SecretReach::widened(&one, &both).as_deref(), Some("https://evil"));
    assert!(SecretReach::costs_the_secret(&credential, &one, &both));
    assert!(SecretReach::costs_the_secret(&credential, &one, &nothing), "the next source would decide");
    assert_eq!(SecretReach::widened(&both, &one), None);

    let listed = Credential { valid_for: vec!["https://good".into()], ..credential };
    let before = SecretReach::of(&listed, [&first], find);
    let after = SecretReach::of(&listed, [&first, &second], find);
    assert_eq!(SecretReach::widened(&before, &after), None, "the list decides alone");
}

#[test]
fn a_source_names_what_is_there_and_fits() {
    let api = server("hr_api", "https://a");
    let identity = RemoteServer { kind: ServerKind::Authentication, ..api.clone() };
    let mut source = source();
    let client = oauth();
    let key = |source: &RestSource, server, token_server, credential| {
        source.check_references(server, token_server, credential).err().map(|error| error.key)
    };
    assert_eq!(key(&source, None, None, None).as_deref(), Some("server"));
    assert_eq!(key(&source, Some(&identity), None, None).as_deref(), Some("server"));
    assert_eq!(key(&source, Some(&api), None, None), None);
    source.auth = Some(auth("hr_reader"));
    assert_eq!(key(&source, Some(&api), None, None).as_deref(), Some("auth.credential"));
    assert_eq!(key(&source, Some(&api), None, Some(&client)), None);
    let bearer = Credential::new("hr_reader", SignIn::Bearer);
    assert_eq!(key(&source, Some(&api), None, Some(&bearer)).as_deref(), Some("auth.token_path"));
    source.auth = Some(SourceAuth { token_path: None, ..auth("hr_reader") });
    assert_eq!(key(&source, Some(&api), None, Some(&bearer)), None);
    assert_eq!(key(&source, Some(&api), None, Some(&client)).as_deref(), Some("auth.token_path"));
    source.auth = Some(SourceAuth { server: Some("hr_auth".into()), ..auth("hr_reader") });
    assert_eq!(key(&source, Some(&api), None, Some(&client)).as_deref(), Some("auth.server"));
    assert_eq!(key(&source, Some(&api), Some(&identity), Some(&client)), None);
}

#[test]
fn new_generation_is_never_the_old_one() {
    let mut credential = oauth();
    credential.new_generation(0);
    assert_eq!(credential.generation, 1);
    credential.new_generation(7);
    assert_eq!(credential.generation, 7);
}
