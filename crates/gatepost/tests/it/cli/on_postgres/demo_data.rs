//! `gatepost demo --data-url`: the sample with its data in PostgreSQL.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use reqwest::StatusCode;
use serde_json::Value;

use super::init_db::fails;
use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::postgres::{Cluster, cluster, psql};
use crate::process::{call, finish};
use crate::server::{TestServer, sql};

const DEMO: [&str; 3] = ["demo", "--listen", "127.0.0.1:0"];

fn start(folder: &Path, data: &str) -> TestServer {
    TestServer::start(folder, &[&DEMO[..], &["--data-url", data]].concat())
}

/// A demo that must be refused and leave nothing behind, its folder included.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let home = Folder::new("demo-refused");
    let folder = home.path().join("demo");
    let all = [&DEMO[..], &["--data", folder.to_str().unwrap()], arguments].concat();
    // One that is not refused would serve for good.
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_gatepost")]).args(all);
    let message = finish(&mut command, "").refused();
    assert!(!message.contains("of-the-tests") && !message.contains("s3cret"), "{message}");
    assert!(!folder.exists(), "{message}");
    message
}

/// A login's URL, as the demo keeps it in this file.
#[track_caller]
fn url_in(folder: &Path, name: &str) -> String {
    let file = folder.join(name);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    std::fs::read_to_string(file).unwrap().trim().to_owned()
}

fn roles(cluster: &Cluster) -> String {
    cluster.sql("postgres", "select rolname from pg_roles where rolname like 'gatepost%' order by 1")
}

/// The URL of a database of one's own, as the administrator.
fn admin_url(cluster: &Cluster, name: &str) -> String {
    let own = cluster.database(name);
    cluster.url(own.rsplit('/').next().unwrap())
}

#[test]
fn what_cannot_be_done_is_refused_and_leaves_nothing() {
    let cluster = Cluster::start();
    let admin = admin_url(&cluster, "refused");
    let wrong = admin.replace("of-the-tests", "s3cret");
    let nowhere = "postgres://postgres:s3cret@127.0.0.1:1/db";
    for (url, wanted) in [
        (wrong.as_str(), "password authentication failed"),
        (nowhere, "--data-url"),
        ("postgres://me:s3cret@127.0.0.1/db?sslmode=prefer", "sslmode"),
        ("postgres://me:s3cret@h:99999999/db", "--data-url"),
        ("mysql://me:s3cret@h/db", "--data-url is `sqlite:FILE`"),
    ] {
        let message = refused(&["--data-url", url]);
        assert!(message.contains(wanted), "{url}: {message}");
        // Of two logins that could be made, none is when the other cannot.
        refused(&["--data-url", url, "--catalog-url", &admin]);
        refused(&["--catalog-url", url, "--data-url", &admin]);
    }
    assert_eq!(roles(&cluster), "");
    assert_eq!(psql(&admin, "select nspname from pg_namespace where nspname in ('hr', 'gatepost')"), "");

    // A login without rights, one that reaches files, one that makes logins and no schemas.
    let plain = cluster.database("refused-plain");
    let name = plain.rsplit('/').next().unwrap();
    let elsewhere = format!("{}/postgres", plain.rsplit_once('/').unwrap().0);
    assert!(refused(&["--data-url", &elsewhere]).contains("may not make one"));
    assert!(refused(&["--data-url", &plain, "--catalog-url", &plain]).contains("need logins of their own"));
    cluster.sql("postgres", &format!("grant pg_read_server_files to {name}"));
    assert!(refused(&["--data-url", &plain]).contains("pg_read_server_files"));
    cluster
        .sql("postgres", &format!("revoke pg_read_server_files from {name}; alter role {name} createrole"));
    assert!(refused(&["--data-url", &elsewhere]).contains("may not make one"));

    // What others have in the database is theirs.
    psql(&admin, "create schema hr; create table hr.emp (n int)");
    assert!(refused(&["--data-url", &admin]).contains("holds tables already"));
    assert_eq!(roles(&cluster), "");
}

