use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::json;
use url::Url;

use super::*;
use crate::definition::{ColumnOrigin, Pointer};
use crate::error::Code;

fn sample_at(url: &str, headers: &HeaderMap, body: &str) -> Discovered {
    let found = from_sample(body.as_bytes(), headers, &Url::parse(url).unwrap()).unwrap();
    let mut source = RestSource::new("s", "s", "x");
    found.clone().apply(&mut source);
    source.checked().unwrap();
    found
}

fn sample(body: &str) -> Discovered {
    sample_at("https://h/api/x", &HeaderMap::new(), body)
}

/// `name at type`, one for each column.
fn columns(rows: &Rows) -> Vec<String> {
    let spelled = rows.columns.iter().map(|column| match &column.origin {
        ColumnOrigin::Member { at, kind } => format!("{} {at} {}", column.name, kind.as_str()),
        ColumnOrigin::Sql { expression, .. } => format!("{} {expression}", column.name),
    });
    spelled.collect()
}

const ORDS_PAGE: &str = r#"{"items":[
    {"empno":7839,"ename":"KING","hiredate":"1981-11-17T00:00:00Z","sal":5000,"comm":null,"links":[{"rel":"self","href":"x"}]},
    {"empno":7698,"ename":"BLAKE","hiredate":"1981-05-01T00:00:00Z","sal":2850.5,"comm":null}],
    "hasMore":true,"limit":2,"offset":0,"count":2,"links":[{"rel":"next","href":"https://h/api/x?offset=2"}]}"#;

#[test]
fn what_is_no_answer_with_rows_is_refused() {
    let code = |body: &str| {
        from_sample(body.as_bytes(), &HeaderMap::new(), &Url::parse("https://h").unwrap())
            .map_err(|error| error.code)
    };
    assert_eq!(code("<html>"), Err(Code::ApiNotJson));
    assert_eq!(code("7"), Err(Code::SelectNotArray));
    let large = format!("[\"{}\"]", "x".repeat(DOCUMENT_BYTES_MAX));
    assert_eq!(code(&large), Err(Code::ApiTooLarge));
}

#[test]
fn an_ords_collection_is_recognized() {
    let found = sample(ORDS_PAGE);
    assert_eq!(found.rows.select.as_str(), "/items");
    assert_eq!(
        columns(&found.rows),
        [
            "empno /empno integer",
            "ename /ename text",
            "hiredate /hiredate timestamptz",
            "sal /sal decimal",
            "comm /comm text"
        ]
    );
    assert_eq!(found.rows.primary_key, ["empno"]);
    assert_eq!(found.pagination.type_name(), "ords");
    assert!(found.notes.iter().any(|note| note.contains("comm")), "{:?}", found.notes);
}

