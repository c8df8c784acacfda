//! Digits, without the machinery of formatting: pages are full of them.

/// Writes a whole number.
pub(super) fn integer(number: i64, out: &mut Vec<u8>) -> Option<()> {
    serde_json::to_writer(out, &number).ok()
}

/// Writes the last two digits.
pub(super) fn two(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[digit(number / 10), digit(number)]);
}

/// Writes the last four digits.
pub(super) fn four(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[digit(number / 1_000), digit(number / 100), digit(number / 10), digit(number)]);
}

fn digit(number: i64) -> u8 {
    b'0' + (number % 10) as u8
}
