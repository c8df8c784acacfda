//! What an execution comes to: rows on their way, or a failure in the words of HTTP.

use bytes::Bytes;
use gatepost_store::data::{ConstraintKind, ExecuteError, RowStream};

use crate::error::{Code, Failure};

/// Rows on their way to the caller. It ends with an error when they were cut short, so that no truncated answer
/// looks complete.
pub(super) struct RowBody(pub(super) RowStream);

impl http_body::Body for RowBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        self.0.poll_chunk(context).map(|chunk| chunk.map(|chunk| chunk.map(http_body::Frame::data)))
    }
}

/// What the caller learns of a failed execution; the owner learns the rest.
pub(super) fn failure(error: &ExecuteError) -> Failure {
    match error {
        ExecuteError::NotRunnable(_) => {
            Failure::new(Code::NotRunnable, "This handler's source cannot run here")
        }
        ExecuteError::NotCompiled { .. } => {
            Failure::new(Code::NotCompiled, "This handler waits for the database objects that it uses")
                .retry_after(60)
        }
        ExecuteError::Statement { .. } | ExecuteError::BadOutput(_) => {
            Failure::new(Code::StatementFailed, "The statement of this handler failed")
        }
        ExecuteError::Constraint { kind, .. } => match kind {
            ConstraintKind::Unique => Failure::new(Code::Conflict, "A row with this key exists already"),
            ConstraintKind::ForeignKey => {
                Failure::new(Code::Conflict, "The change breaks a reference between rows")
            }
            ConstraintKind::NotNull => {
                Failure::new(Code::ValueRefused, "A value that must not be empty is missing")
            }
            ConstraintKind::DataType => Failure::new(Code::ValueRefused, "A value has the wrong type"),
            ConstraintKind::Check | ConstraintKind::Other => {
                Failure::new(Code::ValueRefused, "The change breaks a rule of the data")
            }
        },
        ExecuteError::Parameter { name, message } => {
            Failure::new(Code::BadParameter, format!("parameter `{name}`: {message}"))
        }
        ExecuteError::Denied(_) => Failure::new(Code::DataDenied, "The database refuses this to the caller"),
        ExecuteError::Unavailable(_) => {
            Failure::new(Code::DataUnavailable, "The schema's data cannot be reached").retry_after(5)
        }
        ExecuteError::Timeout => Failure::new(Code::StatementTimeout, "The statement took too long"),
        ExecuteError::Busy => Failure::new(Code::Busy, "The database is busy").retry_after(1),
        ExecuteError::TooLarge => Failure::new(Code::AnswerTooLarge, "The answer is too large"),
        ExecuteError::Full | ExecuteError::Corrupt(_) => {
            Failure::new(Code::DatabaseBroken, "The database cannot be written or read")
        }
        ExecuteError::Outdated => outdated(),
        ExecuteError::Stopped => {
            Failure::new(Code::DataUnavailable, "The schema's data is being closed").retry_after(1)
        }
        ExecuteError::Panic => Failure::new(Code::Internal, "The server made a mistake"),
    }
}

/// `If-Match` names another version.
pub(super) fn outdated() -> Failure {
    Failure::new(Code::PreconditionFailed, "The resource is not the version that If-Match names")
}
