//! Spellings of one path (BEA-07; DESIGN decisions 2 and 27): no one opens what another locks.

use crate::client::Credentials;
use crate::shop::Shop;

/// Spellings of `/ords/hr/shop/items/1`, as they go over the wire. None but the last three means that item.
const SPELLINGS: [&str; 40] = [
    "//ords/hr/shop/items/1",
    "/ords//hr/shop/items/1",
    "/ords/hr//shop/items/1",
    "/ords/hr/shop//items/1",
    "/ords/hr/shop/items//1",
    "/ords/hr/shop/items/1//",
    "/ords/hr/./shop/items/1",
    "/ords/hr/shop/items/./1",
    "/ords/hr/open/../shop/items/1",
    "/ords/hr/open/names/../../shop/items/1",
    "/ords/hr/open/%2e%2e/shop/items/1",
    "/ords/hr/open/.%2E/shop/items/1",
    "/ords/hr/%2e/shop/items/1",
    "/ords/hr/open%2f..%2fshop/items/1",
    "/ords/hr/open/..%2fshop/items/1",
    "/ords/hr/open/..%5cshop/items/1",
    "/ords/hr/open/..;/shop/items/1",
    "/ords/hr/shop%2fitems%2f1",
    "/ords/hr/shop%2Fitems/1",
    "/ords/hr/shop%5citems%5c1",
    "/ords/hr/shop\\items\\1",
    "/ORDS/hr/shop/items/1",
    "/ords/hr/SHOP/items/1",
    "/ords/hr/shop/ITEMS/1",
    "/ords/hr/shop;x/items/1",
    "/ords/hr/shop/items;x=1/1",
    "/ords/hr/shop/items/1;x",
    "/ords/hr/shop/items/1%00",
    "/ords/hr/shop%00/items/1",
    "/ords/hr/shop/items/1%0a",
    "/ords/hr/shop/items%20/1",
    "/ords/hr/%2573hop/items/1",
    "/ords/hr/shop/items/%c0%b1",
    "/ords/hr/shop/items/%ff",
    "/ords/hr/shop/items/%",
    "/ords/hr/shop/items/%EF%BC%91",
    "/ords/hr/shop/items/1%2f",
    // The same path, spelled otherwise: locked in the same way.
    "/ords/hr/%73hop/items/%31",
    "/ords/hr/shop/items/1?x=/../open/names",
    "/ords/hr/shop/items/1/",
];

fn ask(shop: &Shop, method: &str, target: &str, token: Option<&str>) -> String {
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let host = shop.server.address();
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{authorization}Connection: close\r\n\r\n");
    shop.server.raw(request.as_bytes())
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}

#[tokio::test]
async fn bea_07_no_spelling_of_a_locked_path_opens_it_to_strangers() {
    let shop = Shop::shared().await;
    for target in SPELLINGS {
        for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
            let answer = ask(&shop, method, target, None);
            assert!((400..500).contains(&status(&answer)), "{method} {target}: {answer}");
            assert!(!answer.contains("anvil"), "{method} {target}: {answer}");
        }
    }
    assert_eq!(shop.count("select count(*) from item where id = 1"), 1);
}

#[tokio::test]
async fn bea_07_no_spelling_of_a_locked_path_opens_it_to_a_client_without_the_role() {
    let shop = Shop::shared().await;
    let limited = Credentials::limited(&shop.server).token(&shop.server, "hr").await;
    for target in SPELLINGS {
        for method in ["GET", "HEAD", "DELETE"] {
            let answer = ask(&shop, method, target, Some(&limited));
            assert!((400..500).contains(&status(&answer)), "{method} {target}: {answer}");
            assert!(!answer.contains("anvil"), "{method} {target}: {answer}");
        }
    }
    assert_eq!(shop.count("select count(*) from item where id = 1"), 1);
}

#[tokio::test]
async fn bea_07_the_client_with_the_role_gets_the_item_by_its_own_spellings_only() {
    let shop = Shop::shared().await;
    let (others, same) = SPELLINGS.split_at(SPELLINGS.len() - 3);
    for target in others {
        let answer = ask(&shop, "GET", target, Some(&shop.token));
        assert!(!answer.contains("anvil"), "{target}: {answer}");
    }
    for target in &same[..2] {
        assert!(ask(&shop, "GET", target, Some(&shop.token)).contains("anvil"), "{target}");
    }
}

#[tokio::test]
async fn a_path_that_can_be_read_in_two_ways_is_400() {
    let shop = Shop::shared().await;
    for target in [
        "/ords/hr//shop/items/1",
        "/ords/hr/open/../shop/items/1",
        "/ords/hr/shop%2fitems/1",
        "/ords/hr/shop/items/%",
        "/ords/hr/shop/items/1%00",
        "/ords/hr/shop/items/%ff",
        "/ords/hr/shop%5citems/1",
    ] {
        let answer = ask(&shop, "GET", target, Some(&shop.token));
        assert_eq!(status(&answer), 400, "{target}: {answer}");
    }
}

#[tokio::test]
async fn the_host_is_ours_and_named_once() {
    let shop = Shop::shared().await;
    let host = shop.server.address();
    let port = host.split(':').nth(1).unwrap();
    let token = &shop.token;
    let send = |target: &str, hosts: &str| {
        let request = format!(
            "GET {target} HTTP/1.1\r\n{hosts}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        status(&shop.server.raw(request.as_bytes()))
    };
    let path = "/ords/hr/shop/items/1";
    assert_eq!(send(path, "Host: evil.example\r\n"), 421);
    assert_eq!(send(path, &format!("Host: 127.0.0.1.evil.example:{port}\r\n")), 421);
    assert_eq!(send(path, &format!("Host: {host}\r\nX-Forwarded-Host: {host}\r\nHost: {host}\r\n")), 400);
    assert_eq!(send(path, &format!("Host: {host}\r\nHost: evil.example\r\n")), 400);
    assert_eq!(send(path, ""), 400);
    assert_eq!(send(&format!("http://evil.example{path}"), &format!("Host: {host}\r\n")), 400);
    assert_eq!(send(&format!("http://evil.example{path}"), "Host: evil.example\r\n"), 421);
    assert_eq!(send(path, &format!("Host: {host}\r\n")), 200);
    assert_eq!(send(&format!("http://{host}{path}"), &format!("Host: {host}\r\n")), 200);
}
