//! AES-256-GCM: a text under a key, bound to what stands beside it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::KeyBytes;

/// Length of the random bytes that each sealing uses up.
pub const NONCE_LENGTH: usize = 12;

impl KeyBytes {
    /// Seals a text: nonce, ciphertext and tag in base64url. Whoever changes `associated` gets nothing. None when
    /// the cryptography fails, which means that memory ran out.
    pub(crate) fn seal(&self, nonce: [u8; NONCE_LENGTH], associated: &[u8], text: &[u8]) -> Option<String> {
        let mut text = Zeroizing::new(text.to_vec());
        let tag = self
            .aead()?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut text)
            .ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), text.as_slice(), tag.as_ref()].concat()))
    }

    /// Opens what was sealed. None: another key, other associated data, or not sealed by us at all.
    pub(crate) fn open(&self, associated: &[u8], sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let mut sealed = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).ok()?);
        let (nonce, text_and_tag) = sealed.split_first_chunk_mut::<NONCE_LENGTH>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = self.aead()?.open_in_place(nonce, Aad::from(associated), text_and_tag).ok()?;
        Some(Zeroizing::new(text.to_vec()))
    }

    fn aead(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.as_slice()).ok().map(LessSafeKey::new)
    }
}
