//! Plans that run their steps one after the other: changes, and assignments without any. One transaction a request;
//! its answer leaves after the commit.

use std::borrow::Cow;
use std::time::Instant;

use bytes::Bytes;
use gatepost_rest::plan::{BindValue, Plan};
use gatepost_rest::render::ChangeRows;
use gatepost_rest::source::{BoundStatement, Step};

use super::clean::ROLLBACK_POOLED;
use super::connect::Access;
use super::lane::{Failed, Ready, found_out, ready};
use super::pool::Lease;
use super::query::{ETAG, GRACE, find_out, first_value, wanted, within};
use super::resolve::Wanted;
use super::row::{PostgresRow, owned};
use super::transaction::{Closing, Mode, Opening, may_go_alone, open};
use super::{Arc, Shared};
use crate::data::reply::{answer, content_type, etag_text};
use crate::data::{ExecuteError, Limits, Precondition, Reply, ReplyBody};

const COLLISIONS_MAX: u32 = 5;

/// Runs a plan. The time of a change counts from the moment that it has a connection: waiting for one has a limit of
/// its own, and whoever waited in vain was never begun.
pub(super) async fn run(
    shared: &Arc<Shared>,
    plan: &Plan,
    precondition: Option<&Precondition>,
    mut limits: Limits,
) -> Result<Reply, ExecuteError> {
    let pool = if plan.source.writes { &shared.writers } else { &shared.readers };
    let mode = match pool.access() {
        Access::Read => Mode::Snapshot,
        _ if precondition.is_some() => Mode::Checked,
        _ => Mode::Write,
    };
    let mut write_time = plan.source.writes.then_some(shared.options.write_time);
    let mut collisions = 0;
    let mut first = true;
    loop {
        let mut lease = pool.lease(limits.deadline).await?;
        if let Some(time) = write_time.take() {
            limits.deadline = limits.deadline.min(Instant::now() + time);
        }
        let mut attempt = Attempt {
            shared,
            plan,
            limits,
            lease: &mut lease,
            precondition,
            mode,
            progress: Progress::Idle,
            plain: true,
        };
        let ran = tokio::time::timeout_at((limits.deadline + GRACE).into(), attempt.run()).await;
        match ran.unwrap_or(Err(Failed::Own(ExecuteError::Timeout))) {
            Ok(reply) => return Ok(reply),
            // Nothing stays of a transaction that the server refused, or that was not told to commit.
            Err(failed) if first && failed.is_worth_another() && !attempt.is_open_question(&failed) => {
                first = false;
                shared.resolver.forget(plan.source.id);
            }
            // The transaction was refused as it is; a new connection may lead to a server that takes changes.
            Err(failed) if mode != Mode::Snapshot && failed.is_in_recovery() => {
                lease.give_up();
                if !first {
                    let message = "the server is in recovery and takes no changes";
                    return Err(ExecuteError::Unavailable(message.into()));
                }
                first = false;
            }
            // A checked change that lost against another looks again; what it finds decides. A commit that fails so
            // has not happened.
            Err(failed) if precondition.is_some() && failed.is_collision() && collisions < COLLISIONS_MAX => {
                collisions += 1;
            }
            Err(failed) => return Err(failed.into_error()),
        }
    }
}

