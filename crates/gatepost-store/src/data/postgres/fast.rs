//! Short queries side by side on few connections: each is sent when it comes, without waiting for the one before.
//!
//! Only for single queries that call nothing but built-in functions that are not volatile, and whose answers are
//! small: nothing here is cancelled, and nothing changes the connection. A query that is too slow or too long for it
//! runs on the pool from then on.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use futures_util::StreamExt;
use gatepost_rest::plan::Plan;
use gatepost_rest::render::Flow;
use tokio::sync::Mutex;
use tokio_postgres::{Error, Statement};

use super::connect::{Connection, Login};
use super::lane::{Failed, Ready};
use super::resolve::Resolved;
use super::rows::{Outlet, Writer};
use super::{Arc, Shared};
use crate::data::{ExecuteError, Limits, Reply};

/// More connections are not faster, and fewer have longer queues.
const CONNECTIONS: usize = 2;
/// Rows that an answer may have here.
const ROWS_MAX: u64 = 1_001;
const STATEMENTS_MAX: usize = 2_048;

/// The connections, opened when they are needed.
#[derive(Debug)]
pub(super) struct FastLane {
    login: Login,
    places: [Place; CONNECTIONS],
    next: AtomicUsize,
}

#[derive(Debug, Default)]
struct Place {
    current: RwLock<Option<Arc<Member>>>,
    connecting: Mutex<()>,
}

/// A connection that many use at once.
#[derive(Debug)]
struct Member {
    connection: Connection,
    statements: RwLock<HashMap<u64, Statement>>,
}

impl FastLane {
    pub(super) fn new(login: Login) -> Self {
        Self { login, places: Default::default(), next: AtomicUsize::new(0) }
    }

    async fn member(&self) -> Option<Arc<Member>> {
        let place = &self.places[self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS];
        if let Some(member) = place.live() {
            return Some(member);
        }
        let _connecting = place.connecting.lock().await;
        if let Some(member) = place.live() {
            return Some(member);
        }
        // The pool says what is wrong.
        let connection = self.login.connect().await.ok()?;
        let member = Arc::new(Member { connection, statements: RwLock::default() });
        *place.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&member));
        Some(member)
    }
}

impl Place {
    fn live(&self) -> Option<Arc<Member>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|member| member.connection.is_current()).cloned()
    }
}

impl Member {
    fn forget(&self, number: u64) {
        self.statements.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    async fn prepared(&self, resolved: &Resolved) -> Result<Statement, Error> {
        let known =
            self.statements.read().unwrap_or_else(PoisonError::into_inner).get(&resolved.number).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.connection.client.prepare_typed(&resolved.text, &resolved.types).await?;
        let mut statements = self.statements.write().unwrap_or_else(PoisonError::into_inner);
        if statements.len() >= STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(resolved.number, statement.clone());
        Ok(statement)
    }
}

/// Runs a plan on one of these connections; none when it must go to the pool.
pub(super) async fn run(
    shared: &Shared,
    lane: &FastLane,
    plan: &Plan,
    limits: Limits,
) -> Option<Result<Reply, Failed>> {
    let hints = &plan.source.hints;
    if plan.source.etag.is_some() || hints.slow.load(Ordering::Relaxed) {
        return None;
    }
    // The pool is where statements are resolved, and where the database is looked at from time to time.
    let watch = lane.login.watch(shared);
    if watch.is_due() {
        return None;
    }
    let resolved = shared.resolver.known((plan.source.id, 0))?;
    if !resolved.is_plain(watch) {
        return None;
    }
    let rows_max = match (resolved.single, resolved.paged) {
        (true, _) => 1,
        (_, true) => plan.window.fetched(),
        _ => return None,
    };
    let streams_from = hints.streams_from.load(Ordering::Relaxed);
    if rows_max > ROWS_MAX || (streams_from > 0 && rows_max >= streams_from) {
        return None;
    }
    let member = lane.member().await?;
    let number = resolved.number;
    let statement = match member.prepared(&resolved).await {
        Ok(statement) if resolved.fits(statement.columns()) => statement,
        // Something was changed since; the pool finds out what.
        Ok(_) | Err(_) => {
            member.forget(number);
            shared.resolver.forget(plan.source.id);
            return None;
        }
    };
    if !member.connection.may_answer() {
        return Some(Err(Failed::Own(ExecuteError::Busy)));
    }
    match attempt(shared, &member, plan, limits, resolved, statement).await {
        Ok(reply) => Some(Ok(reply)),
        Err(Failed::Own(ExecuteError::Timeout)) => {
            hints.slow.store(true, Ordering::Relaxed);
            None
        }
        // It outgrew the buffer.
        Err(Failed::Own(ExecuteError::Stopped)) => None,
        Err(failed) if failed.is_worth_another() => {
            member.forget(number);
            None
        }
        Err(failed) => Some(Err(failed)),
    }
}

async fn attempt(
    shared: &Shared,
    member: &Member,
    plan: &Plan,
    limits: Limits,
    resolved: Arc<Resolved>,
    statement: Statement,
) -> Result<Reply, Failed> {
    let query = Ready::new(plan, resolved, Some(statement), &plan.values)?;
    let outcome = async {
        let failed = |error| query.failed(plan, &plan.values, error);
        let mut rows = pin!(query.send(&member.connection.client).await.map_err(failed)?);
        let mut outlet = Outlet::of_buffer(&shared.options, limits);
        let mut writer = Writer::new(plan, &query.resolved.columns, limits, None)?;
        while let Some(row) = rows.next().await {
            let flow = writer.row(&query.row(&row.map_err(failed)?), &mut outlet).await;
            if matches!(flow, Err(ExecuteError::Stopped)) {
                plan.source.hints.streams_from.store(writer.rows(), Ordering::Relaxed);
            }
            if flow? == Flow::Enough {
                break;
            }
        }
        writer.end().map_err(Failed::Own)
    };
    let outcome = outcome.await;
    match outcome {
        Err(Failed::Database(error)) if error.code().is_some_and(|code| code.code() == "57014") => {
            Err(Failed::Own(ExecuteError::Timeout))
        }
        other => other,
    }
}
