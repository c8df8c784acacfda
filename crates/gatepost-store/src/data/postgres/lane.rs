//! One request on one connection: statements made ready, values encoded, and several messages sent in one go.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use gatepost_rest::plan::{BindValue, Plan, Principal};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, RowStream, Statement};

use super::encode::{self, Parameter};
use super::error;
use super::pool::Lease;
use super::resolve::{Origin, Resolved, Wanted, resolve};
use super::{Arc, Shared};
use crate::data::ExecuteError;

/// Our own statements among the numbered ones.
const IDENTIFY: u64 = 0;
const IDENTIFY_TEXT: &str = "select set_config('gatepost.client_id', $1, true), \
     set_config('gatepost.roles', $2, true), set_config('gatepost.claims', $3, true)";

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// The database's own words, for a statement with these parameters.
    Database(Error),
    /// Ours.
    Own(ExecuteError),
}

impl From<ExecuteError> for Failed {
    fn from(error: ExecuteError) -> Self {
        Self::Own(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl Failed {
    /// Whether another attempt may succeed where this one did nothing.
    pub(super) fn is_worth_another(&self) -> bool {
        match self {
            Self::Database(error) => error::is_outdated(error) || error::is_lost(error),
            Self::Own(_) => false,
        }
    }

    /// Whether a change met a server that takes none.
    pub(super) fn is_in_recovery(&self) -> bool {
        matches!(self, Self::Database(error) if error::is_in_recovery(error))
    }

    /// Whether another transaction was in the way.
    pub(super) fn is_collision(&self) -> bool {
        matches!(self, Self::Database(error) if error::is_collision(error))
    }

    pub(super) fn into_error(self) -> ExecuteError {
        match self {
            Self::Database(error) => error::execute_error(&error),
            Self::Own(error) => error,
        }
    }
}

/// A statement with its values, ready to be sent.
pub(super) struct Ready<'v> {
    pub(super) resolved: Arc<Resolved>,
    pub(super) statement: Statement,
    parameters: Vec<Parameter<'v>>,
}

/// Makes a statement of a source ready. `place` is its number there.
pub(super) async fn ready<'v>(
    shared: &Shared,
    lease: &mut Lease,
    plan: &Plan,
    place: usize,
    wanted: impl FnOnce() -> Wanted,
    values: &'v [BindValue],
) -> Result<Ready<'v>, Failed> {
    let key = (plan.source.id, place);
    if let Some(resolved) = shared.resolver.known(key) {
        match lease.prepared(resolved.number, &resolved.text, &resolved.types).await {
            Ok(statement) if resolved.fits(&statement) => {
                return Ready::new(plan, resolved, statement, values);
            }
            Err(error) if error::is_lost(&error) => return Err(Failed::Database(error)),
            // What it needs was changed since: as if it were new.
            Ok(_) | Err(_) => {}
        }
    }
    let resolved = resolve(lease, &wanted(), shared.zone()).await.map_err(not_prepared)?;
    let resolved = shared.resolver.keep(key, resolved);
    let prepared = lease.prepared(resolved.number, &resolved.text, &resolved.types).await;
    Ready::new(plan, resolved, prepared.map_err(not_prepared)?, values)
}

fn not_prepared(error: Error) -> Failed {
    if error::is_lost(&error) {
        return Failed::Database(error);
    }
    Failed::Own(error::prepare_error(&error))
}

fn parameters<'v>(
    plan: &Plan,
    resolved: &Resolved,
    values: &'v [BindValue],
) -> Result<Vec<Parameter<'v>>, ExecuteError> {
    let number = |value: u64| {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        Parameter::Text(value.to_string().into())
    };
    let each = resolved.origins.iter().zip(&resolved.types).map(|(origin, kind)| match origin {
        Origin::Limit => Ok(number(plan.window.fetched())),
        Origin::Offset => Ok(number(plan.window.offset)),
        Origin::Slot(slot) => encode::parameter(&values[*slot], kind).map_err(|message| {
            ExecuteError::Parameter { name: plan.source.slots[*slot].wire_name.clone(), message }
        }),
    });
    each.collect()
}

impl<'v> Ready<'v> {
    pub(super) fn new(
        plan: &Plan,
        resolved: Arc<Resolved>,
        statement: Statement,
        values: &'v [BindValue],
    ) -> Result<Self, Failed> {
        let parameters = parameters(plan, &resolved, values)?;
        Ok(Self { resolved, statement, parameters })
    }
}

impl Ready<'_> {
    /// What an error of this statement means: a parameter that the server could not read is the caller's.
    pub(super) fn failed(&self, plan: &Plan, values: &[BindValue], error: Error) -> Failed {
        let slot = error::parameter(&error).and_then(|number| match self.resolved.origins.get(number - 1) {
            Some(Origin::Slot(slot)) => Some((*slot, &self.resolved.types[number - 1])),
            _ => None,
        });
        match slot {
            Some((slot, kind)) => Failed::Own(ExecuteError::Parameter {
                name: plan.source.slots[slot].wire_name.clone(),
                message: misfit(&values[slot], kind),
            }),
            None => Failed::Database(error),
        }
    }

    fn send<'s>(&'s self, client: &'s Client) -> impl Future<Output = Result<RowStream, Error>> + 's {
        client.query_raw::<_, &Parameter<'_>, _>(&self.statement, self.parameters.iter())
    }
}

fn misfit(value: &BindValue, kind: &Type) -> String {
    let shown: String = match value {
        BindValue::Text(text) => text.chars().take(60).collect(),
        BindValue::Integer(number) => number.to_string(),
        BindValue::Real(number) => number.to_string(),
        BindValue::Boolean(flag) => flag.to_string(),
        BindValue::Null => "null".into(),
        BindValue::Blob(_) => "the body".into(),
    };
    format!("`{shown}` is not a value of type {}", kind.name())
}

