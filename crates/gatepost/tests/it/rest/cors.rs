//! Browsers of other origins (ords.md 4.13; Fetch standard).

use reqwest::{Method, RequestBuilder, Response, StatusCode};

use crate::client::http;
use crate::shop::{Shop, header};

fn preflight(url: &str, origin: &str) -> RequestBuilder {
    http()
        .request(Method::OPTIONS, url)
        .header("origin", origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization")
}

fn shares_nothing(response: &Response) -> bool {
    response.headers().keys().all(|name| !name.as_str().starts_with("access-control-"))
}

#[tokio::test]
async fn other_origins_are_refused_before_anything_runs() {
    let shop = Shop::shared().await;
    let open = shop.server.url("hr/open/names");
    for origin in [
        "https://evil.example",
        "https://app.example.evil.example",
        "http://app.example",
        "https://app.example:444",
        "null",
        "https://app.exampl",
    ] {
        let refused = preflight(&open, origin).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin}");
        assert!(shares_nothing(&refused));
        let refused = http().get(&open).header("origin", origin).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin}");
        assert!(shares_nothing(&refused));
    }
    // A module without a list is for no other origin, token or not.
    for origin in ["https://app.example", "https://evil.example"] {
        let refused = preflight(&shop.url("items/"), origin).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        let refused = shop.request(Method::DELETE, "items/1").header("origin", origin).send().await.unwrap();
        assert_eq!((refused.status(), shares_nothing(&refused)), (StatusCode::FORBIDDEN, true));
    }
    assert_eq!(shop.count("select count(*) from item where id = 1"), 1);
}

#[tokio::test]
async fn listed_origins_may_ask_and_read() {
    let shop = Shop::shared().await;
    let open = shop.server.url("hr/open/names");
    for origin in ["https://app.example", "http://localhost:3000"] {
        let allowed = preflight(&open, origin).send().await.unwrap();
        assert_eq!(allowed.status(), StatusCode::NO_CONTENT);
        assert_eq!(header(&allowed, "access-control-allow-origin"), origin);
        assert!(header(&allowed, "access-control-allow-methods").contains("GET"));
        assert!(
            header(&allowed, "access-control-allow-headers").to_ascii_lowercase().contains("authorization")
        );
        assert_eq!(header(&allowed, "access-control-allow-credentials"), "");
        let answer = http().get(&open).header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(header(&answer, "access-control-allow-origin"), origin);
        assert_eq!(header(&answer, "access-control-allow-credentials"), "");
        let varies = answer
            .headers()
            .get_all("vary")
            .iter()
            .any(|value| value.to_str().unwrap().to_ascii_lowercase().contains("origin"));
        assert!(varies, "{:?}", answer.headers());
        // What is refused can be read by the page too, so that it learns why.
        let refused = http().post(&open).header("origin", origin).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(header(&refused, "access-control-allow-origin"), origin);
    }
}

#[tokio::test]
async fn our_own_origin_always_passes() {
    let shop = Shop::shared().await;
    let request = shop.request(Method::GET, "items/").header("origin", &shop.server.base_url);
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status(), shares_nothing(&answer)), (StatusCode::OK, true));
}

#[tokio::test]
async fn any_origin_is_a_star_without_credentials() {
    let shop = Shop::new().await;
    shop.server.sql("hr", "begin ords.set_module_origins_allowed('open', '*'); commit; end;");
    let open = shop.server.url("hr/open/names");
    let ask = || http().get(&open).header("origin", "https://any.example").send();
    for _ in 0..250 {
        if ask().await.unwrap().status() == StatusCode::OK {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let answer = ask().await.unwrap();
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    assert_eq!(header(&answer, "access-control-allow-credentials"), "");
}
