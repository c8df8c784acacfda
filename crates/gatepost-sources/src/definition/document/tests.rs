use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::definition::*;

const EXAMPLE: &str = r#"
[remote_server.hr_api]
kind     = "rest"
base_url = "https://hr.example.com/ords/hr/"

[remote_server.hr_auth]
kind     = "authentication"
base_url = "https://hr.example.com/ords/hr"

[credential.hr_reader]
type          = "oauth2_client_credentials"
client_id     = "LfXJilIBdzj5JPRn4xb5QQ.."
client_secret = { env = "HR_READER_SECRET" }
scope         = ["hr.read"]
client_auth   = "basic"
valid_for     = ["https://hr.example.com/ords/hr/"]
token_params  = { audience = "hr" }
default_expires_in = "5m"
refresh_early = "30s"

[rest_source.employees]
server = "hr_api"
path   = "/employees/"
auth   = { credential = "hr_reader", server = "hr_auth", token_path = "oauth/token" }
timeout = { connect = "5s", total = "30s" }
limits  = { max_pages = 200, max_rows = 50000, max_bytes = "32MiB" }
cache   = { scope = "all", ttl = "60s" }

[rest_source.employees.pagination]
type = "ords"
page_size = 100

[[rest_source.employees.param]]
name = "dept"
in   = "query"
send = "q"
template = '{"deptno":{"$eq":${dept}}}'
type = "integer"
omit_when_null = true

[[rest_source.employees.param]]
name = "since"

[rest_source.employees.rows]
select = "/items"
primary_key = ["empno"]
columns = [
  { name = "empno",    at = "/empno",    type = "integer" },
  { name = "ename" },
  { name = "updated_at", at = "updated.at", type = "timestamptz" },
  { name = "sal",      at = "/sal",      type = "decimal" },
  { name = "yearly",   sql = "sal * 12" },
  { name = "raw",      at = "",          type = "json" },
]
query = "select ename, sal, yearly from rows where sal > 1000 order by sal desc"

[rest_source.employees.op.insert]
method = "POST"
path   = ""
body   = { ename = "${ename}", sal = "${sal}", level = 1.50 }

[[rest_source.employees.on]]
status = [404]
action = "empty"
[[rest_source.employees.on]]
status = [503, 429, 502]
action = "retry"

[rest_source.employees.sync]
table = "hr_employees"
mode  = "merge"
every = "15m"
cursor = { column = "updated_at", param = "since", overlap = "10m" }
delete_missing = false
"#;

const CANONICAL: &str = r#"server = "hr_api"
path = "employees/"
auth = { credential = "hr_reader", server = "hr_auth", token_path = "oauth/token" }
timeout = { connect = "5s", total = "30s" }
limits = { max_pages = 200, max_rows = 50000, max_bytes = "32MiB", max_time = "1m" }
cache = { scope = "all", ttl = "1m" }

[pagination]
type = "ords"
page_size = 100

[[param]]
name = "dept"
in = "query"
send = "q"
template = '{"deptno":{"$eq":${dept}}}'
type = "integer"
omit_when_null = true

[[param]]
name = "since"
in = "query"

[rows]
select = "/items"
primary_key = ["empno"]
columns = [
  { name = "empno", at = "/empno", type = "integer" },
  { name = "ename", at = "/ename", type = "text" },
  { name = "updated_at", at = "/updated/at", type = "timestamptz" },
  { name = "sal", at = "/sal", type = "decimal" },
  { name = "yearly", sql = "sal * 12" },
  { name = "raw", at = "", type = "json" },
]
query = "select ename, sal, yearly from rows where sal > 1000 order by sal desc"

[op.insert]
method = "POST"
body = { ename = "${ename}", level = 1.50, sal = "${sal}" }

[[on]]
status = [404]
action = "empty"

[[on]]
status = [429, 502, 503]
action = "retry"

[sync]
table = "hr_employees"
mode = "merge"
every = "15m"
cursor = { column = "updated_at", param = "since", overlap = "10m" }
"#;

/// The error of a text, as people see it.
fn error(text: &str) -> String {
    Document::parse(text).unwrap_err().to_string()
}

