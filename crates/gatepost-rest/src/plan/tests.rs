use http::HeaderValue;

use super::*;
use crate::definition::{
    Audit, Handler, Method, Parameter, ParameterAccess, ParameterSource, ParameterType, SourceType,
};
use crate::source::compile;
use crate::sql::Dialect;

type Pairs = Vec<(Cow<'static, str>, Cow<'static, str>)>;

fn source(source_type: SourceType, sql: &str, parameters: &[(&str, ParameterType)]) -> Arc<CompiledSource> {
    source_for(Dialect::Sqlite, source_type, sql, parameters)
}

fn source_for(
    dialect: Dialect,
    source_type: SourceType,
    sql: &str,
    parameters: &[(&str, ParameterType)],
) -> Arc<CompiledSource> {
    let parameters = parameters
        .iter()
        .map(|(name, kind)| Parameter {
            id: 1,
            name: (*name).into(),
            bind_variable_name: Some((*name).into()),
            source: ParameterSource::Uri,
            kind: *kind,
            access: ParameterAccess::In,
            comments: None,
            audit: Audit::default(),
        })
        .collect();
    let handler = Handler {
        id: 1,
        method: Method::Get,
        source_type,
        source: sql.into(),
        items_per_page: None,
        mimes_allowed: Vec::new(),
        comments: None,
        parameters,
        audit: Audit::default(),
    };
    Arc::new(compile(&handler, None, dialect).unwrap())
}

fn pairs(query: &str) -> Pairs {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (Cow::Owned(name.to_owned()), Cow::Owned(value.to_owned())))
        .collect()
}

struct Request<'a> {
    path: &'a [(&'a str, Cow<'a, str>)],
    query: &'a str,
    content_type: Option<&'a str>,
    body: &'a str,
}

const GET: Request<'static> = Request { path: &[], query: "", content_type: None, body: "" };

