//! Secrets, keys and clocks at rest (oauth.md sections 12 and 9).

use reqwest::StatusCode;

use crate::client::{Credentials, get, http};
use crate::server::{TestServer, run};
use crate::shop::Shop;

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn sto_01_secrets_are_made_by_the_server() {
    let shop = Shop::shared().await;
    assert!(shop.client.secret.starts_with("gp_cs_"));
    assert!(shop.client.secret.len() >= 6 + 43, "fewer than 256 bits: {}", shop.client.secret);
}

#[tokio::test]
async fn sto_02_a_stolen_catalog_holds_no_secret() {
    let shop = Shop::shared().await;
    let stolen = shop.folder.stolen_catalog();
    assert!(holds(&stolen, "shop_app") && holds(&stolen, "\"hmac\""));
    assert!(!holds(&stolen, &shop.client.secret));
    assert!(!holds(&stolen, &shop.client.secret["gp_cs_".len()..]));
}

const CHOSEN: &str = "correct horse battery staple, and a good deal more than seventy-two bytes of it";

async fn with_chosen_secret() -> (Shop, Credentials) {
    let shop = Shop::new().await;
    shop.server.sql("hr", &format!("begin oauth.update_client_secret('shop_app', '{CHOSEN}'); commit; end;"));
    let client = Credentials { secret: CHOSEN.to_owned(), ..shop.client.clone() };
    client.token_soon(&shop.server, "hr").await;
    (shop, client)
}

#[tokio::test]
async fn sto_03_a_chosen_secret_is_argon2id_and_short_ones_are_refused() {
    let (shop, client) = with_chosen_secret().await;
    let stolen = shop.folder.stolen_catalog();
    assert!(holds(&stolen, "$argon2id$v=19$m=") && !holds(&stolen, CHOSEN));
    client.token(&shop.server, "hr").await;
    let short = "begin oauth.update_client_secret('shop_app', 'too short'); end;";
    let folder = shop.folder.path().to_str().unwrap();
    assert_eq!(run(&["sql", "--data", folder, "--schema", "hr", "-c", short]).status.code(), Some(1));
}

