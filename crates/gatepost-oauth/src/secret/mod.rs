//! Client ids and client secrets: how they are made and what is kept of them (design decision 10; STO-01 to
//! STO-04).
//!
//! [`verify`] compares a presented secret with what is kept, [`reveal`] keeps a copy that can be read for a while,
//! [`vault`] keeps secrets that the server itself presents elsewhere.

pub mod reveal;
#[cfg(test)]
mod tests;
pub mod vault;
pub mod verify;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::client::SecretVerifier;
use crate::keys::Pepper;

pub use reveal::{open_reveal, seal_reveal};
pub use vault::{VaultOwner, VaultSecret};
pub use verify::{SecretProof, Verification};

/// What every secret of the server's own making begins with.
pub const SECRET_PREFIX: &str = "gp_cs_";

/// A secret that somebody chose has at least this many characters.
pub const CHOSEN_SECRET_LENGTH_MIN: usize = 20;

/// No secret is longer; longer ones are refused before any work is done.
pub const SECRET_LENGTH_MAX: usize = 512;

const RANDOM_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;

/// Why a chosen secret is refused, or could not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Fewer than [`CHOSEN_SECRET_LENGTH_MIN`] characters.
    #[error("a client secret needs at least {CHOSEN_SECRET_LENGTH_MIN} characters")]
    TooShort,
    /// More than [`SECRET_LENGTH_MAX`] characters.
    #[error("a client secret has at most {SECRET_LENGTH_MAX} characters")]
    TooLong,
    /// RFC 6749 appendix A.2 allows printable ASCII characters and the space.
    #[error("a client secret consists of printable ASCII characters")]
    Character,
    /// The slow hash failed, which means that memory ran out.
    #[error("the client secret could not be hashed")]
    Hash,
    /// The encryption of the copy failed.
    #[error("the client secret could not be sealed")]
    Seal,
    /// Empty, or more than [`vault::VAULT_SECRET_LENGTH_MAX`] bytes.
    #[error("a secret has 1 to {} bytes", vault::VAULT_SECRET_LENGTH_MAX)]
    VaultLength,
}

/// Makes a client secret of 256 random bits: prefix, 43 characters, and a checksum by which scanners tell a leaked
/// secret from chance. Characters are `A-Z a-z 0-9 - _` only, so that no encoding changes it (TOK-08).
pub fn new_client_secret(random: [u8; 32]) -> SecretString {
    let random = Zeroizing::new(random);
    let mut text = String::with_capacity(SECRET_PREFIX.len() + RANDOM_LENGTH + CHECKSUM_LENGTH);
    text.push_str(SECRET_PREFIX);
    URL_SAFE_NO_PAD.encode_string(random.as_slice(), &mut text);
    let checksum = checksum(&text);
    text.push_str(&checksum);
    SecretString::from(text)
}

/// Whether a text has the form of a secret that this server makes, checksum included. For scanners and for
/// warnings about secrets in the wrong place; says nothing about whose it is.
pub fn looks_like_client_secret(text: &str) -> bool {
    let length = SECRET_PREFIX.len() + RANDOM_LENGTH;
    text.starts_with(SECRET_PREFIX)
        && text.split_at_checked(length).is_some_and(|(body, tail)| checksum(body) == tail)
}

/// Makes a client id of 128 random bits: 22 characters `A-Z a-z 0-9 - _`, the first of which is a letter or a
/// digit, so that no command line takes it for an option (TOK-08).
pub fn new_client_id(random: [u8; 16]) -> String {
    let text = URL_SAFE_NO_PAD.encode(random);
    match text.strip_prefix(['-', '_']) {
        Some(rest) => format!("g{rest}"),
        None => text,
    }
}

/// Checks a secret that a person chose or that comes from elsewhere.
pub fn check_chosen_secret(secret: &str) -> Result<(), SecretError> {
    if secret.len() > SECRET_LENGTH_MAX {
        return Err(SecretError::TooLong);
    }
    if !secret.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(SecretError::Character);
    }
    if secret.len() < CHOSEN_SECRET_LENGTH_MIN {
        return Err(SecretError::TooShort);
    }
    Ok(())
}

impl SecretVerifier {
    /// For a secret of the server's own making: a digest under the pepper (STO-02).
    pub fn hmac(secret: &SecretString, pepper: &Pepper) -> Self {
        let digest = verify::secret_digest(secret.expose_secret(), pepper);
        Self::Hmac { pepper_id: pepper.id(), digest }
    }

    /// For a chosen secret: argon2id with 19 MiB, 2 passes, 1 lane (STO-03). Slow by intent: run it where slow
    /// work may run. `salt` is random.
    pub fn argon2(secret: &SecretString, salt: [u8; 16]) -> Result<Self, SecretError> {
        check_chosen_secret(secret.expose_secret())?;
        let hash: PasswordHash = Argon2::default()
            .hash_password_with_salt(secret.expose_secret().as_bytes(), &salt)
            .map_err(|_| SecretError::Hash)?;
        Ok(Self::Argon2 { phc: hash.to_string() })
    }
}

fn checksum(text: &str) -> String {
    let mut checksum = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
    checksum.truncate(CHECKSUM_LENGTH);
    checksum
}
