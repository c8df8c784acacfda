//! Nodes whose clocks are wrong, or are set while they run.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::spawn;

use gatepost::app::clock::Clock;
use gatepost::app::key_file::KeySource;
use gatepost::app::{App, Open};
use gatepost::config::Config;
use reqwest::StatusCode;

use crate::backend::Backend;
use crate::client::{Credentials, http};
use crate::folder::Folder;
use crate::inside::Inside;
use crate::nodes::HOST;
use crate::postgres::Cluster;
use crate::process::{eventually, eventually_async};
use crate::server::TestServer;

const HOUR_MS: i64 = 3_600_000;
const PROTECTED: &str = "hr/employees/";

/// A demo whose catalog is in PostgreSQL, and nodes in this process with a clock for each.
struct Site {
    folder: Folder,
    client: Credentials,
}

struct Node {
    server: Inside,
    ahead_ms: Arc<AtomicI64>,
}

impl Site {
    fn new() -> Self {
        let folder = Folder::on(Backend::Postgres, "clocks");
        let client = Credentials::of_demo(&TestServer::demo(&folder));
        Self { folder, client }
    }

    /// A demo whose catalog is in a cluster of its own.
    fn with_catalog(catalog: &str) -> Self {
        let folder = Folder::new("clocks");
        let arguments = ["demo", "--listen", "127.0.0.1:0", "--catalog-url", catalog];
        let client = Credentials::of_demo(&TestServer::start(folder.path(), &arguments));
        Self { folder, client }
    }

    fn config(&self) -> Config {
        let mut config = Config::load(self.folder.path(), None, []).unwrap();
        config.server.public_url = Some(format!("http://{HOST}"));
        config
    }

    fn keys(&self) -> KeySource {
        KeySource::File(self.folder.path().join("keys.toml"))
    }

    fn node(&self, ahead_ms: i64) -> Node {
        self.node_with(ahead_ms, |_| {})
    }

    fn node_with(&self, ahead_ms: i64, configure: impl FnOnce(&mut Config)) -> Node {
        let ahead_ms = Arc::new(AtomicI64::new(ahead_ms));
        let mut config = self.config();
        configure(&mut config);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let clock = Clock::Shifted(Arc::clone(&ahead_ms));
        Node { server: Inside::serve(socket, config, self.keys(), clock), ahead_ms }
    }

    async fn post(&self, node: &Node, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let request = http().post(node.url(path)).header("host", HOST);
        request.basic_auth(&self.client.id, Some(&self.client.secret)).form(form).send().await.unwrap()
    }

    async fn token(&self, node: &Node) -> String {
        let answer = self.post(node, "oauth/token", &[("grant_type", "client_credentials")]).await;
        let answer: serde_json::Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn revoke(&self, node: &Node, token: &str) {
        assert_eq!(self.post(node, "oauth/revoke", &[("token", token)]).await.status(), StatusCode::OK);
    }
}

impl Node {
    fn url(&self, path: &str) -> String {
        format!("http://{}/ords/hr/{path}", self.server.address)
    }

    fn set(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }

    async fn status(&self, token: &str) -> StatusCode {
        let request = http().get(self.url(PROTECTED)).header("host", HOST).bearer_auth(token);
        request.send().await.unwrap().status()
    }

    async fn becomes(&self, token: &str, wanted: StatusCode) {
        eventually_async(wanted.as_str(), async || self.status(token).await == wanted).await;
    }

