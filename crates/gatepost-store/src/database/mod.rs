//! The one place that knows which database the catalog is in.
//!
//! The rest of the crate writes one SQL text with parameters `$1`, `$2`, … and reads neutral values. A second
//! database is a second variant here and a second module beside `sqlite.rs`.

mod error;
mod place;
pub(crate) mod postgres;
mod sqlite;

use std::path::Path;

pub use error::DatabaseError;
pub use place::{CatalogPlace, PlaceError, PlaceOptions, for_login, is_postgres, redact, without_password};
use postgres::PostgresDatabase;
pub use postgres::{Listener, PostgresPlace};
use sqlite::SqliteDatabase;

/// A value on its way into a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parameter<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
}

impl<'a> From<Option<&'a str>> for Parameter<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

/// A row on its way out. Columns count from 0.
pub(crate) trait Row {
    fn integer(&self, column: usize) -> Result<i64, DatabaseError>;
    fn text(&self, column: usize) -> Result<String, DatabaseError>;
    fn optional_text(&self, column: usize) -> Result<Option<String>, DatabaseError>;
}

/// Which server writes the history of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lineage {
    /// Differs when another server took over, or when the database was taken back to an earlier state.
    pub(crate) id: String,
    /// The server's clock (milliseconds since 1970).
    pub(crate) now_ms: i64,
}

/// Statements within one transaction.
pub(crate) trait Transaction {
    /// Which server writes this history; nothing for a file, and for engines that do not say.
    fn lineage(&self) -> Result<Option<Lineage>, DatabaseError> {
        Ok(None)
    }

    /// Runs a statement and returns how many rows it changed.
    fn execute(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<usize, DatabaseError>;

    /// Prepares a statement that is to run many times.
    fn prepare<'t>(&'t self, sql: &str) -> Result<Box<dyn Prepared + 't>, DatabaseError>;

    /// Calls `each` for every row of a query.
    fn query(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError>;
}

/// A statement that runs many times in a transaction.
pub(crate) trait Prepared {
    /// Runs it once more and returns how many rows it changed.
    fn execute(&mut self, parameters: &[Parameter<'_>]) -> Result<usize, DatabaseError>;
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A database of ours: the catalog or the logs.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(Box<SqliteDatabase>),
    Postgres(Box<PostgresDatabase>),
}

impl Database {
    /// Opens the database, makes its tables when `create` says so, and brings them to the newest migration.
    pub(crate) fn open(
        place: &CatalogPlace,
        migrations: &[Migration],
        create: bool,
    ) -> Result<Self, DatabaseError> {
        match place {
            CatalogPlace::Sqlite(path) => Self::open_sqlite(path, migrations, create),
            CatalogPlace::Postgres(place) => {
                PostgresDatabase::open(place, migrations, create).map(Box::new).map(Self::Postgres)
            }
        }
    }

    /// Opens the file, makes it when `create` says so, and brings it to the newest migration.
    pub(crate) fn open_sqlite(
        path: &Path,
        migrations: &[Migration],
        create: bool,
    ) -> Result<Self, DatabaseError> {
        SqliteDatabase::open(path, migrations, create).map(Box::new).map(Self::Sqlite)
    }

    /// Runs `work` in one transaction and commits it when it succeeds.
    pub(crate) fn transaction<T, E: From<DatabaseError>>(
        &self,
        access: Access,
        work: impl FnOnce(&dyn Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Sqlite(database) => database.transaction(access, work),
            Self::Postgres(database) => database.transaction(access, work),
        }
    }

    /// The newest migration that the tables have.
    pub(crate) fn table_version(&self) -> Result<i64, DatabaseError> {
        match self {
            Self::Sqlite(database) => database.table_version(),
            Self::Postgres(database) => database.table_version(),
        }
    }

    /// Opens the database again when its file was replaced; says whether it did.
    pub(crate) fn reopen_if_replaced(&self) -> Result<bool, DatabaseError> {
        match self {
            Self::Sqlite(database) => database.reopen_if_replaced(),
            // A restored one has an older revision, which whoever refreshes sees.
            Self::Postgres(_) => Ok(false),
        }
    }

    /// The clock of the database's machine (milliseconds since 1970), if that can be another one.
    pub(crate) fn clock_ms(&self) -> Result<Option<i64>, DatabaseError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(database) => database.clock_ms().map(Some),
        }
    }

    /// Calls `wake` when another process may have committed, where the database can tell.
    pub(crate) fn listen(&self, wake: impl Fn() + Send + 'static) -> std::io::Result<Option<Listener>> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(database) => database.listen(wake).map(Some),
        }
    }
}

/// A numbered change of our tables. Never edited once released.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) sqlite: &'static str,
    /// Absent for a store that is always a file.
    pub(crate) postgres: Option<&'static str>,
}
