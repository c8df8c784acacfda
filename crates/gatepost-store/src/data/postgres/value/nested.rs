//! Arrays, composites and records.

use gatepost_rest::render::{Zone, json_string};
use tokio_postgres::types::{Field, Type};

use super::{is_known, write_json};

/// Arrays have six dimensions at most.
const DIMENSIONS_MAX: usize = 6;

/// Reads big-endian numbers from the front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

/// A value inside another.
#[derive(Clone, Copy)]
pub(super) enum Member<'a> {
    Null,
    Bytes(&'a [u8]),
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        self.take(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.take(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.take(8)?.try_into().ok().map(i64::from_be_bytes)
    }

    /// A value with its length in front.
    pub(super) fn value(&mut self) -> Option<Member<'a>> {
        match self.i32()? {
            length if length < 0 => Some(Member::Null),
            length => self.take(usize::try_from(length).ok()?).map(Member::Bytes),
        }
    }
}

pub(super) fn write_array(element: &Type, bytes: &[u8], zone: &Zone, out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader(bytes);
    let dimensions = usize::try_from(reader.i32()?).ok().filter(|count| *count <= DIMENSIONS_MAX)?;
    // Whether there are NULLs, and the element's type, which is known.
    reader.take(8)?;
    let mut lengths = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        lengths.push(usize::try_from(reader.i32()?).ok()?);
        reader.take(4)?;
    }
    if lengths.is_empty() {
        out.extend_from_slice(b"[]");
        return Some(());
    }
    level(element, &lengths, &mut reader, zone, out)
}

fn level(
    element: &Type,
    lengths: &[usize],
    reader: &mut Reader<'_>,
    zone: &Zone,
    out: &mut Vec<u8>,
) -> Option<()> {
    let Some((length, inner)) = lengths.split_first() else {
        write_member(element, reader.value()?, zone, out);
        return Some(());
    };
    out.push(b'[');
    for number in 0..*length {
        if number > 0 {
            out.push(b',');
        }
        level(element, inner, reader, zone, out)?;
    }
    out.push(b']');
    Some(())
}

pub(super) fn write_composite(fields: &[Field], bytes: &[u8], zone: &Zone, out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader(bytes);
    let count = usize::try_from(reader.i32()?).ok()?;
    out.push(b'{');
    for (number, field) in fields.iter().take(count).enumerate() {
        if number > 0 {
            out.push(b',');
        }
        reader.take(4)?;
        json_string(out, field.name());
        out.push(b':');
        write_member(field.type_(), reader.value()?, zone, out);
    }
    out.push(b'}');
    Some(())
}

/// A record has no names: an array of its values. Types that are not built in stand for text.
pub(super) fn write_record(bytes: &[u8], zone: &Zone, out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader(bytes);
    let count = reader.i32()?;
    out.push(b'[');
    for number in 0..count {
        if number > 0 {
            out.push(b',');
        }
        let kind = Type::from_oid(reader.u32()?).filter(is_known).unwrap_or(Type::TEXT);
        write_member(&kind, reader.value()?, zone, out);
    }
    out.push(b']');
    Some(())
}

fn write_member(kind: &Type, member: Member<'_>, zone: &Zone, out: &mut Vec<u8>) {
    match member {
        Member::Bytes(bytes) => write_json(kind, bytes, zone, out),
        Member::Null => out.extend_from_slice(b"null"),
    }
}
