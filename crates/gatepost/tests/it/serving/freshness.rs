//! What other processes commit is served without a restart.

use reqwest::StatusCode;

use crate::client::{Credentials, get, http};
use crate::folder::Folder;
use crate::nodes::HOST;
use crate::postgres::free_port;
use crate::process::{eventually_async, eventually_status};
use crate::server::{TestServer, gatepost};
use crate::shop::PATIENT;

/// A module that answers `number` to everybody.
fn numbers(number: u32) -> String {
    format!(
        "begin
           ords.define_service(p_module_name => 'numbers', p_base_path => '/numbers/', p_pattern => 'one',
             p_source_type => 'json/item', p_source => 'select {number} as number');
           gatepost.allow_public('/numbers/*');
         end;"
    )
}

/// Waits until the module's answer is this one.
async fn number_is_served(url: &str, number: u32) {
    let wanted = format!("\"number\":{number}");
    let answers = async || get(url, None).await.text().await.unwrap().contains(&wanted);
    eventually_async(&wanted, answers).await;
}

#[tokio::test]
async fn definitions_of_the_command_line_are_served_without_a_restart() {
    let folder = Folder::new("fresh-definitions");
    let server = TestServer::demo(&folder);
    let url = server.url("hr/numbers/one");
    assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED);

    for number in [1, 2] {
        server.sql("hr", &numbers(number));
        number_is_served(&url, number).await;
    }
    server.sql("hr", "begin ords.publish_module('numbers', 'NOT_PUBLISHED'); end;");
    eventually_status(404, async || get(&url, None).await).await;
    server.sql("hr", "begin ords.publish_module('numbers'); end;");
    eventually_status(200, async || get(&url, None).await).await;
    server.sql("hr", "begin gatepost.deny_public('/numbers/*'); end;");
    eventually_status(401, async || get(&url, None).await).await;
}

#[tokio::test]
async fn clients_of_the_command_line_come_and_go_without_a_restart() {
    let folder = Folder::new("fresh-clients");
    folder.configure(&format!("demo = true\n{PATIENT}"));
    let server = TestServer::demo(&folder);
    let url = server.known("protected_url");
    server.sql("hr", "begin oauth.create_client('till', 'client_credentials'); end;");
    let till = Credentials::by_name(&server, "hr", "till");
    let authenticates = async || till.request(&server, "hr", &[]).await.0 == StatusCode::OK;
    eventually_async("the new client gets a token", authenticates).await;
    let token = till.token(&server, "hr").await;
    let ask = async || get(&url, Some(&token)).await;
    assert_eq!(ask().await.status(), StatusCode::FORBIDDEN);
    server.sql("hr", "begin oauth.grant_client_role('till', 'hr_reader'); end;");
    eventually_status(200, ask).await;
    server.sql("hr", "begin oauth.revoke_client_role('till', 'hr_reader'); end;");
    eventually_status(403, ask).await;
    server.sql("hr", "begin gatepost.revoke_client_tokens('till'); end;");
    eventually_status(401, ask).await;

    server.sql("hr", "begin oauth.grant_client_role('till', 'hr_reader'); end;");
    let token = till.token(&server, "hr").await;
    let ask = async || get(&url, Some(&token)).await;
    eventually_status(200, ask).await;
    server.sql("hr", "begin gatepost.set_client_status('till', 'DISABLED'); end;");
    eventually_status(401, ask).await;
    server.sql("hr", "begin gatepost.set_client_status('till', 'ENABLED'); end;");
    // Its secret works again; the tokens from before stay dead.
    eventually_async("the enabled client gets a token", authenticates).await;
    assert_eq!(ask().await.status(), StatusCode::UNAUTHORIZED);
    server.sql("hr", "begin oauth.delete_client('till'); end;");
    eventually_async("the deleted client gets none", async || !authenticates().await).await;
}

/// Two servers of one installation behind one name, as behind a load balancer.
struct Pair {
    folder: Folder,
    servers: Vec<TestServer>,
    ports: Vec<u16>,
}

impl Pair {
    fn start() -> Self {
        let folder = Folder::new("pair");
        drop(TestServer::demo(&folder));
        let mut pair = Self { folder, servers: Vec::new(), ports: Vec::new() };
        for _ in 0..2 {
            let port = free_port();
            let mut command = gatepost(&["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"]);
            command.arg(pair.folder.path()).env("GATEPOST_SERVER_PUBLIC_URL", format!("http://{HOST}"));
            pair.servers.push(TestServer::spawn(pair.folder.path(), command));
            pair.ports.push(port);
        }
        pair
    }

