//! Transactions of requests: what opens one, what ends it, and what cleans up behind it, sent with the statement in
//! one go.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::{FutureExt, maybe_done};
use futures_util::{Stream, StreamExt};
use gatepost_rest::plan::{Plan, Principal};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row, RowStream, SimpleQueryStream, Statement};

use super::clean::COMMIT_POOLED;
use super::connect::{Access, Connection, IDLE_MS, literal, lock_ms, quoted};
use super::lane::{Failed, Ready};
use super::pool::Lease;
use super::{Arc, Shared};
use crate::data::ExecuteError;

/// Our own statement among the numbered ones.
const IDENTIFY: u64 = 0;
const IDENTIFY_TEXT: &str = "select set_config('gatepost.client_id', $1, true), \
     set_config('gatepost.roles', $2, true), set_config('gatepost.claims', $3, true)";

/// A plain statement may have taken a number of a sequence, and nothing was cleaned behind it.
const FORGET_SEQUENCES: &str = "discard sequences";

/// How much longer than asked for a change may run, so that the limit of its connection does.
const NEAR: Duration = Duration::from_millis(100);

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

/// What opens a transaction.
pub(super) struct Opening {
    text: String,
    identity: Option<Identity>,
}

struct Identity {
    /// Absent behind a pooler.
    statement: Option<Statement>,
    settings: [String; 3],
}

impl Opening {
    /// Prepares the opening of a transaction that must be over at the deadline. `is_plain`: nothing in it can ask what
    /// plain statements of others left.
    pub(super) async fn new(
        shared: &Shared,
        lease: &mut Lease,
        plan: &Plan,
        (mode, is_plain): (Mode, bool),
        deadline: Instant,
    ) -> Result<Self, Failed> {
        let left = time_left(deadline)?;
        let mut text = text(shared, plan, lease.access(), mode, left);
        if !is_plain {
            text.extend(["; ", FORGET_SEQUENCES]);
        }
        let identity = if shared.postgres.row_level_security {
            let types = [Type::TEXT, Type::TEXT, Type::TEXT];
            let statement = if shared.postgres.pgbouncer {
                None
            } else {
                Some(lease.prepared(IDENTIFY, IDENTIFY_TEXT, &types).await?)
            };
            Some(Identity { statement, settings: settings(plan.principal.as_deref()) })
        } else {
            None
        };
        Ok(Self { text, identity })
    }

    /// For a change that goes alone: no transaction.
    pub(super) fn alone(is_plain: bool) -> Option<Self> {
        (!is_plain).then(|| Self { text: FORGET_SEQUENCES.into(), identity: None })
    }

    /// Begins the transaction by itself.
    pub(super) async fn begin(&self, client: &Client) -> Result<(), Failed> {
        client.batch_execute(&self.text).await.map_err(not_opened)?;
        if let Some(identity) = &self.identity {
            let mut rows = pin!(identity.send(client).await.map_err(not_opened)?);
            while let Some(row) = rows.next().await {
                row.map_err(not_opened)?;
            }
        }
        Ok(())
    }
}

/// Whether a single change needs no transaction of its own making: the statement is one, and the limits that count
/// are those of its connection.
pub(super) fn may_go_alone(shared: &Shared, plan: &Plan, lease: &Lease, deadline: Instant) -> bool {
    lease.access() == Access::Write
        && lease.writes_by_default
        && !shared.postgres.pgbouncer
        && !shared.postgres.row_level_security
        && shared.role_of(plan).is_none()
        && time_left(deadline).is_ok_and(|left| is_usual(shared, left))
}

/// Whether the time that is left is what connections for changes have as their limit.
fn is_usual(shared: &Shared, left: Duration) -> bool {
    let usual = shared.options.write_time;
    left <= usual && left + NEAR >= usual
}

fn time_left(deadline: Instant) -> Result<Duration, ExecuteError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ExecuteError::Timeout) } else { Ok(left) }
}

fn text(shared: &Shared, plan: &Plan, access: Access, mode: Mode, left: Duration) -> String {
    let mut text = String::from(match mode {
        Mode::Read => "begin read only",
        Mode::Snapshot => "begin isolation level repeatable read read only",
        Mode::Write => "begin read write",
        Mode::Checked => "begin isolation level serializable read write",
    });
    let mut set = |name: &str, value: &str| {
        text.extend(["; set local ", name, " = ", value]);
    };
    let pooled = shared.postgres.pgbouncer;
    if pooled || access != Access::Write || !is_usual(shared, left) {
        set("statement_timeout", &left.as_millis().max(1).to_string());
        if matches!(mode, Mode::Write | Mode::Checked) {
            set("lock_timeout", &lock_ms(left));
        }
    }
    if pooled {
        // A pooler knows no settings of connections.
        set("idle_in_transaction_session_timeout", &IDLE_MS.to_string());
        set("search_path", &quoted(&shared.postgres.schema));
        set("timezone", &literal(shared.zone().name()));
    }
    if let Some(role) = shared.role_of(plan) {
        set("role", &quoted(role));
    }
    text
}

impl Identity {
    async fn send(&self, client: &Client) -> Result<RowStream, Error> {
        if let Some(statement) = &self.statement {
            return client.query_raw(statement, self.settings.iter()).await;
        }
        let typed = self.settings.iter().map(|setting| (setting, Type::TEXT));
        client.query_typed_raw(IDENTIFY_TEXT, typed).await
    }
}

/// `gatepost.client_id`, `gatepost.roles` and `gatepost.claims`.
fn settings(principal: Option<&Principal>) -> [String; 3] {
    let somebody = principal.filter(|principal| !principal.name.is_empty());
    let Some(principal) = somebody else { return [String::new(), "[]".into(), "{}".into()] };
    let roles = serde_json::Value::from(principal.roles.clone());
    let claims = serde_json::json!({ "client_id": principal.name, "roles": roles });
    // A NUL character cannot travel, and no name has one.
    [principal.name.replace('\0', ""), roles.to_string(), claims.to_string()]
}