struct Attempt<'a> {
    shared: &'a Shared,
    plan: &'a Plan,
    precondition: Option<&'a Precondition>,
    limits: Limits,
    lease: &'a mut Lease,
    mode: Mode,
    progress: Progress,
    /// Whether all that ran leaves the connection as it was.
    plain: bool,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing was begun.
    Idle,
    /// A transaction is open.
    Begun,
    /// The server was told to commit.
    Committing,
    /// It has committed.
    Committed,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<Reply, Failed> {
        if self.shared.postgres.pgbouncer {
            self.find_out().await?;
        }
        match self.steps().await {
            Ok(reply) => {
                self.commit().await?;
                Ok(reply)
            }
            Err(failed) => {
                self.undo(failed.is_worth_another()).await;
                Err(failed)
            }
        }
    }

    /// Whether the change may have been made although it failed: the connection was lost on the way to the commit.
    fn is_open_question(&self, failed: &Failed) -> bool {
        self.progress == Progress::Committing && failed.is_lost()
    }

    async fn commit(&mut self) -> Result<(), Failed> {
        if self.progress == Progress::Begun {
            self.progress = Progress::Committing;
            let closing = Closing { commit: true, clean: !self.plain };
            // When it fails, by a deferred rule, the connection is given up.
            self.lease.close(closing)?.finish().await?;
        }
        self.lease.keep();
        Ok(())
    }

    /// Leaves nothing behind, or gives the connection up.
    async fn undo(&mut self, outdated: bool) {
        if outdated {
            self.lease.forget_statements();
        }
        let is_undone = match self.progress {
            Progress::Idle => true,
            Progress::Begun => self.rollback().await.is_ok(),
            // A change that fails by itself, or in its commit, was undone by the server.
            Progress::Committing | Progress::Committed => !self.lease.client.is_closed(),
        };
        if is_undone {
            self.lease.keep();
        }
    }

    async fn rollback(&mut self) -> Result<(), Failed> {
        let pooled = self.lease.is_pooled && !self.plain;
        self.lease.client.batch_execute(if pooled { ROLLBACK_POOLED } else { "rollback" }).await?;
        if !self.plain && !pooled {
            self.lease.clean()?;
        }
        Ok(())
    }

    /// Behind a pooler all statements are found out before the first of them runs.
    async fn find_out(&mut self) -> Result<(), Failed> {
        let (shared, plan) = (self.shared, self.plan);
        if let Some(precondition) = self.precondition {
            find_out(shared, self.lease, &precondition.plan).await?;
        }
        for (place, step) in plan.source.steps.iter().enumerate() {
            let wanted = || match step {
                Step::Query(query) => Wanted::rows(query, &plan.source),
                Step::Change { statement, .. } => Wanted::change(statement, &plan.source),
                Step::Assign { expression, .. } => wanted(expression, plan),
            };
            found_out(shared, self.lease, plan, place, wanted).await?;
        }
        if let Some(etag) = plan.source.etag.as_ref().filter(|_| !plan.source.block) {
            found_out(shared, self.lease, plan, ETAG, || wanted(etag, plan)).await?;
        }
        Ok(())
    }

    async fn opening(&mut self) -> Result<Option<Opening>, Failed> {
        if self.progress != Progress::Idle {
            return Ok(None);
        }
        let alone = self.plan.source.steps.len() == 1 && self.precondition.is_none();
        let mode = (self.mode, self.plain && alone);
        let opening = Opening::new(self.shared, self.lease, self.plan, mode, self.limits.deadline).await?;
        self.progress = Progress::Begun;
        Ok(Some(opening))
    }

    async fn check(&mut self, precondition: &Precondition) -> Result<(), Failed> {
        if let Some(opening) = self.opening().await? {
            opening.begin(&self.lease.client).await?;
        }
        match within(self.shared, &precondition.plan, self.limits, self.lease).await {
            Ok(reply) if (precondition.holds)(&reply) => Ok(()),
            Err(failed) if failed.is_worth_another() || failed.is_collision() => Err(failed),
            Err(failed) => match failed.into_error() {
                error @ (ExecuteError::Timeout | ExecuteError::Busy | ExecuteError::Unavailable(_)) => {
                    Err(Failed::Own(error))
                }
                _ => Err(Failed::Own(ExecuteError::Outdated)),
            },
            Ok(_) => Err(Failed::Own(ExecuteError::Outdated)),
        }
    }

    async fn steps(&mut self) -> Result<Reply, Failed> {
        if let Some(precondition) = self.precondition {
            self.check(precondition).await?;
        }
        let plan = self.plan;
        let mut values = Cow::Borrowed(plan.values.as_slice());
        let mut rows = ChangeRows::default();
        let mut affected = 0;
        for (place, step) in plan.source.steps.iter().enumerate() {
            match step {
                Step::Query(_) => {
                    return Err(Failed::Own(ExecuteError::NotRunnable("a query among changes".into())));
                }
                Step::Assign { expression, slot } => {
                    let value = self.value(place, expression, &values).await?;
                    values.to_mut()[*slot] = value;
                }
                Step::Change { statement, into } => {
                    affected += self.change(place, statement, into, &mut values, &mut rows).await?;
                }
            }
        }
        let mut reply = answer(plan, &values)?;
        reply.rows = affected;
        if let Some(etag) = plan.source.etag.as_ref().filter(|_| !plan.source.block) {
            reply.etag = etag_text(self.value(ETAG, etag, &values).await?);
        }
        // A procedure without OUT values has nothing to say.
        let silent = plan.source.block || (rows.is_empty() && is_call(&plan.source.steps));
        if reply.content_type.is_none() && !silent {
            reply.content_type = Some(content_type("application/json"));
            reply.body = ReplyBody::Full(Bytes::from(rows.finish(affected)));
        }
        Ok(reply)
    }

    async fn value(
        &mut self,
        place: usize,
        query: &BoundStatement,
        values: &[BindValue],
    ) -> Result<BindValue, Failed> {
        let wanted = || wanted(query, self.plan);
        let query = ready(self.shared, self.lease, self.plan, place, wanted, values).await?;
        self.plain &= query.resolved.is_plain(self.lease.watch(self.shared));
        let opening = self.opening().await?;
        first_value(self.plan, values, self.lease, opening.as_ref(), &query).await
    }

    /// Runs one statement to its end; gives the number of rows that it changed.
    async fn change(
        &mut self,
        place: usize,
        bound: &BoundStatement,
        into: &[usize],
        values: &mut Cow<'_, [BindValue]>,
        rows: &mut ChangeRows,
    ) -> Result<u64, Failed> {
        let before = values.clone();
        let plan = self.plan;
        let wanted = || Wanted::change(bound, &plan.source);
        let statement = ready(self.shared, self.lease, plan, place, wanted, &before).await?;
        self.plain &= statement.resolved.is_plain(self.lease.watch(self.shared));
        let (opening, closing) = self.bounds(bound, &statement).await?;
        let failed = |error| statement.failed(plan, &before, error);
        let opened = open(self.lease, opening.as_ref(), &statement, closing).await;
        let mut opened = opened.map_err(|refused| refused.or(failed))?;
        let columns = &statement.resolved.columns;
        let mut taken = 0u64;
        while let Some(row) = opened.next(failed).await? {
            let row = statement.row(&row);
            taken += 1;
            if into.is_empty() {
                rows.push(columns, &row);
                if taken > self.limits.rows_max || rows.len() as u64 > self.limits.bytes_max {
                    return Err(Failed::Own(ExecuteError::TooLarge));
                }
            } else {
                take(&row, taken, into, values.to_mut())?;
            }
        }
        let affected = opened.affected().unwrap_or(taken);
        if self.progress == Progress::Committing {
            opened.finish().await.map_err(failed)?;
            self.progress = Progress::Committed;
        }
        Ok(affected)
    }

    /// What goes out in front of a change and behind it. A change that is all there is to do goes out with its
    /// commit, if its answer cannot turn out too large: nobody could take it back then.
    async fn bounds(
        &mut self,
        bound: &BoundStatement,
        statement: &Ready<'_>,
    ) -> Result<(Option<Opening>, Closing), Failed> {
        let plan = self.plan;
        let alone = self.progress == Progress::Idle
            && plan.source.steps.len() == 1
            && (plan.source.etag.is_none() || plan.source.block)
            && self.precondition.is_none();
        let most = statement.resolved.bytes_max(self.lease.watch(self.shared));
        let is_small = most.is_some_and(|most| most <= ALONE_BYTES_MAX.min(self.limits.bytes_max));
        // Behind a pooler the shape of rows is known with the first of them, and a call may try to commit.
        let in_time = statement.statement.is_some() || statement.resolved.kinds.is_empty();
        if !alone || !is_small || !in_time || self.limits.rows_max == 0 {
            return Ok((self.opening().await?, Closing::default()));
        }
        let clean = !self.plain;
        // Alone, a procedure could end the transaction.
        if bound.sql.keyword != "CALL" && may_go_alone(self.shared, plan, self.lease, self.limits.deadline) {
            self.progress = Progress::Committing;
            return Ok((Opening::alone(self.plain), Closing { commit: false, clean }));
        }
        let opening = self.opening().await?;
        self.progress = Progress::Committing;
        Ok((opening, Closing { commit: true, clean }))
    }
}

/// Whether the steps are one procedure's call.
fn is_call(steps: &[Step]) -> bool {
    matches!(steps, [Step::Change { statement, .. }] if statement.sql.keyword == "CALL")
}

/// The largest answer of a change that goes out with its commit.
const ALONE_BYTES_MAX: u64 = 64 * 1024;

fn take(
    row: &PostgresRow<'_>,
    taken: u64,
    into: &[usize],
    values: &mut [BindValue],
) -> Result<(), ExecuteError> {
    let columns = row.row.columns().len();
    if taken > 1 || columns != into.len() {
        let message = if taken > 1 {
            "INTO takes one row, but more came".to_owned()
        } else {
            format!("{columns} columns come, but INTO names {} binds", into.len())
        };
        return Err(ExecuteError::Statement { message });
    }
    for (number, slot) in into.iter().enumerate() {
        values[*slot] = owned(row, number);
    }
    Ok(())
}
