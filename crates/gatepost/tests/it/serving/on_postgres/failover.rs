//! The primary is gone and a standby takes its place: what recovers by itself, and what must not come back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::StatusCode;

use super::replicas::{Installation, PATIENT, answered_by, port, put};
use crate::client::{Credentials, get, http, status_soon};
use crate::process::{eventually, eventually_async, finish};
use crate::server::{TestServer, gatepost};
use crate::standby::Way;

impl Installation {
    /// Names this port behind the primary's, wherever the primary is named.
    fn name_too(&self, port: u16) {
        let first = format!("127.0.0.1:{}", self.primary.port);
        self.rename(&first, &format!("{first},127.0.0.1:{port}"));
    }

    fn rename(&self, from: &str, to: &str) {
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "url" || end == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                std::fs::write(&path, text.replace(from, to)).unwrap();
            }
        }
    }
}

/// A client with two tokens; the second is to be revoked.
struct Holder {
    client: Credentials,
    kept: String,
    revoked: String,
}

impl Holder {
    async fn new(server: &TestServer) -> Self {
        let client = Credentials::by_name(server, "shop", "app");
        let (kept, revoked) = (client.token(server, "shop").await, client.token(server, "shop").await);
        for token in [&kept, &revoked] {
            assert_eq!(locked(server, token).await, StatusCode::OK);
        }
        Self { client, kept, revoked }
    }

    async fn revoke(&self, server: &TestServer, token: &str) -> StatusCode {
        let request = http().post(server.url("shop/oauth/revoke")).form(&[("token", token)]);
        request.basic_auth(&self.client.id, Some(&self.client.secret)).send().await.unwrap().status()
    }

    /// Waits until the kept token is good no more, and new ones are. The revoked one must never be so.
    async fn loses_all(&self, server: &TestServer) {
        eventually_async("tokens end", async || {
            assert_ne!(locked(server, &self.revoked).await, StatusCode::OK);
            locked(server, &self.kept).await == StatusCode::UNAUTHORIZED
        })
        .await;
        eventually_async("new tokens", async || {
            assert_ne!(locked(server, &self.revoked).await, StatusCode::OK);
            let (status, answer) = self.client.request(server, "shop", &[]).await;
            status == StatusCode::OK
                && locked(server, answer["access_token"].as_str().unwrap()).await == StatusCode::OK
        })
        .await;
        assert_eq!(locked(server, &self.revoked).await, StatusCode::UNAUTHORIZED);
        assert!(server.log_text().contains("every token issued so far has ended"));
    }
}

