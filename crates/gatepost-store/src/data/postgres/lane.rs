//! The statements of a request on its connection: found out, prepared, and with their values.

use gatepost_rest::plan::{BindValue, Plan};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, RowStream, Statement};

use super::connect::{Connection, quoted};
use super::encode::{self, Parameter};
use super::error;
use super::pool::Lease;
use super::resolve::{Desk, ETAG, Origin, Resolved, Unresolved, Wanted, parts, resolve};
use super::row::PostgresRow;
use super::{Arc, Shared, apart};
use crate::data::ExecuteError;

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// The database's own words, for a statement with these parameters.
    Database(Error),
    /// The rows are not of the shape that was found out.
    Outdated,
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
            Self::Outdated => true,
            Self::Own(_) => false,
        }
    }

    /// Whether the connection went away, so that nobody knows what was done.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Database(error) if error::is_lost(error))
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
            Self::Outdated => {
                ExecuteError::Statement { message: "the shape of its rows keeps changing".into() }
            }
            Self::Own(error) => error,
        }
    }
}

/// A statement with its values, ready to be sent.
pub(super) struct Ready<'v> {
    pub(super) resolved: Arc<Resolved>,
    /// Absent behind a pooler: it is sent as text, with its types.
    pub(super) statement: Option<Statement>,
    parameters: Vec<Parameter<'v>>,
    /// Whether what it may do depends on who asks.
    by_caller: bool,
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
    let by_caller = shared.decides_by_caller(plan);
    Ok(Ready { by_caller, ..prepare(shared, lease, plan, place, wanted, values).await? })
}

async fn prepare<'v>(
    shared: &Shared,
    lease: &mut Lease,
    plan: &Plan,
    place: usize,
    wanted: impl FnOnce() -> Wanted,
    values: &'v [BindValue],
) -> Result<Ready<'v>, Failed> {
    let key = (plan.source.id, place);
    if shared.postgres.pgbouncer {
        // Found out before; a transaction may be open now.
        let resolved = shared.resolver.known(key).ok_or(Failed::Outdated)?;
        return Ready::new(plan, resolved, None, values);
    }
    let role = shared.role_of(plan);
    lease.watch(shared).look(&lease.client).await?;
    if let Some(resolved) = shared.resolver.known(key) {
        match prepared(lease, &resolved, role).await {
            Ok(statement) if resolved.fits(statement.columns()) => {
                resolved.renew(&lease.client, lease.watch(shared)).await;
                return Ready::new(plan, resolved, Some(statement), values);
            }
            Err(failed) if failed.is_lost() || matches!(failed, Failed::Own(_)) => return Err(failed),
            // What it needs was changed since: as if it were new.
            Ok(_) | Err(_) => lease.forget_statements(),
        }
    }
    let wanted = wanted();
    assume(lease, role).await?;
    let resolved = resolve(&Desk::of(lease), &wanted, shared.zone()).await;
    resume(lease, role).await?;
    let resolved = shared.resolver.keep(key, resolved.map_err(not_resolved)?);
    resolved.renew(&lease.client, lease.watch(shared)).await;
    let statement = prepared(lease, &resolved, role).await.map_err(|failed| match failed {
        Failed::Database(error) => not_prepared(error),
        other => other,
    })?;
    Ready::new(plan, resolved, Some(statement), values)
}

/// Behind a pooler all statements of a request are known before the first of them runs. The plans are of one caller.
pub(super) async fn find_out(shared: &Shared, lease: &mut Lease, plans: &[&Plan]) -> Result<(), Failed> {
    let role = plans.first().and_then(|plan| shared.role_of(plan));
    let mut statements = Vec::new();
    for plan in plans {
        let source = &plan.source;
        // A block answers without the entity tag.
        for (place, part) in parts(source).filter(|(place, _)| *place != ETAG || !source.block) {
            let key = (source.id, place);
            let found = apart::find_out(shared, lease.login(), role, key, || part.wanted(source)).await;
            statements.push(found.map_err(not_resolved)?);
        }
    }
    apart::learn(shared, lease, role, &statements).await
}

async fn prepared(lease: &mut Lease, resolved: &Resolved, role: Option<&str>) -> Result<Statement, Failed> {
    if let Some(statement) = lease.known(resolved.number) {
        return Ok(statement);
    }
    assume(lease, role).await?;
    let prepared = lease.prepared(resolved.number, &resolved.text, &resolved.types).await;
    resume(lease, role).await?;
    Ok(prepared?)
}

/// Names are looked up with the rights of the role that the statement will run under.
pub(super) async fn assume(connection: &Connection, role: Option<&str>) -> Result<(), Failed> {
    let Some(role) = role else { return Ok(()) };
    let assumed = connection.client.batch_execute(&format!("set role {}", quoted(role))).await;
    assumed.map_err(|error| not_assumed(role, error))
}

/// The login's own rights again.
pub(super) async fn resume(connection: &Connection, role: Option<&str>) -> Result<(), Failed> {
    if role.is_some() {
        connection.client.batch_execute("reset role").await?;
    }
    Ok(())
}

pub(super) fn not_assumed(role: &str, error: Error) -> Failed {
    if error::is_lost(&error) {
        return Failed::Database(error);
    }
    let words = error::words(&error);
    let message = format!("the role {role} cannot be assumed: {words}; the login must be a member of it");
    Failed::Own(ExecuteError::Unavailable(message))
}

fn not_resolved(unresolved: Unresolved) -> Failed {
    match unresolved {
        Unresolved::Database(error) => not_prepared(error),
        Unresolved::Own(error) => Failed::Own(error),
    }
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
        statement: Option<Statement>,
        values: &'v [BindValue],
    ) -> Result<Self, Failed> {
        let parameters = parameters(plan, &resolved, values)?;
        Ok(Self { resolved, statement, parameters, by_caller: false })
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
            None if self.by_caller && error::is_denied(&error) => {
                Failed::Own(ExecuteError::Denied(error::words(&error)))
            }
            None => Failed::Database(error),
        }
    }

    /// Sends it; ready with the first answer.
    pub(super) async fn send(&self, client: &Client) -> Result<RowStream, Error> {
        let parameters = self.parameters.iter();
        if let Some(statement) = &self.statement {
            return client.query_raw::<_, &Parameter<'_>, _>(statement, parameters).await;
        }
        let typed = parameters.zip(self.resolved.types.iter().cloned());
        client.query_typed_raw(&self.resolved.text, typed).await
    }

    /// A row of it.
    pub(super) fn row<'r>(&'r self, row: &'r tokio_postgres::Row) -> PostgresRow<'r> {
        PostgresRow { row, kinds: &self.resolved.kinds, zone: &self.resolved.columns.zone }
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
