//! Read replicas: queries that may be somewhat old run on standbys that are proven to be within the operator's bound.
//!
//! The proof is made beside the requests (`probe`, `verdict`); a request reads what came of it (`freshness`) and asks
//! nobody. What fails on a replica runs once more on the primary, so that a replica can only help.

mod freshness;
mod probe;
mod verdict;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gatepost_rest::definition::ReadsFrom;
use gatepost_rest::plan::Plan;
use tokio::sync::watch;

use super::background::Background;
use super::connect::{Access, Login};
use super::fast::FastLane;
use super::lane::Failed;
use super::pool::Pool;
use super::rows::Outlet;
use super::{PostgresOptions, Shared, error, fast, query};
use crate::data::{DataError, DataOptions, ExecuteError, Limits, ReplicaReport, Reply};
use crate::database::redact;
pub(super) use freshness::Freshness;
use probe::Pace;

/// The replicas of a schema, and who looks at them.
#[derive(Debug)]
pub(super) struct Replicas {
    members: Vec<Member>,
    /// Changes go there, so that is what a replica is compared with.
    primary: Arc<Login>,
    pace: Pace,
    next: AtomicUsize,
    /// Looked at from the first request that could go to a replica.
    followed: AtomicBool,
}

#[derive(Debug)]
struct Member {
    replica: Arc<Replica>,
    /// How it is looked at.
    login: Arc<Login>,
}

/// One replica.
#[derive(Debug)]
pub(super) struct Replica {
    freshness: Arc<Freshness>,
    pool: Pool,
    fast: Option<FastLane>,
    /// Requests at work there.
    busy: AtomicUsize,
}

