//! Behind a pooler in transaction mode: statements are described in one transaction of a connection that is used for
//! nothing else, so that no prepared statement and no setting stays on a server's connection that others use.

use super::connect::{Connection, Login, literal, quoted};
use super::lane::{Failed, not_assumed};
use super::pool::Lease;
use super::resolve::{Desk, Resolved, Unresolved, Wanted, resolve};
use super::{Arc, Shared, error};
use crate::data::ExecuteError;

/// What the driver itself prepared goes as well.
const END: &str = "deallocate all; rollback";

/// Finds out all about a statement.
pub(super) async fn resolve_apart(
    shared: &Shared,
    login: &Login,
    role: Option<&str>,
    wanted: &Wanted,
) -> Result<Resolved, Unresolved> {
    let connection = begin(shared, login).await?;
    // With the login's rights: what there is, whoever may use it.
    login.watch(shared).look(&connection.client).await?;
    assume_locally(&connection, role).await?;
    let resolved = resolve(&Desk::in_transaction(&connection), wanted, shared.zone()).await?;
    resolved.renew(&connection.client, login.watch(shared)).await;
    connection.client.batch_execute(END).await?;
    Ok(resolved)
}

/// Lets the driver of a connection ask about the types of columns: inside a request it would prepare statements for
/// that. It asks once, so a connection that needs to ask again is replaced by a new one.
pub(super) async fn learn(
    shared: &Shared,
    lease: &mut Lease,
    role: Option<&str>,
    statements: &[Arc<Resolved>],
) -> Result<(), Failed> {
    if statements.iter().all(|resolved| lease.has_learned(&resolved.asked_for)) {
        return Ok(());
    }
    if !lease.is_unlearned() {
        let fresh = tokio::time::timeout(shared.postgres.wait, lease.login().connect()).await;
        let fresh = fresh.map_err(|_| Failed::Own(ExecuteError::Busy))?;
        **lease = fresh.map_err(|error| Failed::Own(error::connect_error(&error)))?;
    }
    lease.client.batch_execute(&opening(shared)).await?;
    assume_locally(lease, role).await?;
    for resolved in statements.iter().filter(|resolved| !resolved.asked_for.is_empty()) {
        lease.client.prepare_typed(&resolved.text, &resolved.types).await?;
        lease.learned(&resolved.asked_for);
    }
    lease.client.batch_execute(END).await?;
    Ok(())
}

/// Takes a role for the transaction that is open.
pub(super) async fn assume_locally(connection: &Connection, role: Option<&str>) -> Result<(), Failed> {
    let Some(role) = role else { return Ok(()) };
    let assumed = connection.client.batch_execute(&format!("set local role {}", quoted(role))).await;
    assumed.map_err(|error| not_assumed(role, error))
}

/// Looks whether the database's objects changed.
pub(super) async fn look_apart(shared: &Shared, login: &Login) -> Result<(), Unresolved> {
    let connection = begin(shared, login).await?;
    login.watch(shared).look(&connection.client).await?;
    connection.client.batch_execute(END).await?;
    Ok(())
}

async fn begin(shared: &Shared, login: &Login) -> Result<Connection, Unresolved> {
    let connected = tokio::time::timeout(shared.postgres.wait, login.connect()).await;
    let connection = connected
        .map_err(|_| Unresolved::Own(ExecuteError::Busy))?
        .map_err(|error| Unresolved::Own(error::connect_error(&error)))?;
    connection.client.batch_execute(&opening(shared)).await?;
    Ok(connection)
}

/// What opens a transaction in which statements are described, or scripts run.
pub(super) fn opening(shared: &Shared) -> String {
    format!(
        "begin; set local search_path = {}; set local timezone = {}",
        quoted(&shared.postgres.schema),
        literal(shared.zone().name())
    )
}

/// The statement, known or found out. Not while a transaction is open: a pooler may have one connection only.
pub(super) async fn find_out(
    shared: &Shared,
    login: &Login,
    role: Option<&str>,
    key: (u64, usize),
    wanted: impl FnOnce() -> Wanted,
) -> Result<Arc<Resolved>, Unresolved> {
    let known = || shared.resolver.known(key);
    let is_fresh = |resolved: &Arc<Resolved>| resolved.facts(login.watch(shared)).is_some();
    if !login.watch(shared).is_due()
        && let Some(resolved) = known().filter(is_fresh)
    {
        return Ok(resolved);
    }
    // One at a time: a hundred requests that come at once open one connection.
    let _describing = shared.describing.lock().await;
    if let Some(resolved) = known() {
        if login.watch(shared).is_due() {
            look_apart(shared, login).await?;
        }
        if is_fresh(&resolved) {
            return Ok(resolved);
        }
    }
    let resolved = resolve_apart(shared, login, role, &wanted()).await?;
    Ok(shared.resolver.keep(key, resolved))
}
