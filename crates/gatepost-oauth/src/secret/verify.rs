//! Comparing a presented secret with what a client keeps (TOK-12, STO-03, STO-04).
//!
//! Digests under a pepper are compared at once. A slow hash is not computed here: [`Verification::NeedsSlowHash`]
//! asks the caller to run [`Client::verify_slowly`] in a bounded pool and to remember the [`SecretProof`] that
//! comes back, so that each secret is hashed slowly once in the life of a process.

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

use super::{CHOSEN_SECRET_LENGTH_MIN, SECRET_LENGTH_MAX};
use crate::client::{Client, SecretVerifier};
use crate::keys::{KeyRing, Pepper};

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It is a secret of this client.
    Match,
    /// It is not.
    Mismatch,
    /// Only [`Client::verify_slowly`] can tell.
    NeedsSlowHash,
}

/// Stands for "this secret matched this slow hash": a digest over both under the pepper. It fits no other secret
/// and no other hash, so a secret that was replaced is forgotten by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecretProof([u8; 32]);

impl Client {
    /// Compares a presented secret with both slots. Does the same work whichever slot matches, if any. Does not
    /// look at [`Client::enabled`]. `remembered` says whether a proof came back from
    /// [`verify_slowly`](Self::verify_slowly) before.
    pub fn verify_secret(
        &self,
        presented: &SecretString,
        ring: &KeyRing,
        remembered: &dyn Fn(&SecretProof) -> bool,
    ) -> Verification {
        let presented = presented.expose_secret();
        let mut digest = DigestUnder::new(presented, ring.pepper());
        let mut verification = Verification::Mismatch;
        for secret in &self.secrets {
            let one = match &secret.verifier {
                SecretVerifier::Hmac { pepper_id, digest: kept } => digest.compare(*pepper_id, kept, ring),
                SecretVerifier::Argon2 { phc } => match_remembered(presented, phc, ring, remembered),
            };
            verification = verification.or(one);
        }
        verification
    }

    /// Computes the slow hashes. Returns the proof to remember if one matches. Takes tens of milliseconds and
    /// 19 MiB of memory for each slot.
    pub fn verify_slowly(&self, presented: &SecretString, ring: &KeyRing) -> Option<SecretProof> {
        let presented = presented.expose_secret();
        let hashes = self.secrets.iter().filter_map(|secret| match &secret.verifier {
            SecretVerifier::Argon2 { phc } => Some(phc),
            SecretVerifier::Hmac { .. } => None,
        });
        let mut hashes = hashes.filter(|phc| hash_matches(presented, phc));
        hashes.next().map(|phc| SecretProof::new(presented, phc, ring))
    }

    /// Whether one of its secrets needs a slow hash.
    pub fn has_chosen_secret(&self) -> bool {
        self.secrets.iter().any(|secret| matches!(secret.verifier, SecretVerifier::Argon2 { .. }))
    }
}

/// The comparison for a client id that nobody has: the same work as for a client with secrets of the server's
/// making, and the answer that no secret gets past (STO-04).
pub fn verify_unknown_client(presented: &SecretString, ring: &KeyRing) -> Verification {
    let pepper = ring.pepper();
    let mut digest = DigestUnder::new(presented.expose_secret(), pepper);
    digest.compare(pepper.id(), DUMMY_DIGEST, ring);
    Verification::Mismatch
}

/// The slow work of [`Client::verify_slowly`] for a client id that nobody has, for installations where most
/// clients have chosen secrets. Runs in the same pool.
pub fn verify_unknown_client_slowly(presented: &SecretString) {
    let salt = [0; 16];
    let mut output = [0; 32];
    // Nobody looks at the result: the time is what counts, and a failure is a mismatch anyway.
    let _ = Argon2::default().hash_password_into(presented.expose_secret().as_bytes(), &salt, &mut output);
}

/// As long as a digest, and no digest.
const DUMMY_DIGEST: &str = "-------------------------------------------";

/// The digest to keep of a secret: base64url without padding.
pub(super) fn secret_digest(secret: &str, pepper: &Pepper) -> String {
    URL_SAFE_NO_PAD.encode(pepper.digest(&[b"gatepost client secret 1\0", secret.as_bytes()]))
}

/// The digest of the presented secret under the pepper that was asked for last: both slots mostly share one.
struct DigestUnder<'p> {
    presented: &'p str,
    pepper_id: u32,
    digest: String,
}

impl<'p> DigestUnder<'p> {
    fn new(presented: &'p str, pepper: &Pepper) -> Self {
        Self { presented, pepper_id: pepper.id(), digest: secret_digest(presented, pepper) }
    }

    fn compare(&mut self, pepper_id: u32, kept: &str, ring: &KeyRing) -> Verification {
        if pepper_id != self.pepper_id {
            let Some(pepper) = ring.find_pepper(pepper_id) else { return Verification::Mismatch };
            *self = Self::new(self.presented, pepper);
        }
        match verify_slices_are_equal(self.digest.as_bytes(), kept.as_bytes()) {
            Ok(()) => Verification::Match,
            Err(_) => Verification::Mismatch,
        }
    }
}

impl Verification {
    /// Any match counts; short of that, a slow hash may still match.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Match, _) | (_, Self::Match) => Self::Match,
            (Self::NeedsSlowHash, _) | (_, Self::NeedsSlowHash) => Self::NeedsSlowHash,
            (Self::Mismatch, Self::Mismatch) => Self::Mismatch,
        }
    }
}

impl SecretProof {
    fn new(presented: &str, phc: &str, ring: &KeyRing) -> Self {
        let length = (phc.len() as u64).to_be_bytes();
        let label: &[u8] = b"gatepost secret proof 1\0";
        Self(ring.pepper().digest(&[label, &length, phc.as_bytes(), presented.as_bytes()]))
    }
}

fn match_remembered(
    presented: &str,
    phc: &str,
    ring: &KeyRing,
    remembered: &dyn Fn(&SecretProof) -> bool,
) -> Verification {
    if !may_be_chosen(presented) {
        Verification::Mismatch
    } else if remembered(&SecretProof::new(presented, phc, ring)) {
        Verification::Match
    } else {
        Verification::NeedsSlowHash
    }
}

/// What cannot have been chosen is worth no slow hash.
fn may_be_chosen(presented: &str) -> bool {
    (CHOSEN_SECRET_LENGTH_MIN..=SECRET_LENGTH_MAX).contains(&presented.len())
}

fn hash_matches(presented: &str, phc: &str) -> bool {
    may_be_chosen(presented) && Argon2::default().verify_password(presented.as_bytes(), phc).is_ok()
}
