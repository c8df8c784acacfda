//! A connection for scripts of the schema's owner: DDL is allowed, settings and transaction control are not.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use gatepost_rest::plan::BindValue;
use gatepost_rest::render::{Row as _, Value, Zone};
use gatepost_rest::sql::{Dialect, Statement};
use tokio::sync::Mutex;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use super::clean::ROLLBACK_POOLED;
use super::connect::Connection;
use super::encode::{self, Parameter};
use super::error::words;
use super::resolve::{Desk, Origin, Resolved, Unresolved, Wanted, explain, resolve};
use super::row::PostgresRow;
use super::splice::{Splice, splice};
use super::transaction::Closing;
use super::{Shared, apart};
use crate::data::session::{SessionError, SessionResult, SessionValue, shown};
use crate::data::{DataError, DictionarySource};

const ROWS_MAX: usize = 10_000;
const TIME: Duration = Duration::from_secs(30);

/// What would leave the transaction, or the settings of the connection.
const REFUSED: [&str; 20] = [
    "ABORT",
    "BEGIN",
    "CHECKPOINT",
    "CLUSTER",
    "COMMIT",
    "COPY",
    "DEALLOCATE",
    "DISCARD",
    "END",
    "LISTEN",
    "LOAD",
    "NOTIFY",
    "PREPARE",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "START",
    "VACUUM",
];

/// A blocking connection. Dropping it rolls back what was not committed.
///
/// Behind a pooler each transaction has a connection of its own, and each statement is in one: nothing stays on the
/// server's connection.
#[derive(Debug)]
pub(crate) struct Session {
    shared: Arc<Shared>,
    connection: Option<Arc<Mutex<Connection>>>,
    in_transaction: bool,
    rows_max: usize,
    time: Duration,
}

impl Session {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, DataError> {
        let connection = Some(connect(shared).map_err(DataError::Open)?);
        let shared = Arc::clone(shared);
        Ok(Self { shared, connection, in_transaction: false, rows_max: ROWS_MAX, time: TIME })
    }

    pub(crate) fn set_rows_max(&mut self, rows_max: usize) {
        self.rows_max = rows_max;
    }

