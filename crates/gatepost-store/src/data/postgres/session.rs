//! A connection for scripts of the schema's owner: DDL is allowed, settings and transaction control are not.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use gatepost_rest::plan::BindValue;
use gatepost_rest::render::{Row as _, Value, Zone};
use gatepost_rest::sql::{Dialect, Statement};
use tokio::sync::Mutex;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{Error, Row};

use super::Shared;
use super::connect::Connection;
use super::encode::{self, Parameter};
use super::error::words;
use super::resolve::{Origin, Resolved, Wanted, explain, resolve};
use super::row::PostgresRow;
use super::splice::{Splice, splice};
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
#[derive(Debug)]
pub(crate) struct Session {
    shared: Arc<Shared>,
    connection: Arc<Mutex<Connection>>,
    in_transaction: bool,
    rows_max: usize,
    time: Duration,
}

impl Session {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, DataError> {
        let connecting = Arc::clone(shared);
        let connection = shared
            .background
            .wait(async move { connecting.owner.connect().await })
            .map_err(DataError::Open)?
            .map_err(|error| DataError::Open(error.words()))?;
        let connection = Arc::new(Mutex::new(connection));
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
        self.control("begin")?;
        self.in_transaction = true;
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> Result<(), SessionError> {
        if !self.in_transaction {
            return Err(SessionError::new("no transaction is open"));
        }
        // A commit that fails rolls back.
        self.in_transaction = false;
        self.control("commit")
    }

    pub(crate) fn rollback(&mut self) -> Result<(), SessionError> {
        if !self.in_transaction {
            return Ok(());
        }
        self.in_transaction = false;
        self.control("rollback")
    }

    fn control(&self, text: &'static str) -> Result<(), SessionError> {
        let connection = Arc::clone(&self.connection);
        self.shared
            .background
            .wait(async move { connection.lock().await.client.batch_execute(text).await })
            .map_err(SessionError::new)?
            .map_err(|error| SessionError::new(words(&error)))
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
        let job = Job {
            statement,
            values,
            splice,
            zone: self.shared.zone().clone(),
            rows_max: self.rows_max,
            time: self.time,
            savepoint: self.in_transaction,
        };
        let connection = Arc::clone(&self.connection);
        self.shared
            .background
            .wait(async move { job.run(&*connection.lock().await).await })
            .map_err(SessionError::new)?
    }
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
}

impl Job {
    async fn run(&self, connection: &Connection) -> Result<SessionResult, SessionError> {
        let control = |text: String| async move {
            connection.client.batch_execute(&text).await.map_err(|error| SessionError::new(words(&error)))
        };
        let time = format!("set statement_timeout = {}", self.time.as_millis().max(1));
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
        let resolved = resolve(connection, &wanted, &self.zone)
            .await
            .map_err(|error| self.explain(&error, explain(&error, &wanted)))?;
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
                result.rows.push(values(&row, &self.zone));
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

fn values(row: &Row, zone: &Zone) -> Vec<SessionValue> {
    let reader = PostgresRow { row, zone };
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
