//! The sealed copy of a secret that its maker and administrators can read for some minutes (design decision 10).
//!
//! AES-256-GCM under the vault key. Time, maker and key id are associated data: whoever changes them in the catalog
//! gets nothing.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::SecretError;
use crate::client::SealedSecret;
use crate::keys::{KeyRing, VaultKey};

const NONCE_LENGTH: usize = 12;

/// Seals a copy of a secret that can be read until `until_ms`. `nonce` is random and used once.
pub fn seal_reveal(
    secret: &SecretString,
    key: &VaultKey,
    nonce: [u8; NONCE_LENGTH],
    until_ms: i64,
    made_by: &str,
) -> Result<SealedSecret, SecretError> {
    let aead = aead(key).ok_or(SecretError::Seal)?;
    let mut text = Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
    let associated = Aad::from(associated_data(key.id(), until_ms, made_by));
    let tag = aead
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), associated, &mut text)
        .map_err(|_| SecretError::Seal)?;
    let sealed = [nonce.as_slice(), text.as_slice(), tag.as_ref()].concat();
    let sealed = URL_SAFE_NO_PAD.encode(sealed);
    Ok(SealedSecret { sealed, key_id: key.id(), until_ms, made_by: made_by.to_owned() })
}

/// Opens the copy if its time has not passed, whether or not it was deleted in time. Who may ask is for the caller
/// to check.
pub fn open_reveal(copy: &SealedSecret, ring: &KeyRing, now_ms: i64) -> Option<SecretString> {
    if now_ms >= copy.until_ms {
        return None;
    }
    let aead = aead(ring.find_vault_key(copy.key_id)?)?;
    let mut sealed = Zeroizing::new(URL_SAFE_NO_PAD.decode(&copy.sealed).ok()?);
    let (nonce, text_and_tag) = sealed.split_first_chunk_mut::<NONCE_LENGTH>()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let associated = Aad::from(associated_data(copy.key_id, copy.until_ms, &copy.made_by));
    let text = aead.open_in_place(nonce, associated, text_and_tag).ok()?;
    std::str::from_utf8(text).ok().map(SecretString::from)
}

fn aead(key: &VaultKey) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.as_slice()).ok().map(LessSafeKey::new)
}

fn associated_data(key_id: u32, until_ms: i64, made_by: &str) -> Vec<u8> {
    let label: &[u8] = b"gatepost revealed client secret 1\0";
    [label, &key_id.to_be_bytes(), &until_ms.to_be_bytes(), made_by.as_bytes()].concat()
}
