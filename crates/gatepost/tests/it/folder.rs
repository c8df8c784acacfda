//! Folders of tests, the databases that belong to them, and what somebody beside the program sees there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::backend::{Backend, drop_database, login_files, make_database, sections};
use crate::postgres::{afterwards, binaries, cluster, psql};

/// Everything that this process makes is below this folder, which does not outlive it.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = std::env::temp_dir().join(format!("gatepost-it-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("servers")).unwrap();
        // Each running server has a file there, named by its process id.
        let script = "for file in \"$1\"/servers/*; do kill -KILL \"${file##*/}\" 2>/dev/null; done
            sleep 1; rm -rf \"$1\"";
        afterwards(script, &root);
        root
    })
}

/// A folder that is deleted when the test is over. As an installation it has, on PostgreSQL, a database of its own.
pub(crate) struct Folder {
    path: PathBuf,
    backend: Backend,
    database: OnceLock<String>,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        Self::on(Backend::of_this_run(), name)
    }

    /// A folder whose installation is there, whichever database this run is on.
    pub(crate) fn on(backend: Backend, name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let path = root().join(format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&path).unwrap();
        Self { path, backend, database: OnceLock::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes `gatepost.toml`: this text, and where catalog and data are.
    pub(crate) fn configure(&self, text: &str) {
        let mut table: toml::Table = toml::from_str(text).unwrap();
        if self.backend == Backend::Postgres {
            for (name, url) in login_files(self.database()) {
                self.write_private(name, &url);
            }
            merge(&mut table, toml::from_str(sections()).unwrap());
        }
        self.write("gatepost.toml", &table.to_string());
    }

    /// Takes another folder's configuration, so that both are nodes of one installation.
    pub(crate) fn configure_as(&self, other: &Folder) {
        for entry in std::fs::read_dir(other.path()).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap();
            if name == "gatepost.toml" || file.extension().is_some_and(|extension| extension == "url") {
                self.write_private(name, &std::fs::read_to_string(&file).unwrap());
            }
        }
    }

    fn write_private(&self, name: &str, text: &str) {
        let file = self.write(name, text);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    /// The database of the installation; there is one on PostgreSQL only.
    pub(crate) fn database(&self) -> &str {
        assert_eq!(self.backend, Backend::Postgres);
        self.database.get_or_init(|| {
            let name = self.path.file_name().unwrap().to_str().unwrap();
            make_database(name);
            name.to_owned()
        })
    }

    /// What `--data-url` says of a schema.
    pub(crate) fn data_url(&self, schema: &str) -> String {
        match self.backend {
            Backend::Sqlite => format!("sqlite:{}", self.path.join(format!("{schema}.db")).display()),
            Backend::Postgres => {
                let name = format!("data-{schema}.url");
                let found = login_files(self.database()).find(|(file, _)| *file == name);
                found.expect("the schema has logins").1.trim().to_owned()
            }
        }
    }

    /// Rows of a schema's data as the database itself gives them, each value as JSON.
    #[track_caller]
    pub(crate) fn rows(&self, schema: &str, sql: &str) -> Vec<Vec<Value>> {
        self.rows_in(&self.data_file(schema), schema, sql)
    }

    /// The file of a schema's data on SQLite: where `demo` puts it, or where these tests have `init` put it.
    pub(crate) fn data_file(&self, schema: &str) -> PathBuf {
        let usual = self.path.join(format!("data/{schema}.db"));
        if usual.exists() { usual } else { self.path.join(format!("{schema}.db")) }
    }

    /// Rows of the catalog's own tables.
    #[track_caller]
    pub(crate) fn catalog_rows(&self, sql: &str) -> Vec<Vec<Value>> {
        self.rows_in(&self.path.join("catalog.db"), "gatepost", sql)
    }

    /// The catalog as it would be stolen: all of its bytes, or a dump.
    pub(crate) fn stolen_catalog(&self) -> Vec<u8> {
        match self.backend {
            Backend::Sqlite => {
                let files = ["catalog.db", "catalog.db-wal"].map(|name| self.path.join(name));
                let bytes = files.iter().flat_map(|file| std::fs::read(file).unwrap_or_default());
                bytes.collect()
            }
            Backend::Postgres => {
                let mut dump = Command::new(binaries().join("pg_dump"));
                dump.arg(cluster().url(self.database())).arg("--schema=gatepost");
                let output = dump.stdin(Stdio::null()).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                output.stdout
            }
        }
    }

    /// Changes the catalog behind the program's back.
    #[track_caller]
    pub(crate) fn change_catalog(&self, sql: &str) {
        match self.backend {
            Backend::Sqlite => {
                let catalog = rusqlite::Connection::open(self.path.join("catalog.db")).unwrap();
                catalog.execute_batch(sql).unwrap();
            }
            Backend::Postgres => {
                cluster().sql(self.database(), &format!("set search_path = gatepost; {sql}"));
            }
        }
    }

    /// Checks every file of a database that there is: on PostgreSQL that of the logs.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        let mut checked = 0;
        for folder in [self.path.clone(), self.path.join("data")] {
            let entries = std::fs::read_dir(folder).into_iter().flatten();
            for file in entries.map(|entry| entry.unwrap().path()) {
                if file.extension().is_some_and(|extension| extension == "db") {
                    let verdict = rows_of_sqlite(&file, "pragma integrity_check");
                    assert_eq!(verdict, [["ok"]], "{}", file.display());
                    checked += 1;
                }
            }
        }
        assert!(checked > 0);
    }

    #[track_caller]
    fn rows_in(&self, file: &Path, schema: &str, sql: &str) -> Vec<Vec<Value>> {
        match self.backend {
            Backend::Sqlite => rows_of_sqlite(file, sql),
            Backend::Postgres => rows_of_postgres(self.database(), schema, sql),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
        // A test that fails has said why; its database goes with the cluster.
        if let Some(database) = self.database.get().filter(|_| !std::thread::panicking()) {
            drop_database(database);
        }
    }
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            // What the test says itself counts.
            (Some(_), _) => {}
            (None, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Rows of a file of SQLite.
#[track_caller]
pub(crate) fn rows_of_sqlite(file: &Path, sql: &str) -> Vec<Vec<Value>> {
    use rusqlite::types::Value as Stored;
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let json = |stored: Stored| match stored {
        Stored::Null => Value::Null,
        Stored::Integer(number) => number.into(),
        Stored::Real(number) => number.into(),
        Stored::Text(text) => text.into(),
        Stored::Blob(bytes) => String::from_utf8_lossy(&bytes).into(),
    };
    let rows = statement.query_map([], |row| (0..columns).map(|column| Ok(json(row.get(column)?))).collect());
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[track_caller]
fn rows_of_postgres(database: &str, schema: &str, sql: &str) -> Vec<Vec<Value>> {
    let url = format!("{}?options=-csearch_path%3D{schema}", cluster().url(database));
    // The members of a row in their order; names may come twice.
    let text = format!(
        "select (select json_agg(value order by place)
                   from json_each(row_to_json(r)) with ordinality as member (name, value, place)) from ({sql}) r"
    );
    let lines = psql(&url, &text);
    serde_json::Deserializer::from_str(&lines).into_iter().map(Result::unwrap).collect()
}