/// The error of a source's text.
fn source_error(text: &str) -> String {
    let head = "server = \"s\"\npath = \"x\"\n";
    RestSource::from_toml("s", &format!("{head}{text}")).unwrap_err().to_string()
}

#[test]
fn misspelt_keys_and_words_get_a_suggestion_and_a_line() {
    for (text, expected) in [
        ("tpye = 1", "line 3: `tpye`: this key is not known here"),
        (
            "[pagination]\ntype = \"ords\"\npage_sise = 1",
            "line 5: `pagination.page_sise`: this key is not known here; did you mean `page_size`?",
        ),
        (
            "[pagination]\ntype = \"odrs\"",
            "line 4: `pagination.type`: one of none, ords, offset, page, cursor, link_header, next_url is needed; did you mean `ords`?",
        ),
        ("[rows]\ncolums = []", "line 4: `rows.colums`: this key is not known here; did you mean `columns`?"),
        (
            "[rows]\ncolumns = [\n  { name = \"a\" },\n  { name = \"a\" },\n]",
            "line 6: `rows.columns[1].name`: another column has this name",
        ),
        ("[[on]]\nstatus = [404]\nacton = \"empty\"", "line 3: `on[0].action`: this key is needed"),
        ("[limits]\nmax_bytes = \"32MB\"", "line 4: `limits.max_bytes`: a size such as"),
        ("[timeout]\ntotal = 30", "line 4: `timeout.total`: a duration such as"),
        ("[limits]\nmax_pages = 100001", "line 4: `limits.max_pages`: a number from 1 to 100000 is needed"),
        (
            "[pagination]\ntype = \"cursor\"\ncursor_param = \"c\"",
            "line 3: `pagination.next`: no stop condition",
        ),
        ("[pagination]\ntype = \"next_url\"", "line 3: `pagination.next`: no stop condition"),
        (
            "[[param]]\nname = \"a\"\nin = \"cookie\"",
            "line 5: `param[0].in`: one of path, query, header, body is needed",
        ),
        ("auth = \"x\"", "line 3: `auth`: a table is needed"),
        ("body = { a = 2026-01-01 }", "line 3: `body`: a text, a number"),
        ("body = { a = inf }", "line 3: `body`: a text, a number"),
        ("path = \"y\"", "line 3: not TOML: duplicate key"),
    ] {
        let found = source_error(text);
        assert!(found.starts_with(expected), "{found}\ninstead of\n{expected}");
    }
    assert_eq!(
        error("[rest_sourc.a]\nserver = \"s\""),
        "line 1: `rest_sourc`: this key is not known here; did you mean `rest_source`?"
    );
    assert_eq!(
        error("[remote_server.Hr]\nbase_url = \"https://h\""),
        "line 1: `remote_server.Hr.name`: a name begins with a lower-case letter and has lower-case letters, digits and _ \
         only"
    );
}