    /// What `/readyz` says.
    async fn readiness(&self) -> String {
        let url = format!("http://{}/readyz", self.server.address);
        http().get(url).header("host", HOST).send().await.unwrap().text().await.unwrap()
    }
}

#[tokio::test]
async fn nodes_within_the_tolerance_understand_each_other() {
    let site = Site::new();
    let nodes = [site.node(4_000), site.node(-4_000), site.node(0)];
    for issuer in &nodes {
        assert_eq!(issuer.readiness().await, "ready\n");
        let token = site.token(issuer).await;
        for node in &nodes {
            assert_eq!(node.status(&token).await, StatusCode::OK, "issued ahead or behind");
        }
        site.revoke(issuer, &token).await;
        for node in &nodes {
            node.becomes(&token, StatusCode::UNAUTHORIZED).await;
        }
    }
    // A key that one of them takes for the signing one already, and another not yet.
    let first = site.token(&nodes[1]).await;
    let dir = site.folder.path().to_str().unwrap();
    crate::process::call(&["keys", "--data", dir, "rotate"]).ok();
    for node in &nodes {
        eventually("the key is known", || node.server.app().ring().sealing_keys().len() == 2);
    }
    for issuer in &nodes {
        let token = site.token(issuer).await;
        for node in &nodes {
            assert_eq!(node.status(&token).await, StatusCode::OK);
            assert_eq!(node.status(&first).await, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_node_beyond_the_tolerance_is_not_ready_and_says_how_far_it_is_off() {
    let site = Site::new();
    for (ahead_ms, wanted) in [(7_000, "s ahead of the catalog's"), (-7_000, "s behind the catalog's")] {
        let node = site.node(ahead_ms);
        let says = async || node.readiness().await;
        eventually_async(wanted, async || says().await.contains(wanted)).await;
        assert!(says().await.starts_with("the clock of this node is "), "{}", says().await);
        node.set(0);
        eventually_async("it is ready again", async || says().await == "ready\n").await;
        node.set(ahead_ms);
        eventually_async("it notices a jump", async || says().await.contains(wanted)).await;
    }
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_ends_no_revocation() {
    let site = Site::new();
    let (right, wrong) = (site.node(0), site.node(0));
    let (kept, revoked) = (site.token(&right).await, site.token(&right).await);
    site.revoke(&right, &revoked).await;
    wrong.becomes(&revoked, StatusCode::UNAUTHORIZED).await;

    // Past the token's life and the time that an entry outlives it.
    wrong.set(2 * HOUR_MS);
    assert_eq!(wrong.status(&kept).await, StatusCode::UNAUTHORIZED, "this node's clock counts for expiry");
    let of_the_future = site.token(&wrong).await;
    site.revoke(&wrong, &of_the_future).await;
    right.becomes(&of_the_future, StatusCode::UNAUTHORIZED).await;
    let app = Arc::clone(wrong.server.app());
    spawn(move || app.forget_expired_revocations().unwrap()).join().unwrap();
    assert_eq!(site.folder.catalog_rows("select count(*) from revoked_token"), [[2]]);

    wrong.set(0);
    assert_eq!(wrong.status(&kept).await, StatusCode::OK);
    let new = site.node(0);
    for node in [&right, &wrong, &new] {
        assert_eq!(node.status(&revoked).await, StatusCode::UNAUTHORIZED);
        assert_eq!(node.status(&of_the_future).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn revocations_that_outlived_their_tokens_are_forgotten() {
    let site = Site::new();
    let node = site.node(0);
    for _ in 0..2 {
        let token = site.token(&node).await;
        site.revoke(&node, &token).await;
    }
    // One expired a little more than the grace period ago, as the next node finds it.
    site.folder.change_catalog(
        "update revoked_token set expires_at_ms = expires_at_ms - 4300000 where revision = 1",
    );
    let (config, keys) = (site.config(), site.keys());
    let left = spawn(move || {
        let app = App::open(config, keys, Clock::System, Open::Existing).unwrap();
        let before = app.snapshot().catalog.revocations.len();
        app.forget_expired_revocations().unwrap();
        (before, app.snapshot().catalog.revocations.len())
    });
    assert_eq!(left.join().unwrap(), (2, 1));
    assert_eq!(site.folder.catalog_rows("select revision from revoked_token"), [[2]]);
}

#[tokio::test]
async fn a_clock_that_is_set_hides_no_age_of_the_catalog() {
    let cluster = Cluster::start();
    let site = Site::with_catalog(&cluster.database("jump"));
    let node = site.node_with(0, |config| config.access.max_stale_seconds = 2);
    let token = site.token(&node).await;
    // Ahead: nothing is old because of that.
    node.set(HOUR_MS / 2);
    assert_eq!(node.status(&token).await, StatusCode::OK);
    cluster.crash();
    // Back: what is old stays old.
    node.set(-HOUR_MS);
    node.becomes(&token, StatusCode::SERVICE_UNAVAILABLE).await;
    node.set(0);
    assert_eq!(node.status(&token).await, StatusCode::SERVICE_UNAVAILABLE);
    cluster.start_again();
    node.becomes(&token, StatusCode::OK).await;
}
