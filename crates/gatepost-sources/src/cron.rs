//! When a synchronization with a `cron` schedule runs next. Five fields: minute, hour, day of the month, month, day of
//! the week (0 or 7 is Sunday). `*`, lists, ranges, steps, and English three-letter names of months and days.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Within this many days a schedule that can run at all does so: 29 February can be eight years away.
const DAYS_MAX: usize = 8 * 366 + 1;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A schedule, read. Each field is a set of numbers, a bit for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both kinds of days are restricted: either suffices, as in every cron.
    either_day: bool,
}

impl Cron {
    /// Reads five fields. The error says which one is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!("five fields are needed, {} are given", fields.len()));
        };
        let weekdays = field("day of the week", weekday, 0, 7, &WEEKDAYS)?;
        let cron = Self {
            minutes: field("minute", minute, 0, 59, &[])?,
            hours: field("hour", hour, 0, 23, &[])?,
            days: field("day", day, 1, 31, &[])?,
            months: field("month", month, 1, 12, &MONTHS)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        let leap_year = Date::constant(2024, 1, 1);
        let possible = leap_year
            .series(jiff::Span::new().days(1))
            .take(366)
            .any(|date| has(cron.months, date.month()) && (has(cron.days, date.day()) || cron.either_day));
        if possible { Ok(cron) } else { Err("no month has such a day".into()) }
    }

    /// The first time after `after_ms` (milliseconds since 1970) by the clocks of a zone. A time that a clock change
    /// skips is taken an hour later; one that comes twice, the first time only.
    pub fn next_after(&self, after_ms: i64, zone: &TimeZone) -> Option<i64> {
        let after = Timestamp::from_millisecond(after_ms).ok()?;
        let local = zone.to_datetime(after);
        let days = local.date().series(jiff::Span::new().days(1)).take(DAYS_MAX);
        days.filter(|date| self.runs_on(*date))
            .flat_map(|date| self.times_of(date))
            .skip_while(|time| *time < local)
            .filter_map(|time| Some(zone.to_timestamp(time).ok()?.as_millisecond()))
            .find(|time_ms| *time_ms > after_ms)
    }

    fn runs_on(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let both = if self.either_day { day || weekday } else { day && weekday };
        has(self.months, date.month()) && both
    }

    fn times_of(&self, date: Date) -> impl Iterator<Item = DateTime> {
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        hours.flat_map(move |hour| {
            let minutes = (0..60).filter(|minute| has(self.minutes, *minute));
            minutes.map(move |minute| date.at(hour, minute, 0, 0))
        })
    }
}

fn has(set: u64, number: i8) -> bool {
    set >> number & 1 == 1
}

/// One field: parts joined by commas.
fn field(name: &str, text: &str, low: u8, high: u8, words: &[&str]) -> Result<u64, String> {
    let mut set = 0;
    for part in text.split(',') {
        set |= part_of(part, low, high, words)
            .ok_or_else(|| format!("`{text}` is not a {name} from {low} to {high}"))?;
    }
    Ok(set)
}

/// `*`, `a`, `a-b`, each with `/step`.
fn part_of(text: &str, low: u8, high: u8, words: &[&str]) -> Option<u64> {
    let number = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let place = words.iter().position(|word| *word == lower);
        // Months count from 1, days of the week from 0: as their fields do.
        let number = place.map_or_else(|| digits(text), |at| u8::try_from(at).ok()?.checked_add(low))?;
        (low..=high).contains(&number).then_some(number)
    };
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(digits(step).filter(|step| (1..=59).contains(step))?)),
        None => (text, None),
    };
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (low, high),
        Some((first, last)) => (number(first)?, number(last)?),
        // `a/step` goes on to the end.
        None => (number(range)?, if step.is_some() { high } else { number(range)? }),
    };
    if first > last {
        return None;
    }
    Some((first..=last).step_by(step.unwrap_or(1).into()).fold(0, |set, number| set | 1 << number))
}

fn digits(text: &str) -> Option<u8> {
    let plain = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
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
            "0 0 L * *",
            "001 * * * *",
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