#[tokio::test]
async fn each_login_may_do_its_work_and_nothing_else() {
    let cluster = Cluster::start();
    let admin = admin_url(&cluster, "rights");
    let home = Folder::new("demo-rights");
    let folder = home.path();
    let arguments = [&DEMO[..], &["--data-url", &admin, "--catalog-url", &admin]].concat();
    let server = TestServer::start(folder, &arguments);
    let names = ["data-hr.url", "data-hr-write.url", "data-hr-owner.url"];
    let [read, write, owner] = names.map(|name| url_in(folder, name));
    let config = std::fs::read_to_string(folder.join("gatepost.toml")).unwrap();
    for name in names {
        assert!(config.contains(&format!("\"file:{name}\"")), "{config}");
    }
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file());
    for entry in files {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("of-the-tests"), "{:?}", entry.path());
    }
    for (login, refused) in [
        (&read, "insert into hr.dept (deptno, dname) values (50, 'X')"),
        (
            &read,
            "set default_transaction_read_only = off; insert into hr.dept (deptno, dname) values (50, 'X')",
        ),
        (&read, "set default_transaction_read_only = off; create table hr.t (n int)"),
        (&read, "set default_transaction_read_only = off; truncate hr.emp"),
        (&write, "create table hr.t (n int)"),
        (&write, "truncate hr.emp"),
        (&write, "drop table hr.emp"),
        (&owner, "create schema other"),
        (&owner, "create role other"),
    ] {
        fails(login, refused);
    }
    for login in [&read, &write, &owner] {
        fails(login, "select body from gatepost.catalog_object");
        fails(login, "set role gatepost_catalog");
        fails(login, "set role gatepost_hr_owner; set role gatepost_hr_read; set role gatepost_hr_write");
        fails(login, "select pg_read_file('postgresql.conf')");
    }
    let granted = "select count(*) from pg_auth_members where roleid in (select oid from pg_roles where rolname like 'gatepost%')";
    assert_eq!(cluster.sql("postgres", granted), "0");
    let owners =
        "select string_agg(nspname || ' ' || nspowner::regrole, ', ' order by nspname) from pg_namespace
         where nspname in ('hr', 'gatepost')";
    assert_eq!(psql(&admin, owners), "gatepost gatepost_catalog, hr gatepost_hr_owner");
    // What scripts make later counts as well.
    server.sql("hr", "create table later (n integer generated by default as identity, t text)");
    psql(&write, "insert into hr.later (t) values ('x')");
    assert_eq!(psql(&read, "select n, t from hr.later"), "1|x");

    walk(&server).await;
    let before = server.demo_json();
    server.stop();
    // With its URL or without it, it goes on; another place is another folder's.
    let server = TestServer::start(folder, &arguments);
    assert_eq!(before["client_secret"], server.demo_json()["client_secret"]);
    walk(&server).await;
    server.stop();
    let server = TestServer::demo(&home);
    walk(&server).await;
    server.stop();
    assert_eq!(roles(&cluster).lines().count(), 4, "{}", roles(&cluster));
    let other = admin_url(&cluster, "rights-other");
    for url in [other.as_str(), "sqlite:x.db"] {
        let all = [&DEMO[..], &["--data", folder.to_str().unwrap(), "--data-url", url]].concat();
        let message = call(&all).refused();
        assert!(message.contains("the data of this folder is postgres://127.0.0.1"), "{message}");
        assert!(!message.contains("of-the-tests"), "{message}");
    }
}

