//! Logins and their connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::clean::{Cleaner, Means};
use super::error::words;
use super::{Arc, PostgresOptions};
use crate::data::{DataError, DataOptions};
use crate::database::{PlaceOptions, PostgresPlace};

const STATEMENTS_CACHED: usize = 512;
/// Backends whose client went away notice it within this time.
const CHECK_MS: u32 = 1_000;
/// Queries that share a connection with others are short.
const SHARE_MS: u32 = 1_000;
/// A transaction that nobody goes on with ends after this time.
pub(super) const IDLE_MS: u32 = 60_000;

const HAS_SCHEMA: &str = "select 1 from pg_catalog.pg_namespace where nspname = $1";
const POWER: &str = "select r.rolname::text from pg_catalog.pg_roles r where r.rolname = current_user \
     and exists (select from pg_catalog.pg_roles m where (m.rolsuper or m.rolname in \
     ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')) \
     and pg_catalog.pg_has_role(r.oid, m.oid, 'member'))";

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
                settings.push(("statement_timeout", options.write_time.as_millis().max(1).to_string()));
                settings.push(("default_transaction_read_only", "off".into()));
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
        let (pgbouncer, plain) = (postgres.pgbouncer, AtomicBool::new(false));
        Ok(Self { place, access, settings, pgbouncer, plain, means: Arc::default() })
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
        let connection = Connection {
            client,
            tls,
            driver,
            access: self.access,
            is_pooled: self.pgbouncer,
            statements: HashMap::new(),
            cleaner: Cleaner::default(),
            means: Arc::clone(&self.means),
        };
        connection.refuse_power().await?;
        Ok(connection)
    }
}

/// A connection with the statements that it has prepared. Dropping it closes the socket at once, whatever runs.
pub(super) struct Connection {
    pub(super) client: Client,
    tls: MakeRustlsConnect,
    driver: JoinHandle<()>,
    access: Access,
    /// Whether a pooler stands in front of the server.
    pub(super) is_pooled: bool,
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

    /// User SQL must not reach the server's files and programs, nor what other logins keep.
    async fn refuse_power(&self) -> Result<(), ConnectError> {
        let found = match self.client.query_typed(POWER, &[]).await {
            Ok(rows) => rows.first().and_then(|row| row.try_get::<_, Option<String>>(0).ok()).flatten(),
            // Compatible engines have no such roles.
            Err(error) if error.as_db_error().is_some() => None,
            Err(error) => return Err(ConnectError::Database(error)),
        };
        match found {
            None => Ok(()),
            Some(login) => Err(ConnectError::Local(format!(
                "the login {login} is a superuser, or may reach the server's files or programs; data is reached by a \
                 login that may not"
            ))),
        }
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
