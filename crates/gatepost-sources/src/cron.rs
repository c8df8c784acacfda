//! When a synchronization with a `cron` schedule runs next. Five fields, as crontab(5) has them: minute, hour, day of the
//! month, month, day of the week.

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions, parse_crontab_with};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Steps to the next run: when clocks go back an hour, that many minutes have been already.
const STEPS_MAX: usize = 24 * 60;

/// A schedule, read.
#[derive(Clone, Debug)]
pub struct Cron(Crontab);

impl Cron {
    /// Reads five fields. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields = text.split_ascii_whitespace().count();
        if fields != 5 {
            // A sixth one would be a time zone; that is the schema's.
            return Err(format!("five fields are needed, {fields} are given"));
        }
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let cron = Self(parse_crontab_with(text, options).map_err(|error| error.to_string())?);
        // What the library finds within four years of 1970, 29 February among it, comes again.
        cron.next_local(0).map(|_| cron).ok_or_else(|| "no month has such a day".into())
    }

    /// The first time after `after_ms` (milliseconds since 1970) by the clocks of a zone. A time that a clock change
    /// skips is taken an hour later; one that comes twice, the first time only.
    pub fn next_after(&self, after_ms: i64, zone: &TimeZone) -> Option<i64> {
        let after = Timestamp::from_millisecond(after_ms).ok()?;
        // What the clocks show is counted as if they showed UTC, where no time is skipped or comes twice.
        let shown = zone.to_datetime(after).checked_sub(1.minute()).ok()?;
        let mut shown_ms = TimeZone::UTC.to_timestamp(shown).ok()?.as_millisecond();
        for _ in 0..STEPS_MAX {
            shown_ms = self.next_local(shown_ms)?;
            let shown = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(shown_ms).ok()?);
            let next_ms = zone.to_timestamp(shown).ok()?.as_millisecond();
            if next_ms > after_ms {
                return Some(next_ms);
            }
        }
        None
    }

    fn next_local(&self, after_ms: i64) -> Option<i64> {
        let next = self.0.find_next(MakeTimestamp::from_millisecond(after_ms).ok()?).ok()?;
        Some(next.timestamp().as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, after: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let after: Timestamp = after.parse().unwrap();
        let next = Cron::parse(cron).unwrap().next_after(after.as_millisecond(), &zone).unwrap();
        Timestamp::from_millisecond(next).unwrap().to_string()
    }

    #[test]
    fn broken_schedules_are_refused() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "*/60 * * * *",
            "a * * * *",
            "1, * * * *",
            "-1 * * * *",
            "+1 * * * *",
            "* * 30 2 *",
            "@daily",
            "0 0 * * * Europe/Berlin",
            "H 0 * * *",
        ] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn next_time_is_the_first_after() {
        let after = "2026-08-14T10:07:30Z";
        for (cron, expected) in [
            ("* * * * *", "2026-08-14T10:08:00Z"),
            ("*/15 * * * *", "2026-08-14T10:15:00Z"),
            ("0 */4 * * *", "2026-08-14T12:00:00Z"),
            ("30 2 * * *", "2026-08-15T02:30:00Z"),
            ("0 0 1 * *", "2026-09-01T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 8 * * mon-fri", "2026-08-17T08:00:00Z"),
            ("0 8 * * 7", "2026-08-16T08:00:00Z"),
            ("0 8 1 jan,jul *", "2027-01-01T08:00:00Z"),
            // Day 20 or a Sunday, whichever comes first.
            ("0 8 20 * sun", "2026-08-16T08:00:00Z"),
            ("5/20 11 * * *", "2026-08-14T11:05:00Z"),
            ("0 0 L * *", "2026-08-31T00:00:00Z"),
        ] {
            assert_eq!(next(cron, after, "UTC"), expected, "{cron}");
        }
        assert_eq!(next("15 10 * * *", "2026-08-14T10:15:00Z", "UTC"), "2026-08-15T10:15:00Z");
    }

    #[test]
    fn clock_changes_neither_lose_nor_repeat_a_run() {
        // Clocks go from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October.
        let berlin = "Europe/Berlin";
        assert_eq!(next("30 2 * * *", "2026-03-28T12:00:00Z", berlin), "2026-03-29T01:30:00Z");
        assert_eq!(next("30 2 * * *", "2026-03-29T01:30:00Z", berlin), "2026-03-30T00:30:00Z");
        assert_eq!(next("30 2 * * *", "2026-10-24T12:00:00Z", berlin), "2026-10-25T00:30:00Z");
        assert_eq!(next("30 2 * * *", "2026-10-25T00:30:00Z", berlin), "2026-10-26T01:30:00Z");
    }
}
