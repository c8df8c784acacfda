//! Secrets that the server must be able to use: those of credentials for other people's APIs (design decision 24).
//!
//! AES-256-GCM under the vault key. The kind of use, the object and its schema are associated data, so that a sealed
//! text which is copied to another row does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SecretError;
use crate::client::Id;
use crate::keys::{KeyRing, Pepper, VaultKey};

pub(super) const NONCE_LENGTH: usize = 12;

/// Bytes of a vault secret, at most: room for a token or a key in PEM form.
pub const VAULT_SECRET_LENGTH_MAX: usize = 16 * 1024;

/// The sealed secret of one object. Whoever has the vault key can read it; exports, history and views never hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultSecret {
    /// Identity.
    pub id: Id,
    /// The schema of the object.
    pub schema_id: Id,
    /// The object that it is the secret of.
    pub owner_id: Id,
    /// Nonce and ciphertext, base64url without padding.
    pub sealed: String,
    /// Which vault key of the key file.
    pub key_id: u32,
    /// Eight hexadecimal digits by which two people can tell whether they mean the same secret.
    pub fingerprint: String,
    /// Who set it.
    pub set_by: String,
    /// When (milliseconds since 1970).
    pub set_on_ms: i64,
}

/// Which object a sealed secret belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultOwner {
    /// Its schema.
    pub schema_id: Id,
    /// Itself.
    pub id: Id,
}

impl VaultSecret {
    /// Seals a secret. `id` is that of the new record, `nonce` is random and used once.
    pub fn seal(
        id: Id,
        owner: VaultOwner,
        secret: &SecretString,
        ring: &KeyRing,
        nonce: [u8; NONCE_LENGTH],
        (set_by, set_on_ms): (&str, i64),
    ) -> Result<Self, SecretError> {
        let length = secret.expose_secret().len();
        if length == 0 || length > VAULT_SECRET_LENGTH_MAX {
            return Err(SecretError::VaultLength);
        }
        let key = ring.vault_key();
        Ok(Self {
            id,
            schema_id: owner.schema_id,
            owner_id: owner.id,
            sealed: seal(secret, key, nonce, &associated_data(key.id(), owner))?,
            key_id: key.id(),
            fingerprint: fingerprint(secret, ring.pepper()),
            set_by: set_by.to_owned(),
            set_on_ms,
        })
    }

    /// Opens it. None when the key is not there or the record was tampered with.
    pub fn open(&self, ring: &KeyRing) -> Option<SecretString> {
        let key = ring.find_vault_key(self.key_id)?;
        let owner = VaultOwner { schema_id: self.schema_id, id: self.owner_id };
        open(&self.sealed, key, &associated_data(self.key_id, owner))
    }
}

/// Keyed: a bare hash would let weak passwords be guessed.
fn fingerprint(secret: &SecretString, pepper: &Pepper) -> String {
    let digest = pepper.digest(&[b"gatepost vault fingerprint 1\0", secret.expose_secret().as_bytes()]);
    let [a, b, c, d, ..] = digest;
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

fn associated_data(key_id: u32, owner: VaultOwner) -> Vec<u8> {
    let label: &[u8] = b"gatepost vault secret 1\0";
    [label, &key_id.to_be_bytes(), &owner.schema_id.to_be_bytes(), &owner.id.to_be_bytes()].concat()
}

/// Encrypts a text; nonce, ciphertext and tag in base64url without padding.
pub(super) fn seal(
    secret: &SecretString,
    key: &VaultKey,
    nonce: [u8; NONCE_LENGTH],
    associated: &[u8],
) -> Result<String, SecretError> {
    let aead = aead(key).ok_or(SecretError::Seal)?;
    let mut text = Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
    let tag = aead
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut text)
        .map_err(|_| SecretError::Seal)?;
    Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), text.as_slice(), tag.as_ref()].concat()))
}

/// Decrypts what [`seal`] made with the same key and associated data.
pub(super) fn open(sealed: &str, key: &VaultKey, associated: &[u8]) -> Option<SecretString> {
    let aead = aead(key)?;
    let mut sealed = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).ok()?);
    let (nonce, text_and_tag) = sealed.split_first_chunk_mut::<NONCE_LENGTH>()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let text = aead.open_in_place(nonce, Aad::from(associated), text_and_tag).ok()?;
    std::str::from_utf8(text).ok().map(SecretString::from)
}

fn aead(key: &VaultKey) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.as_slice()).ok().map(LessSafeKey::new)
}
