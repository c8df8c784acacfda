//! Every source type, and what a handler can and cannot do (ords.md 1.8, 4.10; DESIGN decisions 15 to 18).

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::client::{Credentials, get, status_soon};
use crate::shop::{Shop, header, parts};

async fn send(request: RequestBuilder) -> (StatusCode, Value) {
    parts(request.send().await.unwrap()).await
}

async fn post(shop: &Shop, path: &str, body: &Value) -> Response {
    shop.request(Method::POST, path).json(body).send().await.unwrap()
}

#[tokio::test]
async fn a_get_never_writes() {
    let shop = Shop::shared().await;
    for path in ["sneaky/plsql", "sneaky/block", "sneaky/feed", "sneaky/one"] {
        let (status, body) = send(shop.request(Method::GET, path)).await;
        assert_eq!((status, &body["o:errorCode"]), (StatusCode::NOT_IMPLEMENTED, &json!("GP203")), "{path}");
    }
    assert_eq!(shop.count("select count(*) from note where text = 'x'"), 0);
}

#[tokio::test]
async fn blocks_with_logic_are_501_and_run_nothing() {
    let shop = Shop::shared().await;
    let (status, body) = parts(post(&shop, "logic", &json!({"text": "logic"})).await).await;
    assert_eq!((status, &body["o:errorCode"]), (StatusCode::NOT_IMPLEMENTED, &json!("GP203")));
    assert_eq!(shop.count("select count(*) from note where text = 'logic'"), 0);
}

