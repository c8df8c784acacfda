//! Protected APIs and the manners of HTTP (oauth.md sections 2 and 10).

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::client::{Credentials, get, http};
use crate::shop::{Shop, header, parts};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

fn items(shop: &Shop) -> RequestBuilder {
    http().get(shop.url("items/1"))
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

/// The parts of a Bearer challenge, each of which may come once.
fn challenge(response: &Response) -> std::collections::BTreeMap<String, String> {
    let text = header(response, "www-authenticate");
    let rest = text.strip_prefix("Bearer ").unwrap_or_else(|| panic!("{text}"));
    let mut found = std::collections::BTreeMap::new();
    for part in rest.split("\", ") {
        let (name, value) = part.split_once("=\"").unwrap();
        let twice = found.insert(name.to_owned(), value.trim_end_matches('"').to_owned());
        assert!(twice.is_none(), "{name} comes twice: {text}");
    }
    found
}

#[tokio::test]
async fn bea_01_a_token_is_one_token68_after_bearer() {
    let shop = Shop::shared().await;
    let token = &shop.token;
    for bad in [
        format!("Bearer {token} x"),
        format!("Bearer {token}, x"),
        format!("Bearer\t{token}"),
        "Bearer".into(),
        format!("Bearer \"{token}\""),
    ] {
        assert_eq!(
            status(items(&shop).header("authorization", &bad)).await,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    for good in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER    {token}")] {
        assert_eq!(status(items(&shop).header("authorization", &good)).await, StatusCode::OK, "{good}");
    }
}

#[tokio::test]
async fn bea_02_a_token_elsewhere_is_no_token() {
    let shop = Shop::shared().await;
    let token = &shop.token;
    for query in [
        format!("access_token={token}"),
        format!("%61ccess_token={token}"),
        format!("Access_Token={token}"),
        "access_token".to_owned(),
    ] {
        for with_header in [false, true] {
            let request = http().get(shop.url(&format!("items/1?{query}")));
            let request = if with_header { request.bearer_auth(token) } else { request };
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
            assert_eq!(challenge(&response)["error"], "invalid_request");
        }
    }
    let form = http().post(shop.url("notes")).form(&[("access_token", token), ("text", &"x".to_owned())]);
    assert_eq!(status(form).await, StatusCode::UNAUTHORIZED);
    for name in ["cookie", "x-access-token", "x-authorization", "proxy-authorization", "x-api-key"] {
        let value =
            if name == "cookie" { format!("access_token={token}") } else { format!("Bearer {token}") };
        assert_eq!(status(items(&shop).header(name, value)).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    let define = "begin ords.define_parameter('shop', 'trace', 'GET', 'access_token', 'trace', 'URI'); end;";
    let folder = shop.folder.path().to_str().unwrap();
    let refused = crate::server::run(&["sql", "--data", folder, "--schema", "hr", "-c", define]);
    assert_eq!(refused.status.code(), Some(1));
}

#[tokio::test]
async fn bea_03_without_credentials_the_challenge_has_no_error() {
    let shop = Shop::shared().await;
    for authorization in ["", "Basic YTpi", "DPoP x", "Digest x"] {
        let request = items(&shop);
        let request =
            if authorization.is_empty() { request } else { request.header("authorization", authorization) };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenge = challenge(&response);
        assert_eq!(challenge["realm"], shop.server.url("hr"));
        assert!(!challenge.contains_key("error") && !challenge.contains_key("scope"), "{challenge:?}");
    }
}

#[tokio::test]
async fn bea_04_each_fault_has_its_status_and_error() {
    let shop = Shop::shared().await;
    let twice = items(&shop).bearer_auth(&shop.token).bearer_auth(&shop.token).send().await.unwrap();
    assert_eq!(
        (twice.status(), challenge(&twice)["error"].as_str()),
        (StatusCode::BAD_REQUEST, "invalid_request")
    );
    let mixed = items(&shop).bearer_auth(&shop.token).basic_auth("a", Some("b")).send().await.unwrap();
    assert_eq!(mixed.status(), StatusCode::BAD_REQUEST);
    for token in ["x", "gp_at_", "gp_at_AAAA", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."] {
        let answer = get(&shop.url("items/1"), Some(token)).await;
        assert_eq!(
            (answer.status(), challenge(&answer)["error"].as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_token")
        );
    }
    let limited = Credentials::limited(&shop.server).token(&shop.server, "hr").await;
    let answer = get(&shop.url("items/1"), Some(&limited)).await;
    let challenge = challenge(&answer);
    assert_eq!((answer.status(), challenge["error"].as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    assert_eq!(challenge["scope"], "shop.use");
}

#[tokio::test]
async fn bea_05_challenges_are_plain_and_complete() {
    let shop = Shop::shared().await;
    let limited = Credentials::limited(&shop.server).token(&shop.server, "hr").await;
    let answer = get(&shop.url("items/1"), Some(&limited)).await;
    let names: Vec<String> = challenge(&answer).into_keys().collect();
    assert_eq!(names, ["error", "error_description", "realm", "resource_metadata", "scope"]);
    assert_eq!(answer.headers().get_all("www-authenticate").iter().count(), 1);
    for value in challenge(&answer).values() {
        assert!(
            value.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'\\' && byte != b'"'),
            "{value}"
        );
    }
}

#[tokio::test]
async fn bea_08_a_handler_cannot_share_what_is_locked() {
    let shop = Shop::new().await;
    shop.server.sql(
        "hr",
        "begin ords.define_template('shop', 'cached/:how');
           ords.define_handler('shop', 'cached/:how', 'GET', ords.source_type_plsql, 'begin :caching := :how; :ok := 1; end;');
           ords.define_parameter('shop', 'cached/:how', 'GET', 'Cache-Control', 'caching', 'HEADER', 'STRING', 'OUT');
           ords.define_parameter('shop', 'cached/:how', 'GET', 'ok', 'ok', 'RESPONSE', 'INT', 'OUT');
         commit; end;",
    );
    crate::client::status_soon(&shop.url("cached/no-cache"), Some(&shop.token), StatusCode::OK).await;
    for how in ["public", "Public,max-age=60", "max-age=60,%20s-maxage=60", "must-revalidate"] {
        let answer = shop.get(&format!("cached/{how}")).await;
        assert_eq!(header(&answer, "cache-control"), "private, no-cache", "{how}");
    }
}

/// An answer without what differs from one to the next.
async fn comparable(response: Response) -> (StatusCode, http::HeaderMap, String) {
    let status = response.status();
    let mut headers = response.headers().clone();
    let id = headers.remove("request-id").unwrap().to_str().unwrap().to_owned();
    headers.remove("date");
    headers.remove("content-length");
    (status, headers, response.text().await.unwrap().replace(&id, "ID"))
}

#[tokio::test]
async fn bea_06_strangers_do_not_learn_what_exists() {
    let shop = Shop::shared().await;
    for method in METHODS {
        let mut seen = Vec::new();
        for path in ["items/1", "items/999999", "items/", "nothing/here", "notes", "sneaky/feed", "broken"] {
            let request = http().request(method.parse().unwrap(), shop.url(path));
            seen.push(comparable(request.send().await.unwrap()).await);
        }
        let elsewhere = http().request(method.parse().unwrap(), shop.server.url("hr/no/such/module"));
        seen.push(comparable(elsewhere.send().await.unwrap()).await);
        assert_eq!(seen[0].0, StatusCode::UNAUTHORIZED, "{method}");
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{method}: {seen:#?}");
    }
    // A client without the privilege learns as little about the locked module.
    let limited = Credentials::limited(&shop.server).token(&shop.server, "hr").await;
    let mut seen = Vec::new();
    for path in ["items/1", "items/999999", "nothing/here", "sneaky/feed"] {
        seen.push(comparable(get(&shop.url(path), Some(&limited)).await).await);
    }
    assert_eq!(seen[0].0, StatusCode::FORBIDDEN);
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
}

#[tokio::test]
async fn bea_08_answers_to_one_caller_are_not_kept_for_another() {
    let shop = Shop::shared().await;
    for path in ["items/", "items/1", "csv", "photo/1", "items/999"] {
        let answer = shop.get(path).await;
        let caching = header(&answer, "cache-control");
        assert!(caching.contains("private") || caching.contains("no-store"), "{path}: {caching}");
    }
    for token in [None, Some("gp_at_x")] {
        assert_eq!(header(&get(&shop.url("items/"), token).await, "cache-control"), "no-store");
    }
    let limited = Credentials::limited(&shop.server).token(&shop.server, "hr").await;
    assert_eq!(header(&get(&shop.url("items/"), Some(&limited)).await, "cache-control"), "no-store");
}

#[tokio::test]
async fn bea_09_a_token_of_another_schema_is_none() {
    let shop = Shop::new().await;
    shop.server.sql(
        "sales",
        "begin
        ords.enable_schema;
        ords.define_module('sales', '/shop/');
        ords.define_template('sales', 'one');
        ords.define_handler('sales', 'one', 'GET', ords.source_type_query_one_row, 'select 1 as one');
        ords.create_role('shop_user');
        commit; end;
        /
        declare l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr; begin
        l_roles(1) := 'shop_user'; l_modules(1) := 'sales';
        ords.define_privilege('shop.use', l_roles, l_patterns, l_modules, 'Shop', 'Shop');
        oauth.create_client('shop_app', 'client_credentials', p_privilege_names => 'shop.use');
        oauth.grant_client_role('shop_app', 'shop_user');
        commit; end;
        /",
    );
    // The same names everywhere, and still another schema.
    let other = Credentials::by_name(&shop.server, "sales", "shop_app");
    let theirs = other.token_soon(&shop.server, "sales").await;
    let url = shop.server.url("sales/shop/one");
    assert_eq!(get(&url, Some(&theirs)).await.status(), StatusCode::OK);
    let answer = get(&url, Some(&shop.token)).await;
    assert_eq!(
        (answer.status(), challenge(&answer)["error"].as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_token")
    );
    assert_eq!(get(&shop.url("items/"), Some(&theirs)).await.status(), StatusCode::UNAUTHORIZED);
    let (status, _) = other.request(&shop.server, "hr", &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "a client of one schema asked at another");
    let (status, _) = shop.client.request(&shop.server, "sales", &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bea_10_interleaved_clients_on_one_connection_see_themselves() {
    let shop = Shop::with("[limits]\nreaders = 1\n").await;
    shop.server.sql(
        "hr",
        "begin oauth.create_client('second', 'client_credentials', p_privilege_names => 'shop.use');
        oauth.grant_client_role('second', 'shop_user'); commit; end;",
    );
    let second = Credentials::by_name(&shop.server, "hr", "second");
    let token = second.token_soon(&shop.server, "hr").await;
    let callers = [(shop.client.id.clone(), shop.token.clone()), (second.id.clone(), token)];
    let mut running = Vec::new();
    for round in 0..200 {
        let (id, token) = callers[round % 2].clone();
        let url = shop.url("whoami");
        running.push(tokio::spawn(async move {
            let method = if round % 3 == 0 { Method::POST } else { Method::GET };
            let answer = http().request(method, url).bearer_auth(token).send().await.unwrap();
            let (_, body) = parts(answer).await;
            assert_eq!(body["who"], id.as_str());
        }));
    }
    for task in running {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn bea_11_no_header_makes_a_caller_somebody_else() {
    let shop = Shop::shared().await;
    let headers = [
        "x-forwarded-user",
        "x-remote-user",
        "x-user",
        "remote-user",
        "x-hasura-role",
        "x-gatepost-role",
        "x-role",
        "x-client-id",
        "x-original-user",
        "x-forwarded-for",
    ];
    let mut anonymous = items(&shop);
    let mut request = shop.request(Method::GET, "whoami");
    for name in headers {
        anonymous = anonymous.header(name, "shop_app");
        request = request.header(name, "admin");
    }
    assert_eq!(status(anonymous).await, StatusCode::UNAUTHORIZED);
    let (_, body) = parts(request.send().await.unwrap()).await;
    assert_eq!(body["who"], shop.client.id.as_str());
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let request = shop.request(Method::GET, "items/1").header(name, "DELETE");
        assert_eq!(status(request).await, StatusCode::OK);
        let public = http().get(shop.server.url("hr/open/names")).header(name, "POST");
        assert!(public.send().await.unwrap().text().await.unwrap().contains("anvil"));
    }
    assert_eq!(shop.count("select count(*) from note where text = 'from outside'"), 0);
}

#[tokio::test]
async fn bea_12_clients_do_not_administer() {
    let shop = Shop::shared().await;
    for path in [
        "/console/",
        "/metrics",
        "/admin",
        "/ords/",
        "/ords/hr/_/sql",
        "/ords/hr/metadata-catalog/",
        "/ords/hr/open-api-catalog/",
        "/ords/hr/sources/x/",
        "/ords/hr/sign-in/",
    ] {
        // What a client may call is described to it; there is nothing to change.
        let methods = [Method::GET, Method::POST, Method::DELETE];
        for method in methods.into_iter().skip(usize::from(path.ends_with("-catalog/"))) {
            let request =
                http().request(method, format!("{}{path}", shop.server.base_url)).bearer_auth(&shop.token);
            let status = request.send().await.unwrap().status();
            assert!(status.is_client_error() || status.is_redirection(), "{path}: {status}");
        }
    }
}

#[tokio::test]
async fn prb_01_errors_are_problem_documents_and_tell_nothing_inside() {
    let shop = Shop::with("[limits]\nstatement_ms = 300\nwrite_ms = 300\n").await;
    let post = |path: &str, body: Value| shop.request(Method::POST, path).json(&body);
    let requests = [
        (shop.request(Method::GET, "broken"), 503),
        (shop.request(Method::GET, "fails"), 555),
        (shop.request(Method::GET, "endless"), 504),
        (shop.request(Method::GET, "items/?limit=x"), 400),
        (shop.request(Method::GET, "sneaky/feed"), 501),
        (shop.request(Method::GET, "items/777"), 404),
        (shop.request(Method::GET, "nothing"), 404),
        (shop.request(Method::POST, "items/1"), 405),
        (post("items/", json!({"name": "anvil"})), 409),
        (post("items/", json!({"price": 1})), 400),
        (post("items/", json!({"name": "x", "price": -1})), 400),
        (post("items/", json!({"name": "x", "parent": 4711})), 409),
        (post("endless", json!({})), 504),
        (http().get(shop.url("items/")), 401),
    ];
    for (request, status) in requests {
        let response = request.send().await.unwrap();
        let url = response.url().to_string();
        assert_eq!(response.status().as_u16(), status, "{url}");
        assert_eq!(header(&response, "content-type"), "application/problem+json", "{url}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "content-security-policy"), "sandbox; default-src 'none'");
        let id = header(&response, "request-id").to_owned();
        let text = response.text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["status"].as_u64(), Some(u64::from(status)));
        for name in ["type", "title", "detail", "instance", "code", "message"] {
            assert!(body[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {text}");
        }
        assert!(body["instance"].as_str().unwrap().ends_with(&id), "{text}");
        let lower = text.to_ascii_lowercase();
        for word in [
            "select",
            "insert",
            "secret",
            "sqlite",
            "constraint",
            ".rs",
            ".db",
            "panick",
            "item.",
            "/tmp",
            "recursive",
        ] {
            assert!(!lower.contains(word), "{url} tells of {word}: {text}");
        }
    }
    // The owner gets the reason, under the same number.
    let response = shop.get("fails").await;
    let id = header(&response, "request-id").to_owned();
    let log = shop.server.log_text();
    assert!(log.lines().any(|line| line.contains(&id) && line.to_lowercase().contains("json")), "{log}");
}

#[tokio::test]
async fn prb_01_browsers_get_a_page_that_escapes() {
    let shop = Shop::shared().await;
    let response =
        http().get(shop.url("items/%3Cscript%3E")).header("accept", "text/html").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let policy = header(&response, "content-security-policy").to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!response.text().await.unwrap().contains("<script>"));
}

#[tokio::test]
async fn htt_01_405_names_the_methods_and_comes_after_authentication() {
    let shop = Shop::shared().await;
    let stranger = http().post(shop.url("items/1")).send().await.unwrap();
    assert_eq!((stranger.status(), header(&stranger, "allow")), (StatusCode::UNAUTHORIZED, ""));
    let known = shop.request(Method::POST, "items/1").send().await.unwrap();
    assert_eq!(known.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header(&known, "allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    let asked = shop.request(Method::OPTIONS, "items/").send().await.unwrap();
    assert_eq!(
        (asked.status(), header(&asked, "allow")),
        (StatusCode::NO_CONTENT, "GET, HEAD, POST, OPTIONS")
    );
    let unknown = shop.request("BREW".parse().unwrap(), "items/").send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_IMPLEMENTED);
    let lower = shop.request("get".parse().unwrap(), "items/").send().await.unwrap();
    assert_eq!(lower.status(), StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn htt_01_head_is_get_without_a_body() {
    let shop = Shop::shared().await;
    assert_eq!(status(http().head(shop.url("items/"))).await, StatusCode::UNAUTHORIZED);
    let get = shop.get("items/").await;
    let head = shop.request(Method::HEAD, "items/").send().await.unwrap();
    for name in ["content-type", "etag", "cache-control", "content-security-policy", "vary"] {
        assert_eq!(header(&head, name), header(&get, name), "{name}");
    }
    assert_eq!(head.text().await.unwrap(), "");
    let missing = shop.request(Method::HEAD, "items/999").send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn htt_02_every_401_has_a_challenge() {
    let shop = Shop::shared().await;
    for method in METHODS {
        for token in [None, Some("gp_at_x")] {
            let request = http().request(method.parse().unwrap(), shop.url("items/"));
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method}");
            assert!(header(&answer, "www-authenticate").starts_with("Bearer realm="));
        }
    }
}

#[tokio::test]
async fn htt_03_access_is_decided_before_preconditions() {
    let shop = Shop::shared().await;
    let tag = header(&shop.get("items/1").await, "etag").to_owned();
    for (name, value) in
        [("if-none-match", tag.as_str()), ("if-none-match", "*"), ("if-match", "\"x\""), ("if-match", "*")]
    {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let request = http().request(method.clone(), shop.url("items/1")).header(name, value);
            assert_eq!(status(request).await, StatusCode::UNAUTHORIZED, "{method} {name}");
        }
    }
    let limited = Credentials::limited(&shop.server).token(&shop.server, "hr").await;
    let request = items(&shop).bearer_auth(&limited).header("if-none-match", &tag);
    assert_eq!(status(request).await, StatusCode::FORBIDDEN);
    assert!(header(&shop.get("items/1").await, "vary").contains("Authorization"));
}

#[tokio::test]
async fn htt_04_plain_http_beyond_loopback_does_not_start() {
    let folder = crate::folder::Folder::new("plain");
    let data = folder.path().to_str().unwrap().to_owned();
    let shop = format!("sqlite:{}", folder.path().join("shop.db").display());
    crate::server::run_ok(&["init", &data, "--data-url", &shop, "--create", "--schema", "shop"]);
    let serve = || crate::server::run(&["serve", "--data", &data, "--listen", "0.0.0.0:0"]);
    let refused = serve();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("public_url"));
    let config = std::fs::read_to_string(folder.path().join("gatepost.toml")).unwrap();
    folder.write("gatepost.toml", &format!("{config}\n[server]\npublic_url = \"https://api.example\"\n"));
    let refused = serve();
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stderr));
}

#[tokio::test]
async fn htt_04_our_own_tls_speaks_and_says_hsts() {
    let folder = crate::folder::Folder::new("tls");
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    folder.write("cert.pem", &made.cert.pem());
    folder.write("key.pem", &made.signing_key.serialize_pem());
    folder.write(
        "gatepost.toml",
        "demo = true\n[tls]\ncertificate_file = \"cert.pem\"\nprivate_key_file = \"key.pem\"\n",
    );
    let server = crate::server::TestServer::demo(&folder);
    assert!(server.base_url.starts_with("https://"), "{}", server.base_url);
    let certificate = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let answer = client.get(server.known("protected_url")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(header(&answer, "strict-transport-security").starts_with("max-age="));
    assert!(header(&answer, "www-authenticate").contains("https://"));
    let plain = server.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(!plain.contains("HTTP/1.1 200"), "{plain}");
}