#[test]
fn secrets_in_the_wrong_place_are_refused_and_not_repeated() {
    let secret = "hunter2-very-secret";
    let oauth = "[credential.c]\ntype = \"oauth2_client_credentials\"\nclient_id = \"i\"\n";
    for text in [
        format!("{oauth}secret = \"{secret}\""),
        format!("{oauth}client_secret = \"{secret}\""),
        format!("{oauth}secret = {{ value = \"{secret}\" }}"),
        format!("{oauth}password = \"{secret}\""),
        format!("{oauth}token_params = {{ client_secret = \"{secret}\" }}"),
        format!("{oauth}secret = \"{secret}"),
        format!("[credential.c]\ntype = \"bearer\"\ntoken = \"{secret}\""),
        format!("[remote_server.s]\nbase_url = \"https://user:{secret}@h/\""),
        format!("[rest_source.s]\nserver = \"s\"\nclient_secret = \"{secret}\""),
        format!(
            "[rest_source.s]\nserver = \"s\"\n[[rest_source.s.param]]\nname = \"a\"\nsend = \"api_key\"\nvalue = \"{secret}\""
        ),
        format!("[rest_source.s]\nserver = \"s\"\npath = \"x?api_key={secret}\""),
    ] {
        let found = error(&text);
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[test]
fn a_source_is_read_with_and_without_its_header() {
    let document = parse_document(EXAMPLE).unwrap();
    let source = &document.sources[0];
    assert_eq!(source.to_toml(), CANONICAL);
    assert_eq!(&RestSource::from_toml("employees", CANONICAL).unwrap(), source);
    let alone = EXAMPLE.split_once("[rest_source.employees]").unwrap().1;
    let alone = format!("[rest_source.employees]{alone}");
    assert_eq!(&RestSource::from_toml("employees", &alone).unwrap(), source);
    let other = RestSource::from_toml("emp", &alone).unwrap_err().to_string();
    assert_eq!(other, "line 1: `rest_source`: the one table [rest_source.emp] is needed");
    assert!(RestSource::from_toml("employees", EXAMPLE).is_err(), "a server does not come along");
}

#[test]
fn a_file_gives_its_objects() {
    let document = Document::parse(EXAMPLE).unwrap();
    assert_eq!(document.servers[0].base_url, "https://hr.example.com/ords/hr");
    assert_eq!(document.servers[1].kind, ServerKind::Authentication);
    let credential = &document.credentials[0];
    assert_eq!(credential.secret, SecretReference::Env("HR_READER_SECRET".into()));
    assert_eq!(credential.valid_for, ["https://hr.example.com/ords/hr"]);
    assert_eq!(credential.oauth2().unwrap().token_params["audience"], "hr");
    let source = &document.sources[0];
    assert_eq!(
        source.operations.insert.as_ref().unwrap().body.as_ref().unwrap()["level"].to_string(),
        "1.50"
    );
    let again = Document::parse(&document.to_toml()).unwrap();
    assert_eq!(again, document);
    assert_eq!(again.to_toml(), document.to_toml());
}

#[test]
fn other_paginators_read_as_they_are_written() {
    for pagination in [
        "[pagination]\ntype = \"offset\"\noffset_param = \"skip\"\nlimit_param = \"\"\npage_size = 50\nstart = 1\nhas_more = \"/hasMore\"\n",
        "[pagination]\ntype = \"offset\"\noffset_param = \"from\"\nlimit_param = \"size\"\npage_size = 50\nstart = 0\nin = \"body\"\ntotal = \"/total\"\nshort_page_ends = true\n",
        "[pagination]\ntype = \"page\"\npage_param = \"page\"\npage_size = 20\nfirst = 0\nin = \"header\"\ntotal_pages = \"/pages\"\n",
        "[pagination]\ntype = \"cursor\"\ncursor_param = \"after\"\nnext = \"/meta/next\"\nsize_param = \"n\"\npage_size = 5\n",
        "[pagination]\ntype = \"cursor\"\ncursor_param = \"after\"\nnext_header = \"X-Next\"\n",
        "[pagination]\ntype = \"link_header\"\nrel = \"next\"\n",
        "[pagination]\ntype = \"next_url\"\nnext = \"/@odata.nextLink\"\n",
    ] {
        let method = if pagination.contains("\"body\"") { "method = \"POST\"\n" } else { "" };
        let text = format!("server = \"s\"\n{method}{pagination}");
        let written = RestSource::from_toml("s", &text).unwrap().to_toml();
        assert!(written.ends_with(pagination), "{written}");
    }
}

#[test]
fn objects_survive_the_catalogs_json() {
    let document = Document::parse(EXAMPLE).unwrap();
    let json = serde_json::to_string(&document.sources[0]).unwrap();
    assert_eq!(serde_json::from_str::<RestSource>(&json).unwrap(), document.sources[0]);
    let json = serde_json::to_string(&document.credentials[0]).unwrap();
    assert_eq!(serde_json::from_str::<Credential>(&json).unwrap(), document.credentials[0]);
    let json = serde_json::to_string(&document.servers[0]).unwrap();
    assert_eq!(serde_json::from_str::<RemoteServer>(&json).unwrap(), document.servers[0]);
}

#[test]
fn large_texts_are_refused() {
    let text = " ".repeat(DOCUMENT_BYTES_MAX + 1);
    assert!(Document::parse(&text).is_err());
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,8}".prop_filter("reserved", |name| !parameter::RESERVED_NAMES.contains(&name.as_str()))
}

/// Any text a definition takes: quotes, backslashes, line ends, control characters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{1,12}", "[\\x01-\\x7f]{0,10}", "['\"\\\\\n\r\t]{1,6}"]
        .prop_map(|text| format!("t{text}"))
}

