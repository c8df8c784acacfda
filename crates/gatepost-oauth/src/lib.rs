//! OAuth 2 as types and rules: clients and their secrets, the token request, sealed access tokens, scopes,
//! revocation, introspection and metadata. No network, no database, no clock and no random source: times and
//! random bytes are passed in.

pub mod client;

pub use client::{Client, ClientSecret, GrantType, Id, SealedSecret, SecretVerifier};
