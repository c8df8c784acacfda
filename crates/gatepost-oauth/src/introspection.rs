//! Introspection answers (RFC 7662 section 2.2). The request is a [`TokenQuery`](crate::TokenQuery).

use serde::Serialize;

use crate::sealed_token::AccessToken;

/// The body of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IntrospectionResponse {
    active: bool,
    #[serde(flatten)]
    token: Option<ActiveToken>,
}

/// What is told about a token that is good, to somebody who may know (INT-02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActiveToken {
    /// The privileges that it opens now; left out if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The client id that the client presents.
    pub client_id: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Expiry, in seconds since 1970.
    pub exp: i64,
    /// Issue, in seconds since 1970.
    pub iat: i64,
    /// The user, else the client id.
    pub sub: String,
    /// The resource that it is for.
    pub aud: String,
    /// The issuer.
    pub iss: String,
}

impl IntrospectionResponse {
    /// For a token that opens nothing, whatever the reason, and for one that the asker may not see (INT-03):
    /// exactly `{"active":false}`.
    pub fn inactive() -> Self {
        Self { active: false, token: None }
    }

    /// For a token that every rule lets pass.
    pub fn active(token: ActiveToken) -> Self {
        Self { active: true, token: Some(token) }
    }
}

impl ActiveToken {
    /// What to tell about an access token that a client got in its own name.
    pub fn of_client(
        token: &AccessToken,
        client_id: &str,
        scope: Option<String>,
        aud: &str,
        iss: &str,
    ) -> Self {
        Self {
            scope,
            client_id: client_id.to_owned(),
            token_type: "Bearer",
            exp: token.expires_ms.div_euclid(1000),
            iat: token.issued_ms.div_euclid(1000),
            sub: client_id.to_owned(),
            aud: aud.to_owned(),
            iss: iss.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed_token::TokenId;

    #[test]
    fn int_02_inactive_is_exactly_that() {
        let json = serde_json::to_string(&IntrospectionResponse::inactive()).unwrap();
        assert_eq!(json, r#"{"active":false}"#);
    }

    #[test]
    fn int_02_active_tells_all_that_is_promised() {
        let token = AccessToken {
            key_id: 1,
            schema_id: 1,
            audience: 0,
            client: 2,
            user: None,
            issued_ms: 1_999,
            expires_ms: 9_999,
            privileges: None,
            generation: 3,
            catalog_revision: 4,
            token_id: TokenId([5; 16]),
        };
        let scope = Some("read".to_owned());
        let active = ActiveToken::of_client(&token, "abc", scope, "https://h/ords/hr", "https://h/ords/hr");
        let json = serde_json::to_value(IntrospectionResponse::active(active.clone())).unwrap();
        let mut expected = serde_json::json!({
            "active": true, "scope": "read", "client_id": "abc", "token_type": "Bearer", "exp": 9, "iat": 1,
            "sub": "abc", "aud": "https://h/ords/hr", "iss": "https://h/ords/hr",
        });
        assert_eq!(json, expected);
        let unscoped = IntrospectionResponse::active(ActiveToken { scope: None, ..active });
        expected.as_object_mut().unwrap().remove("scope");
        assert_eq!(serde_json::to_value(unscoped).unwrap(), expected);
    }
}