#[test]
fn rows_are_found_where_apis_put_them() {
    let select = |body: &str| {
        let found = sample(body);
        (found.rows.select.as_str().to_owned(), found.rows.single)
    };
    let at = |text: &str, single| (text.to_owned(), single);
    assert_eq!(select(r#"[{"a":1}]"#), at("", false));
    assert_eq!(select(r#"{"data":[{"a":1}],"tags":[{"b":1}]}"#), at("/data", false));
    assert_eq!(
        select(r#"{"result":{"records":[{"a":1}]},"things":[{"b":1}]}"#),
        at("/result/records", false)
    );
    assert_eq!(select(r#"{"things":[{"a":1}],"links":[{"rel":"x"}]}"#), at("/things", false));
    assert_eq!(select(r#"{"items":[],"count":0}"#), at("/items", false));
    assert_eq!(select(r#"{"a":1,"tags":["x"]}"#), at("", true));
    assert_eq!(select(r#"{"data":{"a":1}}"#), at("/data", true));
    let scalars = sample("[1,2.5]");
    assert_eq!(columns(&scalars.rows), ["value  decimal"]);
}

#[test]
fn columns_take_objects_apart_and_have_plain_names() {
    let found = sample(
        r#"[{"ID":1,"avatarUrls":{"48x48":"u"},"tags":[1],"a":{"b":{"c":{"d":1}}},"x":1,"x_":"2","99":true,"":null},
            {"ID":1,"avatarUrls":null,"tags":[],"a":{"b":{"c":{"d":2}}},"x":{"y":1},"day":"2026-08-14","at":"2026-08-14T10:00:00"}]"#,
    );
    assert_eq!(
        columns(&found.rows),
        [
            "id /ID integer",
            "avatar_urls_48x48 /avatarUrls/48x48 text",
            "tags /tags json",
            "a_b_c /a/b/c json",
            "x /x json",
            "x_2 /x_ text",
            "c_99 /99 boolean",
            "column / text",
            "day /day date",
            "at /at timestamp"
        ]
    );
    assert_eq!(found.rows.primary_key, [""; 0], "no column is different in each row");
}

#[test]
fn paginators_are_told_from_their_signs() {
    let kind = |body: &str| sample(body).pagination;
    let next_url = |at: &str| {
        Pagination::NextUrl(crate::definition::NextUrlPaging { next: Pointer::parse("next", at).unwrap() })
    };
    assert_eq!(
        kind(r#"{"value":[{"a":1}],"@odata.nextLink":"https://h/api/x?skip=1"}"#),
        next_url("/@odata.nextLink")
    );
    assert_eq!(kind(r#"{"results":[{"a":1}],"next":"/api/x?page=2"}"#), next_url("/next"));
    assert_eq!(kind(r#"{"results":[{"a":1}],"next":"https://evil.example/"}"#), Pagination::None);
    let Pagination::Cursor(cursor) = kind(r#"{"data":[{"a":1}],"meta":{"next_cursor":null}}"#) else {
        panic!("a cursor is expected")
    };
    assert_eq!(
        (cursor.cursor_param.as_str(), cursor.next.unwrap().as_str()),
        ("cursor", "/meta/next_cursor")
    );
    let mut headers = HeaderMap::new();
    headers.insert(http::header::LINK, HeaderValue::from_static("<https://h/api/x?page=2>; rel=\"next\""));
    let linked = sample_at("https://h/api/x", &headers, r#"[{"a":1}]"#);
    assert_eq!(linked.pagination.type_name(), "link_header");
    assert_eq!(kind(r#"{"data":[{"a":1}],"total_pages":3}"#).type_name(), "page");
    let offset =
        sample_at("https://h/x?limit=50&offset=0", &HeaderMap::new(), r#"{"data":[{"a":1}],"total":3}"#);
    let Pagination::Offset(offset) = offset.pagination else { panic!("an offset is expected") };
    assert_eq!((offset.page_size, offset.total.unwrap().as_str()), (50, "/total"));
    let none = sample(r#"[{"a":1}]"#);
    assert!(none.notes.iter().any(|note| note.contains("No sign of further pages")));
}

#[test]
fn an_ords_catalog_gives_services_and_columns() {
    let catalog = br#"{"items":[{"name":"EMP","links":[
        {"rel":"describes","href":"https://h/ords/hr/emp/"},
        {"rel":"canonical","href":"https://h/ords/hr/metadata-catalog/emp/"}]},{"nameless":1}]}"#;
    let entries = from_ords_catalog(catalog).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].rows_url.as_deref(), Some("https://h/ords/hr/emp/"));
    let description = br#"{"name":"EMP","primarykey":["empno"],"members":[
        {"name":"empno","type":"NUMBER"},{"name":"ename","type":"VARCHAR2"},{"name":"hiredate","type":"DATE"},
        {"name":"photo","type":"BLOB"},{"name":"changed","type":"TIMESTAMP(6) WITH TIME ZONE"}]}"#;
    let found = from_ords_metadata(description).unwrap();
    assert_eq!(
        columns(&found.rows),
        [
            "empno /empno decimal",
            "ename /ename text",
            "hiredate /hiredate timestamptz",
            "changed /changed timestamptz"
        ]
    );
    assert_eq!(
        (found.rows.primary_key.as_slice(), found.pagination.type_name()),
        (&["empno".to_owned()][..], "ords")
    );
    assert_eq!(found.notes, ["`photo` is binary and left out."]);
    assert_eq!(from_ords_catalog(b"{}").unwrap_err().code, Code::SelectNotFound);
    assert_eq!(from_ords_metadata(b"[]").unwrap_err().code, Code::SelectNotFound);
}

/// A small shop.
fn openapi() -> serde_json::Value {
    json!({
        "openapi": "3.0.3",
        "servers": [{ "url": "https://api.shop.example/v1/" }, { "url": "/relative" }, { "url": "https://{tenant}.x/" }],
        "components": {
            "securitySchemes": {
                "machine": { "type": "oauth2", "flows": { "clientCredentials": { "tokenUrl": "https://id.shop.example/token" } } }
            },
            "parameters": { "Size": { "name": "limit", "in": "query", "schema": { "type": "integer", "maximum": 50 } } },
            "schemas": {
                "Base": { "type": "object", "properties": { "id": { "type": "integer", "readOnly": true } } },
                "Pet": { "allOf": [{ "$ref": "#/components/schemas/Base" }, { "type": "object", "properties": {
                    "name": { "type": "string" },
                    "born": { "type": ["string", "null"], "format": "date" },
                    "owner": { "type": "object", "properties": { "city": { "type": "string" } } },
                    "tags": { "type": "array", "items": { "type": "string" } },
                    "parent": { "$ref": "#/components/schemas/Loop" }
                } }] },
                "Loop": { "$ref": "#/components/schemas/Loop" }
            }
        },
        "paths": {
            "/shops/{shopId}/pets": {
                "parameters": [{ "name": "shopId", "in": "path", "required": true, "schema": { "type": "string" } }],
                "get": {
                    "summary": "All pets",
                    "parameters": [
                        { "$ref": "#/components/parameters/Size" },
                        { "name": "offset", "in": "query", "schema": { "type": "integer" } },
                        { "name": "bornAfter", "in": "query", "schema": { "type": "string", "format": "date" } },
                        { "name": "q", "in": "query", "schema": { "type": "string", "default": "*" } },
                        { "name": "api_key", "in": "query" },
                        { "name": "X-Request-Source", "in": "header" },
                        { "name": "Authorization", "in": "header" },
                        { "name": "sid", "in": "cookie" }
                    ],
                    "responses": { "200": { "content": { "application/json": { "schema": {
                        "type": "object", "properties": {
                            "pets": { "type": "array", "items": { "$ref": "#/components/schemas/Pet" } },
                            "count": { "type": "integer" }
                        }
                    } } } } }
                },
                "post": { "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Pet" } } } } }
            },
            "/shops/{shopId}/pets/{petId}": { "get": {}, "patch": {}, "delete": {} },
            "/health": { "get": { "responses": { "200": { "content": { "application/json": { "schema": { "type": "object" } } } } } } }
        }
    })
}

#[test]
fn an_openapi_document_gives_a_source() {
    let api = OpenApi::parse(openapi().to_string().as_bytes()).unwrap();
    assert_eq!(api.servers(), ["https://api.shop.example/v1"]);
    let paths: Vec<_> = api.paths().into_iter().map(|path| path.path).collect();
    assert_eq!(paths, ["/shops/{shopId}/pets"]);
    let (source, notes) = api.source("pets", "shop", "/shops/{shopId}/pets").unwrap();
    assert_eq!(
        source.to_toml(),
        r#"server = "shop"
path = "shops/{shop_id}/pets"
timeout = { connect = "5s", total = "30s" }
limits = { max_pages = 200, max_rows = 50000, max_bytes = "32MiB", max_time = "1m" }
comments = "All pets"

[pagination]
type = "offset"
offset_param = "offset"
limit_param = "limit"
page_size = 50
start = 0

[[param]]
name = "born_after"
in = "query"
send = "bornAfter"
type = "date"
omit_when_null = true

[[param]]
name = "q_2"
in = "query"
send = "q"
omit_when_null = true
default = "*"

[[param]]
name = "x_request_source"
in = "header"
send = "X-Request-Source"
omit_when_null = true

[[param]]
name = "shop_id"
in = "path"
required = true

[rows]
select = "/pets"
primary_key = ["id"]
columns = [
  { name = "born", at = "/born", type = "date" },
  { name = "id", at = "/id", type = "integer" },
  { name = "name", at = "/name", type = "text" },
  { name = "owner_city", at = "/owner/city", type = "text" },
  { name = "tags", at = "/tags", type = "json" },
]

[op.fetch_one]
method = "GET"
path = "{id}"

[op.insert]
method = "POST"
body = { born = "${born}", name = "${name}", tags = "${tags}" }

[op.update]
method = "PATCH"
path = "{id}"

[op.delete]
method = "DELETE"
path = "{id}"
"#
    );
    for expected in [
        "`api_key` looks like a secret",
        "`Authorization` in header",
        "`sid` in cookie",
        "https://id.shop.example/token",
    ] {
        assert!(notes.iter().any(|note| note.contains(expected)), "{expected}: {notes:?}");
    }
}

#[test]
fn other_documents_are_refused() {
    for text in ["", "[]", r#"{"swagger":"2.0"}"#, r#"{"openapi":"4.0.0"}"#] {
        assert!(OpenApi::parse(text.as_bytes()).is_err(), "{text}");
    }
    let api = OpenApi::parse(openapi().to_string().as_bytes()).unwrap();
    assert_eq!(api.source("x", "s", "/nothing").unwrap_err().code, Code::DefinitionBroken);
}

#[test]
fn schemas_that_name_themselves_end() {
    let own = json!({ "$ref": "#/components/schemas/A" });
    let parts: Vec<_> = std::iter::repeat_n(own.clone(), 50).collect();
    let document = json!({
        "openapi": "3.1.0",
        "components": { "schemas": { "A": { "allOf": parts, "properties": { "a": own, "id": { "type": "string" } } } } },
        "paths": { "/a": { "get": { "responses": { "200": { "content": { "application/json": { "schema": {
            "type": "array", "items": own } } } } } } } }
    });
    let api = OpenApi::parse(document.to_string().as_bytes()).unwrap();
    let (source, _) = api.source("a", "s", "/a").unwrap();
    assert_eq!(columns(&source.rows).last().map(String::as_str), Some("id /id text"));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(|flag| json!(flag)),
        any::<i32>().prop_map(|number| json!(number)),
        "[a-zA-Z0-9:/.-]{0,12}".prop_map(|text| json!(text)),
    ];
    let name = prop_oneof![
        "items|data|next|links|limit|offset|hasMore|total|page",
        "[a-zA-Z0-9_ .-]{0,6}",
        ".{0,3}"
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            prop::collection::btree_map(name.clone(), inner, 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_answer_gives_a_source_that_reads_it(body in any_json()) {
        let text = body.to_string();
        let url = Url::parse("https://h/api").unwrap();
        let Ok(found) = from_sample(text.as_bytes(), &HeaderMap::new(), &url) else {
            prop_assert!(!body.is_object() && !body.is_array());
            return Ok(());
        };
        let mut source = RestSource::new("s", "s", "x");
        found.apply(&mut source);
        let source = source.checked().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut reader = crate::rows::RowReader::new(&Rows { strict: true, ..source.rows.clone() });
        let body = crate::rows::Body::parse(text.as_bytes()).unwrap();
        for row in body.rows(&source.rows).unwrap() {
            prop_assert!(reader.read(row).is_ok(), "{}", source.to_toml());
        }
    }
}
