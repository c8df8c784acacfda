//! Numbers as decimal text.

use std::cmp::Ordering;

/// A number with its exponent written out has at most this many digits.
const DIGITS_MAX: usize = 400;

/// A number in its plain form: no plus, no leading zeros, no exponent; zeros at the end of a fraction stay. None if the
/// text is no number or is too long.
pub fn decimal(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let shift = usize::try_from(exponent.unsigned_abs()).ok()?;
    if whole.len() + fraction.len() + shift > DIGITS_MAX {
        return None;
    }
    let (whole, fraction) = shifted(whole, fraction, exponent.is_negative(), shift);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let is_zero = whole == "0" && fraction.bytes().all(|byte| byte == b'0');
    let sign = if negative && !is_zero { "-" } else { "" };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// A whole number in its plain form. A fraction of zeros goes.
pub fn integer(text: &str) -> Option<String> {
    let number = decimal(text)?;
    match number.split_once('.') {
        None => Some(number),
        Some((whole, fraction)) => fraction.bytes().all(|byte| byte == b'0').then(|| whole.to_owned()),
    }
}

/// Compares two numbers in plain form by their values.
pub fn compare_decimals(one: &str, other: &str) -> Ordering {
    match (one.strip_prefix('-'), other.strip_prefix('-')) {
        (None, None) => compare_unsigned(one, other),
        (Some(one), Some(other)) => compare_unsigned(other, one),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

fn compare_unsigned(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        (whole.len(), whole.to_owned(), fraction.trim_end_matches('0').to_owned())
    };
    // Without leading zeros the longer one is the greater.
    parts(one).cmp(&parts(other))
}

/// Moves the point: to the left for a negative exponent.
fn shifted(whole: &str, fraction: &str, left: bool, shift: usize) -> (String, String) {
    if left {
        let digits = format!("{}{whole}", "0".repeat(shift));
        let (whole, moved) = digits.split_at(digits.len() - shift);
        let whole = if whole.is_empty() { "0" } else { whole };
        return (whole.to_owned(), format!("{moved}{fraction}"));
    }
    let missing = shift.saturating_sub(fraction.len());
    let digits = format!("{fraction}{}", "0".repeat(missing));
    let (moved, fraction) = digits.split_at(shift);
    (format!("{whole}{moved}"), fraction.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", "-", "+", ".", "1.", ".5", "1.5.5", "1e", "e5", "1e5.5", "0x10", "1_000", " 1", "1 ", "NaN",
            "inf", "--1", "1e401", "\u{661}",
        ] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(integer("1.5"), None);
        assert_eq!(integer("1e-1"), None);
    }

    #[test]
    fn digits_are_kept() {
        for (text, plain) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("007", "7"),
            ("+5", "5"),
            ("1.50", "1.50"),
            ("12345678901234567890.123456789", "12345678901234567890.123456789"),
            ("1e3", "1000"),
            ("1.5E+3", "1500"),
            ("1.2345e2", "123.45"),
            ("15e-1", "1.5"),
            ("1e-3", "0.001"),
            ("-1.5e-2", "-0.015"),
        ] {
            assert_eq!(decimal(text).as_deref(), Some(plain), "{text}");
        }
        assert_eq!(integer("1.0").as_deref(), Some("1"));
        assert_eq!(integer("9007199254740993").as_deref(), Some("9007199254740993"));
        assert_eq!(integer("1e3").as_deref(), Some("1000"));
    }

    proptest! {
        #[test]
        fn plain_form_is_a_fixed_point(text in "[+-]?[0-9]{1,20}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?") {
            let plain = decimal(&text).unwrap();
            prop_assert_eq!(decimal(&plain), Some(plain.clone()));
            let value: f64 = text.parse().unwrap();
            let again: f64 = plain.parse().unwrap();
            prop_assert!((value - again).abs() == 0.0);
        }

        #[test]
        fn order_is_that_of_the_numbers(one in -10_000_i64..10_000, other in -10_000_i64..10_000, places in 0_usize..4) {
            let text = |number: i64| decimal(&format!("{number}e-{places}")).unwrap();
            prop_assert_eq!(compare_decimals(&text(one), &text(other)), one.cmp(&other));
        }
    }
}
