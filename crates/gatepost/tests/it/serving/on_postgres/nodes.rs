//! Several nodes on one catalog in PostgreSQL, and what they do when its database is gone, old or late.

use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::backend::Backend;
use crate::client::{Credentials, get, http};
use crate::folder::Folder;
use crate::nodes::{HOST, Nodes};
use crate::postgres::{Cluster, cluster};
use crate::process::{call, eventually, eventually_async, eventually_status, finish};
use crate::server::TestServer;

/// How long a change may take to reach another node: the poll and a slow machine.
const BOUND: Duration = Duration::from_secs(5);

/// Three nodes on a demo, and its client.
struct Three {
    nodes: Nodes,
    client: Credentials,
    /// Kept: a new one takes longer than what is measured.
    http: reqwest::Client,
    home: Folder,
}

impl Three {
    fn start() -> Self {
        let home = Folder::on(Backend::Postgres, "nodes");
        let client = Credentials::of_demo(&TestServer::demo(&home));
        let nodes = Nodes::start(3, &home, &[]);
        Self { nodes, client, http: http(), home }
    }

    async fn post(&self, node: usize, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let request = self.http.post(self.nodes.url(node, path)).header("host", HOST);
        request.basic_auth(&self.client.id, Some(&self.client.secret)).form(form).send().await.unwrap()
    }

    async fn token(&self, node: usize) -> Option<String> {
        let answer = self.post(node, "hr/oauth/token", &[("grant_type", "client_credentials")]).await;
        let answer: serde_json::Value = answer.json().await.unwrap();
        answer["access_token"].as_str().map(str::to_owned)
    }

    async fn status(&self, node: usize, path: &str, token: Option<&str>) -> StatusCode {
        let mut request = self.http.get(self.nodes.url(node, path)).header("host", HOST);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().status()
    }

