//! Logins and their connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::clean::{Cleaner, Means};
use super::error::words;
use super::plain::Watch;
use super::replica::Freshness;
use super::{PostgresOptions, Shared};
use crate::data::{DataError, DataOptions};
use crate::database::postgres::each_server;
use crate::database::{PlaceOptions, PostgresPlace};
use crate::provision::{ClosedCatalog, POWER, Power, power_parameters, power_types};

const STATEMENTS_CACHED: usize = 512;
/// Backends whose client went away notice it within this time.
const CHECK_MS: u32 = 1_000;
/// Queries that share a connection with others are short.
const SHARE_MS: u32 = 1_000;
/// A transaction that nobody goes on with ends after this time.
pub(super) const IDLE_MS: u32 = 60_000;

const HAS_SCHEMA: &str = "select 1 from pg_catalog.pg_namespace where nspname = $1";

const IN_RECOVERY: &str = "select pg_catalog.pg_is_in_recovery()";
/// When the server was started, in microseconds: no two servers were so at the same moment.
pub(super) const INSTANCE: &str =
    "select cast(extract(epoch from pg_catalog.pg_postmaster_start_time()) * 1000000 as bigint)";

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Queries of handlers that share a connection.
    Share,
    /// Queries of handlers.
    Read,
    /// Changes of handlers.
    Write,
    /// Scripts.
    Own,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// A file of the URL cannot be read.
    Local(String),
    /// The server cannot be reached, or refused.
    Database(tokio_postgres::Error),
}

impl ConnectError {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Local(message) => message.clone(),
            Self::Database(error) => words(error),
        }
    }
}

/// Which server a connection may lead to.
#[derive(Clone, Debug)]
enum Demand {
    /// What the driver says.
    Driver,
    /// One that is not in recovery. The driver cannot tell: it looks at a setting that readers have anyway.
    Primary,
    /// The one that was looked at.
    Replica(Arc<Freshness>),
}

/// A way into the database.
#[derive(Debug)]
pub(super) struct Login {
    place: PostgresPlace,
    access: Access,
    demand: Demand,
    settings: String,
    pgbouncer: bool,
    catalog: Option<ClosedCatalog>,
    /// Compatible engines need not know every setting.
    plain: AtomicBool,
    means: Arc<Means>,
}

impl Login {
    pub(super) fn new(
        url: &str,
        access: Access,
        postgres: &PostgresOptions,
        options: &DataOptions,
    ) -> Result<Self, DataError> {
        // The schema goes into the settings below, where any name does.
        let place = PostgresPlace::parse(url, &PlaceOptions::in_folder(&postgres.folder))
            .map_err(|error| DataError::Open(error.to_string()))?;
        let mut settings =
            vec![("search_path", quoted(&postgres.schema)), ("TimeZone", options.zone.name().to_owned())];
        match access {
            Access::Share => settings.push(("statement_timeout", SHARE_MS.to_string())),
            // A single change runs under this limit, without a transaction of its own.
            Access::Write => {
                let write_ms = options.write_time.as_millis().max(4);
                settings.push(("statement_timeout", write_ms.to_string()));
                // Before that, so that who waits in a queue is told to come back and not that it was slow.
                settings.push(("lock_timeout", (write_ms * 3 / 4).to_string()));
                // Of several servers the driver takes one that is not set to read only: it must be seen as it is.
                if !place.wants_writable() {
                    settings.push(("default_transaction_read_only", "off".into()));
                }
            }
            Access::Read | Access::Own => {}
        }
        if matches!(access, Access::Share | Access::Read) {
            settings.push(("default_transaction_read_only", "on".into()));
        }
        settings.push(("idle_in_transaction_session_timeout", IDLE_MS.to_string()));
        let settings = settings
            .iter()
            .map(|(name, value)| format!("-c {name}={}", escaped(value)))
            .collect::<Vec<_>>()
            .join(" ");
        let reads = matches!(access, Access::Share | Access::Read);
        let demand = if reads && place.wants_writable() { Demand::Primary } else { Demand::Driver };
        Ok(Self {
            place,
            access,
            demand,
            settings,
            pgbouncer: postgres.pgbouncer,
            catalog: postgres.catalog.clone(),
            plain: AtomicBool::new(false),
            means: Arc::default(),
        })
    }

