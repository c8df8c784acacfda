//! Databases and files that are not what they should be: a clear message, exit code 1, no panic, nothing lost.

use reqwest::StatusCode;

use crate::backend::Backend;
use crate::client::{Credentials, get};
use crate::outage::Outage;
use crate::process::{Shop, eventually, eventually_status, finish};
use crate::server::TestServer;

/// A shop with a public module that answers.
fn shop(name: &str) -> Shop {
    let shop = Shop::new(name);
    shop.script(PUBLIC).ok();
    shop
}

const PUBLIC: &str = "begin
  ords.define_service(p_module_name => 'shop.v1', p_base_path => '/v1/', p_pattern => 'one', p_source => 'select 1 as one');
  gatepost.allow_public('/v1/*');
end;";

/// Every command that reads the catalog says why it cannot.
#[track_caller]
fn assert_refused(shop: &Shop, wanted: &str) {
    for (name, arguments) in [
        ("sql", &["--schema", "shop", "-c", "select 1 as one"][..]),
        ("serve", &["--listen", "127.0.0.1:0"]),
        ("export", &["--schema", "shop"]),
        ("check-config", &[]),
        ("keys", &["list"]),
        ("log", &[]),
        ("migrate", &[]),
    ] {
        let message = shop.run(name, arguments).refused();
        assert!(message.contains("gatepost: the catalog: ") && message.contains(wanted), "{name}: {message}");
        assert_eq!(message.trim().lines().count(), 1, "{name}: {message}");
    }
}

#[test]
fn a_catalog_of_a_newer_program_or_of_another_one_is_refused() {
    let shop = shop("foreign");
    shop.0.change_catalog(match shop.0.backend() {
        Backend::Sqlite => "pragma user_version = 99",
        Backend::Postgres => "update catalog_version set version = 99",
    });
    assert_refused(&shop, "the database has version 99, this program knows");
    take_catalog_away(&shop);
    shop.0.change_catalog(match shop.0.backend() {
        Backend::Sqlite => "create table mine (a); insert into mine values (1)",
        Backend::Postgres => {
            "create schema gatepost authorization gatepost_catalog; create table mine (a integer);
             insert into mine values (1); alter table mine owner to gatepost_catalog"
        }
    });
    assert_refused(&shop, "tables of another program");
    assert_eq!(shop.0.catalog_rows("select a from mine"), [[1]], "another program's table was changed");
}

fn take_catalog_away(shop: &Shop) {
    match shop.0.backend() {
        Backend::Sqlite => std::fs::remove_file(shop.0.path().join("catalog.db")).unwrap(),
        Backend::Postgres => shop.0.change_catalog("drop schema gatepost cascade"),
    }
}

#[test]
fn a_missing_catalog_is_named_and_not_made_by_looking() {
    let shop = shop("missing");
    take_catalog_away(&shop);
    assert_refused(&shop, "there is no catalog at");
}

#[test]
fn an_object_that_cannot_be_read_is_named() {
    let shop = shop("document");
    shop.0.change_catalog("update catalog_object set body = '{\"half' where kind = 'module'");
    let message = shop.run("sql", &["--schema", "shop", "-c", "select 1 as one"]).refused();
    assert!(message.contains("the catalog: ") && message.contains("object 10001 is unreadable"), "{message}");
}

#[test]
fn a_broken_log_store_is_named() {
    let shop = shop("logs");
    std::fs::write(shop.0.path().join("logs.db"), "garbage ".repeat(1_000)).unwrap();
    let message = shop.run("serve", &["--listen", "127.0.0.1:0"]).refused();
    assert!(message.contains("the log store: ") && message.contains("damaged"), "{message}");
}

