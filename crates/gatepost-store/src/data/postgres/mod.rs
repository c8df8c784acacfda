//! The engine for PostgreSQL: one schema of a database, reached by up to three logins.
//!
//! Queries run under the reader's login, changes under the writer's, scripts under the owner's. Each request is one
//! transaction on a pooled connection, its BEGIN sent together with the statement. Values travel as text, so that
//! the server decides what they mean; results travel in binary and are written as JSON here.

mod background;
mod change;
mod connect;
mod encode;
mod error;
mod fast;
mod lane;
mod pool;
mod query;
mod replica;
mod resolve;
mod row;
mod rows;
mod session;
mod splice;
#[cfg(test)]
mod tests;
mod value;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatepost_rest::plan::Plan;
use gatepost_rest::render::{Columns, Zone};
use gatepost_rest::source::{CompiledSource, Step};
use tokio::sync::Mutex;

use super::{DataError, DataOptions, Description, ExecuteError, Limits, Precondition, ReplicaReport, Reply};
use crate::provision::ClosedCatalog;
use background::Background;
use connect::{Access, Connection, Login};
use fast::FastLane;
use pool::Pool;
use replica::Replicas;
use resolve::{Resolver, Wanted};
pub(super) use session::Session;

/// Where a schema of PostgreSQL is, and how its connections are used.
#[derive(Clone)]
pub struct PostgresOptions {
    /// The URL of the login that queries run under: one without rights to write.
    pub reader_url: String,
    /// The URL of the login that changes run under.
    pub writer_url: String,
    /// The URL of the login that scripts run under: the schema's owner.
    pub owner_url: String,
    /// The folder that the files in URLs are relative to.
    pub folder: PathBuf,
    /// The schema's name in the database.
    pub schema: String,
    /// The URLs of standbys, each with the reader's login.
    pub replica_urls: Vec<String>,
    /// How old the answers of standbys may be.
    pub replica_max_lag: Duration,
    /// Connections for queries, on each server.
    pub readers_max: usize,
    /// Connections for changes.
    pub writers_max: usize,
    /// How long a request waits for a connection.
    pub wait: Duration,
    /// Whether requests say who asks, in the settings `gatepost.client_id`, `gatepost.roles` and `gatepost.claims`.
    pub row_level_security: bool,
    /// Whether a pooler in transaction mode stands in front of the database.
    pub pgbouncer: bool,
    /// The catalog that no login of data may reach.
    pub catalog: Option<ClosedCatalog>,
}

/// Passwords stay out of logs.
impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl PostgresOptions {
    /// The usual sizes; one URL for all three logins.
    pub fn new(url: impl Into<String>, schema: impl Into<String>) -> Self {
        let url = url.into();
        Self {
            reader_url: url.clone(),
            writer_url: url.clone(),
            owner_url: url,
            folder: PathBuf::new(),
            schema: schema.into(),
            replica_urls: Vec::new(),
            replica_max_lag: Duration::from_secs(1),
            readers_max: 8,
            writers_max: 4,
            wait: Duration::from_secs(5),
            row_level_security: false,
            pgbouncer: false,
            catalog: None,
        }
    }
}

/// The pools of one schema. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: DataOptions,
    postgres: PostgresOptions,
    fast: Option<FastLane>,
    readers: Pool,
    writers: Pool,
    replicas: Replicas,
    owner: Login,
    resolver: Resolver,
    background: Background,
    /// Connections of checks: the reader's and the writer's.
    checkers: [Mutex<Option<Connection>>; 2],
    closed: AtomicBool,
}

impl Shared {
    fn zone(&self) -> &Zone {
        &self.options.zone
    }
}