    fn url(&self, node: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}/ords/{path}", self.ports[node])
    }

    async fn post(&self, node: usize, path: &str, form: &[(&str, &str)]) -> serde_json::Value {
        let client = Credentials::of_demo(&self.servers[0]);
        let request = http().post(self.url(node, path)).header("host", HOST);
        let answer = request.basic_auth(client.id, Some(client.secret)).form(form).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
    }

    async fn call(&self, node: usize, token: &str) -> reqwest::Response {
        let request = http().get(self.url(node, "hr/hr/employees/")).header("host", HOST);
        request.bearer_auth(token).send().await.unwrap()
    }
}

#[tokio::test]
async fn a_token_revoked_at_one_server_is_refused_by_the_other() {
    let pair = Pair::start();
    let token = pair.post(0, "hr/oauth/token", &[("grant_type", "client_credentials")]).await;
    let token = token["access_token"].as_str().unwrap().to_owned();
    for node in 0..2 {
        assert_eq!(pair.call(node, &token).await.status(), StatusCode::OK);
    }
    pair.post(1, "hr/oauth/revoke", &[("token", &token)]).await;
    assert_eq!(pair.call(1, &token).await.status(), StatusCode::UNAUTHORIZED, "at once where it was revoked");
    eventually_status(401, async || pair.call(0, &token).await).await;
}

mod on_sqlite {
    //! A catalog that is a file can be replaced by another one.

    use super::*;
    use crate::backend::Backend;
    use crate::process::{Shop, sqlite};

    /// Copies the catalog as it is now, as a backup tool does.
    fn back_up(shop: &Shop, name: &str) -> std::path::PathBuf {
        let path = shop.0.path().join(name);
        sqlite(&shop.0, "catalog.db").execute("vacuum into ?1", [path.to_str().unwrap()]).unwrap();
        path
    }

    #[tokio::test]
    async fn a_catalog_file_that_takes_the_place_of_the_old_one_is_served() {
        let shop = Shop::on(Backend::Sqlite, "replaced");
        shop.script(&numbers(1)).ok();
        let backup = back_up(&shop, "backup.db");
        let server = TestServer::serve(shop.0.path());
        let url = server.url("shop/numbers/one");
        // The same number of commits as the backup will have got, with another content.
        shop.script(&numbers(2)).ok();
        let number = async |number| number_is_served(&url, number).await;
        number(2).await;

        // Restored as operators do it: the file is moved over the one in use, its journal is not thought of.
        std::fs::rename(backup, shop.0.path().join("catalog.db")).unwrap();
        number(1).await;
        shop.script(&numbers(3)).ok();
        number(3).await;
        shop.0.assert_whole();

        // A file with as many commits and another content is noticed, too.
        let other = Shop::on(Backend::Sqlite, "replacing");
        other.script(&numbers(4)).ok();
        let rebuilt = other.0.path().join("catalog.db");
        let fingerprint: String = sqlite(&shop.0, "catalog.db")
            .query_row("select key_fingerprint from catalog_state", [], |row| row.get(0))
            .unwrap();
        let revision = shop.revision();
        rusqlite::Connection::open(&rebuilt)
            .unwrap()
            .execute("update catalog_state set key_fingerprint = ?1, revision = ?2", (fingerprint, revision))
            .unwrap();
        let copy = other.0.path().join("copy.db");
        rusqlite::Connection::open(&rebuilt)
            .unwrap()
            .execute("vacuum into ?1", [copy.to_str().unwrap()])
            .unwrap();
        std::fs::rename(copy, shop.0.path().join("catalog.db")).unwrap();
        number(4).await;
    }

    #[test]
    fn a_backup_with_as_many_commits_is_noticed_by_a_server_that_starts() {
        let shop = Shop::on(Backend::Sqlite, "as-many");
        let backup = back_up(&shop, "backup.db");
        shop.script(&numbers(1)).ok();
        let ended = "the catalog is older than what this folder served";
        let server = TestServer::serve(shop.0.path());
        assert!(!server.log_text().contains(ended), "{}", server.log_text());
        server.kill();
        let revision = shop.revision();

        for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
            let _ = std::fs::remove_file(shop.0.path().join(name));
        }
        std::fs::rename(backup, shop.0.path().join("catalog.db")).unwrap();
        sqlite(&shop.0, "catalog.db")
            .execute_batch(
                "update catalog_state set revision = revision + 1;
                 insert into history select revision, 1, 1, 'role', 'r', 'create', 'a', 'elsewhere', 1, null
                 from catalog_state;",
            )
            .unwrap();
        assert_eq!(shop.revision(), revision);
        let server = TestServer::serve(shop.0.path());
        assert!(server.log_text().contains(ended), "{}", server.log_text());
    }
}
