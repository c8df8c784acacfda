//! A bounded pool of one login's connections. Waiting is fair and ends; whoever is dropped in the middle of
//! something gives the connection up.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult};

use super::Shared;
use super::connect::{Access, ConnectError, Connection, Login};
use super::error::connect_error;
use super::plain::Watch;
use crate::data::{DataError, ExecuteError};

#[derive(Debug)]
pub(super) struct Manager(Login);

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = ConnectError;

    async fn create(&self) -> Result<Connection, ConnectError> {
        self.0.connect().await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<ConnectError> {
        if !connection.is_current() {
            return Err(RecycleError::message("the connection is closed, or leads to another server"));
        }
        match connection.cleaned().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(RecycleError::message("a function left prepared statements")),
            Err(error) => Err(RecycleError::Backend(ConnectError::Database(error))),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Pool(managed::Pool<Manager>);

impl Pool {
    pub(super) fn new(login: Login, most: usize, wait: Duration) -> Result<Self, DataError> {
        managed::Pool::builder(Manager(login))
            .max_size(most.max(1))
            .wait_timeout(Some(wait))
            .create_timeout(Some(wait))
            .recycle_timeout(Some(wait))
            .runtime(Runtime::Tokio1)
            .build()
            .map(Self)
            .map_err(|error| DataError::Open(error.to_string()))
    }

    /// A connection, in turn: whoever waits longer than the pool allows, or than its own time, was never begun and may
    /// come again.
    pub(super) async fn lease(&self, deadline: Instant) -> Result<Lease, ExecuteError> {
        let Ok(got) = tokio::time::timeout_at(deadline.into(), self.0.get()).await else {
            return Err(ExecuteError::Busy);
        };
        match got {
            Ok(object) => Ok(Lease { object: Some(object), pool: self.clone(), kept: false }),
            Err(PoolError::Timeout(managed::TimeoutType::Wait)) => Err(ExecuteError::Busy),
            Err(PoolError::Closed) => Err(ExecuteError::Stopped),
            Err(PoolError::Backend(error)) => Err(connect_error(&error)),
            Err(error) => Err(ExecuteError::Unavailable(format!("no connection: {error:?}"))),
        }
    }

    pub(super) fn login(&self) -> &Login {
        &self.0.manager().0
    }

    pub(super) fn access(&self) -> Access {
        self.login().access()
    }

    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// A connection at work. It goes back to the pool only when [`Lease::keep`] said that nothing is left undone.
#[derive(Debug)]
pub(super) struct Lease {
    object: Option<Object<Manager>>,
    pool: Pool,
    kept: bool,
}

impl Lease {
    /// The way in that this connection took.
    pub(super) fn login(&self) -> &Login {
        self.pool.login()
    }

    /// What is known of the objects of its database.
    pub(super) fn watch<'s>(&'s self, shared: &'s Shared) -> &'s Watch {
        self.login().watch(shared)
    }

    /// The connection is idle and as it was.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    /// The connection is of no use any more, whatever was said before.
    pub(super) fn give_up(&mut self) {
        self.kept = false;
    }
}

impl Deref for Lease {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "the object leaves in Drop only")]
    fn deref(&self) -> &Connection {
        self.object.as_deref().expect("a lease holds its connection")
    }
}

impl DerefMut for Lease {
    #[expect(clippy::expect_used, reason = "the object leaves in Drop only")]
    fn deref_mut(&mut self) -> &mut Connection {
        self.object.as_deref_mut().expect("a lease holds its connection")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.kept
            && let Some(object) = self.object.take()
        {
            // Out of the pool, and closed.
            drop(Object::take(object));
        }
    }
}