/// What opens a transaction.
pub(super) struct Opening {
    text: String,
    identity: Option<(Statement, [String; 3])>,
}

/// How a transaction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// One statement that reads.
    Read,
    /// Several that see one snapshot.
    Snapshot,
    /// Changes.
    Write,
    /// Changes that depend on what was read in the same transaction.
    Checked,
}

impl Opening {
    /// Prepares the opening of a transaction that must be over at the deadline.
    pub(super) async fn new(
        shared: &Shared,
        lease: &mut Lease,
        plan: &Plan,
        mode: Mode,
        deadline: Instant,
    ) -> Result<Self, Failed> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failed::Own(ExecuteError::Timeout));
        }
        let begin = match mode {
            Mode::Read => "begin read only",
            Mode::Snapshot => "begin isolation level repeatable read read only",
            Mode::Write => "begin read write",
            Mode::Checked => "begin isolation level serializable read write",
        };
        let mut text = format!("{begin}; set local statement_timeout = {}", left.as_millis().max(1));
        if shared.postgres.pgbouncer {
            let schema = super::connect::quoted(&shared.postgres.schema);
            text.push_str("; set local search_path = ");
            text.push_str(&schema);
        }
        let identity = if shared.postgres.row_level_security {
            let types = [Type::TEXT, Type::TEXT, Type::TEXT];
            let statement = lease.prepared(IDENTIFY, IDENTIFY_TEXT, &types).await?;
            Some((statement, settings(plan.principal.as_deref())))
        } else {
            None
        };
        Ok(Self { text, identity })
    }
}

/// `gatepost.client_id`, `gatepost.roles` and `gatepost.claims`.
fn settings(principal: Option<&Principal>) -> [String; 3] {
    let Some(principal) = principal else { return [String::new(), "[]".into(), "{}".into()] };
    let roles = serde_json::Value::from(principal.roles.clone());
    let claims = serde_json::json!({ "client_id": principal.name, "roles": roles });
    // A NUL character cannot travel, and no name has one.
    [principal.name.replace('\0', ""), roles.to_string(), claims.to_string()]
}

/// The answer to a control statement that was sent.
type Ending<'c> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'c>>;

/// Rows that come, and the end of their transaction, which was sent already.
pub(super) struct Opened<'c> {
    pub(super) rows: Pin<Box<RowStream>>,
    end: Option<Ending<'c>>,
}

impl Opened<'_> {
    /// Waits for the end of the transaction. Only after all rows were taken.
    pub(super) async fn finish(self) -> Result<(), Error> {
        drop(self.rows);
        match self.end {
            Some(end) => end.await,
            None => Ok(()),
        }
    }
}

impl Opening {
    /// Begins the transaction by itself.
    pub(super) async fn begin(&self, client: &Client) -> Result<(), Error> {
        client.batch_execute(&self.text).await?;
        if let Some((statement, settings)) = &self.identity {
            client.execute_raw(statement, settings.iter()).await?;
        }
        Ok(())
    }
}

/// Sends the opening, a statement and the closing in one go; ready with the first answer of the statement.
pub(super) async fn open<'c>(
    client: &'c Client,
    opening: Option<&Opening>,
    ready: &Ready<'_>,
    closing: Option<&'c str>,
) -> Result<Opened<'c>, Error> {
    let mut begin = pin!(async {
        match opening {
            Some(opening) => client.batch_execute(&opening.text).await,
            None => Ok(()),
        }
    });
    let mut identify = pin!(async {
        match opening.and_then(|opening| opening.identity.as_ref()) {
            Some((statement, settings)) => client.query_raw(statement, settings.iter()).await.map(Some),
            None => Ok(None),
        }
    });
    let mut query = pin!(ready.send(client));
    let mut end = closing.map(|text| -> Ending<'c> { Box::pin(client.batch_execute(text)) });
    let mut state = (None, None, None, false);
    let rows = poll_fn(|context| {
        // A future sends when it is first polled, so the order here is the order on the wire.
        if state.0.is_none()
            && let Poll::Ready(result) = begin.as_mut().poll(context)
        {
            state.0 = Some(result);
        }
        if state.1.is_none()
            && let Poll::Ready(result) = identify.as_mut().poll(context)
        {
            state.1 = Some(result.map(drop));
        }
        if state.2.is_none()
            && let Poll::Ready(result) = query.as_mut().poll(context)
        {
            state.2 = Some(result);
        }
        if !state.3 {
            state.3 = true;
            if let Some(future) = end.as_mut()
                && let Poll::Ready(result) = future.as_mut().poll(context)
            {
                end = None;
                if let Err(error) = result {
                    return Poll::Ready(Err(error));
                }
            }
        }
        match (&state.0, &state.1, state.2.take()) {
            (Some(_), Some(_), Some(rows)) => Poll::Ready(first_error(&mut state.0, &mut state.1, rows)),
            (.., rows) => {
                state.2 = rows;
                Poll::Pending
            }
        }
    })
    .await;
    match rows {
        Ok(rows) => Ok(Opened { rows: Box::pin(rows), end }),
        Err(error) => {
            // The connection is as before once the end was answered.
            if let Some(end) = end {
                let _ = end.await;
            }
            Err(error)
        }
    }
}

fn first_error<T>(
    begin: &mut Option<Result<(), Error>>,
    identify: &mut Option<Result<(), Error>>,
    rows: Result<T, Error>,
) -> Result<T, Error> {
    for earlier in [begin, identify] {
        if let Some(Err(error)) = earlier.take() {
            return Err(error);
        }
    }
    rows
}
