//! A connection for scripts of the schema's owner: DDL is allowed, other files and transaction control are not.

use std::path::Path;
use std::time::{Duration, Instant};

use gatepost_rest::sql::{Dialect, Statement};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, ToSql};

use super::connection::{Kind, UserConnection};
use super::dictionary::Dictionary;
use super::error::words;
use super::{DataError, DataOptions};
use crate::data::DictionarySource;
use crate::data::session::{SessionError, SessionResult, SessionValue, shown};

const ROWS_MAX: usize = 10_000;
const TIME: Duration = Duration::from_secs(30);

/// A blocking connection for SQL Commands. Dropping it rolls back what was not committed.
#[derive(Debug)]
pub(crate) struct Session {
    connection: UserConnection,
    dictionary: Dictionary,
    rows_max: usize,
    time: Duration,
}

impl Session {
    pub(super) fn open(path: &Path, options: &DataOptions) -> Result<Self, DataError> {
        let connection = UserConnection::open(path, Kind::Session, options)?;
        let dictionary = Dictionary::default();
        dictionary.install(&connection.sqlite).map_err(|error| DataError::Open(error.to_string()))?;
        Ok(Self { connection, dictionary, rows_max: ROWS_MAX, time: TIME })
    }

    /// Sets how many rows a statement gives at most.
    pub(crate) fn set_rows_max(&mut self, rows_max: usize) {
        self.rows_max = rows_max;
    }

    /// Sets how long a statement may run.
    pub(crate) fn set_time(&mut self, time: Duration) {
        self.time = time;
    }

    /// Whether a transaction is open.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.connection.sqlite.is_autocommit()
    }

    /// Begins a transaction and takes the write lock.
    pub(crate) fn begin(&mut self) -> Result<(), SessionError> {
        self.control("begin immediate")
    }

    /// Makes the changes stay. When it fails, they are rolled back.
    pub(crate) fn commit(&mut self) -> Result<(), SessionError> {
        if !self.in_transaction() {
            return Err(SessionError::new(ENDED));
        }
        let result = self.control("commit");
        if result.is_err() {
            self.rollback()?;
        }
        result
    }

    /// Drops the changes.
    pub(crate) fn rollback(&mut self) -> Result<(), SessionError> {
        self.dictionary.forget();
        if !self.in_transaction() {
            return Ok(());
        }
        self.control("rollback")
    }

    /// Runs one statement. Binds are given by name, without the colon.
    pub(crate) fn run(
        &mut self,
        sql: &str,
        binds: &[(String, SessionValue)],
        dictionary: &dyn DictionarySource,
    ) -> Result<SessionResult, SessionError> {
        let statement = Statement::parse(sql, Dialect::Sqlite)
            .map_err(|refusal| SessionError { offset: Some(refusal.offset), message: refusal.to_string() })?;
        self.dictionary
            .feed(&self.connection.sqlite, &statement, dictionary)
            .map_err(|error| SessionError::new(words(&error)))?;
        let in_transaction = self.in_transaction();
        let result = self.execute(&statement, binds).map_err(|failure| match failure {
            Failure::Own(error) => error,
            Failure::Sqlite(error) => self.explain(&error, &statement),
        });
        if in_transaction && !self.in_transaction() {
            self.dictionary.forget();
            let reason = result.err().map(|error| format!("{error}; ")).unwrap_or_default();
            return Err(SessionError::new(format!("{reason}{ENDED}")));
        }
        result
    }

    fn execute(
        &self,
        statement: &Statement,
        binds: &[(String, SessionValue)],
    ) -> Result<SessionResult, Failure> {
        let sqlite = &self.connection.sqlite;
        let _watched = self.connection.watch.job(Instant::now() + self.time, None);
        let _user = self.connection.watch.user();
        let mut prepared = sqlite.prepare(&statement.text)?;
        for (number, name) in statement.names.iter().enumerate() {
            let Some((_, value)) = binds.iter().find(|(bind, _)| bind.to_lowercase() == *name) else {
                return Err(Failure::Own(SessionError::new(format!("the bind :{name} has no value"))));
            };
            prepared.raw_bind_parameter(number + 1, value)?;
        }
        let changes = !prepared.readonly();
        let mut result = SessionResult {
            columns: prepared.column_names().map(|name| shown(name, &statement.quoted)).collect(),
            ..SessionResult::default()
        };
        let count = prepared.column_count();
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next()? {
            if result.rows.len() == self.rows_max {
                result.truncated = true;
                // A change must run to its end; only its rows are left out.
                if !changes {
                    break;
                }
                continue;
            }
            let values = (0..count).map(|column| row.get_ref(column).map(SessionValue::from));
            result.rows.push(values.collect::<rusqlite::Result<_>>()?);
        }
        drop(rows);
        if matches!(statement.keyword.as_str(), "INSERT" | "UPDATE" | "DELETE" | "REPLACE")
            || (statement.keyword == "WITH" && changes)
        {
            result.affected = Some(sqlite.changes());
        }
        Ok(result)
    }

    fn control(&self, text: &str) -> Result<(), SessionError> {
        self.connection.sqlite.execute_batch(text).map_err(|error| SessionError::new(words(&error)))
    }

    fn explain(&self, error: &rusqlite::Error, statement: &Statement) -> SessionError {
        if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
            let message = format!("the statement ran longer than {} s", self.time.as_secs_f64());
            return SessionError::new(message);
        }
        let mut message = words(error);
        if error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied) {
            message.push_str(": other files, settings and transactions are not for scripts to change");
        }
        let offset = match error {
            rusqlite::Error::SqlInputError { offset, .. } => usize::try_from(*offset).ok(),
            _ => None,
        };
        SessionError { message, offset: offset.map(|offset| statement.original_offset(offset)) }
    }
}

const ENDED: &str = "SQLite ended the transaction; nothing of it stays";

enum Failure {
    Own(SessionError),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl ToSql for SessionValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Boolean(value) => ValueRef::Integer(i64::from(*value)),
            Self::Number(value) | Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

impl From<ValueRef<'_>> for SessionValue {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Integer(value),
            ValueRef::Real(value) => Self::Real(value),
            ValueRef::Text(bytes) => Self::Text(String::from_utf8_lossy(bytes).into_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}
