//! The sealed copy of a secret that its maker and administrators can read for some minutes (design decision 10).
//!
//! AES-256-GCM under the vault key. Time, maker and key id are associated data: whoever changes them in the catalog
//! gets nothing.

use secrecy::{ExposeSecret as _, SecretString};

use super::SecretError;
use crate::client::SealedSecret;
use crate::keys::{KeyRing, NONCE_LENGTH, VaultKey};

/// Seals a copy of a secret that can be read until `until_ms`. `nonce` is random and used once.
pub fn seal_reveal(
    secret: &SecretString,
    key: &VaultKey,
    nonce: [u8; NONCE_LENGTH],
    until_ms: i64,
    made_by: &str,
) -> Result<SealedSecret, SecretError> {
    let associated = associated_data(key.id(), until_ms, made_by);
    let sealed = key.bytes().seal(nonce, &associated, secret.expose_secret().as_bytes());
    let sealed = sealed.ok_or(SecretError::Seal)?;
    Ok(SealedSecret { sealed, key_id: key.id(), until_ms, made_by: made_by.to_owned() })
}

/// Opens the copy if its time has not passed, whether or not it was deleted in time. Who may ask is for the caller
/// to check.
pub fn open_reveal(copy: &SealedSecret, ring: &KeyRing, now_ms: i64) -> Option<SecretString> {
    if now_ms >= copy.until_ms {
        return None;
    }
    let key = ring.find_vault_key(copy.key_id)?;
    let text = key.bytes().open(&associated_data(copy.key_id, copy.until_ms, &copy.made_by), &copy.sealed)?;
    std::str::from_utf8(&text).ok().map(SecretString::from)
}

fn associated_data(key_id: u32, until_ms: i64, made_by: &str) -> Vec<u8> {
    let label: &[u8] = b"gatepost revealed client secret 1\0";
    [label, &key_id.to_be_bytes(), &until_ms.to_be_bytes(), made_by.as_bytes()].concat()
}
