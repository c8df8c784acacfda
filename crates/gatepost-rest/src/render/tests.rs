use std::sync::Arc;

use super::*;
use crate::definition::{
    Audit, Handler, Method, Parameter, ParameterAccess, ParameterSource, ParameterType, ReadsFrom,
};
use crate::plan::{BindValue, LinkBase, Plan, Window};
use crate::source::{CompiledSource, compile};
use crate::sql::Dialect;

struct Cells<'a>(&'a [Value<'a>]);

impl Row for Cells<'_> {
    fn value(&self, column: usize) -> Value<'_> {
        self.0[column].clone()
    }
}

fn compiled(source_type: SourceType, parameters: Vec<Parameter>, sql: &str) -> CompiledSource {
    let handler = Handler {
        id: 1,
        method: if source_type == SourceType::PlSql { Method::Post } else { Method::Get },
        source_type,
        source: sql.into(),
        items_per_page: None,
        mimes_allowed: Vec::new(),
        comments: None,
        parameters,
        audit: Audit::default(),
    };
    compile(&handler, None, Dialect::Sqlite).unwrap()
}

fn plan(source_type: SourceType, limit: u64, offset: u64) -> Plan {
    Plan {
        source: Arc::new(compiled(source_type, Vec::new(), "select 1")),
        values: Vec::new(),
        window: Window { offset, limit, client_limit: None, page: offset / limit.max(1), unpaged: false },
        links: LinkBase {
            url: "https://api.test/ords/shop/orders/".into(),
            context: "https://api.test/ords/".into(),
            described_by: Some("https://api.test/ords/shop/metadata-catalog/orders/".into()),
        },
        kept_query: String::new(),
        principal: None,
        reads_from: ReadsFrom::Primary,
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn render(plan: &Plan, columns: &[(&str, Option<&str>)], rows: &[Vec<Value<'_>>]) -> String {
    let quoted = ["eName", "$.id"].map(String::from);
    let columns = Columns::describe(columns.iter().copied(), &quoted, &Zone::UTC);
    let mut renderer = Renderer::new(plan, &columns).unwrap();
    let mut out = Vec::new();
    renderer.begin(&mut out);
    for row in rows {
        if renderer.row(&mut out, &Cells(row)) == Flow::Enough {
            break;
        }
    }
    renderer.end(&mut out);
    String::from_utf8(out).unwrap()
}

fn ids(count: i64) -> Vec<Vec<Value<'static>>> {
    (1..=count).map(|id| vec![Value::Integer(id)]).collect()
}

#[test]
fn a_collection_is_written_byte_for_byte() {
    let plan = plan(SourceType::CollectionFeed, 2, 0);
    let columns = [("ID", None), ("placed_at", Some("TIMESTAMP")), ("note", None), ("$.id", None)];
    let row = |id, at, note| vec![Value::Integer(id), text(at), note, Value::Integer(id)];
    let rows = [
        row(7, "2024-03-01 09:30:00", Value::Null),
        row(8, "2024-03-02 10:00:00", text("gi\"ft")),
        row(9, "", Value::Null),
    ];
    let expected = concat!(
        r#"{"items":[{"id":7,"placed_at":"2024-03-01T09:30:00Z","note":null,"#,
        r#""links":[{"rel":"self","href":"https://api.test/ords/shop/orders/7"}]},"#,
        r#"{"id":8,"placed_at":"2024-03-02T10:00:00Z","note":"gi\"ft","#,
        r#""links":[{"rel":"self","href":"https://api.test/ords/shop/orders/8"}]}],"#,
        r#""hasMore":true,"limit":2,"offset":0,"count":2,"#,
        r#""links":[{"rel":"self","href":"https://api.test/ords/shop/orders/"},"#,
        r#"{"rel":"describedby","href":"https://api.test/ords/shop/metadata-catalog/orders/"},"#,
        r#"{"rel":"first","href":"https://api.test/ords/shop/orders/"},"#,
        r#"{"rel":"next","href":"https://api.test/ords/shop/orders/?offset=2"}]}"#
    );
    assert_eq!(render(&plan, &columns, &rows), expected);
}

#[test]
fn links_to_other_pages_keep_the_request() {
    let mut plan = plan(SourceType::CollectionFeed, 5, 25);
    plan.window.client_limit = Some(5);
    plan.kept_query = "job=A%20B".into();
    let body = render(&plan, &[("id", None)], &ids(6));
    assert!(
        body.contains(r#""first","href":"https://api.test/ords/shop/orders/?limit=5&job=A%20B""#),
        "{body}"
    );
    assert!(body.contains("?offset=30&limit=5&job=A%20B"), "{body}");
    assert!(
        body.contains(r#""prev","href":"https://api.test/ords/shop/orders/?offset=20&limit=5&job=A%20B""#),
        "{body}"
    );
    let last = render(&plan, &[("id", None)], &ids(5));
    assert!(!last.contains("\"next\""), "{last}");
    assert!(last.contains("\"hasMore\":false"), "{last}");
}

#[test]
fn an_empty_collection_is_whole() {
    let body = render(&plan(SourceType::CollectionFeed, 25, 0), &[("id", None)], &[]);
    assert!(
        body.starts_with(r#"{"items":[],"hasMore":false,"limit":25,"offset":0,"count":0,"links":["#),
        "{body}"
    );
}

#[test]
fn unpaged_collections_say_limit_0() {
    let mut plan = plan(SourceType::CollectionFeed, 3, 0);
    plan.window.unpaged = true;
    assert!(render(&plan, &[("id", None)], &ids(2)).contains(r#""hasMore":false,"limit":0"#));
    assert!(render(&plan, &[("id", None)], &ids(4)).contains(r#""hasMore":true,"limit":0"#));
}

#[test]
fn an_item_links_to_its_collection() {
    let mut plan = plan(SourceType::CollectionItem, 25, 0);
    plan.links.url = "https://api.test/ords/shop/orders/7".into();
    let body = render(&plan, &[("id", None)], &ids(2));
    assert_eq!(
        body,
        r#"{"id":1,"links":[{"rel":"collection","href":"https://api.test/ords/shop/orders/"}]}"#
    );
}

#[test]
fn one_row_types_need_a_row() {
    for source_type in [SourceType::CollectionItem, SourceType::QueryOneRow, SourceType::Media] {
        let plan = plan(source_type, 25, 0);
        let columns = Columns::describe([("a", None), ("b", None)].into_iter(), &[], &Zone::UTC);
        let renderer = Renderer::new(&plan, &columns).unwrap();
        assert!(renderer.not_found(), "{source_type:?}");
    }
    assert_eq!(render(&plan(SourceType::QueryOneRow, 25, 0), &[("id", None)], &ids(2)), r#"{"id":1}"#);
}

#[test]
fn older_collections_have_references() {
    let plan = plan(SourceType::Query, 2, 4);
    assert_eq!(
        render(
            &plan,
            &[("id", None), ("$uri", None)],
            &[
                vec![Value::Integer(1), text("./1")],
                vec![Value::Integer(2), Value::Null],
                vec![Value::Integer(3), Value::Null]
            ]
        ),
        concat!(
            r#"{"items":[{"id":1,"uri":{"$ref":"https://api.test/ords/shop/orders/1"}},{"id":2}],"#,
            r#""first":{"$ref":"https://api.test/ords/shop/orders/"},"#,
            r#""next":{"$ref":"https://api.test/ords/shop/orders/?page=3"},"#,
            r#""previous":{"$ref":"https://api.test/ords/shop/orders/?page=1"}}"#
        )
    );
    let mut unpaged = self::plan(SourceType::Query, 10, 0);
    unpaged.window.unpaged = true;
    assert_eq!(render(&unpaged, &[("id", None)], &ids(1)), r#"{"items":[{"id":1}]}"#);
}

#[test]
fn feeds_link_by_their_first_column() {
    let body = render(&plan(SourceType::Feed, 25, 0), &[("id", None)], &[vec![text("a/b c")]]);
    assert!(
        body.starts_with(
            r#"{"items":[{"uri":{"$ref":"https://api.test/ords/shop/orders/a%2Fb%20c"},"id":"a/b c"}]"#
        ),
        "{body}"
    );
}

#[test]
fn references_resolve_against_the_request() {
    for (reference, expected) in [
        ("./7", "https://api.test/ords/shop/orders/7"),
        ("7", "https://api.test/ords/shop/orders/7"),
        ("../items/7", "https://api.test/ords/shop/items/7"),
        ("../../../../x", "https://api.test/x"),
        ("/x/y", "https://api.test/x/y"),
        ("//evil.test/x", "https://api.test/evil.test/x"),
        ("^/hr/emp/", "https://api.test/ords/hr/emp/"),
        ("https://other.test/a b", "https://other.test/a%20b"),
        ("javascript:alert(1)", "https://api.test/ords/shop/orders/javascript:alert(1)"),
    ] {
        let body =
            render(&plan(SourceType::CollectionFeed, 25, 0), &[("$up", None)], &[vec![text(reference)]]);
        let link = format!(r#"{{"items":[{{"links":[{{"rel":"up","href":"{expected}"}}]}}]"#);
        assert!(body.starts_with(&link), "{reference}: {body}");
    }
}

#[test]
fn ids_of_several_columns_are_joined() {
    let columns = [("a", None), ("$.id", None), ("$.id", None)];
    let row = vec![Value::Null, Value::Integer(7), text("x,y")];
    let body = render(&plan(SourceType::CollectionFeed, 25, 0), &columns, &[row]);
    assert!(body.contains("https://api.test/ords/shop/orders/7,x%2Cy"), "{body}");
}

fn value(value: Value<'_>, declared: Option<&str>) -> String {
    let body = render(&plan(SourceType::QueryOneRow, 25, 0), &[("v", declared)], &[vec![value]]);
    body.strip_prefix(r#"{"v":"#).unwrap().strip_suffix('}').unwrap().to_owned()
}

#[test]
fn numbers_keep_their_digits() {
    assert_eq!(value(Value::Integer(i64::MAX), None), "9223372036854775807");
    assert_eq!(value(Value::Integer(i64::MIN), None), "-9223372036854775808");
    assert_eq!(value(Value::Real(0.1), None), "0.1");
    assert_eq!(value(Value::Real(1234.56), None), "1234.56");
    assert_eq!(value(Value::Number("12345678901234567890.10".into()), None), "12345678901234567890.10");
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(value(Value::Real(number), None), "null");
    }
    let tiny: f64 = value(Value::Real(1e-300), None).parse().unwrap();
    assert_eq!(tiny.to_bits(), 1e-300f64.to_bits());
}

#[test]
fn text_is_escaped() {
    assert_eq!(value(text("a\"\\\n\u{1}ä😀"), None), "\"a\\\"\\\\\\n\\u0001ä😀\"");
    assert_eq!(value(Value::Blob(b"\0\xff!"), None), "\"AP8h\"");
    assert_eq!(value(Value::Blob(b""), None), "\"\"");
}

#[test]
fn declared_types_decide_dates_and_booleans() {
    for (declared, given, expected) in [
        ("DATE", "2024-05-01", "2024-05-01"),
        ("date", "2024-05-01 09:30:00", "2024-05-01T09:30:00Z"),
        ("DATETIME", "2024-05-01 09:30:00.123", "2024-05-01T09:30:00.123Z"),
        ("TIMESTAMP(6)", "2024-05-01T09:30", "2024-05-01T09:30:00Z"),
        ("TIMESTAMP WITH TIME ZONE", "2024-05-01 09:30:00+02:00", "2024-05-01T09:30:00+02:00"),
        ("TIMESTAMP", "2024-05-01T09:30:00Z", "2024-05-01T09:30:00Z"),
        ("TIMESTAMP", "2024-05-01", "2024-05-01"),
        ("TIMESTAMP", "soon, I hope so", "soon, I hope so"),
        ("TIMESTAMP", "2024-05-01 09:30:00 later", "2024-05-01 09:30:00 later"),
        ("TEXT", "2024-05-01 09:30:00", "2024-05-01 09:30:00"),
    ] {
        assert_eq!(value(text(given), Some(declared)), format!("\"{expected}\""), "{declared} {given}");
    }
    assert_eq!(value(Value::Integer(1), Some("BOOLEAN")), "true");
    assert_eq!(value(Value::Integer(0), Some("bool")), "false");
    assert_eq!(value(Value::Integer(2), Some("BOOLEAN")), "2");
    assert_eq!(value(Value::Null, Some("BOOLEAN")), "null");
}

#[test]
fn json_is_embedded_only_when_it_is_json() {
    let plan = plan(SourceType::QueryOneRow, 25, 0);
    let columns = [("{}doc", None), ("eName", None), ("ENAME", None)];
    let row = vec![text(r#"{"a":[1.10]}"#), Value::Null, Value::Null];
    assert_eq!(render(&plan, &columns, &[row]), r#"{"doc":{"a":[1.10]},"eName":null,"ename":null}"#);
    let broken = vec![text(r#"{"a":"#), Value::Null, Value::Null];
    assert!(render(&plan, &columns, &[broken]).starts_with(r#"{"doc":"{\"a\":","#));
}

#[test]
fn csv_follows_rfc_4180() {
    let plan = plan(SourceType::CsvQuery, 10, 0);
    let row = vec![Value::Integer(1), text("a,\"b\"\r\nc"), Value::Null, Value::Real(1.5)];
    let columns = [("ID", None), ("note, all", None), ("empty", None), ("n", None)];
    assert_eq!(
        render(&plan, &columns, &[row]),
        "id,\"note, all\",empty,n\r\n1,\"a,\"\"b\"\"\r\nc\",,1.5\r\n"
    );
    let described = Columns::describe(columns.into_iter(), &[], &Zone::UTC);
    let renderer = Renderer::new(&plan, &described).unwrap();
    assert_eq!(renderer.content_type(), "text/csv; charset=utf-8");
    assert_eq!(renderer.content_disposition().unwrap(), "attachment; filename=\"orders.csv\"");
}

#[test]
fn media_are_sent_as_they_are() {
    let plan = plan(SourceType::Media, 10, 0);
    let columns = Columns::describe([("type", None), ("content", None)].into_iter(), &[], &Zone::UTC);
    let mut renderer = Renderer::new(&plan, &columns).unwrap();
    let mut out = Vec::new();
    renderer.row(&mut out, &Cells(&[text("image/png"), Value::Blob(b"\x89PNG")]));
    assert_eq!((renderer.content_type(), out.as_slice()), ("image/png", &b"\x89PNG"[..]));
    let mut renderer = Renderer::new(&plan, &columns).unwrap();
    renderer.row(&mut out, &Cells(&[text("a\r\nSet-Cookie: x"), Value::Null]));
    assert_eq!(renderer.content_type(), "application/octet-stream");
    let three = Columns::describe([("a", None), ("b", None), ("c", None)].into_iter(), &[], &Zone::UTC);
    assert!(Renderer::new(&plan, &three).is_err());
}

#[test]
fn changes_answer_rows_or_their_number() {
    let columns = Columns::describe([("id", None)].into_iter(), &[], &Zone::UTC);
    let body = |count: i64| {
        let mut rows = ChangeRows::default();
        for id in 0..count {
            rows.push(&columns, &Cells(&[Value::Integer(id)]));
        }
        String::from_utf8(rows.finish(9)).unwrap()
    };
    assert_eq!(body(0), r#"{"rowsAffected":9}"#);
    assert_eq!(body(1), r#"{"id":0}"#);
    assert_eq!(body(2), r#"{"items":[{"id":0},{"id":1}]}"#);
}

fn out(name: &str, bind: &str, source: ParameterSource, kind: ParameterType) -> Parameter {
    Parameter {
        id: 2,
        name: name.into(),
        bind_variable_name: Some(bind.into()),
        source,
        kind,
        access: ParameterAccess::Out,
        comments: None,
        audit: Audit::default(),
    }
}

#[test]
fn outputs_become_status_headers_and_members() {
    let source = compiled(
        SourceType::PlSql,
        vec![
            out("X-Note", "note", ParameterSource::Header, ParameterType::String),
            out("total", "t", ParameterSource::Response, ParameterType::Double),
            out("name", "n", ParameterSource::Response, ParameterType::String),
            out("done", "d", ParameterSource::Response, ParameterType::Boolean),
        ],
        "begin :status_code := 1; :forward_location := 1; :note := 1; :t := 1; :n := 1; :d := 1; end;",
    );
    let mut values = vec![
        BindValue::Integer(201),
        BindValue::Text("emp/7".into()),
        BindValue::Text("hi".into()),
        BindValue::Text("12.50".into()),
        BindValue::Integer(7),
        BindValue::Integer(1),
    ];
    let answer = outputs(&source, &values).unwrap();
    assert_eq!((answer.status, answer.location.as_deref()), (Some(201), Some("emp/7")));
    assert_eq!(answer.headers[0].1, "hi");
    assert_eq!(answer.body.unwrap(), br#"{"total":12.50,"name":"7","done":true}"#);
    for bad in [BindValue::Integer(99), BindValue::Integer(700), BindValue::Text("x".into())] {
        values[0] = bad;
        assert!(outputs(&source, &values).is_err());
    }
    values[0] = BindValue::Null;
    values[2] = BindValue::Text("a\r\nb".into());
    assert!(outputs(&source, &values).is_err());
}

proptest::proptest! {
    #[test]
    fn any_value_is_valid_json(given in ".*", number: f64, whole: i64, declared in "DATE|TIMESTAMP|BOOLEAN|JSON|TEXT") {
        let plan = plan(SourceType::CollectionFeed, 25, 0);
        let columns = [("a", Some(declared.as_str())), ("b", None), ("c", Some("BOOLEAN")), ("$up", None), ("$.id", None)];
        let row = vec![text(&given), Value::Real(number), Value::Integer(whole), text(&given), text(&given)];
        let body = render(&plan, &columns, &[row]);
        let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
        let item = &parsed["items"][0];
        if declared == "TEXT" {
            assert_eq!(item["a"], given);
        }
        if number.is_finite() {
            assert_eq!(item["b"].to_string().parse::<f64>().unwrap().to_bits(), number.to_bits());
        }
        let href = item["links"][1]["href"].as_str().unwrap();
        assert!(href.starts_with("https://api.test/") || given.trim_start().starts_with("http"));
    }
}
