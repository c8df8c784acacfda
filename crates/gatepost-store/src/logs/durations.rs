//! How durations are counted: in classes whose upper bounds are a quarter apart, so that a percentile of a million
//! requests is read from a few numbers and is at most 28 percent too high, never too low.

use std::collections::BTreeMap;

/// The bounds of a decade, times 100.
const DECADE: [i64; 10] = [100, 125, 160, 200, 250, 315, 400, 500, 630, 800];

/// From 10 µs to 100 s; what takes longer counts as 100 s.
const DECADES: i64 = 7;

const LAST: u8 = (DECADE.len() as i64 * DECADES) as u8;

/// Durations by class: how many were at most so long, and longer than the class below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations(BTreeMap<u8, u64>);

impl Durations {
    /// Counts one, in microseconds.
    pub fn add(&mut self, duration_us: i64) {
        *self.0.entry(class(duration_us)).or_default() += 1;
    }

    /// Counts those of another one, too.
    pub fn merge(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            *self.0.entry(*class).or_default() += count;
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The bound in microseconds under which this share of them lies, in percent; nothing of nothing.
    pub fn percentile_us(&self, percent: u64) -> Option<i64> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.0.iter().find_map(|(class, count)| {
            seen += count;
            (seen >= rank).then(|| bound_us(*class))
        })
    }

    /// `class:count` for each class, as the tables keep it.
    pub(super) fn write(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|(class, count)| format!("{class}:{count}")).collect();
        parts.join(" ")
    }

    /// Adds what [`Durations::write`] wrote. What it did not write is passed over.
    pub(super) fn merge_text(&mut self, text: &str) {
        for part in text.split_ascii_whitespace() {
            let Some((class, count)) = part.split_once(':') else { continue };
            let (Ok(class), Ok(count)) = (class.parse::<u8>(), count.parse::<u64>()) else { continue };
            *self.0.entry(class.min(LAST)).or_default() += count;
        }
    }
}

/// The upper bound of a class.
fn bound_us(class: u8) -> i64 {
    let (decade, place) = (u32::from(class) / 10, usize::from(class) % 10);
    DECADE[place] * 10_i64.pow(decade) / 10
}

/// The first class whose bound is not exceeded.
fn class(duration_us: i64) -> u8 {
    let (mut low, mut high) = (0, LAST);
    while low < high {
        let middle = u8::midpoint(low, high);
        if bound_us(middle) < duration_us {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_never_too_low_and_at_most_a_quarter_and_a_bit_too_high() {
        for exact in [11_i64, 17, 99, 126, 1_000, 1_001, 31_600, 999_999, 80_000_001] {
            let mut durations = Durations::default();
            durations.add(exact);
            let told = durations.percentile_us(95).unwrap();
            assert!(told >= exact && told * 100 <= exact * 128, "{exact} became {told}");
        }
        assert_eq!(Durations::default().percentile_us(50), None);
        let mut longest = Durations::default();
        longest.add(i64::MAX);
        assert_eq!(longest.percentile_us(50), Some(100_000_000));
    }

    #[test]
    fn the_middle_and_the_end_are_told_apart() {
        let mut durations = Durations::default();
        for number in 0..100 {
            durations.add(if number < 94 { 1_000 } else { 2_000_000 });
        }
        assert_eq!(durations.percentile_us(50), Some(1_000));
        assert_eq!(durations.percentile_us(95), Some(2_000_000));
    }

    #[test]
    fn what_is_written_is_read_again_and_adds_up() {
        let mut durations = Durations::default();
        for us in [5, 50, 500, 5_000, 5_000] {
            durations.add(us);
        }
        let mut twice = durations.clone();
        twice.merge_text(&durations.write());
        assert_eq!(twice.count(), 10);
        let mut merged = durations.clone();
        merged.merge(&durations);
        assert_eq!(merged, twice);
        merged.merge_text("nonsense 7 : 9:x");
        assert_eq!(merged, twice);
    }
}
