//! Values of `WWW-Authenticate` (RFC 6750 section 3; RFC 7617; RFC 9728 section 5.1).

use std::fmt::Write as _;

use http::HeaderValue;

use crate::error::allowed_text;
use crate::scope::Scopes;

/// The value of `error` in a Bearer challenge (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerErrorCode {
    /// Malformed header, two headers, two ways: 400.
    InvalidRequest,
    /// Unknown, expired, revoked, for another resource, client gone: 401.
    InvalidToken,
    /// The token does not open this: 403.
    InsufficientScope,
}

/// Builds a Bearer challenge. Each attribute comes at most once: setting it again replaces it (BEA-05). Without
/// [`error`](Self::error) it is the challenge for requests without credentials (BEA-03).
#[derive(Clone, Debug)]
#[must_use]
pub struct BearerChallenge<'a> {
    realm: &'a str,
    error: Option<(BearerErrorCode, &'static str)>,
    scope: Option<&'a Scopes>,
    resource_metadata: Option<&'a str>,
}

/// Builds a Basic challenge, for the endpoints that clients authenticate at (TOK-11).
#[derive(Clone, Copy, Debug)]
pub struct BasicChallenge<'a> {
    /// The name of the protected space.
    pub realm: &'a str,
}

impl BearerErrorCode {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

impl<'a> BearerChallenge<'a> {
    /// A challenge that says no more than where one is.
    pub fn new(realm: &'a str) -> Self {
        Self { realm, error: None, scope: None, resource_metadata: None }
    }

    /// Says what was wrong. The description is fixed text: nothing of the request gets into it.
    pub fn error(self, code: BearerErrorCode, description: &'static str) -> Self {
        Self { error: Some((code, description)), ..self }
    }

    /// Names all that this call needs.
    pub fn scope(self, needed: &'a Scopes) -> Self {
        Self { scope: Some(needed), ..self }
    }

    /// Points to the resource's metadata document (PRM-03).
    pub fn resource_metadata(self, url: &'a str) -> Self {
        Self { resource_metadata: Some(url), ..self }
    }

    /// The value of the header.
    pub fn to_header_value(&self) -> HeaderValue {
        let mut text = String::from("Bearer ");
        push(&mut text, "realm", self.realm);
        if let Some((code, description)) = self.error {
            push(&mut text, "error", code.as_str());
            push(&mut text, "error_description", description);
        }
        if let Some(scope) = self.scope.filter(|scope| !scope.is_empty()) {
            push(&mut text, "scope", &scope.to_string());
        }
        if let Some(url) = self.resource_metadata {
            push(&mut text, "resource_metadata", url);
        }
        header_value(&text)
    }
}

impl BasicChallenge<'_> {
    /// The value of the header.
    pub fn to_header_value(&self) -> HeaderValue {
        let mut text = String::from("Basic ");
        push(&mut text, "realm", self.realm);
        header_value(&text)
    }
}

fn push(text: &mut String, name: &str, value: &str) {
    let comma = if text.ends_with(' ') { "" } else { ", " };
    // Writing to a string cannot fail.
    let _ = write!(text, "{comma}{name}=\"{}\"", allowed_text(value));
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("visible ASCII characters and spaces are a header value")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bea_03_challenge_without_credentials_has_no_error() {
        let value = BearerChallenge::new("hr").to_header_value();
        assert_eq!(value, "Bearer realm=\"hr\"");
    }

    #[test]
    fn bea_05_each_attribute_comes_once_and_quoted() {
        let (first, needed) = (Scopes::parse("x").unwrap(), Scopes::parse("b a").unwrap());
        let value = BearerChallenge::new("hr")
            .scope(&first)
            .error(BearerErrorCode::InvalidToken, "Expired.")
            .error(BearerErrorCode::InsufficientScope, "A \"privilege\" is missing.")
            .scope(&needed)
            .resource_metadata("https://api.example/.well-known/oauth-protected-resource/ords/hr")
            .to_header_value();
        let expected = "Bearer realm=\"hr\", error=\"insufficient_scope\", \
            error_description=\"A 'privilege' is missing.\", scope=\"a b\", \
            resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/ords/hr\"";
        assert_eq!(value, expected);
        let nothing = Scopes::default();
        assert_eq!(BearerChallenge::new("hr").scope(&nothing).to_header_value(), "Bearer realm=\"hr\"");
    }

    #[test]
    fn tok_11_basic_challenge_names_the_realm() {
        assert_eq!(BasicChallenge { realm: "hr" }.to_header_value(), "Basic realm=\"hr\"");
    }

    proptest! {
        #[test]
        fn bea_05_no_value_breaks_out_of_its_quotes(realm in ".*", url in ".*") {
            let value = BearerChallenge::new(&realm).resource_metadata(&url).to_header_value();
            let text = value.to_str().unwrap();
            prop_assert_eq!(text.matches('"').count(), 4);
            prop_assert!(!text.contains('\\') && !text.contains('\n') && !text.contains('\r'));
            let basic = BasicChallenge { realm: &realm }.to_header_value();
            prop_assert_eq!(basic.to_str().unwrap().matches('"').count(), 2);
        }
    }
}
