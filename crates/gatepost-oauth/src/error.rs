//! Errors of the OAuth endpoints (RFC 6749 section 5.2; RFC 8707 section 2). HTTP status codes are chosen elsewhere.

use std::borrow::Cow;

use serde::Serialize;

/// The value of `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OauthErrorCode {
    /// A parameter is missing, repeated or malformed.
    InvalidRequest,
    /// The client could not be authenticated; goes with 401 and a Basic challenge (TOK-11).
    InvalidClient,
    /// The code or refresh token is not good.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The server does not know the grant.
    UnsupportedGrantType,
    /// The scope is malformed, unknown or not the client's.
    InvalidScope,
    /// The resource is malformed or unknown (RFC 8707 section 2).
    InvalidTarget,
    /// The token type cannot be revoked here (RFC 7009 section 2.2.1).
    UnsupportedTokenType,
    /// Try again later: a store that does not answer, or too many attempts.
    TemporarilyUnavailable,
    /// A fault of the server.
    ServerError,
}

/// What an OAuth endpoint answers instead of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct OauthError {
    code: OauthErrorCode,
    description: Cow<'static, str>,
}

/// The JSON body of an error answer (RFC 6749 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OauthErrorBody<'a> {
    /// The code.
    pub error: &'static str,
    /// For the developer of the client.
    pub error_description: &'a str,
}

impl OauthErrorCode {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }
}

impl OauthError {
    /// Makes an error. The description is fixed text of the program, so that nothing of a request can get into an
    /// answer (TOK-14); characters that RFC 6749 does not allow there are replaced.
    pub fn new(code: OauthErrorCode, description: &'static str) -> Self {
        Self { code, description: allowed_text(description) }
    }

    /// `invalid_request`: a parameter is missing, repeated or malformed.
    pub fn invalid_request(description: &'static str) -> Self {
        Self::new(OauthErrorCode::InvalidRequest, description)
    }

    /// `invalid_client`. One text for all reasons, so that nobody learns which clients exist (TOK-12).
    pub fn invalid_client() -> Self {
        Self::new(OauthErrorCode::InvalidClient, "Client authentication failed.")
    }

    /// The code, from which the program derives the status.
    pub fn code(&self) -> OauthErrorCode {
        self.code
    }

    /// The text for developers.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What to send as JSON.
    pub fn body(&self) -> OauthErrorBody<'_> {
        OauthErrorBody { error: self.code.as_str(), error_description: &self.description }
    }
}

/// Whether RFC 6749 section 5.2 and RFC 6750 section 3 allow the character in a description: %x20-21, %x23-5B,
/// %x5D-7E.
pub(crate) fn is_allowed(c: char) -> bool {
    matches!(c, '\x20'..='\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E')
}

/// The text with an apostrophe for each quote and a question mark for everything else that is not allowed.
pub(crate) fn allowed_text(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_allowed) {
        return Cow::Borrowed(text);
    }
    let replace = |c| match c {
        '"' => '\'',
        c if is_allowed(c) => c,
        _ => '?',
    };
    Cow::Owned(text.chars().map(replace).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tok_14_description_has_allowed_characters_only() {
        let error = OauthError::invalid_request("a \"b\" \\ c\r\nSet-Cookie: ü");
        assert_eq!(error.description(), "a 'b' ? c??Set-Cookie: ?");
    }

    #[test]
    fn tok_14_body_is_error_and_description() {
        let body = serde_json::to_string(&OauthError::invalid_client().body()).unwrap();
        assert_eq!(body, r#"{"error":"invalid_client","error_description":"Client authentication failed."}"#);
    }

    proptest! {
        #[test]
        fn tok_14_any_text_becomes_allowed(text in ".*") {
            prop_assert!(allowed_text(&text).chars().all(is_allowed));
        }
    }
}
