//! Single tokens that were revoked before they expired (RFC 7009).

use std::collections::HashMap;
use std::fmt::Write as _;

use gatepost_rest::definition::Id;

/// Identity of an access token: its 128 random bits.
pub type TokenId = [u8; 16];

/// How long an entry outlives its token, so that a clock that runs behind cannot bring the token back.
pub const REVOCATION_GRACE_MS: i64 = 10 * 60 * 1000;

/// The deny list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Counts the revocations that were written. Apart from the catalog's revision, so that clients that revoke
    /// their tokens do not get in the way of those who change definitions.
    pub revision: u64,
    tokens: HashMap<TokenId, RevokedToken>,
}

/// An entry of the deny list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    /// Whose token it was.
    pub client: Id,
    /// When the token would have expired (milliseconds since 1970).
    pub expires_ms: i64,
}

impl Revocations {
    /// Whether this token was revoked.
    pub fn contains(&self, token: &TokenId) -> bool {
        !self.tokens.is_empty() && self.tokens.contains_key(token)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// How many tokens of this client are on the list.
    pub fn count_of(&self, client: Id) -> usize {
        self.tokens.values().filter(|entry| entry.client == client).count()
    }

    /// Whether an entry outlived its token and the grace period.
    pub fn has_expired(&self, now_ms: i64) -> bool {
        self.tokens.values().any(|entry| !entry.counts(now_ms))
    }

    /// Leaves out what outlived its token and the grace period.
    pub fn forget_expired(&mut self, now_ms: i64) {
        self.tokens.retain(|_, entry| entry.counts(now_ms));
    }

    /// Whether the other list has each entry that still counts.
    pub(crate) fn are_in(&self, other: &Self, now_ms: i64) -> bool {
        self.tokens.iter().all(|(token, entry)| !entry.counts(now_ms) || other.contains(token))
    }

    pub(crate) fn insert(&mut self, token: TokenId, entry: RevokedToken) {
        self.tokens.insert(token, entry);
    }
}

impl RevokedToken {
    fn counts(&self, now_ms: i64) -> bool {
        self.expires_ms.saturating_add(REVOCATION_GRACE_MS) > now_ms
    }
}

/// The stored spelling: 32 hexadecimal digits.
pub(crate) fn encode(token: &TokenId) -> String {
    token.iter().fold(String::with_capacity(2 * token.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn decode(text: &str) -> Option<TokenId> {
    let mut token = TokenId::default();
    if text.len() != 2 * token.len() || !text.is_ascii() {
        return None;
    }
    for (index, byte) in token.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(token)
}
