//! The grants, one file each: a pure function from an authenticated client and its request to a token.

pub mod client_credentials;