async fn locked(server: &TestServer, token: &str) -> StatusCode {
    get(&server.url("shop/locked/one"), Some(token)).await.status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_serves_everything_and_no_acknowledged_write_is_lost() {
    let installation = Installation::new("failover", PATIENT, true);
    let (primary, standby) = (&installation.primary, &installation.standby);
    // A catalog that may lack revocations is none.
    let catalog = std::fs::read_to_string(installation.folder.path().join("catalog.url")).unwrap();
    let only_standby = catalog.trim().replace(&format!(":{}/", primary.port), &format!(":{}/", standby.port));
    let mut check = gatepost(&["check-config", "--data", installation.dir()]);
    let refused = finish(check.env("GATEPOST_CATALOG_URL", only_standby), "").refused();
    assert!(refused.contains("in recovery"), "{refused}");

    primary.commit_synchronously();
    installation.name_too(standby.port);
    let server = Arc::new(installation.serve(&[standby.port]));
    answered_by(&server, standby.port).await;
    let holder = Holder::new(&server).await;
    assert_eq!(holder.revoke(&server, &holder.revoked).await, StatusCode::OK);

    let acknowledged = Arc::<Mutex<BTreeSet<u32>>>::default();
    let enough = Arc::<AtomicBool>::default();
    let writing = tokio::spawn({
        let (server, acknowledged, enough) =
            (Arc::clone(&server), Arc::clone(&acknowledged), Arc::clone(&enough));
        async move {
            for id in 1.. {
                if enough.load(Ordering::Acquire) {
                    return;
                }
                match put(&server, id).await {
                    StatusCode::CREATED => drop(acknowledged.lock().unwrap().insert(id)),
                    status => assert!(status.is_server_error(), "{status}"),
                }
            }
        }
    });
    let written = || acknowledged.lock().unwrap().len();
    eventually("writes", || written() >= 20);
    primary.crash();
    // Reads go on where they were, writes wait for somebody to take them.
    assert_eq!(port(&server, "any/where").await, standby.port);
    eventually_async("no writes", async || put(&server, 0).await == StatusCode::SERVICE_UNAVAILABLE).await;
    let before = written();
    standby.promote();
    eventually("writes again", || written() >= before + 20);
    enough.store(true, Ordering::Release);
    writing.await.unwrap();

    for path in ["own/where", "any/where", "any/recovering"] {
        assert_eq!(port(&server, path).await, standby.port);
    }
    let kept = standby.sql("postgres", "select id from shop.notes");
    let kept: BTreeSet<u32> = kept.lines().map(|id| id.parse().unwrap()).collect();
    let lost: Vec<u32> = acknowledged.lock().unwrap().difference(&kept).copied().collect();
    assert!(lost.is_empty(), "{lost:?}");
    // The catalog is there, too: tokens are revoked, definitions change, and since nothing was lost nothing ends.
    let token = holder.client.token(&server, "shop").await;
    eventually_async("revoked", async || holder.revoke(&server, &token).await == StatusCode::OK).await;
    assert_eq!(locked(&server, &token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(locked(&server, &holder.revoked).await, StatusCode::UNAUTHORIZED);
    assert_eq!(locked(&server, &holder.kept).await, StatusCode::OK);
    server.sql("shop", "begin gatepost.allow_public('/locked-no-more/*'); end;");
    status_soon(&format!("{}/readyz", server.base_url), None, StatusCode::OK).await;
    assert!(!server.log_text().contains("every token issued so far has ended"), "{}", server.log_text());
}

#[tokio::test]
async fn a_revocation_that_a_failover_lost_ends_every_token() {
    let installation = Installation::new("behind", PATIENT, true);
    let standby = &installation.standby;
    installation.name_too(standby.port);
    let server = installation.serve(&[]);
    let holder = Holder::new(&server).await;
    standby.crash();
    assert_eq!(holder.revoke(&server, &holder.revoked).await, StatusCode::OK);
    installation.primary.crash();
    standby.start_again();
    standby.promote();
    assert_eq!(standby.sql("postgres", "select count(*) from gatepost.revoked_token"), "0");
    holder.loses_all(&server).await;
}

#[tokio::test]
async fn a_lost_change_is_noticed_although_the_numbers_are_the_same() {
    let installation = Installation::new("same-numbers", PATIENT, true);
    let standby = &installation.standby;
    let way = Way::to(standby.port);
    installation.name_too(way.port);
    let server = installation.serve(&[]);
    let holder = Holder::new(&server).await;
    standby.crash();
    assert_eq!(holder.revoke(&server, &holder.revoked).await, StatusCode::OK);
    way.silence(true);
    installation.primary.crash();
    standby.start_again();
    standby.promote();
    // As another node does it before this one sees the new primary.
    standby.sql(
        "postgres",
        "update gatepost.catalog_state set revocations = revocations + 1;
         insert into gatepost.revoked_token values (repeat('ab', 16), 10000, 4102444800000, 1)",
    );
    way.silence(false);
    holder.loses_all(&server).await;
}

#[tokio::test]
async fn a_change_that_meets_a_standby_is_made_where_changes_are_made() {
    let installation = Installation::new("demoted", PATIENT, false);
    let way = Way::to(installation.standby.port);
    installation.rename(&format!(":{}/", installation.primary.port), &format!(":{}/", way.port));
    let server = installation.serve(&[]);
    let statuses: [StatusCode; 3] = tokio::join!(put(&server, 1), put(&server, 2), put(&server, 3)).into();
    assert!(statuses.iter().all(StatusCode::is_server_error), "{statuses:?}");
    way.lead_to(installation.primary.port);
    for id in 5..9 {
        assert_eq!(put(&server, id).await, StatusCode::CREATED);
    }
    assert_eq!(installation.primary.sql("postgres", "select count(*) from shop.notes"), "4");
}

#[tokio::test]
async fn another_standby_is_used_once_it_shows_that_it_follows_the_new_primary() {
    let installation = Installation::new("second", PATIENT, false);
    let (standby, other) = (&installation.standby, installation.primary.standby());
    installation.name_too(standby.port);
    let server = installation.serve(&[other.port]);
    answered_by(&server, other.port).await;
    installation.primary.crash();
    standby.promote();
    let source = standby.url("postgres");
    other.sql("postgres", &format!("alter system set primary_conninfo = '{source}'"));
    other.sql("postgres", "select pg_reload_conf()");
    eventually_async("written", async || put(&server, 1).await == StatusCode::CREATED).await;
    eventually("it follows", || other.sql("postgres", "select count(*) from shop.notes") == "1");
    eventually("it is told of", || server.log_text().contains("it is on timeline 1 and the primary on 2"));
    assert_eq!(port(&server, "any/where").await, standby.port);
    eventually_async("it shows its timeline", async || {
        standby.sql("postgres", "checkpoint");
        other.sql("postgres", "checkpoint");
        port(&server, "any/where").await == other.port
    })
    .await;
}
