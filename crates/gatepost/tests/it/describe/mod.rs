//! Documents of what a schema publishes: who may read them, whether they are true, and what other programs make of them.

mod tools;

use std::fs;
use std::process::Command;

use gatepost::describe::snippets::{Language, Request, SECRET_VARIABLE, TokenSource};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::client::{Credentials, http};
use crate::server::run_ok;
use crate::shop::{Shop, parts};

/// Values that the shop has something for.
const VALUES: &str = r#"{"id": 1, "code": 200, "count": 3}"#;

async fn catalog(shop: &Shop, path: &str, token: Option<&str>) -> (StatusCode, Value) {
    let mut request = http().get(shop.server.url(&format!("hr/{path}")));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    parts(request.send().await.unwrap()).await
}

fn paths(document: &Value) -> Vec<&str> {
    document["paths"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn catalogs_are_closed_to_those_who_may_call_nothing() {
    let shop = Shop::shared().await;
    let nobody = Credentials::by_name(&shop.server, "hr", "no_role").token_soon(&shop.server, "hr").await;
    for path in ["open-api-catalog/", "open-api-catalog/shop/", "metadata-catalog/", "metadata-catalog/shop/"]
    {
        assert_eq!(catalog(&shop, path, None).await.0, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(catalog(&shop, path, Some("gp_at_x")).await.0, StatusCode::UNAUTHORIZED, "{path}");
        // What is public is no secret; it is all that a client without a role sees.
        let (status, document) = catalog(&shop, path, Some(&nobody)).await;
        let of_shop = path.ends_with("shop/");
        assert_eq!(status, if of_shop { StatusCode::NOT_FOUND } else { StatusCode::OK }, "{path}");
        assert!(!document.to_string().contains("/shop/"), "{path}: {document}");
    }
    let refused = http().post(shop.server.url("hr/open-api-catalog/")).bearer_auth(&shop.token);
    assert_eq!(refused.send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(catalog(&shop, "open-api-catalog/nowhere/", Some(&shop.token)).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_client_sees_what_it_may_call_and_no_more() {
    let shop = Shop::shared().await;
    let (status, document) = catalog(&shop, "open-api-catalog/", Some(&shop.token)).await;
    assert_eq!(status, StatusCode::OK);
    let shown = paths(&document);
    assert!(shown.contains(&"/shop/items/{id}") && shown.contains(&"/open/names"), "{shown:?}");
    // The demo's module is locked by a privilege of another role.
    assert!(!shown.iter().any(|path| path.starts_with("/hr/")), "{shown:?}");
    let open = &document["paths"]["/open/names"];
    assert_eq!(open["get"]["security"], json!([]));
    assert_eq!(document["paths"]["/shop/items/"]["get"]["security"], json!([{"oauth2": ["shop.use"]}]));
    let flow = &document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"];
    assert_eq!(flow["tokenUrl"], shop.server.url("hr/oauth/token"));
    assert_eq!(flow["scopes"], json!({"shop.use": "Use the shop"}));

    // The links of collections lead there.
    let page = shop.json("items/").await;
    let links = page["links"].as_array().unwrap();
    let described = links.iter().find(|link| link["rel"] == "describedby").unwrap()["href"].as_str().unwrap();
    let answer = http().get(described).bearer_auth(&shop.token).send().await.unwrap();
    let (status, module) = parts(answer).await;
    assert_eq!((status, &module["name"]), (StatusCode::OK, &json!("shop")));
    let alternate =
        module["links"].as_array().unwrap().iter().find(|link| link["rel"] == "alternate").unwrap();
    let answer =
        http().get(alternate["href"].as_str().unwrap()).bearer_auth(&shop.token).send().await.unwrap();
    let (status, document) = parts(answer).await;
    assert_eq!(status, StatusCode::OK);
    assert!(paths(&document).iter().all(|path| path.starts_with("/shop/")));
}

#[tokio::test]
async fn a_public_entry_opens_a_catalog_and_the_audit_says_so() {
    let shop = Shop::new().await;
    shop.server.sql("hr", "begin gatepost.allow_public('/open-api-catalog/*'); commit; end;\n/\n");
    let mut answer = catalog(&shop, "open-api-catalog/", None).await;
    for _ in 0..250 {
        if answer.0 == StatusCode::OK {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        answer = catalog(&shop, "open-api-catalog/", None).await;
    }
    assert_eq!(answer.0, StatusCode::OK);
    assert!(paths(&answer.1).contains(&"/hr/employees/"));
    assert_eq!(catalog(&shop, "metadata-catalog/", None).await.0, StatusCode::UNAUTHORIZED);
    let data = shop.folder.path().to_str().unwrap();
    let audit = crate::server::run(&["audit", "--data", data, "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&audit.stdout).unwrap();
    let named = |finding: &&Value| finding["object"] == "public entry /open-api-catalog/*";
    let finding = findings.iter().find(named).unwrap();
    assert_eq!(finding["check"], "public-read", "{finding}");
    assert!(finding["evidence"].to_string().contains("GET /open-api-catalog/"), "{finding}");
}

#[tokio::test]
async fn documents_are_valid_and_say_what_is_answered() {
    let shop = Shop::shared().await;
    let folder = crate::folder::Folder::new("documents");
    let file = folder.path().join("openapi.json");
    let data = shop.folder.path().to_str().unwrap();
    let arguments = ["describe", "--data", data, "--schema", "HR", "--server", &shop.server.base_url];
    fs::write(&file, run_ok(&arguments)).unwrap();
    assert_eq!(tools::conform(&file, VALUES, None, &[]), 0);

    let (_, document) = catalog(&shop, "open-api-catalog/", Some(&shop.token)).await;
    fs::write(&file, document.to_string()).unwrap();
    // Those that are there to fail, or to go on for long.
    let left_out = ["/broken", "/fails", "/endless", "/cut", "/sneaky", "/tagged"];
    assert!(tools::conform(&file, VALUES, Some(&shop.token), &left_out) >= 15);

    let item = &document["paths"]["/shop/items/{id}"];
    let columns = &item["get"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"];
    assert_eq!(columns["name"]["type"], json!(["string", "null"]), "{columns}");
    let id = &item["get"]["parameters"][0];
    assert_eq!((&id["in"], &id["required"]), (&json!("path"), &json!(true)));
    if Backend::of_this_run() == Backend::Postgres {
        assert_eq!(id["schema"]["type"], "integer", "{id}");
    }
    let body = &document["paths"]["/shop/items/"]["post"]["requestBody"]["content"];
    let members = body["application/json"]["schema"]["properties"].as_object().unwrap();
    assert_eq!(members.keys().collect::<Vec<_>>(), ["name", "parent", "price"]);
    let search = &document["paths"]["/shop/search/"]["get"]["parameters"];
    let named = |name: &str| search.as_array().unwrap().iter().find(|known| known["name"] == name).cloned();
    assert_eq!(named("min").unwrap()["schema"]["type"], "integer");
    assert!(named("word").is_some() && named("offset").is_some() && named("least").is_none());
    let trace = &document["paths"]["/shop/trace"]["get"]["parameters"][0];
    assert_eq!((&trace["in"], &trace["name"]), (&json!("header"), &json!("X-Trace")));
}

#[tokio::test]
async fn the_postman_collection_runs_as_it_is() {
    let shop = Shop::new().await;
    let folder = crate::folder::Folder::new("collection");
    let file = folder.path().join("collection.json");
    let data = shop.folder.path().to_str().unwrap();
    let mut arguments = vec!["describe", "--data", data, "--schema", "hr", "--module", "shop"];
    arguments.extend(["--format", "postman", "--server", &shop.server.base_url]);
    fs::write(&file, run_ok(&arguments)).unwrap();

    let report = folder.path().join("report.json");
    let mut newman = Command::new("node");
    newman.arg(tools::newman()).arg("run").arg(&file);
    newman.args(["--env-var", &format!("client_id={}", shop.client.id)]);
    newman.args(["--env-var", &format!("client_secret={}", shop.client.secret)]);
    newman.args(["--reporters", "json", "--reporter-json-export"]).arg(&report);
    tools::output(&mut newman);
    let report: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    let executions = report["run"]["executions"].as_array().unwrap();
    let status = |name: &str| {
        let found = executions.iter().find(|execution| execution["item"]["name"] == name);
        found.unwrap_or_else(|| panic!("{name} was not called"))["response"]["code"].as_u64().unwrap()
    };
    assert_eq!(status("Get a token"), 200);
    assert_eq!(status("GET /shop/items/"), 200);
    assert_eq!(status("POST /shop/notes"), 200);
    let refused = |execution: &&Value| matches!(execution["response"]["code"].as_u64(), Some(401 | 403));
    assert_eq!(executions.iter().filter(refused).count(), 0);
}

#[tokio::test]
async fn snippets_run_and_print_the_same_rows() {
    let shop = Shop::shared().await;
    let request = Request {
        method: "GET".into(),
        url: shop.url("search/?word=a%27b&min=0"),
        headers: vec![("X-Note".into(), "it's \"here\"".into())],
        body: None,
        token: Some(TokenSource {
            url: shop.server.url("hr/oauth/token"),
            client_id: shop.client.id.clone(),
        }),
    };
    let rows = |text: String| serde_json::from_str::<Value>(&text).unwrap_or_else(|_| panic!("{text}"));
    let expected = shop.json("search/?word=a%27b&min=0").await;
    let mut curl = Command::new("sh");
    curl.arg("-ec").arg(request.written_for(Language::Curl)).env(SECRET_VARIABLE, &shop.client.secret);
    assert_eq!(rows(tools::output(&mut curl)), expected);
    let mut python = Command::new(tools::python());
    python.arg("-c").arg(request.written_for(Language::Python)).env(SECRET_VARIABLE, &shop.client.secret);
    assert_eq!(rows(tools::output(&mut python)), expected);
    let mut node = Command::new("node");
    node.args(["--input-type=module", "--eval"]).arg(request.written_for(Language::JavaScript));
    assert_eq!(rows(tools::output(node.env(SECRET_VARIABLE, &shop.client.secret))), expected);

    let post = Request {
        method: "POST".into(),
        url: shop.url("sum?a=2"),
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: Some(r#"{"b": 3}"#.into()),
        ..request
    };
    for language in [Language::Curl, Language::Python] {
        let mut command = match language {
            Language::Curl => Command::new("sh"),
            _ => Command::new(tools::python()),
        };
        command.arg("-c").arg(post.written_for(language)).env(SECRET_VARIABLE, &shop.client.secret);
        assert_eq!(rows(tools::output(&mut command))["total"], 5, "{language:?}");
    }
}