/// What follows a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Closing {
    /// Whether the transaction ends with it.
    pub(super) commit: bool,
    /// Whether the connection is cleaned then.
    pub(super) clean: bool,
}

/// What went wrong on the way to the rows.
pub(super) enum Refused {
    /// The transaction did not open.
    Opening(Failed),
    /// The statement.
    Statement(Error),
}

impl Refused {
    pub(super) fn or(self, failed: impl FnOnce(Error) -> Failed) -> Failed {
        match self {
            Self::Opening(failed) => failed,
            Self::Statement(error) => failed(error),
        }
    }
}

/// An opening of ours that the database refuses is no fault of the handler or the caller.
fn not_opened(error: Error) -> Failed {
    let of_server = [super::error::is_lost, super::error::is_outdated, super::error::is_in_recovery]
        .iter()
        .any(|is| is(&error));
    if of_server {
        return Failed::Database(error);
    }
    let message = format!("no transaction could be opened: {}", super::error::words(&error));
    Failed::Own(ExecuteError::Unavailable(message))
}

/// The end of a transaction, which was sent already.
pub(super) struct End(Option<Pin<Box<SimpleQueryStream>>>);

impl End {
    pub(super) async fn finish(self) -> Result<(), Error> {
        let Some(mut end) = self.0 else { return Ok(()) };
        // The first answer is the commit's.
        end.next().await.transpose().map(drop)
    }
}

/// Rows that come, and the end of their transaction.
pub(super) struct Opened {
    rows: Pin<Box<RowStream>>,
    end: End,
    /// Behind a pooler the shape of the rows is known with the first of them.
    unseen: Option<Arc<super::resolve::Resolved>>,
}

impl Opened {
    /// The next row.
    pub(super) async fn next(&mut self, failed: impl FnOnce(Error) -> Failed) -> Result<Option<Row>, Failed> {
        let Some(row) = self.rows.next().await else { return Ok(None) };
        let row = row.map_err(failed)?;
        if let Some(resolved) = self.unseen.take()
            && !resolved.fits(row.columns())
        {
            return Err(Failed::Outdated);
        }
        Ok(Some(row))
    }

    /// Rows that the statement changed; known after the last row.
    pub(super) fn affected(&self) -> Option<u64> {
        self.rows.rows_affected()
    }

    /// Waits for the end of the transaction. Only after all rows were taken.
    pub(super) async fn finish(self) -> Result<(), Error> {
        drop(self.rows);
        self.end.finish().await
    }
}

/// Sends a text of ours at once; what it answers is read later.
#[expect(clippy::expect_used, reason = "the driver queues the text and waits for nothing")]
pub(super) fn send(client: &Client, text: &str) -> Result<SimpleQueryStream, Error> {
    client.simple_query_raw(text).now_or_never().expect("sending does not wait")
}

/// Sends the opening, a statement and the closing in one go; ready with the first answer of the statement.
///
/// The driver hands out answers in order and holds few of them: whoever waits for those of the statement must take those
/// of the opening as they come, or neither ever arrives. (They can come in many pieces, through a pooler for one.)
pub(super) async fn open(
    connection: &Connection,
    opening: Option<&Opening>,
    ready: &Ready<'_>,
    closing: Closing,
) -> Result<Opened, Refused> {
    let client = &connection.client;
    let sent = opening.map(|opening| send(client, &opening.text)).transpose().map_err(Refused::Statement)?;
    let identity = opening.and_then(|opening| opening.identity.as_ref());
    let mut begun = pin!(maybe_done(async {
        match sent {
            Some(answers) => drain(answers).await,
            None => Ok(()),
        }
    }));
    let mut introduced = pin!(maybe_done(async {
        match identity {
            Some(identity) => drain(identity.send(client).await?).await,
            None => Ok(()),
        }
    }));
    let mut query = pin!(maybe_done(ready.send(client)));
    let mut end = None;
    poll_fn(|context| {
        // A future sends when it is first polled, so the order here is the order on the wire.
        let opened = [begun.as_mut().poll(context), introduced.as_mut().poll(context)];
        let answered = query.as_mut().poll(context);
        if end.is_none() {
            end = Some(connection.close(closing));
        }
        let is_over = answered.is_ready() && opened.iter().all(Poll::is_ready);
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    for outcome in [begun.take_output(), introduced.take_output()].into_iter().flatten() {
        outcome.map_err(not_opened).map_err(Refused::Opening)?;
    }
    let closed = || Refused::Opening(Failed::Own(ExecuteError::Stopped));
    let rows = query.take_output().ok_or_else(closed)?.map_err(Refused::Statement)?;
    let end = end.ok_or_else(closed)?.map_err(Refused::Statement)?;
    let unseen = ready.statement.is_none().then(|| Arc::clone(&ready.resolved));
    Ok(Opened { rows: Box::pin(rows), end, unseen })
}

impl Connection {
    /// Sends what ends a transaction.
    pub(super) fn close(&self, closing: Closing) -> Result<End, Error> {
        let text = if closing.clean && self.is_pooled { COMMIT_POOLED } else { "commit" };
        let end = closing.commit.then(|| send(&self.client, text)).transpose()?;
        if closing.clean && !self.is_pooled {
            self.clean()?;
        }
        Ok(End(end.map(Box::pin)))
    }
}

async fn drain<T>(stream: impl Stream<Item = Result<T, Error>>) -> Result<(), Error> {
    let mut stream = pin!(stream);
    while let Some(message) = stream.next().await {
        message?;
    }
    Ok(())
}
