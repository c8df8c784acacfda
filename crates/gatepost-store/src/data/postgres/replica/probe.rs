//! The looks at the primary and its replicas: one task each, beside the requests. Every wait has an end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;

use super::Replica;
use super::verdict::{Cause, History, Judge, Sample, Standby};
use crate::data::postgres::connect::{Connection, INSTANCE, Login};
use crate::data::postgres::error::words;

/// How long opening a connection may take, with all hosts that it tries.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// How long an operator waits for a replica that lags.
const EXAMINE_TIME: Duration = Duration::from_secs(10);

/// Where the next record goes, not what is written: a commit can be seen before it is written.
const PRIMARY: &str = "select cast(w.at - '0/0' as bigint), \
     cast(pg_catalog.current_setting('wal_block_size') as bigint), c.system_identifier, \
     cast(cast('x' || substr(pg_catalog.pg_walfile_name(w.at), 1, 8) as bit(32)) as bigint) \
     from pg_catalog.pg_current_wal_insert_lsn() w(at), pg_catalog.pg_control_system() c";

/// The timeline is that of the last restart point or of the minimum recovery end, whichever is later.
const STANDBY: &str = "select pg_catalog.pg_is_in_recovery(), \
     cast(pg_catalog.pg_last_wal_replay_lsn() - '0/0' as bigint), s.system_identifier, \
     cast(greatest(c.timeline_id, r.min_recovery_end_timeline) as bigint) \
     from pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c, \
     pg_catalog.pg_control_recovery() r";

/// How often, and how patiently.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    bound: Duration,
}

impl Pace {
    pub(super) fn new(bound: Duration) -> Self {
        Self { bound }
    }

    /// The time between two looks.
    pub(super) fn interval(self) -> Duration {
        (self.bound / 4).clamp(Duration::from_millis(25), Duration::from_secs(1))
    }

    /// How long an answer may take. A server that is slower is as good as gone.
    fn patience(self) -> Duration {
        self.bound.clamp(Duration::from_secs(1), Duration::from_secs(3))
    }

    fn judge(self) -> Judge {
        Judge::new(self.bound)
    }
}

/// Looks at the primary until nobody wants to know any more.
pub(super) async fn watch_primary(login: Arc<Login>, pace: Pace, seen: watch::Sender<Option<Sample>>) {
    let mut line = Line::new(login, pace);
    let mut failing = false;
    while !seen.is_closed() {
        let outcome = line.sample().await;
        match (&outcome, failing) {
            (Err(message), false) => {
                tracing::warn!(
                    "the primary does not say how far it is, so no replica can be used: {message}"
                );
            }
            (Ok(_), true) => tracing::info!("the primary says again how far it is"),
            _ => {}
        }
        failing = outcome.is_err();
        if let Ok(sample) = outcome {
            seen.send_replace(Some(sample));
        }
        sleep(if failing { PAUSE } else { pace.interval() }).await;
    }
}

/// Looks at a replica whenever the primary was looked at.
pub(super) async fn watch_replica(
    replica: Arc<Replica>,
    login: Arc<Login>,
    pace: Pace,
    mut seen: watch::Receiver<Option<Sample>>,
) {
    let mut line = Line::new(login, pace);
    let mut judge = pace.judge();
    loop {
        match timeout(pace.bound, seen.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                replica.freshness.prove_nothing();
                continue;
            }
        }
        let Some(sample) = *seen.borrow_and_update() else { continue };
        judge.note(sample);
        match line.standby().await {
            Ok(standby) => {
                replica.freshness.found(standby.started_us);
                match judge.judge(standby, Instant::now()) {
                    Ok(Some(at)) => replica.freshness.prove(at),
                    Ok(None) => replica.freshness.prove_nothing(),
                    Err(cause) => replica.freshness.refuse(&cause),
                }
            }
            Err(message) => {
                replica.freshness.lose(message);
                sleep(PAUSE).await;
            }
        }
    }
}

/// Looks at a replica until it is proven to hold something, for as long as that is worth waiting for. Gives how old
/// its answers are at most.
pub(super) async fn examine(
    primary: Arc<Login>,
    replica: Arc<Login>,
    pace: Pace,
) -> Result<Duration, String> {
    let (mut primary, mut replica) = (Line::new(primary, pace), Line::new(replica, pace));
    let mut judge = pace.judge();
    let patience = pace.bound.clamp(PAUSE, EXAMINE_TIME);
    let until = Instant::now() + patience;
    // Connected before it is measured.
    replica.standby().await?;
    loop {
        let sample = primary.sample().await.map_err(|message| format!("the primary: {message}"))?;
        judge.note(sample);
        let standby = replica.standby().await?;
        match judge.judge(standby, Instant::now()).map_err(|cause| cause.to_string())? {
            Some(at) => return Ok(at.elapsed()),
            None if Instant::now() > until => return Err(Cause::Behind(patience).to_string()),
            None => sleep(pace.interval()).await,
        }
    }
}

/// A connection that is asked again and again, opened when it is needed.
struct Line {
    login: Arc<Login>,
    /// With the moment at which its server was started.
    connection: Option<(Connection, i64)>,
    patience: Duration,
}

impl Line {
    fn new(login: Arc<Login>, pace: Pace) -> Self {
        Self { login, connection: None, patience: pace.patience() }
    }

    async fn sample(&mut self) -> Result<Sample, String> {
        let (at, _, row) = self.ask(PRIMARY).await?;
        let number = |column| row.try_get::<_, i64>(column).map_err(|error| words(&error));
        let history = History { system: number(2)?, timeline: number(3)? };
        Ok(Sample { at, position: number(0)?, page: number(1)?.max(1), history })
    }

    async fn standby(&mut self) -> Result<Standby, String> {
        let (_, started_us, row) = self.ask(STANDBY).await?;
        let number = |column| row.try_get::<_, i64>(column).map_err(|error| words(&error));
        Ok(Standby {
            in_recovery: row.try_get(0).map_err(|error| words(&error))?,
            started_us,
            replayed: row.try_get(1).map_err(|error| words(&error))?,
            history: History { system: number(2)?, timeline: number(3)? },
        })
    }

    /// The answer, with a moment before it was asked for and the start of the server that gave it.
    async fn ask(&mut self, question: &str) -> Result<(Instant, i64, Row), String> {
        // Out of its place while it is asked: one that missed an answer is not used again.
        let known = self.connection.take().filter(|(connection, _)| !connection.client.is_closed());
        let (connection, started_us) = match known {
            Some(known) => known,
            None => self.open().await?,
        };
        let at = Instant::now();
        let row = self.within(connection.client.query_typed_one(question, &[])).await?;
        self.connection = Some((connection, started_us));
        Ok((at, started_us, row))
    }

    async fn open(&self) -> Result<(Connection, i64), String> {
        let connected = timeout(CONNECT_TIME, self.login.connect()).await;
        let connection = connected.map_err(|_| SILENT)?.map_err(|error| error.words())?;
        let row = self.within(connection.client.query_typed_one(INSTANCE, &[])).await?;
        let started_us = row.try_get(0).map_err(|error| words(&error))?;
        Ok((connection, started_us))
    }

    async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, String> {
        timeout(self.patience, answer).await.map_err(|_| SILENT)?.map_err(|error| words(&error))
    }
}

const SILENT: &str = "it does not answer in time";
