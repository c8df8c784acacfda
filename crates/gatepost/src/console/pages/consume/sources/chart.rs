//! Rows over time: the first column that is a time, against one that is a number.

use gatepost_sources::definition::ColumnType;
use maud::{Markup, html};
use serde_json::json;

use crate::app::sources::SourceRows;
use crate::console::fields::Fields;
use crate::console::ui;

/// A chart of the rows that are shown, if they have a time and a number.
pub(super) fn chart(rows: &SourceRows, fields: &Fields) -> Markup {
    let is_time =
        |kind: ColumnType| matches!(kind, ColumnType::Date | ColumnType::Timestamp | ColumnType::Timestamptz);
    let is_number = |kind: ColumnType| matches!(kind, ColumnType::Integer | ColumnType::Decimal);
    let numbers: Vec<&str> =
        rows.columns.iter().filter(|(_, kind)| is_number(*kind)).map(|(name, _)| name.as_str()).collect();
    let time = rows.columns.iter().position(|(_, kind)| is_time(*kind));
    // An amount says more than a number that names something.
    let amount = rows.columns.iter().find(|(_, kind)| *kind == ColumnType::Decimal);
    let usual = amount.map(|(name, _)| name.as_str()).or(numbers.last().copied());
    let chosen = numbers.iter().copied().find(|name| *name == fields.text("chart")).or(usual);
    let number = chosen.and_then(|chosen| rows.columns.iter().position(|(name, _)| name == chosen));
    let (Some(time), Some(number)) = (time, number) else { return html! {} };
    let point = |row: &Vec<gatepost_sources::datum::Datum>| {
        Some((seconds(row[time].plain()?)?, row[number].plain()?.parse::<f64>().ok()?))
    };
    let mut points: Vec<(i64, f64)> = rows.rows.iter().filter_map(point).collect();
    points.sort_by_key(|(at, _)| *at);
    if points.len() < 2 {
        return html! {};
    }
    let (times, values): (Vec<i64>, Vec<f64>) = points.into_iter().unzip();
    let label = &rows.columns[number].0;
    let data = json!({ "times": times, "series": [{ "label": label, "ink": "pine", "values": values }] });
    html! {
        section.card aria-labelledby="charted" {
            header { h2 #charted { (label) " by " (rows.columns[time].0) } div.r { span.dim { "the rows above" } } }
            (ui::json_island("chart-data", &data))
            div.chart data-chart="chart-data" role="img" aria-label={ (label) " of the rows above, by time" } {}
            @if numbers.len() > 1 {
                form.form method="get" {
                    @for (name, value) in fields.iter().filter(|(name, _)| *name != "chart") { input type="hidden" name=(name) value=(value); }
                    div.actions {
                        (ui::select("chart", "Show", label, numbers.iter().map(|name| (*name, *name))))
                        button.btn.sm type="submit" { "Draw" }
                    }
                }
            }
        }
    }
}

/// A time or a date as seconds since 1970; without a zone it is read as UTC.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_second());
    }
    let at: jiff::civil::DateTime = text.parse().ok()?;
    Some(jiff::tz::TimeZone::UTC.to_timestamp(at).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn dates_and_times_are_read_with_and_without_a_zone() {
        assert_eq!(seconds("1970-01-02"), Some(86_400));
        assert_eq!(seconds("1970-01-01T01:00:00"), Some(3_600));
        assert_eq!(seconds("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(seconds("soon"), None);
    }
}
