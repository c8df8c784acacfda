//! The token request after authentication (RFC 6749 section 4): which grant, and what for.

use crate::client::{Client, GrantType};
use crate::error::{OauthError, OauthErrorCode};
use crate::form::Form;
use crate::scope::Scopes;

/// A token request, by `grant_type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRequest {
    /// RFC 6749 section 4.4.
    ClientCredentials(ClientCredentialsRequest),
}

/// What a client asks for in its own name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCredentialsRequest {
    /// The privileges that the token is to be narrowed to; absent: all that the client has at each call.
    pub scope: Option<Scopes>,
    /// Where the token is to be used (RFC 8707 section 2); none: the schema's default resource.
    pub resources: Vec<String>,
}

impl TokenRequest {
    /// Reads the request of an authenticated client, in the order of TOK-16: grant known, grant allowed, scope,
    /// resource. Password and implicit are grants like any that nobody knows (TOK-26).
    pub fn parse(form: &Form<'_>, client: &Client) -> Result<Self, OauthError> {
        let grant = form.value("grant_type");
        let grant = grant.ok_or_else(|| OauthError::invalid_request("grant_type is missing."))?;
        if grant != GrantType::ClientCredentials.as_str() {
            let description = "This server knows the grant type client_credentials.";
            return Err(OauthError::new(OauthErrorCode::UnsupportedGrantType, description));
        }
        client.check_grant(GrantType::ClientCredentials)?;
        let scope = form.value("scope").map(Scopes::parse).transpose();
        let scope = scope.map_err(|_| {
            let description = "scope must be up to 64 names, split by single spaces.";
            OauthError::new(OauthErrorCode::InvalidScope, description)
        })?;
        let resources = form.values("resource").map(str::to_owned).collect();
        Ok(Self::ClientCredentials(ClientCredentialsRequest { scope, resources }))
    }
}

impl Client {
    /// Refuses a grant that the client was not registered for.
    pub fn check_grant(&self, grant: GrantType) -> Result<(), OauthError> {
        if self.grant_type == grant {
            return Ok(());
        }
        let description = "The client is not registered for this grant type.";
        Err(OauthError::new(OauthErrorCode::UnauthorizedClient, description))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::client;
    use crate::form::tests::form;

    fn refused(body: &str) -> OauthErrorCode {
        TokenRequest::parse(&form(body), &client()).unwrap_err().code()
    }

    #[test]
    fn tok_15_missing_grant_type_is_invalid_request() {
        assert_eq!(refused("scope=a"), OauthErrorCode::InvalidRequest);
        assert_eq!(refused("grant_type="), OauthErrorCode::InvalidRequest);
    }

    #[test]
    fn tok_15_grant_type_is_case_sensitive() {
        for other in ["Client_Credentials", "client_credentials%20", "client-credentials"] {
            assert_eq!(refused(&format!("grant_type={other}")), OauthErrorCode::UnsupportedGrantType);
        }
    }

    #[test]
    fn tok_26_password_and_implicit_are_unknown() {
        for other in ["password", "implicit", "token", "authorization_code", "refresh_token"] {
            let body = format!("grant_type={other}&username=a&password=b");
            assert_eq!(refused(&body), OauthErrorCode::UnsupportedGrantType, "{other}");
        }
    }

    #[test]
    fn tok_15_client_of_another_grant_is_unauthorized_client() {
        for grant_type in [GrantType::AuthorizationCode, GrantType::Implicit] {
            let client = Client { grant_type, ..client() };
            // The scope is bad too: what the client may do comes first.
            let form = form("grant_type=client_credentials&scope=%22");
            let error = TokenRequest::parse(&form, &client).unwrap_err();
            assert_eq!(error.code(), OauthErrorCode::UnauthorizedClient);
        }
    }

    #[test]
    fn tok_21_bad_scope_syntax_is_invalid_scope() {
        for bad in ["a++b", "%20", "a+", "%22", "%C3%A4"] {
            let body = format!("grant_type=client_credentials&scope={bad}");
            assert_eq!(refused(&body), OauthErrorCode::InvalidScope, "{bad}");
        }
    }

    #[test]
    fn tok_04_request_is_read_and_unknown_parameters_are_ignored() {
        let body = "grant_type=client_credentials&scope=b+a&resource=x&resource=y&audience=z";
        let expected = ClientCredentialsRequest {
            scope: Some(Scopes::parse("a b").unwrap()),
            resources: vec!["x".into(), "y".into()],
        };
        let request = TokenRequest::parse(&form(body), &client());
        assert_eq!(request, Ok(TokenRequest::ClientCredentials(expected)));
        let request = TokenRequest::parse(&form("grant_type=client_credentials&scope="), &client());
        assert_eq!(request, Ok(TokenRequest::ClientCredentials(ClientCredentialsRequest::default())));
    }
}