    /// Waits until every node answers so, and says how long it took.
    async fn everywhere(&self, path: &str, token: Option<&str>, wanted: StatusCode) -> Duration {
        let since = Instant::now();
        for node in 0..self.nodes.count() {
            while self.status(node, path, token).await != wanted {
                assert!(since.elapsed() < BOUND, "node {node}: {path} is not {wanted}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        since.elapsed()
    }

    /// Runs a block on the installation, as an operator does beside the nodes.
    fn sql(&self, block: &str) {
        let dir = self.home.path().to_str().unwrap();
        call(&["sql", "--data", dir, "--schema", "hr", "-c", &format!("begin {block} end;")]).ok();
    }
}

const PROTECTED: &str = "hr/hr/employees/";

#[tokio::test]
async fn what_changes_at_one_node_holds_at_all() {
    let nodes = Three::start();
    let token = nodes.token(0).await.unwrap();
    nodes.everywhere(PROTECTED, Some(&token), StatusCode::OK).await;

    // A definition.
    nodes.everywhere("hr/numbers/one", None, StatusCode::UNAUTHORIZED).await;
    nodes.sql(
        "ords.define_service(p_module_name => 'numbers', p_base_path => '/numbers/', p_pattern => 'one',
           p_source => 'select 1 as one');
         gatepost.allow_public('/numbers/*');",
    );
    let took = nodes.everywhere("hr/numbers/one", None, StatusCode::OK).await;
    println!("a definition, seen by three nodes after the command ended: {took:?}");

    // One token, again and again; the time is that of the other nodes.
    let mut took = Vec::new();
    for _ in 0..20 {
        let token = nodes.token(0).await.unwrap();
        nodes.everywhere(PROTECTED, Some(&token), StatusCode::OK).await;
        assert_eq!(nodes.post(0, "hr/oauth/revoke", &[("token", &token)]).await.status(), StatusCode::OK);
        assert_eq!(nodes.status(0, PROTECTED, Some(&token)).await, StatusCode::UNAUTHORIZED);
        took.push(nodes.everywhere(PROTECTED, Some(&token), StatusCode::UNAUTHORIZED).await);
    }
    took.sort();
    println!("a revoked token, refused by the others: median {:?}, slowest {:?}", took[10], took[19]);
    assert_eq!(nodes.status(1, PROTECTED, Some(&token)).await, StatusCode::OK, "other tokens stay");

    // The same while nobody listens: the look each second finds it.
    let mut took = Vec::new();
    for _ in 0..5 {
        let token = nodes.token(0).await.unwrap();
        nodes.everywhere(PROTECTED, Some(&token), StatusCode::OK).await;
        let deaf = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                    where datname = current_database() and query like 'listen%'";
        cluster().sql(nodes.home.database(), deaf);
        assert_eq!(nodes.post(0, "hr/oauth/revoke", &[("token", &token)]).await.status(), StatusCode::OK);
        took.push(nodes.everywhere(PROTECTED, Some(&token), StatusCode::UNAUTHORIZED).await);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    took.sort();
    println!("the same without hints: median {:?}, slowest {:?}", took[2], took[4]);

    // All tokens of a client; then the client itself.
    nodes.sql("gatepost.revoke_client_tokens('hr_app');");
    nodes.everywhere(PROTECTED, Some(&token), StatusCode::UNAUTHORIZED).await;
    let token = nodes.token(1).await.unwrap();
    nodes.everywhere(PROTECTED, Some(&token), StatusCode::OK).await;
    nodes.sql("gatepost.set_client_status('hr_app', 'DISABLED');");
    nodes.everywhere(PROTECTED, Some(&token), StatusCode::UNAUTHORIZED).await;
    for node in 0..3 {
        assert!(nodes.token(node).await.is_none(), "node {node}");
    }
    nodes.sql("gatepost.set_client_status('hr_app', 'ENABLED');");
    for node in 0..3 {
        eventually_async("the client is enabled", async || nodes.token(node).await.is_some()).await;
    }
    assert_eq!(nodes.status(2, PROTECTED, Some(&token)).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn secrets_and_keys_that_are_rotated_hold_at_all_nodes() {
    let nodes = Three::start();
    let first = nodes.token(0).await.unwrap();
    nodes.sql("oauth.rotate_client_secret('hr_app', p_revoke_existing => true);");
    for node in 0..3 {
        eventually_async("the old secret is refused", async || nodes.token(node).await.is_none()).await;
    }
    let dir = nodes.home.path().to_str().unwrap();
    let query = "select client_secret from user_ords_clients where name = 'hr_app'";
    let rows = call(&["sql", "--data", dir, "--schema", "hr", "--format", "csv", "-c", query]).ok();
    let mut nodes = nodes;
    nodes.client.secret = rows.lines().nth(1).unwrap().to_owned();
    nodes.everywhere(PROTECTED, Some(&first), StatusCode::OK).await;

    // Each node has its own copy of the key file, and none of them changes: the keys are in the catalog.
    let files = |nodes: &Three| {
        (0..3).map(|node| std::fs::read_to_string(nodes.nodes.key_file(node)).unwrap()).collect::<Vec<_>>()
    };
    let before = files(&nodes);
    assert!(before.iter().all(|file| !file.contains("[[sealing]]") && *file == before[0]));
    let keys = |node, arguments: &[&str]| finish(&mut nodes.nodes.command(node, "keys", arguments), "").ok();
    keys(1, &["rotate"]);
    eventually("the new key signs", || {
        keys(2, &["list"]).lines().any(|line| line.starts_with("sealing key 2") && line.ends_with("signs"))
    });
    for issuer in 0..3 {
        let token = nodes.token(issuer).await.unwrap();
        nodes.everywhere(PROTECTED, Some(&token), StatusCode::OK).await;
        nodes.everywhere(PROTECTED, Some(&first), StatusCode::OK).await;
    }
    keys(0, &["remove", "1"]);
    nodes.everywhere(PROTECTED, Some(&first), StatusCode::UNAUTHORIZED).await;
    assert_eq!(files(&nodes), before);
}

#[tokio::test]
async fn a_catalog_that_is_down_closes_what_is_locked_and_comes_back_by_itself() {
    let cluster = Cluster::start();
    let folder = Folder::on(Backend::Sqlite, "down");
    let url = cluster.database("down");
    folder.write(
        "gatepost.toml",
        &format!("demo = true\n[catalog]\nurl = \"{url}\"\n[access]\nmax_stale_seconds = 2\n"),
    );
    let server = TestServer::demo(&folder);
    let (protected, public) = (server.known("protected_url"), server.known("public_url"));
    let ready = format!("{}/readyz", server.base_url);
    let client = Credentials::of_demo(&server);
    let token = client.token(&server, "hr").await;
    assert_eq!(get(&protected, Some(&token)).await.status(), StatusCode::OK);

    cluster.crash();
    eventually_status(503, async || get(&protected, Some(&token)).await).await;
    assert_eq!(get(&ready, None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&public, None).await.status(), StatusCode::OK, "what is public stays open");
    let revoke = http().post(server.url("hr/oauth/revoke")).basic_auth(&client.id, Some(&client.secret));
    let revoke = revoke.form(&[("token", &token)]).send().await.unwrap();
    assert_eq!(revoke.status(), StatusCode::SERVICE_UNAVAILABLE, "never looks like success");
    assert!(!server.log_text().contains("of-the-tests"), "a password in the log");

    cluster.start_again();
    eventually_status(200, async || get(&protected, Some(&token)).await).await;
    eventually_status(200, async || get(&ready, None).await).await;
    server.sql("hr", "begin gatepost.revoke_client_tokens('hr_app'); end;");
    eventually_status(401, async || get(&protected, Some(&token)).await).await;
}

#[tokio::test]
async fn a_catalog_that_was_restored_ends_every_token() {
    let folder = Folder::on(Backend::Postgres, "restored");
    let server = TestServer::demo(&folder);
    let protected = server.known("protected_url");
    let client = Credentials::of_demo(&server);
    let token = client.token(&server, "hr").await;
    assert_eq!(get(&protected, Some(&token)).await.status(), StatusCode::OK);
    // A backup of before the last commit.
    cluster().sql(
        folder.database(),
        "update gatepost.catalog_state set revision = revision - 1;
         delete from gatepost.history where revision > (select revision from gatepost.catalog_state)",
    );
    eventually_status(401, async || get(&protected, Some(&token)).await).await;
    let fresh = client.token_soon(&server, "hr").await;
    assert_eq!(get(&protected, Some(&fresh)).await.status(), StatusCode::OK);
    assert!(server.log_text().contains("it was restored"));
}

#[tokio::test]
async fn tls_is_verified_or_refused() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cluster = Cluster::start();
    cluster.serve_tls(&certified.cert.pem(), &certified.signing_key.serialize_pem());
    let folder = Folder::new("pg-tls");
    let roots = folder.write("ca.pem", &certified.cert.pem());
    let url = cluster.database("tls");
    let named = url.replace("127.0.0.1", "localhost");
    let trusting = format!("sslmode=verify-full&sslrootcert={}", roots.display());

    let demo = |name: &str, url: &str| {
        let dir = folder.path().join(name);
        call(&[
            "init",
            dir.to_str().unwrap(),
            "--schema",
            "hr",
            "--data-url",
            "sqlite:/nowhere/x.db",
            "--create",
            "--catalog-url",
            url,
        ])
    };
    for (name, url) in [
        ("unknown-authority", format!("{named}?sslmode=verify-full")),
        ("another-name", format!("{url}?{trusting}")),
        ("half-safe", format!("{named}?sslmode=require")),
    ] {
        let message = demo(name, &url).refused();
        assert!(!message.contains("of-the-tests"), "{message}");
        assert!(message.contains("certificate") || message.contains("verify-full"), "{message}");
    }
    let home = folder.path().join("served");
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--catalog-url", &format!("{named}?{trusting}")];
    std::fs::create_dir_all(&home).unwrap();
    let server = TestServer::start(&home, &arguments);
    let token = Credentials::of_demo(&server).token(&server, "hr").await;
    assert_eq!(get(&server.known("protected_url"), Some(&token)).await.status(), StatusCode::OK);
    let plain = "select count(*) from pg_stat_ssl join pg_stat_activity using (pid)
                 where application_name = 'gatepost' and not ssl";
    assert_eq!(cluster.sql("postgres", plain), "0");
    let config = std::fs::read_to_string(home.join("gatepost.toml")).unwrap();
    assert!(!config.contains("of-the-tests"), "{config}");
}
