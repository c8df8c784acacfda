//! The key ring: the keys that live outside the catalog (design decision 9; STO-07).
//!
//! Three kinds: sealing keys for access tokens, peppers for client secrets, vault keys for what must be read
//! again. The newest of a kind is used for new values, the older ones for values that exist. Ids are never
//! used twice.
//!
//! The ring is in a key file, or, for several nodes, in the catalog, sealed under a wrapping key that is in the key
//! file of each node: [`LocalKeys`].

mod aead;
mod file;
#[cfg(test)]
mod tests;
mod wrapping;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

pub use aead::NONCE_LENGTH;
pub use file::{DatedKey, KeyFile, KeyText, SealingKeyEntry};
pub use wrapping::{LocalKeys, SealedRing, UnsealError, WrappingKey};

/// Length of every key in bytes.
pub const KEY_LENGTH: usize = 32;

/// A source of random bytes; the caller passes the system's.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]);

/// 32 secret bytes, zeroed when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeyBytes(Zeroizing<[u8; KEY_LENGTH]>);

/// A key that access tokens are sealed under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingKey {
    id: u32,
    bytes: KeyBytes,
    created_ms: i64,
    active_from_ms: i64,
}

/// A key that digests of client secrets are made under (STO-02).
#[derive(Clone, Debug)]
pub struct Pepper {
    id: u32,
    bytes: KeyBytes,
    hmac: hmac::Key,
    created_ms: i64,
}

/// A key that secrets are encrypted under, to be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultKey {
    id: u32,
    bytes: KeyBytes,
    created_ms: i64,
}

/// All keys of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRing {
    ring_id: [u8; 16],
    sealing: Vec<SealingKey>,
    peppers: Vec<Pepper>,
    vault: Vec<VaultKey>,
}

/// Why a key file was refused, or a change of the ring.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The file was written by another version of the program.
    #[error("key file version {0} is unknown; this program reads version {expected}", expected = KeyFile::VERSION)]
    Version(u32),
    /// `ring_id` is not 16 bytes of base64url.
    #[error("key file: `ring_id` is not 22 characters of base64url")]
    RingId,
    /// There must be a key of each kind.
    #[error("key file: there is no {0} key")]
    Empty(&'static str),
    /// Ids count from 1.
    #[error("key file: a {0} key has id 0; ids begin at 1")]
    ZeroId(&'static str),
    /// Two keys of a kind share an id.
    #[error("key file: two {kind} keys have id {id}")]
    DuplicateId {
        /// Which list.
        kind: &'static str,
        /// The id.
        id: u32,
    },
    /// The key is not 32 bytes of strict base64url.
    #[error("key file: {kind} key {id} is not 43 characters of base64url (32 bytes)")]
    Key {
        /// Which list.
        kind: &'static str,
        /// The id.
        id: u32,
    },
    /// Sealing keys take over from each other in the order of their ids.
    #[error("key file: sealing key {0} begins to seal before the key that it follows")]
    Order(u32),
    /// No id is left.
    #[error("no free id for another {0} key")]
    IdsExhausted(&'static str),
    /// The key cannot be removed.
    #[error("{kind} key {id} does not exist or is the last one and stays")]
    Needed {
        /// Which list.
        kind: &'static str,
        /// The id.
        id: u32,
    },
}

impl KeyRing {
    /// Makes a new ring with one key of each kind. Only for an empty catalog.
    pub fn generate(random: Random<'_>, now_ms: i64) -> Self {
        let mut ring_id = [0; 16];
        random(&mut ring_id);
        Self::generate_for(ring_id, random, now_ms)
    }

    fn generate_for(ring_id: [u8; 16], random: Random<'_>, now_ms: i64) -> Self {
        Self {
            ring_id,
            sealing: vec![SealingKey::new(1, KeyBytes::random(random), now_ms, now_ms)],
            peppers: vec![Pepper::new(1, KeyBytes::random(random), now_ms)],
            vault: vec![VaultKey { id: 1, bytes: KeyBytes::random(random), created_ms: now_ms }],
        }
    }

    /// Tells this ring from any other; stays the same when keys are rotated. The catalog keeps it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.ring_id)
    }

    /// The key that seals now: of those that are active the newest; before any is active, the first to be.
    pub fn signing_key(&self, now_ms: i64) -> &SealingKey {
        let active = self.sealing.iter().filter(|key| key.active_from_ms <= now_ms);
        active
            .max_by_key(|key| key.order())
            .or_else(|| self.sealing.iter().min_by_key(|key| key.order()))
            .expect("a ring has a sealing key: the constructors see to it")
    }

    /// All sealing keys, those included that only verify.
    pub fn sealing_keys(&self) -> &[SealingKey] {
        &self.sealing
    }

    /// The pepper for new digests.
    pub fn pepper(&self) -> &Pepper {
        let newest = self.peppers.iter().max_by_key(|pepper| pepper.id);
        newest.expect("a ring has a pepper: the constructors see to it")
    }

    /// The pepper that a stored digest names.
    pub fn find_pepper(&self, id: u32) -> Option<&Pepper> {
        self.peppers.iter().find(|pepper| pepper.id == id)
    }

    /// The vault key for new values.
    pub fn vault_key(&self) -> &VaultKey {
        let newest = self.vault.iter().max_by_key(|key| key.id);
        newest.expect("a ring has a vault key: the constructors see to it")
    }

    /// The vault key that a sealed value names.
    pub fn find_vault_key(&self, id: u32) -> Option<&VaultKey> {
        self.vault.iter().find(|key| key.id == id)
    }

    /// Adds a sealing key that signs from `active_from_ms` on, which the caller puts one poll interval ahead so
    /// that every node knows the key before it meets a token; it never overtakes a key that was added earlier.
    /// Returns its id.
    pub fn rotate_sealing(
        &mut self,
        random: Random<'_>,
        now_ms: i64,
        active_from_ms: i64,
    ) -> Result<u32, KeyRingError> {
        let id = next_id("sealing", self.sealing.iter().map(|key| key.id))?;
        let earliest = self.sealing.iter().map(|key| key.active_from_ms).max().unwrap_or(active_from_ms);
        let active_from_ms = active_from_ms.max(earliest);
        self.sealing.push(SealingKey::new(id, KeyBytes::random(random), now_ms, active_from_ms));
        Ok(id)
    }

    /// Adds a pepper; new digests use it at once. Returns its id.
    pub fn rotate_pepper(&mut self, random: Random<'_>, now_ms: i64) -> Result<u32, KeyRingError> {
        let id = next_id("pepper", self.peppers.iter().map(|pepper| pepper.id))?;
        self.peppers.push(Pepper::new(id, KeyBytes::random(random), now_ms));
        Ok(id)
    }

    /// Adds a vault key; new values use it at once. Returns its id.
    pub fn rotate_vault(&mut self, random: Random<'_>, now_ms: i64) -> Result<u32, KeyRingError> {
        let id = next_id("vault", self.vault.iter().map(|key| key.id))?;
        self.vault.push(VaultKey { id, bytes: KeyBytes::random(random), created_ms: now_ms });
        Ok(id)
    }

    /// Removes sealing keys whose last token has expired: another key took over `lifetime_ms` ago or earlier.
    /// Returns how many went.
    pub fn prune(&mut self, now_ms: i64, lifetime_ms: i64) -> usize {
        let before = self.sealing.len();
        let orders: Vec<(i64, u32)> = self.sealing.iter().map(SealingKey::order).collect();
        self.sealing.retain(|key| {
            let successor = orders.iter().filter(|order| **order > key.order()).min();
            successor.is_none_or(|(from_ms, _)| from_ms.saturating_add(lifetime_ms) > now_ms)
        });
        before - self.sealing.len()
    }

    /// Removes a sealing key at once, with all tokens under it: for one that leaked. The newest one stays;
    /// rotate first.
    pub fn remove_sealing(&mut self, id: u32) -> Result<(), KeyRingError> {
        let newest = self.sealing.iter().map(|key| key.id).max();
        remove(&mut self.sealing, "sealing", id, newest, |key| key.id)
    }
}

impl SealingKey {
    fn new(id: u32, bytes: KeyBytes, created_ms: i64, active_from_ms: i64) -> Self {
        Self { id, bytes, created_ms, active_from_ms }
    }

    /// Its number, which every token under it carries.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// When it was made (milliseconds since 1970).
    pub fn created_ms(&self) -> i64 {
        self.created_ms
    }

    /// When it begins to seal (milliseconds since 1970).
    pub fn active_from_ms(&self) -> i64 {
        self.active_from_ms
    }

    /// The key of one schema at one issuer: HMAC-SHA-256 over a label, the schema id and the issuer.
    pub(crate) fn derive(&self, issuer: &str, schema_id: u64) -> hmac::Key {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.bytes.as_slice()));
        context.update(b"gatepost sealed access token 1\0");
        context.update(&schema_id.to_be_bytes());
        context.update(issuer.as_bytes());
        hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref())
    }

    fn order(&self) -> (i64, u32) {
        (self.active_from_ms, self.id)
    }
}

