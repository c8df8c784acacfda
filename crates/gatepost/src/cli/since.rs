//! A time on the command line: `30m`, `24h`, `7d` ago, a day, or a time of RFC 3339.

use anyhow::{Context as _, bail};
use gatepost_store::logs::DAY_MS;

/// Reads a time (milliseconds since 1970).
pub(super) fn parse(text: &str, now_ms: i64) -> anyhow::Result<i64> {
    let unit = match text.as_bytes().last() {
        Some(b'm') => Some(60_000),
        Some(b'h') => Some(3_600_000),
        Some(b'd') => Some(DAY_MS),
        _ => None,
    };
    if let Some(unit) = unit {
        let amount: u32 = text[..text.len() - 1].parse().with_context(|| format!("the time `{text}`"))?;
        return Ok(now_ms - i64::from(amount) * unit);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    if let Ok(time) = format!("{text}T00:00:00Z").parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    bail!("`{text}` is no time; write 30m, 24h, 7d, 2026-11-24 or 2026-11-24T14:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn times_are_so_long_ago_or_as_written() {
        let now = 1_000 * 86_400_000;
        assert_eq!(parse("30m", now).unwrap(), now - 1_800_000);
        assert_eq!(parse("7d", now).unwrap(), now - 7 * 86_400_000);
        assert_eq!(parse("1970-01-02", now).unwrap(), 86_400_000);
        assert_eq!(parse("1970-01-01T00:00:01Z", now).unwrap(), 1_000);
        for bad in ["", "x", "d", "-1d", "5w", "99999999999d", "1970-13-01", "ü"] {
            assert!(parse(bad, now).is_err(), "{bad}");
        }
    }
}
