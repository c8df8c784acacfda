//! How a server ends without a failed request.
//!
//! 1. It *leaves*: health checks fail, so that balancers turn to other nodes, but whoever connects is served.
//!    HTTP/1.1 answers say `Connection: close`, HTTP/2 connections are told GOAWAY: clients move on by themselves,
//!    between two requests.
//! 2. It *finishes*: the listener closes, idle connections are closed, requests in flight go on to their end.
//!
//! Closing an idle HTTP/1.1 connection can cross a request on its way, which is then lost. That is why it comes last,
//! when whoever was busy has moved on. GOAWAY has no such gap: what crosses it is still answered.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::{SetOnce, watch};

/// How long a connection that never asked anything is waited for: its request may be on the way.
const SILENCE: Duration = Duration::from_secs(2);

/// How far a server's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serve,
    Leave,
    Finish,
}

/// The end of a server, which all its connections look at.
#[derive(Debug)]
pub(super) struct Ending(watch::Sender<Phase>);

impl Default for Ending {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Serve))
    }
}

impl Ending {
    /// Clients are to move on when it suits them.
    pub(super) fn leave(&self) {
        self.0.send_replace(Phase::Leave);
    }

    /// Connections end with what they are at.
    pub(super) fn finish(&self) {
        self.0.send_replace(Phase::Finish);
    }

    /// What a new connection looks at.
    pub(super) fn farewell(&self) -> Farewell {
        Farewell { phase: self.0.subscribe(), asked: Arc::default() }
    }

    /// Resolves when every connection has ended.
    pub(super) async fn all_gone(&self) {
        self.0.closed().await;
    }
}

/// A connection's view of the end. While it lives, the connection counts as there.
#[derive(Debug)]
pub(super) struct Farewell {
    phase: watch::Receiver<Phase>,
    asked: Arc<SetOnce<()>>,
}

impl Farewell {
    /// What the connection's requests set: hyper drops a connection of HTTP/1.1 that is told to end before its first
    /// request is read, and that request with it.
    pub(super) fn asked(&self) -> Arc<SetOnce<()>> {
        Arc::clone(&self.asked)
    }

    /// Drives a connection to its end. While the server leaves, its answers say that they are the last.
    pub(super) async fn http1<C: GracefulConnection>(mut self, connection: C) -> Result<(), C::Error> {
        let mut connection = std::pin::pin!(connection);
        end_when(connection.as_mut(), self.at_the_finish()).await
    }

    /// Drives a connection to its end, for which the next step is reason enough: one that was made while the server
    /// leaves is wanted by somebody who does not know of that yet.
    pub(super) async fn http2<C: GracefulConnection>(mut self, connection: C) -> Result<(), C::Error> {
        let mut connection = std::pin::pin!(connection);
        end_when(connection.as_mut(), self.at_the_next_step()).await
    }

    async fn at_the_finish(&mut self) {
        // Fails when the server is gone; then there is nothing to wait for.
        let _ = self.phase.wait_for(|phase| *phase == Phase::Finish).await;
        let _ = tokio::time::timeout(SILENCE, self.asked.wait()).await;
    }

    async fn at_the_next_step(&mut self) {
        if *self.phase.borrow() < Phase::Finish {
            let _ = self.phase.changed().await;
        }
    }
}

async fn end_when<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    told: impl Future<Output = ()>,
) -> Result<(), C::Error> {
    tokio::select! {
        // What has arrived is looked at first.
        biased;
        outcome = connection.as_mut() => return outcome,
        () = told => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}
