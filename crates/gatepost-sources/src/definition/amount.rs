//! Durations and sizes as people write them: `"500ms"`, `"5s"`, `"10m"`, `"1h"`, `"1d"`; `"64KiB"`, `"32MiB"`, `"1GiB"`.

const DURATIONS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a duration: a whole number and a unit (ms, s, m, h, d). Gives milliseconds.
pub fn parse_duration(text: &str) -> Option<u64> {
    parse(text, &DURATIONS)
}

/// Writes a duration with the largest unit that leaves no rest.
pub fn write_duration(milliseconds: u64) -> String {
    // Zero divides by every unit.
    if milliseconds == 0 { "0s".into() } else { write(milliseconds, &DURATIONS) }
}

/// Reads a size: a whole number and a unit (B, KiB, MiB, GiB). Gives bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZES)
}

/// Writes a size with the largest unit that leaves no rest.
pub fn write_size(bytes: u64) -> String {
    if bytes == 0 { "0B".into() } else { write(bytes, &SIZES) }
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn write(number: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().find(|(_, factor)| number.is_multiple_of(*factor));
    fitting.map_or_else(|| number.to_string(), |(name, factor)| format!("{}{name}", number / factor))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_need_a_whole_number_and_a_known_unit() {
        for text in
            ["", "5", "s", "5 s", "-5s", "1.5s", "5S", "5sec", "99999999999999999999s", "999999999999999999h"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        for text in ["", "5", "MiB", "5MB", "5mib", "1.5MiB", "99999999999999GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(parse_duration("500ms"), Some(500));
        assert_eq!(parse_duration("10m"), Some(600_000));
        assert_eq!(parse_duration("0s"), Some(0));
        assert_eq!(parse_size("32MiB"), Some(32 << 20));
        assert_eq!(write_duration(5_400_000), "90m");
        assert_eq!(write_duration(0), "0s");
        assert_eq!(write_size(0), "0B");
        assert_eq!(write_size(1536), "1536B");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(number: u64) {
            prop_assert_eq!(parse_duration(&write_duration(number)), Some(number));
            prop_assert_eq!(parse_size(&write_size(number)), Some(number));
        }
    }
}
