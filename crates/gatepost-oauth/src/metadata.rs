//! Metadata documents: of the authorization server (RFC 8414) and of a protected resource (RFC 9728). All URLs come
//! from configuration, never from a request (MET-04).

use serde::Serialize;

use crate::client::GrantType;
use crate::client_authentication::AuthenticationMethod;

const AUTHORIZATION_SERVER: &str = "oauth-authorization-server";
const PROTECTED_RESOURCE: &str = "oauth-protected-resource";
const AUTHENTICATION_METHODS: [&str; 2] =
    [AuthenticationMethod::Basic.as_str(), AuthenticationMethod::Post.as_str()];

/// The document of an authorization server (RFC 8414 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuthorizationServerMetadata {
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    /// Required by the RFC; there is none to list before the authorization code grant exists (MET-05).
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 2],
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes_supported: Option<Vec<String>>,
}

/// The document of a protected resource (RFC 9728 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProtectedResourceMetadata {
    resource: String,
    authorization_servers: [String; 1],
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes_supported: Option<Vec<String>>,
}

/// Where the endpoints of an authorization server are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// RFC 6749 section 3.2.
    pub token: String,
    /// RFC 7009.
    pub revocation: String,
    /// RFC 7662.
    pub introspection: String,
}

/// Why a URL cannot be an issuer or a resource (MET-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Other schemes have no well-known path.
    #[error("must begin with https:// or http:// and name a host")]
    NotHttp,
    /// RFC 8414 section 2.
    #[error("must have neither query nor fragment")]
    QueryOrFragment,
    /// Our rule, so that there is one spelling.
    #[error("must not end with a slash")]
    FinalSlash,
}

impl AuthorizationServerMetadata {
    /// The document for an issuer. `issuer` is served back as it is, character by character (MET-03).
    pub fn new(issuer: &str, endpoints: Endpoints, scopes_supported: Option<Vec<String>>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            token_endpoint: endpoints.token,
            revocation_endpoint: endpoints.revocation,
            introspection_endpoint: endpoints.introspection,
            response_types_supported: [],
            grant_types_supported: [GrantType::ClientCredentials.as_str()],
            token_endpoint_auth_methods_supported: AUTHENTICATION_METHODS,
            revocation_endpoint_auth_methods_supported: AUTHENTICATION_METHODS,
            introspection_endpoint_auth_methods_supported: AUTHENTICATION_METHODS,
            scopes_supported,
        }
    }
}

impl ProtectedResourceMetadata {
    /// The document for a resource (PRM-01).
    pub fn new(resource: &str, issuer: &str, scopes_supported: Option<Vec<String>>) -> Self {
        Self {
            resource: resource.to_owned(),
            authorization_servers: [issuer.to_owned()],
            bearer_methods_supported: ["header"],
            scopes_supported,
        }
    }
}

/// Where the document of an issuer is found: the well-known part comes between host and path (MET-02).
pub fn authorization_server_metadata_url(issuer: &str) -> Result<String, IdentifierError> {
    well_known_url(AUTHORIZATION_SERVER, issuer)
}

/// Where the document of a resource is found (PRM-01).
pub fn protected_resource_metadata_url(resource: &str) -> Result<String, IdentifierError> {
    well_known_url(PROTECTED_RESOURCE, resource)
}

/// The path of [`authorization_server_metadata_url`], for the router; `path` is the issuer's.
pub fn authorization_server_metadata_path(path: &str) -> String {
    format!("/.well-known/{AUTHORIZATION_SERVER}{path}")
}

/// The path of [`protected_resource_metadata_url`], for the router; `path` is the resource's.
pub fn protected_resource_metadata_path(path: &str) -> String {
    format!("/.well-known/{PROTECTED_RESOURCE}{path}")
}

/// Checks a configured issuer or resource identifier. Whether plain HTTP is good enough is for the configuration to
/// say.
pub fn check_identifier(url: &str) -> Result<(), IdentifierError> {
    split(url).map(|_| ())
}

