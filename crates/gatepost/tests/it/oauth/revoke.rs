//! `POST oauth/revoke` (oauth.md section 6).

use reqwest::{RequestBuilder, Response, StatusCode};

use super::token::refused;
use crate::client::{Credentials, get, http, keeping, status_soon};
use crate::holder::Holder;
use crate::shop::{Shop, header};

fn bare(shop: &Shop) -> RequestBuilder {
    http().post(shop.server.url("hr/oauth/revoke"))
}

async fn revoke(shop: &Shop, client: &Credentials, fields: &[(&str, &str)]) -> Response {
    bare(shop).basic_auth(&client.id, Some(&client.secret)).form(fields).send().await.unwrap()
}

async fn opens(shop: &Shop, token: &str) -> bool {
    match get(&shop.url("items/"), Some(token)).await.status() {
        StatusCode::OK => true,
        StatusCode::UNAUTHORIZED => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn rev_01_post_form_authentication_and_token_are_needed() {
    let shop = Shop::shared().await;
    let Credentials { id, secret } = &shop.client;
    let token = shop.client.token(&shop.server, "hr").await;
    let get =
        http().get(shop.server.url(&format!("hr/oauth/revoke?token={token}"))).basic_auth(id, Some(secret));
    let answer = get.send().await.unwrap();
    assert_eq!((answer.status(), header(&answer, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    refused(bare(&shop).form(&[("token", &token)]), StatusCode::UNAUTHORIZED, "invalid_client").await;
    let wrong = bare(&shop).basic_auth(id, Some("wrong")).form(&[("token", &token)]);
    refused(wrong, StatusCode::UNAUTHORIZED, "invalid_client").await;
    let authenticated = || bare(&shop).basic_auth(id, Some(secret));
    refused(authenticated().form(&[("tokens", &token)]), StatusCode::BAD_REQUEST, "invalid_request").await;
    refused(authenticated().form(&[("token", "")]), StatusCode::BAD_REQUEST, "invalid_request").await;
    refused(
        authenticated().form(&[("token", &token), ("token", &token)]),
        StatusCode::BAD_REQUEST,
        "invalid_request",
    )
    .await;
    let json = authenticated().header("content-type", "application/json").body("{}");
    refused(json, StatusCode::BAD_REQUEST, "invalid_request").await;
    assert!(opens(&shop, &token).await);
}

#[tokio::test]
async fn rev_02_unknown_tokens_are_answered_like_good_ones_and_hints_only_steer() {
    let shop = Shop::shared().await;
    let mut cut = shop.token.clone();
    cut.pop();
    for token in ["x", "gp_at_", cut.as_str(), "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(
            revoke(&shop, &shop.client, &[("token", token)]).await.status(),
            StatusCode::OK,
            "{token}"
        );
    }
    for hint in ["refresh_token", "access_token", "nonsense"] {
        let token = shop.client.token(&shop.server, "hr").await;
        for _ in 0..2 {
            let answer = revoke(&shop, &shop.client, &[("token", &token), ("token_type_hint", hint)]).await;
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(header(&answer, "cache-control"), "no-store");
        }
        assert!(!opens(&shop, &token).await, "{hint}");
    }
    assert!(opens(&shop, &shop.token).await);
}

#[tokio::test]
async fn rev_03_a_token_of_another_client_is_not_revoked() {
    let shop = Shop::shared().await;
    let stranger = Credentials::of_demo(&shop.server);
    assert_eq!(revoke(&shop, &stranger, &[("token", &shop.token)]).await.status(), StatusCode::OK);
    assert!(opens(&shop, &shop.token).await);
}

#[tokio::test]
async fn rev_04_a_store_that_fails_is_503_and_never_success() {
    let shop = Shop::new().await;
    let token = shop.client.token(&shop.server, "hr").await;
    // Another process holds what every commit needs.
    let holder = Holder::of_catalog(&shop.folder);
    let answer = revoke(&shop, &shop.client, &[("token", &token)]).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!header(&answer, "retry-after").is_empty());
    assert!(opens(&shop, &token).await);
    drop(holder);
    assert_eq!(revoke(&shop, &shop.client, &[("token", &token)]).await.status(), StatusCode::OK);
    assert!(!opens(&shop, &token).await);
}

#[tokio::test]
async fn rev_05_after_the_answer_no_connection_lets_the_token_in() {
    let shop = Shop::shared().await;
    let warm: Vec<reqwest::Client> = (0..4).map(|_| keeping()).collect();
    for _ in 0..10 {
        let token = shop.client.token(&shop.server, "hr").await;
        let url = shop.url("items/");
        for client in &warm {
            assert_eq!(client.get(&url).bearer_auth(&token).send().await.unwrap().status(), StatusCode::OK);
        }
        assert_eq!(revoke(&shop, &shop.client, &[("token", &token)]).await.status(), StatusCode::OK);
        for client in &warm {
            assert_eq!(
                client.get(&url).bearer_auth(&token).send().await.unwrap().status(),
                StatusCode::UNAUTHORIZED
            );
        }
    }
}

#[tokio::test]
async fn rev_05_a_revocation_outlives_the_process() {
    let shop = Shop::new().await;
    assert_eq!(revoke(&shop, &shop.client, &[("token", &shop.token)]).await.status(), StatusCode::OK);
    let revoked = shop.token.clone();
    let (client, kept) = (shop.client.clone(), shop.client.token(&shop.server, "hr").await);
    let (server, _folder) = shop.killed_and_started_again();
    let url = server.url("hr/shop/items/");
    assert_eq!(get(&url, Some(&revoked)).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(get(&url, Some(&kept)).await.status(), StatusCode::OK, "another token lives on");
    let fresh = client.token(&server, "hr").await;
    assert_eq!(get(&url, Some(&fresh)).await.status(), StatusCode::OK);
}

/// Runs a block beside the server and waits until the token's call has this status.
async fn changed(shop: &Shop, block: &str, status: StatusCode) {
    shop.server.sql("hr", &format!("begin {block} commit; end;"));
    status_soon(&shop.url("items/"), Some(&shop.token), status).await;
}

#[tokio::test]
async fn rev_07_a_role_taken_and_given_back_counts_at_once() {
    let shop = Shop::new().await;
    changed(&shop, "oauth.revoke_client_role('shop_app', 'shop_user');", StatusCode::FORBIDDEN).await;
    changed(&shop, "oauth.grant_client_role('shop_app', 'shop_user');", StatusCode::OK).await;
}

#[tokio::test]
async fn rev_07_disabling_ends_tokens_for_good() {
    let shop = Shop::new().await;
    changed(&shop, "gatepost.set_client_status('shop_app', 'DISABLED');", StatusCode::UNAUTHORIZED).await;
    shop.server.sql("hr", "begin gatepost.set_client_status('shop_app', 'ENABLED'); commit; end;");
    let fresh = shop.client.token_soon(&shop.server, "hr").await;
    assert!(opens(&shop, &fresh).await);
    assert!(!opens(&shop, &shop.token).await, "enabling brought an old token back");
}

#[tokio::test]
async fn rev_07_a_deleted_client_is_gone_and_its_name_brings_nothing_back() {
    let shop = Shop::new().await;
    changed(&shop, "oauth.delete_client('shop_app');", StatusCode::UNAUTHORIZED).await;
    shop.server.sql(
        "hr",
        "begin oauth.create_client('shop_app', 'client_credentials', p_privilege_names => 'shop.use');
        oauth.grant_client_role('shop_app', 'shop_user'); commit; end;",
    );
    let again = Credentials::by_name(&shop.server, "hr", "shop_app");
    let fresh = again.token_soon(&shop.server, "hr").await;
    assert!(opens(&shop, &fresh).await);
    assert!(!opens(&shop, &shop.token).await);
    let (status, _) = shop.client.request(&shop.server, "hr", &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn rev_07_revoking_all_tokens_leaves_the_client() {
    let shop = Shop::new().await;
    changed(&shop, "gatepost.revoke_client_tokens('shop_app');", StatusCode::UNAUTHORIZED).await;
    let fresh = shop.client.token(&shop.server, "hr").await;
    assert!(opens(&shop, &fresh).await);
}

#[tokio::test]
async fn rev_07_rotation_with_sessions_revoked_ends_old_secret_and_tokens() {
    let shop = Shop::new().await;
    changed(
        &shop,
        "oauth.rotate_client_secret('shop_app', p_revoke_existing => true, p_revoke_sessions => true);",
        StatusCode::UNAUTHORIZED,
    )
    .await;
    let (status, _) = shop.client.request(&shop.server, "hr", &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "the old secret still works");
    let rotated = Credentials::by_name(&shop.server, "hr", "shop_app");
    assert_ne!(rotated.secret, shop.client.secret);
    let fresh = rotated.token(&shop.server, "hr").await;
    assert!(opens(&shop, &fresh).await);
}

#[tokio::test]
async fn rev_07_a_deleted_role_opens_nothing() {
    let shop = Shop::new().await;
    shop.server.sql(
        "hr",
        "declare l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr; begin
        ords.create_role('other'); l_roles(1) := 'other'; l_modules(1) := 'shop';
        ords.define_privilege('shop.use', l_roles, l_patterns, l_modules, 'Shop', 'Shop'); commit; end;",
    );
    status_soon(&shop.url("items/"), Some(&shop.token), StatusCode::FORBIDDEN).await;
}
