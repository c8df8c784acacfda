//! A database of ours in a schema of PostgreSQL: one connection behind a lock, opened again when it is lost.
//!
//! Plain SQL, no prepared statements, no session state and no advisory locks, so that poolers and compatible engines
//! do. Each round trip has a time-out on our side as well: a server that fell silent stops nobody for good.

mod error;
mod lineage;
mod listen;
mod migrate;
mod place;
mod servers;

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::{Access, DatabaseError, Lineage, Migration, Parameter, Prepared, Row, Transaction};
pub use listen::Listener;
pub use place::PostgresPlace;
pub(crate) use servers::each_server;

/// How long we wait for an answer; the server itself gives up a little earlier.
const CALL_TIME: Duration = Duration::from_secs(9);

/// After a failed attempt to connect, who asks within this time is told so at once instead of waiting in a row.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(300);

/// A connection and what is known of it.
struct Session {
    client: Client,
    /// Whether the server has NOTIFY; asked once.
    notifies: Option<bool>,
    /// Whether the server says which one it is.
    has_lineage: bool,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    failed: Option<(Instant, String)>,
}

pub(crate) struct PostgresDatabase {
    place: PostgresPlace,
    runtime: Runtime,
    state: Mutex<State>,
}

impl std::fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresDatabase").field("place", &self.place).finish_non_exhaustive()
    }
}

impl PostgresDatabase {
    pub(super) fn open(
        place: &PostgresPlace,
        migrations: &[Migration],
        create: bool,
    ) -> Result<Self, DatabaseError> {
        let database = Self::connect_only(place)?;
        migrate::bring_to_newest(&database, migrations, create)?;
        Ok(database)
    }