impl Engine {
    /// Reads the URLs. Nothing is connected to yet.
    pub(super) fn open(postgres: PostgresOptions, options: DataOptions) -> Result<Self, DataError> {
        let login = |url: &str, access| Login::new(url, access, &postgres, &options.zone);
        let readers =
            Pool::new(login(&postgres.reader_url, Access::Read)?, postgres.readers_max, postgres.wait)?;
        let writers =
            Pool::new(login(&postgres.writer_url, Access::Write)?, postgres.writers_max, postgres.wait)?;
        let fast = !postgres.row_level_security && !postgres.pgbouncer;
        let fast = fast.then(|| login(&postgres.reader_url, Access::Share).map(FastLane::new)).transpose()?;
        let replicas = Replicas::open(&postgres, &options.zone, fast.is_some())?;
        let owner = login(&postgres.owner_url, Access::Own)?;
        let shared = Shared {
            fast,
            readers,
            writers,
            replicas,
            owner,
            resolver: Resolver::default(),
            background: Background::start()?,
            checkers: Default::default(),
            closed: AtomicBool::new(false),
            options,
            postgres,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn asks_who(&self) -> bool {
        self.shared.postgres.row_level_security
    }

    pub(super) async fn execute_if(
        &self,
        plan: Plan,
        precondition: Precondition,
        limits: Limits,
    ) -> Result<Reply, ExecuteError> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(ExecuteError::Stopped);
        }
        change::run(&self.shared, &plan, Some(&precondition), limits).await
    }

    pub(super) async fn execute(&self, plan: Plan, limits: Limits) -> Result<Reply, ExecuteError> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(ExecuteError::Stopped);
        }
        if plan.source.writes {
            change::run(&self.shared, &plan, None, limits).await
        } else {
            query::run(&self.shared, plan, limits).await
        }
    }

    pub(super) fn check(&self, source: &CompiledSource) -> Result<Description, String> {
        // The future must own what it looks at: the statements, by themselves.
        let shared = Arc::clone(&self.shared);
        let wanted = wanted_of(source);
        let writes = source.writes;
        self.shared.background.wait(async move {
            let pool = if writes { &shared.writers } else { &shared.readers };
            // Not from the pool: its connections are driven by a runtime that the caller may be blocking.
            let mut checker = shared.checkers[usize::from(writes)].lock().await;
            if checker.as_ref().is_none_or(|connection| connection.client.is_closed()) {
                *checker = None;
            }
            let connection = if let Some(connection) = checker.as_ref() {
                connection
            } else {
                let connected = pool.login().connect().await;
                checker.insert(connected.map_err(|error| error.words())?)
            };
            let mut columns = Columns::default();
            for (place, wanted, shown) in wanted {
                let resolved = resolve::resolve(connection, &wanted, shared.zone())
                    .await
                    .map_err(|error| format!("{place}{}", resolve::explain(&error, &wanted)))?;
                if shown {
                    columns = resolved.columns;
                }
            }
            Ok(Description { columns })
        })?
    }

    /// Whether the schema is there, for each login.
    pub(super) fn probe(&self) -> Result<(), DataError> {
        let shared = Arc::clone(&self.shared);
        let found = self.shared.background.wait(async move {
            for login in [shared.readers.login(), shared.writers.login(), &shared.owner] {
                let connection = login.connect().await.map_err(|error| error.words())?;
                let name = &shared.postgres.schema;
                match connection.has_schema(name).await {
                    Ok(true) => {}
                    Ok(false) => return Err(format!("the database has no schema `{name}`")),
                    Err(error) => return Err(error::words(&error)),
                }
            }
            Ok(())
        });
        found.and_then(|found| found).map_err(DataError::Open)
    }

    /// Looks at each replica once.
    pub(super) fn replicas(&self) -> Result<Vec<ReplicaReport>, DataError> {
        let shared = Arc::clone(&self.shared);
        let looking = async move { shared.replicas.report().await };
        self.shared.background.wait(looking).map_err(DataError::Open)
    }

    pub(super) fn session(&self) -> Result<Session, DataError> {
        Session::open(&self.shared)
    }

    pub(super) fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.readers.close();
        self.shared.writers.close();
        self.shared.replicas.close();
    }
}

/// The statements of a source, each with what to say in front of its errors and whether its columns are the answer.
fn wanted_of(source: &CompiledSource) -> Vec<(&'static str, Wanted, bool)> {
    let mut all = Vec::new();
    for step in &source.steps {
        match step {
            Step::Query(query) => all.push(("", Wanted::rows(query, source), true)),
            Step::Change { statement, .. } => all.push(("", Wanted::change(statement, source), false)),
            Step::Assign { expression, .. } => all.push(("", Wanted::query(expression, source), false)),
        }
    }
    if let Some(etag) = &source.etag {
        all.push(("etag query: ", Wanted::query(etag, source), false));
    }
    all
}
