//! Well-known documents and where challenges lead (oauth.md sections 5 and 11).

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::token::refused;
use crate::client::{Credentials, get, http};
use crate::shop::{Shop, header, parts};

async fn document(shop: &Shop, path: &str) -> Value {
    let response = http().get(format!("{}{path}", shop.server.base_url)).send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    let (status, body) = parts(response).await;
    assert_eq!(status, StatusCode::OK);
    body
}

const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server/ords/hr";
const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource/ords/hr";

#[tokio::test]
async fn met_01_the_document_claims_what_there_is() {
    let shop = Shop::shared().await;
    let issuer = shop.server.url("hr");
    let mut document = document(&shop, AUTHORIZATION_SERVER).await;
    document.as_object_mut().unwrap().remove("scopes_supported");
    let methods = json!(["client_secret_basic", "client_secret_post"]);
    let expected = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
    });
    assert_eq!(document, expected);
}

#[tokio::test]
async fn met_02_the_well_known_part_stands_between_host_and_path() {
    let shop = Shop::shared().await;
    for path in [
        "/ords/hr/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/ords",
        "/.well-known/oauth-authorization-server/ords/nobody",
        "/.well-known/oauth-authorization-server/x/hr",
        "/.well-known/openid-configuration/ords/hr",
    ] {
        let status = get(&format!("{}{path}", shop.server.base_url), None).await.status();
        assert!(matches!(status, StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED), "{path}: {status}");
    }
    document(&shop, AUTHORIZATION_SERVER).await;
}

#[tokio::test]
async fn met_03_issuer_is_the_one_that_the_url_was_made_from() {
    let shop = Shop::shared().await;
    assert_eq!(document(&shop, AUTHORIZATION_SERVER).await["issuer"], shop.server.url("hr").as_str());
}

#[tokio::test]
async fn met_04_urls_come_from_the_configuration() {
    let shop = Shop::shared().await;
    let url = format!("{}{AUTHORIZATION_SERVER}", shop.server.base_url);
    let mut forwarded = http().get(&url);
    for name in ["x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-host", "x-forwarded-port"]
    {
        forwarded = forwarded.header(name, "evil.example");
    }
    let text = forwarded.send().await.unwrap().text().await.unwrap();
    assert!(!text.contains("evil"), "{text}");
    let answer = http().get(&url).header("host", "evil.example").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
    assert!(!answer.text().await.unwrap().contains("evil"));
}

#[tokio::test]
async fn met_05_no_response_type_is_claimed() {
    let shop = Shop::shared().await;
    let document = document(&shop, AUTHORIZATION_SERVER).await;
    assert_eq!(document["response_types_supported"], json!([]));
    assert_eq!(document.get("authorization_endpoint"), None);
}

#[tokio::test]
async fn prm_01_the_resource_has_a_document() {
    let shop = Shop::shared().await;
    let document = document(&shop, PROTECTED_RESOURCE).await;
    let issuer = shop.server.url("hr");
    assert_eq!(document["resource"], issuer.as_str());
    assert_eq!(document["authorization_servers"], json!([issuer]));
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
}

#[tokio::test]
async fn prm_02_resource_is_a_prefix_of_what_it_protects() {
    let shop = Shop::shared().await;
    let document = document(&shop, PROTECTED_RESOURCE).await;
    assert!(shop.url("items/").starts_with(&format!("{}/", document["resource"].as_str().unwrap())));
}

#[tokio::test]
async fn prm_03_challenges_lead_to_the_document() {
    let shop = Shop::shared().await;
    let limited = Credentials::limited(&shop.server).token(&shop.server, "hr").await;
    let url = format!("{}{PROTECTED_RESOURCE}", shop.server.base_url);
    for (token, status) in [(None, 401), (Some("gp_at_x"), 401), (Some(limited.as_str()), 403)] {
        let answer = get(&shop.url("items/"), token).await;
        assert_eq!(answer.status().as_u16(), status);
        let challenge = header(&answer, "www-authenticate");
        assert!(challenge.contains(&format!("resource_metadata=\"{url}\"")), "{challenge}");
    }
}

#[tokio::test]
async fn mcp_02_a_client_finds_the_token_endpoint_from_a_401_alone() {
    let shop = Shop::shared().await;
    let answer = get(&shop.url("items/"), None).await;
    let challenge = header(&answer, "www-authenticate");
    let metadata = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    let (_, resource) = parts(http().get(metadata).send().await.unwrap()).await;
    let issuer = resource["authorization_servers"][0].as_str().unwrap();
    let (origin, path) = issuer.split_at(issuer.find("/ords").unwrap());
    let server = format!("{origin}/.well-known/oauth-authorization-server{path}");
    let (_, server) = parts(http().get(server).send().await.unwrap()).await;
    assert_eq!(server["issuer"], issuer);
    let request = http()
        .post(server["token_endpoint"].as_str().unwrap())
        .basic_auth(&shop.client.id, Some(&shop.client.secret))
        .form(&[("grant_type", "client_credentials"), ("resource", resource["resource"].as_str().unwrap())]);
    let (status, body) = parts(request.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(get(&shop.url("items/"), Some(token)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn mcp_09_a_token_goes_nowhere_else() {
    let shop = Shop::shared().await;
    // A location elsewhere is told and never called: a listener that hears nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let elsewhere = format!("http://{}/steal", listener.local_addr().unwrap());
    let answer = shop
        .request(reqwest::Method::POST, "forward")
        .json(&json!({ "to": elsewhere }))
        .send()
        .await
        .unwrap();
    assert_eq!(header(&answer, "location"), elsewhere);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn res_01_a_token_is_for_its_resource() {
    let shop = Shop::shared().await;
    let form = |resource: &str| {
        let fields = [("grant_type", "client_credentials"), ("resource", resource)];
        http()
            .post(shop.server.url("hr/oauth/token"))
            .basic_auth(&shop.client.id, Some(&shop.client.secret))
            .form(&fields)
    };
    let issuer = shop.server.url("hr");
    for bad in [
        "shop",
        "/ords/hr",
        "https://other.example/ords/hr",
        &format!("{issuer}#x"),
        &format!("{issuer}/nothing"),
        &format!("{issuer}/shop/items"),
    ] {
        refused(form(bad), StatusCode::BAD_REQUEST, "invalid_target").await;
    }
    for (resource, status) in [
        (issuer.clone(), 200),
        (format!("{issuer}/shop"), 200),
        (format!("{issuer}/shop/"), 200),
        (format!("{issuer}/open"), 401),
    ] {
        let (_, body) = parts(form(&resource).send().await.unwrap()).await;
        let token = body["access_token"].as_str().unwrap();
        let answer = get(&shop.url("items/"), Some(token)).await;
        assert_eq!(answer.status().as_u16(), status, "{resource}");
        if status == 401 {
            assert!(header(&answer, "www-authenticate").contains("error=\"invalid_token\""));
        }
    }
}
