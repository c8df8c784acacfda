//! Databases that others hold, and disks that are full: a clear answer, nothing half applied, and it goes on afterwards.

use reqwest::StatusCode;

use crate::backend::Backend;
use crate::client::{Credentials, get, http};
use crate::holder::Holder;
use crate::process::Shop;
use crate::server::TestServer;

/// A table and a public module that reads and writes it.
const NOTES: &str = "
create table note (text text);
begin
  ords.define_module('notes', '/notes/', 0);
  ords.define_template('notes', 'all');
  ords.define_handler('notes', 'all', p_source => 'select count(*) as n from note');
  ords.define_handler('notes', 'all', 'POST', 'plsql/block',
    'begin insert into note (text) values (:text); :status_code := 201; end;');
  gatepost.allow_public('/notes/*', 'GET,POST');
end;
/
";

fn shop(name: &str) -> Shop {
    let shop = Shop::new(name);
    shop.script(NOTES).ok();
    shop
}

async fn post(server: &TestServer, text: &str) -> reqwest::Response {
    let body = serde_json::json!({ "text": text });
    http().post(server.url("shop/notes/all")).json(&body).send().await.unwrap()
}

#[tokio::test]
async fn data_that_another_process_holds_is_503_with_a_time_to_come_back() {
    let shop = shop("busy-data");
    let server = TestServer::serve(shop.0.path());
    let holder = Holder::of_data(&shop.0, "shop", "note");
    let busy = post(&server, "a").await;
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(busy.headers().contains_key("retry-after"));
    assert_eq!(
        get(&server.url("shop/notes/all"), None).await.status(),
        StatusCode::OK,
        "readers do not wait"
    );
    drop(holder);
    assert_eq!(post(&server, "b").await.status(), StatusCode::CREATED);
    assert_eq!(shop.lines("select text from note"), ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_another_process_holds_refuses_changes_and_serves_on() {
    let shop = shop("busy-catalog");
    shop.script("begin oauth.create_client('till', 'client_credentials'); end;").ok();
    let server = TestServer::serve(shop.0.path());
    let till = Credentials::by_name(&server, "shop", "till");
    let token = till.token(&server, "shop").await;
    let revision = shop.revision();
    let holder = Holder::of_catalog(&shop.0);

    let script = "insert into note (text) values ('with it'); begin ords.create_role('late'); end;";
    let message = shop.script(script).refused();
    assert!(message.contains("another process holds the database's write lock; try again"), "{message}");
    let revoke = || async {
        let request = http().post(server.url("shop/oauth/revoke")).form(&[("token", &token)]);
        request.basic_auth(&till.id, Some(&till.secret)).send().await.unwrap()
    };
    let refused = revoke().await;
    assert_eq!(
        refused.status(),
        StatusCode::SERVICE_UNAVAILABLE,
        "a revocation that is not kept is no success"
    );
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(post(&server, "meanwhile").await.status(), StatusCode::CREATED);
    let token_again = till.request(&server, "shop", &[]).await;
    assert_eq!(token_again.0, StatusCode::OK, "issuing writes nothing to the catalog");

    drop(holder);
    assert_eq!(shop.revision(), revision);
    assert!(shop.lines("select name from user_ords_roles").is_empty());
    assert_eq!(revoke().await.status(), StatusCode::OK);
    shop.script("begin ords.create_role('late'); end;").ok();
}

#[test]
fn a_block_that_cannot_keep_its_definitions_says_what_became_of_its_data() {
    let shop = shop("busy-both");
    let _holder = Holder::of_catalog(&shop.0);
    let message =
        shop.script("begin insert into note (text) values ('x'); ords.create_role('late'); end;").refused();
    assert!(message.contains("the block's data is committed, its definitions are not"), "{message}");
    assert!(message.contains("line 1, column 1"), "{message}");
}

mod on_sqlite {
    //! The program itself writes the files, so it is the one that finds the disk full.

    use std::process::Command;

    use super::*;
    use crate::process::{eventually_status, finish};
    use crate::server::gatepost;

    fn shop() -> Shop {
        let shop = Shop::on(Backend::Sqlite, "full");
        shop.script(NOTES).ok();
        shop
    }

    #[test]
    fn a_script_does_not_wait_long_for_the_file() {
        let shop = shop();
        let _holder = Holder::of_data(&shop.0, "shop", "note");
        let message = shop.script("insert into note (text) values ('c');").refused();
        assert!(message.contains("another process") || message.contains("locked"), "{message}");
    }

    /// Starts `gatepost` so that a write beyond a file-size limit fails instead of ending the process. A limit works
    /// everywhere, a small file system of its own needs rights that not every machine gives.
    fn limitable(arguments: &[&str], limit: &str) -> Command {
        let program = gatepost(&[]).get_program().to_owned();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' XFSZ; ulimit -S -f {limit}; exec \"$@\""), "sh"]);
        command.arg(program).args(arguments).env("USER", "tester");
        command
    }

    /// Limits the size of files that a running process writes, in bytes.
    fn set_limit(server: &TestServer, limit: &str) {
        let pid = server.id().to_string();
        let done =
            Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limit}:")]).status().unwrap();
        assert!(done.success());
    }

    #[tokio::test]
    async fn a_full_disk_is_503_keeps_what_was_acknowledged_and_heals() {
        let shop = shop();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", shop.dir()];
        let server = TestServer::spawn(shop.0.path(), limitable(&arguments, "unlimited"));
        assert_eq!(post(&server, "first").await.status(), StatusCode::CREATED);
        set_limit(&server, "400000");
        let mut kept = 1;
        let refused = loop {
            let answer = post(&server, &"x".repeat(20_000)).await;
            if answer.status() != StatusCode::CREATED {
                break answer;
            }
            kept += 1;
            assert!(kept < 1_000, "the limit never came");
        };
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        let problem: serde_json::Value = refused.json().await.unwrap();
        assert_eq!(problem["o:errorCode"], "GP407", "{problem}");
        for _ in 0..3 {
            let again = post(&server, &"y".repeat(20_000)).await;
            assert_eq!(again.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        let count = format!("\"n\":{kept}");
        let read = get(&server.url("shop/notes/all"), None).await;
        assert_eq!(read.status(), StatusCode::OK);
        assert!(read.text().await.unwrap().contains(&count), "reads go on: {count}");

        set_limit(&server, "unlimited");
        eventually_status(201, async || post(&server, "last").await).await;
        server.kill();
        shop.0.assert_whole();
        assert_eq!(
            shop.lines("select count(*) from note where text not like 'y%'"),
            [(kept + 1).to_string()]
        );
        assert_eq!(shop.lines("select count(*) from note where text like 'y%'"), ["0"]);
    }

    #[test]
    fn a_script_on_a_full_disk_changes_nothing_and_says_why() {
        let shop = shop();
        let revision = shop.revision();
        let script = format!(
            "begin ords.define_module('big', '/big/'); ords.define_template('big', 'x');
               ords.define_handler('big', 'x', p_source => 'select ''{}'' as x'); end;",
            "x".repeat(200_000)
        );
        // Blocks of 512 bytes: 64 KiB.
        let arguments = ["sql", "--data", shop.dir(), "--schema", "shop"];
        let message = finish(&mut limitable(&arguments, "128"), &script).refused();
        assert!(message.contains("disk"), "{message}");
        assert_eq!(shop.revision(), revision);
        assert_eq!(shop.lines("select name from user_ords_modules"), ["notes"]);
        shop.0.assert_whole();
        shop.script(&script).ok();
    }
}
