//! `gatepost init-db`: what each login may do, and what none may.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::folder::Folder;
use crate::postgres::{Cluster, psql};
use crate::process::{call, finish};
use crate::server::{TestServer, gatepost};

/// A login's URL, as `init-db` wrote it down.
#[track_caller]
fn url(folder: &Folder, name: &str) -> String {
    let file = folder.path().join(name);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    std::fs::read_to_string(file).unwrap().trim().to_owned()
}

pub(super) fn fails(url: &str, text: &str) {
    let status =
        Command::new(crate::postgres::binaries().join("psql")).args([url, "-Atc", text]).output().unwrap();
    assert!(!status.status.success(), "{text} was allowed");
}

#[test]
fn what_cannot_be_made_is_refused_and_leaves_no_file() {
    let cluster = Cluster::start();
    let folder = Folder::new("init-db-refused");
    let files = folder.path().join("files");
    let files = files.to_str().unwrap();
    let run = |url: &str, more: &[&str]| {
        let all = [&["init-db", "--url", url, "--files", files, "--schema", "hr"], more].concat();
        let message = call(&all).refused();
        assert!(!message.contains("of-the-tests") && !message.contains("s3cret"), "{message}");
        assert!(!std::path::Path::new(files).exists(), "{message}");
        message
    };
    let admin = cluster.url("postgres");
    let plain = cluster.database("plain");
    assert!(run("sqlite:x", &[]).contains("--url is `postgres://"));
    assert!(run("postgres://a:s3cret@h/b?sslmode=prefer", &[]).contains("verify-full"));
    assert!(run(&admin.replace("of-the-tests", "s3cret"), &["--apply"]).contains("password authentication"));
    assert!(run(&plain, &["--apply"]).contains("permission denied to create role"));
    assert!(run(&admin, &["--schema", "hr", "--apply"]).contains("named twice"));
    let (long, longer) = ("x".repeat(60), "x".repeat(61));
    assert!(run(&admin, &["--schema", &long, "--schema", &longer]).contains("begins as that of another"));
    cluster.sql("postgres", "create schema gatepost");
    assert!(run(&admin, &["--apply"]).contains("its login is postgres"));
    let roles = "select count(*) from pg_roles where rolname like 'gatepost%'";
    assert_eq!(cluster.sql("postgres", roles), "0");
}

/// The lines for `gatepost.toml`, on the logins' database; as they are, they make an installation.
#[track_caller]
fn serve(lines: &str) {
    let home = Folder::new("init-db-demo");
    home.write("gatepost.toml", &format!("demo = true\n{lines}"));
    drop(TestServer::demo(&home));
    drop(TestServer::demo(&home));
}

#[test]
fn what_is_printed_can_be_run_and_pasted() {
    let cluster = Cluster::start();
    let folder = Folder::new("init-db-printed");
    let files = folder.path().to_str().unwrap();
    let bare = cluster.url("postgres").replace("postgres:of-the-tests@", "");
    let arguments = ["init-db", "--schema", "hr", "--schema", "a$$b", "--files", files, "--url", &bare];
    let printed = call(&arguments).ok();
    for name in ["catalog.url", "data-hr.url", "data-hr-write.url", "data-hr-owner.url", "data-a$$b.url"] {
        let url = url(&folder, name);
        let password = url.split(['@', ':']).nth(2).unwrap();
        assert!(password.len() > 20 && !printed.contains(password), "{printed}");
    }
    assert_eq!(call(&arguments).ok().lines().count(), printed.lines().count());
    let run = |text: &str| {
        let file = folder.write("logins.sql", text);
        let mut psql = Command::new(crate::postgres::binaries().join("psql"));
        psql.args([&cluster.url("postgres"), "-v", "ON_ERROR_STOP=1", "-f", file.to_str().unwrap()]);
        finish(&mut psql, "")
    };
    run(&printed).ok();
    let again = run(&printed);
    assert!(again.stderr.contains("is there already and keeps its password"));
    again.ok();
    // The same in another database of that server makes others, which know nothing of these.
    let other = cluster.database("printed-other");
    let more = folder.path().join("other");
    let arguments = ["init-db", "--schema", "hr", "--files", more.to_str().unwrap(), "--url", &other];
    psql(&cluster.url(other.rsplit('/').next().unwrap()), &call(&arguments).ok());
    let readers = "select count(*) from pg_roles where rolname ~ '^gatepost_hr_read_[a-z2-7]{8}$'";
    assert_eq!(cluster.sql("postgres", readers), "2");
    let lines: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("--")).collect();
    let home = Folder::new("init-db-pasted");
    home.write("gatepost.toml", &lines[1..].join("\n"));
    let dir = home.path().to_str().unwrap();
    let data = format!("file:{files}/data-hr.url");
    call(&["init", dir, "--schema", "hr", "--data-url", &data]).ok();
    let checked = call(&["check-config", "--data", dir]).ok();
    assert!(checked.contains("schema hr: data opens") && !checked.contains("warning"), "{checked}");
    drop(TestServer::serve(home.path()));
}