#[tokio::test]
async fn a_schema_whose_data_is_away_answers_503_until_it_is_back_and_the_others_go_on() {
    let shop = shop("data");
    let other = "begin
           ords.enable_schema(p_schema => 'other');
           ords.define_service(p_module_name => 'o', p_base_path => '/o/', p_pattern => 'one',
             p_source => 'select 1 as one');
           gatepost.allow_public('/o/*');
         end;";
    finish(&mut shop.command("sql", &[]), other).ok();
    let outage = Outage::of_data(&shop.0, "shop");
    let server = TestServer::serve(shop.0.path());
    let url = server.url("shop/v1/one");
    let broken = get(&url, None).await;
    assert_eq!(broken.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(broken.headers().contains_key("retry-after"));
    let told = broken.text().await.unwrap();
    assert!(
        !told.contains("shop.db") && !told.contains("gatepost_shop"),
        "the caller learns nothing: {told}"
    );
    assert_eq!(get(&server.url("other/o/one"), None).await.status(), StatusCode::OK);
    outage.end();
    eventually_status(200, async || get(&url, None).await).await;
}

#[tokio::test]
async fn a_server_whose_catalog_breaks_goes_on_with_what_it_knows_and_says_so() {
    let shop = shop("breaks");
    let server = TestServer::serve(shop.0.path());
    let _outage = Outage::of_catalog(&shop.0);
    eventually("the log says so", || server.log_text().contains("the catalog cannot be read"));
    assert_eq!(get(&server.url("shop/v1/one"), None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_server_that_cannot_read_its_catalog_for_long_decides_nothing_and_recovers() {
    let shop = shop("stale");
    shop.script(
        "declare r owa.vc_arr; q owa.vc_arr; begin
           ords.define_service(p_module_name => 'locked', p_base_path => '/locked/', p_pattern => 'one',
             p_source => 'select 1 as one');
           ords.create_role('reader');
           r(1) := 'reader'; q(1) := '/locked/*';
           ords.define_privilege('locked.read', r, q);
           oauth.create_client('till', 'client_credentials');
           oauth.grant_client_role('till', 'reader');
         end;",
    )
    .ok();
    let mut serve = shop.command("serve", &["--listen", "127.0.0.1:0"]);
    serve.env("GATEPOST_ACCESS_MAX_STALE_SECONDS", "1").env("GATEPOST_CATALOG_POLL_MS", "100");
    let server = TestServer::spawn(shop.0.path(), serve);
    let (public, locked) = (server.url("shop/v1/one"), server.url("shop/locked/one"));
    let ready = format!("{}/readyz", server.base_url);
    let token = Credentials::by_name(&server, "shop", "till").token(&server, "shop").await;
    let ask = async || get(&locked, Some(&token)).await;
    assert_eq!(ask().await.status(), StatusCode::OK);
    let outage = Outage::of_catalog(&shop.0);

    eventually_status(503, ask).await;
    assert!(ask().await.headers().contains_key("retry-after"));
    eventually_status(503, async || get(&ready, None).await).await;
    assert_eq!(get(&public, None).await.status(), StatusCode::OK, "what is public needs no decision");

    outage.end();
    // A file that was restored may be an older one: the tokens of before end with the file of before.
    let wanted = if shop.0.backend() == Backend::Sqlite { 401 } else { 200 };
    eventually_status(wanted, ask).await;
    eventually_status(200, async || get(&ready, None).await).await;
    let complaints = server.log_text().matches("the catalog cannot be read").count();
    assert_eq!(complaints, 1, "said once, not at every look");
}

/// Kills `init` at growing ages and returns how many times it was not done by then.
fn interrupt_init(shop: &Shop) -> usize {
    let mut interrupted = 0;
    for age_ms in (0..60).step_by(3) {
        let mut child = shop.init_command().stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(age_ms));
        let _ = child.kill();
        interrupted += usize::from(!child.wait().unwrap().success());
    }
    interrupted
}

#[test]
fn init_that_was_killed_at_any_time_can_be_run_again() {
    let shop = Shop::not_made(Backend::of_this_run(), "killed-init");
    assert!(interrupt_init(&shop) > 0);
    shop.init().ok();
    shop.run("check-config", &[]).ok();
    shop.0.assert_whole();
}

mod on_sqlite {
    //! A catalog that is a file can be any file.

    use super::*;

    fn shop(name: &str) -> Shop {
        let shop = Shop::on(Backend::Sqlite, name);
        shop.script(PUBLIC).ok();
        shop
    }

    #[test]
    fn a_broken_catalog_is_named_and_left_as_it_is() {
        let shop = shop("broken");
        let path = shop.0.path().join("catalog.db");
        let good = std::fs::read(&path).unwrap();
        let garbage = "no database at all, but longer than a header ".repeat(500).into_bytes();
        let zeros = [vec![0; 4096], good[4096..].to_vec()].concat();
        for (bytes, wanted) in [
            (garbage, "damaged or not a Gatepost database"),
            (good[..good.len() / 2].to_vec(), "damaged"),
            (good[..1000].to_vec(), "damaged"),
            (zeros, "damaged"),
            (Vec::new(), "empty or was never finished"),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            assert_refused(&shop, wanted);
            assert!(std::fs::read(&path).unwrap() == bytes, "the file was changed: {wanted}");
        }
        std::fs::write(&path, good).unwrap();
        assert_eq!(shop.lines("select name from user_ords_modules"), ["shop.v1"]);
        shop.0.assert_whole();
    }

    #[test]
    fn a_catalog_that_is_a_folder_is_named() {
        let shop = shop("folder");
        let path = shop.0.path().join("catalog.db");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_refused(&shop, "unable to open database file");
    }

    #[tokio::test]
    async fn a_node_that_cannot_open_the_data_of_a_schema_is_not_ready() {
        let shop = shop("unready");
        let outage = Outage::of_data(&shop.0, "shop");
        let server = TestServer::serve(shop.0.path());
        let ready = format!("{}/readyz", server.base_url);
        assert_eq!(get(&ready, None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(server.log_text().contains("data cannot be opened"), "{}", server.log_text());
        outage.end();
        eventually_status(200, async || get(&ready, None).await).await;
    }
}
