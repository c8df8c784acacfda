//! SQLite's codes in the words of the store; every code is mapped here and nowhere else.

use rusqlite::{ErrorCode, ffi};

use super::super::{ConstraintKind, DataError, ExecuteError};

pub(super) fn open_error(error: &rusqlite::Error) -> DataError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => DataError::Busy,
        _ => DataError::Open(error.to_string()),
    }
}

/// Maps an error of a statement. An interrupted one says why through the watch: see `UserConnection::error`.
pub(super) fn execute_error(error: &rusqlite::Error) -> ExecuteError {
    let Some(sqlite) = error.sqlite_error() else {
        return ExecuteError::Statement { message: error.to_string() };
    };
    let message = words(error);
    match sqlite.code {
        ErrorCode::ConstraintViolation => {
            ExecuteError::Constraint { kind: constraint_kind(sqlite.extended_code), message }
        }
        ErrorCode::OperationInterrupted => ExecuteError::Timeout,
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::OutOfMemory
        | ErrorCode::FileLockingProtocolFailed => ExecuteError::Busy,
        ErrorCode::DiskFull => ExecuteError::Full,
        ErrorCode::TooBig => ExecuteError::TooLarge,
        ErrorCode::TypeMismatch => ExecuteError::Constraint { kind: ConstraintKind::DataType, message },
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::NoLargeFileSupport => ExecuteError::Corrupt(message),
        ErrorCode::AuthorizationForStatementDenied | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => {
            ExecuteError::NotRunnable(message)
        }
        _ => ExecuteError::Statement { message },
    }
}

/// SQLite's words, without the SQL text.
pub(super) fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

fn constraint_kind(extended_code: i32) -> ConstraintKind {
    match extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            ConstraintKind::Unique
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ConstraintKind::ForeignKey,
        ffi::SQLITE_CONSTRAINT_CHECK => ConstraintKind::Check,
        ffi::SQLITE_CONSTRAINT_NOTNULL => ConstraintKind::NotNull,
        ffi::SQLITE_CONSTRAINT_DATATYPE => ConstraintKind::DataType,
        _ => ConstraintKind::Other,
    }
}
