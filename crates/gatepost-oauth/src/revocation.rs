//! Requests that carry a token to look at: revocation (RFC 7009 section 2.1) and introspection (RFC 7662 section
//! 2.1). They have the same form.

use crate::error::OauthError;
use crate::form::Form;

/// The token that is to be revoked or looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenQuery<'f> {
    /// Any text that the client takes for a token.
    pub token: &'f str,
    /// Where to look first. Never decides anything (REV-02).
    pub hint: Option<TokenTypeHint>,
}

/// The values of `token_type_hint` that this server knows (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTypeHint {
    /// `access_token`
    AccessToken,
    /// `refresh_token`
    RefreshToken,
}

impl<'f> TokenQuery<'f> {
    /// Reads the request of an authenticated client. An unknown hint is no hint.
    pub fn parse(form: &'f Form<'_>) -> Result<Self, OauthError> {
        let token = form.value("token").ok_or_else(|| OauthError::invalid_request("token is missing."))?;
        let hint = match form.value("token_type_hint") {
            Some("access_token") => Some(TokenTypeHint::AccessToken),
            Some("refresh_token") => Some(TokenTypeHint::RefreshToken),
            _ => None,
        };
        Ok(Self { token, hint })
    }
}

/// Redacted: whoever reads the token can use it.
impl std::fmt::Debug for TokenQuery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenQuery").field("token", &"[redacted]").field("hint", &self.hint).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OauthErrorCode;
    use crate::form::tests::form;

    #[test]
    fn rev_01_missing_token_is_invalid_request() {
        for body in ["", "token=", "token_type_hint=access_token"] {
            let error = TokenQuery::parse(&form(body)).unwrap_err();
            assert_eq!(error.code(), OauthErrorCode::InvalidRequest, "{body}");
        }
    }

    #[test]
    fn rev_02_unknown_hint_is_no_hint() {
        let read = |body: &str| TokenQuery::parse(&form(body)).map(|query| query.hint);
        assert_eq!(read("token=x&token_type_hint=id_token"), Ok(None));
        assert_eq!(read("token=x"), Ok(None));
        assert_eq!(read("token=x&token_type_hint=access_token"), Ok(Some(TokenTypeHint::AccessToken)));
        assert_eq!(read("token=x&token_type_hint=refresh_token"), Ok(Some(TokenTypeHint::RefreshToken)));
    }

    #[test]
    fn adt_03_debug_shows_no_token() {
        let form = form("token=hush");
        let query = TokenQuery::parse(&form).unwrap();
        assert_eq!(query.token, "hush");
        assert!(!format!("{query:?}").contains("hush"));
    }
}
