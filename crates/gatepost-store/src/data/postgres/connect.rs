//! Logins and their connections.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatepost_rest::render::Zone;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::PostgresOptions;
use crate::data::DataError;

const STATEMENTS_CACHED: usize = 512;
const CONNECT: Duration = Duration::from_secs(10);
/// Backends whose client went away notice it within this time.
const CHECK_MS: u32 = 1_000;
/// A transaction that nobody goes on with ends after this time.
const IDLE_MS: u32 = 60_000;

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Queries of handlers.
    Read,
    /// Changes of handlers.
    Write,
    /// Scripts.
    Own,
}

/// A way into the database.
#[derive(Debug)]
pub(super) struct Login {
    config: Config,
    access: Access,
    settings: String,
    pgbouncer: bool,
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
        let mut config = Config::from_str(url)
            .map_err(|error| DataError::Open(format!("the PostgreSQL URL cannot be read: {error}")))?;
        config.connect_timeout(CONNECT).application_name("gatepost");
        let mut settings =
            vec![("search_path", quoted(&postgres.schema)), ("TimeZone", zone.name().to_owned())];
        if access == Access::Read {
            settings.push(("default_transaction_read_only", "on".into()));
        }
        settings.push(("idle_in_transaction_session_timeout", IDLE_MS.to_string()));
        let settings = settings
            .iter()
            .map(|(name, value)| format!("-c {name}={}", escaped(value)))
            .collect::<Vec<_>>()
            .join(" ");
        Ok(Self { config, access, settings, pgbouncer: postgres.pgbouncer, plain: AtomicBool::new(false) })
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Connects. The connection is driven by the runtime that this runs on.
    pub(super) async fn connect(&self) -> Result<Connection, tokio_postgres::Error> {
        if self.pgbouncer {
            return self.connect_with("").await;
        }
        if !self.plain.load(Ordering::Relaxed) {
            let options = format!("{} -c client_connection_check_interval={CHECK_MS}", self.settings);
            match self.connect_with(&options).await {
                Err(error)
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

    async fn connect_with(&self, options: &str) -> Result<Connection, tokio_postgres::Error> {
        let mut config = self.config.clone();
        if !options.is_empty() {
            let given = self.config.get_options().unwrap_or_default();
            config.options(format!("{given} {options}").trim());
        }
        let (client, connection) = config.connect(NoTls).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::info!(%error, "a PostgreSQL connection ended");
            }
        });
        Ok(Connection { client, driver, statements: HashMap::new() })
    }
}

/// A connection with the statements that it has prepared. Dropping it closes the socket at once, whatever runs.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    driver: JoinHandle<()>,
    statements: HashMap<u64, Statement>,
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

/// A value inside the startup options.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace(' ', "\\ ")
}
