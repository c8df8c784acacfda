//! `POST oauth/introspect` (oauth.md section 6).

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::token::refused;
use crate::client::{Credentials, http, status_soon};
use crate::shop::{Shop, header, parts};

fn bare(shop: &Shop) -> RequestBuilder {
    http().post(shop.server.url("hr/oauth/introspect"))
}

async fn seen_by(shop: &Shop, client: &Credentials, token: &str) -> Value {
    let request = bare(shop).basic_auth(&client.id, Some(&client.secret)).form(&[("token", token)]);
    let response = request.send().await.unwrap();
    assert_eq!(header(&response, "cache-control"), "no-store");
    let (status, body) = parts(response).await;
    assert_eq!(status, StatusCode::OK);
    body
}

#[tokio::test]
async fn int_01_only_authenticated_posts() {
    let shop = Shop::shared().await;
    let Credentials { id, secret } = &shop.client;
    let get = http()
        .get(shop.server.url(&format!("hr/oauth/introspect?token={}", shop.token)))
        .basic_auth(id, Some(secret));
    let answer = get.send().await.unwrap();
    assert_eq!((answer.status(), header(&answer, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    refused(bare(&shop).form(&[("token", &shop.token)]), StatusCode::UNAUTHORIZED, "invalid_client").await;
    let by_token = bare(&shop).bearer_auth(&shop.token).form(&[("token", &shop.token)]);
    refused(by_token, StatusCode::UNAUTHORIZED, "invalid_client").await;
    let missing = bare(&shop).basic_auth(id, Some(secret)).form(&[("x", "y")]);
    refused(missing, StatusCode::BAD_REQUEST, "invalid_request").await;
}

#[tokio::test]
async fn int_02_inactive_says_nothing_and_active_says_all() {
    let shop = Shop::shared().await;
    let token = shop.client.token(&shop.server, "hr").await;
    for other in ["x", "gp_at_x", &token[..token.len() - 1], &format!("{token}A")] {
        assert_eq!(seen_by(&shop, &shop.client, other).await, json!({ "active": false }));
    }
    let active = seen_by(&shop, &shop.client, &token).await;
    let issuer = shop.server.url("hr");
    assert_eq!(active["active"], true);
    assert_eq!(active["scope"], "shop.use");
    assert_eq!(active["client_id"], shop.client.id.as_str());
    assert_eq!(active["sub"], shop.client.id.as_str());
    assert_eq!(active["token_type"], "Bearer");
    assert_eq!((&active["iss"], &active["aud"]), (&json!(issuer), &json!(issuer)));
    assert_eq!(active["exp"].as_i64().unwrap() - active["iat"].as_i64().unwrap(), 3600);
    let revoke = http()
        .post(shop.server.url("hr/oauth/revoke"))
        .basic_auth(&shop.client.id, Some(&shop.client.secret));
    revoke.form(&[("token", &token)]).send().await.unwrap();
    assert_eq!(seen_by(&shop, &shop.client, &token).await, json!({ "active": false }));
}

#[tokio::test]
async fn int_03_other_clients_see_nothing_without_the_role() {
    let shop = Shop::new().await;
    let other = Credentials::of_demo(&shop.server);
    assert_eq!(seen_by(&shop, &other, &shop.token).await, json!({ "active": false }));
    shop.server.sql("hr", "begin oauth.grant_client_role('hr_app', 'gatepost.introspect'); commit; end;");
    let mut active = Value::Null;
    for _ in 0..250 {
        active = seen_by(&shop, &other, &shop.token).await;
        if active["active"] == true {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(active["client_id"], shop.client.id.as_str());
    // Every way of losing a token counts.
    shop.server.sql("hr", "begin gatepost.revoke_client_tokens('shop_app'); commit; end;");
    status_soon(&shop.url("items/"), Some(&shop.token), StatusCode::UNAUTHORIZED).await;
    assert_eq!(seen_by(&shop, &other, &shop.token).await, json!({ "active": false }));
    assert_eq!(seen_by(&shop, &shop.client, &shop.token).await, json!({ "active": false }));
    let fresh = shop.client.token(&shop.server, "hr").await;
    assert_eq!(seen_by(&shop, &other, &fresh).await["active"], true);
    shop.server.sql("hr", "begin gatepost.set_client_status('shop_app', 'DISABLED'); commit; end;");
    status_soon(&shop.url("items/"), Some(&fresh), StatusCode::UNAUTHORIZED).await;
    assert_eq!(seen_by(&shop, &other, &fresh).await, json!({ "active": false }));
}

#[tokio::test]
async fn int_03_scope_is_what_the_token_opens_now() {
    let shop = Shop::new().await;
    shop.server.sql("hr", "begin oauth.revoke_client_role('shop_app', 'shop_user'); commit; end;");
    status_soon(&shop.url("items/"), Some(&shop.token), StatusCode::FORBIDDEN).await;
    let active = seen_by(&shop, &shop.client, &shop.token).await;
    assert_eq!((&active["active"], active.get("scope")), (&json!(true), None));
}
