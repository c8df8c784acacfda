//! OAuth 2 as types and rules: clients and their secrets, the token request, sealed access tokens, scopes,
//! revocation, introspection and metadata, and the people who sign in to the console. No network, no database, no clock and no random source: times and
//! random bytes are passed in.
//!
//! A token request passes through this crate in the order of RFC 6749 section 5.2: [`Form::parse`] →
//! [`presented`] → [`Client::verify_secret`] → [`TokenRequest::parse`] → [`grant::client_credentials::issue`].

pub mod bearer;
pub mod challenge;
pub mod client;
pub mod client_authentication;
pub mod error;
pub mod form;
pub mod grant;
pub mod introspection;
pub mod keys;
pub mod metadata;
pub mod resource;
pub mod revocation;
pub mod scope;
pub mod sealed_token;
pub mod secret;
pub mod token_request;
pub mod user;

pub use bearer::{BearerError, bearer_token};
pub use challenge::{BasicChallenge, BearerChallenge, BearerErrorCode};
pub use client::{Client, ClientSecret, GrantType, Id, SealedSecret, SecretVerifier};
pub use client_authentication::{AuthenticationMethod, Presented, presented};
pub use error::{OauthError, OauthErrorBody, OauthErrorCode};
pub use form::Form;
pub use introspection::{ActiveToken, IntrospectionResponse};
pub use keys::{
    KeyFile, KeyRing, KeyRingError, LocalKeys, NONCE_LENGTH, Pepper, SealedRing, SealingKey, UnsealError,
    VaultKey, WrappingKey,
};
pub use metadata::{AuthorizationServerMetadata, ProtectedResourceMetadata};
pub use revocation::{TokenQuery, TokenTypeHint};
pub use scope::{ScopeError, Scopes};
pub use sealed_token::{AccessToken, SealError, SealingKeys, TokenError, TokenId};
pub use secret::{
    SecretError, SecretProof, VaultOwner, VaultSecret, Verification, check_chosen_secret,
    looks_like_client_secret, new_client_id, new_client_secret, open_reveal, seal_reveal,
};
pub use token_request::{ClientCredentialsRequest, TokenRequest};
pub use user::{User, UserError, UserKind};
