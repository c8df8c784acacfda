//! Which database a run of the suite is on, and what an installation of a test needs of it.
//!
//! `GATEPOST_TEST_DATABASE` says it: `sqlite`, which is the default, or `postgres`. Catalog and data of every
//! installation are there. Tests of one database only stand in modules `on_sqlite` and `on_postgres`, which name
//! their database themselves, tests that no database has a part in stand in modules `once`: a second run on the other
//! database leaves these modules out, and nothing else.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::folder::Folder;
use crate::postgres::cluster;
use crate::process::call;

/// A database that installations are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// The one of this run.
    pub(crate) fn of_this_run() -> Self {
        static READ: OnceLock<Backend> = OnceLock::new();
        *READ.get_or_init(|| match std::env::var("GATEPOST_TEST_DATABASE").as_deref() {
            Err(std::env::VarError::NotPresent) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            other => panic!("GATEPOST_TEST_DATABASE is sqlite or postgres, not {other:?}"),
        })
    }
}

/// What the database of this run says of a table that there is not.
pub(crate) fn no_table(name: &str) -> String {
    match Backend::of_this_run() {
        Backend::Sqlite => format!("no such table: {name}"),
        Backend::Postgres => format!("relation \"{name}\" does not exist"),
    }
}

/// What the database of this run says of a column that there is not.
pub(crate) fn no_column(name: &str) -> String {
    match Backend::of_this_run() {
        Backend::Sqlite => format!("no such column: {name}"),
        Backend::Postgres => format!("column \"{name}\" does not exist"),
    }
}

/// Schemas whose data has logins and a place in every database of the tests.
const SCHEMAS: [&str; 4] = ["hr", "shop", "sales", "other"];

/// The database that all others are copies of: schemas and rights, made by `gatepost init-db`.
const TEMPLATE: &str = "template_of_tests";

/// Passwords by login. Logins are the whole cluster's.
type Passwords = BTreeMap<String, String>;

fn passwords() -> &'static Passwords {
    static MADE: OnceLock<Passwords> = OnceLock::new();
    MADE.get_or_init(|| {
        cluster().sql("postgres", &format!("create database {TEMPLATE}"));
        let folder = Folder::new("passwords");
        let (files, url) = (folder.path().to_str().unwrap(), cluster().url(TEMPLATE));
        let mut arguments = vec!["init-db", "--passwords", files, "--url", &url, "--apply"];
        arguments.extend(SCHEMAS.iter().flat_map(|schema| ["--schema", schema]));
        call(&arguments).ok();
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            let login = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (login, std::fs::read_to_string(path).unwrap().trim_end().to_owned())
        };
        std::fs::read_dir(folder.path()).unwrap().map(read).collect()
    })
}

/// Makes a database of this name.
pub(super) fn make_database(name: &str) {
    passwords();
    cluster().sql("postgres", &format!("create database \"{name}\" template {TEMPLATE}"));
}

/// Deletes it, whoever still uses it.
pub(super) fn drop_database(name: &str) {
    cluster().sql("postgres", &format!("drop database \"{name}\" with (force)"));
}

/// The URL of a login of this purpose.
pub(super) fn login_url(database: &str, schema: Option<&str>, purpose: &str) -> String {
    let login = schema.map_or(format!("gatepost_{purpose}"), |schema| format!("gatepost_{schema}_{purpose}"));
    let password = passwords().get(&login).unwrap_or_else(|| panic!("there is no login {login}"));
    cluster().url(database).replace("postgres:of-the-tests", &format!("{login}:{password}"))
}

/// The sections of `gatepost.toml` that say where catalog and data are.
pub(super) fn storage(database: &str) -> String {
    let catalog = format!("[catalog]\nurl = \"{}\"\n", login_url(database, None, "catalog"));
    let data = SCHEMAS.map(|schema| {
        let [read, write, owner] =
            ["read", "write", "owner"].map(|purpose| login_url(database, Some(schema), purpose));
        format!("[schemas.{schema}]\ndata = \"{read}\"\ndata_write = \"{write}\"\ndata_owner = \"{owner}\"\n")
    });
    catalog + &data.concat()
}
