//! Who may pass (DESIGN decisions 1 to 5), on a running server whose definitions change beside it.

use reqwest::{Method, StatusCode};

use crate::client::{Credentials, get, http, status_soon};
use crate::outage::Outage;
use crate::server::run;
use crate::shop::{Shop, header, parts};

/// A module that nothing covers.
const BARE: &str = "begin
  ords.define_module('bare', '/bare/');
  ords.define_template('bare', 'one');
  ords.define_handler('bare', 'one', 'GET', ords.source_type_query_one_row, 'select 1 as one');
  ords.define_handler('bare', 'one', 'POST', ords.source_type_plsql, 'insert into note (text) values (''bare'')');
  ords.define_template('bare', 'deep/:id');
  ords.define_handler('bare', 'deep/:id', 'GET', ords.source_type_query_one_row, 'select :id as id');
  commit; end;";

fn privilege(name: &str, role: &str, pattern: &str) -> String {
    format!(
        "declare l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr; begin
      ords.create_role('{role}'); l_roles(1) := '{role}'; l_patterns(1) := '{pattern}';
      ords.define_privilege('{name}', l_roles, l_patterns, l_modules, '{name}', '{name}'); commit; end;"
    )
}

fn block(shop: &Shop, text: &str) {
    shop.server.sql("hr", &format!("begin {text} commit; end;"));
}

/// Runs a block that must be refused.
fn refused(shop: &Shop, text: &str) -> String {
    let folder = shop.folder.path().to_str().unwrap();
    let text = format!("begin {text} commit; end;");
    let output = run(&["sql", "--data", folder, "--schema", "hr", "-c", &text]);
    assert_eq!(output.status.code(), Some(1), "{text} was not refused");
    String::from_utf8(output.stderr).unwrap()
}

async fn with_bare() -> (Shop, String) {
    let shop = Shop::new().await;
    shop.server.sql("hr", BARE);
    let url = shop.server.url("hr/bare/one");
    status_soon(&url, Some(&shop.token), StatusCode::FORBIDDEN).await;
    (shop, url)
}

async fn new_client(shop: &Shop, name: &str, role: &str) -> (Credentials, String) {
    block(
        shop,
        &format!(
            "oauth.create_client('{name}', 'client_credentials', p_privilege_names => '');
        oauth.grant_client_role('{name}', '{role}');"
        ),
    );
    let client = Credentials::by_name(&shop.server, "hr", name);
    let token = client.token_soon(&shop.server, "hr").await;
    (client, token)
}

