//! A database that cannot be used for a while.

use std::path::{Path, PathBuf};

use crate::backend::Backend;
use crate::folder::Folder;
use crate::postgres::cluster;

/// On SQLite something else is in the file's place, on PostgreSQL the logins are not let in.
pub(crate) enum Outage {
    Sqlite { file: PathBuf, good: PathBuf },
    Postgres { database: String },
}

impl Outage {
    /// The catalog is away; the data is not.
    pub(crate) fn of_catalog(folder: &Folder) -> Self {
        match folder.backend() {
            Backend::Sqlite => Self::sqlite(&folder.path().join("catalog.db")),
            Backend::Postgres => Self::postgres(folder, "gatepost_catalog"),
        }
    }

    /// The data of a schema is away; nothing else is.
    pub(crate) fn of_data(folder: &Folder, schema: &str) -> Self {
        match folder.backend() {
            Backend::Sqlite => Self::sqlite(&folder.data_file(schema)),
            Backend::Postgres => Self::postgres(folder, &format!("gatepost_{schema}_%")),
        }
    }

    /// It is there again; on SQLite, as a file that was restored.
    pub(crate) fn end(self) {
        match self {
            Self::Sqlite { file, good } => std::fs::rename(good, file).unwrap(),
            Self::Postgres { database } => {
                cluster().sql("postgres", &format!("grant connect on database \"{database}\" to public"));
            }
        }
    }

    fn sqlite(file: &Path) -> Self {
        let (good, broken) = (file.with_extension("good"), file.with_extension("broken"));
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.execute("vacuum into ?1", [good.to_str().unwrap()]).unwrap();
        drop(connection);
        std::fs::write(&broken, "garbage ".repeat(1_000)).unwrap();
        std::fs::rename(broken, file).unwrap();
        Self::Sqlite { file: file.to_owned(), good }
    }

    fn postgres(folder: &Folder, logins: &str) -> Self {
        let database = folder.database().to_owned();
        let text = format!(
            "do $$ declare login text; begin
               revoke connect on database \"{database}\" from public;
               for login in select rolname from pg_roles where rolname like 'gatepost%' and rolname not like '{logins}' loop
                 execute format('grant connect on database \"{database}\" to %I', login);
               end loop;
             end $$;
             select count(pg_terminate_backend(pid)) from pg_stat_activity
              where datname = '{database}' and usename like '{logins}'"
        );
        cluster().sql("postgres", &text);
        Self::Postgres { database }
    }
}
