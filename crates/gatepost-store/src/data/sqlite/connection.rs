//! Connections that user SQL runs on.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use gatepost_rest::plan::BindValue;
use gatepost_rest::render::{self, Columns, Value, Zone};
use gatepost_rest::source::{DECLARED_TYPES, RemoteType};
use gatepost_rest::sql;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, Statement, StatementStatus};

use super::authorize::authorizer;
use super::error::{execute_error, open_error, words};
use super::watch::Watch;
use super::{DataError, DataOptions, ExecuteError};
use crate::data::{DescribedType, Description, ValueType};

/// SQLite's steps between two looks at the watch.
const STEPS: i32 = 1000;
const SCAN_CACHE_KIB: i32 = 256;
const STATEMENTS_CACHED: usize = 256;
const DESCRIPTIONS_CACHED: usize = 4096;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Queries.
    Read,
    /// DML of handlers.
    Write,
    /// Scripts of the owner, DDL included.
    Session,
    /// Queries of a database in memory, which we fill.
    Scratch,
}

/// A connection with its authorizer, its limits and its watch.
#[derive(Debug)]
pub(super) struct UserConnection {
    pub(super) sqlite: Connection,
    pub(super) watch: Arc<Watch>,
    described: RefCell<HashMap<u64, Arc<Described>>>,
    zone: Zone,
}

/// A statement's columns, and the raw names by which a change of the schema is noticed.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) columns: Columns,
    names: Vec<String>,
    /// How often the statement had been prepared anew when it was last looked at.
    prepared_anew: AtomicI32,
}

impl Described {
    fn still_fits(&self, statement: &Statement<'_>) -> bool {
        let prepared_anew = statement.get_status(StatementStatus::RePrepare);
        // A statement that runs for the first time may have taken another's place in the cache.
        let first_run = statement.get_status(StatementStatus::Run) <= 1;
        if !first_run && prepared_anew == self.prepared_anew.load(Ordering::Relaxed) {
            return true;
        }
        self.prepared_anew.store(prepared_anew, Ordering::Relaxed);
        statement.column_count() == self.names.len()
            && self.names.iter().enumerate().all(|(number, name)| statement.column_name(number) == Ok(name))
    }
}

impl UserConnection {
    pub(super) fn open(path: &Path, kind: Kind, options: &DataOptions) -> Result<Self, DataError> {
        Self::configured(path, kind, options).map_err(|error| open_error(&error))
    }

