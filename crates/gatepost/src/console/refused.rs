//! Why a page is not shown. The page that says so is made in `gate.rs`, where the request is known.

use axum::body::Body;
use axum::response::IntoResponse;
use gatepost_store::catalog::CommitError;
use http::{Response, StatusCode};

/// Why a page is not shown, or a form not taken.
#[derive(Clone, Debug)]
pub(super) enum Refused {
    /// Nobody is signed in; after signing in, the person comes back here.
    NotSignedIn,
    /// The kind of this user may not; what would be needed.
    NotAllowed(&'static str),
    /// There is no such page or object.
    NotFound,
    /// The form cannot be read or says something impossible.
    Invalid(String),
    /// Somebody else changed something first.
    Conflict(String),
    /// The form is not from a page of this sign-in.
    ForeignForm,
    /// The request is for another host.
    WrongHost(String),
    /// The form is too large.
    TooLarge,
    /// Too much is going on.
    Busy,
    /// The password has to be given again first; the path to come back to.
    ConfirmFirst(String),
    /// The program or the database failed; the cause is for the log.
    Failed(String),
}

impl Refused {
    /// A failure of ours, with its cause.
    pub(super) fn failed(cause: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{cause:#}"))
    }

    /// The status, a title and what to do.
    pub(super) fn facts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "Not signed in", "Sign in first.".into()),
            Self::NotAllowed(needed) => {
                (StatusCode::FORBIDDEN, "Not allowed", format!("This takes {needed}."))
            }
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Not found",
                "There is no such page, or what it showed is gone.".into(),
            ),
            Self::Invalid(what) => (StatusCode::UNPROCESSABLE_ENTITY, "Not accepted", what.clone()),
            Self::Conflict(what) => (StatusCode::CONFLICT, "Changed meanwhile", what.clone()),
            Self::WrongHost(what) => (StatusCode::MISDIRECTED_REQUEST, "Another host", what.clone()),
            Self::ForeignForm => (
                StatusCode::FORBIDDEN,
                "Form not accepted",
                "The form does not belong to this sign-in. Open the page again and repeat what you did."
                    .into(),
            ),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Too large", "The form is too large.".into()),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Busy",
                "The work took too long or too much was waiting. Try again.".into(),
            ),
            Self::ConfirmFirst(_) => {
                (StatusCode::FORBIDDEN, "Confirm first", "Give your password again.".into())
            }
            Self::Failed(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something failed",
                "The reference number finds the cause in the server's log.".into(),
            ),
        }
    }
}

impl From<CommitError> for Refused {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } => Self::Conflict(error.to_string()),
            CommitError::Database(_) => Self::failed(error),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.facts().0;
        response.extensions_mut().insert(self);
        response
    }
}
