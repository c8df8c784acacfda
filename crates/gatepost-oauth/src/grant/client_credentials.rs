//! The client credentials grant (RFC 6749 section 4.4; design decision 4). Issuing writes nothing anywhere.

use serde::Serialize;

use crate::client::{Client, GrantType, Id};
use crate::error::{OauthError, OauthErrorCode};
use crate::resource;
use crate::scope::Scopes;
use crate::sealed_token::{AccessToken, PRIVILEGES_MAX, SealingKeys, TokenId};
use crate::token_request::ClientCredentialsRequest;

/// Everything that issuing depends on.
#[derive(Clone, Copy)]
pub struct Issue<'a> {
    /// The client, authenticated.
    pub client: &'a Client,
    /// What it asks for.
    pub request: &'a ClientCredentialsRequest,
    /// The id of a privilege by name, if the client lists it or can open it by a role.
    pub requestable: &'a dyn Fn(&str) -> Option<Id>,
    /// The privileges that the client can open now.
    pub openable: &'a dyn Fn() -> Scopes,
    /// The identifier of the schema's default resource.
    pub default_resource: &'a str,
    /// The id of a module by its base path, without slashes at the ends.
    pub module_by_base_path: &'a dyn Fn(&str) -> Option<Id>,
    /// The server's lifetime of access tokens, for clients without one of their own.
    pub lifetime_seconds: u32,
    /// No token lives longer, whatever its client says (CLK-03).
    pub lifetime_seconds_max: u32,
    /// The revision of the catalog that all this was read from.
    pub catalog_revision: u64,
    /// 16 random bytes.
    pub token_id: TokenId,
    /// The time (milliseconds since 1970).
    pub now_ms: i64,
    /// The keys of the client's schema.
    pub keys: &'a SealingKeys,
}

/// A token, and what the client gets to see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// What the token says, for the audit trail.
    pub token: AccessToken,
    /// The body of the answer.
    pub response: TokenResponse,
}

/// The body of a successful token answer (RFC 6749 section 5.1). There is no refresh token (TOK-19).
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct TokenResponse {
    /// The sealed token.
    pub access_token: String,
    /// Always `Bearer` (RFC 6750).
    pub token_type: &'static str,
    /// Seconds from issue to expiry.
    pub expires_in: u32,
    /// What the token opens: as asked for, else what the client can open now; left out if that is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// Issues an access token.
pub fn issue(input: &Issue<'_>) -> Result<Issued, OauthError> {
    let client = input.client;
    if !client.enabled {
        return Err(OauthError::invalid_client());
    }
    client.check_grant(GrantType::ClientCredentials)?;
    let privileges =
        input.request.scope.as_ref().map(|scope| narrow(scope, input.requestable)).transpose()?;
    let audience =
        resource::audience(&input.request.resources, input.default_resource, input.module_by_base_path)?;
    let expires_in =
        client.token_duration_seconds.unwrap_or(input.lifetime_seconds).clamp(1, input.lifetime_seconds_max);
    let token = AccessToken {
        key_id: 0,
        schema_id: client.schema_id,
        audience,
        client: client.id,
        user: None,
        issued_ms: input.now_ms,
        expires_ms: input.now_ms.saturating_add(i64::from(expires_in) * 1000),
        privileges,
        generation: client.generation,
        catalog_revision: input.catalog_revision,
        token_id: input.token_id,
    };
    let sealed = input.keys.seal(&token, input.now_ms);
    let access_token = sealed
        .map_err(|_| OauthError::new(OauthErrorCode::ServerError, "The server could not seal the token."))?;
    let response = TokenResponse { access_token, token_type: "Bearer", expires_in, scope: scope_of(input) };
    Ok(Issued { token, response })
}

/// Redacted: whoever reads the token can use it.
impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse")
            .field("access_token", &"[redacted]")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish()
    }
}