impl Replicas {
    /// Reads the URLs. Nothing is connected to yet.
    pub(super) fn open(
        postgres: &PostgresOptions,
        options: &DataOptions,
        shares: bool,
    ) -> Result<Self, DataError> {
        let pace = Pace::new(postgres.replica_max_lag);
        let members =
            postgres.replica_urls.iter().map(|url| Member::open(url, postgres, options, shares, pace));
        Ok(Self {
            members: members.collect::<Result<_, _>>()?,
            primary: Arc::new(Login::new(&postgres.writer_url, Access::Write, postgres, options)?),
            pace,
            next: AtomicUsize::new(0),
            followed: AtomicBool::new(false),
        })
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Of those that are proven to be within the bound the one with the fewest requests, and among equals each in
    /// turn.
    fn choose(&self, background: &Background) -> Option<&Replica> {
        if self.members.is_empty() {
            return None;
        }
        if !self.followed.swap(true, Ordering::AcqRel) {
            self.follow(background);
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.members.len();
        let (before, after) = self.members.split_at(first);
        let fresh = after.iter().chain(before).map(|member| member.replica.as_ref());
        let fresh = fresh.filter(|replica| replica.freshness.is_fresh());
        fresh.min_by_key(|replica| replica.busy.load(Ordering::Relaxed))
    }

    fn follow(&self, background: &Background) {
        let (sender, samples) = watch::channel(None);
        background.spawn(probe::watch_primary(Arc::clone(&self.primary), self.pace, sender));
        for Member { replica, login } in &self.members {
            let (replica, login) = (Arc::clone(replica), Arc::clone(login));
            background.spawn(probe::watch_replica(replica, login, self.pace, samples.clone()));
        }
    }

    /// Looks at each replica once, for the operator.
    pub(super) async fn report(&self) -> Vec<ReplicaReport> {
        let mut reports = Vec::new();
        for Member { replica, login } in &self.members {
            let (primary, login) = (Arc::clone(&self.primary), Arc::clone(login));
            let behind = probe::examine(primary, login, self.pace).await;
            reports.push(ReplicaReport { name: replica.freshness.name().to_owned(), behind });
        }
        reports
    }

    pub(super) fn close(&self) {
        for member in &self.members {
            member.replica.pool.close();
        }
    }
}

impl Member {
    fn open(
        url: &str,
        postgres: &PostgresOptions,
        options: &DataOptions,
        shares: bool,
        pace: Pace,
    ) -> Result<Self, DataError> {
        let freshness = Freshness::new(redact(url), postgres.replica_max_lag, pace.interval());
        let freshness = Arc::new(freshness);
        let login = |access| Login::new(url, access, postgres, options);
        let used = |access| Ok(login(access)?.of_replica(&freshness));
        let looked_at_with = login(Access::Read)?.of_any();
        if looked_at_with.servers() != 1 {
            let message =
                format!("`{}` names several servers; each replica has a URL of its own", redact(url));
            return Err(DataError::Open(message));
        }
        let replica = Replica {
            pool: Pool::new(used(Access::Read)?, postgres.readers_max, postgres.wait)?,
            fast: shares.then(|| used(Access::Share).map(FastLane::new)).transpose()?,
            freshness,
            busy: AtomicUsize::new(0),
        };
        Ok(Self { replica: Arc::new(replica), login: Arc::new(looked_at_with) })
    }
}

/// A request at work on a replica.
struct Work<'r>(&'r Replica);

impl<'r> Work<'r> {
    fn begin(replica: &'r Replica) -> Self {
        replica.busy.fetch_add(1, Ordering::Relaxed);
        Self(replica)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The replica that may answer a query now, if there is one.
pub(super) fn choose<'s>(shared: &'s Shared, plan: &Plan) -> Option<&'s Replica> {
    if plan.reads_from == ReadsFrom::Primary || plan.source.hints.needs_primary.load(Ordering::Relaxed) {
        return None;
    }
    shared.replicas.choose(&shared.background)
}

/// Runs a query on a replica; none when the primary must answer after all.
pub(super) async fn run(
    shared: &Shared,
    replica: &Replica,
    plan: &Plan,
    limits: Limits,
    outlet: &mut Outlet,
) -> Option<Result<Reply, ExecuteError>> {
    let _work = Work::begin(replica);
    let streams = outlet.streams();
    let mut lost = pin!(replica.freshness.lost());
    let failed = {
        let mut answer = pin!(answer(shared, replica, plan, limits, outlet));
        let answered = tokio::select! {
            biased;
            answered = &mut answer => answered,
            // An answer that has begun to leave cannot come from elsewhere any more.
            () = &mut lost => {
                if !streams.load(Ordering::Acquire) {
                    return None;
                }
                answer.await
            }
        };
        match answered {
            Ok(reply) => {
                replica.freshness.succeed();
                return Some(Ok(reply));
            }
            Err(failed) => failed,
        }
    };
    take_note(replica, plan, &failed);
    let is_final = streams.load(Ordering::Acquire) || is_of_the_request(&failed);
    is_final.then(|| Err(failed.into_error()))
}

async fn answer(
    shared: &Shared,
    replica: &Replica,
    plan: &Plan,
    limits: Limits,
    outlet: &mut Outlet,
) -> Result<Reply, Failed> {
    if let Some(lane) = &replica.fast
        && let Some(result) = fast::run(shared, lane, plan, limits).await
    {
        return result;
    }
    let mut lease = replica.pool.lease(limits.deadline).await?;
    query::attempt(shared, plan, limits, &mut lease, outlet).await
}

/// Learns from a failure.
fn take_note(replica: &Replica, plan: &Plan, failed: &Failed) {
    match failed {
        Failed::Own(ExecuteError::Unavailable(message)) => replica.freshness.fail(message.clone()),
        Failed::Database(error) if error::is_lost(error) || error::is_collision(error) => {
            replica.freshness.fail(error::words(error));
        }
        Failed::Database(error) if error::needs_primary(error) && !error::is_outdated(error) => {
            plan.source.hints.needs_primary.store(true, Ordering::Relaxed);
        }
        _ => {}
    }
}

/// Whether the primary would say the same.
fn is_of_the_request(failed: &Failed) -> bool {
    matches!(
        failed,
        Failed::Own(
            ExecuteError::Timeout
                | ExecuteError::TooLarge
                | ExecuteError::Parameter { .. }
                | ExecuteError::BadOutput(_)
                | ExecuteError::Stopped
        )
    )
}
