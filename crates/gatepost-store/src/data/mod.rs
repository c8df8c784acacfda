//! The data that handlers and SQL Commands work on, one place a schema: a SQLite file or a PostgreSQL schema.
//!
//! [`DataStore::execute`] runs plans, [`DataStore::check`] looks at a handler when it is defined, [`Session`] is for
//! scripts of the schema's owner, and [`TableSync`] copies rows of a REST source into a table. The engines below hold everything that knows a database driver.

mod description;
mod dictionary;
mod error;
mod look;
mod postgres;
mod reply;
mod session;
mod sqlite;
mod stream;
mod synchronize;

use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use gatepost_rest::plan::Plan;
use gatepost_rest::render::Zone;
use gatepost_rest::source::CompiledSource;
use gatepost_rest::sql::Dialect;

pub use description::{DescribedType, Description, ValueType};
pub use dictionary::{DictionarySource, DictionaryView};
pub use error::{ConstraintKind, DataError, ExecuteError};
pub use look::{PlanStep, RELATIONS_MAX, Relation, RelationColumn};
pub use postgres::PostgresOptions;
pub use reply::{Reply, ReplyBody};
pub use session::{Session, SessionError, SessionResult, SessionValue};
pub use sqlite::scratch::{Scratch, ScratchColumn, ScratchLimits, ScratchRows, computing};
pub use stream::RowStream;
pub use synchronize::{
    Claimed, SyncClaim, SyncCounts, SyncError, SyncState, SyncTarget, TableSync, sync_state, table_drift,
};

/// Where a schema's data is.
#[derive(Clone, Debug)]
pub enum DataLocation {
    /// A file.
    Sqlite(PathBuf),
    /// A schema of a PostgreSQL database.
    Postgres(Box<PostgresOptions>),
}

impl DataLocation {
    /// Whose SQL is spoken there.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// How a data store runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataOptions {
    /// Threads for reads.
    pub reader_threads: usize,
    /// Threads for answers that stream; each serves one client at a time.
    pub stream_threads: usize,
    /// Jobs that may wait in each queue before the store says that it is busy.
    pub queue_max: usize,
    /// Answers up to this size are sent whole.
    pub buffer_bytes_max: usize,
    /// Size of a chunk of a stream.
    pub chunk_bytes: usize,
    /// How long a stream waits for a client that does not read.
    pub stall: Duration,
    /// How long a writing handler may run.
    pub write_time: Duration,
    /// How long to wait for a lock that another process holds.
    pub busy_wait: Duration,
    /// The largest text, blob or row.
    pub value_bytes_max: u32,
    /// Pages that the file may have; 0 = as many as the disk holds. Beyond it a change fails as on a full disk.
    pub pages_max: u32,
    /// Whether reads of one row by a unique key run on the caller's thread.
    pub in_place: bool,
    /// The zone of timestamps that carry none.
    pub zone: Zone,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            reader_threads: 2,
            stream_threads: 4,
            queue_max: 1024,
            buffer_bytes_max: 64 * 1024,
            chunk_bytes: 64 * 1024,
            stall: Duration::from_secs(10),
            write_time: Duration::from_secs(2),
            busy_wait: Duration::from_millis(500),
            value_bytes_max: 10_000_000,
            pages_max: 0,
            in_place: true,
            zone: Zone::UTC,
        }
    }
}

/// The bounds of one execution.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When it must be over.
    pub deadline: Instant,
    /// Rows that an answer may have.
    pub rows_max: u64,
    /// Bytes that a body may have.
    pub bytes_max: u64,
}

/// What must be true for a change to be made, looked at in the transaction that makes it.
pub struct Precondition {
    /// The query that shows the state.
    pub plan: Plan,
    /// Whether its reply is the state that is wanted; a query that fails is none.
    pub holds: Box<dyn Fn(&Reply) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Precondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Precondition").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// What a look at a replica found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaReport {
    /// Its URL, without what could be a password.
    pub name: String,
    /// How old its answers are at most, or why it answers nothing.
    pub behind: Result<Duration, String>,
}

