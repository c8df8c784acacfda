//! Plans that only read.

use std::time::Duration;

use gatepost_rest::plan::{BindValue, Plan};
use gatepost_rest::render::Flow;
use gatepost_rest::source::BoundStatement;

use super::lane::{Failed, Ready, found_out, ready};
use super::pool::Lease;
use super::resolve::Wanted;
use super::row::owned;
use super::rows::{Outlet, Writer};
use super::transaction::{Closing, Mode, Opened, Opening, open};
use super::{Arc, Shared, change, fast, replica};
use crate::data::reply::etag_text;
use crate::data::{ExecuteError, Limits, Reply};

/// The number of the `ETag` query among the statements of a source.
pub(super) const ETAG: usize = usize::MAX;
/// Beyond the database's own limit, before the connection is given up.
pub(super) const GRACE: Duration = Duration::from_millis(500);
/// Rows that are thrown away rather than the connection.
const LEFT_OVER_MAX: usize = 1_000;

/// Runs a plan. What streams goes on in a task of its own, which ends when its client is gone.
pub(super) async fn run(shared: &Arc<Shared>, plan: Plan, limits: Limits) -> Result<Reply, ExecuteError> {
    if plan.source.query().is_none() {
        return change::run(shared, &plan, None, limits).await;
    }
    let (outlet, mut started) = Outlet::new(shared.options.clone(), limits);
    let shared = Arc::clone(shared);
    let mut work = Box::pin(tokio::time::timeout_at((limits.deadline + GRACE).into(), async move {
        attempts(&shared, &plan, limits, outlet).await
    }));
    let begun = tokio::select! {
        biased;
        Ok(begun) = &mut started => begun,
        result = &mut work => match started.try_recv() {
            // All of the stream went into the pipe before anybody looked.
            Ok(begun) => return Ok(begun.reply),
            Err(_) => return result.unwrap_or(Err(ExecuteError::Timeout)),
        },
    };
    tokio::spawn(async move {
        tokio::select! {
            // The outcome went into the stream.
            _ = work => {}
            () = begun.gone => {}
        }
    });
    Ok(begun.reply)
}

async fn attempts(
    shared: &Shared,
    plan: &Plan,
    limits: Limits,
    mut outlet: Outlet,
) -> Result<Reply, ExecuteError> {
    if let Some(replica) = replica::choose(shared, plan)
        && let Some(result) = Box::pin(replica::run(shared, replica, plan, limits, &mut outlet)).await
    {
        return outlet.finish(result).await;
    }
    if let Some(lane) = &shared.fast
        && let Some(result) = fast::run(shared, lane, plan, limits).await
    {
        return result.map_err(Failed::into_error);
    }
    let mut first = true;
    let result = loop {
        let mut lease = match shared.readers.lease(limits.deadline).await {
            Ok(lease) => lease,
            Err(error) => break Err(error),
        };
        match attempt(shared, plan, limits, &mut lease, &mut outlet).await {
            Ok(reply) => break Ok(reply),
            Err(failed) if first && !outlet.is_streaming() && failed.is_worth_another() => {
                first = false;
                shared.resolver.forget(plan.source.id);
                lease.forget_statements();
            }
            Err(failed) => break Err(failed.into_error()),
        }
    };
    outlet.finish(result).await
}

/// Runs a plan once on a connection.
pub(super) async fn attempt(
    shared: &Shared,
    plan: &Plan,
    limits: Limits,
    lease: &mut Lease,
    outlet: &mut Outlet,
) -> Result<Reply, Failed> {
    let values = plan.values.as_slice();
    if shared.postgres.pgbouncer {
        keep_if_refused(find_out(shared, lease, plan).await, lease)?;
    }
    let queries = keep_if_refused(queries(shared, lease, plan, values).await, lease)?;
    let Queries { main, etag } = queries;
    let mode = if etag.is_some() { Mode::Snapshot } else { Mode::Read };
    let one_is = |query: &Ready<'_>| query.resolved.is_plain(lease.watch(shared));
    let is_plain = one_is(&main) && etag.as_ref().is_none_or(one_is);
    let opening = Opening::new(shared, lease, plan, (mode, is_plain), limits.deadline).await?;
    if !lease.may_answer() {
        lease.keep();
        return Err(Failed::Own(ExecuteError::Busy));
    }
    let closing = Closing { commit: true, clean: !is_plain };
    let outcome = match etag {
        None => rows(plan, limits, lease, outlet, (Some(&opening), closing), &main, None).await,
        Some(etag) => {
            let value = first_value(plan, values, lease, Some(&opening), &etag).await?;
            rows(plan, limits, lease, outlet, (None, closing), &main, etag_text(value)).await
        }
    };
    match outcome {
        // The end of the transaction was answered: nothing is left on the connection.
        Ok(result) => {
            if !lease.client.is_closed() {
                lease.keep();
            }
            result
        }
        Err(failed) => Err(failed),
    }
}