fn pointer() -> impl Strategy<Value = Pointer> {
    vec(text(), 1..3).prop_map(|steps| Pointer::of(&steps))
}

fn pagination() -> impl Strategy<Value = Pagination> {
    let size = 1..=10_000_u32;
    prop_oneof![
        Just(Pagination::None),
        option::of(size.clone()).prop_map(|page_size| Pagination::Ords(OrdsPaging { page_size })),
        (size, any::<u64>(), option::of(pointer()), any::<bool>()).prop_map(
            |(page_size, start, total, short)| {
                Pagination::Offset(OffsetPaging {
                    offset_param: "from".into(),
                    limit_param: short.then(|| "size".into()),
                    page_size,
                    start,
                    placement: Placement::Header,
                    has_more: None,
                    total,
                    short_page_ends: short,
                })
            }
        ),
        pointer().prop_map(|next| Pagination::NextUrl(NextUrlPaging { next })),
    ]
}

fn body() -> impl Strategy<Value = serde_json::Value> {
    let number =
        prop_oneof!["-?(0|[1-9][0-9]{0,30})", "-?(0|[1-9][0-9]{0,5})\\.[0-9]{1,20}([eE][+-]?[0-9]{1,3})?"];
    let leaf = prop_oneof![
        text().prop_map(|text| json!(text.replace('$', ""))),
        any::<bool>().prop_map(|flag| json!(flag)),
        number.prop_map(|number| serde_json::Value::Number(serde_json::from_str(&number).unwrap())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn any_source()(
        (name, server, comments) in (name(), name(), option::of(text())),
        pagination in pagination(),
        columns in vec((name(), pointer(), 0..8_usize, option::of(text())), 0..5),
        parameters in vec((name(), text(), any::<bool>(), option::of(text())), 0..3),
        (body, query) in (option::of(body()), option::of(text())),
        rules in vec((vec(400..=599_u16, 1..4), option::of(text()), 0..4_usize), 0..3),
        (ttl, pages, bytes) in (1_000..=86_400_000_u64, 1..=100_000_u32, 1_024..=1_u64 << 30),
    ) -> RestSource {
        let mut source = RestSource::new(&name, &server, "a/b");
        source.method = if body.is_some() { FetchMethod::Post } else { FetchMethod::Get };
        source.body = body;
        source.comments = comments;
        source.pagination = pagination;
        source.cache = Cache { scope: CacheScope::User, ttl_ms: ttl };
        source.limits.max_pages = pages;
        source.limits.max_bytes = bytes;
        source.rows.query = query;
        source.rows.columns = columns.into_iter().map(|(name, at, kind, comments)| {
            Column { comments, ..Column::member(&name, at, ColumnType::ALL[kind]) }
        }).collect();
        source.parameters = parameters.into_iter().map(|(name, default, omit_when_null, comments)| Parameter {
            default: Some(json!(default)),
            omit_when_null,
            comments,
            ..Parameter::new(&name, ParameterLocation::Query)
        }).collect();
        source.on = rules.into_iter().map(|(statuses, contains, action)| {
            OnRule { statuses, contains, action: Action::ALL[action] }
        }).collect();
        source
    }
}

proptest! {
    #[test]
    fn canonical_text_is_a_fixed_point(source in any_source()) {
        let source = source.checked();
        prop_assume!(source.is_ok());
        let source = source.unwrap();
        let text = source.to_toml();
        let read = RestSource::from_toml(&source.name, &text).map_err(|error| format!("{error}\n{text}"));
        prop_assert_eq!(read.as_ref(), Ok(&source));
        prop_assert_eq!(read.unwrap().to_toml(), text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = Document::parse(&text);
        let _ = RestSource::from_toml("a", &text);
    }
}