    /// What is known of the objects of the database that it leads to.
    pub(super) fn watch<'s>(&'s self, shared: &'s Shared) -> &'s Watch {
        match &self.demand {
            Demand::Replica(freshness) => freshness.watch(),
            Demand::Driver | Demand::Primary => &shared.watch,
        }
    }

    /// Takes no connection but to the replica that was looked at.
    pub(super) fn of_replica(mut self, freshness: &Arc<Freshness>) -> Self {
        self.demand = Demand::Replica(Arc::clone(freshness));
        self
    }

    /// Takes what the driver takes.
    pub(super) fn of_any(mut self) -> Self {
        self.demand = Demand::Driver;
        self
    }

    /// How many servers the URL names.
    pub(super) fn servers(&self) -> usize {
        self.place.servers()
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Connects. The connection is driven by the runtime that this runs on.
    pub(super) async fn connect(&self) -> Result<Connection, ConnectError> {
        // Behind a pointer: the futures of requests, which seldom connect, stay small.
        Box::pin(self.connect_somehow()).await
    }

    async fn connect_somehow(&self) -> Result<Connection, ConnectError> {
        if self.pgbouncer {
            return self.connect_with("").await;
        }
        if !self.plain.load(Ordering::Relaxed) {
            let options = format!("{} -c client_connection_check_interval={CHECK_MS}", self.settings);
            match self.connect_with(&options).await {
                Err(ConnectError::Database(error))
                    if matches!(
                        error.code(),
                        Some(&SqlState::UNDEFINED_OBJECT | &SqlState::INVALID_PARAMETER_VALUE)
                    ) =>
                {
                    self.plain.store(true, Ordering::Relaxed);
                }
                other => return other,
            }
        }
        self.connect_with(&self.settings).await
    }

    async fn connect_with(&self, options: &str) -> Result<Connection, ConnectError> {
        let (mut config, tls) =
            self.place.connector().map_err(|error| ConnectError::Local(error.to_string()))?;
        if !options.is_empty() {
            let given = config.get_options().unwrap_or_default().to_owned();
            config.options(format!("{given} {options}").trim());
        }
        // A reader may well be a replica.
        if matches!(self.access, Access::Share | Access::Read) {
            config.target_session_attrs(TargetSessionAttrs::Any);
        }
        let connection = match &self.demand {
            Demand::Driver => open(self, &config, tls).await?,
            Demand::Primary => open_primary(self, &config, &tls).await?,
            Demand::Replica(freshness) => open_replica(self, &config, tls, freshness).await?,
        };
        connection.refuse_power(self).await?;
        Ok(connection)
    }
}

async fn open(login: &Login, config: &Config, tls: MakeRustlsConnect) -> Result<Connection, ConnectError> {
    let (client, connection) = config.connect(tls.clone()).await.map_err(ConnectError::Database)?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::info!(%error, "a PostgreSQL connection ended");
        }
    });
    Ok(Connection {
        client,
        tls,
        driver,
        access: login.access,
        is_pooled: login.pgbouncer,
        replica: None,
        statements: HashMap::new(),
        cleaner: Cleaner::default(),
        means: Arc::clone(&login.means),
    })
}

