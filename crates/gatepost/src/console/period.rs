//! Ranges of time that a page shows: `range=24h` up to now, or `from` and `to` in seconds since 1970.

use gatepost_store::logs::{DAY_MS, QUARTER_MS};
use maud::{Markup, html};

use super::fields::Fields;
use super::ui;

const HOUR_MS: i64 = 3_600_000;

/// Name, text, length, and the width of a point in a chart.
const RANGES: [(&str, &str, i64, i64); 4] = [
    ("6h", "6 hours", 6 * HOUR_MS, QUARTER_MS),
    ("24h", "24 hours", DAY_MS, QUARTER_MS),
    ("7d", "7 days", 7 * DAY_MS, 2 * HOUR_MS),
    ("30d", "30 days", 30 * DAY_MS, 12 * HOUR_MS),
];

/// The range without a choice.
const USUAL: usize = 1;

/// The longest range between two given times.
const LENGTH_MAX: i64 = 366 * DAY_MS;

/// A range of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// The name of a range up to now; absent between two given times.
    pub(super) name: Option<&'static str>,
    pub(super) label: &'static str,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// The width of a point in a chart.
    pub(super) step_ms: i64,
}

impl Period {
    /// What a query asks for; the usual range if it asks for nothing that can be read.
    pub(super) fn read(fields: &Fields, now_ms: i64) -> Self {
        if let Some(between) = Self::between(fields) {
            return between;
        }
        let wanted = fields.text("range");
        let (name, label, length, step_ms) =
            *RANGES.iter().find(|range| range.0 == wanted).unwrap_or(&RANGES[USUAL]);
        Self { name: Some(name), label, from_ms: now_ms - length, to_ms: now_ms + 1, step_ms }
    }

    fn between(fields: &Fields) -> Option<Self> {
        let seconds = |name: &str| fields.get(name)?.parse::<i64>().ok()?.checked_mul(1_000);
        let (from_ms, to_ms) = (seconds("from")?, seconds("to")?);
        let length = to_ms.checked_sub(from_ms).filter(|length| (1..=LENGTH_MAX).contains(length))?;
        let step_ms = RANGES.iter().find(|range| length <= range.2).map_or(DAY_MS, |range| range.3);
        Some(Self { name: None, label: "this range", from_ms, to_ms, step_ms })
    }

    /// The fields that ask for this range again.
    pub(super) fn query(&self) -> String {
        match self.name {
            Some(name) => format!("range={name}"),
            None => format!("from={}&to={}", self.from_ms / 1_000, self.to_ms / 1_000),
        }
    }

    /// The choice of a range up to now, as a field of a form.
    pub(super) fn field(&self, id: &str) -> Markup {
        html! { div.field { label for=(id) { "Period" } (self.select(id)) } }
    }

    fn select(&self, id: &str) -> Markup {
        html! {
            select.in id=(id) name="range" {
                @if self.name.is_none() { option value="" selected { "Chosen range" } }
                @for (name, label, ..) in RANGES { option value=(name) selected[self.name == Some(name)] { (label) } }
            }
        }
    }

    /// A form that shows a page for another range.
    pub(super) fn form(&self, action: &str) -> Markup {
        html! {
            form.range action=(action) method="get" data-autosubmit {
                label.sr for="range" { "Period" }
                (self.select("range"))
                button.btn.sm.no-script type="submit" { "Show" }
            }
        }
    }

    /// When each point of a chart begins.
    pub(super) fn points(&self) -> Vec<i64> {
        let first = self.from_ms.div_euclid(self.step_ms);
        let last = (self.to_ms - 1).div_euclid(self.step_ms);
        (first..=last).map(|point| point * self.step_ms).collect()
    }

    /// The range in words, with its exact ends.
    pub(super) fn said(&self, now_ms: i64) -> Markup {
        html! {
            @if self.name.is_some() { "the last " (self.label) }
            @else { "from " (ui::ago(self.from_ms, now_ms)) " to " (ui::ago(self.to_ms, now_ms)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Period {
        Period::read(&Fields::parse(query.as_bytes()).unwrap(), 100 * DAY_MS)
    }

    #[test]
    fn what_cannot_be_read_is_the_usual_range() {
        let usual = read("");
        assert_eq!((usual.name, usual.from_ms), (Some("24h"), 99 * DAY_MS));
        for query in [
            "range=9y",
            "from=5",
            "from=9&to=3",
            "from=x&to=y",
            "from=0&to=99999999999",
            "from=-9223372036854775808&to=9223372036854775807",
        ] {
            assert_eq!(read(query), usual, "{query}");
        }
    }

    #[test]
    fn a_range_asks_for_itself_and_has_a_bounded_number_of_points() {
        let between = read("from=900&to=1800");
        assert_eq!((between.from_ms, between.to_ms, between.step_ms), (900_000, 1_800_000, QUARTER_MS));
        assert_eq!(between.points(), [900_000]);
        assert_eq!(read(&between.query()), between);
        for range in ["range=6h", "range=24h", "range=7d", "range=30d", "from=0&to=31536000"] {
            assert!((20..=370).contains(&read(range).points().len()), "{range}");
            assert_eq!(read(&read(range).query()), read(range));
        }
    }
}
