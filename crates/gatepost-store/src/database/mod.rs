//! The one place that knows which database the catalog is in.
//!
//! The rest of the crate writes one SQL text with parameters `$1`, `$2`, … and reads neutral values. A second
//! database is a second variant here and a second file beside `sqlite.rs`.

mod error;
mod sqlite;

use std::path::Path;

pub use error::DatabaseError;
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

/// Statements within one transaction.
pub(crate) trait Transaction {
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
    Sqlite(SqliteDatabase),
}

impl Database {
    /// Opens the file, makes it when `create` says so, and brings it to the newest migration.
    pub(crate) fn open_sqlite(
        path: &Path,
        migrations: &[Migration],
        create: bool,
    ) -> Result<Self, DatabaseError> {
        SqliteDatabase::open(path, migrations, create).map(Self::Sqlite)
    }

    /// Runs `work` in one transaction and commits it when it succeeds.
    pub(crate) fn transaction<T, E: From<DatabaseError>>(
        &self,
        access: Access,
        work: impl FnOnce(&dyn Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Sqlite(database) => database.transaction(access, work),
        }
    }

    /// The newest migration that the tables have.
    pub(crate) fn table_version(&self) -> Result<i64, DatabaseError> {
        match self {
            Self::Sqlite(database) => database.table_version(),
        }
    }

    /// Opens the database again when its file was replaced; says whether it did.
    pub(crate) fn reopen_if_replaced(&self) -> Result<bool, DatabaseError> {
        match self {
            Self::Sqlite(database) => database.reopen_if_replaced(),
        }
    }
}

/// A numbered change of our tables. Never edited once released.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) sqlite: &'static str,
}