fn well_known_url(name: &str, url: &str) -> Result<String, IdentifierError> {
    let (origin, path) = split(url)?;
    Ok(format!("{origin}/.well-known/{name}{path}"))
}

/// Splits a URL before its path.
fn split(url: &str) -> Result<(&str, &str), IdentifierError> {
    if url.contains(['?', '#']) {
        return Err(IdentifierError::QueryOrFragment);
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let rest = rest.ok_or(IdentifierError::NotHttp)?;
    if rest.ends_with('/') {
        return Err(IdentifierError::FinalSlash);
    }
    let host_length = rest.find('/').unwrap_or(rest.len());
    Ok(url.split_at(url.len() - rest.len() + host_length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://api.example/ords/hr";

    fn endpoints() -> Endpoints {
        Endpoints {
            token: format!("{ISSUER}/oauth/token"),
            revocation: format!("{ISSUER}/oauth/revoke"),
            introspection: format!("{ISSUER}/oauth/introspect"),
        }
    }

    #[test]
    fn met_02_issuer_with_query_fragment_or_final_slash_is_refused() {
        let bad = [
            ("https://h/a?b", IdentifierError::QueryOrFragment),
            ("https://h/a#b", IdentifierError::QueryOrFragment),
            ("https://h/a/", IdentifierError::FinalSlash),
            ("https://h/", IdentifierError::FinalSlash),
            ("https://", IdentifierError::NotHttp),
            ("https:///a", IdentifierError::NotHttp),
            ("ftp://h/a", IdentifierError::NotHttp),
            ("h/a", IdentifierError::NotHttp),
            ("", IdentifierError::NotHttp),
        ];
        for (issuer, error) in bad {
            assert_eq!(check_identifier(issuer), Err(error), "{issuer}");
            assert_eq!(authorization_server_metadata_url(issuer), Err(error), "{issuer}");
        }
    }

    #[test]
    fn met_02_well_known_comes_between_host_and_path() {
        let url = |issuer| authorization_server_metadata_url(issuer).unwrap();
        assert_eq!(url("https://h/a/b"), "https://h/.well-known/oauth-authorization-server/a/b");
        assert_eq!(url("https://h"), "https://h/.well-known/oauth-authorization-server");
        assert_eq!(
            url("http://127.0.0.1:8080/x"),
            "http://127.0.0.1:8080/.well-known/oauth-authorization-server/x"
        );
        assert_eq!(authorization_server_metadata_path("/a/b"), "/.well-known/oauth-authorization-server/a/b");
    }

    #[test]
    fn prm_01_well_known_of_a_resource() {
        let url = protected_resource_metadata_url(ISSUER).unwrap();
        assert_eq!(url, "https://api.example/.well-known/oauth-protected-resource/ords/hr");
        let path = protected_resource_metadata_path("/ords/hr");
        assert_eq!(url, format!("https://api.example{path}"));
    }

    #[test]
    fn met_01_document_claims_what_exists_and_no_more() {
        let document = AuthorizationServerMetadata::new(ISSUER, endpoints(), None);
        let methods = ["client_secret_basic", "client_secret_post"];
        let expected = serde_json::json!({
            "issuer": ISSUER,
            "token_endpoint": "https://api.example/ords/hr/oauth/token",
            "revocation_endpoint": "https://api.example/ords/hr/oauth/revoke",
            "introspection_endpoint": "https://api.example/ords/hr/oauth/introspect",
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_methods_supported": methods,
        });
        assert_eq!(serde_json::to_value(document).unwrap(), expected);
    }

    #[test]
    fn prm_01_document_names_resource_and_issuer() {
        let scopes = Some(vec!["payroll.read".to_owned()]);
        let document = ProtectedResourceMetadata::new(ISSUER, ISSUER, scopes);
        let expected = serde_json::json!({
            "resource": ISSUER,
            "authorization_servers": [ISSUER],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["payroll.read"],
        });
        assert_eq!(serde_json::to_value(document).unwrap(), expected);
    }
}
