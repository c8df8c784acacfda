//! Changing the rows of an API through its source: closed until a privilege covers it, checked by the columns, sent once.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::api::{Caller, items};
use crate::client::{Credentials, http};
use crate::server::{TestServer, gatepost};

const OPERATIONS: &str = "[op.fetch_one]
path = \"{id}\"
[op.insert]
body = { name = \"${name}\", price = \"${price}\", kind = \"new\" }
[op.update]
path = \"{id}\"
[op.delete]
path = \"{id}\"
";

const LOCK: &str = "
declare
  l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
begin
  ords.create_role('writer');
  l_roles(1) := 'writer'; l_patterns(1) := '/sources/*';
  ords.define_privilege('sources.all', l_roles, l_patterns, l_modules);
  oauth.create_client('app', 'client_credentials', 'x', 'x', p_support_email => 'a@b.c', p_privilege_names => 'sources.all');
  oauth.grant_client_role('app', 'writer');
  oauth.create_client('stranger', 'client_credentials', 'x', 'x', p_support_email => 'a@b.c', p_privilege_names => '');
end;
/
";

struct Writer {
    server: TestServer,
    token: String,
    stranger: String,
    caller: Caller,
}

impl Writer {
    async fn new(name: &str, keys: &str) -> Self {
        let caller = Caller::new(name, items(3)).await;
        caller.define(keys).ok();
        caller.shop.script(LOCK).ok();
        let command = gatepost(&["serve", "--listen", "127.0.0.1:0", "--data", caller.shop.dir()]);
        let server = TestServer::spawn(caller.shop.0.path(), Caller::allowed(command));
        let token = Credentials::by_name(&server, "shop", "app").token(&server, "shop").await;
        let stranger = Credentials::by_name(&server, "shop", "stranger").token(&server, "shop").await;
        Self { server, token, stranger, caller }
    }

    fn request(&self, method: Method, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        let request = http().request(method, self.server.url(&format!("shop/sources/items/{path}")));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let request = self.request(method, path, Some(&self.token));
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.unwrap()
    }

    async fn status(&self, method: Method, path: &str, body: Option<Value>) -> u16 {
        self.send(method, path, body).await.status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_for_those_whom_no_privilege_admits_nor_for_wrong_bodies() {
    let writer = Writer::new("operations-refused", OPERATIONS).await;
    let ways = [(Method::POST, ""), (Method::PUT, "1"), (Method::DELETE, "1"), (Method::GET, "1")];
    for (token, status) in
        [(None, StatusCode::UNAUTHORIZED), (Some(&*writer.stranger), StatusCode::FORBIDDEN)]
    {
        for (method, path) in ways.clone() {
            let request = writer.request(method.clone(), path, token).json(&json!({ "name": "x" }));
            assert_eq!(request.send().await.unwrap().status(), status, "{method} {path}");
        }
    }
    for (method, path, body, status) in [
        (Method::POST, "", json!({ "nope": 1 }), 400),
        (Method::POST, "", json!({ "price": "much" }), 400),
        (Method::POST, "", json!([1]), 400),
        (Method::PUT, "1", json!({ "id": 2, "name": "x" }), 400),
        (Method::PUT, "one", json!({ "name": "x" }), 400),
        (Method::PUT, "1?deptno=1", json!({ "name": "x" }), 400),
        (Method::PATCH, "1", json!({ "name": "x" }), 405),
        (Method::DELETE, "", json!({}), 405),
        (Method::POST, "1", json!({}), 405),
    ] {
        assert_eq!(
            writer.status(method.clone(), path, Some(body.clone())).await,
            status,
            "{method} {path} {body}"
        );
    }
    let twice = "{\"name\":\"a\",\"name\":\"b\"}";
    let json_type = ("content-type", "application/json");
    let raw = async |kind: (&str, &str), body: &'static str| {
        let request = writer.request(Method::POST, "", Some(&writer.token)).header(kind.0, kind.1).body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(raw(json_type, twice).await, 400);
    assert_eq!(raw(json_type, "{").await, 400);
    assert_eq!(raw(("content-type", "text/plain"), "{}").await, 415);
    assert!(writer.caller.api.written().is_empty(), "{:?}", writer.caller.api.written());
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_change_the_rows_of_the_api() {
    let writer = Writer::new("operations", OPERATIONS).await;
    let one: Value = writer.send(Method::GET, "2", None).await.json().await.unwrap();
    assert_eq!((&one["name"], one["price"].as_f64()), (&"item 2".into(), Some(2.0)));
    let made =
        writer.send(Method::POST, "", Some(json!({ "name": "O\u{2019}Neill \"x\"", "price": 1.50 }))).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let made: Value = made.json().await.unwrap();
    assert_eq!((&made["id"], &made["name"]), (&4.into(), &"O\u{2019}Neill \"x\"".into()));
    // What was not given is not sent; without a template the row goes as it is, with the key of the path.
    let changed = writer.send(Method::PUT, "4", Some(json!({ "name": "four" }))).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_eq!(writer.status(Method::DELETE, "1", None).await, 204);
    assert_eq!(writer.status(Method::DELETE, "1", None).await, 404);
    assert_eq!(writer.status(Method::GET, "1", None).await, 404);
    let written = writer.caller.api.written();
    assert_eq!(
        written[0],
        "POST /items/ {\"kind\":\"new\",\"name\":\"O\u{2019}Neill \\\"x\\\"\",\"price\":1.5}"
    );
    assert_eq!(written[1], "PUT /items/4 {\"id\":4,\"name\":\"four\"}");
    assert_eq!(written[2..], ["DELETE /items/1", "DELETE /items/1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_kept_are_dropped_when_an_operation_changes_them() {
    let keys = format!("{OPERATIONS}[cache]\nscope = \"all\"\nttl = \"1h\"\n");
    let writer = Writer::new("operations-cache", &keys).await;
    let count = async || {
        let rows: Value = writer.send(Method::GET, "", None).await.json().await.unwrap();
        rows["items"].as_array().unwrap().len()
    };
    assert_eq!(count().await, 3);
    writer.caller.api.set_rows(items(5));
    assert_eq!(count().await, 3, "they are kept");
    assert_eq!(writer.status(Method::DELETE, "5", None).await, 204);
    assert_eq!(count().await, 4);
    // Reading one row changes nothing; one that fails may have changed something.
    writer.caller.api.set_rows(items(2));
    assert_eq!(writer.status(Method::GET, "1", None).await, 200);
    assert_eq!(count().await, 4);
    assert_eq!(writer.status(Method::DELETE, "9", None).await, 404);
    assert_eq!(count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_is_sent_again_only_where_that_does_nothing_twice() {
    let writer = Writer::new("operations-fail", OPERATIONS).await;
    writer.caller.api.fail_from(0);
    let failed = writer.send(Method::POST, "", Some(json!({ "name": "x" }))).await;
    assert_eq!(failed.status(), StatusCode::BAD_GATEWAY);
    let body = failed.text().await.unwrap();
    assert!(body.contains("GP501") && body.contains("api_http_503"), "{body}");
    assert!(!body.contains("of the API") && !body.contains("127.0.0.1:"), "{body}");
    assert_eq!(writer.caller.api.written().len(), 1);
    assert_eq!(writer.status(Method::DELETE, "1", None).await, 502);
    assert!(writer.caller.api.written().len() > 2, "{:?}", writer.caller.api.written());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_does_not_declare_is_not_there() {
    let writer = Writer::new("operations-none", "[op.insert]\n").await;
    assert_eq!(writer.status(Method::GET, "1", None).await, 404);
    let refused = writer.send(Method::PUT, "", Some(json!({}))).await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["allow"], "GET, HEAD, POST");
    assert!(writer.caller.api.written().is_empty());
}
