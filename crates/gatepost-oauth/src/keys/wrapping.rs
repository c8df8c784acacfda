//! What a node has of its own: a whole ring, or a wrapping key under which the ring is sealed in the catalog. With
//! the latter a rotation is one command for all nodes, and what a node keeps does not change.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::file::{KeyFile, check_ids, dated, decode};
use super::{KeyBytes, KeyRing, KeyRingError, NONCE_LENGTH, Random, fingerprint, next_id};

/// A key that a ring is sealed under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappingKey {
    id: u32,
    bytes: KeyBytes,
    created_ms: i64,
}

/// The content of a key file: a ring, wrapping keys, or, while the ring moves into the catalog, both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalKeys {
    ring_id: [u8; 16],
    ring: Option<KeyRing>,
    wrapping: Vec<WrappingKey>,
}

/// A ring as the catalog keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRing {
    /// Counts the changes. Part of what is sealed: an older text does not open as a newer revision.
    pub revision: u64,
    /// The wrapping key that opens it.
    pub wrapping_key_id: u32,
    /// Base64url.
    pub sealed: String,
}

/// Why a ring in the catalog cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The wrapping key is not here.
    #[error("sealed under wrapping key {0}, which is not here")]
    UnknownKey(u32),
    /// It was changed, or belongs to other keys.
    #[error("not what wrapping key {0} sealed")]
    Broken(u32),
}

impl LocalKeys {
    /// A new ring that stays in the key file.
    pub fn generate_ring(random: Random<'_>, now_ms: i64) -> Self {
        Self::of(KeyRing::generate(random, now_ms))
    }

    /// A wrapping key for a ring that is yet to be made.
    pub fn generate_wrapping(random: Random<'_>, now_ms: i64) -> Self {
        let mut ring_id = [0; 16];
        random(&mut ring_id);
        let key = WrappingKey { id: 1, bytes: KeyBytes::random(random), created_ms: now_ms };
        Self { ring_id, ring: None, wrapping: vec![key] }
    }

    fn of(ring: KeyRing) -> Self {
        Self { ring_id: ring.ring_id, ring: Some(ring), wrapping: Vec::new() }
    }

    /// Reads the content of a key file, strictly.
    pub fn from_file(file: &KeyFile) -> Result<Self, KeyRingError> {
        file.check_version()?;
        let ring_id = *decode(&file.ring_id).ok_or(KeyRingError::RingId)?;
        if !file.wrapping.is_empty() {
            check_ids("wrapping", file.wrapping.iter().map(|key| key.id))?;
        }
        let wrapping = file.wrapping.iter().map(|key| {
            let bytes = key.key.read("wrapping", key.id)?;
            Ok(WrappingKey { id: key.id, bytes, created_ms: key.created_ms })
        });
        let wrapping: Vec<_> = wrapping.collect::<Result<_, _>>()?;
        let only_wraps = file.sealing.is_empty() && file.pepper.is_empty() && file.vault.is_empty();
        let ring = if only_wraps && !wrapping.is_empty() { None } else { Some(KeyRing::from_file(file)?) };
        Ok(Self { ring_id, ring, wrapping })
    }

    /// What to write into the key file.
    pub fn to_file(&self) -> KeyFile {
        let wrapping = self.wrapping.iter().map(|key| dated(key.id, &key.bytes, key.created_ms)).collect();
        match &self.ring {
            Some(ring) => KeyFile { wrapping, ..ring.to_file() },
            None => KeyFile { wrapping, ..KeyFile::empty(URL_SAFE_NO_PAD.encode(self.ring_id)) },
        }
    }

