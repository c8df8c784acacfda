//! Reads on streaming standbys: who may answer, and what becomes of a request when a standby lags, falls silent or dies.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use reqwest::StatusCode;
use serde_json::Value;

use crate::client::get;
use crate::folder::Folder;
use crate::postgres::Cluster;
use crate::process::{Outcome, call, eventually, eventually_async, finish};
use crate::server::{TestServer, gatepost};
use crate::standby::Way;

/// Who answers is told by the port: `where` runs on the shared connections, `recovering` on a pooled one.
const DEFINITIONS: &str = "
create table notes (id int primary key, text text);
begin
  ords.define_module('any', '/any/');
  ords.define_module('own', '/own/');
  gatepost.set_module_reads('own', 'PRIMARY');
  ords.define_template('any', 'where');
  ords.define_handler('any', 'where', 'GET', 'json/item',
    'select inet_server_port() as port, count(*) as notes from notes');
  ords.define_template('any', 'recovering');
  ords.define_handler('any', 'recovering', 'GET', 'json/item',
    'select pg_is_in_recovery() as standby, inet_server_port() as port, count(*) as notes from notes');
  ords.define_template('any', 'slow');
  ords.define_handler('any', 'slow', 'GET', 'json/item',
    'select count(*) as notes, pg_is_in_recovery() as standby,
            case when pg_is_in_recovery() then pg_sleep(25)::text end as slept from notes');
  ords.define_template('any', 'transaction');
  ords.define_handler('any', 'transaction', 'GET', 'json/item',
    'select pg_current_xact_id() is not null as given, inet_server_port() as port');
  ords.define_template('any', 'divide');
  ords.define_handler('any', 'divide', 'GET', 'json/item',
    'select 1 / :by::int as quotient, inet_server_port() as port');
  ords.define_template('own', 'where');
  ords.define_handler('own', 'where', 'GET', 'json/item',
    'select inet_server_port() as port, count(*) as notes from notes');
  ords.define_template('own', 'notes/:id');
  ords.define_handler('own', 'notes/:id', 'PUT', 'plsql/block',
    'begin insert into notes (id, text) values (:id, :text); :status_code := 201; end;');
  ords.define_handler('own', 'notes/:id', 'POST', 'plsql/block',
    'begin insert into notes (id, text) values (:id, :text); :forward_location := ''../../any/where''; end;');
  gatepost.allow_public('/any/*');
  gatepost.allow_public('/own/*', 'GET,PUT,POST');
end;
/
declare
  l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
begin
  ords.define_module('locked', '/locked/');
  ords.define_template('locked', 'one');
  ords.define_handler('locked', 'one', 'GET', 'json/item', 'select 1 as one');
  ords.create_role('reader');
  l_roles(1) := 'reader';
  l_modules(1) := 'locked';
  ords.define_privilege('locked.read', l_roles, l_patterns, l_modules);
  oauth.create_client('app', 'client_credentials', p_owner => 'X', p_support_email => 'x@example.com',
    p_privilege_names => 'locked.read');
  oauth.grant_client_role('app', 'reader');
end;
/
";

/// A bound that no slow machine breaks, in milliseconds: what is tested is not the lag.
pub(super) const PATIENT: u32 = 600_000;

/// An installation whose data is on a primary with a standby.
pub(super) struct Installation {
    pub(super) folder: Folder,
    pub(super) primary: Cluster,
    pub(super) standby: Cluster,
    max_lag_ms: u32,
}

impl Installation {
    pub(super) fn new(name: &str, max_lag_ms: u32, catalog_there: bool) -> Self {
        let primary = Cluster::start();
        let home = Folder::new(name);
        let admin = primary.url("postgres");
        let dir = home.path().to_str().unwrap();
        let mut arguments = vec!["init", dir, "--data-url", &admin, "--schema", "shop", "--create"];
        if catalog_there {
            arguments.extend(["--catalog-url", &admin]);
        }
        call(&arguments).ok();
        let mut script = gatepost(&["sql", "--data", dir, "--schema", "shop"]);
        finish(&mut script, DEFINITIONS).ok();
        let standby = primary.standby();
        Self { folder: home, primary, standby, max_lag_ms }
    }

    pub(super) fn dir(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// The reader's URL, on the server with this port.
    pub(super) fn replica_url(&self, port: u16) -> String {
        let url = std::fs::read_to_string(self.folder.path().join("data-shop.url")).unwrap();
        let (login, place) = url.trim().split_once('@').unwrap();
        format!("{login}@127.0.0.1:{port}/{}", place.split_once('/').unwrap().1)
    }

    pub(super) fn command(&self, name: &str, ports: &[u16]) -> std::process::Command {
        let urls: Vec<String> = ports.iter().map(|port| format!("\"{}\"", self.replica_url(*port))).collect();
        let mut command = gatepost(&[name, "--data", self.dir()]);
        command.env("GATEPOST_SCHEMAS_SHOP_REPLICA_URLS", format!("[{}]", urls.join(", ")));
        command.env("GATEPOST_SCHEMAS_SHOP_REPLICA_MAX_LAG_MS", self.max_lag_ms.to_string());
        command
    }

    pub(super) fn serve(&self, ports: &[u16]) -> TestServer {
        self.spawn(self.command("serve", ports))
    }

    pub(super) fn spawn(&self, mut command: std::process::Command) -> TestServer {
        command.args(["--listen", "127.0.0.1:0"]);
        TestServer::spawn(self.folder.path(), command)
    }

    fn check(&self, ports: &[u16]) -> Outcome {
        finish(&mut self.command("check-config", ports), "")
    }
}

pub(super) async fn json(server: &TestServer, path: &str) -> Value {
    let response = get(&server.url(&format!("shop/{path}")), None).await;
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{path}: {text}\n{}", server.log_text());
    serde_json::from_str(&text).unwrap()
}

pub(super) async fn port(server: &TestServer, path: &str) -> u16 {
    u16::try_from(json(server, path).await["port"].as_u64().unwrap()).unwrap()
}

/// Waits until this server answers both ways to run a query.
pub(super) async fn answered_by(server: &TestServer, wanted: u16) {
    for path in ["any/where", "any/recovering"] {
        eventually_async("answered there", async || port(server, path).await == wanted).await;
    }
}

pub(super) async fn put(server: &TestServer, id: u32) -> StatusCode {
    let url = server.url(&format!("shop/own/notes/{id}"));
    crate::client::http().put(url).json(&serde_json::json!({ "text": "x" })).send().await.unwrap().status()
}

#[tokio::test]
async fn what_is_no_standby_of_the_primary_answers_nothing() {
    let installation = Installation::new("no-standby", PATIENT, false);
    let (primary, standby) = (installation.primary.port, installation.standby.port);
    let refused = finish(
        installation.command("check-config", &[standby]).env("GATEPOST_SCHEMAS_SHOP_REPLICA_MAX_LAG_MS", "5"),
        "",
    );
    assert!(refused.refused().contains("schemas.shop.replica_max_lag_ms"));

    // Another cluster, in recovery as it should be.
    let other = Cluster::start();
    let database = "create role gatepost_shop_read login password 'of-the-tests'; create schema shop";
    other.sql("postgres", database);
    let foreign = other.standby();
    let way = Way::to(foreign.port);
    let url = foreign.url("postgres").replace("postgres:of", "gatepost_shop_read:of");
    let mut check = installation.command("check-config", &[primary, standby]);
    let urls = [installation.replica_url(primary), installation.replica_url(standby), url.clone()];
    check.env("GATEPOST_SCHEMAS_SHOP_REPLICA_URLS", format!("{urls:?}"));
    let said = finish(&mut check, "").ok();
    let line = |port: u16| said.lines().find(|line| line.contains(&format!("127.0.0.1:{port}/"))).unwrap();
    assert!(line(primary).contains("not in recovery"), "{said}");
    assert!(line(foreign.port).contains("another cluster"), "{said}");
    assert!(line(standby).contains("in recovery, at most"), "{said}");
    assert!(!said.contains("of-the-tests") && !said.contains(&installation.replica_url(standby)), "{said}");
    drop(way);

    let mut command = installation.command("serve", &[]);
    let urls = [installation.replica_url(primary), url];
    command.env("GATEPOST_SCHEMAS_SHOP_REPLICA_URLS", format!("{urls:?}"));
    let server = installation.spawn(command);
    for _ in 0..2 {
        assert_eq!(port(&server, "any/where").await, primary);
        eventually("both are told of", || {
            server.log_text().contains("not in recovery") && server.log_text().contains("another cluster")
        });
    }
    assert_eq!(port(&server, "any/recovering").await, primary);
}

#[tokio::test]
async fn a_standby_answers_while_it_is_fresh_and_never_for_modules_that_read_what_they_write() {
    let installation = Installation::new("replica", 500, false);
    let (primary, standby) = (installation.primary.port, installation.standby.port);
    let server = installation.serve(&[standby]);
    answered_by(&server, standby).await;
    eventually_async("in recovery", async || json(&server, "any/recovering").await["standby"] == true).await;
    for id in 1..=20 {
        assert_eq!(put(&server, id).await, StatusCode::CREATED);
        let own = json(&server, "own/where").await;
        assert_eq!((own["port"].as_u64(), own["notes"].as_u64()), (Some(primary.into()), Some(id.into())));
    }
    // What follows a write in the same request is from the primary, whatever its module says.
    let url = server.url("shop/own/notes/21");
    let forwarded = crate::client::http().post(url).json(&serde_json::json!({ "text": "x" })).send().await;
    let forwarded: Value = forwarded.unwrap().json().await.unwrap();
    assert_eq!((forwarded["port"].as_u64(), forwarded["notes"].as_u64()), (Some(primary.into()), Some(21)));
    eventually_async("read elsewhere", async || json(&server, "any/where").await["notes"] == 21).await;
    answered_by(&server, standby).await;

    installation.standby.pause_replay();
    assert_eq!(put(&server, 22).await, StatusCode::CREATED);
    answered_by(&server, primary).await;
    for _ in 0..20 {
        for path in ["any/where", "any/recovering"] {
            let answer = json(&server, path).await;
            assert_eq!((answer["port"].as_u64(), answer["notes"].as_u64()), (Some(primary.into()), Some(22)));
        }
    }
    assert!(server.log_text().contains("a replica is left out: it is not proven to be within 500 ms"));
    assert_eq!(get(&format!("{}/readyz", server.base_url), None).await.status(), StatusCode::OK);
    let said = installation.check(&[standby]).ok();
    assert!(said.contains("warning: replica") && said.contains("not proven"), "{said}");

    installation.standby.resume_replay();
    answered_by(&server, standby).await;
    assert_eq!(json(&server, "any/where").await["notes"], 22);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_dies_fails_no_request_and_comes_back() {
    let installation = Installation::new("killed", PATIENT, false);
    let (primary, standby) = (installation.primary.port, installation.standby.port);
    let server = Arc::new(installation.serve(&[standby]));
    answered_by(&server, standby).await;
    let seen = Arc::<Mutex<BTreeSet<u16>>>::default();
    let asking = tokio::spawn({
        let (server, seen) = (Arc::clone(&server), Arc::clone(&seen));
        async move {
            while !seen.lock().unwrap().contains(&primary) {
                for path in ["any/where", "any/recovering"] {
                    let port = port(&server, path).await;
                    seen.lock().unwrap().insert(port);
                }
            }
        }
    });
    eventually("requests are under way", || seen.lock().unwrap().contains(&standby));
    installation.standby.crash();
    asking.await.unwrap();
    answered_by(&server, primary).await;
    installation.standby.start_again();
    answered_by(&server, standby).await;
    assert!(server.log_text().contains("a replica is left out: "), "{}", server.log_text());
    let back = "a replica answers reads";
    eventually("it is told that it came back", || server.log_text().matches(back).count() > 1);
}

#[tokio::test]
async fn requests_leave_a_standby_that_falls_silent() {
    let installation = Installation::new("silent", PATIENT, false);
    let (primary, standby) = (installation.primary.port, installation.standby.port);
    let way = Way::to(standby);
    let server = installation.serve(&[way.port]);
    answered_by(&server, standby).await;
    way.silence(true);
    for path in ["any/where", "any/recovering"] {
        assert_eq!(port(&server, path).await, primary);
    }
    way.silence(false);
    answered_by(&server, standby).await;
}

#[tokio::test]
async fn a_request_that_a_standby_cancels_is_answered_by_the_primary() {
    let installation = Installation::new("conflict", PATIENT, false);
    let standby = installation.standby.port;
    installation.standby.sql("postgres", "alter system set max_standby_streaming_delay = 0");
    installation.standby.sql("postgres", "select pg_reload_conf()");
    installation.primary.sql("postgres", "insert into shop.notes select g, 'x' from generate_series(1, 9) g");
    let server = installation.serve(&[standby]);
    answered_by(&server, standby).await;
    let sleeps = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    let conflict = async {
        eventually_async("it runs on the standby", async || {
            installation.standby.sql("postgres", sleeps) == "1"
        })
        .await;
        installation.primary.sql("postgres", "delete from shop.notes where id > 2");
        installation.primary.sql("postgres", "vacuum shop.notes");
    };
    let (answer, ()) = tokio::join!(json(&server, "any/slow"), conflict);
    assert_eq!((&answer["standby"], &answer["notes"]), (&Value::Bool(false), &Value::from(2)));
    answered_by(&server, standby).await;
}

#[tokio::test]
async fn an_error_of_a_standby_is_no_answer() {
    let installation = Installation::new("errors", PATIENT, false);
    let (primary, standby) = (installation.primary.port, installation.standby.port);
    let server = installation.serve(&[standby]);
    answered_by(&server, standby).await;
    for _ in 0..2 {
        assert_eq!(port(&server, "any/transaction").await, primary);
    }
    // The caller's fault stays the caller's, and says nothing against the standby.
    let fault = get(&server.url("shop/any/divide?by=0"), None).await;
    assert!(!fault.status().is_success());
    assert_eq!(port(&server, "any/divide?by=1").await, standby);
    assert!(!server.log_text().contains("a replica is left out"), "{}", server.log_text());
}
