//! Which database a run of the suite is on, and what an installation of a test needs of it.
//!
//! `TEST_DATABASE` says it: `sqlite`, which is the default, or `postgres`. Catalog and data of every
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
        *READ.get_or_init(|| match std::env::var("TEST_DATABASE").as_deref() {
            Err(std::env::VarError::NotPresent) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            other => panic!("TEST_DATABASE is sqlite or postgres, not {other:?}"),
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

/// The logins, which are the whole cluster's, as `gatepost init-db` leaves them.
struct Logins {
    /// URLs in the template, by the name of their file.
    urls: BTreeMap<String, String>,
    /// The lines for `gatepost.toml`, with the files beside it.
    sections: String,
}

fn logins() -> &'static Logins {
    static MADE: OnceLock<Logins> = OnceLock::new();
    MADE.get_or_init(|| {
        cluster().sql("postgres", &format!("create database {TEMPLATE}"));
        let folder = Folder::new("logins");
        let (files, url) = (folder.path().to_str().unwrap(), cluster().url(TEMPLATE));
        let mut arguments = vec!["init-db", "--files", files, "--url", &url, "--apply"];
        arguments.extend(SCHEMAS.iter().flat_map(|schema| ["--schema", schema]));
        let sections = call(&arguments).ok().replace(&format!("{files}/"), "");
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        };
        let urls = std::fs::read_dir(folder.path()).unwrap().map(read).collect();
        Logins { urls, sections }
    })
}

/// Makes a database of this name.
pub(super) fn make_database(name: &str) {
    logins();
    cluster().sql("postgres", &format!("create database \"{name}\" template {TEMPLATE}"));
}

/// Deletes it, whoever still uses it.
pub(super) fn drop_database(name: &str) {
    cluster().sql("postgres", &format!("drop database \"{name}\" with (force)"));
}

/// The files with the URLs of the logins in this database, by name.
pub(super) fn login_files(database: &str) -> impl Iterator<Item = (&'static str, String)> {
    logins().urls.iter().map(move |(name, url)| (name.as_str(), url.replace(TEMPLATE, database)))
}

/// The sections of `gatepost.toml` that name them.
pub(super) fn sections() -> &'static str {
    &logins().sections
}
