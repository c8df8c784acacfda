//! What a failure of PostgreSQL means to us.

use std::error::Error as _;

use tokio_postgres::Error;

use crate::database::DatabaseError;

impl From<Error> for DatabaseError {
    fn from(error: Error) -> Self {
        let Some(answer) = error.as_db_error() else { return Self::Unreachable(chain(&error)) };
        let text = answer.message().to_owned();
        match answer.code().code() {
            // Too many connections, lock not to be had in time, could not be serialized, deadlock, time-out.
            "53300" | "55P03" | "40001" | "40P01" | "57014" => Self::Busy,
            "53100" => Self::DiskFull,
            // Unique rules; the others are two processes that make the same schema, table or role.
            "23505" | "42P06" | "42P07" | "42710" => Self::Duplicate,
            // Damaged pages, a table or column that is not there.
            "XX001" | "XX002" | "42P01" | "42703" | "3F000" => Self::Broken(text),
            // No permission, a server that only reads, an unknown database.
            "42501" | "25006" | "3D000" => Self::Unreachable(text),
            // BEGIN READ WRITE on a server that only reads.
            "0A000" if answer.routine() == Some("call_bool_check_hook") => Self::Unreachable(text),
            // Connection, login, server going down.
            code if ["08", "28", "57P"].iter().any(|class| code.starts_with(class)) => {
                Self::Unreachable(text)
            }
            code => Self::Other(format!("{text} (SQLSTATE {code})")),
        }
    }
}

/// The message with its causes: the driver's own one only says which step failed.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
