//! From a request's credentials to a principal (RFC 6750).
//!
//! A sealed token is checked with one MAC and the snapshot. A token that this process cannot know yet (a newer
//! key, a newer revision) makes it look once before it refuses.

use std::sync::Arc;

use gatepost_oauth::{AccessToken, BearerChallenge, BearerError, BearerErrorCode, TokenError, bearer_token};
use gatepost_rest::access::Principal;
use gatepost_rest::definition::Id;
use http::{HeaderMap, HeaderValue};

use super::oauth::metadata::resource_metadata_url;
use crate::app::App;
use crate::app::principals::KnownClient;
use crate::app::published::PublishedSchema;
use crate::app::snapshot::Snapshot;
use crate::error::{Code, Failure};

/// Who is calling.
#[derive(Debug)]
pub enum Caller {
    /// Nobody said.
    Anonymous,
    /// A client with a good token.
    Client {
        /// The client.
        known: Arc<KnownClient>,
        /// Its token.
        token: AccessToken,
    },
}

impl Caller {
    /// The caller as the decision sees it.
    pub fn principal(&self) -> Principal<'_> {
        match self {
            Self::Anonymous => Principal::Anonymous,
            Self::Client { known, token } => {
                Principal::Client { access: &known.access, narrowed: token.privileges.as_deref() }
            }
        }
    }

    /// The value of `:current_user`.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Client { known, .. } => Some(&known.access.client_id),
        }
    }

    /// Whether the token is good for routes of this module (RFC 8707): for all, or for that module alone.
    pub fn may_reach(&self, module: Option<Id>) -> bool {
        match self {
            Self::Anonymous => true,
            Self::Client { token, .. } => token.audience == 0 || Some(token.audience) == module,
        }
    }
}

/// Why a token is not accepted. The caller learns no more than `invalid_token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// Not a token of this schema at all.
    NoToken,
    /// Sealed by a key that this process does not have.
    UnknownKey,
    /// Its time is over, or has not come.
    Expired,
    /// The client does not exist any more.
    ClientGone,
    /// The client is disabled.
    ClientDisabled,
    /// All tokens of the client were revoked.
    Generation,
    /// This token was revoked.
    Revoked,
    /// Issued on a catalog that this process has not read yet.
    NewerCatalog,
}

impl NotAccepted {
    /// For logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "not a token of this schema",
            Self::UnknownKey => "sealed by an unknown key",
            Self::Expired => "token expired",
            Self::ClientGone => "client deleted",
            Self::ClientDisabled => "client disabled",
            Self::Generation => "all tokens of the client were revoked",
            Self::Revoked => "token revoked",
            Self::NewerCatalog => "issued on a newer catalog",
        }
    }
}

/// Checks an opened token against the snapshot (BEA-09).
pub fn accept<'a>(
    snapshot: &'a Snapshot,
    schema: &PublishedSchema,
    token: &AccessToken,
    now_ms: i64,
) -> Result<&'a Arc<KnownClient>, NotAccepted> {
    if token.schema_id != schema.schema.id {
        return Err(NotAccepted::NoToken);
    }
    if token.is_expired(now_ms) {
        return Err(NotAccepted::Expired);
    }
    let outdated = token.catalog_revision > snapshot.catalog.revision;
    let refuse = |reason| Err(if outdated { NotAccepted::NewerCatalog } else { reason });
    let Some(known) = snapshot.principals.find(token.client) else { return refuse(NotAccepted::ClientGone) };
    if !known.client.enabled {
        return refuse(NotAccepted::ClientDisabled);
    }
    if known.client.generation != token.generation {
        return refuse(NotAccepted::Generation);
    }
    if snapshot.catalog.revocations.contains(&token.token_id.0) {
        return Err(NotAccepted::Revoked);
    }
    Ok(known)
}

/// Reads the credentials of a request and checks them.
pub fn authenticate(
    snapshot: &Snapshot,
    schema: &PublishedSchema,
    headers: &HeaderMap,
    query: Option<&str>,
    now_ms: i64,
) -> Result<Caller, AuthenticationFailure> {
    let Some(text) = bearer_token(headers, query).map_err(AuthenticationFailure::Presented)? else {
        return Ok(Caller::Anonymous);
    };
    let token = schema.sealing.open(text).map_err(|error| match error {
        TokenError::UnknownKey(_) => NotAccepted::UnknownKey,
        TokenError::Malformed | TokenError::BadSeal => NotAccepted::NoToken,
    });
    let token = token.map_err(AuthenticationFailure::NotAccepted)?;
    let known = accept(snapshot, schema, &token, now_ms).map_err(AuthenticationFailure::NotAccepted)?;
    Ok(Caller::Client { known: Arc::clone(known), token })
}

/// Why nobody was authenticated although somebody tried.
#[derive(Clone, Copy, Debug)]
pub enum AuthenticationFailure {
    /// The credentials are presented in a way that is refused.
    Presented(BearerError),
    /// The token is not accepted.
    NotAccepted(NotAccepted),
}

impl AuthenticationFailure {
    /// Whether another look at keys or catalog could change the answer.
    pub fn may_be_outdated(self) -> bool {
        matches!(self, Self::NotAccepted(NotAccepted::UnknownKey | NotAccepted::NewerCatalog))
    }

    /// The answer.
    pub fn into_failure(self, schema: &PublishedSchema) -> Failure {
        let metadata = resource_metadata_url(schema);
        let challenge = BearerChallenge::new(&schema.issuer).resource_metadata(&metadata);
        match self {
            Self::Presented(error) => {
                let challenge = challenge.error(BearerErrorCode::InvalidRequest, error.description());
                Failure::new(Code::BadCredentials, error.description()).challenge(challenge.to_header_value())
            }
            Self::NotAccepted(reason) => {
                let description = "The access token is not valid";
                let challenge = challenge.error(BearerErrorCode::InvalidToken, description);
                Failure::new(Code::InvalidToken, description)
                    .because(reason.as_str())
                    .challenge(challenge.to_header_value())
            }
        }
    }
}

/// Looks at keys and catalog again, for a token that may be ahead of this process. Keys are read at most once a
/// second, whoever makes up key ids.
pub async fn look_again(app: &Arc<App>, failure: AuthenticationFailure) {
    let app = Arc::clone(app);
    let keys = matches!(failure, AuthenticationFailure::NotAccepted(NotAccepted::UnknownKey));
    if keys && !app.may_reload_keys() {
        return;
    }
    let look = tokio::task::spawn_blocking(move || {
        if keys {
            app.reload_keys()?;
        }
        anyhow::Ok(app.refresh()?)
    });
    match look.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("keys or catalog cannot be read: {error:#}"),
        Err(error) => tracing::error!(%error, "looking at keys and catalog failed"),
    }
}

/// The challenge of a 401 to a caller without a token (BEA-03): no error, because nothing was presented.
pub fn anonymous_challenge(schema: &PublishedSchema) -> HeaderValue {
    let metadata = resource_metadata_url(schema);
    BearerChallenge::new(&schema.issuer).resource_metadata(&metadata).to_header_value()
}