/// The ids of the names, all of which must be the client's: we refuse where the RFC would let us give less (TOK-21).
fn narrow(scope: &Scopes, requestable: &dyn Fn(&str) -> Option<Id>) -> Result<Vec<Id>, OauthError> {
    let ids: Option<Vec<Id>> = scope.iter().map(requestable).collect();
    let mut ids = ids.filter(|ids| ids.len() <= PRIVILEGES_MAX).ok_or_else(|| {
        let description = "scope names a privilege that the client does not have.";
        OauthError::new(OauthErrorCode::InvalidScope, description)
    })?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn scope_of(input: &Issue<'_>) -> Option<String> {
    let scope = match &input.request.scope {
        Some(requested) => requested.to_string(),
        None => (input.openable)().to_string(),
    };
    (!scope.is_empty()).then_some(scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::client;
    use crate::keys::KeyRing;

    const NOW_MS: i64 = 1_790_000_000_000;
    const ISSUER: &str = "https://api.example/ords/hr";

    fn keys(schema_id: Id) -> SealingKeys {
        let ring = KeyRing::generate(&mut |bytes| bytes.fill(5), 1_000);
        SealingKeys::for_schema(&ring, ISSUER, schema_id)
    }

    /// Issues for a client that can open `read` and `write` and lists `audit`.
    fn issue_to(
        client: &Client,
        request: &ClientCredentialsRequest,
        openable: &str,
    ) -> Result<Issued, OauthError> {
        let requestable = |name: &str| match name {
            "write" => Some(10_500),
            "read" => Some(10_501),
            "audit" => Some(10_502),
            _ => None,
        };
        issue(&Issue {
            client,
            request,
            requestable: &requestable,
            openable: &|| Scopes::of_privileges(openable.split(' ')),
            default_resource: ISSUER,
            module_by_base_path: &|base_path| (base_path == "emp").then_some(10_100),
            lifetime_seconds: 3_600,
            lifetime_seconds_max: 86_400,
            catalog_revision: 42,
            token_id: TokenId([9; 16]),
            now_ms: NOW_MS,
            keys: &keys(10_001),
        })
    }

    fn asking(scope: &str) -> ClientCredentialsRequest {
        ClientCredentialsRequest { scope: Some(Scopes::parse(scope).unwrap()), resources: Vec::new() }
    }

    fn anything() -> ClientCredentialsRequest {
        ClientCredentialsRequest::default()
    }

    fn refused(client: &Client, request: &ClientCredentialsRequest) -> OauthErrorCode {
        issue_to(client, request, "read write").unwrap_err().code()
    }

    #[test]
    fn tok_11_disabled_client_gets_no_token() {
        let client = Client { enabled: false, ..client() };
        assert_eq!(refused(&client, &anything()), OauthErrorCode::InvalidClient);
    }

    #[test]
    fn tok_15_client_of_another_grant_gets_no_token() {
        let client = Client { grant_type: GrantType::Implicit, ..client() };
        assert_eq!(refused(&client, &anything()), OauthErrorCode::UnauthorizedClient);
    }

    #[test]
    fn tok_21_scope_that_the_client_does_not_have_is_invalid_scope() {
        for scope in ["admin", "read admin", "READ"] {
            assert_eq!(refused(&client(), &asking(scope)), OauthErrorCode::InvalidScope, "{scope}");
        }
    }

    #[test]
    fn res_01_unknown_resource_is_invalid_target() {
        let request =
            ClientCredentialsRequest { scope: None, resources: vec!["https://evil.example/".into()] };
        assert_eq!(refused(&client(), &request), OauthErrorCode::InvalidTarget);
    }

    #[test]
    fn client_of_another_schema_than_the_keys_is_a_server_error() {
        let client = Client { schema_id: 10_002, ..client() };
        assert_eq!(refused(&client, &anything()), OauthErrorCode::ServerError);
    }

    #[test]
    fn tok_22_without_scope_the_token_is_not_narrowed_and_lists_what_it_opens_now() {
        let issued = issue_to(&client(), &anything(), "write read").unwrap();
        assert_eq!(issued.token.privileges, None);
        assert_eq!(issued.response.scope.as_deref(), Some("read write"));
        assert_eq!((issued.token.audience, issued.token.user), (0, None));
    }

    #[test]
    fn client_that_can_open_nothing_gets_a_token_without_scope() {
        let issued = issue_to(&client(), &anything(), "").unwrap();
        assert_eq!(issued.response.scope, None);
        let json = serde_json::to_value(&issued.response).unwrap();
        assert_eq!(
            json.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["access_token", "expires_in", "token_type"]
        );
    }

    #[test]
    fn token_with_scope_is_narrowed_to_it() {
        let issued = issue_to(&client(), &asking("read audit write"), "read write").unwrap();
        assert_eq!(issued.token.privileges, Some(vec![10_500, 10_501, 10_502]));
        assert_eq!(issued.response.scope.as_deref(), Some("audit read write"));
    }

    #[test]
    fn tok_17_answer_is_a_bearer_token_with_lifetime_and_scope() {
        let issued = issue_to(&client(), &asking("read"), "read").unwrap();
        let opened = keys(10_001).open(&issued.response.access_token).unwrap();
        assert_eq!(opened, AccessToken { key_id: 1, ..issued.token.clone() });
        let json = serde_json::to_value(&issued.response).unwrap();
        let expected = serde_json::json!({
            "access_token": issued.response.access_token,
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "read",
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn token_lives_as_long_as_the_client_says() {
        let client = Client { token_duration_seconds: Some(60), ..client() };
        let issued = issue_to(&client, &anything(), "").unwrap();
        assert_eq!(issued.response.expires_in, 60);
        assert_eq!(issued.token.expires_ms, NOW_MS + 60_000);
        let never = Client { token_duration_seconds: Some(0), ..client };
        assert_eq!(issue_to(&never, &anything(), "").unwrap().response.expires_in, 1);
    }

    #[test]
    fn res_01_token_for_a_module_says_so() {
        let resources = vec![format!("{ISSUER}/emp/")];
        let request = ClientCredentialsRequest { scope: None, resources };
        assert_eq!(issue_to(&client(), &request, "").unwrap().token.audience, 10_100);
    }

    #[test]
    fn adt_03_debug_shows_no_token() {
        let issued = issue_to(&client(), &anything(), "").unwrap();
        assert!(!format!("{issued:?}").contains(&issued.response.access_token));
    }
}