    /// That of the ring, wherever it is.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.ring_id)
    }

    /// The ring, when it is here.
    pub fn ring(&self) -> Option<&KeyRing> {
        self.ring.as_ref()
    }

    /// The ring to change, when it is here.
    pub fn ring_mut(&mut self) -> Option<&mut KeyRing> {
        self.ring.as_mut()
    }

    /// The wrapping keys.
    pub fn wrapping_keys(&self) -> &[WrappingKey] {
        &self.wrapping
    }

    /// The wrapping key for what is sealed anew.
    pub fn newest_wrapping_key(&self) -> Option<&WrappingKey> {
        self.wrapping.iter().max_by_key(|key| key.id)
    }

    /// Adds a wrapping key. Returns its id.
    pub fn add_wrapping_key(&mut self, random: Random<'_>, now_ms: i64) -> Result<u32, KeyRingError> {
        let id = next_id("wrapping", self.wrapping.iter().map(|key| key.id))?;
        self.wrapping.push(WrappingKey { id, bytes: KeyBytes::random(random), created_ms: now_ms });
        Ok(id)
    }

    /// Leaves out the wrapping keys before this one. Returns how many went.
    pub fn forget_wrapping_keys_before(&mut self, id: u32) -> usize {
        let before = self.wrapping.len();
        self.wrapping.retain(|key| key.id >= id);
        before - self.wrapping.len()
    }

    /// Leaves out the ring: it is in the catalog now.
    pub fn forget_ring(&mut self) {
        self.ring = None;
    }

    /// A first ring for a catalog without keys, which is to be sealed.
    pub fn generate_ring_to_seal(&self, random: Random<'_>, now_ms: i64) -> KeyRing {
        KeyRing::generate_for(self.ring_id, random, now_ms)
    }

    /// Seals a ring for the catalog. None when this wrapping key is not here or the cryptography failed. `nonce` is
    /// random and used once.
    pub fn seal(
        &self,
        ring: &KeyRing,
        wrapping_key_id: u32,
        revision: u64,
        nonce: [u8; NONCE_LENGTH],
    ) -> Option<SealedRing> {
        let key = self.wrapping.iter().find(|key| key.id == wrapping_key_id)?;
        let text = Zeroizing::new(serde_json::to_vec(&ring.to_file()).ok()?);
        let sealed = key.bytes.seal(nonce, &self.associated_data(wrapping_key_id, revision), &text)?;
        Some(SealedRing { revision, wrapping_key_id, sealed })
    }

    /// Opens a ring of the catalog.
    pub fn open(&self, sealed: &SealedRing) -> Result<KeyRing, UnsealError> {
        let id = sealed.wrapping_key_id;
        let key = self.wrapping.iter().find(|key| key.id == id).ok_or(UnsealError::UnknownKey(id))?;
        let text = key.bytes.open(&self.associated_data(id, sealed.revision), &sealed.sealed);
        let file = text.and_then(|text| serde_json::from_slice::<KeyFile>(&text).ok());
        let ring = file.and_then(|file| KeyRing::from_file(&file).ok());
        ring.filter(|ring| ring.ring_id == self.ring_id).ok_or(UnsealError::Broken(id))
    }

    fn associated_data(&self, wrapping_key_id: u32, revision: u64) -> Vec<u8> {
        let label: &[u8] = b"gatepost sealed key ring 1\0";
        [label, &self.ring_id, &wrapping_key_id.to_be_bytes(), &revision.to_be_bytes()].concat()
    }
}

