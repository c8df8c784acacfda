//! PostgreSQL's codes in the words of the store; every code is mapped here and nowhere else.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use super::connect::ConnectError;
use crate::data::{ConstraintKind, ExecuteError};

/// Maps an error of a statement that runs.
pub(super) fn execute_error(error: &Error) -> ExecuteError {
    let Some(database) = error.as_db_error() else {
        return ExecuteError::Unavailable(words(error));
    };
    let code = database.code().code();
    let message = text(database);
    match &code[..2] {
        "08" => ExecuteError::Unavailable(message),
        "22" => value_error(code, message),
        "23" => ExecuteError::Constraint { kind: constraint_kind(database.code()), message },
        "53" if code == "53100" => ExecuteError::Full,
        "53" => ExecuteError::Busy,
        "58" | "XX" => ExecuteError::Corrupt(message),
        _ => other_error(code, message),
    }
}

fn value_error(code: &str, message: String) -> ExecuteError {
    match code {
        // What a value of the request can cause: too long, out of range, not of the type that it is cast to.
        "22001" | "22003" | "22007" | "22008" | "22009" | "22P02" | "22P03" | "22021" | "22023" | "22032" => {
            ExecuteError::Constraint { kind: ConstraintKind::DataType, message }
        }
        _ => ExecuteError::Statement { message },
    }
}

fn other_error(code: &str, message: String) -> ExecuteError {
    match code {
        "57014" => ExecuteError::Timeout,
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => ExecuteError::Unavailable(message),
        // Two transactions in each other's way, or a lock that is held.
        "40001" | "40P01" | "55P03" => ExecuteError::Busy,
        "25006" | "42501" | "0LP01" | "25001" => ExecuteError::NotRunnable(message),
        "2D000" => ExecuteError::NotRunnable(format!(
            "a procedure that commits or rolls back cannot be called from a handler, whose request is one \
             transaction: {message}"
        )),
        "P0001" => ExecuteError::Constraint { kind: ConstraintKind::Other, message },
        _ => ExecuteError::Statement { message },
    }
}

/// Maps an error of a statement that is prepared: what the database does not know yet may come.
pub(super) fn prepare_error(error: &Error) -> ExecuteError {
    let Some(database) = error.as_db_error() else { return execute_error(error) };
    let code = database.code().code();
    match &code[..2] {
        "42" | "3F" if code != "42501" => ExecuteError::NotCompiled { message: text(database) },
        _ => execute_error(error),
    }
}

/// Maps an error of connecting.
pub(super) fn connect_error(error: &ConnectError) -> ExecuteError {
    match error {
        ConnectError::Database(error) if error.code().is_some_and(|code| code.code().starts_with("53")) => {
            ExecuteError::Busy
        }
        other => ExecuteError::Unavailable(other.words()),
    }
}

/// The number of the parameter that the server could not read, from 1. Only its place in the context is looked at:
/// the words around it are translated.
pub(super) fn parameter(error: &Error) -> Option<usize> {
    let database = error.as_db_error()?;
    let code = database.code().code();
    if !code.starts_with("22") && code != "23514" {
        return None;
    }
    let last = database.where_()?.lines().last()?;
    let before_value = last.split_once(" = ").map_or(last, |(before, _)| before);
    before_value.rsplit_once('$').and_then(|(_, number)| number.parse().ok())
}

/// Whether the statement has to be prepared anew, because the database changed since.
pub(super) fn is_outdated(error: &Error) -> bool {
    error.as_db_error().is_some_and(|database| match database.code().code() {
        "0A000" => database.routine() == Some("RevalidateCachedQuery"),
        "26000" | "XX000" => true,
        // A statement that was good when it was prepared.
        code => code.starts_with("42") && code != "42501",
    })
}

/// Whether rights are missing.
pub(super) fn is_denied(error: &Error) -> bool {
    error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
}

/// Whether two transactions were in each other's way, so that one of them runs again.
pub(super) fn is_collision(error: &Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "40001" | "40P01"))
}

/// Whether a server in recovery cannot do what the statement asks for, whatever its data.
pub(super) fn needs_primary(error: &Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "25006" | "55000" | "0A000"))
}

/// Whether a change met a server in recovery: one that was demoted since, or that a name leads to now.
pub(super) fn is_in_recovery(error: &Error) -> bool {
    error.as_db_error().is_some_and(|database| match database.code().code() {
        "25006" => true,
        // BEGIN READ WRITE.
        "0A000" => database.routine() == Some("call_bool_check_hook"),
        _ => false,
    })
}

/// Whether the connection is gone.
pub(super) fn is_lost(error: &Error) -> bool {
    match error.as_db_error() {
        None => {
            error.is_closed()
                || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        }
        Some(database) => matches!(database.code().code(), "57P01" | "57P02" | "57P03" | "57P05" | "25P03"),
    }
}

/// The database's words; for failures of the connection the whole chain of causes, which holds no password.
pub(super) fn words(error: &Error) -> String {
    if let Some(database) = error.as_db_error() {
        return text(database);
    }
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = inner.source();
    }
    words
}

pub(super) fn text(database: &DbError) -> String {
    let mut text = database.message().to_owned();
    for more in [database.detail(), database.hint()].into_iter().flatten() {
        text.push_str("; ");
        text.push_str(more);
    }
    text
}

fn constraint_kind(code: &SqlState) -> ConstraintKind {
    match code.code() {
        "23505" | "23P01" => ConstraintKind::Unique,
        "23503" | "23001" => ConstraintKind::ForeignKey,
        "23514" => ConstraintKind::Check,
        "23502" => ConstraintKind::NotNull,
        _ => ConstraintKind::Other,
    }
}