#[tokio::test]
async fn what_nothing_covers_is_closed_to_everybody() {
    let (shop, url) = with_bare().await;
    assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED);
    let answer = get(&url, Some(&shop.token)).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(header(&answer, "www-authenticate").contains("insufficient_scope"));
    assert_eq!(http().post(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    // What is not published at all does not exist, for those who may know.
    assert_eq!(
        get(&shop.server.url("hr/nowhere/one"), Some(&shop.token)).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(get(&shop.server.url("nobody/x"), None).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_public_entry_opens_get_and_head_and_nothing_else() {
    let (shop, url) = with_bare().await;
    block(&shop, "gatepost.allow_public('/bare/one');");
    status_soon(&url, None, StatusCode::OK).await;
    assert_eq!(http().head(&url).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(get(&url, Some(&shop.token)).await.status(), StatusCode::OK);
    assert_eq!(http().post(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(http().delete(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(get(&shop.server.url("hr/bare/deep/1"), None).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(get(&url, Some("gp_at_x")).await.status(), StatusCode::UNAUTHORIZED, "a bad token is told");
    assert_eq!(shop.count("select count(*) from note"), 0);

    block(&shop, "gatepost.allow_public('/bare/one', 'GET,POST');");
    for _ in 0..250 {
        if http().post(&url).send().await.unwrap().status() == StatusCode::OK {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(http().post(&url).send().await.unwrap().status(), StatusCode::OK);
    block(&shop, "gatepost.deny_public('/bare/one');");
    status_soon(&url, None, StatusCode::UNAUTHORIZED).await;
    assert_eq!(http().post(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn public_never_beats_a_privilege_and_deleting_one_never_opens_anything() {
    let (shop, url) = with_bare().await;
    block(&shop, "gatepost.allow_public('/bare/*');");
    status_soon(&url, None, StatusCode::OK).await;
    shop.server.sql("hr", &privilege("bare.read", "bare_reader", "/bare/*"));
    status_soon(&url, None, StatusCode::UNAUTHORIZED).await;
    let (_, token) = new_client(&shop, "bare_app", "bare_reader").await;
    assert_eq!(get(&url, Some(&token)).await.status(), StatusCode::OK);
    assert_eq!(get(&url, Some(&shop.token)).await.status(), StatusCode::FORBIDDEN);

    let message = refused(&shop, "ords.delete_privilege('bare.read');");
    assert!(message.contains("/bare/*"), "{message}");
    assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED);
    block(&shop, "gatepost.deny_public('/bare/*'); ords.delete_privilege('bare.read');");
    status_soon(&url, Some(&token), StatusCode::FORBIDDEN).await;
    assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_role_that_a_privilege_asks_for_cannot_be_taken_away_from_under_it() {
    let (shop, url) = with_bare().await;
    shop.server.sql("hr", &privilege("bare.read", "bare_reader", "/bare/*"));
    let (_, token) = new_client(&shop, "bare_app", "bare_reader").await;
    status_soon(&url, Some(&token), StatusCode::OK).await;
    let message = refused(&shop, "ords.delete_role('bare_reader');");
    assert!(message.contains("bare.read"), "{message}");
    // Nobody gets in who did not before.
    new_client(&shop, "listing", "shop_user").await;
    block(&shop, "oauth.update_client('listing', p_privilege_names => 'shop.use');");
    assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(get(&url, Some(&shop.token)).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_setting_of_ords_opens_what_nothing_covers_and_only_that() {
    let shop = Shop::with("[access]\nunprotected = \"public\"\n").await;
    shop.server.sql("hr", BARE);
    let url = shop.server.url("hr/bare/one");
    status_soon(&url, None, StatusCode::OK).await;
    assert_eq!(get(&shop.server.url("hr/bare/two"), None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(http().delete(&url).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(get(&shop.url("items/"), None).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn two_clients_with_a_role_and_a_privilege_each_work_side_by_side() {
    let (shop, url) = with_bare().await;
    shop.server.sql("hr", &privilege("bare.first", "first_role", "/bare/*"));
    shop.server.sql("hr", &privilege("bare.second", "second_role", "/bare/*"));
    let (first, first_token) = new_client(&shop, "first", "first_role").await;
    let (_, second_token) = new_client(&shop, "second", "second_role").await;
    for token in [&first_token, &second_token] {
        assert_eq!(get(&url, Some(token)).await.status(), StatusCode::OK);
    }
    let (_, answer) = first.request(&shop.server, "hr", &[]).await;
    assert_eq!(answer["scope"], "bare.first");

    block(&shop, "oauth.revoke_client_role('first', 'first_role');");
    status_soon(&url, Some(&first_token), StatusCode::FORBIDDEN).await;
    assert_eq!(get(&url, Some(&second_token)).await.status(), StatusCode::OK);
    let answer = get(&url, Some(&first_token)).await;
    let challenge = header(&answer, "www-authenticate");
    assert!(challenge.contains("scope=\"bare.first bare.second\""), "{challenge}");
    block(
        &shop,
        "gatepost.set_client_status('second', 'DISABLED'); oauth.grant_client_role('first', 'first_role');",
    );
    status_soon(&url, Some(&first_token), StatusCode::OK).await;
    assert_eq!(get(&url, Some(&second_token)).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_narrowed_token_opens_what_it_names_and_no_more() {
    let (shop, url) = with_bare().await;
    shop.server.sql("hr", &privilege("bare.read", "bare_reader", "/bare/*"));
    let (client, both) = new_client(&shop, "both", "bare_reader").await;
    block(&shop, "oauth.grant_client_role('both', 'shop_user');");
    status_soon(&shop.url("items/"), Some(&both), StatusCode::OK).await;
    assert_eq!(get(&url, Some(&both)).await.status(), StatusCode::OK);
    let (_, answer) = client.request(&shop.server, "hr", &[("scope", "bare.read")]).await;
    assert_eq!(answer["scope"], "bare.read");
    let narrow = answer["access_token"].as_str().unwrap();
    assert_eq!(get(&url, Some(narrow)).await.status(), StatusCode::OK);
    let answer = get(&shop.url("items/"), Some(narrow)).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(header(&answer, "www-authenticate").contains("scope=\"shop.use\""));
    let (_, answer) = client.request(&shop.server, "hr", &[("scope", "shop.use bare.read")]).await;
    assert_eq!(answer["scope"], "bare.read shop.use");
    // A narrowed token gains nothing when its client does.
    block(&shop, "oauth.grant_client_role('both', 'hr_reader');");
    status_soon(&shop.server.known("protected_url"), Some(&both), StatusCode::OK).await;
    assert_eq!(get(&shop.server.known("protected_url"), Some(narrow)).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_narrowest_lock_decides() {
    let shop = Shop::new().await;
    shop.server.sql("hr", &privilege("item.one", "item_reader", "/shop/items/*"));
    status_soon(&shop.url("items/1"), Some(&shop.token), StatusCode::FORBIDDEN).await;
    assert_eq!(get(&shop.url("all/"), Some(&shop.token)).await.status(), StatusCode::OK);
    let (_, token) = new_client(&shop, "item_app", "item_reader").await;
    for path in ["items", "items/", "items/1", "items/1/", "items/1/2"] {
        let status = get(&shop.url(path), Some(&token)).await.status();
        assert_ne!(status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(get(&shop.url(path), Some(&shop.token)).await.status(), StatusCode::FORBIDDEN, "{path}");
        assert_eq!(get(&shop.url(path), None).await.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(get(&shop.url("all/"), Some(&token)).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_privilege_without_roles_is_for_clients_that_list_it() {
    let (shop, url) = with_bare().await;
    shop.server.sql(
        "hr",
        "declare l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr; begin
      l_patterns(1) := '/bare/*';
      ords.define_privilege('bare.list', l_roles, l_patterns, l_modules, 'List', 'List');
      oauth.create_client('listing', 'client_credentials', p_privilege_names => 'bare.list'); commit; end;",
    );
    let listing = Credentials::by_name(&shop.server, "hr", "listing");
    let token = listing.token_soon(&shop.server, "hr").await;
    assert_eq!(get(&url, Some(&token)).await.status(), StatusCode::OK);
    assert_eq!(get(&url, Some(&shop.token)).await.status(), StatusCode::FORBIDDEN);
    block(&shop, "oauth.update_client('listing', p_privilege_names => '');");
    status_soon(&url, Some(&token), StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn listing_a_privilege_with_roles_is_no_role() {
    let shop = Shop::new().await;
    block(&shop, "oauth.create_client('lists', 'client_credentials', p_privilege_names => 'shop.use');");
    let lists = Credentials::by_name(&shop.server, "hr", "lists");
    let token = lists.token_soon(&shop.server, "hr").await;
    assert_eq!(get(&shop.url("items/"), Some(&token)).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_module_that_is_not_published_answers_nobody() {
    let shop = Shop::new().await;
    block(
        &shop,
        "ords.publish_module('shop', 'NOT_PUBLISHED'); ords.publish_module('open', 'NOT_PUBLISHED');",
    );
    status_soon(&shop.url("items/"), Some(&shop.token), StatusCode::NOT_FOUND).await;
    assert_eq!(get(&shop.url("items/"), None).await.status(), StatusCode::UNAUTHORIZED);
    let open = get(&shop.server.url("hr/open/names"), None).await;
    assert!(matches!(open.status(), StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED), "{}", open.status());
}

#[tokio::test]
async fn a_new_handler_is_locked_before_it_is_served() {
    let shop = Shop::new().await;
    // Redefined again and again, while a stranger asks: never once is it open.
    let url = shop.url("fresh");
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asking = tokio::spawn({
        let (url, finished) = (url.clone(), std::sync::Arc::clone(&done));
        async move {
            let client = http();
            let mut asked = 0;
            while !finished.load(std::sync::atomic::Ordering::Relaxed) {
                let status = client.get(&url).send().await.unwrap().status();
                assert_eq!(status, StatusCode::UNAUTHORIZED);
                asked += 1;
            }
            asked
        }
    });
    let folder = shop.folder.path().to_owned();
    let define = tokio::task::spawn_blocking(move || {
        for number in 0..10 {
            crate::server::sql(&folder, "hr", &format!("begin ords.define_template('shop', 'fresh');
              ords.define_handler('shop', 'fresh', 'GET', ords.source_type_query_one_row, 'select {number} as number');
              commit; end;"));
            crate::server::sql(&folder, "hr", "begin ords.delete_template('shop', 'fresh'); commit; end;");
        }
    });
    define.await.unwrap();
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(asking.await.unwrap() > 0);
}

#[tokio::test]
async fn explain_says_what_the_server_does() {
    let shop = Shop::shared().await;
    let folder = shop.folder.path().to_str().unwrap();
    for (client, allowed) in [("shop_app", true), ("no_role", false)] {
        let output = run(&["explain", "--data", folder, "--as", client, "GET", "/ords/hr/shop/items/1"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let token = Credentials::by_name(&shop.server, "hr", client).token(&shop.server, "hr").await;
        let status = get(&shop.url("items/1"), Some(&token)).await.status();
        assert_eq!(status == StatusCode::OK, allowed);
        assert!(text.contains("shop.use") && text.contains("shop_user"), "{text}");
    }
}

#[tokio::test]
async fn the_stale_server_refuses_all_but_the_public() {
    let shop = Shop::with("[access]\nmax_stale_seconds = 1\n[catalog]\npoll_ms = 100\n").await;
    let _outage = Outage::of_catalog(&shop.folder);
    status_soon(&shop.url("items/"), Some(&shop.token), StatusCode::SERVICE_UNAVAILABLE).await;
    let answer = get(&shop.url("items/"), Some(&shop.token)).await;
    assert!(!header(&answer, "retry-after").is_empty());
    let ready = get(&format!("{}/readyz", shop.server.base_url), None).await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&shop.server.url("hr/open/names"), None).await.status(), StatusCode::OK);
    let (status, answer) = shop.client.request(&shop.server, "hr", &[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
}

#[tokio::test]
async fn public_writes_of_a_browser_form_are_plain_posts() {
    let shop = Shop::shared().await;
    let answer = http().post(shop.server.url("hr/open/names")).form(&[("a", "b")]).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let (_, body) = parts(http().request(Method::PUT, shop.url("items/1")).send().await.unwrap()).await;
    assert_eq!(body["code"], "Unauthorized");
}
