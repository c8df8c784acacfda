//! What a URL of PostgreSQL can say: several servers, where the password is, and whom to trust.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Credentials, get, http};
use crate::folder::Folder;
use crate::postgres::{Cluster, cluster, free_port, psql};
use crate::process::{call, eventually, eventually_async, finish};
use crate::server::{TestServer, gatepost};

const DEMO: [&str; 3] = ["demo", "--listen", "127.0.0.1:0"];

/// A URL with these servers in place of its own.
fn on(url: &str, ports: &[u16]) -> String {
    let (login, place) = url.split_once('@').unwrap();
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("{login}@{}/{}", hosts.join(","), place.rsplit('/').next().unwrap())
}

async fn add(server: &TestServer, token: &str, name: &str) -> StatusCode {
    let row = json!({"ename": name, "deptno": 10});
    http().post(server.known("protected_url")).bearer_auth(token).json(&row).send().await.unwrap().status()
}

async fn count(server: &TestServer, token: &str) -> Option<i64> {
    let answer = get(&server.known("protected_url"), Some(token)).await;
    answer.json::<Value>().await.unwrap()["count"].as_i64()
}

/// Catalog and data on three servers: one is away, one is a standby, one takes writes; then the standby does.
#[tokio::test]
async fn of_several_servers_the_one_that_takes_writes_is_used() {
    let primary = Cluster::start();
    let standby = primary.standby();
    let admin = on(&primary.url("postgres"), &[free_port(), standby.port, primary.port]);
    let home = Folder::new("several-servers");
    let server = TestServer::start(
        home.path(),
        &[&DEMO[..], &["--data-url", &admin, "--catalog-url", &admin]].concat(),
    );
    for file in ["catalog.url", "data-hr.url", "data-hr-write.url", "data-hr-owner.url"] {
        let url = std::fs::read_to_string(home.path().join(file)).unwrap();
        assert!(url.contains(&format!("127.0.0.1:{},127.0.0.1:{}/", standby.port, primary.port)), "{file}");
    }
    let token = Credentials::of_demo(&server).token(&server, "hr").await;
    assert_eq!(add(&server, &token, "BEFORE").await, StatusCode::CREATED);
    assert_eq!(count(&server, &token).await, Some(15));

    let rows = "select count(*) from hr.emp";
    eventually("the standby has it", || standby.sql("postgres", rows) == "15");
    primary.crash();
    assert!(standby.pg_ctl(&["promote"]));
    eventually_async("changes are taken", async || {
        add(&server, &token, "AFTER").await == StatusCode::CREATED
    })
    .await;
    assert_eq!(count(&server, &token).await, Some(16));
    assert_eq!(standby.sql("postgres", rows), "16");
    // The catalog moved, too.
    server.sql("hr", "begin ords.define_module('after', '/after/'); end;");
    assert_eq!(
        standby.sql("postgres", "select count(*) from gatepost.catalog_object where body like '%/after/%'"),
        "1"
    );
    drop(server);
    TestServer::demo(&home).stop();
}

