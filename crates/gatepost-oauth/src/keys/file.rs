//! The key file as text: what [`KeyRing`] looks like in TOML or JSON. Reading checks everything once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{KEY_LENGTH, KeyBytes, KeyRing, KeyRingError, Pepper, SealingKey, VaultKey};

/// The content of the key file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// Form of the file.
    pub version: u32,
    /// 16 random bytes, base64url without padding: the ring's identity.
    pub ring_id: String,
    /// Keys that access tokens are sealed under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealing: Vec<SealingKeyEntry>,
    /// Keys that digests of client secrets are made under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pepper: Vec<DatedKey>,
    /// Keys that stored secrets are encrypted under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vault: Vec<DatedKey>,
    /// Keys that a ring in the catalog is sealed under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrapping: Vec<DatedKey>,
}

/// A sealing key in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealingKeyEntry {
    /// Unique among sealing keys, never used again.
    pub id: u32,
    /// The key.
    pub key: KeyText,
    /// When it was made (milliseconds since 1970).
    pub created_ms: i64,
    /// When it begins to seal (milliseconds since 1970).
    pub active_from_ms: i64,
}

/// A pepper or vault key in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatedKey {
    /// Unique in its list, never used again.
    pub id: u32,
    /// The key.
    pub key: KeyText,
    /// When it was made (milliseconds since 1970).
    pub created_ms: i64,
}

/// 32 bytes as base64url without padding; zeroed when dropped and never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyText(String);

impl KeyFile {
    /// The form that this program writes and reads.
    pub const VERSION: u32 = 1;

    pub(super) fn empty(ring_id: String) -> Self {
        let (sealing, pepper, vault, wrapping) = Default::default();
        Self { version: Self::VERSION, ring_id, sealing, pepper, vault, wrapping }
    }

    pub(super) fn check_version(&self) -> Result<(), KeyRingError> {
        if self.version == Self::VERSION { Ok(()) } else { Err(KeyRingError::Version(self.version)) }
    }
}

impl KeyRing {
    /// Reads a ring, strictly.
    pub fn from_file(file: &KeyFile) -> Result<Self, KeyRingError> {
        file.check_version()?;
        let ring_id = decode(&file.ring_id).ok_or(KeyRingError::RingId)?;
        check_ids("sealing", file.sealing.iter().map(|key| key.id))?;
        check_ids("pepper", file.pepper.iter().map(|key| key.id))?;
        check_ids("vault", file.vault.iter().map(|key| key.id))?;
        check_order(&file.sealing)?;
        let sealing = file.sealing.iter().map(|key| {
            let bytes = key.key.read("sealing", key.id)?;
            Ok(SealingKey::new(key.id, bytes, key.created_ms, key.active_from_ms))
        });
        let peppers = file.pepper.iter().map(|key| {
            let bytes = key.key.read("pepper", key.id)?;
            Ok(Pepper::new(key.id, bytes, key.created_ms))
        });
        let vault = file.vault.iter().map(|key| {
            let bytes = key.key.read("vault", key.id)?;
            Ok(VaultKey { id: key.id, bytes, created_ms: key.created_ms })
        });
        Ok(Self {
            ring_id: *ring_id,
            sealing: sealing.collect::<Result<_, _>>()?,
            peppers: peppers.collect::<Result<_, _>>()?,
            vault: vault.collect::<Result<_, _>>()?,
        })
    }

    /// What to write into the key file.
    pub fn to_file(&self) -> KeyFile {
        let sealing = self.sealing.iter().map(|key| SealingKeyEntry {
            id: key.id,
            key: KeyText::of(&key.bytes),
            created_ms: key.created_ms,
            active_from_ms: key.active_from_ms,
        });
        KeyFile {
            version: KeyFile::VERSION,
            ring_id: URL_SAFE_NO_PAD.encode(self.ring_id),
            sealing: sealing.collect(),
            pepper: self.peppers.iter().map(|key| dated(key.id, &key.bytes, key.created_ms)).collect(),
            vault: self.vault.iter().map(|key| dated(key.id, &key.bytes, key.created_ms)).collect(),
            wrapping: Vec::new(),
        }
    }
}

pub(super) fn dated(id: u32, bytes: &KeyBytes, created_ms: i64) -> DatedKey {
    DatedKey { id, key: KeyText::of(bytes), created_ms }
}

impl KeyText {
    fn of(bytes: &KeyBytes) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
    }

    pub(super) fn read(&self, kind: &'static str, id: u32) -> Result<KeyBytes, KeyRingError> {
        decode::<KEY_LENGTH>(&self.0).map(KeyBytes).ok_or(KeyRingError::Key { kind, id })
    }
}

impl Drop for KeyText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for KeyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Decodes exactly `N` bytes of strict base64url.
pub(super) fn decode<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    let mut exact = Zeroizing::new([0; N]);
    (bytes.len() == N).then(|| exact.copy_from_slice(&bytes))?;
    Some(exact)
}

pub(super) fn check_ids(kind: &'static str, ids: impl Iterator<Item = u32>) -> Result<(), KeyRingError> {
    let mut ids: Vec<u32> = ids.collect();
    ids.sort_unstable();
    match ids.first() {
        None => return Err(KeyRingError::Empty(kind)),
        Some(0) => return Err(KeyRingError::ZeroId(kind)),
        Some(_) => {}
    }
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(KeyRingError::DuplicateId { kind, id: pair[0] }),
        None => Ok(()),
    }
}

fn check_order(sealing: &[SealingKeyEntry]) -> Result<(), KeyRingError> {
    let mut order: Vec<(u32, i64)> = sealing.iter().map(|key| (key.id, key.active_from_ms)).collect();
    order.sort_unstable();
    match order.windows(2).find(|pair| pair[0].1 > pair[1].1) {
        Some(pair) => Err(KeyRingError::Order(pair[1].0)),
        None => Ok(()),
    }
}
