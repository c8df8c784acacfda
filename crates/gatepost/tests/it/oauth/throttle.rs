//! Slowing down those who guess (oauth.md section 13).

use reqwest::{RequestBuilder, Response, StatusCode};

use crate::client::{Credentials, get, http};
use crate::shop::{Shop, header};

fn token_request(shop: &Shop, id: &str, secret: &str) -> RequestBuilder {
    let form = [("grant_type", "client_credentials")];
    http().post(shop.server.url("hr/oauth/token")).basic_auth(id, Some(secret)).form(&form)
}

async fn attempt(shop: &Shop, id: &str, secret: &str) -> Response {
    token_request(shop, id, secret).send().await.unwrap()
}

/// Buckets so small and slow that no test refills one by waiting.
async fn strict(config: &str) -> Shop {
    Shop::configured(&format!("[oauth]\n{config}")).await
}

/// Fails until the answer is 429, and returns it.
async fn until_throttled(shop: &Shop, id: &str) -> Response {
    for _ in 0..50 {
        let answer = attempt(shop, id, "wrong").await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            return answer;
        }
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    panic!("never throttled");
}

#[tokio::test]
async fn thr_01_failures_end_in_429_before_the_secret_is_looked_at() {
    let shop = strict("failures_per_client_address = 3").await;
    let answer = until_throttled(&shop, &shop.client.id).await;
    let seconds: u32 = header(&answer, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert!(!answer.text().await.unwrap().contains("gp_at_"));
    // The right secret is not looked at either; tokens that exist go on.
    let right = attempt(&shop, &shop.client.id, &shop.client.secret).await;
    assert_eq!(right.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(get(&shop.url("items/"), Some(&shop.token)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn thr_01_revocation_and_introspection_are_throttled_too() {
    let shop = strict("failures_per_client_address = 3").await;
    until_throttled(&shop, &shop.client.id).await;
    for endpoint in ["revoke", "introspect"] {
        let request = http().post(shop.server.url(&format!("hr/oauth/{endpoint}")));
        let request = request.basic_auth(&shop.client.id, Some("wrong")).form(&[("token", "x")]);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn thr_02_the_client_gets_in_from_another_address() {
    let shop = strict("failures_per_client_address = 3\n[server]\ntrusted_proxies = [\"127.0.0.1\"]").await;
    let from = |address: &str, secret: &str| {
        token_request(&shop, &shop.client.id, secret).header("x-forwarded-for", address)
    };
    for _ in 0..20 {
        from("192.0.2.1", "wrong").send().await.unwrap();
    }
    let there = from("192.0.2.1", &shop.client.secret).send().await.unwrap();
    assert_eq!(there.status(), StatusCode::TOO_MANY_REQUESTS);
    let here = from("192.0.2.2", &shop.client.secret).send().await.unwrap();
    assert_eq!(here.status(), StatusCode::OK);
}

#[tokio::test]
async fn thr_03_good_requests_have_a_limit_of_their_own_when_one_is_set() {
    let shop = strict("requests_per_client = 6").await;
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(get(&shop.url("items/"), Some(&shop.token)).await.status().as_u16());
    }
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    let other = Credentials::of_demo(&shop.server).token(&shop.server, "hr").await;
    assert_eq!(get(&shop.server.known("protected_url"), Some(&other)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn thr_04_unknown_clients_share_a_bucket() {
    let shop = strict("failures_per_client_address = 3").await;
    let mut seen = Vec::new();
    for number in 0..10 {
        seen.push(attempt(&shop, &format!("made-up-{number}"), "wrong").await.status().as_u16());
    }
    assert!(seen.ends_with(&[429, 429]), "{seen:?}");
    assert_eq!(attempt(&shop, &shop.client.id, &shop.client.secret).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn thr_05_forwarded_addresses_of_strangers_do_not_count() {
    let shop = strict("failures_per_client_address = 3").await;
    let mut seen = Vec::new();
    for number in 0..10 {
        let request = token_request(&shop, &shop.client.id, "wrong");
        let request = request.header("x-forwarded-for", format!("192.0.2.{number}"));
        let request = request
            .header("forwarded", format!("for=192.0.2.{number}"))
            .header("x-real-ip", format!("192.0.2.{number}"));
        seen.push(request.send().await.unwrap().status().as_u16());
    }
    assert!(seen.ends_with(&[429, 429]), "{seen:?}");
}
