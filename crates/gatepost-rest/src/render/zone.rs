//! The time zone of timestamps that carry none.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A schema's time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone with this name in the time zone database (`Europe/Vienna`).
    pub fn parse(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// Its name in the time zone database.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The offset that a local time (`2024-05-01T09:30:00`) has in this zone, as RFC 3339 writes it. A time that
    /// falls into the hour that is left out or comes twice takes the offset before the change.
    pub fn offset_of(&self, local: &str) -> Cow<'static, str> {
        if self.0 == TimeZone::UTC {
            return Cow::Borrowed("Z");
        }
        let zoned = local.parse::<DateTime>().and_then(|local| local.to_zoned_datetime(self.0.clone()));
        let Ok(zoned) = zoned else { return Cow::Borrowed("Z") };
        let seconds = zoned.offset().seconds();
        if seconds == 0 {
            return Cow::Borrowed("Z");
        }
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
        Cow::Owned(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

#[cfg(test)]
mod tests {
    use super::Zone;

    #[test]
    fn a_local_time_gets_the_offset_of_its_season() {
        let vienna = Zone::parse("Europe/Vienna").unwrap();
        assert_eq!(vienna.offset_of("2024-07-01T09:30:00"), "+02:00");
        assert_eq!(vienna.offset_of("2024-01-01T09:30:00.25"), "+01:00");
        assert_eq!(Zone::parse("America/New_York").unwrap().offset_of("2024-01-01T09:30:00"), "-05:00");
        assert_eq!(Zone::UTC.offset_of("2024-01-01T09:30:00"), "Z");
        assert!(Zone::parse("Mars/Base").is_none());
    }
}