impl WrappingKey {
    /// Its number, which what it sealed carries.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// When it was made (milliseconds since 1970).
    pub fn created_ms(&self) -> i64 {
        self.created_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each call gives other bytes.
    fn counting() -> impl FnMut(&mut [u8]) {
        let mut next = 1_u8;
        move |bytes| {
            bytes.fill(next);
            next += 1;
        }
    }

    fn sealed() -> (LocalKeys, KeyRing, SealedRing) {
        let mut random = counting();
        let local = LocalKeys::generate_wrapping(&mut random, 1_000);
        let ring = local.generate_ring_to_seal(&mut random, 1_000);
        let sealed = local.seal(&ring, 1, 7, [9; NONCE_LENGTH]).unwrap();
        (local, ring, sealed)
    }

    #[test]
    fn what_was_changed_in_the_catalog_does_not_open() {
        let (local, ring, sealed) = sealed();
        assert_eq!(local.open(&sealed), Ok(ring));
        let newer = SealedRing { revision: 8, ..sealed.clone() };
        assert_eq!(local.open(&newer), Err(UnsealError::Broken(1)), "an old text as a new revision");
        let other_key = SealedRing { wrapping_key_id: 2, ..sealed.clone() };
        assert_eq!(local.open(&other_key), Err(UnsealError::UnknownKey(2)));
        for place in [0, 20, sealed.sealed.len() - 1] {
            let mut text = sealed.sealed.clone().into_bytes();
            text[place] = if text[place] == b'A' { b'B' } else { b'A' };
            let changed = SealedRing { sealed: String::from_utf8(text).unwrap(), ..sealed.clone() };
            assert_eq!(local.open(&changed), Err(UnsealError::Broken(1)));
        }
        let short = SealedRing { sealed: "AAAA".into(), ..sealed.clone() };
        assert_eq!(local.open(&short), Err(UnsealError::Broken(1)));
        let stranger = LocalKeys::generate_wrapping(&mut |bytes| bytes.fill(77), 1_000);
        assert_eq!(stranger.open(&sealed), Err(UnsealError::Broken(1)));
    }

    #[test]
    fn no_key_of_the_ring_is_readable_in_the_sealed_text_or_printed() {
        let (local, ring, sealed) = sealed();
        let written = toml::to_string(&ring.to_file()).unwrap();
        let printed = format!("{local:?} {sealed:?}");
        for line in written.lines().filter_map(|line| line.strip_prefix("key = ")) {
            assert!(!printed.contains(line.trim_matches('"')), "{printed}");
        }
        assert!(printed.contains("[redacted]"));
    }

    #[test]
    fn a_key_file_of_wrapping_keys_survives_toml_and_has_the_rings_fingerprint() {
        let (mut local, ring, sealed) = sealed();
        local.add_wrapping_key(&mut counting(), 2_000).unwrap();
        assert_eq!(local.fingerprint(), ring.fingerprint());
        let text = toml::to_string(&local.to_file()).unwrap();
        assert!(!text.contains("[[sealing]]"), "{text}");
        let again = LocalKeys::from_file(&toml::from_str(&text).unwrap()).unwrap();
        assert_eq!(again, local);
        assert!(again.ring().is_none());
        assert_eq!(again.newest_wrapping_key().map(WrappingKey::id), Some(2));
        assert_eq!(again.open(&sealed), Ok(ring));
        assert_eq!(local.forget_wrapping_keys_before(2), 1);
        assert_eq!(local.open(&sealed), Err(UnsealError::UnknownKey(1)));
    }

    #[test]
    fn a_key_file_holds_both_while_the_ring_moves_and_half_a_ring_is_refused() {
        let mut local = LocalKeys::generate_ring(&mut counting(), 1_000);
        assert!(local.newest_wrapping_key().is_none());
        assert_eq!(local.add_wrapping_key(&mut counting(), 2_000), Ok(1));
        let file: KeyFile = toml::from_str(&toml::to_string(&local.to_file()).unwrap()).unwrap();
        assert_eq!(LocalKeys::from_file(&file).unwrap(), local);
        let half = KeyFile { pepper: Vec::new(), ..file.clone() };
        assert_eq!(LocalKeys::from_file(&half), Err(KeyRingError::Empty("pepper")));
        let none = KeyFile { wrapping: Vec::new(), ..KeyFile::empty(file.ring_id.clone()) };
        assert_eq!(LocalKeys::from_file(&none), Err(KeyRingError::Empty("sealing")));
        let twice = KeyFile { wrapping: [file.wrapping.clone(), file.wrapping.clone()].concat(), ..file };
        let duplicate = KeyRingError::DuplicateId { kind: "wrapping", id: 1 };
        assert_eq!(LocalKeys::from_file(&twice), Err(duplicate));
        local.forget_ring();
        assert!(local.ring().is_none());
    }
}
