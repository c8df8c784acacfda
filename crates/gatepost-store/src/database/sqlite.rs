//! A database of ours in a SQLite file: write-ahead log, `synchronous = FULL`, one connection behind a lock.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, TransactionBehavior};

use super::{Access, DatabaseError, Migration, Parameter, Prepared, Row, Transaction};

/// How long a writer waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct SqliteDatabase {
    path: PathBuf,
    migrations: Vec<Migration>,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    file: Option<FileIdentity>,
    journal: Option<FileIdentity>,
}

/// What tells one file from another that took its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileIdentity(u64, u64);

impl SqliteDatabase {
    pub(super) fn open(path: &Path, migrations: &[Migration], create: bool) -> Result<Self, DatabaseError> {
        if !create && !path.exists() {
            return Err(DatabaseError::Missing(path.display().to_string()));
        }
        make_private(path)?;
        let open = Open::new(path, migrations, create)?;
        Ok(Self { path: path.to_owned(), migrations: migrations.to_vec(), open: Mutex::new(open) })
    }

    pub(super) fn transaction<T, E: From<DatabaseError>>(
        &self,
        access: Access,
        work: impl FnOnce(&dyn Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut open = self.lock();
        // A deferred transaction that writes after reading can fail at once (SQLITE_BUSY_SNAPSHOT), so a writer
        // takes the lock first.
        let behavior = match access {
            Access::Read => TransactionBehavior::Deferred,
            Access::Write => TransactionBehavior::Immediate,
        };
        let transaction = open.connection.transaction_with_behavior(behavior).map_err(DatabaseError::from)?;
        let outcome = work(&transaction)?;
        transaction.commit().map_err(DatabaseError::from)?;
        Ok(outcome)
    }

    pub(super) fn table_version(&self) -> Result<i64, DatabaseError> {
        table_version(&self.lock().connection)
    }

    pub(super) fn reopen_if_replaced(&self) -> Result<bool, DatabaseError> {
        let now = FileIdentity::of(&self.path);
        let mut open = self.lock();
        if now.is_none() || now == open.file {
            return Ok(false);
        }
        open.forsake_journal(&self.path);
        *open = Open::new(&self.path, &self.migrations, false)?;
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // A panic while the lock was held left at most an open transaction, which its guard rolled back.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a missing file so that only its owner can read it: it will hold digests of secrets, or who called what.
/// SQLite gives its side files the same mode.
fn make_private(path: &Path) -> Result<(), DatabaseError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(DatabaseError::Unreachable(format!("{}: {error}", path.display()))),
    }
}

impl Open {
    fn new(path: &Path, migrations: &[Migration], create: bool) -> Result<Self, DatabaseError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        check_ours(&connection, create)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        migrate(&mut connection, migrations)?;
        let journal = FileIdentity::of(&beside(path, "-wal"));
        Ok(Self { connection, file: FileIdentity::of(path), journal })
    }

    /// Removes the write-ahead log of a file whose place another one took: SQLite would read its pages into that.
    fn forsake_journal(&self, path: &Path) {
        let journal = beside(path, "-wal");
        if self.journal.is_some() && FileIdentity::of(&journal) == self.journal {
            for left in [journal, beside(path, "-shm")] {
                // Gone already is as good; what cannot be removed shows when the new file is opened.
                let _ = fs::remove_file(left);
            }
        }
    }
}

/// A file that SQLite keeps beside a database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl FileIdentity {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).ok().map(|meta| Self(meta.dev(), meta.ino()))
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        // Windows refuses to replace a file that is open.
        fs::metadata(path).ok().map(|_| Self(0, 0))
    }
}

