//! Dates and times in ISO 8601 and RFC 3339. PostgreSQL counts from 2000-01-01.

use std::io::Write as _;

use gatepost_rest::render::{Zone, json_string};

use super::{Reader, digits};

const DAY: i64 = 86_400_000_000;
/// Days from 0000-03-01 to 2000-01-01.
const EPOCH: i64 = 730_425;

/// The civil date of a day: year, month, day of the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Eras of 400 years, years that begin in March.
    let shifted = days + EPOCH;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn date(days: i64, out: &mut Vec<u8>) -> Option<()> {
    let (year, month, day) = civil(days);
    match year {
        0..=9_999 => {
            digits::four(year, out);
            for part in [month, day] {
                out.push(b'-');
                digits::two(part, out);
            }
            Some(())
        }
        // The expanded form of ISO 8601, for years before 1 BC and beyond 9999.
        _ => write!(out, "{}{:06}-{month:02}-{day:02}", if year < 0 { '-' } else { '+' }, year.abs()).ok(),
    }
}

/// `HH:MM:SS`, with a fraction where there is one. 24:00 stays.
fn clock(micros: i64, out: &mut Vec<u8>) -> Option<()> {
    let seconds = micros / 1_000_000;
    for (number, part) in [seconds / 3_600, seconds / 60 % 60, seconds % 60].into_iter().enumerate() {
        if number > 0 {
            out.push(b':');
        }
        digits::two(part, out);
    }
    fraction(micros % 1_000_000, out)
}

fn fraction(micros: i64, out: &mut Vec<u8>) -> Option<()> {
    if micros == 0 {
        return Some(());
    }
    write!(out, ".{micros:06}").ok()?;
    while out.last() == Some(&b'0') {
        out.pop();
    }
    Some(())
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
    out.push(b'"');
    write(out)?;
    out.push(b'"');
    Some(())
}

fn infinite(is_positive: bool, out: &mut Vec<u8>) {
    json_string(out, if is_positive { "infinity" } else { "-infinity" });
}

pub(super) fn write_date(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match Reader(bytes).i32()? {
        i32::MAX => infinite(true, out),
        i32::MIN => infinite(false, out),
        days => quoted(out, |out| date(days.into(), out))?,
    }
    Some(())
}

/// A timestamp of the schema's zone.
pub(super) fn write_timestamp(bytes: &[u8], zone: &Zone, out: &mut Vec<u8>) -> Option<()> {
    moment(bytes, out, |out, start| {
        if *zone == Zone::UTC {
            out.push(b'Z');
            return Some(());
        }
        let local = std::str::from_utf8(out.get(start..)?).ok()?;
        let offset = zone.offset_of(local);
        out.extend_from_slice(offset.as_bytes());
        Some(())
    })
}

/// A moment, written in UTC.
pub(super) fn write_instant(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    moment(bytes, out, |out, _| {
        out.push(b'Z');
        Some(())
    })
}

fn moment(
    bytes: &[u8],
    out: &mut Vec<u8>,
    offset: impl FnOnce(&mut Vec<u8>, usize) -> Option<()>,
) -> Option<()> {
    match Reader(bytes).i64()? {
        i64::MAX => infinite(true, out),
        i64::MIN => infinite(false, out),
        micros => quoted(out, |out| {
            let start = out.len();
            date(micros.div_euclid(DAY), out)?;
            out.push(b'T');
            clock(micros.rem_euclid(DAY), out)?;
            offset(out, start)
        })?,
    }
    Some(())
}

pub(super) fn write_time(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let micros = Reader(bytes).i64()?;
    quoted(out, |out| clock(micros, out))
}

pub(super) fn write_time_with_zone(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader(bytes);
    let micros = reader.i64()?;
    // Seconds west of Greenwich.
    let west = reader.i32()?;
    quoted(out, |out| {
        clock(micros, out)?;
        if west == 0 {
            out.push(b'Z');
            return Some(());
        }
        let minutes = west.abs() / 60;
        write!(out, "{}{:02}:{:02}", if west > 0 { '-' } else { '+' }, minutes / 60, minutes % 60).ok()
    })
}

/// `P1Y2M3DT4H5M6.5S`; each part has its own sign.
pub(super) fn write_interval(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader(bytes);
    let (micros, days, months) = (reader.i64()?, reader.i32()?, reader.i32()?);
    quoted(out, |out| {
        out.push(b'P');
        let start = out.len();
        for (number, unit) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
            if number != 0 {
                write!(out, "{number}{unit}").ok()?;
            }
        }
        if micros != 0 || out.len() == start {
            interval_time(micros, out)?;
        }
        Some(())
    })
}

fn interval_time(micros: i64, out: &mut Vec<u8>) -> Option<()> {
    out.push(b'T');
    let start = out.len();
    let sign = if micros < 0 { "-" } else { "" };
    let micros = i64::try_from(micros.unsigned_abs()).ok()?;
    let seconds = micros / 1_000_000;
    for (number, unit) in [(seconds / 3_600, 'H'), (seconds / 60 % 60, 'M')] {
        if number != 0 {
            write!(out, "{sign}{number}{unit}").ok()?;
        }
    }
    if seconds % 60 != 0 || micros % 1_000_000 != 0 || out.len() == start {
        write!(out, "{sign}{}", seconds % 60).ok()?;
        fraction(micros % 1_000_000, out)?;
        out.push(b'S');
    }
    Some(())
}
