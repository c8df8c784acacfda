//! Scripts of the schema's owner.

use std::time::Duration;

use super::{DictionarySource, postgres, sqlite};

/// A blocking connection for SQL Commands: DDL is allowed, other places and transaction control are not. Dropping it
/// rolls back what was not committed.
#[derive(Debug)]
pub struct Session(pub(super) Engine);

#[derive(Debug)]
pub(super) enum Engine {
    Sqlite(Box<sqlite::Session>),
    Postgres(postgres::Session),
}

/// A value of a script.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionValue {
    /// NULL
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Exact digits of a number.
    Number(String),
    /// `true` or `false`.
    Boolean(bool),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// What a statement gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionResult {
    /// Column names, lower case unless quoted in the statement; none when it is no query.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: Vec<Vec<SessionValue>>,
    /// Rows changed, for DML.
    pub affected: Option<u64>,
    /// Whether rows were left out.
    pub truncated: bool,
}

/// A statement that failed, for its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionError {
    /// What is wrong.
    pub message: String,
    /// Where, as a byte offset into the statement as it was written.
    pub offset: Option<usize>,
}

impl SessionError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), offset: None }
    }
}

impl std::fmt::Display for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SessionError {}

impl Session {
    /// Sets how many rows a statement gives at most.
    pub fn set_rows_max(&mut self, rows_max: usize) {
        match &mut self.0 {
            Engine::Sqlite(session) => session.set_rows_max(rows_max),
            Engine::Postgres(session) => session.set_rows_max(rows_max),
        }
    }

    /// Sets how long a statement may run.
    pub fn set_time(&mut self, time: Duration) {
        match &mut self.0 {
            Engine::Sqlite(session) => session.set_time(time),
            Engine::Postgres(session) => session.set_time(time),
        }
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        match &self.0 {
            Engine::Sqlite(session) => session.in_transaction(),
            Engine::Postgres(session) => session.in_transaction(),
        }
    }

    /// Begins a transaction, on SQLite with the write lock.
    pub fn begin(&mut self) -> Result<(), SessionError> {
        match &mut self.0 {
            Engine::Sqlite(session) => session.begin(),
            Engine::Postgres(session) => session.begin(),
        }
    }

    /// Makes the changes stay. When it fails, they are rolled back.
    pub fn commit(&mut self) -> Result<(), SessionError> {
        match &mut self.0 {
            Engine::Sqlite(session) => session.commit(),
            Engine::Postgres(session) => session.commit(),
        }
    }

    /// Drops the changes.
    pub fn rollback(&mut self) -> Result<(), SessionError> {
        match &mut self.0 {
            Engine::Sqlite(session) => session.rollback(),
            Engine::Postgres(session) => session.rollback(),
        }
    }

    /// Runs one statement. Binds are given by name, without the colon.
    pub fn run(
        &mut self,
        sql: &str,
        binds: &[(String, SessionValue)],
        dictionary: &dyn DictionarySource,
    ) -> Result<SessionResult, SessionError> {
        match &mut self.0 {
            Engine::Sqlite(session) => session.run(sql, binds, dictionary),
            Engine::Postgres(session) => session.run(sql, binds, dictionary),
        }
    }
}

/// A column name as results show it.
pub(super) fn shown(name: &str, quoted: &[String]) -> String {
    if quoted.iter().any(|known| known == name) { name.to_owned() } else { name.to_lowercase() }
}
