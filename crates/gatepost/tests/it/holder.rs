//! Somebody beside the program who keeps a database from being written.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use crate::backend::Backend;
use crate::folder::Folder;
use crate::postgres::{binaries, cluster};

/// Holds what writers need until it is dropped: both end their transaction when their connection ends.
pub(crate) enum Holder {
    Sqlite { _connection: rusqlite::Connection },
    Postgres(Child),
}

impl Holder {
    /// Keeps a table of a schema's data; on SQLite, the whole file. Readers do not notice.
    pub(crate) fn of_data(folder: &Folder, schema: &str, table: &str) -> Self {
        match folder.backend() {
            Backend::Sqlite => Self::sqlite(&folder.data_file(schema)),
            Backend::Postgres => {
                Self::postgres(folder, &format!("lock table {schema}.{table} in exclusive mode"))
            }
        }
    }

    /// Keeps the catalog.
    pub(crate) fn of_catalog(folder: &Folder) -> Self {
        match folder.backend() {
            Backend::Sqlite => Self::sqlite(&folder.path().join("catalog.db")),
            Backend::Postgres => Self::postgres(folder, "select from gatepost.catalog_state for update"),
        }
    }

    fn sqlite(file: &std::path::Path) -> Self {
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        connection.execute_batch("begin immediate").unwrap();
        Self::Sqlite { _connection: connection }
    }

    fn postgres(folder: &Folder, lock: &str) -> Self {
        let mut psql = Command::new(binaries().join("psql"));
        psql.arg(cluster().url(folder.database())).args(["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1"]);
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "begin; {lock};\n\\echo held").unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        assert!(lines.into_iter().any(|line| line == "held"), "the lock is not held");
        Self::Postgres(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Self::Postgres(child) = self {
            // Without input it ends, and with it its transaction.
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}