/// The tutorial's way: shut, then a token, then open; a change and its way back.
async fn walk(server: &TestServer) {
    let url = server.known("protected_url");
    assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED);
    let limited = Credentials::limited(server).token(server, "hr").await;
    assert_eq!(get(&url, Some(&limited)).await.status(), StatusCode::FORBIDDEN);
    let token = Credentials::of_demo(server).token(server, "hr").await;
    let rows: Value = get(&url, Some(&token)).await.json().await.unwrap();
    assert_eq!(rows["count"], 14);
    let http = crate::client::http();
    let added = http.post(&url).bearer_auth(&token).json(&serde_json::json!({"ename": "NEW", "deptno": 10}));
    let added = added.send().await.unwrap();
    assert_eq!(added.status(), StatusCode::CREATED);
    let place = added.headers()["location"].to_str().unwrap().to_owned();
    let gone = http.delete(&place).bearer_auth(&token).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::OK);
    assert_eq!(get(&place, Some(&token)).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn installations_of_one_cluster_do_not_touch_each_other() {
    let cluster = Cluster::start();
    let homes = [(); 2].map(|()| Folder::new("demo-beside"));
    let urls = ["beside", "beside-too"].map(|name| admin_url(&cluster, name));
    // At the same moment: whoever is second to take a name takes the next.
    let servers: Vec<TestServer> = std::thread::scope(|scope| {
        let starting = homes.iter().zip(&urls).map(|(home, url)| {
            scope.spawn(|| {
                let all = [&DEMO[..], &["--data-url", url, "--catalog-url", url]].concat();
                TestServer::start(home.path(), &all)
            })
        });
        let starting: Vec<_> = starting.collect();
        starting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(
        roles(&cluster).lines().collect::<Vec<_>>(),
        [
            "gatepost_catalog",
            "gatepost_catalog_2",
            "gatepost_hr_owner",
            "gatepost_hr_owner_2",
            "gatepost_hr_read",
            "gatepost_hr_read_2",
            "gatepost_hr_write",
            "gatepost_hr_write_2",
        ]
    );
    for server in &servers {
        walk(server).await;
    }
    let [first, second] = homes.each_ref().map(|home| url_in(home.path(), "data-hr-owner.url"));
    let database = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    fails(&first.replace(&database(&first), &database(&second)), "select count(*) from hr.emp");
    // A third one in a database that holds one: its catalog and its tables are somebody's.
    assert!(refused(&["--catalog-url", &urls[0]]).contains("name the login that owns it, gatepost_catalog"));
    assert!(refused(&["--data-url", &urls[0]]).contains("holds tables already"));
    assert_eq!(roles(&cluster).lines().count(), 8);
    // The first ones' passwords are what they were.
    for server in &servers {
        walk(server).await;
    }
}

#[tokio::test]
async fn a_plain_login_is_used_for_everything() {
    let url = cluster().database("plain-data");
    let home = Folder::new("demo-plain");
    let server = start(home.path(), &url);
    assert_eq!(url_in(home.path(), "data-hr.url"), url);
    let config = std::fs::read_to_string(home.path().join("gatepost.toml")).unwrap();
    assert!(config.contains("data = \"file:data-hr.url\"") && !config.contains("data_write"), "{config}");
    walk(&server).await;
    drop(server);
    walk(&start(home.path(), &url)).await;
    assert_eq!(psql(&url, "select count(*) from hr.emp"), "14");
}

/// Numbers by value: 5000.00 is 5000.
fn by_value(value: &mut Value) {
    match value {
        Value::Number(number) => *value = number.as_f64().unwrap().into(),
        Value::Array(items) => items.iter_mut().for_each(by_value),
        Value::Object(members) => members.values_mut().for_each(by_value),
        _ => {}
    }
}

#[tokio::test]
async fn both_databases_give_the_same() {
    let homes = [(); 2].map(|()| Folder::new("demo-both"));
    let url = cluster().database("both");
    let rows = ["--rows", "200"];
    let servers = [
        TestServer::start(homes[0].path(), &[&DEMO[..], &rows].concat()),
        TestServer::start(homes[1].path(), &[&DEMO[..], &["--data-url", &url], &rows].concat()),
    ];
    let mut answers = Vec::new();
    for server in &servers {
        let token = Credentials::of_demo(server).token(server, "hr").await;
        let http = crate::client::http();
        let ask = async |request: reqwest::RequestBuilder| {
            let answer = request.bearer_auth(&token).send().await.unwrap();
            let status = answer.status();
            assert!(status.is_success(), "{}: {status}", answer.url());
            let text = answer.text().await.unwrap().replace(&server.base_url, "");
            let mut body = serde_json::from_str(&text).unwrap();
            by_value(&mut body);
            (status, body)
        };
        let mut all: Vec<(StatusCode, Value)> = Vec::new();
        for path in [
            "hr/hr/employees/",
            "hr/hr/employees/?deptno=30",
            "hr/hr/employees/?offset=25&limit=100",
            "hr/hr/employees/7839",
            "hr/hr/employees/100037",
            "hr/hr/departments/",
            "hr/demo/departments/",
        ] {
            all.push(ask(http.get(server.url(path))).await);
        }
        let new = serde_json::json!({"ename": "NEW", "job": "CLERK", "sal": 12.5, "deptno": 10, "hiredate": "2020-01-02"});
        all.push(ask(http.post(server.url("hr/hr/employees/")).json(&new)).await);
        // The number after the highest one.
        let place = server.url("hr/hr/employees/100200");
        let changed =
            serde_json::json!({"ename": "OTHER", "job": "CLERK", "sal": 13, "comm": 0.1, "deptno": 20});
        all.push(ask(http.put(&place).json(&changed)).await);
        all.push(ask(http.get(&place)).await);
        answers.push(all);
    }
    assert_eq!(answers[0].len(), answers[1].len());
    for (on_sqlite, on_postgres) in answers[0].iter().zip(&answers[1]) {
        assert_eq!(on_sqlite, on_postgres);
    }
}

#[test]
fn rows_are_added_once() {
    let url = cluster().database("demo-rows");
    let home = Folder::new("demo-rows-postgres");
    let start = |rows: &str| {
        let all = [&DEMO[..], &["--data-url", &url, "--rows", rows]].concat();
        drop(TestServer::start(home.path(), &all));
        let rows = sql(home.path(), "hr", "select count(*) as n, count(distinct empno) as ids from emp");
        (rows[0]["n"].as_i64().unwrap(), rows[0]["ids"].as_i64().unwrap())
    };
    for (rows, wanted) in [("0", 14), ("1000", 1014), ("1000", 1014), ("10", 1014), ("1500", 1514)] {
        assert_eq!(start(rows), (wanted, wanted));
    }
}
