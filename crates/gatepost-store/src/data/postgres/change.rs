//! Plans that run their steps one after the other: changes, and assignments without any. One transaction a request;
//! its answer leaves after the commit.

use std::borrow::Cow;
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use gatepost_rest::plan::{BindValue, Plan};
use gatepost_rest::render::ChangeRows;
use gatepost_rest::source::{BoundStatement, Step};
use tokio_postgres::Row;

use super::connect::Access;
use super::lane::{Failed, Mode, Opening, open, ready};
use super::pool::Lease;
use super::query::{ETAG, GRACE, first_value, wanted, within};
use super::resolve::Wanted;
use super::row::{PostgresRow, owned};
use super::{Arc, Shared};
use crate::data::reply::{answer, content_type, etag_text};
use crate::data::{ExecuteError, Limits, Precondition, Reply, ReplyBody};

/// Behind the end of the transaction, what a function may have set for the session is undone.
const COMMIT: &str = "commit; set role none; reset all";
const COLLISIONS_MAX: u32 = 5;
const ROLLBACK: &str = "rollback; set role none; reset all";

/// Runs a plan.
pub(super) async fn run(
    shared: &Arc<Shared>,
    plan: &Plan,
    precondition: Option<&Precondition>,
    limits: Limits,
) -> Result<Reply, ExecuteError> {
    let mut limits = limits;
    if plan.source.writes {
        limits.deadline = limits.deadline.min(Instant::now() + shared.options.write_time);
    }
    let work = attempts(shared, plan, precondition, limits);
    tokio::time::timeout_at((limits.deadline + GRACE).into(), work)
        .await
        .unwrap_or(Err(ExecuteError::Timeout))
}

async fn attempts(
    shared: &Shared,
    plan: &Plan,
    precondition: Option<&Precondition>,
    limits: Limits,
) -> Result<Reply, ExecuteError> {
    let pool = if plan.source.writes { &shared.writers } else { &shared.readers };
    let mode = match pool.access() {
        Access::Read => Mode::Snapshot,
        _ if precondition.is_some() => Mode::Checked,
        _ => Mode::Write,
    };
    let mut collisions = 0;
    let mut first = true;
    loop {
        let mut lease = pool.lease().await?;
        let mut attempt = Attempt {
            shared,
            plan,
            limits,
            lease: &mut lease,
            precondition,
            mode,
            begun: false,
            committing: false,
        };
        match attempt.run().await {
            Ok(reply) => return Ok(reply),
            // Nothing stays of a transaction that was not committed.
            Err(failed) if first && !attempt.committing && failed.is_worth_another() => {
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
    begun: bool,
    committing: bool,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<Reply, Failed> {
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

    async fn commit(&mut self) -> Result<(), Failed> {
        if self.begun {
            self.committing = true;
            // When it fails, by a deferred rule, nothing behind it is run: the connection is given up.
            self.lease.client.batch_execute(COMMIT).await?;
        }
        self.lease.keep();
        Ok(())
    }

    /// Leaves nothing behind, or gives the connection up.
    async fn undo(&mut self, outdated: bool) {
        if outdated {
            self.lease.forget_statements();
        }
        if !self.begun || self.lease.client.batch_execute(ROLLBACK).await.is_ok() {
            self.lease.keep();
        }
    }

    async fn opening(&mut self) -> Result<Option<Opening>, Failed> {
        if self.begun {
            return Ok(None);
        }
        let opening =
            Opening::new(self.shared, self.lease, self.plan, self.mode, self.limits.deadline).await?;
        self.begun = true;
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
        if reply.content_type.is_none() && !plan.source.block {
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
        let opening = self.opening().await?;
        first_value(self.plan, values, self.lease, opening.as_ref(), &query).await
    }

    /// Runs one DML statement to its end; gives the number of rows that it changed.
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
        let opening = self.opening().await?;
        let failed = |error| statement.failed(plan, &before, error);
        let mut opened =
            open(&self.lease.client, opening.as_ref(), &statement, None).await.map_err(failed)?;
        let columns = &statement.resolved.columns;
        let mut taken = 0u64;
        while let Some(row) = opened.rows.next().await {
            let row = row.map_err(failed)?;
            taken += 1;
            if into.is_empty() {
                rows.push(columns, &PostgresRow { row: &row, zone: &columns.zone });
                if taken > self.limits.rows_max || rows.len() as u64 > self.limits.bytes_max {
                    return Err(Failed::Own(ExecuteError::TooLarge));
                }
            } else {
                take(&row, taken, into, values.to_mut(), &columns.zone)?;
            }
        }
        Ok(opened.rows.rows_affected().unwrap_or(taken))
    }
}

fn take(
    row: &Row,
    taken: u64,
    into: &[usize],
    values: &mut [BindValue],
    zone: &gatepost_rest::render::Zone,
) -> Result<(), ExecuteError> {
    let columns = row.columns().len();
    if taken > 1 || columns != into.len() {
        let message = if taken > 1 {
            "RETURNING INTO takes one row, but more came".to_owned()
        } else {
            format!("RETURNING gives {columns} columns, but INTO names {} binds", into.len())
        };
        return Err(ExecuteError::Statement { message });
    }
    for (number, slot) in into.iter().enumerate() {
        values[*slot] = owned(row, number, zone);
    }
    Ok(())
}