/// A schema's data. Cloning shares it.
#[derive(Clone, Debug)]
pub struct DataStore(Engine);

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(sqlite::Engine),
    Postgres(postgres::Engine),
}

impl DataStore {
    /// Opens the place. A SQLite file is made when it is missing; PostgreSQL is connected to when it is needed.
    pub fn open(location: &DataLocation, options: DataOptions) -> Result<Self, DataError> {
        Ok(Self(match location {
            DataLocation::Sqlite(path) => Engine::Sqlite(sqlite::Engine::open(path, options)?),
            DataLocation::Postgres(postgres) => {
                Engine::Postgres(postgres::Engine::open(postgres.as_ref().clone(), options)?)
            }
        }))
    }

    /// Whose SQL is spoken here.
    pub fn dialect(&self) -> Dialect {
        match &self.0 {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Whether plans should say who asks.
    pub fn asks_who(&self) -> bool {
        match &self.0 {
            Engine::Sqlite(_) => false,
            Engine::Postgres(engine) => engine.asks_who(),
        }
    }

    /// Runs a plan.
    pub async fn execute(&self, plan: Plan, limits: Limits) -> Result<Reply, ExecuteError> {
        let values_sent = values_sent(&plan);
        let result = match &self.0 {
            Engine::Sqlite(engine) => engine.execute(plan, limits).await,
            Engine::Postgres(engine) => {
                // Behind a pointer: the futures of the callers stay small.
                let work: Pin<Box<dyn Future<Output = _> + Send + '_>> =
                    Box::pin(engine.execute(plan, limits));
                work.await
            }
        };
        result.map_err(|error| error.whoever_sent(values_sent))
    }

    /// Runs a plan that changes data, if a precondition holds in the same transaction.
    pub async fn execute_if(
        &self,
        plan: Plan,
        precondition: Precondition,
        limits: Limits,
    ) -> Result<Reply, ExecuteError> {
        let values_sent = values_sent(&plan);
        let result = match &self.0 {
            Engine::Sqlite(engine) => engine.execute_if(plan, precondition, limits).await,
            Engine::Postgres(engine) => {
                let work: Pin<Box<dyn Future<Output = _> + Send + '_>> =
                    Box::pin(engine.execute_if(plan, precondition, limits));
                work.await
            }
        };
        result.map_err(|error| error.whoever_sent(values_sent))
    }

    /// Prepares a handler's statements without running them, for load reports and documents. Blocks.
    pub fn check(&self, source: &CompiledSource) -> Result<Description, String> {
        match &self.0 {
            Engine::Sqlite(engine) => engine.check(source),
            Engine::Postgres(engine) => engine.check(source),
        }
    }

    /// Whether the place can be reached and used. Blocks.
    pub fn probe(&self) -> Result<(), DataError> {
        match &self.0 {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(engine) => engine.probe(),
        }
    }

    /// Looks at each read replica once. Blocks.
    pub fn replicas(&self) -> Result<Vec<ReplicaReport>, DataError> {
        match &self.0 {
            Engine::Sqlite(_) => Ok(Vec::new()),
            Engine::Postgres(engine) => engine.replicas(),
        }
    }

    /// Opens a connection for scripts of the schema's owner. Blocks, as everything that a session does.
    pub fn session(&self) -> Result<Session, DataError> {
        match &self.0 {
            Engine::Sqlite(engine) => {
                engine.session().map(|session| Session(session::Engine::Sqlite(Box::new(session))))
            }
            Engine::Postgres(engine) => {
                engine.session().map(|session| Session(session::Engine::Postgres(session)))
            }
        }
    }

    /// Lets the jobs at hand finish, refuses new ones and waits for the threads. Blocks.
    pub fn close(&self) {
        match &self.0 {
            Engine::Sqlite(engine) => engine.close(),
            Engine::Postgres(engine) => engine.close(),
        }
    }
}

/// Whether the statements of a plan see anything that its caller sent.
fn values_sent(plan: &Plan) -> bool {
    plan.source.slots.iter().any(|slot| slot.source.is_callers())
}