#[test]
fn logins_get_what_they_need_and_the_catalog_is_nobody_elses() {
    let cluster = Cluster::start();
    let folder = Folder::new("init-db");
    let files = folder.path().to_str().unwrap();
    let admin = cluster.url("postgres");
    // Somebody else's login, a table that is there, and one with a number of its own.
    cluster.sql(
        "postgres",
        "create role gatepost_hr_write login password 'theirs';
         create schema hr; create table hr.old (n int generated by default as identity, t serial);
         insert into hr.old values (1)",
    );
    let arguments = ["init-db", "--schema", "hr", "--files", files, "--url", &admin, "--apply"];
    let lines = call(&arguments).ok();
    assert!(!lines.contains("of-the-tests"), "{lines}");
    let names = ["data-hr.url", "data-hr-write.url", "data-hr-owner.url"];
    let before = names.map(|name| url(&folder, name));
    let more = [&arguments[..], &["--schema", "shop"]].concat();
    call(&more).ok();
    assert_eq!(before, names.map(|name| url(&folder, name)));
    let [read, write, owner] = before;
    assert!(write.contains("://gatepost_hr_write_2:"), "{write}");
    let theirs = admin.replace("postgres:of-the-tests", "gatepost_hr_write:theirs");
    assert_eq!(psql(&theirs, "select 1"), "1");

    assert_eq!(psql(&read, "select n from hr.old"), "1");
    fails(&read, "insert into hr.old values (2)");
    fails(&read, "set default_transaction_read_only = off; insert into hr.old values (2)");
    psql(&write, "insert into hr.old (n) values (2)");
    psql(&owner, "update hr.old set n = 3 where n = 2; select setval('hr.old_t_seq', 100)");
    for refused in ["truncate hr.old", "drop table hr.old", "alter table hr.old add x int"] {
        fails(&owner, refused);
    }
    // Tables that come later count as well, whoever of the two makes them.
    cluster.sql("postgres", "create table hr.later (n int)");
    psql(&owner, "create table hr.ours (n serial); insert into hr.later values (1)");
    psql(&write, "insert into hr.later values (2); insert into hr.ours default values");
    assert_eq!(
        psql(&read, "select sum(n) from (select n from hr.later union all select n from hr.ours) x"),
        "4"
    );
    psql(&url(&folder, "data-shop-owner.url"), "create table shop.t (n int)");
    fails(&url(&folder, "data-shop-write.url"), "create table shop.u (n int)");
    fails(&url(&folder, "data-shop-write.url"), "select n from hr.old");
    assert_eq!(psql(&url(&folder, "data-shop.url"), "select count(*) from shop.t"), "0");
    let catalog = url(&folder, "catalog.url");
    fails(&catalog, "select n from hr.old");

    serve(&lines);
    for login in [&read, &write, &owner] {
        fails(login, "select body from gatepost.catalog_object");
        fails(login, "set role gatepost_catalog");
    }
    // A file that does not open its login is told of.
    cluster.sql("postgres", "alter role gatepost_hr_read_2 password 'other'");
    let message = call(&arguments).refused();
    assert!(
        message.contains("role gatepost_hr_read_2 is there and data-hr.url does not open it"),
        "{message}"
    );
    std::fs::remove_file(folder.path().join("data-hr.url")).unwrap();
    assert!(call(&arguments).refused().contains("some of the files data-hr.url"));
}

#[test]
fn a_login_that_reaches_the_catalog_is_told_of() {
    let cluster = Cluster::start();
    let admin = cluster.url("postgres");
    let home = Folder::new("reaches-catalog");
    drop(TestServer::start(home.path(), &["demo", "--listen", "127.0.0.1:0", "--catalog-url", &admin]));
    let catalog = url(&home, "catalog.url");
    let check = |data: &str| {
        let mut command = gatepost(&["check-config", "--data", home.path().to_str().unwrap()]);
        finish(command.env("GATEPOST_SCHEMAS_HR_DATA", data), "")
    };
    let message = check(&catalog).refused();
    assert!(message.contains("login gatepost_catalog: it is the role of the catalog"), "{message}");
    let message = check(&admin).refused();
    assert!(message.contains("it is a superuser") && !message.contains("of-the-tests"), "{message}");
}

#[test]
fn a_login_that_may_make_logins_is_used_once() {
    let cluster = Cluster::start();
    let folder = Folder::new("admin-url");
    let admin = cluster.url("postgres");
    let start =
        || TestServer::start(folder.path(), &["demo", "--listen", "127.0.0.1:0", "--catalog-url", &admin]);
    drop(start());
    let config = std::fs::read_to_string(folder.path().join("gatepost.toml")).unwrap();
    assert!(config.contains("url = \"file:catalog.url\""), "{config}");
    assert!(url(&folder, "catalog.url").contains("postgres://gatepost_catalog:"));
    let owner = "select nspowner::regrole from pg_namespace where nspname = 'gatepost'";
    assert_eq!(cluster.sql("postgres", owner), "gatepost_catalog");
    drop(start());
    let other = Folder::new("admin-url-again");
    let message =
        call(&["demo", "--data", other.path().to_str().unwrap(), "--catalog-url", &admin]).refused();
    assert!(message.contains("name the login that owns it, gatepost_catalog"), "{message}");
    let elsewhere = cluster.database("elsewhere");
    let message =
        call(&["demo", "--data", folder.path().to_str().unwrap(), "--catalog-url", &elsewhere]).refused();
    assert!(message.contains("copy-catalog") && !message.contains("of-the-tests"), "{message}");
}
