//! Metadata documents (RFC 8414, RFC 9728). Everything in them comes from the configuration (MET-04).

use axum::body::Body;
use gatepost_oauth::metadata::{Endpoints, protected_resource_metadata_url};
use gatepost_oauth::{AuthorizationServerMetadata, ProtectedResourceMetadata};
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use crate::app::published::PublishedSchema;
use crate::http::respond;

/// The document of a schema's authorization server.
pub fn authorization_server(schema: &PublishedSchema) -> Response<Body> {
    let issuer = &schema.issuer;
    let endpoints = Endpoints {
        token: format!("{issuer}/oauth/token"),
        revocation: format!("{issuer}/oauth/revoke"),
        introspection: format!("{issuer}/oauth/introspect"),
    };
    public(&AuthorizationServerMetadata::new(issuer, endpoints, None))
}

/// The document of a schema's services.
pub fn protected_resource(schema: &PublishedSchema) -> Response<Body> {
    public(&ProtectedResourceMetadata::new(&schema.issuer, &schema.issuer, None))
}

/// Where a challenge sends callers who want to know more (PRM-03).
pub fn resource_metadata_url(schema: &PublishedSchema) -> String {
    protected_resource_metadata_url(&schema.issuer).unwrap_or_default()
}

/// Public documents may be read by scripts of any page.
fn public<T: serde::Serialize>(document: &T) -> Response<Body> {
    let mut response = respond::json(StatusCode::OK, document);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