fn planned(source: &Arc<CompiledSource>, request: &Request<'_>) -> Result<Plan, PlanError> {
    let query = pairs(request.query);
    let bytes = Bytes::copy_from_slice(request.body.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("x-a", HeaderValue::from_static("1"));
    let values = RequestValues {
        captures: request.path,
        query: &query,
        body: RequestBody::read(source, request.content_type, &bytes)?,
        body_bytes: &bytes,
        headers: &headers,
        content_type: request.content_type,
        current_user: Some("client-1"),
    };
    plan(source, PageSettings::default(), LinkBase::default(), &values)
}

fn query_plan(sql: &str, query: &str) -> Result<Plan, PlanError> {
    planned(&source(SourceType::CollectionFeed, sql, &[]), &Request { query, ..GET })
}

fn json_value(sql: &str, body: &str) -> Result<Vec<BindValue>, PlanError> {
    let source = source(SourceType::QueryOneRow, sql, &[]);
    planned(&source, &Request { content_type: Some("application/json"), body, ..GET }).map(|plan| plan.values)
}

fn one(value: BindValue) -> Vec<BindValue> {
    vec![value]
}

#[test]
fn names_given_twice_are_refused() {
    for query in ["id=1&id=2", "id=1&ID=1", "offset=1&offset=1", "limit=1&Limit=2"] {
        assert!(query_plan("select :id", query).is_err(), "{query}");
    }
    let error = json_value("select :a", r#"{"a":1,"a":2}"#).unwrap_err();
    assert_eq!(error.parameter, "a");
    assert!(json_value("select :a", r#"{"a":1,"A":2}"#).is_err());
    let form = source(SourceType::QueryOneRow, "select :a", &[]);
    let request = Request { content_type: Some("application/x-www-form-urlencoded"), body: "a=1&a=2", ..GET };
    assert!(planned(&form, &request).is_err());
}

#[test]
fn bad_pages_are_refused() {
    for query in [
        "offset=-1",
        "offset=",
        "offset=x",
        "limit=1.5",
        "limit=+1",
        "offset=99999999999999999999",
        "q=%7B%7D",
    ] {
        assert!(query_plan("select 1", query).is_err(), "{query}");
    }
    let legacy = source(SourceType::Query, "select 1", &[]);
    assert!(planned(&legacy, &Request { query: "page=-1", ..GET }).is_err());
    assert!(planned(&legacy, &Request { query: "page=9223372036854775807", ..GET }).is_err());
    let item = source(SourceType::QueryOneRow, "select :q, :offset", &[]);
    let plan = planned(&item, &Request { query: "q=a&offset=x", ..GET }).unwrap();
    assert_eq!(plan.values, [BindValue::Text("a".into()), BindValue::Text("x".into())]);
}

#[test]
fn pages_are_read_and_capped() {
    let plan = query_plan("select 1", "offset=50&limit=99999&a=b c&ä=1").unwrap();
    assert_eq!((plan.window.offset, plan.window.limit, plan.window.client_limit), (50, 10_000, Some(10_000)));
    assert_eq!(plan.kept_query, "a=b%20c&%C3%A4=1");
    let plan = query_plan("select 1", "").unwrap();
    assert_eq!((plan.window.limit, plan.window.client_limit), (25, None));
    let legacy = source(SourceType::Feed, "select 1", &[]);
    assert_eq!(planned(&legacy, &Request { query: "page=3", ..GET }).unwrap().window.offset, 75);
}

#[test]
fn implicit_binds_never_come_from_the_request() {
    let names = "body body_text body_json content_type current_user fetch_offset fetch_size row_offset row_count page_offset page_size status_code forward_location";
    for name in names.split(' ') {
        for spelling in [name.to_owned(), name.to_uppercase()] {
            let source = source(SourceType::QueryOneRow, &format!("select :{spelling}"), &[]);
            let path = [(name, Cow::Borrowed("evil"))];
            let body = format!("{{\"{spelling}\":\"evil\"}}");
            let query = format!("{spelling}=evil");
            let request = Request { path: &path, query: &query, content_type: None, body: &body };
            let plan = planned(&source, &request).unwrap();
            assert_ne!(plan.values[0], BindValue::Text("evil".into()), "{spelling}");
        }
    }
}

#[test]
fn declared_types_refuse_what_they_cannot_hold() {
    for (kind, bad) in [
        (ParameterType::Int, vec!["", "x", "1.0", "2147483648", " 1"]),
        (ParameterType::Long, vec!["9223372036854775808", "1e3"]),
        (ParameterType::Double, vec!["nan", "inf", "1,5", ""]),
        (ParameterType::Boolean, vec!["yes", "2", ""]),
        (ParameterType::Timestamp, vec!["yesterday", "2024-13-01", "2024-05-01T10:00:00+99:99"]),
    ] {
        let source = source(SourceType::QueryOneRow, "select :v", &[("v", kind)]);
        for text in bad {
            let query = format!("v={text}");
            let error = planned(&source, &Request { query: &query, ..GET }).unwrap_err();
            assert_eq!(error.parameter, "v", "{kind:?} {text}");
        }
    }
}

#[test]
fn declared_types_convert() {
    for (kind, text, value) in [
        (ParameterType::String, "7", BindValue::Text("7".into())),
        (ParameterType::Int, "-7", BindValue::Integer(-7)),
        (ParameterType::Long, "9223372036854775807", BindValue::Integer(i64::MAX)),
        (ParameterType::Double, "1e3", BindValue::Real(1000.0)),
        (ParameterType::Double, "2.5", BindValue::Real(2.5)),
        (ParameterType::Boolean, "TRUE", BindValue::Boolean(true)),
        (
            ParameterType::Timestamp,
            "2024-05-01T10:00:00+02:00",
            BindValue::Text("2024-05-01 08:00:00".into()),
        ),
        (ParameterType::Timestamp, "2024-05-01", BindValue::Text("2024-05-01".into())),
        (
            ParameterType::Timestamp,
            "2024-05-01T10:00:00.25",
            BindValue::Text("2024-05-01 10:00:00.25".into()),
        ),
    ] {
        let source = source(SourceType::QueryOneRow, "select :v", &[("v", kind)]);
        let path = [("v", Cow::Borrowed(text))];
        assert_eq!(planned(&source, &Request { path: &path, ..GET }).unwrap().values, one(value), "{text}");
    }
}

#[test]
fn canonical_numbers_bind_as_numbers_on_sqlite() {
    let text = |text: &str| BindValue::Text(text.into());
    for (given, value) in [
        ("7", BindValue::Integer(7)),
        ("-7", BindValue::Integer(-7)),
        ("0", BindValue::Integer(0)),
        ("1.5", BindValue::Real(1.5)),
        ("0.1", BindValue::Real(0.1)),
        ("007", text("007")),
        ("-0", text("-0")),
        ("1.50", text("1.50")),
        ("1e3", text("1e3")),
        ("+7", text("+7")),
        (" 7", text(" 7")),
        (".5", text(".5")),
        ("", text("")),
        ("9223372036854775808", text("9223372036854775808")),
        ("0.12345678901234567890", text("0.12345678901234567890")),
    ] {
        let query = format!("v={given}");
        assert_eq!(query_plan("select :v", &query).unwrap().values, one(value), "{given}");
    }
    let postgres = source_for(Dialect::Postgres, SourceType::CollectionFeed, "select :v", &[]);
    assert_eq!(planned(&postgres, &Request { query: "v=7", ..GET }).unwrap().values, one(text("7")));
}

#[test]
fn json_members_keep_their_types() {
    let sql = "select :a, :b, :c, :d, :e, :f, :g, :h, :missing";
    let body = r#"{"a":1,"b":2.50,"c":"7","d":null,"e":true,"f":[1, 2],"g":12345678901234567890,"h":2.0}"#;
    assert_eq!(
        json_value(sql, body).unwrap(),
        [
            BindValue::Integer(1),
            BindValue::Real(2.5),
            BindValue::Text("7".into()),
            BindValue::Null,
            BindValue::Boolean(true),
            BindValue::Text("[1, 2]".into()),
            BindValue::Text("12345678901234567890".into()),
            BindValue::Real(2.0),
            BindValue::Null,
        ]
    );
    for body in ["[1]", "{", "1", "{} x"] {
        assert!(json_value("select :a", body).is_err(), "{body}");
    }
}

#[test]
fn path_beats_query_beats_body() {
    let source = source(SourceType::QueryOneRow, "select :a, :b, :c", &[]);
    let path = [("A", Cow::Borrowed("path"))];
    let request = Request {
        path: &path,
        query: "a=query&B=query",
        content_type: Some("application/json; charset=utf-8"),
        body: r#"{"a":"body","b":"body","C":"body"}"#,
    };
    let text = |text: &str| BindValue::Text(text.into());
    assert_eq!(planned(&source, &request).unwrap().values, [text("path"), text("query"), text("body")]);
}

#[test]
fn members_do_not_bind_beside_the_whole_body() {
    let source = source(SourceType::QueryOneRow, "select :body_text, :a", &[]);
    let request = Request { content_type: Some("application/json"), body: r#"{"a":1}"#, ..GET };
    let values = planned(&source, &request).unwrap().values;
    assert_eq!(values, [BindValue::Text(r#"{"a":1}"#.into()), BindValue::Null]);
}

#[test]
fn body_binds_take_the_whole() {
    let source =
        source(SourceType::QueryOneRow, "select :body, :body_json, :content_type, :current_user", &[]);
    let form =
        Request { content_type: Some("application/x-www-form-urlencoded"), body: "a=1+2&b=%C3%A4", ..GET };
    let values = planned(&source, &form).unwrap().values;
    assert_eq!(values[0], BindValue::Blob(Bytes::from_static(b"a=1+2&b=%C3%A4")));
    assert_eq!(values[1], BindValue::Text("{\"a\":\"1 2\",\"b\":\"ä\"}".into()));
    assert_eq!(values[3], BindValue::Text("client-1".into()));
    let bad = Request { content_type: Some("application/json"), body: "{", ..GET };
    assert!(planned(&source, &bad).is_err());
    assert_eq!(planned(&source, &GET).unwrap().values[0], BindValue::Null);
}

#[test]
fn page_binds_count_as_ords_does() {
    let sql = "select :fetch_offset, :fetch_size, :row_offset, :row_count, :page_offset, :page_size";
    let plan = query_plan(sql, "offset=50").unwrap();
    let numbers = [50, 26, 51, 76, 2, 25].map(BindValue::Integer);
    assert_eq!(plan.values, numbers);
}