    /// A login in a database that may hold no tables of ours. Connects with the first transaction.
    pub(crate) fn connect_only(place: &PostgresPlace) -> Result<Self, DatabaseError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| DatabaseError::Other(error.to_string()))?;
        Ok(Self { place: place.clone(), runtime, state: Mutex::default() })
    }

    pub(crate) fn transaction<T, E: From<DatabaseError>>(
        &self,
        access: Access,
        work: impl FnOnce(&dyn Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut state = self.lock();
        // Out of its place while it works: after a panic the connection is gone, not in an open transaction.
        let mut session = self.begin(&mut state, access)?;
        let transaction = PostgresTransaction {
            database: self,
            client: &session.client,
            has_lineage: session.has_lineage,
            is_in_recovery: Cell::new(false),
        };
        match work(&transaction) {
            Ok(outcome) => {
                if access == Access::Write {
                    self.notify(&mut session)?;
                }
                self.call(session.client.batch_execute("commit")).map_err(commit_failed)?;
                state.session = Some(session);
                Ok(outcome)
            }
            Err(error) => {
                // A name that leads to a standby now may lead elsewhere soon.
                let usable = !transaction.is_in_recovery.get();
                if usable && self.call(session.client.batch_execute("rollback")).is_ok() {
                    state.session = Some(session);
                }
                Err(error)
            }
        }
    }

    pub(super) fn table_version(&self) -> Result<i64, DatabaseError> {
        let mut version = 0;
        self.transaction(Access::Read, |transaction| {
            transaction.query("select version from catalog_version where id = 1", &[], &mut |row| {
                version = row.integer(0)?;
                Ok(())
            })
        })?;
        Ok(version)
    }

    /// The server's clock (milliseconds since 1970).
    pub(super) fn clock_ms(&self) -> Result<i64, DatabaseError> {
        let mut now_ms = 0;
        self.transaction(Access::Read, |transaction| {
            let question = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
            transaction.query(question, &[], &mut |row| {
                now_ms = row.integer(0)?;
                Ok(())
            })
        })?;
        Ok(now_ms)
    }

    /// Calls `wake` whenever another process may have committed, until the listener is dropped.
    pub(super) fn listen(&self, wake: impl Fn() + Send + 'static) -> std::io::Result<Listener> {
        Listener::start(self.place.clone(), channel(self.place.schema()), wake)
    }

    /// A transaction on the connection that is there, or on a new one: until BEGIN is answered, nothing is lost.
    fn begin(&self, state: &mut State, access: Access) -> Result<Session, DatabaseError> {
        let begin = begin(access, self.place.schema());
        if let Some(session) = state.session.take() {
            match self.call(session.client.batch_execute(&begin)) {
                Ok(()) => return Ok(session),
                Err(DatabaseError::Unreachable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if let Some((at, why)) = &state.failed
            && at.elapsed() < PAUSE_AFTER_FAILURE
        {
            return Err(DatabaseError::Unreachable(why.clone()));
        }
        let session = self.connect().inspect_err(|error| {
            state.failed = Some((Instant::now(), error.to_string()));
        })?;
        state.failed = None;
        self.call(session.client.batch_execute(&begin))?;
        Ok(session)
    }

    fn connect(&self) -> Result<Session, DatabaseError> {
        let (config, tls) = self.place.connector()?;
        let client = self.call(async {
            let (client, connection) = config.connect(tls).await?;
            // Its end shows in the client's next call.
            tokio::spawn(async move { connection.await.ok() });
            Ok(client)
        })?;
        let has_lineage = match self.call(lineage::ask(&client)) {
            Ok(answer) => answer.map(|_| true)?,
            Err(error @ (DatabaseError::Unreachable(_) | DatabaseError::Busy)) => return Err(error),
            Err(error) => {
                tracing::info!(%error, "the catalog's database does not say which server it is; one that takes over \
                    is noticed when its revision is older");
                false
            }
        };
        Ok(Session { client, notifies: None, has_lineage })
    }

    /// Tells the other processes, as a part of the transaction. Engines without NOTIFY are polled.
    fn notify(&self, session: &mut Session) -> Result<(), DatabaseError> {
        let notify = format!("notify {}", quoted(&channel(self.place.schema())));
        if session.notifies == Some(false) {
            return Ok(());
        }
        if session.notifies == Some(true) {
            return self.call(session.client.batch_execute(&notify));
        }
        let tried = format!("savepoint hint; {notify}; release savepoint hint");
        match self.call(session.client.batch_execute(&tried)) {
            Ok(()) => session.notifies = Some(true),
            Err(error @ DatabaseError::Unreachable(_)) => return Err(error),
            Err(error) => {
                tracing::info!(%error, "the catalog's database has no NOTIFY; other processes poll");
                session.notifies = Some(false);
                self.call(session.client.batch_execute("rollback to savepoint hint"))?;
            }
        }
        Ok(())
    }

    /// Waits for an answer, for a bounded time. A connection that missed it must not be used again.
    fn call<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, DatabaseError> {
        let answer = async { tokio::time::timeout(CALL_TIME, answer).await };
        match self.runtime.block_on(answer) {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(DatabaseError::Unreachable("the database does not answer".into())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One round trip. A reader sees one moment; a writer's `update … where revision = …` decides who was first.
fn begin(access: Access, schema: &str) -> String {
    let mode = match access {
        Access::Read => "isolation level repeatable read read only",
        Access::Write => "isolation level read committed read write",
    };
    format!(
        "begin {mode}; set local search_path to {}; set local statement_timeout = 8000; \
         set local lock_timeout = 5000; set local idle_in_transaction_session_timeout = 30000",
        quoted(schema)
    )
}

/// A lost connection leaves it open whether the commit took effect.
fn commit_failed(error: DatabaseError) -> DatabaseError {
    match error {
        DatabaseError::Unreachable(why) => DatabaseError::Unreachable(format!(
            "{why}; the connection was lost while it was told to commit, so look whether the change is there"
        )),
        other => other,
    }
}

/// The channel of a catalog: several can share a database.
fn channel(schema: &str) -> String {
    format!("{schema}_catalog")
}

/// A name as SQL takes it whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

struct PostgresTransaction<'a> {
    database: &'a PostgresDatabase,
    client: &'a Client,
    has_lineage: bool,
    is_in_recovery: Cell<bool>,
}

impl Transaction for PostgresTransaction<'_> {
    fn lineage(&self) -> Result<Option<Lineage>, DatabaseError> {
        if !self.has_lineage {
            return Ok(None);
        }
        let answer = self.database.call(lineage::ask(self.client))?;
        self.is_in_recovery.set(answer.is_err());
        answer.map(Some)
    }

    fn execute(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<usize, DatabaseError> {
        let values: Vec<_> = parameters.iter().map(|value| (value as _, value.postgres_type())).collect();
        Ok(self.database.call(self.client.execute_typed(sql, &values))? as usize)
    }

    fn prepare<'t>(&'t self, sql: &str) -> Result<Box<dyn Prepared + 't>, DatabaseError> {
        Ok(Box::new(PostgresStatement { transaction: self, sql: sql.to_owned() }))
    }

    fn query(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let values: Vec<_> = parameters.iter().map(|value| (value as _, value.postgres_type())).collect();
        let rows = self.database.call(self.client.query_typed(sql, &values))?;
        rows.iter().try_for_each(|row| each(row))
    }
}

/// A statement that is described anew each time: types are declared, so that costs no round trip of its own.
struct PostgresStatement<'t, 'a> {
    transaction: &'t PostgresTransaction<'a>,
    sql: String,
}

impl Prepared for PostgresStatement<'_, '_> {
    fn execute(&mut self, parameters: &[Parameter<'_>]) -> Result<usize, DatabaseError> {
        self.transaction.execute(&self.sql, parameters)
    }
}

impl Parameter<'_> {
    /// Nulls of ours are missing texts.
    fn postgres_type(&self) -> Type {
        match self {
            Self::Integer(_) => Type::INT8,
            Self::Text(_) | Self::Null => Type::TEXT,
        }
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(tokio_postgres::types::IsNull::Yes),
            Self::Integer(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT)
    }

    tokio_postgres::types::to_sql_checked!();
}

impl Row for tokio_postgres::Row {
    fn integer(&self, column: usize) -> Result<i64, DatabaseError> {
        self.try_get(column).map_err(|error| unreadable(column, &error))
    }

    fn text(&self, column: usize) -> Result<String, DatabaseError> {
        self.try_get(column).map_err(|error| unreadable(column, &error))
    }

    fn optional_text(&self, column: usize) -> Result<Option<String>, DatabaseError> {
        self.try_get(column).map_err(|error| unreadable(column, &error))
    }
}

fn unreadable(column: usize, error: &tokio_postgres::Error) -> DatabaseError {
    DatabaseError::Broken(format!("column {column}: {error}"))
}
