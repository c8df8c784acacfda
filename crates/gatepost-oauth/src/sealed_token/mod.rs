//! Sealed access tokens (design decision 7): everything that a check needs is in the token, under a MAC.
//!
//! `gp_at_` and strict base64url of payload and HMAC-SHA-256. Each key serves one schema of one issuer, so that a
//! token of another schema, installation or address does not even verify. What must be judged as it is now
//! (client enabled, generation, deny list, roles) is not here.

mod payload;
#[cfg(test)]
mod tests;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::client::Id;
use crate::keys::KeyRing;
use payload::{PAYLOAD_LENGTH_MAX, Reader, Writer};

/// What every access token begins with, for people and for scanners that look for leaks.
pub const PREFIX: &str = "gp_at_";

/// A token narrowed to more privileges than this is not issued.
pub const PRIVILEGES_MAX: usize = 64;

/// No token is longer; longer text is refused before anything is decoded.
pub const TOKEN_LENGTH_MAX: usize = PREFIX.len() + (BYTES_MAX * 4).div_ceil(3);

const MAC_LENGTH: usize = 32;
const BYTES_MAX: usize = PAYLOAD_LENGTH_MAX + MAC_LENGTH;

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// The sealing key. Set by [`SealingKeys::open`]; [`SealingKeys::seal`] puts its own there.
    pub key_id: u32,
    /// The schema that it was issued for.
    pub schema_id: Id,
    /// 0: the schema's default resource, else the id of a module.
    pub audience: u64,
    /// The client that it was issued to, by the catalog's id.
    pub client: Id,
    /// The user who granted it, if any.
    pub user: Option<Id>,
    /// When it was issued (milliseconds since 1970).
    pub issued_ms: i64,
    /// From when on it opens nothing (milliseconds since 1970).
    pub expires_ms: i64,
    /// The privileges that it is narrowed to, sorted, each once; absent: not narrowed.
    pub privileges: Option<Vec<Id>>,
    /// The client's generation at issue.
    pub generation: u64,
    /// The catalog's revision at issue.
    pub catalog_revision: u64,
    /// Names this token, for the deny list and the audit trail.
    pub token_id: TokenId,
}

/// 128 random bits that name a token. Not secret: nothing opens with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub [u8; 16]);

/// The sealing keys of one schema at one issuer. Built once for each ring and schema, not for each token.
#[derive(Clone, Debug)]
pub struct SealingKeys {
    schema_id: Id,
    keys: Vec<SchemaKey>,
}

#[derive(Clone, Debug)]
struct SchemaKey {
    id: u32,
    active_from_ms: i64,
    hmac: hmac::Key,
}

/// Why a text is no token of this schema. The caller of the API learns nothing but `invalid_token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not have the form of a token.
    #[error("not an access token of this server")]
    Malformed,
    /// Sealed under a key that this ring does not hold: the ring may be out of date, or somebody made it up.
    #[error("sealed under key {0}, which is unknown")]
    UnknownKey(u32),
    /// Changed, or sealed for another schema or issuer.
    #[error("the seal is broken")]
    BadSeal,
}

/// Why a token cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The token names another schema than the keys.
    #[error("the token is for another schema than the keys")]
    OtherSchema,
    /// The token expires before it is issued.
    #[error("the token expires before it is issued")]
    Lifetime,
    /// The privileges are too many, or not sorted, or not unique.
    #[error("the token's privileges are more than {PRIVILEGES_MAX}, or not sorted and unique")]
    Privileges,
}

impl SealingKeys {
    /// Derives the keys of a schema.
    pub fn for_schema(ring: &KeyRing, issuer: &str, schema_id: Id) -> Self {
        let mut keys: Vec<SchemaKey> = ring
            .sealing_keys()
            .iter()
            .map(|key| SchemaKey {
                id: key.id(),
                active_from_ms: key.active_from_ms(),
                hmac: key.derive(issuer, schema_id),
            })
            .collect();
        keys.sort_unstable_by_key(|key| (key.active_from_ms, key.id));
        Self { schema_id, keys }
    }

    /// Writes a token under the key that seals at `now_ms`.
    pub fn seal(&self, token: &AccessToken, now_ms: i64) -> Result<String, SealError> {
        if token.schema_id != self.schema_id {
            return Err(SealError::OtherSchema);
        }
        let key = self.signing_key(now_ms);
        let mut buffer = [0; BYTES_MAX];
        let length = payload::write(token, key.id, &mut Writer::new(&mut buffer))?;
        let mac = hmac::sign(&key.hmac, &buffer[..length]);
        buffer[length..length + MAC_LENGTH].copy_from_slice(mac.as_ref());
        let mut text = String::with_capacity(PREFIX.len() + ((length + MAC_LENGTH) * 4).div_ceil(3));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&buffer[..length + MAC_LENGTH], &mut text);
        Ok(text)
    }

    /// Reads a token. Of what it says only the key id is looked at before the MAC has been checked. Whether the
    /// token has expired is for the caller to say.
    pub fn open(&self, text: &str) -> Result<AccessToken, TokenError> {
        let mut buffer = [0; BYTES_MAX];
        let bytes = decode(text, &mut buffer).ok_or(TokenError::Malformed)?;
        let (payload, mac) = bytes.split_last_chunk::<MAC_LENGTH>().ok_or(TokenError::Malformed)?;
        let mut reader = Reader::new(payload);
        let key_id = payload::read_key_id(&mut reader).ok_or(TokenError::Malformed)?;
        let key = self.keys.iter().find(|key| key.id == key_id).ok_or(TokenError::UnknownKey(key_id))?;
        hmac::verify(&key.hmac, payload, mac).map_err(|_| TokenError::BadSeal)?;
        payload::read(&mut reader, key_id, self.schema_id).ok_or(TokenError::Malformed)
    }

    fn signing_key(&self, now_ms: i64) -> &SchemaKey {
        let active = self.keys.iter().rfind(|key| key.active_from_ms <= now_ms);
        active.unwrap_or_else(|| &self.keys[0])
    }
}

impl AccessToken {
    /// Whether it opens nothing any more at this time. There is no tolerance (CLK-01).
    pub fn is_expired(&self, now_ms: i64) -> bool {
        now_ms >= self.expires_ms
    }
}

impl TokenId {
    /// Reads what [`Display`](std::fmt::Display) wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for TokenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl std::fmt::Debug for TokenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenId({self})")
    }
}

fn decode<'b>(text: &str, buffer: &'b mut [u8; BYTES_MAX]) -> Option<&'b [u8]> {
    let encoded = text.strip_prefix(PREFIX).filter(|_| text.len() <= TOKEN_LENGTH_MAX)?;
    let length = URL_SAFE_NO_PAD.decode_slice(encoded, buffer.as_mut_slice()).ok()?;
    buffer.get(..length)
}