/// Refuses a file of another program before anything in it is changed. An empty one is ours to fill when `create`
/// says so: a process that was killed while it made the file left it so.
fn check_ours(connection: &Connection, create: bool) -> Result<(), DatabaseError> {
    // In this order: another process that makes the tables just now sets their version with them.
    let tables: i64 = connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    if table_version(connection)? > 0 {
        return Ok(());
    }
    match tables {
        0 if create => Ok(()),
        0 => Err(DatabaseError::Unfinished),
        _ => Err(DatabaseError::Broken("it holds tables of another program".into())),
    }
}

fn table_version(connection: &Connection) -> Result<i64, DatabaseError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn migrate(connection: &mut Connection, migrations: &[Migration]) -> Result<(), DatabaseError> {
    let newest = migrations.last().map_or(0, |migration| migration.version);
    let version = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
    };
    if version(connection)? == newest {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = table_version(&transaction)?;
    if found > newest {
        return Err(DatabaseError::Newer { found, known: newest });
    }
    for migration in migrations.iter().filter(|migration| migration.version > found) {
        transaction.execute_batch(migration.sqlite)?;
        transaction.pragma_update(None, "user_version", migration.version)?;
    }
    transaction.commit()?;
    Ok(())
}

impl Transaction for rusqlite::Transaction<'_> {
    fn execute(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<usize, DatabaseError> {
        SqliteStatement::new(self, sql)?.execute(parameters)
    }

    fn prepare<'t>(&'t self, sql: &str) -> Result<Box<dyn Prepared + 't>, DatabaseError> {
        Ok(Box::new(SqliteStatement::new(self, sql)?))
    }

    fn query(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let mut prepared = SqliteStatement::new(self, sql)?;
        prepared.bind(parameters)?;
        let mut rows = prepared.statement.raw_query();
        while let Some(row) = rows.next()? {
            each(row)?;
        }
        Ok(())
    }
}

/// A statement whose parameters are bound by name: in SQLite `$2` is a name, and positions follow the order of
/// appearance.
struct SqliteStatement<'c> {
    statement: CachedStatement<'c>,
    /// The number in the name of each position.
    numbers: Vec<usize>,
}

impl<'c> SqliteStatement<'c> {
    fn new(connection: &'c Connection, sql: &str) -> Result<Self, DatabaseError> {
        let statement = connection.prepare_cached(sql)?;
        let number = |position| {
            let name = statement.parameter_name(position).unwrap_or("?");
            let number = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
            number.ok_or_else(|| DatabaseError::Other(format!("parameter {name} is no number")))
        };
        let numbers = (1..=statement.parameter_count()).map(number).collect::<Result<_, _>>()?;
        Ok(Self { statement, numbers })
    }

    fn bind(&mut self, parameters: &[Parameter<'_>]) -> Result<(), DatabaseError> {
        for (place, number) in self.numbers.iter().enumerate() {
            let parameter = number.checked_sub(1).and_then(|index| parameters.get(index));
            let value = match parameter {
                Some(Parameter::Null) => ValueRef::Null,
                Some(Parameter::Integer(number)) => ValueRef::Integer(*number),
                Some(Parameter::Text(text)) => ValueRef::Text(text.as_bytes()),
                None => return Err(DatabaseError::Other(format!("parameter ${number} has no value"))),
            };
            self.statement.raw_bind_parameter(place + 1, ToSqlOutput::Borrowed(value))?;
        }
        Ok(())
    }
}

impl Prepared for SqliteStatement<'_> {
    fn execute(&mut self, parameters: &[Parameter<'_>]) -> Result<usize, DatabaseError> {
        self.bind(parameters)?;
        Ok(self.statement.raw_execute()?)
    }
}

impl Row for rusqlite::Row<'_> {
    fn integer(&self, column: usize) -> Result<i64, DatabaseError> {
        Ok(self.get(column)?)
    }

    fn text(&self, column: usize) -> Result<String, DatabaseError> {
        Ok(self.get(column)?)
    }

    fn optional_text(&self, column: usize) -> Result<Option<String>, DatabaseError> {
        Ok(self.get(column)?)
    }
}
