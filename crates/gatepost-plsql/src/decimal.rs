//! Exact decimal numbers of up to 38 digits: what definition scripts calculate with.

use std::cmp::Ordering;
use std::fmt;

/// The most digits after the point.
const SCALE_MAX: u32 = 38;

/// A number: `mantissa` divided by ten to the power of `scale`; no superfluous zeros at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    mantissa: i128,
    scale: u32,
}

impl Decimal {
    /// Brings a number to its one form.
    fn new(mut mantissa: i128, mut scale: u32) -> Self {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }

    /// Reads `12`, `-1.50`, `.5` or `1e3`. None when it is no number or has too many digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (text, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() && !digits.contains(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let mut mantissa: i128 = 0;
        for digit in whole.chars().chain(fraction.chars()) {
            mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(digit.to_digit(10)?))?;
        }
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let mantissa = if negative { -mantissa } else { mantissa };
        Self::scaled(mantissa, scale)
    }

    /// A number from a scale that may be negative or too long.
    fn scaled(mut mantissa: i128, mut scale: i32) -> Option<Self> {
        if mantissa == 0 {
            return Some(Self { mantissa: 0, scale: 0 });
        }
        while scale < 0 {
            mantissa = mantissa.checked_mul(10)?;
            scale += 1;
        }
        while scale > SCALE_MAX as i32 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        let scale = u32::try_from(scale).ok().filter(|scale| *scale <= SCALE_MAX)?;
        Some(Self::new(mantissa, scale))
    }

    pub(crate) fn negate(self) -> Self {
        Self { mantissa: -self.mantissa, ..self }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let sum = self.mantissa_at(scale)?.checked_add(other.mantissa_at(scale)?)?;
        Some(Self::new(sum, scale))
    }

    pub(crate) fn checked_multiply(self, other: Self) -> Option<Self> {
        let product = self.mantissa.checked_mul(other.mantissa)?;
        Self::scaled(product, (self.scale + other.scale) as i32)
    }

    /// The quotient, cut after as many digits as fit. None for a division by zero.
    pub(crate) fn checked_divide(self, other: Self) -> Option<Self> {
        let mut mantissa = self.mantissa;
        let mut scale = self.scale as i32 - other.scale as i32;
        while scale < SCALE_MAX as i32 {
            let Some(longer) = mantissa.checked_mul(10) else { break };
            mantissa = longer;
            scale += 1;
        }
        Self::scaled(mantissa.checked_div(other.mantissa)?, scale)
    }

    /// The nearest whole number; halves go away from zero.
    pub(crate) fn round(self) -> Self {
        if self.scale == 0 {
            return self;
        }
        let unit = power_of_ten(self.scale).unwrap_or(i128::MAX);
        let rest = (self.mantissa % unit).abs();
        let away = i128::from(rest >= unit / 2) * self.mantissa.signum();
        Self { mantissa: self.mantissa / unit + away, scale: 0 }
    }

    /// The number as an index, if it is whole and small enough.
    pub(crate) fn to_i64(self) -> Option<i64> {
        if self.scale == 0 { i64::try_from(self.mantissa).ok() } else { None }
    }

    fn mantissa_at(self, scale: u32) -> Option<i128> {
        self.mantissa.checked_mul(power_of_ten(scale - self.scale)?)
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self { mantissa: i128::from(number), scale: 0 }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // Whole part first, then fractions at full scale: both fit where the whole number may not.
        let parts = |number: &Self| {
            let unit = power_of_ten(number.scale).unwrap_or(i128::MAX);
            let fraction = power_of_ten(SCALE_MAX - number.scale).unwrap_or(1);
            (number.mantissa / unit, (number.mantissa % unit) * fraction)
        };
        parts(self).cmp(&parts(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        let scale = self.scale as usize;
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_have_one_form() {
        for (text, form) in [
            ("007", "7"),
            ("1.50", "1.5"),
            (".5", "0.5"),
            ("-0", "0"),
            ("1e3", "1000"),
            ("1.5E-3", "0.0015"),
            ("+2", "2"),
            ("5.", "5"),
            ("0e999", "0"),
        ] {
            assert_eq!(decimal(text).to_string(), form, "{text}");
        }
        for text in ["", ".", "abc", "1e", "1e99999", "--1", "1-", "1e-99", "9".repeat(40).as_str()] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(decimal("0.1").checked_add(decimal("0.2")).unwrap().to_string(), "0.3");
        assert_eq!(decimal("1.5").checked_multiply(decimal("-4")).unwrap().to_string(), "-6");
        assert_eq!(decimal("6").checked_divide(decimal("4")).unwrap().to_string(), "1.5");
        assert_eq!(decimal("1").checked_divide(decimal("0")), None);
        assert!(decimal("1").checked_divide(decimal("3")).unwrap().to_string().starts_with("0.333333"));
        assert_eq!(decimal("2.5").round().to_string(), "3");
        assert_eq!(decimal("-2.4").round().to_string(), "-2");
    }

    #[test]
    fn comparison_never_overflows() {
        let large = decimal(&"9".repeat(38));
        let small = decimal("0.00000000000000000000000000000000000001");
        assert!(large > small && small > decimal("-1") && small.negate() < small);
        assert_eq!(large.checked_multiply(large), None);
    }
}
