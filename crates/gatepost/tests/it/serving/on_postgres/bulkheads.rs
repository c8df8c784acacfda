//! What one schema's slow handlers, or a database that goes away, cost everybody else: nothing.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::client::{Credentials, http, keeping};
use crate::folder::Folder;
use crate::postgres::{Cluster, binaries, cluster, psql};
use crate::process::{eventually, finish};
use crate::server::{TestServer, gatepost};
use crate::shop::header;

/// A schema's service: rows to read and to write.
fn services(schema: &str) -> String {
    format!(
        "begin
           ords.enable_schema(p_schema => '{schema}');
           ords.define_module('m', '/m/', 10);
           ords.define_template('m', 'rows');
           ords.define_handler('m', 'rows', 'GET', p_source => 'select n from gate');
           ords.define_handler('m', 'rows', 'POST', 'plsql/block',
             'begin insert into gate (n) values (:n); :status_code := 201; end;');
           gatepost.allow_public('/m/*', 'GET,POST');
           oauth.create_client('{schema}_app', 'client_credentials');
         end;\n/\n"
    )
}

/// A session that holds a table, so that whoever wants it waits until this is dropped.
struct Held(Child);

impl Held {
    fn table(url: &str, table: &str) -> Self {
        let mut psql = Command::new(binaries().join("psql"));
        psql.arg(url).args(["--no-psqlrc", "-At"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = psql.spawn().unwrap();
        let text = format!("begin; lock table {table} in access exclusive mode; select 'it is held';\n");
        child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "it is held"));
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Schemas `slow` and `quick`, each in a database with a login of its own.
struct Site {
    server: TestServer,
    slow: String,
    clients: [Credentials; 2],
    _folder: Folder,
}

impl Site {
    fn on(cluster: &Cluster, variables: &[(&str, &str)]) -> Self {
        let [slow, quick] = ["slow", "quick"].map(|name| {
            let url = cluster.database(name);
            psql(&url, &format!("create schema {name}; create table {name}.gate (n bigint)"));
            url
        });
        let folder = Folder::on(Backend::Sqlite, "bulkheads");
        let dir = folder.path().to_str().unwrap();
        let catalog = cluster.database("bulkheads");
        let mut init = gatepost(&["init", dir, "--schema", "slow", "--data-url", &slow]);
        finish(init.args(["--catalog-url", &catalog]), "").ok();
        let with = |command: &mut Command| {
            command.env("GATEPOST_SCHEMAS_QUICK_DATA", &quick);
            command.envs(variables.iter().copied());
        };
        for schema in ["slow", "quick"] {
            let mut sql = gatepost(&["sql", "--data", dir, "--schema", schema]);
            with(&mut sql);
            finish(&mut sql, &services(schema)).ok();
        }
        let mut serve = gatepost(&["serve", "--listen", "127.0.0.1:0", "--data", dir]);
        with(&mut serve);
        let server = TestServer::spawn(folder.path(), serve);
        let clients =
            ["slow", "quick"].map(|schema| Credentials::by_name(&server, schema, &format!("{schema}_app")));
        Self { server, slow, clients, _folder: folder }
    }

    fn get(&self, schema: &str) -> RequestBuilder {
        http().get(self.server.url(&format!("{schema}/m/rows")))
    }

    fn post(&self, schema: &str, n: usize) -> RequestBuilder {
        http().post(self.server.url(&format!("{schema}/m/rows"))).json(&serde_json::json!({ "n": n }))
    }

    /// Everything but the slow schema's data.
    async fn all_others_answer(&self) {
        for number in 0..20 {
            assert_eq!(status(self.get("quick")).await, StatusCode::OK);
            assert_eq!(status(self.post("quick", number)).await, StatusCode::CREATED);
            for (client, schema) in self.clients.iter().zip(["slow", "quick"]) {
                let (status, answer) = client.request(&self.server, schema, &[]).await;
                assert_eq!(status, StatusCode::OK, "{answer}");
            }
        }
    }
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

fn in_the_background(requests: impl Iterator<Item = RequestBuilder>) -> JoinSet<StatusCode> {
    requests.map(|request| async { status(request).await }).collect()
}

#[track_caller]
fn assert_busy(answer: &Response) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(header(answer, "retry-after").parse::<u32>().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_whose_connections_are_in_use_answers_503_and_stops_nobody_else() {
    let variables = [
        ("GATEPOST_SCHEMAS_SLOW_READERS", "2"),
        ("GATEPOST_SCHEMAS_SLOW_WRITERS", "1"),
        ("GATEPOST_SCHEMAS_SLOW_WAIT_MS", "3000"),
        ("GATEPOST_LIMITS_STATEMENT_MS", "60000"),
        ("GATEPOST_LIMITS_WRITE_MS", "60000"),
    ];
    let cluster = tokio::task::spawn_blocking(cluster).await.unwrap();
    let site = Site::on(cluster, &variables);
    assert_eq!(status(site.get("slow")).await, StatusCode::OK);
    let held = Held::table(&site.slow, "slow.gate");
    let mut waiting = in_the_background((0..2).map(|_| site.get("slow")));
    waiting.spawn(status(site.post("slow", 7)));
    let login = site.slow.split("://").nth(1).unwrap().split(':').next().unwrap();
    let count = |what: &str| {
        let query = format!("select count(*) from pg_stat_activity where usename = '{login}' and {what}");
        cluster.sql("postgres", &query).parse::<usize>().unwrap()
    };
    // Short queries try a connection that they share first, and then wait on one of the pool.
    let pooled = "wait_event_type = 'Lock' and xact_start < now() - interval '2 s'";
    eventually("all connections wait", || count(pooled) >= 3);

    let mut more = in_the_background((0..20).map(|_| site.get("slow")));
    (0..3).for_each(|_| drop(more.spawn(status(site.post("slow", 8)))));
    site.all_others_answer().await;
    assert_busy(&site.get("slow").send().await.unwrap());
    assert!(more.join_all().await.iter().all(|status| *status == StatusCode::SERVICE_UNAVAILABLE));
    // Readers, writer, two that short queries share, and one that checks definitions for each login.
    assert!(count("true") <= 3 + 2 + 2 + 1, "{} connections", count("true"));

    drop(held);
    let answers = waiting.join_all().await;
    assert!(answers.iter().all(StatusCode::is_success), "{answers:?}");
    assert_eq!(status(site.get("slow")).await, StatusCode::OK);
    assert_eq!(status(site.post("slow", 9)).await, StatusCode::CREATED);
    assert_eq!(psql(&site.slow, "select n from slow.gate order by n"), "7\n9");
}

/// Callers of a site while its database comes and goes.
#[derive(Default)]
struct Calls {
    over: AtomicBool,
    next: AtomicUsize,
    /// What a write was answered with, by its number.
    written: Mutex<BTreeMap<usize, StatusCode>>,
    read: Mutex<Vec<StatusCode>>,
}

impl Calls {
    async fn write(&self, client: &reqwest::Client, url: &str) {
        while !self.over.load(Ordering::Acquire) {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let request = client.post(url).json(&serde_json::json!({ "n": n }));
            let answered = status(request).await;
            self.written.lock().unwrap().insert(n, answered);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn read(&self, client: &reqwest::Client, url: &str) {
        while !self.over.load(Ordering::Acquire) {
            let answered = status(client.get(url)).await;
            self.read.lock().unwrap().push(answered);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn last(&self) -> [Option<StatusCode>; 2] {
        let written = self.written.lock().unwrap().last_key_value().map(|(_, status)| *status);
        [self.read.lock().unwrap().last().copied(), written]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_restarted_costs_requests_only_while_it_is_down() {
    let cluster = Arc::new(tokio::task::spawn_blocking(Cluster::start).await.unwrap());
    let site = Site::on(&cluster, &[("GATEPOST_LIMITS_WRITE_MS", "60000")]);
    let calls = Arc::new(Calls::default());
    let mut callers = JoinSet::new();
    for _ in 0..3 {
        let (calls, url) = (Arc::clone(&calls), site.server.url("slow/m/rows"));
        let client = keeping();
        let (again, of_reader, own) = (Arc::clone(&calls), url.clone(), client.clone());
        callers.spawn(async move { calls.write(&client, &url).await });
        callers.spawn(async move { again.read(&own, &of_reader).await });
    }
    let good = [Some(StatusCode::OK), Some(StatusCode::CREATED)];
    let bad = [Some(StatusCode::SERVICE_UNAVAILABLE); 2];
    let goes = |wanted| eventually("requests answer so", || calls.last() == wanted);
    for _ in 0..2 {
        goes(good);
        cluster.crash();
        goes(bad);
        assert_busy(&site.get("slow").send().await.unwrap());
        // Tokens are memory's business, until nobody can know what was revoked.
        assert_eq!(site.clients[0].request(&site.server, "slow", &[]).await.0, StatusCode::OK);
        cluster.start_again();
        goes(good);
    }
    calls.over.store(true, Ordering::Release);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    // From the crash to the answer of the first connection that works: 503, and nothing else.
    let allowed = [StatusCode::OK, StatusCode::CREATED, StatusCode::SERVICE_UNAVAILABLE];
    let written = calls.written.lock().unwrap();
    let read = calls.read.lock().unwrap();
    let others = read.iter().chain(written.values()).filter(|status| !allowed.contains(status));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&StatusCode>::new(), "{}", site.server.log_text());
    // What was answered with success is there; a write whose commit was cut off may be; none is there twice.
    let found = psql(&site.slow, "select n from slow.gate order by n");
    let found: Vec<usize> = found.lines().map(|n| n.parse().unwrap()).collect();
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "a write was made twice");
    for (n, status) in written.iter().filter(|(_, status)| status.is_success()) {
        assert!(found.binary_search(n).is_ok(), "{n}: {status}, and it is not there");
    }
}
