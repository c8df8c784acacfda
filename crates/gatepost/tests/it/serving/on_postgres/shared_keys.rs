//! Keys in the catalog, sealed under a wrapping key that each node has in a file of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::StatusCode;

use crate::backend::Backend;
use crate::client::{Credentials, http};
use crate::folder::Folder;
use crate::nodes::{HOST, Nodes};
use crate::postgres::cluster;
use crate::process::{Outcome, Shop, eventually, eventually_async, finish};
use crate::server::TestServer;

const PROTECTED: &str = "hr/hr/employees/";

/// A demo whose catalog is in PostgreSQL, and nodes with files of their own.
struct Site {
    nodes: Nodes,
    client: Credentials,
    home: Folder,
}

impl Site {
    /// Keys where a new installation has them: in the catalog.
    fn shared(name: &str, count: usize) -> Self {
        Self::on(Folder::on(Backend::Postgres, name), count)
    }

    /// Keys in the key file, as they are when the catalog comes from a file.
    fn with_keys_in_the_file(name: &str, count: usize) -> Self {
        let (home, shop) = (Folder::on(Backend::Postgres, name), Shop::on(Backend::Sqlite, "keys-of-a-file"));
        std::fs::copy(shop.0.path().join("keys.toml"), home.path().join("keys.toml")).unwrap();
        Self::on(home, count)
    }

    fn on(home: Folder, count: usize) -> Self {
        let client = Credentials::of_demo(&TestServer::demo(&home));
        let nodes = Nodes::start(count, &home, &[("GATEPOST_ACCESS_MAX_STALE_SECONDS", "2")]);
        Self { nodes, client, home }
    }

    fn keys(&self, node: usize, arguments: &[&str]) -> Outcome {
        finish(&mut self.nodes.command(node, "keys", arguments), "")
    }

