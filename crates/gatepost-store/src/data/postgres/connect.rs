//! Logins and their connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use gatepost_rest::render::Zone;
use tokio::task::JoinHandle;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresOptions;
use super::error::words;
use crate::data::DataError;
use crate::database::{PlaceOptions, PostgresPlace};
use crate::provision::{ClosedCatalog, POWER, Power, power_parameters, power_types};

const STATEMENTS_CACHED: usize = 512;
/// Backends whose client went away notice it within this time.
const CHECK_MS: u32 = 1_000;
/// Queries that share a connection with others are short.
const SHARE_MS: u32 = 1_000;
/// A transaction that nobody goes on with ends after this time.
const IDLE_MS: u32 = 60_000;

const HAS_SCHEMA: &str = "select 1 from pg_catalog.pg_namespace where nspname = $1";

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

/// A way into the database.
#[derive(Debug)]
pub(super) struct Login {
    place: PostgresPlace,
    access: Access,
    settings: String,
    pgbouncer: bool,
    catalog: Option<ClosedCatalog>,
    /// Compatible engines need not know every setting.
    plain: AtomicBool,
}

impl Login {
    pub(super) fn new(
        url: &str,
        access: Access,
        postgres: &PostgresOptions,
        zone: &Zone,
    ) -> Result<Self, DataError> {
        // The schema goes into the settings below, where any name does.
        let options = PlaceOptions::in_folder(&postgres.folder);
        let place =
            PostgresPlace::parse(url, &options).map_err(|error| DataError::Open(error.to_string()))?;
        let mut settings =
            vec![("search_path", quoted(&postgres.schema)), ("TimeZone", zone.name().to_owned())];
        if access == Access::Share {
            settings.push(("statement_timeout", SHARE_MS.to_string()));
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
        Ok(Self {
            place,
            access,
            settings,
            pgbouncer: postgres.pgbouncer,
            catalog: postgres.catalog.clone(),
            plain: AtomicBool::new(false),
        })
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Connects. The connection is driven by the runtime that this runs on.
    pub(super) async fn connect(&self) -> Result<Connection, ConnectError> {
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
        let (client, connection) = config.connect(tls.clone()).await.map_err(ConnectError::Database)?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::info!(%error, "a PostgreSQL connection ended");
            }
        });
        let connection = Connection { client, tls, driver, statements: HashMap::new() };
        connection.refuse_power(self).await?;
        Ok(connection)
    }
}

/// A connection with the statements that it has prepared. Dropping it closes the socket at once, whatever runs.
pub(super) struct Connection {
    pub(super) client: Client,
    tls: MakeRustlsConnect,
    driver: JoinHandle<()>,
    statements: HashMap<u64, Statement>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Connection {
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

/// A value inside the startup options.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace(' ', "\\ ")
}