    fn configured(path: &Path, kind: Kind, options: &DataOptions) -> rusqlite::Result<Self> {
        let access = match kind {
            Kind::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Kind::Write | Kind::Session | Kind::Scratch => {
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
            }
        };
        let mut sqlite = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        sqlite.busy_timeout(options.busy_wait)?;
        sqlite.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        if matches!(kind, Kind::Write | Kind::Session) {
            sqlite.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
            sqlite.pragma_update(None, "synchronous", "full")?;
            if options.pages_max > 0 {
                sqlite.pragma_update_and_check(None, "max_page_count", options.pages_max, |_| Ok(()))?;
            }
        }
        sqlite.pragma_update(None, "foreign_keys", true)?;
        for (setting, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
        ] {
            sqlite.set_db_config(setting, on)?;
        }
        for (limit, most) in [
            (Limit::SQLITE_LIMIT_LENGTH, options.value_bytes_max as i32),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 1_000_000),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 500),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 250),
            (Limit::SQLITE_LIMIT_VDBE_OP, 1_000_000),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 500),
        ] {
            sqlite.set_limit(limit, most)?;
        }
        let declared = RemoteType::DECLARED.map(|name| format!("{name} {name}")).join(", ");
        sqlite.execute_batch(&format!("create temp table {DECLARED_TYPES} ({declared})"))?;
        if kind == Kind::Read {
            sqlite.pragma_update(None, "query_only", true)?;
        }
        let watch = Arc::new(Watch::new());
        let ticking = Arc::clone(&watch);
        sqlite.progress_handler(STEPS, Some(move || ticking.tick()))?;
        sqlite.authorizer(Some(authorizer(kind, Arc::clone(&watch))))?;
        Ok(Self { sqlite, watch, described: RefCell::default(), zone: options.zone.clone() })
    }

    /// Keeps a small page cache only: a long scan meets each page once.
    pub(super) fn expect_scans(&self) -> Result<(), DataError> {
        let kib = -SCAN_CACHE_KIB;
        self.sqlite.pragma_update(None, "cache_size", kib).map_err(|error| open_error(&error))
    }

    /// What an error of the job at hand means.
    pub(super) fn error(&self, error: &rusqlite::Error) -> ExecuteError {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => self.watch.reason(),
            _ => execute_error(error),
        }
    }

    /// Prepares a statement of a handler, or takes it from the cache.
    pub(super) fn prepare(&self, text: &str) -> Result<CachedStatement<'_>, ExecuteError> {
        self.sqlite.prepare_cached(text).map_err(|error| match self.error(&error) {
            // The authorizer's refusal of a function comes with the general error code.
            ExecuteError::Statement { message } if message.starts_with("not authorized") => {
                ExecuteError::NotRunnable(message)
            }
            ExecuteError::Statement { message } => ExecuteError::NotCompiled { message },
            other => other,
        })
    }

    /// Prepares a statement, for its errors only.
    pub(super) fn prepare_check(&self, text: &str) -> Result<(), String> {
        self.sqlite.prepare(text).map(drop).map_err(|error| words(&error))
    }

    /// The columns of a statement, from its text without a page.
    pub(super) fn describe(&self, statement: &sql::Statement) -> rusqlite::Result<Columns> {
        let prepared = self.sqlite.prepare(&statement.text)?;
        let columns: Vec<_> = prepared.columns().collect();
        let pairs = columns.iter().map(|column| (column.name(), column.decl_type()));
        Ok(Columns::describe(pairs, &statement.quoted, &self.zone))
    }

    /// The columns of a statement, with the types that they were declared with.
    pub(super) fn description(&self, statement: &sql::Statement) -> rusqlite::Result<Description> {
        let prepared = self.sqlite.prepare(&statement.text)?;
        let type_of = |declared: Option<&str>| {
            let name = declared.unwrap_or_default();
            DescribedType { name: name.to_owned(), value: ValueType::declared(name) }
        };
        let types = prepared.columns().map(|column| type_of(column.decl_type())).collect();
        Ok(Description { columns: self.describe(statement)?, types, binds: Vec::new() })
    }

    /// The columns of a statement that is about to run or has just begun to, from the cache unless the schema
    /// changed since.
    pub(super) fn described(
        &self,
        source_id: u64,
        statement: &sql::Statement,
        running: &Statement<'_>,
    ) -> rusqlite::Result<Arc<Described>> {
        if let Some(known) = self.described.borrow().get(&source_id)
            && known.still_fits(running)
        {
            return Ok(Arc::clone(known));
        }
        let columns = self.describe(statement)?;
        let names = running.column_names().map(str::to_owned).collect();
        let prepared_anew = AtomicI32::new(running.get_status(StatementStatus::RePrepare));
        let described = Arc::new(Described { columns, names, prepared_anew });
        let mut cache = self.described.borrow_mut();
        if cache.len() >= DESCRIPTIONS_CACHED {
            cache.clear();
        }
        cache.insert(source_id, Arc::clone(&described));
        Ok(described)
    }
}

/// Binds the values of slots by the numbers of a statement.
pub(super) fn bind(
    statement: &mut Statement<'_>,
    slots: &[usize],
    values: &[BindValue],
) -> rusqlite::Result<()> {
    for (number, slot) in slots.iter().enumerate() {
        let index = number + 1;
        match &values[*slot] {
            BindValue::Null => statement.raw_bind_parameter(index, rusqlite::types::Null)?,
            BindValue::Integer(value) => statement.raw_bind_parameter(index, value)?,
            BindValue::Real(value) => statement.raw_bind_parameter(index, value)?,
            BindValue::Boolean(value) => statement.raw_bind_parameter(index, i64::from(*value))?,
            BindValue::Text(value) => statement.raw_bind_parameter(index, value.as_str())?,
            BindValue::Blob(value) => statement.raw_bind_parameter(index, &value[..])?,
        }
    }
    Ok(())
}

/// A row as the renderer reads it.
pub(super) struct SqliteRow<'r, 's>(pub(super) &'r rusqlite::Row<'s>);

impl render::Row for SqliteRow<'_, '_> {
    #[inline]
    fn value(&self, column: usize) -> Value<'_> {
        match self.0.get_ref(column) {
            Ok(ValueRef::Integer(value)) => Value::Integer(value),
            Ok(ValueRef::Real(value)) => Value::Real(value),
            Ok(ValueRef::Text(bytes)) => Value::Text(match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(bytes),
            }),
            Ok(ValueRef::Blob(bytes)) => Value::Blob(bytes),
            Ok(ValueRef::Null) | Err(_) => Value::Null,
        }
    }
}

/// A value that a bind takes over from a row.
pub(super) fn owned(value: ValueRef<'_>) -> BindValue {
    match value {
        ValueRef::Null => BindValue::Null,
        ValueRef::Integer(value) => BindValue::Integer(value),
        ValueRef::Real(value) => BindValue::Real(value),
        ValueRef::Text(bytes) => BindValue::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => BindValue::Blob(bytes::Bytes::copy_from_slice(bytes)),
    }
}