/// The statements of a plan that reads, ready.
struct Queries<'v> {
    main: Ready<'v>,
    etag: Option<Ready<'v>>,
}

async fn queries<'v>(
    shared: &Shared,
    lease: &mut Lease,
    plan: &Plan,
    values: &'v [BindValue],
) -> Result<Queries<'v>, Failed> {
    let Some(query) = plan.source.query() else { return Err(Failed::Own(ExecuteError::Panic)) };
    let main = ready(shared, lease, plan, 0, || Wanted::rows(query, &plan.source), values).await?;
    let etag = match &plan.source.etag {
        Some(etag) => {
            let wanted = || Wanted::query(etag, &plan.source);
            Some(ready(shared, lease, plan, ETAG, wanted, values).await?)
        }
        None => None,
    };
    Ok(Queries { main, etag })
}

/// Behind a pooler statements are found out before the first of them runs.
pub(super) async fn find_out(shared: &Shared, lease: &Lease, plan: &Plan) -> Result<(), Failed> {
    if let Some(query) = plan.source.query() {
        found_out(shared, lease, plan, 0, || Wanted::rows(query, &plan.source)).await?;
    }
    if let Some(etag) = &plan.source.etag {
        found_out(shared, lease, plan, ETAG, || wanted(etag, plan)).await?;
    }
    Ok(())
}

/// Runs a plan that reads inside a transaction that is already begun. Its answer must fit the buffer.
pub(super) async fn within(
    shared: &Shared,
    plan: &Plan,
    limits: Limits,
    lease: &mut Lease,
) -> Result<Reply, Failed> {
    let values = plan.values.as_slice();
    let Queries { main, etag } = queries(shared, lease, plan, values).await?;
    let tag = match etag {
        Some(etag) => etag_text(first_value(plan, values, lease, None, &etag).await?),
        None => None,
    };
    let (mut outlet, _) = Outlet::new(shared.options.clone(), limits);
    rows(plan, limits, lease, &mut outlet, (None, Closing::default()), &main, tag).await?
}

/// An outer error means that the transaction may be open still.
type Ended = Result<Reply, Failed>;

/// A statement that is refused before anything was begun leaves the connection as it was.
pub(super) fn keep_if_refused<T>(result: Result<T, Failed>, lease: &mut Lease) -> Result<T, Failed> {
    if let Err(Failed::Own(_)) = &result {
        lease.keep();
    }
    result
}

async fn rows(
    plan: &Plan,
    limits: Limits,
    lease: &Lease,
    outlet: &mut Outlet,
    (opening, closing): (Option<&Opening>, Closing),
    query: &Ready<'_>,
    etag: Option<String>,
) -> Result<Ended, Failed> {
    let failed = |error| query.failed(plan, &plan.values, error);
    let mut opened = match open(lease, opening, query, closing).await {
        Ok(opened) => opened,
        Err(refused) => return Ok(Err(refused.or(failed))),
    };
    let mut writer = Writer::new(plan, &query.resolved.columns, limits, etag)?;
    let mut failure = None;
    loop {
        match opened.next(failed).await {
            Ok(None) => break,
            Ok(Some(row)) => {
                if writer.row(&query.row(&row), outlet).await? == Flow::Enough {
                    skip(&mut opened).await?;
                    break;
                }
            }
            Err(failed) => {
                failure = Some(failed);
                break;
            }
        }
    }
    let ended = opened.finish().await;
    if let Some(failed) = failure {
        return Ok(Err(failed));
    }
    ended?;
    Ok(writer.end().map_err(Failed::Own))
}

/// Throws away the rows that are not shown; too many of them are not waited for.
async fn skip(opened: &mut Opened) -> Result<(), Failed> {
    for _ in 0..LEFT_OVER_MAX {
        if opened.next(Failed::Database).await?.is_none() {
            return Ok(());
        }
    }
    Err(Failed::Own(ExecuteError::TooLarge))
}

/// The first column of the first row; NULL without one.
pub(super) async fn first_value(
    plan: &Plan,
    values: &[BindValue],
    lease: &Lease,
    opening: Option<&Opening>,
    query: &Ready<'_>,
) -> Result<BindValue, Failed> {
    let failed = |error| query.failed(plan, values, error);
    let opened = open(lease, opening, query, Closing::default()).await;
    let mut opened = opened.map_err(|refused| refused.or(failed))?;
    let value = match opened.next(failed).await? {
        None => BindValue::Null,
        Some(row) => owned(&query.row(&row), 0),
    };
    while opened.next(failed).await?.is_some() {}
    Ok(value)
}

/// A query of a source beside its rows.
pub(super) fn wanted(bound: &BoundStatement, plan: &Plan) -> Wanted {
    Wanted::query(bound, &plan.source)
}
