//! The bytes inside a token: small numbers are written short (LEB128), so that a token of an ordinary client has
//! about 110 characters. Only bytes under a valid MAC are read, so there is one writer and no second spelling.

use super::{AccessToken, MAC_LENGTH, PRIVILEGES_MAX, SealError, TokenId};
use crate::client::Id;

/// More than any payload needs: see the test that fills every field.
pub(super) const PAYLOAD_LENGTH_MAX: usize = FIXED_LENGTH_MAX + PRIVILEGES_MAX * NUMBER_LENGTH_MAX;

/// Version and flags; five numbers and the count; times and generation; token id.
const FIXED_LENGTH_MAX: usize = 2 + 7 * NUMBER_LENGTH_MAX + 8 + NUMBER_LENGTH_MAX + 8 + 16;
const NUMBER_LENGTH_MAX: usize = 10;

const VERSION: u8 = 1;
const HAS_USER: u8 = 1;
const IS_NARROWED: u8 = 2;

/// Writes into a buffer that is large enough for any payload.
pub(super) struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

/// Reads from the front.
pub(super) struct Reader<'b> {
    rest: &'b [u8],
}

/// Writes the payload and returns its length.
pub(super) fn write(token: &AccessToken, key_id: u32, to: &mut Writer<'_>) -> Result<usize, SealError> {
    let lifetime_ms = token.expires_ms.checked_sub(token.issued_ms).and_then(|ms| u64::try_from(ms).ok());
    let lifetime_ms = lifetime_ms.ok_or(SealError::Lifetime)?;
    to.bytes(&[VERSION]);
    to.number(u64::from(key_id));
    to.bytes(&[flags(token)]);
    to.number(token.schema_id);
    to.number(token.audience);
    to.number(token.client);
    if let Some(user) = token.user {
        to.number(user);
    }
    to.bytes(&token.issued_ms.to_be_bytes());
    to.number(lifetime_ms);
    to.bytes(&token.generation.to_be_bytes());
    to.number(token.catalog_revision);
    to.bytes(&token.token_id.0);
    if let Some(privileges) = &token.privileges {
        write_privileges(privileges, to)?;
    }
    Ok(to.length)
}

/// Reads as far as the key id, which chooses the key.
pub(super) fn read_key_id(from: &mut Reader<'_>) -> Option<u32> {
    let [version] = from.bytes()?;
    (version == VERSION).then_some(())?;
    u32::try_from(from.number()?).ok()
}

/// Reads what follows the key id. None if the bytes are not what [`write`] writes for this schema.
pub(super) fn read(from: &mut Reader<'_>, key_id: u32, schema_id: Id) -> Option<AccessToken> {
    let [flags] = from.bytes()?;
    (flags & !(HAS_USER | IS_NARROWED) == 0).then_some(())?;
    (from.number()? == schema_id).then_some(())?;
    let audience = from.number()?;
    let client = from.number()?;
    let user = if flags & HAS_USER == 0 { None } else { Some(from.number()?) };
    let issued_ms = i64::from_be_bytes(from.bytes()?);
    let expires_ms = issued_ms.checked_add_unsigned(from.number()?)?;
    let generation = u64::from_be_bytes(from.bytes()?);
    let catalog_revision = from.number()?;
    let token_id = TokenId(from.bytes()?);
    let privileges = if flags & IS_NARROWED == 0 { None } else { Some(read_privileges(from)?) };
    from.rest.is_empty().then_some(AccessToken {
        key_id,
        schema_id,
        audience,
        client,
        user,
        issued_ms,
        expires_ms,
        privileges,
        generation,
        catalog_revision,
        token_id,
    })
}

fn flags(token: &AccessToken) -> u8 {
    let user = if token.user.is_some() { HAS_USER } else { 0 };
    let narrowed = if token.privileges.is_some() { IS_NARROWED } else { 0 };
    user | narrowed
}

/// The count, then the distance from each id to the next.
fn write_privileges(privileges: &[Id], to: &mut Writer<'_>) -> Result<(), SealError> {
    let ascending = privileges.windows(2).all(|pair| pair[0] < pair[1]);
    if privileges.len() > PRIVILEGES_MAX || !ascending {
        return Err(SealError::Privileges);
    }
    to.number(privileges.len() as u64);
    let mut previous = 0;
    for id in privileges {
        to.number(id - previous);
        previous = *id;
    }
    Ok(())
}

fn read_privileges(from: &mut Reader<'_>) -> Option<Vec<Id>> {
    let count = usize::try_from(from.number()?).ok().filter(|count| *count <= PRIVILEGES_MAX)?;
    let mut privileges = Vec::with_capacity(count);
    let mut previous: Id = 0;
    for _ in 0..count {
        previous = previous.checked_add(from.number()?)?;
        privileges.push(previous);
    }
    Some(privileges)
}

impl<'b> Writer<'b> {
    /// The buffer has room for the longest payload and the MAC.
    pub(super) fn new(buffer: &'b mut [u8; PAYLOAD_LENGTH_MAX + MAC_LENGTH]) -> Self {
        Self { buffer, length: 0 }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Seven bits to a byte, low bits first.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes(&[number as u8 | 0x80]);
            number >>= 7;
        }
        self.bytes(&[number as u8]);
    }
}

impl<'b> Reader<'b> {
    /// Begins at the first byte.
    pub(super) fn new(payload: &'b [u8]) -> Self {
        Self { rest: payload }
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.bytes()?;
            let bits = u64::from(byte & 0x7F);
            number |= bits << shift;
            if byte & 0x80 == 0 {
                let overflows = shift == 63 && bits > 1;
                return (!overflows).then_some(number);
            }
        }
        None
    }
}
