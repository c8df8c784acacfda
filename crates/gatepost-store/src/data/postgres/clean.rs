//! What user SQL can leave on a connection for the next request, and how it is cleared away: settings, a role, open
//! cursors, channels, temporary tables, values of sequences, advisory locks and prepared statements.
//!
//! Only statements that are not plain are cleaned up behind. The text goes out with their commit, and its outcome is
//! looked at before the connection is used again: one that could not be cleaned is not.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage, SimpleQueryStream};

use super::transaction::send;

/// Releases the locks, and counts what was prepared in SQL: this statement and nothing else.
const PREPARE: &str = "prepare gatepost_left as select pg_catalog.pg_advisory_unlock_all()::text, \
     (select pg_catalog.count(*) from pg_catalog.pg_prepared_statements where from_sql)::text;";
const WHOLE: &str = "reset role; reset all; close all; unlisten *; discard temp; discard sequences; \
     execute gatepost_left";
/// For engines that have no more than this.
const BASIC: &str = "reset role; reset all";

/// In one text with the end of the transaction, since the server's connection may be another client's right behind it.
/// No prepared statement of ours is on it. The encoding is what the driver asked for when it connected.
macro_rules! and_clean_pooled {
    ($end:literal) => {
        concat!(
            $end,
            "; reset role; reset all; set client_encoding = 'UTF8'; close all; unlisten *; deallocate all; ",
            "discard temp; discard sequences; select pg_catalog.pg_advisory_unlock_all()"
        )
    };
}
pub(super) const COMMIT_POOLED: &str = and_clean_pooled!("commit");
pub(super) const ROLLBACK_POOLED: &str = and_clean_pooled!("rollback");

/// What the server of a login understands.
#[derive(Debug, Default)]
pub(super) struct Means(AtomicU8);

const NOT_KNOWN: u8 = 0;
const ALL: u8 = 1;
const FEW: u8 = 2;

/// Clears a connection.
#[derive(Default)]
pub(super) struct Cleaner {
    is_prepared: AtomicBool,
    sent: Mutex<Option<Pin<Box<SimpleQueryStream>>>>,
}

impl Cleaner {
    /// Sends what cleans; the outcome is looked at by [`Cleaner::finish`].
    pub(super) fn start(&self, client: &Client, means: &Means) -> Result<(), Error> {
        let stream = if means.0.load(Ordering::Relaxed) == FEW {
            send(client, BASIC)?
        } else if self.is_prepared.swap(true, Ordering::Relaxed) {
            send(client, WHOLE)?
        } else {
            send(client, &[PREPARE, WHOLE].concat())?
        };
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(stream));
        Ok(())
    }

    /// Waits for the outcome: whether the connection is clean.
    pub(super) async fn finish(&mut self, means: &Means) -> Result<bool, Error> {
        let sent = self.sent.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut stream) = sent else { return Ok(true) };
        let few = means.0.load(Ordering::Relaxed) == FEW;
        let mut is_clean = few;
        while let Some(message) = stream.next().await {
            match message {
                Ok(SimpleQueryMessage::Row(row)) => is_clean = row.try_get(1)? == Some("1"),
                Ok(_) => {}
                Err(error) => {
                    means.learn(&error);
                    return Err(error);
                }
            }
        }
        if !few {
            means.0.store(ALL, Ordering::Relaxed);
        }
        Ok(is_clean)
    }
}

impl Means {
    /// A server that never did it and does not know how is asked for less.
    fn learn(&self, error: &Error) {
        let unknown = matches!(
            error.code(),
            Some(
                &SqlState::SYNTAX_ERROR
                    | &SqlState::FEATURE_NOT_SUPPORTED
                    | &SqlState::UNDEFINED_FUNCTION
                    | &SqlState::UNDEFINED_TABLE
                    | &SqlState::UNDEFINED_COLUMN
            )
        );
        if unknown && self.0.compare_exchange(NOT_KNOWN, FEW, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            tracing::warn!(
                %error,
                "the database cannot clear all that a function may leave on a connection; settings and role are reset"
            );
        }
    }
}