#[tokio::test]
async fn sto_04_beginnings_and_variants_of_a_secret_do_not_match() {
    let shop = Shop::shared().await;
    let secret = &shop.client.secret;
    let mut flipped = secret.clone().into_bytes();
    *flipped.last_mut().unwrap() ^= 1;
    let variants = [
        secret[..secret.len() - 1].to_owned(),
        format!("{secret}A"),
        secret.to_uppercase(),
        secret.trim_start_matches("gp_cs_").to_owned(),
        String::from_utf8(flipped).unwrap(),
    ];
    for secret in variants {
        let wrong = Credentials { secret, ..shop.client.clone() };
        let (status, _) = wrong.request(&shop.server, "hr", &[]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn sto_05_no_secret_is_accepted_by_its_first_72_bytes() {
    let (shop, client) = with_chosen_secret().await;
    assert!(CHOSEN.len() > 72);
    let beginning = Credentials { secret: CHOSEN[..72].to_owned(), ..client };
    let (status, _) = beginning.request(&shop.server, "hr", &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sto_06_tokens_are_stored_nowhere() {
    let shop = Shop::new().await;
    let token = shop.client.token(&shop.server, "hr").await;
    let mut searched = 0;
    for entry in std::fs::read_dir(shop.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            searched += 1;
            assert!(!holds(&std::fs::read(&path).unwrap(), &token), "{}", path.display());
        }
    }
    assert!(searched > 4);
    // The seal is what counts: a token changed in any one place is none.
    let at = "gp_at_".len();
    for place in [at, at + 5, token.len() / 2, token.len() - 1] {
        let mut forged = token.clone().into_bytes();
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(
            get(&shop.url("items/"), Some(&forged)).await.status(),
            StatusCode::UNAUTHORIZED,
            "{place}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn sto_07_keys_are_in_a_private_file_and_a_foreign_one_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let shop = Shop::new().await;
    let keys = shop.folder.path().join("keys.toml");
    assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&keys).unwrap();
    let stolen = shop.folder.stolen_catalog();
    let values = text.lines().filter_map(|line| line.split('"').nth(1)).filter(|value| value.len() >= 32);
    let mut found = 0;
    for value in values {
        found += 1;
        assert!(!holds(&stolen, value), "a key is in the catalog");
        assert!(!shop.server.log_text().contains(value), "a key is in the log");
    }
    assert!(found > 0, "no key in the key file: {}", text.len());
    let Shop { server, folder, .. } = shop;
    server.kill();
    let data = folder.path().to_str().unwrap().to_owned();
    std::fs::rename(&keys, folder.path().join("keys.elsewhere")).unwrap();
    let missing = run(&["check-config", "--data", &data]);
    assert!(!missing.status.success());
    assert!(!keys.exists(), "a key file was made for a catalog that has keys");
    let other = Shop::new().await;
    std::fs::copy(other.folder.path().join("keys.toml"), &keys).unwrap();
    let foreign = run(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!(foreign.status.code(), Some(1), "{}", String::from_utf8_lossy(&foreign.stderr));
}

#[tokio::test]
async fn sto_08_nothing_about_tokens_is_cached_beyond_the_snapshot() {
    let shop = Shop::shared().await;
    // A refused token that becomes good is good at once, and the other way round: see rev_05 and rev_07.
    let token = shop.client.token(&shop.server, "hr").await;
    for _ in 0..3 {
        assert_eq!(get(&shop.url("items/"), Some("gp_at_x")).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(get(&shop.url("items/"), Some(&token)).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn clk_01_a_token_ends_when_it_said() {
    let shop = Shop::new().await;
    shop.server.sql("hr", "begin oauth.create_client('brief', 'client_credentials', p_privilege_names => '', p_token_duration => 1);
        oauth.grant_client_role('brief', 'shop_user'); commit; end;");
    let brief = Credentials::by_name(&shop.server, "hr", "brief");
    brief.token_soon(&shop.server, "hr").await;
    let (_, answer) = brief.request(&shop.server, "hr", &[]).await;
    assert_eq!(answer["expires_in"], 1);
    let token = answer["access_token"].as_str().unwrap();
    crate::client::status_soon(&shop.url("items/"), Some(token), StatusCode::UNAUTHORIZED).await;
    let request =
        http().post(shop.server.url("hr/oauth/introspect")).basic_auth(&brief.id, Some(&brief.secret));
    let answer = request.form(&[("token", token)]).send().await.unwrap().text().await.unwrap();
    assert_eq!(answer, "{\"active\":false}");
}

#[tokio::test]
async fn clk_03_lifetimes_of_more_than_a_day_are_refused_unless_meant() {
    let folder = crate::folder::Folder::new("clock");
    let data = folder.path().to_str().unwrap().to_owned();
    folder.write("gatepost.toml", "demo = true\n[oauth]\naccess_token_seconds = 86401\n");
    let refused = run(&["demo", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("allow_long_tokens"));
    folder.write(
        "gatepost.toml",
        "demo = true\n[oauth]\naccess_token_seconds = 86401\nallow_long_tokens = true\n",
    );
    let server = TestServer::demo(&folder);
    let (_, answer) = Credentials::of_demo(&server).request(&server, "hr", &[]).await;
    assert_eq!(answer["expires_in"], 86401);
}

#[tokio::test]
async fn reg_01_two_secrets_are_live_while_one_replaces_the_other() {
    let shop = Shop::new().await;
    shop.server
        .sql("hr", "begin oauth.rotate_client_secret('shop_app', p_revoke_existing => false); commit; end;");
    let rows = shop
        .server
        .sql("hr", "select client_secret, client_secret_2 from user_ords_clients where name = 'shop_app'");
    let secrets: Vec<&str> =
        ["client_secret", "client_secret_2"].iter().filter_map(|column| rows[0][column].as_str()).collect();
    let [first, second] = secrets[..] else { panic!("{secrets:?}") };
    assert_ne!(first, second);
    for secret in [first, second] {
        let client = Credentials { secret: secret.to_owned(), ..shop.client.clone() };
        let token = client.token_soon(&shop.server, "hr").await;
        assert_eq!(get(&shop.url("items/"), Some(&token)).await.status(), StatusCode::OK);
    }
    assert_eq!(get(&shop.url("items/"), Some(&shop.token)).await.status(), StatusCode::OK);
}
