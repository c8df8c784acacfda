//! Reads of one row by a unique key, on the thread that asks.
//!
//! Each thread keeps a connection for each store that it used lately. The work is bounded tightly: what turns out to
//! be more goes to the reader threads instead.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use gatepost_rest::plan::Plan;

use super::connection::{Kind, UserConnection};
use super::query;
use super::reader::BufferOnly;
use super::{ExecuteError, Limits, Reply, Shared};

const STORES_MAX: usize = 8;
/// Thousands of SQLite's steps.
const BUDGET: u32 = 20;

struct Local {
    store: Weak<Shared>,
    id: usize,
    connection: UserConnection,
}

thread_local! {
    static LOCAL: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

/// Runs a plan here; none when it does not fit and must go to the reader threads.
pub(super) fn run(shared: &Arc<Shared>, plan: &Plan, limits: Limits) -> Option<Result<Reply, ExecuteError>> {
    LOCAL.with_borrow_mut(|local| {
        let at = match local.iter().position(|entry| entry.id == shared.id) {
            Some(at) => at,
            None => add(local, shared)?,
        };
        run_on(&local[at].connection, shared, plan, limits)
    })
}

fn run_on(
    connection: &UserConnection,
    shared: &Shared,
    plan: &Plan,
    limits: Limits,
) -> Option<Result<Reply, ExecuteError>> {
    let mut sink = BufferOnly { bytes_max: shared.options.buffer_bytes_max, overflown: false };
    let _watched = connection.watch.job(limits.deadline, None);
    connection.watch.set_budget(BUDGET);
    let result = query::run(connection, plan, limits, &mut sink);
    let beyond = sink.overflown || (result.is_err() && connection.watch.out_of_budget());
    (!beyond).then_some(result)
}

fn add(local: &mut Vec<Local>, shared: &Arc<Shared>) -> Option<usize> {
    local.retain(|entry| entry.store.strong_count() > 0);
    if local.len() >= STORES_MAX {
        local.remove(0);
    }
    let connection = UserConnection::open(&shared.path, Kind::Read, &shared.options).ok()?;
    local.push(Local { store: Arc::downgrade(shared), id: shared.id, connection });
    Some(local.len() - 1)
}
