//! Charts and numbers of requests, for the pages that watch.

use std::collections::BTreeMap;

use gatepost_store::logs::ClientTotal;
use maud::{Markup, html};
use serde::Serialize;

use crate::console::period::Period;
use crate::console::ui;

/// Clients with a line of their own.
const LINES_MAX: usize = 3;

/// The colours of lines, first the clients'.
const INKS: [&str; LINES_MAX] = ["pine", "blue", "violet"];

/// A chart's data as `app.js` reads it.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    /// Seconds since 1970.
    times: Vec<i64>,
    series: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    label: String,
    ink: &'static str,
    values: Vec<u64>,
}

impl Chart {
    /// Requests by client, the busiest with a line each, and those answered with 401 and 403 as their own.
    pub(super) fn by_client(totals: &[ClientTotal], period: &Period) -> Self {
        let points = period.points();
        let mut busiest: BTreeMap<&str, u64> = BTreeMap::new();
        for one in totals {
            *busiest.entry(&one.client).or_default() += one.total.requests;
        }
        let mut busiest: Vec<(&str, u64)> =
            busiest.into_iter().filter(|(_, requests)| *requests > 0).collect();
        busiest.sort_by_key(|(name, requests)| (std::cmp::Reverse(*requests), *name));
        let (shown, rest) = busiest.split_at(busiest.len().min(LINES_MAX));
        let mut series: Vec<Line> = shown
            .iter()
            .zip(INKS)
            .map(|((client, _), ink)| {
                line(name_of(client), ink, &points, period, totals.iter().filter(|one| one.client == *client))
            })
            .collect();
        if !rest.is_empty() {
            let others = totals.iter().filter(|one| rest.iter().any(|(client, _)| one.client == *client));
            series.push(line("others", "ink-3", &points, period, others));
        }
        let denied = totals.iter().filter(|one| matches!(one.status, 401 | 403));
        series.push(line("denied", "amber", &points, period, denied));
        Self { times: points.into_iter().map(|ms| ms / 1_000).collect(), series }
    }

    /// Allowed, denied and failed requests of one client.
    pub(super) fn of_one(totals: &[&ClientTotal], period: &Period) -> Self {
        let points = period.points();
        let some = |fits: fn(u16) -> bool| totals.iter().copied().filter(move |one| fits(one.status));
        let series = vec![
            line("requests", "pine", &points, period, some(|_| true)),
            line("denied", "amber", &points, period, some(|status| matches!(status, 401 | 403))),
        ];
        Self { times: points.into_iter().map(|ms| ms / 1_000).collect(), series }
    }

    fn is_empty(&self) -> bool {
        self.series.iter().all(|line| line.values.iter().all(|value| *value == 0))
    }

    /// What the lines are.
    pub(super) fn legend(&self) -> Markup {
        html! { div.legend { @for line in &self.series { span { i.(format!("i-{}", line.ink)) {} (line.label) } } } }
    }

    /// The chart, and the same as a table.
    pub(super) fn draw(
        &self,
        id: &str,
        name: &str,
        period: &Period,
        link: Option<&str>,
        small: bool,
    ) -> Markup {
        if self.is_empty() {
            return ui::empty("No requests in this time. The next one will draw here.", &html! {});
        }
        let totals: Vec<String> = self
            .series
            .iter()
            .map(|line| format!("{} {}", line.label, ui::count(line.values.iter().sum())))
            .collect();
        let label = format!("{name}, {}: {}. The same as a table below.", period.label, totals.join(", "));
        let step = period.step_ms / 1_000;
        html! {
            div.chart.small[small] data-chart=(id) data-href=[link] data-step=(step) data-sync="time" role="img" aria-label=(label) {}
            (ui::json_island(id, self))
            details.as-table {
                summary { "Show as table" }
                (ui::scroll(&format!("{name} as a table"), &self.table()))
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            table.t.dense {
                thead { tr { th scope="col" { "From (UTC)" } @for line in &self.series { th.n scope="col" { (line.label) } } } }
                tbody {
                    @for (at, time) in self.times.iter().enumerate() {
                        @if self.series.iter().any(|line| line.values[at] > 0) {
                            tr {
                                th scope="row" { (minute(time * 1_000)) }
                                @for line in &self.series { td.n { (ui::count(line.values[at])) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn line<'a>(
    label: &str,
    ink: &'static str,
    points: &[i64],
    period: &Period,
    totals: impl Iterator<Item = &'a ClientTotal>,
) -> Line {
    let mut values = vec![0; points.len()];
    let first = points.first().copied().unwrap_or(0);
    for one in totals {
        let at = (one.begins_ms - first).div_euclid(period.step_ms);
        if let Some(value) = usize::try_from(at).ok().and_then(|at| values.get_mut(at)) {
            *value += one.total.requests;
        }
    }
    Line { label: label.to_owned(), ink, values }
}

/// A client as pages name it.
pub(super) fn name_of(client: &str) -> &str {
    if client.is_empty() { "nobody" } else { client }
}

/// `2026-11-24 14:15`.
pub(super) fn minute(ms: i64) -> String {
    let text = jiff::Timestamp::from_millisecond(ms).map(|time| time.to_string()).unwrap_or_default();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

/// A duration in milliseconds, with as many digits as help.
pub(super) fn milliseconds(us: i64) -> String {
    if us >= 100_000 { ui::count((us / 1_000) as u64) } else { format!("{:.1}", us as f64 / 1_000.0) }
}

/// One of the large numbers of a page.
pub(super) fn stat(what: &str, value: &str, unit: &str, more: &str) -> Markup {
    html! {
        div.card.stat {
            div.k { (what) }
            div.v { (value) @if !unit.is_empty() { small { " " (unit) } } }
            div.d { (more) }
        }
    }
}

#[cfg(test)]
mod tests {
    use gatepost_store::logs::{QUARTER_MS, Total};

    use super::*;
    use crate::console::fields::Fields;

    fn total(quarter: i64, client: &str, status: u16, requests: u64) -> ClientTotal {
        ClientTotal {
            begins_ms: quarter * QUARTER_MS,
            schema: "hr".into(),
            client: client.into(),
            status,
            total: Total { requests, ..Total::default() },
        }
    }

    #[test]
    fn the_busiest_clients_have_a_line_and_the_rest_one_together() {
        let totals: Vec<ClientTotal> = [("a", 9), ("b", 8), ("", 7), ("c", 2), ("d", 1)]
            .into_iter()
            .map(|(client, requests)| total(1, client, if client == "b" { 403 } else { 200 }, requests))
            .collect();
        let period = Period::read(&Fields::parse(b"from=0&to=2700").unwrap(), 0);
        let chart = Chart::by_client(&totals, &period);
        let lines: Vec<(&str, &[u64])> =
            chart.series.iter().map(|line| (line.label.as_str(), line.values.as_slice())).collect();
        let expected: [(&str, &[u64]); 5] = [
            ("a", &[0, 9, 0]),
            ("b", &[0, 8, 0]),
            ("nobody", &[0, 7, 0]),
            ("others", &[0, 3, 0]),
            ("denied", &[0, 8, 0]),
        ];
        assert_eq!(lines, expected);
        assert_eq!(chart.times, [0, 900, 1_800]);
    }

    #[test]
    fn durations_have_the_digits_that_help() {
        assert_eq!([90, 3_140, 99_999, 1_250_000].map(milliseconds), ["0.1", "3.1", "100.0", "1,250"]);
    }
}