    async fn token(&self, node: usize) -> String {
        let request = http().post(self.nodes.url(node, "hr/oauth/token")).header("host", HOST);
        let request = request.basic_auth(&self.client.id, Some(&self.client.secret));
        let answer = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn status(&self, node: usize, token: &str) -> StatusCode {
        let request = http().get(self.nodes.url(node, PROTECTED)).header("host", HOST).bearer_auth(token);
        request.send().await.unwrap().status()
    }

    async fn becomes(&self, node: usize, token: &str, wanted: StatusCode) {
        eventually_async(wanted.as_str(), async || self.status(node, token).await == wanted).await;
    }

    /// Every node takes every node's tokens, and these.
    async fn all_understand_each_other(&self, tokens: &[&str]) {
        for node in 0..self.nodes.count() {
            for issuer in 0..self.nodes.count() {
                assert_eq!(self.status(node, &self.token(issuer).await).await, StatusCode::OK);
            }
            for token in tokens {
                assert_eq!(self.status(node, token).await, StatusCode::OK);
            }
        }
    }

    async fn signs_everywhere(&self, id: u32) {
        let line = format!("sealing key {id}: ");
        eventually("the new key signs", || {
            let list = self.keys(0, &["list"]).ok();
            list.lines().any(|found| found.starts_with(&line) && found.ends_with("signs"))
        });
        let first = self.token(0).await;
        for node in 0..self.nodes.count() {
            self.becomes(node, &first, StatusCode::OK).await;
        }
    }
}

fn text_of(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

/// The values of all keys in a key file.
fn values(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("key = "));
    lines.map(|value| value.trim_matches('"').to_owned()).collect()
}

#[tokio::test]
async fn keys_move_into_the_catalog_while_three_nodes_serve() {
    let site = Site::with_keys_in_the_file("keys-move", 3);
    let before = site.token(0).await;
    let in_the_clear = values(&text_of(&site.nodes.key_file(0)));
    assert_eq!(in_the_clear.len(), 3);
    let message = site.keys(0, &["share"]).refused();
    assert!(message.contains("holds no wrapping key") && message.contains("rotate wrapping"), "{message}");

    site.keys(0, &["rotate", "wrapping"]).ok();
    for node in 1..3 {
        site.nodes.bring_keys(node, &site.nodes.key_file(0));
    }
    assert!(site.keys(0, &["list"]).ok().contains("wrapping key 1: made "));
    assert!(site.keys(0, &["share"]).ok().contains("sealed under wrapping key 1"));
    site.all_understand_each_other(&[&before]).await;

    // Neither the catalog nor the file of the node that did it holds a key in the clear.
    let stored = cluster().sql(site.home.database(), "select sealed from gatepost.key_ring");
    let files = |node| text_of(&site.nodes.key_file(node));
    assert!(in_the_clear.iter().all(|key| !stored.contains(key) && !files(0).contains(key)));
    let mode = std::fs::metadata(site.nodes.key_file(0)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(in_the_clear.iter().all(|key| files(1).contains(key)), "other files are theirs to tidy");
    for node in 0..3 {
        site.keys(node, &["prune"]).ok();
        assert_eq!(files(node), files(0));
    }

    // From here a rotation at one node is one at all.
    let before_files: Vec<_> = (0..3).map(files).collect();
    assert!(site.keys(2, &["rotate"]).ok().starts_with("sealing key 2 signs from "));
    site.signs_everywhere(2).await;
    site.all_understand_each_other(&[&before]).await;
    site.keys(1, &["remove", "1"]).ok();
    for node in 0..3 {
        site.becomes(node, &before, StatusCode::UNAUTHORIZED).await;
    }
    site.all_understand_each_other(&[]).await;
    assert_eq!((0..3).map(files).collect::<Vec<_>>(), before_files);
}

#[tokio::test]
async fn a_node_without_the_wrapping_key_decides_nothing_until_it_has_it() {
    let site = Site::shared("keys-wrapping", 2);
    let token = site.token(0).await;
    site.keys(0, &["rotate", "wrapping"]).ok();
    assert!(site.keys(0, &["list"]).ok().contains("wrapping key 2"));
    // Not brought to node 1 in time.
    assert!(site.keys(0, &["share"]).ok().contains("sealed under wrapping key 2"));
    site.becomes(1, &token, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(site.status(0, &token).await, StatusCode::OK);
    let log = site.nodes.server(1).log_text();
    assert!(log.contains("sealed under wrapping key 2, which is not here"), "{log}");
    let refused = site.keys(1, &["list"]).refused();
    assert!(refused.contains("put the key file of a node that can in its place"), "{refused}");

    site.nodes.bring_keys(1, &site.nodes.key_file(0));
    site.becomes(1, &token, StatusCode::OK).await;
    assert_eq!(site.keys(1, &["prune"]).ok(), "0 sealing keys and 1 wrapping keys removed\n");
    assert_eq!(site.keys(1, &["prune"]).ok(), "0 sealing keys removed\n");
    site.keys(1, &["rotate", "pepper"]).ok();
    site.all_understand_each_other(&[&token]).await;
}

#[test]
fn keys_that_were_tampered_with_or_are_gone_are_refused() {
    let site = Site::shared("keys-tampered", 1);
    site.keys(0, &["rotate", "vault"]).ok();
    let old = cluster().sql(site.home.database(), "select sealed from gatepost.key_ring");
    site.keys(0, &["rotate", "vault"]).ok();
    let good = cluster().sql(site.home.database(), "select sealed from gatepost.key_ring");
    for (sealed, what) in [(old.as_str(), "an older one"), ("AAAA", "something else"), ("", "nothing")] {
        cluster().sql(site.home.database(), &format!("update gatepost.key_ring set sealed = '{sealed}'"));
        let message = site.keys(0, &["list"]).refused();
        assert!(message.contains("not what wrapping key 1 sealed"), "{what}: {message}");
    }
    cluster().sql(site.home.database(), &format!("update gatepost.key_ring set sealed = '{good}'"));
    site.keys(0, &["list"]).ok();
    cluster().sql(
        site.home.database(),
        "delete from gatepost.key_ring; update gatepost.catalog_state set key_revision = 0",
    );
    let message = site.keys(0, &["list"]).refused();
    assert!(message.contains("holds a wrapping key only, and the catalog holds no keys"), "{message}");
}

#[tokio::test]
async fn wrapping_keys_can_come_from_a_variable() {
    let site = Site::shared("keys-variable", 1);
    let text = text_of(&site.nodes.key_file(0));
    std::fs::remove_file(site.nodes.key_file(0)).unwrap();
    let keys = |text: &str, arguments: &[&str]| {
        finish(site.nodes.command(0, "keys", arguments).env("GATEPOST_KEYS", text), "")
    };
    let token = site.token(0).await;
    keys(&text, &["rotate"]).ok();
    assert!(keys(&text, &["rotate", "wrapping"]).refused().contains("change them there"));
    // As an operator adds one by hand.
    let more = format!("{text}\n[[wrapping]]\nid = 2\nkey = \"{}\"\ncreated_ms = 1\n", "A".repeat(43));
    assert!(keys(&more, &["share"]).ok().contains("wrapping key 2"));
    assert_eq!(keys(&more, &["prune"]).ok(), "0 sealing keys removed\n");
    assert!(keys(&text, &["list"]).refused().contains("wrapping key 2, which is not here"));
    assert!(!site.nodes.key_file(0).exists());
    // The node still has only the first one, in memory; its file is gone, so it is behind.
    site.becomes(0, &token, StatusCode::SERVICE_UNAVAILABLE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_at_the_same_moment_at_two_nodes_both_count() {
    let site = Site::shared("keys-race", 2);
    let token = site.token(0).await;
    std::thread::scope(|scope| {
        for node in [0, 1, 0, 1] {
            let site = &site;
            scope.spawn(move || site.keys(node, &["rotate", "pepper"]).ok());
        }
    });
    assert!(site.keys(0, &["list"]).ok().contains("pepper 5"));
    site.all_understand_each_other(&[&token]).await;
}

#[tokio::test]
async fn keys_move_out_of_a_file_that_cannot_be_written() {
    let site = Site::with_keys_in_the_file("keys-mounted", 1);
    let token = site.token(0).await;
    site.keys(0, &["rotate", "wrapping"]).ok();
    let file = site.nodes.key_file(0);
    let before = text_of(&file);
    // In place of a mount, which stops nobody who runs as root.
    let lock = file.with_extension("lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    assert!(site.keys(0, &["rotate", "wrapping"]).refused().contains("lock file"));
    assert!(site.keys(0, &["rotate"]).refused().contains("lock file"));
    site.keys(0, &["share"]).ok();
    assert_eq!(site.keys(0, &["prune"]).ok(), "0 sealing keys removed\n");
    site.keys(0, &["rotate"]).ok();
    assert_eq!(text_of(&file), before, "the catalog counts now");
    site.signs_everywhere(2).await;
    site.all_understand_each_other(&[&token]).await;
}

/// Runs a command of `keys` again and again, killed at growing ages. Returns how many were not done by then.
fn interrupt(site: &Site, arguments: &[&str], between: impl Fn()) -> usize {
    let mut interrupted = 0;
    for age_ms in (0..120).step_by(8) {
        let mut command = site.nodes.command(0, "keys", arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(age_ms));
        let _ = child.kill();
        interrupted += usize::from(!child.wait().unwrap().success());
        between();
    }
    interrupted
}

#[tokio::test]
async fn a_command_that_was_killed_at_any_time_leaves_keys_that_work() {
    let site = Site::with_keys_in_the_file("keys-killed", 1);
    let token = site.token(0).await;
    site.keys(0, &["rotate", "wrapping"]).ok();
    let with_both = site.home.path().join("both");
    std::fs::copy(site.nodes.key_file(0), &with_both).unwrap();
    let works = || {
        let list = site.keys(0, &["list"]).ok();
        assert!(list.contains("sealing key 1"), "{list}");
    };
    // The first one that gets far enough moves the keys; put back, so that the others move them, too.
    let interrupted = interrupt(&site, &["share"], || {
        works();
        site.nodes.bring_keys(0, &with_both);
        works();
    });
    assert!(interrupted > 0);
    site.keys(0, &["share"]).ok();
    assert!(interrupt(&site, &["rotate", "pepper"], works) > 0);
    assert!(interrupt(&site, &["prune"], works) > 0);
    assert_eq!(site.status(0, &token).await, StatusCode::OK);
    site.all_understand_each_other(&[&token]).await;
}
