//! `gatepost init-db`: what each login may do, and what none may.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::folder::Folder;
use crate::postgres::{Cluster, psql};
use crate::process::{call, finish};
use crate::server::{TestServer, gatepost};

/// A login's URL, with the password that `init-db` wrote down.
fn url(cluster: &Cluster, folder: &Folder, login: &str) -> String {
    let file = folder.path().join(format!("{login}.password"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let password = std::fs::read_to_string(file).unwrap();
    cluster.url("postgres").replace("postgres:of-the-tests", &format!("{login}:{password}"))
}

pub(super) fn fails(url: &str, text: &str) {
    let status =
        Command::new(crate::postgres::binaries().join("psql")).args([url, "-Atc", text]).output().unwrap();
    assert!(!status.status.success(), "{text} was allowed");
}

#[test]
fn logins_get_what_they_need_and_the_catalog_is_nobody_elses() {
    let cluster = Cluster::start();
    let folder = Folder::new("init-db");
    let passwords = folder.path().to_str().unwrap();
    let admin = cluster.url("postgres");
    cluster.sql("postgres", "create schema hr; create table hr.emp (n int); insert into hr.emp values (1)");

    let printed = call(&["init-db", "--schema", "hr", "--schema", "shop", "--passwords", passwords]).ok();
    let secret = std::fs::read_to_string(folder.path().join("gatepost_catalog.password")).unwrap();
    assert!(printed.contains("create schema if not exists \"gatepost\"") && !printed.contains(&secret));
    psql(&admin, &printed);
    let arguments = ["init-db", "--schema", "hr", "--passwords", passwords, "--url", &admin, "--apply"];
    for _ in 0..2 {
        let output = call(&arguments).ok();
        assert!(output.contains("the logins are ready") && !output.contains("of-the-tests"), "{output}");
    }

    let [read, write] = ["gatepost_hr_read", "gatepost_hr_write"].map(|name| url(&cluster, &folder, name));
    let catalog = url(&cluster, &folder, "gatepost_catalog");
    assert_eq!(psql(&read, "select n from hr.emp"), "1");
    fails(&read, "insert into hr.emp values (2)");
    fails(&read, "set default_transaction_read_only = off; insert into hr.emp values (2)");
    psql(&write, "insert into hr.emp values (2)");
    // Tables that come later count as well.
    cluster.sql("postgres", "create table hr.later (n int)");
    psql(&write, "insert into hr.later values (2)");
    assert_eq!(psql(&read, "select n from hr.later"), "2");
    psql(&url(&cluster, &folder, "gatepost_shop_owner"), "create table shop.t (n int)");
    fails(&url(&cluster, &folder, "gatepost_shop_write"), "create table shop.u (n int)");
    assert_eq!(psql(&url(&cluster, &folder, "gatepost_shop_read"), "select count(*) from shop.t"), "0");
    fails(&catalog, "select n from hr.emp");

    let home = Folder::new("init-db-demo");
    drop(TestServer::start(home.path(), &["demo", "--listen", "127.0.0.1:0", "--catalog-url", &catalog]));
    for login in [&read, &write] {
        fails(login, "select body from gatepost.catalog_object");
        fails(login, "set role gatepost_catalog");
    }

    // A login of data that reaches the catalog is told of.
    let check = |data: &str| {
        let mut command = gatepost(&["check-config", "--data", home.path().to_str().unwrap()]);
        finish(command.env("GATEPOST_SCHEMAS_HR_DATA", data), "")
    };
    let message = check(&catalog).refused();
    assert!(message.contains("it may use the catalog's schema gatepost"), "{message}");
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
    assert!(config.contains("postgres://gatepost_catalog@127.0.0.1"), "{config}");
    assert!(!config.contains("of-the-tests"), "{config}");
    let mode = std::fs::metadata(folder.path().join("catalog.password")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
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