impl Pepper {
    fn new(id: u32, bytes: KeyBytes, created_ms: i64) -> Self {
        let hmac = hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice());
        Self { id, bytes, hmac, created_ms }
    }

    /// Its number, which every digest under it carries.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// When it was made (milliseconds since 1970).
    pub fn created_ms(&self) -> i64 {
        self.created_ms
    }

    /// HMAC-SHA-256 over the parts. The first one is a label that keeps the uses of the pepper apart.
    pub(crate) fn digest(&self, parts: &[&[u8]]) -> [u8; KEY_LENGTH] {
        let mut context = hmac::Context::with_key(&self.hmac);
        for part in parts {
            context.update(part);
        }
        let mut digest = [0; KEY_LENGTH];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

impl PartialEq for Pepper {
    fn eq(&self, other: &Self) -> bool {
        (self.id, &self.bytes, self.created_ms) == (other.id, &other.bytes, other.created_ms)
    }
}

impl Eq for Pepper {}

impl VaultKey {
    /// Its number, which every value under it carries.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// When it was made (milliseconds since 1970).
    pub fn created_ms(&self) -> i64 {
        self.created_ms
    }

    pub(crate) fn bytes(&self) -> &KeyBytes {
        &self.bytes
    }
}

impl KeyBytes {
    fn random(random: Random<'_>) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        random(bytes.as_mut_slice());
        Self(bytes)
    }

    fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl std::fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

fn fingerprint(ring_id: &[u8; 16]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"gatepost key ring\0");
    context.update(ring_id);
    let mut text = URL_SAFE_NO_PAD.encode(context.finish());
    text.truncate(22);
    text
}

fn next_id(kind: &'static str, ids: impl Iterator<Item = u32>) -> Result<u32, KeyRingError> {
    ids.max().unwrap_or(0).checked_add(1).ok_or(KeyRingError::IdsExhausted(kind))
}

fn remove<K>(
    keys: &mut Vec<K>,
    kind: &'static str,
    id: u32,
    newest: Option<u32>,
    id_of: fn(&K) -> u32,
) -> Result<(), KeyRingError> {
    let place = keys.iter().position(|key| id_of(key) == id).filter(|_| newest != Some(id));
    let place = place.ok_or(KeyRingError::Needed { kind, id })?;
    keys.remove(place);
    Ok(())
}
