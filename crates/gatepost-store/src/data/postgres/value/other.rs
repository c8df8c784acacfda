//! UUIDs, network addresses and ranges.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatepost_rest::render::{Zone, json_string};
use tokio_postgres::types::Type;

use super::nested::Member;
use super::{Reader, write_json};

const EMPTY: u8 = 0x01;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

pub(super) fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if bytes.len() != 16 {
        return None;
    }
    out.push(b'"');
    for (number, byte) in bytes.iter().enumerate() {
        if matches!(number, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write!(out, "{byte:02x}").ok()?;
    }
    out.push(b'"');
    Some(())
}

pub(super) fn write_network(bytes: &[u8], always_masked: bool, out: &mut Vec<u8>) -> Option<()> {
    let [_, bits, _, _, address @ ..] = bytes else { return None };
    let (address, most) = match address.len() {
        4 => (IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?)), 32),
        _ => (IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)), 128),
    };
    if *bits == most && !always_masked {
        write!(out, "\"{address}\"").ok()
    } else {
        write!(out, "\"{address}/{bits}\"").ok()
    }
}

pub(super) fn write_mac(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.push(b'"');
    for (number, byte) in bytes.iter().enumerate() {
        if number > 0 {
            out.push(b':');
        }
        write!(out, "{byte:02x}").ok()?;
    }
    out.push(b'"');
    Some(())
}

/// Whether the bounds of a range of this type are written as they stand in its literal.
pub(super) fn range_prints(element: &Type) -> bool {
    matches!(*element, Type::INT4 | Type::INT8 | Type::NUMERIC | Type::DATE)
}

/// `[1,5)`, as PostgreSQL prints it.
pub(super) fn write_range(element: &Type, bytes: &[u8], zone: &Zone, out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader(bytes);
    let flags = *reader.take(1)?.first()?;
    if flags & EMPTY != 0 {
        json_string(out, "empty");
        return Some(());
    }
    let mut text = vec![if flags & LOWER_INCLUSIVE == 0 { b'(' } else { b'[' }];
    if flags & LOWER_INFINITE == 0 {
        bound(element, reader.value()?, zone, &mut text);
    }
    text.push(b',');
    if flags & UPPER_INFINITE == 0 {
        bound(element, reader.value()?, zone, &mut text);
    }
    text.push(if flags & UPPER_INCLUSIVE == 0 { b')' } else { b']' });
    json_string(out, std::str::from_utf8(&text).ok()?);
    Some(())
}

fn bound(element: &Type, member: Member<'_>, zone: &Zone, text: &mut Vec<u8>) {
    let Member::Bytes(bytes) = member else { return };
    let start = text.len();
    write_json(element, bytes, zone, text);
    if text.get(start) == Some(&b'"') {
        text.remove(start);
        text.pop();
    }
}