/// The first of several servers that is not in recovery.
async fn open_primary(
    login: &Login,
    config: &Config,
    tls: &MakeRustlsConnect,
) -> Result<Connection, ConnectError> {
    let mut failed = None;
    for server in each_server(config) {
        match open(login, &server, tls.clone()).await {
            Ok(connection) => match connection.client.query_typed_one(IN_RECOVERY, &[]).await {
                Ok(row) if row.try_get(0).unwrap_or(false) => {}
                // Compatible engines need not know recovery.
                Ok(_) => return Ok(connection),
                Err(error) if error.as_db_error().is_some() => return Ok(connection),
                Err(error) => failed = Some(error),
            },
            Err(ConnectError::Database(error)) => failed = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(failed.map_or_else(
        || ConnectError::Local("every server of the URL is in recovery, and none takes writes".into()),
        ConnectError::Database,
    ))
}

/// The server that was looked at, and not another one behind the same name.
async fn open_replica(
    login: &Login,
    config: &Config,
    tls: MakeRustlsConnect,
    freshness: &Arc<Freshness>,
) -> Result<Connection, ConnectError> {
    let mut connection = open(login, config, tls).await?;
    let row = connection.client.query_typed_one(INSTANCE, &[]).await.map_err(ConnectError::Database)?;
    let started_us = row.try_get(0).map_err(ConnectError::Database)?;
    if !freshness.is_of(started_us) {
        let message = "another server answers at this URL than the one that was looked at";
        return Err(ConnectError::Local(message.into()));
    }
    connection.replica = Some((started_us, Arc::clone(freshness)));
    Ok(connection)
}

/// A connection with the statements that it has prepared. Dropping it closes the socket at once, whatever runs.
pub(super) struct Connection {
    pub(super) client: Client,
    tls: MakeRustlsConnect,
    driver: JoinHandle<()>,
    access: Access,
    /// Whether a pooler stands in front of the server.
    pub(super) is_pooled: bool,
    /// For a replica: when its server was started, and what is known of it.
    replica: Option<(i64, Arc<Freshness>)>,
    statements: HashMap<u64, Statement>,
    cleaner: Cleaner,
    means: Arc<Means>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Clears away what a request may have left, behind what was sent before.
    pub(super) fn clean(&self) -> Result<(), tokio_postgres::Error> {
        self.cleaner.start(&self.client, &self.means)
    }

    /// Waits until it is clean; one that is not must not be used again.
    pub(super) async fn cleaned(&mut self) -> Result<bool, tokio_postgres::Error> {
        self.cleaner.finish(&self.means).await
    }

    /// The statement of this number, if it was prepared.
    pub(super) fn known(&self, number: u64) -> Option<Statement> {
        self.statements.get(&number).cloned()
    }

    /// The statement of this number, prepared when it is first asked for.
    pub(super) async fn prepared(
        &mut self,
        number: u64,
        text: &str,
        types: &[Type],
    ) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(&number) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare_typed(text, types).await?;
        if self.statements.len() >= STATEMENTS_CACHED {
            self.statements.clear();
        }
        self.statements.insert(number, statement.clone());
        Ok(statement)
    }

    /// Whether it leads to the server that it should lead to.
    pub(super) fn is_current(&self) -> bool {
        let leads_there = |(started_us, freshness): &(i64, Arc<Freshness>)| freshness.is_of(*started_us);
        !self.client.is_closed() && self.replica.as_ref().is_none_or(leads_there)
    }

    /// Whether a query may be sent now: a replica is left alone once it is not proven to be fresh any more, however
    /// long the query waited for it.
    pub(super) fn may_answer(&self) -> bool {
        self.replica.as_ref().is_none_or(|(_, freshness)| freshness.is_fresh())
    }

    /// User SQL must not reach the server's files and programs, nor what other logins keep.
    async fn refuse_power(&self, login: &Login) -> Result<(), ConnectError> {
        let parameters = power_parameters(login.catalog.as_ref());
        let rows = match self.client.query_typed(POWER, &power_types(&parameters)).await {
            Ok(rows) => rows,
            // Compatible engines need not have such roles.
            Err(error) if error.code().is_some_and(is_unknown) => return Ok(()),
            Err(error) => return Err(ConnectError::Database(error)),
        };
        let Some(row) = rows.first() else { return Ok(()) };
        let text = |column: usize| row.try_get::<_, String>(column).map_err(ConnectError::Database);
        let power =
            Power::read(&text(0)?, text(1)?, None).map_err(|error| ConnectError::Local(error.to_string()))?;
        let name = login.place.user().unwrap_or_default();
        Err(ConnectError::Local(format!(
            "the login {name} is refused: {}; `gatepost check-config` says how to end that",
            power.words(name)
        )))
    }

    /// Whether a schema of this name is there for the login.
    pub(super) async fn has_schema(&self, name: &str) -> Result<bool, tokio_postgres::Error> {
        let rows = self.client.query_typed(HAS_SCHEMA, &[(&name, Type::TEXT)]).await?;
        Ok(!rows.is_empty())
    }

    /// Asks the server to end what runs. It may come late, and then meets the next statement.
    pub(super) async fn cancel(&self) {
        // Best effort: what runs has a time limit of its own.
        let _ = self.client.cancel_token().cancel_query(self.tls.clone()).await;
    }

    /// Forgets what is prepared: something in the database changed.
    pub(super) fn forget_statements(&mut self) {
        self.statements.clear();
        self.client.clear_type_cache();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A function, a table or a column that the server does not know.
fn is_unknown(code: &SqlState) -> bool {
    [SqlState::UNDEFINED_FUNCTION, SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN].contains(code)
}

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL writes it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A value inside the startup options.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace(' ', "\\ ")
}