    pub(crate) fn set_time(&mut self, time: Duration) {
        self.time = time;
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    pub(crate) fn begin(&mut self) -> Result<(), SessionError> {
        let text = if self.is_pooled() { apart::opening(&self.shared) } else { "begin".into() };
        self.control(text)?;
        self.in_transaction = true;
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> Result<(), SessionError> {
        if !self.in_transaction {
            return Err(SessionError::new("no transaction is open"));
        }
        // A commit that fails rolls back.
        self.in_transaction = false;
        // What it defined counts for handlers.
        self.shared.watch.expire();
        if !self.is_pooled() {
            return self.control("commit".into());
        }
        let connection = self.connection()?;
        self.connection = None;
        self.wait(async move {
            let closing = Closing { commit: true, clean: true };
            connection.lock().await.close(closing)?.finish().await
        })
    }

    pub(crate) fn rollback(&mut self) -> Result<(), SessionError> {
        if !self.in_transaction {
            return Ok(());
        }
        self.in_transaction = false;
        if !self.is_pooled() {
            return self.control("rollback".into());
        }
        let rolled_back = self.control(ROLLBACK_POOLED.into());
        self.connection = None;
        rolled_back
    }

    fn is_pooled(&self) -> bool {
        self.shared.postgres.pgbouncer
    }

    fn connection(&mut self) -> Result<Arc<Mutex<Connection>>, SessionError> {
        if let Some(connection) = &self.connection {
            return Ok(Arc::clone(connection));
        }
        let connection = connect(&self.shared).map_err(SessionError::new)?;
        Ok(Arc::clone(self.connection.insert(connection)))
    }

    fn control(&mut self, text: String) -> Result<(), SessionError> {
        let connection = self.connection()?;
        self.wait(async move { connection.lock().await.client.batch_execute(&text).await })
    }

    fn wait(
        &self,
        work: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) -> Result<(), SessionError> {
        let done = self.shared.background.wait(work).map_err(SessionError::new)?;
        done.map_err(|error| SessionError::new(words(&error)))
    }

    /// Runs one statement. Inside a transaction a failure undoes this statement only.
    pub(crate) fn run(
        &mut self,
        sql: &str,
        binds: &[(String, SessionValue)],
        dictionary: &dyn DictionarySource,
    ) -> Result<SessionResult, SessionError> {
        let statement = Statement::parse(sql, Dialect::Postgres)
            .map_err(|refusal| SessionError { offset: Some(refusal.offset), message: refusal.to_string() })?;
        if REFUSED.contains(&statement.keyword.as_str()) {
            let message = format!(
                "{} is not for scripts: settings and transactions are the server's",
                statement.keyword
            );
            return Err(SessionError { message, offset: Some(statement.start) });
        }
        let values = statement
            .names
            .iter()
            .map(|name| value_of(name, binds))
            .collect::<Result<Vec<_>, SessionError>>()?;
        let splice = splice(sql, &statement, dictionary)?;
        let alone = !self.in_transaction;
        if alone && self.is_pooled() {
            self.begin()?;
        }
        let job = Job {
            statement,
            values,
            splice,
            zone: self.shared.zone().clone(),
            rows_max: self.rows_max,
            time: self.time,
            savepoint: self.in_transaction,
            is_pooled: self.is_pooled(),
        };
        let connection = self.connection()?;
        let work = async move { job.run(&*connection.lock().await).await };
        let result = self.shared.background.wait(work).map_err(SessionError::new)?;
        if alone && self.in_transaction {
            match &result {
                Ok(_) => self.commit()?,
                // The statement's own failure says more.
                Err(_) => drop(self.rollback()),
            }
        }
        result
    }
}

fn connect(shared: &Arc<Shared>) -> Result<Arc<Mutex<Connection>>, String> {
    let connecting = Arc::clone(shared);
    let connected = shared.background.wait(async move { connecting.owner.connect().await })?;
    connected.map(|connection| Arc::new(Mutex::new(connection))).map_err(|error| error.words())
}

fn value_of(name: &str, binds: &[(String, SessionValue)]) -> Result<BindValue, SessionError> {
    let Some((_, value)) = binds.iter().find(|(bind, _)| bind.to_lowercase() == *name) else {
        return Err(SessionError::new(format!("the bind :{name} has no value")));
    };
    Ok(match value {
        SessionValue::Null => BindValue::Null,
        SessionValue::Integer(number) => BindValue::Integer(*number),
        SessionValue::Real(number) => BindValue::Real(*number),
        SessionValue::Boolean(flag) => BindValue::Boolean(*flag),
        SessionValue::Number(text) | SessionValue::Text(text) => BindValue::Text(text.clone()),
        SessionValue::Blob(bytes) => BindValue::Blob(bytes.clone().into()),
    })
}

/// A statement on its way.
struct Job {
    statement: Statement,
    values: Vec<BindValue>,
    splice: Option<Splice>,
    zone: Zone,
    rows_max: usize,
    time: Duration,
    savepoint: bool,
    is_pooled: bool,
}

impl Job {
    async fn run(&self, connection: &Connection) -> Result<SessionResult, SessionError> {
        let control = |text: String| async move {
            connection.client.batch_execute(&text).await.map_err(|error| SessionError::new(words(&error)))
        };
        let local = if self.is_pooled { "local " } else { "" };
        let time = format!("set {local}statement_timeout = {}", self.time.as_millis().max(1));
        control(if self.savepoint { format!("{time}; savepoint statement") } else { time }).await?;
        let result = self.execute(connection).await;
        if self.savepoint {
            let whole = result.as_ref().is_ok_and(|result| !result.truncated || !self.can_be_cut());
            let undo = if whole { "" } else { "rollback to savepoint statement; " };
            control(format!("{undo}release savepoint statement")).await?;
        }
        result
    }

    async fn execute(&self, connection: &Connection) -> Result<SessionResult, SessionError> {
        let mut wanted = Wanted::script(&self.statement);
        if let Some(splice) = &self.splice {
            let number = format!("${}", self.statement.names.len() + 1);
            wanted.splice(splice.at, &splice.text.replace("$0", &number));
        }
        let desk = if self.is_pooled { Desk::in_transaction(connection) } else { Desk::of(connection) };
        let resolved = resolve(&desk, &wanted, &self.zone).await.map_err(|unresolved| match unresolved {
            Unresolved::Database(error) => self.explain(&error, explain(&error, &wanted)),
            Unresolved::Own(error) => SessionError::new(error.to_string()),
        })?;
        let parameters = self.parameters(&resolved)?;
        let fail = |error: Error| self.explain(&error, words(&error));
        let prepared =
            connection.client.prepare_typed(&resolved.text, &resolved.types).await.map_err(fail)?;
        let rows = connection
            .client
            .query_raw::<_, &Parameter<'_>, _>(&prepared, parameters.iter())
            .await
            .map_err(fail)?;
        let mut rows = Box::pin(rows);
        let mut result = SessionResult { columns: self.names(&resolved), ..SessionResult::default() };
        let mut cut = false;
        while let Some(row) = rows.next().await {
            let row = match row {
                Ok(row) => row,
                Err(_) if cut => {
                    cut = false;
                    break;
                }
                Err(error) => return Err(fail(error)),
            };
            if result.rows.len() < self.rows_max {
                result.rows.push(values(&row, &resolved.kinds, &self.zone));
            } else if !result.truncated {
                result.truncated = true;
                cut = self.can_be_cut();
                if cut {
                    connection.cancel().await;
                }
            }
        }
        if cut {
            // The end was faster; the cancellation must not meet the next statement.
            let _ = connection.client.batch_execute("select pg_sleep(0.1)").await;
        }
        let dml = matches!(self.statement.keyword.as_str(), "INSERT" | "UPDATE" | "DELETE" | "MERGE");
        if dml || (self.statement.keyword == "WITH" && result.columns.is_empty()) {
            result.affected = rows.rows_affected();
        }
        Ok(result)
    }

    /// Whether rows beyond the limit need not be waited for. A change must run to its end.
    fn can_be_cut(&self) -> bool {
        self.savepoint && self.statement.keyword == "SELECT"
    }

    fn parameters(&self, resolved: &Resolved) -> Result<Vec<Parameter<'_>>, SessionError> {
        let mut parameters = Vec::with_capacity(resolved.types.len());
        for (origin, kind) in resolved.origins.iter().zip(&resolved.types) {
            let Origin::Slot(slot) = origin else { continue };
            let parameter = encode::parameter(&self.values[*slot], kind).map_err(|message| {
                SessionError::new(format!(":{}: {message}", self.statement.names[*slot]))
            })?;
            parameters.push(parameter);
        }
        if let Some(splice) = &self.splice {
            parameters.push(Parameter::Text(splice.json.as_str().into()));
        }
        Ok(parameters)
    }

    fn names(&self, resolved: &Resolved) -> Vec<String> {
        resolved.names.iter().map(|name| shown(name, &self.statement.quoted)).collect()
    }

    fn explain(&self, error: &Error, message: String) -> SessionError {
        let database = error.as_db_error();
        if database.is_some_and(|database| database.code().code() == "57014") {
            let seconds = self.time.as_secs_f64();
            return SessionError::new(format!("the statement ran longer than {seconds} s"));
        }
        let position = database.and_then(|database| match database.position() {
            Some(ErrorPosition::Original(position)) => usize::try_from(*position).ok(),
            _ => None,
        });
        SessionError { message, offset: position.and_then(|position| self.offset(position)) }
    }

    /// The byte in the statement as written, from the server's character from 1 in what was sent.
    fn offset(&self, position: usize) -> Option<usize> {
        let (at, length) = match &self.splice {
            Some(splice) => {
                let number = (self.statement.names.len() + 1).to_string().len() + 1;
                let count = splice.text.matches("$0").count();
                (splice.at, splice.text.chars().count() + count * number - count * 2)
            }
            None => (0, 0),
        };
        let mut wanted = position.checked_sub(1)?;
        let before = self.statement.text.get(..at)?.chars().count();
        if wanted >= before {
            wanted = wanted.checked_sub(length).filter(|wanted| *wanted >= before)?;
        }
        let byte = self.statement.text.char_indices().nth(wanted).map(|(byte, _)| byte);
        Some(self.statement.original_offset(byte.unwrap_or(self.statement.text.len())))
    }
}

fn values(row: &Row, kinds: &[Type], zone: &Zone) -> Vec<SessionValue> {
    let reader = PostgresRow { row, kinds, zone };
    (0..row.columns().len())
        .map(|column| match reader.value(column) {
            Value::Null => SessionValue::Null,
            Value::Integer(number) => SessionValue::Integer(number),
            Value::Real(number) => SessionValue::Real(number),
            Value::Boolean(flag) => SessionValue::Boolean(flag),
            Value::Number(digits) => SessionValue::Number(digits.into_owned()),
            Value::Text(text) | Value::Json(text) => SessionValue::Text(text.into_owned()),
            Value::Blob(bytes) => SessionValue::Blob(bytes.to_vec()),
        })
        .collect()
}