/// A server that is set to read only is passed over as a standby is.
#[tokio::test]
async fn a_server_that_is_set_to_read_only_gets_no_change() {
    let (closed, open) = (Cluster::start(), Cluster::start());
    for cluster in [&closed, &open] {
        cluster
            .sql("postgres", "create role app login password 'pw'; grant create on database postgres to app");
        cluster.sql(
            "postgres",
            "create role catalog login password 'pw'; grant create on database postgres to catalog",
        );
    }
    closed.sql("postgres", "alter system set default_transaction_read_only = on");
    closed.sql("postgres", "select pg_reload_conf()");
    eventually("it reads only", || closed.sql("postgres", "show default_transaction_read_only") == "on");
    let url = |login: &str, cluster: &Cluster| {
        cluster.url("postgres").replace("postgres:of-the-tests", &format!("{login}:pw"))
    };
    let several = |login: &str| {
        format!("{}?target_session_attrs=read-write", on(&url(login, &open), &[closed.port, open.port]))
    };
    let home = Folder::new("set-to-read-only");
    let (data, catalog) = (url("app", &open), several("catalog"));
    let arguments = ["--data-url", &data, "--catalog-url", &catalog];
    drop(TestServer::start(home.path(), &[&DEMO[..], &arguments].concat()));
    let mut serve = gatepost(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    serve.arg(home.path()).env("GATEPOST_SCHEMAS_HR_DATA_WRITE", several("app"));
    let server = TestServer::spawn(home.path(), serve);
    let token = Credentials::of_demo(&server).token(&server, "hr").await;
    let url = server.url("hr/hr/employees/7839");
    let changed = json!({"ename": "OTHER", "job": "CLERK", "deptno": 10});
    let answer = http().put(url).bearer_auth(&token).json(&changed).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(open.sql("postgres", "select ename from hr.emp where empno = 7839"), "OTHER");
    let schemas = "select count(*) from pg_namespace where nspname in ('hr', 'gatepost')";
    assert_eq!((closed.sql("postgres", schemas), open.sql("postgres", schemas)), ("0".into(), "2".into()));
}

/// The password of a login of one's own, and its URL without it.
fn without_password(url: &str) -> (String, String) {
    let (login, place) = url.split_once('@').unwrap();
    let (user, password) = login.rsplit_once(':').unwrap();
    (format!("{user}@{place}"), password.to_owned())
}

fn init(folder: &Path, url: &str) -> crate::process::Outcome {
    call(&["init", folder.to_str().unwrap(), "--schema", "hr", "--create", "--data-url", url])
}

#[test]
fn a_password_is_read_from_a_file_or_the_environment() {
    let url = cluster().database("password");
    let (bare, password) = without_password(&url);
    let folder = Folder::new("password");
    // Nowhere, in a file for another login, in none that is there.
    let wrong = folder.write("wrong", "*:*:*:nobody:s3cret\n");
    for (url, wanted) in [
        (bare.clone(), "password"),
        (format!("{bare}?passfile={}", wrong.display()), "password"),
        (format!("{bare}?passfile={}/none", folder.path().display()), "/none"),
    ] {
        let message = init(&folder.path().join("refused"), &url).refused();
        assert!(message.contains(wanted) && !message.contains("s3cret"), "{message}");
        let mut with_libpq = gatepost(&["init", "refused", "--schema", "hr", "--create", "--data-url", &url]);
        finish(with_libpq.current_dir(folder.path()).env("PGPASSWORD", &password), "").refused();
    }
    assert!(!folder.path().join("refused").exists());

    let user = bare.split(['/', '@']).nth(2).unwrap();
    let passfile = folder.write("pgpass", &format!("# ours\n*:*:*:{user}:{password}\n"));
    let dir = folder.path().join("made");
    // Named from where the command runs, not from the folder that it makes.
    let mut command = gatepost(&["init", "made", "--schema", "hr", "--create", "--data-url"]);
    finish(command.arg(format!("{bare}?passfile=pgpass")).current_dir(folder.path()), "").ok();
    let config = std::fs::read_to_string(dir.join("gatepost.toml")).unwrap();
    assert!(config.contains(passfile.to_str().unwrap()) && !config.contains(&password), "{config}");
    let rows = |variables: &[(&str, &str)]| {
        let sql = [
            "sql",
            "--schema",
            "hr",
            "--format",
            "csv",
            "-c",
            "select count(*) as n from pg_namespace where nspname = 'hr'",
        ];
        finish(gatepost(&sql).arg("--data").arg(&dir).envs(variables.iter().copied()), "")
    };
    assert_eq!(rows(&[]).ok().lines().nth(1), Some("1"));
    std::fs::remove_file(passfile).unwrap();
    assert!(rows(&[]).refused().contains("pgpass"));
    // The environment takes the file's place, with a URL or with a file that holds one.
    assert_eq!(rows(&[("GATEPOST_SCHEMAS_HR_DATA", &url)]).ok().lines().nth(1), Some("1"));
    folder.write("made/elsewhere.url", &format!("{url}\n"));
    assert_eq!(rows(&[("GATEPOST_SCHEMAS_HR_DATA", "file:elsewhere.url")]).ok().lines().nth(1), Some("1"));
    let message = rows(&[("GATEPOST_SCHEMAS_HR_DATA", &url.replace(&password, "s3cret"))]).refused();
    assert!(message.contains("password authentication failed") && !message.contains("s3cret"), "{message}");
}

#[test]
fn the_catalogs_password_is_read_from_a_file_of_its_own() {
    let url = cluster().database("catalog-password");
    let (bare, password) = without_password(&url);
    let folder = Folder::new("catalog-password");
    let dir = folder.path().join("made");
    let data = format!("sqlite:{}", folder.path().join("hr.db").display());
    call(&[
        "init",
        dir.to_str().unwrap(),
        "--schema",
        "hr",
        "--create",
        "--data-url",
        &data,
        "--catalog-url",
        &url,
    ])
    .ok();
    let check = |variables: &[(&str, &str)]| {
        let mut command = gatepost(&["check-config", "--data", dir.to_str().unwrap()]);
        finish(command.env("GATEPOST_CATALOG_URL", &bare).envs(variables.iter().copied()), "")
    };
    assert!(check(&[]).refused().contains("password"));
    folder.write("made/catalog.password", &format!("{password}\n"));
    check(&[("GATEPOST_CATALOG_PASSWORD_FILE", "catalog.password")]).ok();
    // Among arguments a URL can come from a file.
    let argument = format!("file:{}", dir.join("catalog.url").display());
    let copy = folder.path().join("copy.db");
    call(&["copy-catalog", &argument, &format!("sqlite:{}", copy.display())]).ok();
    assert_eq!(call(&["copy-catalog", "file:none.url", "sqlite:x.db"]).code, Some(2));
}

#[tokio::test]
async fn data_is_fetched_from_the_server_that_its_certificate_names() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cluster = Cluster::start();
    cluster.serve_tls(&certified.cert.pem(), &certified.signing_key.serialize_pem());
    let folder = Folder::new("data-tls");
    let roots = folder.write("ca.pem", &certified.cert.pem());
    let admin = cluster.url("postgres");
    let named = admin.replace("127.0.0.1", "localhost");
    let trusting = format!("sslmode=verify-full&sslrootcert={}", roots.display());
    for url in [
        // An authority that nobody knows, another name, half-safe, and a file that holds none.
        format!("{named}?sslmode=verify-full"),
        format!("{admin}?{trusting}"),
        format!("{named}?sslmode=require"),
        format!("{named}?sslrootcert={}/none.pem", folder.path().display()),
    ] {
        let message = init(&folder.path().join("refused"), &url).refused();
        assert!(!message.contains("of-the-tests"), "{message}");
        let told = ["certificate", "verify-full", "none.pem"].iter().any(|word| message.contains(word));
        assert!(told && !folder.path().join("refused").exists(), "{message}");
    }
    assert_eq!(cluster.sql("postgres", "select count(*) from pg_roles where rolname like 'gatepost%'"), "0");
    let home = folder.path().join("served");
    std::fs::create_dir_all(&home).unwrap();
    let server =
        TestServer::start(&home, &[&DEMO[..], &["--data-url", &format!("{named}?{trusting}")]].concat());
    let token = Credentials::of_demo(&server).token(&server, "hr").await;
    assert_eq!(count(&server, &token).await, Some(14));
    assert_eq!(add(&server, &token, "SAFE").await, StatusCode::CREATED);
    let plain = "select count(*) filter (where ssl), count(*) filter (where not ssl)
                   from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'gatepost'";
    let counted = psql(&admin, plain);
    assert!(!counted.starts_with("0|") && counted.ends_with("|0"), "{counted}");
}
