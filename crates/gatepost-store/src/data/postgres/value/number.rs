//! Numbers, with the exact digits that are stored.

use super::{Reader, digits};

const MINUS: u16 = 0x4000;
const PLUS: u16 = 0;

pub(super) fn integer(bytes: &[u8], unsigned: bool) -> Option<i64> {
    match *bytes {
        [a, b] => Some(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] if unsigned => Some(u32::from_be_bytes([a, b, c, d]).into()),
        [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
        _ => bytes.try_into().ok().map(i64::from_be_bytes),
    }
}

pub(super) fn double(bytes: &[u8]) -> Option<f64> {
    bytes.try_into().ok().map(f64::from_be_bytes)
}

pub(super) fn write_integer(bytes: &[u8], unsigned: bool, out: &mut Vec<u8>) -> Option<()> {
    digits::integer(integer(bytes, unsigned)?, out)
}

/// Shortest digits that read back as the same number; what is no number is null.
pub(super) fn write_double(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let number = double(bytes).filter(|number| number.is_finite())?;
    serde_json::to_writer(out, &number).ok()
}

pub(super) fn write_float(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let number = bytes.try_into().ok().map(f32::from_be_bytes).filter(|number| number.is_finite())?;
    serde_json::to_writer(out, &number).ok()
}

/// Base-10000 digits with a weight, a sign and a display scale. What is no number is null.
pub(super) fn write_numeric(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader(bytes);
    let count = usize::from(reader.u16()?);
    let weight = i32::from(reader.i16()?);
    let sign = reader.u16()?;
    let scale = usize::from(reader.u16()?);
    if sign != PLUS && sign != MINUS {
        return None;
    }
    let words = reader.0;
    let digit = |index: i32| -> u16 {
        let at = usize::try_from(index).ok().filter(|at| *at < count).map(|at| at * 2);
        at.and_then(|at| words.get(at..at + 2)).map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]))
    };
    if sign == MINUS {
        out.push(b'-');
    }
    digits::integer(if weight < 0 { 0 } else { digit(0).into() }, out)?;
    for index in 1..=weight.max(0) {
        digits::four(digit(index).into(), out);
    }
    if scale == 0 {
        return Some(());
    }
    out.push(b'.');
    let end = out.len() + scale;
    let mut index = weight + 1;
    while out.len() < end {
        digits::four(if index < 0 { 0 } else { digit(index).into() }, out);
        index += 1;
    }
    out.truncate(end);
    Some(())
}
