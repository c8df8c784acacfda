//! Secrets that the server must be able to use: those of credentials for other people's APIs (design decision 24).
//!
//! AES-256-GCM under the vault key. The kind of use, the object and its schema are associated data, so that a sealed
//! text which is copied to another row does not open.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::SecretError;
use crate::client::Id;
use crate::keys::{KeyRing, NONCE_LENGTH, Pepper};

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
        let text = secret.expose_secret().as_bytes();
        let sealed = key.bytes().seal(nonce, &associated_data(key.id(), owner), text);
        Ok(Self {
            id,
            schema_id: owner.schema_id,
            owner_id: owner.id,
            sealed: sealed.ok_or(SecretError::Seal)?,
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
        let text = key.bytes().open(&associated_data(self.key_id, owner), &self.sealed)?;
        std::str::from_utf8(&text).ok().map(SecretString::from)
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