#[tokio::test]
async fn a_broken_handler_stops_no_other() {
    let shop = Shop::shared().await;
    let (status, body) = send(shop.request(Method::GET, "broken")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    let (status, body) = send(shop.request(Method::GET, "fails")).await;
    assert_eq!((status.as_u16(), &body["code"]), (555, &json!("UserDefinedResourceError")));
    assert_eq!(shop.get("items/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn implicit_binds_are_never_filled_by_the_request() {
    let shop = Shop::shared().await;
    for query in [
        "current_user=admin",
        "CURRENT_USER=admin",
        "Current_User=admin&content_type=x",
        "%63urrent_user=admin",
    ] {
        let body = shop.json(&format!("whoami?{query}")).await;
        assert_eq!(body, json!({"who": shop.client.id, "again": shop.client.id, "kind": null}), "{query}");
    }
    for body in
        [json!({"who": "admin", "current_user": "admin"}), json!({"CURRENT_USER": "admin", "WHO": "admin"})]
    {
        let (_, answer) = parts(post(&shop, "whoami?current_user=admin&who=admin", &body).await).await;
        assert_eq!(answer, json!({"who": shop.client.id}));
    }
    for (query, body) in [
        ("?status_code=418", json!({"forward_location": "/x"})),
        ("?STATUS_CODE=418", json!({"STATUS_CODE": 418})),
    ] {
        let answer = post(&shop, &format!("notes{query}"), &body).await;
        assert_eq!((answer.status(), header(&answer, "location")), (StatusCode::OK, ""));
    }
    let typed = shop.request(Method::GET, "whoami").header("content-type", "text/x").send().await.unwrap();
    assert_eq!(parts(typed).await.1["kind"], "text/x");
}

#[tokio::test]
async fn a_header_parameter_is_read_from_the_header_only() {
    let shop = Shop::shared().await;
    assert_eq!(shop.json("trace?trace=q&X-Trace=q&x-trace=q").await, json!({"trace": null}));
    let (_, body) = send(shop.request(Method::GET, "trace").header("x-trace", "abc")).await;
    assert_eq!(body, json!({"trace": "abc"}));
    let twice = shop.request(Method::GET, "trace").header("x-trace", "a").header("x-trace", "b");
    let (status, body) = send(twice).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["detail"].as_str().unwrap().contains("X-Trace"), "{body}");
    for name in ["Authorization", "cookie", "DPoP", "Proxy-Authorization"] {
        let define =
            format!("begin ords.define_parameter('shop', 'trace', 'GET', '{name}', 'trace', 'HEADER'); end;");
        let folder = shop.folder.path().to_str().unwrap();
        let output = crate::server::run(&["sql", "--data", folder, "--schema", "hr", "-c", &define]);
        assert_eq!(output.status.code(), Some(1), "{name}");
    }
}

#[tokio::test]
async fn item_and_row() {
    let shop = Shop::shared().await;
    for path in ["items/999", "one/999", "photo/999"] {
        assert_eq!(shop.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let links = json!([{"rel": "collection", "href": shop.url("items/")}]);
    let item = shop.json("items/2").await;
    let price = &shop.rows("select price from item where id = 2")[0][0];
    assert_eq!(
        item.to_string(),
        json!({"id": 2, "name": "bolt \"M8\", steel", "price": price, "parent": 1, "links": links})
            .to_string()
    );
    assert_eq!(
        shop.get("one/2").await.text().await.unwrap(),
        format!("{{\"id\":2,\"name\":\"bolt \\\"M8\\\", steel\",\"price\":{price}}}")
    );
}

#[tokio::test]
async fn query_and_feed_page_the_older_way() {
    let shop = Shop::shared().await;
    let reference = |path: &str| json!({"$ref": shop.url(path)});
    let first = shop.json("query/").await;
    assert_eq!(
        first,
        json!({"items": [{"id": 1, "name": "anvil"}, {"id": 2, "name": "bolt \"M8\", steel"}],
        "first": reference("query/"), "next": reference("query/?page=1")})
    );
    let last = shop.json("query/?page=2").await;
    assert_eq!(
        last,
        json!({"items": [{"id": 5, "name": "écrou ☃"}], "first": reference("query/"), "previous": reference("query/?page=1")})
    );
    let feed = shop.json("feed/?page=2").await;
    assert_eq!(feed["items"], json!([{"uri": reference("feed/5"), "id": 5, "name": "écrou ☃"}]));
}

#[tokio::test]
async fn csv_is_quoted_and_saved() {
    let shop = Shop::shared().await;
    let answer = shop.get("csv").await;
    assert_eq!(header(&answer, "content-type"), "text/csv; charset=utf-8");
    assert!(header(&answer, "content-disposition").starts_with("attachment;"));
    // The digits that are stored: PostgreSQL keeps the zeros of a scale.
    let prices = shop.rows("select price from item where price is not null order by id").concat();
    let [first, second, third, fifth] = &prices[..] else { panic!("{prices:?}") };
    let expected = format!(
        "id,name,price\r\n1,anvil,{first}\r\n2,\"bolt \"\"M8\"\", steel\",{second}\r\n\
         3,crate <b>&amp;</b>,{third}\r\n4,drill,\r\n5,écrou ☃,{fifth}\r\n"
    );
    assert_eq!(answer.text().await.unwrap(), expected);
}

#[tokio::test]
async fn media_is_bytes_and_stored_html_is_harmless() {
    let shop = Shop::shared().await;
    let photo = shop.get("photo/1").await;
    assert_eq!(header(&photo, "content-type"), "image/png");
    assert_eq!(photo.bytes().await.unwrap().as_ref(), b"\x89PNG\r\n\x1a\n\x00\xff");
    let page = shop.get("page").await;
    assert_eq!(header(&page, "content-type"), "text/html");
    assert_eq!(header(&page, "content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn every_answer_of_a_handler_is_fenced() {
    let shop = Shop::shared().await;
    for (method, path) in [
        ("GET", "items/"),
        ("GET", "csv"),
        ("GET", "photo/1"),
        ("GET", "items/999"),
        ("POST", "whoami"),
        ("DELETE", "items/999"),
        ("OPTIONS", "items/"),
        ("POST", "status/302"),
        ("GET", "many/5000"),
    ] {
        let answer = shop.request(method.parse().unwrap(), path).send().await.unwrap();
        assert_eq!(
            header(&answer, "content-security-policy"),
            "sandbox; default-src 'none'",
            "{method} {path}"
        );
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{method} {path}");
        assert!(!header(&answer, "request-id").is_empty());
        assert_eq!(header(&answer, "server"), "", "{method} {path}");
    }
}

#[tokio::test]
async fn insert_update_and_delete() {
    let shop = Shop::new().await;
    let made = post(&shop, "items/", &json!({"name": "new", "price": 5.10, "parent": 1})).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    assert_eq!(header(&made, "location"), shop.url("items/6"));
    let (_, body) = parts(made).await;
    assert_eq!((&body["id"], &body["name"], &body["parent"]), (&json!(6), &json!("new"), &json!(1)));
    assert_eq!(shop.json("items/6").await["price"], shop.rows("select price from item where id = 6")[0][0]);
    assert_eq!(shop.count("select count(*) from item where id = 6 and price = 5.10"), 1);

    let put = shop
        .request(Method::PUT, "items/6")
        .json(&json!({"name": "newer", "price": null}))
        .send()
        .await
        .unwrap();
    assert_eq!((put.status(), put.text().await.unwrap().as_str()), (StatusCode::OK, ""));
    assert_eq!(shop.rows("select name, price from item where id = 6"), [[json!("newer"), Value::Null]]);
    let (_, patched) = send(shop.request(Method::PATCH, "items/6").json(&json!({"price": 7}))).await;
    assert_eq!(patched, json!({"id": 6, "price": shop.rows("select price from item where id = 6")[0][0]}));
    assert_eq!(shop.count("select count(*) from item where id = 6 and price = 7"), 1);
    let (_, none) = send(shop.request(Method::PATCH, "items/999").json(&json!({"price": 7}))).await;
    assert_eq!(none, json!({"rowsAffected": 0}));
    let (_, deleted) = send(shop.request(Method::DELETE, "items/6")).await;
    assert_eq!(deleted, json!({"rowsAffected": 1}));
    assert_eq!(shop.get("items/6").await.status(), StatusCode::NOT_FOUND);
    let (_, again) = send(shop.request(Method::DELETE, "items/6")).await;
    assert_eq!(again, json!({"rowsAffected": 0}));
}

#[tokio::test]
async fn the_path_decides_which_row_is_written() {
    let shop = Shop::new().await;
    let body = json!({"id": 2, "ID": 3, "name": "mine", "price": 1});
    shop.request(Method::PUT, "items/4?x=1").json(&body).send().await.unwrap();
    assert_eq!(shop.count("select count(*) from item where id = 4 and name = 'mine'"), 1);
    assert_eq!(shop.count("select count(*) from item where name = 'mine'"), 1);
}

#[tokio::test]
async fn broken_rules_of_the_data_are_409_or_400_and_change_nothing() {
    let shop = Shop::shared().await;
    for (body, status) in [
        (json!({"name": "anvil"}), 409),
        (json!({"name": "orphan", "parent": 4711}), 409),
        (json!({"price": 1}), 400),
        (json!({"name": "cheap", "price": -1}), 400),
    ] {
        let answer = post(&shop, "items/", &body).await;
        assert_eq!(answer.status().as_u16(), status, "{body}");
        assert_eq!(header(&answer, "location"), "");
    }
    let parent = shop.request(Method::DELETE, "items/1").send().await.unwrap();
    assert_eq!(parent.status(), StatusCode::CONFLICT);
    assert_eq!(shop.count("select count(*) from item"), 5);
}

#[tokio::test]
async fn a_value_of_a_body_is_only_a_value() {
    let shop = Shop::new().await;
    let evil = "'); drop table item; -- \u{2028} ☃ \\ \" :id ?1";
    let made = post(&shop, "notes", &json!({"text": evil})).await;
    assert_eq!(parts(made).await.1, json!({"rowsAffected": 1}));
    let form = shop.request(Method::POST, "notes").form(&[("text", evil)]).send().await.unwrap();
    assert_eq!(form.status(), StatusCode::OK);
    let notes = shop.json("notes").await;
    assert_eq!(notes["items"].as_array().unwrap().iter().filter(|note| note["text"] == evil).count(), 2);
    for number in ["9007199254740993", "12345678901234567890.5", "0.1"] {
        let body = format!("{{\"text\":{number}}}");
        shop.request(Method::POST, "notes")
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(
            shop.count(&format!("select count(*) from note where cast(text as text) = '{number}'")),
            1,
            "{number}"
        );
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_400_and_other_types_415() {
    let shop = Shop::shared().await;
    let raw = |path: &str, kind: &str, body: &str| {
        shop.request(Method::POST, path).header("content-type", kind).body(body.to_owned())
    };
    for body in [
        "{",
        "[1]",
        "\"x\"",
        "{\"text\":1} x",
        "{\"text\":tru}",
        "{\"text\":1,\"text\":2}",
        "{\"text\":1,\"TEXT\":2}",
        "{\"text\":\"\\ud800\"}",
        "{\"text\":\"\\u0000\"}",
    ] {
        let (status, answer) = send(raw("notes", "application/json", body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {answer}");
    }
    let bytes = shop
        .request(Method::POST, "notes")
        .header("content-type", "application/json")
        .body(b"{\"text\":\"\xff\"}".to_vec());
    assert_eq!(send(bytes).await.0, StatusCode::BAD_REQUEST);
    let twice = raw("notes", "application/x-www-form-urlencoded", "text=a&text=b");
    assert_eq!(send(twice).await.0, StatusCode::BAD_REQUEST);
    for kind in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/jsonx"] {
        let (status, _) = send(raw("items/", kind, "{\"name\":\"x\"}")).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let untyped = shop.request(Method::POST, "items/").body("{\"name\":\"x\"}");
    assert_eq!(send(untyped).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(shop.count("select count(*) from item"), 5);
    assert_eq!(shop.count("select count(*) from note where text = '1'"), 0);
}

#[tokio::test]
async fn a_body_taken_whole_binds_no_member() {
    let shop = Shop::shared().await;
    let body = "{\"stolen\":\"yes\"}";
    let request = shop
        .request(Method::POST, "body")
        .header("content-type", "application/json; charset=utf-8")
        .body(body);
    let (_, answer) = send(request).await;
    assert_eq!(
        answer,
        json!({"kind": "application/json; charset=utf-8", "text": format!("{body}|not bound")})
    );
    let (_, empty) = send(shop.request(Method::POST, "body")).await;
    assert_eq!(empty, json!({"kind": null, "text": "|not bound"}));
}

#[tokio::test]
async fn out_binds_make_members_and_headers() {
    let shop = Shop::shared().await;
    let request = shop.request(Method::POST, "sum?a=9007199254740993&b=2").header("x-trace", "t");
    let answer = request.send().await.unwrap();
    assert_eq!(header(&answer, "x-trace"), "t!");
    assert_eq!(answer.text().await.unwrap(), "{\"total\":9007199254740995,\"note\":\"of two\"}");
    let (status, body) = send(shop.request(Method::POST, "sum?a=x&b=2")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["detail"].as_str().unwrap().contains("`a`"), "{body}");
    let (_, empty) = send(shop.request(Method::POST, "sum?total=9&note=9")).await;
    assert_eq!(empty, json!({"total": null, "note": "of two"}));
}

#[tokio::test]
async fn status_code_is_the_handlers_within_reason() {
    let shop = Shop::shared().await;
    for status in [200, 201, 202, 204, 302, 400, 404, 409, 422, 503] {
        let answer = shop.request(Method::POST, &format!("status/{status}")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
    for status in ["99", "100", "101", "199", "600", "1000", "-1", "abc", "200.5"] {
        let answer = shop.request(Method::POST, &format!("status/{status}")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 555, "{status}");
    }
}

#[tokio::test]
async fn a_status_that_fails_takes_the_change_back() {
    let shop = Shop::new().await;
    shop.server.sql(
        "hr",
        "begin ords.define_template('shop', 'failing');
      ords.define_handler('shop', 'failing', 'POST', ords.source_type_plsql,
        'begin insert into note (text) values (''kept?''); :status_code := 7; end;'); commit; end;",
    );
    status_soon(&shop.url("failing"), Some(&shop.token), StatusCode::METHOD_NOT_ALLOWED).await;
    let answer = post(&shop, "failing", &json!({})).await;
    assert_eq!(answer.status().as_u16(), 555);
    assert_eq!(shop.count("select count(*) from note"), 0);
}

async fn forwarded(shop: &Shop, to: &str) -> (StatusCode, String, String) {
    let answer = post(shop, "forward", &json!({"to": to})).await;
    let location = header(&answer, "location").to_owned();
    (answer.status(), location, answer.text().await.unwrap())
}

#[tokio::test]
async fn forward_location_stays_in_the_schema_and_behind_its_locks() {
    let shop = Shop::shared().await;
    // Outside, or nothing that can be had: only told.
    for to in ["https://other.example/x", "//other.example/x", "http://127.0.0.1:1/x", "javascript:alert(1)"]
    {
        let (status, location, body) = forwarded(&shop, to).await;
        assert_eq!((status.as_u16(), body.as_str()), (201, ""), "{to}");
        assert!(location == to || location.ends_with(to), "{location}");
    }
    for to in [
        "/healthz",
        "/ords/other/x",
        "../../../../../../etc/passwd",
        "items/999",
        "../hr/employees/",
        "../bare",
        "items/%2e%2e/x",
        "oauth/token",
        "../oauth/token",
    ] {
        let (status, _, body) = forwarded(&shop, to).await;
        assert_eq!((status.as_u16(), body.as_str()), (201, ""), "{to}");
    }
    // Inside, as the same principal.
    for to in ["items/2", "./items/2", "../shop/items/2", "/ords/hr/shop/items/2", &shop.url("items/2")] {
        let (status, location, body) = forwarded(&shop, to).await;
        assert_eq!((status.as_u16(), location), (201, shop.url("items/2")), "{to}");
        assert!(body.contains("\"id\":2,"), "{to}: {body}");
    }
    let (_, _, body) = forwarded(&shop, "whoami?current_user=admin").await;
    assert!(body.contains(&shop.client.id) && !body.contains("admin"));
    let (_, _, body) = forwarded(&shop, "../open/names").await;
    assert!(body.contains("anvil"));
}

#[tokio::test]
async fn forward_location_breaks_no_header() {
    let shop = Shop::shared().await;
    for to in ["items/2\r\nSet-Cookie: a=b", "http://x/\r\nX-Evil: 1", "items/☃"] {
        let answer = post(&shop, "forward", &json!({"to": to})).await;
        assert!(!answer.headers().contains_key("set-cookie") && !answer.headers().contains_key("x-evil"));
        assert!(answer.status().is_success() || answer.status().as_u16() == 555, "{}", answer.status());
    }
}

#[tokio::test]
async fn a_client_of_another_module_is_not_forwarded_into_this_one() {
    let shop = Shop::new().await;
    shop.server.sql("hr", "declare l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr; begin
      ords.define_module('side', '/side/');
      ords.define_template('side', 'go');
      ords.define_handler('side', 'go', 'POST', ords.source_type_plsql, 'begin :forward_location := :to; end;');
      ords.create_role('side_user'); l_roles(1) := 'side_user'; l_modules(1) := 'side';
      ords.define_privilege('side.use', l_roles, l_patterns, l_modules, 'Side', 'Side');
      oauth.create_client('side_app', 'client_credentials', p_privilege_names => '');
      oauth.grant_client_role('side_app', 'side_user'); commit; end;");
    let side = Credentials::by_name(&shop.server, "hr", "side_app");
    let token = side.token_soon(&shop.server, "hr").await;
    let url = shop.server.url("hr/side/go");
    let answer = crate::client::http()
        .post(&url)
        .bearer_auth(&token)
        .json(&json!({"to": "../shop/items/2"}))
        .send()
        .await
        .unwrap();
    assert_eq!(header(&answer, "location"), shop.url("items/2"));
    assert_eq!(answer.text().await.unwrap(), "");
    assert_eq!(get(&shop.url("items/2"), Some(&token)).await.status(), StatusCode::FORBIDDEN);
}
