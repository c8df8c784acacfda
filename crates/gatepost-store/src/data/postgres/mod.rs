//! The engine for PostgreSQL: one schema of a database, reached by up to three logins.
//!
//! Queries run under the reader's login, changes under the writer's, scripts under the owner's. Each request is one
//! transaction on a pooled connection, its BEGIN sent together with the statement. Values travel as text, so that
//! the server decides what they mean; results travel in binary and are written as JSON here.

mod apart;
mod background;
mod change;
mod check;
mod clean;
mod connect;
mod encode;
mod error;
mod fast;
mod infer;
mod lane;
mod plain;
mod pool;
mod query;
mod replica;
mod resolve;
mod row;
mod rows;
mod session;
mod shape;
mod splice;
#[cfg(test)]
mod tests;
mod transaction;
mod value;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatepost_rest::plan::Plan;
use gatepost_rest::render::Zone;
use gatepost_rest::source::CompiledSource;
use tokio::sync::Mutex;

use super::{DataError, DataOptions, Description, ExecuteError, Limits, Precondition, ReplicaReport, Reply};
use crate::provision::ClosedCatalog;
use background::Background;
use connect::{Access, Connection, Login};
use fast::FastLane;
use plain::Watch;
use pool::Pool;
use replica::Replicas;
use resolve::Resolver;
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
    /// The role that requests run under; absent: the login itself.
    pub role: Option<String>,
    /// The roles of requests by a role that their caller holds: the first that fits counts.
    pub caller_roles: Vec<(String, String)>,
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
            role: None,
            caller_roles: Vec::new(),
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
    watch: Watch,
    /// Held by whoever describes a statement behind a pooler.
    describing: Mutex<()>,
    background: Background,
    /// Connections of checks: the reader's and the writer's.
    checkers: [Mutex<Option<Connection>>; 2],
    closed: AtomicBool,
}

impl Shared {
    fn zone(&self) -> &Zone {
        &self.options.zone
    }

    /// Whether the login of a connection may assume each of the roles.
    async fn check_roles(&self, connection: &Connection) -> Result<(), String> {
        let of_callers = self.postgres.caller_roles.iter().map(|(_, role)| role);
        for role in of_callers.chain(&self.postgres.role) {
            connection.client.batch_execute("begin").await.map_err(|error| error::words(&error))?;
            let assumed = apart::assume_locally(connection, Some(role.as_str())).await;
            assumed.map_err(|failed| failed.into_error().to_string())?;
            connection.client.batch_execute("rollback").await.map_err(|error| error::words(&error))?;
        }
        Ok(())
    }

    /// Whether the database refuses something to this caller that it lets others do.
    fn decides_by_caller(&self, plan: &Plan) -> bool {
        self.postgres.row_level_security || self.role_of_caller(plan).is_some()
    }

    /// The role that a request runs under; none for the login itself.
    fn role_of(&self, plan: &Plan) -> Option<&str> {
        self.role_of_caller(plan).or(self.postgres.role.as_deref())
    }

    fn role_of_caller(&self, plan: &Plan) -> Option<&str> {
        let held = &plan.principal.as_ref()?.roles;
        let of_caller = self.postgres.caller_roles.iter().find(|(role, _)| held.contains(role));
        of_caller.map(|(_, role)| role.as_str())
    }
}

impl Engine {
    /// Reads the URLs. Nothing is connected to yet.
    pub(super) fn open(postgres: PostgresOptions, options: DataOptions) -> Result<Self, DataError> {
        let login = |url: &str, access| Login::new(url, access, &postgres, &options);
        let readers =
            Pool::new(login(&postgres.reader_url, Access::Read)?, postgres.readers_max, postgres.wait)?;
        let writers =
            Pool::new(login(&postgres.writer_url, Access::Write)?, postgres.writers_max, postgres.wait)?;
        let roles = postgres.role.is_some() || !postgres.caller_roles.is_empty();
        let fast = !postgres.row_level_security && !roles && !postgres.pgbouncer;
        let fast = fast.then(|| login(&postgres.reader_url, Access::Share).map(FastLane::new)).transpose()?;
        let replicas = Replicas::open(&postgres, &options, fast.is_some())?;
        let owner = login(&postgres.owner_url, Access::Own)?;
        let shared = Shared {
            fast,
            readers,
            writers,
            replicas,
            owner,
            resolver: Resolver::default(),
            watch: Watch::default(),
            describing: Mutex::default(),
            background: Background::start()?,
            checkers: Default::default(),
            closed: AtomicBool::new(false),
            options,
            postgres,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn asks_who(&self) -> bool {
        self.shared.postgres.row_level_security || !self.shared.postgres.caller_roles.is_empty()
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
        let (shared, places, writes) = (Arc::clone(&self.shared), check::places(source), source.writes);
        self.shared.background.wait(async move { check::describe(&shared, places, writes).await })?
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
                if login.access() != Access::Own {
                    shared.check_roles(&connection).await?;
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
