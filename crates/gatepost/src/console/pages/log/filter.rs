//! The filter of the access log, as the query writes it.

use std::fmt::Write as _;

use gatepost_store::logs::{AccessFilter, StatusFilter};

use crate::console::fields::Fields;
use crate::console::period::Period;
use crate::console::signed_in::SignedIn;
use crate::console::ui;

/// How `client=` names callers without a token.
pub(in crate::console) const NOBODY: &str = "-";

/// The statuses that can be chosen.
pub(super) const STATUSES: [(&str, &str); 8] = [
    ("", "All"),
    ("2xx", "2xx answered"),
    ("denied", "401 and 403 denied"),
    ("401", "401 no or bad token"),
    ("403", "403 not allowed"),
    ("404", "404 not found"),
    ("4xx", "4xx refused"),
    ("5xx", "5xx failed"),
];

/// Names of the fields with what they are, for chips.
const FIELDS: [(&str, &str); 7] = [
    ("schema", "schema"),
    ("client", "client"),
    ("route", "route"),
    ("status", "status"),
    ("text", "path holds"),
    ("min_ms", "at least ms"),
    ("reference", "reference"),
];

/// What is asked for, in both forms.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) period: Period,
    pub(super) filter: AccessFilter,
    /// The fields that say something, as they were sent.
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Asked {
    pub(super) fn read(signed_in: &SignedIn, fields: &Fields, now_ms: i64) -> Self {
        let period = Period::read(fields, now_ms);
        let get = |name: &str| fields.get(name).map(str::to_owned);
        let named: Vec<(&'static str, String)> =
            FIELDS.into_iter().filter_map(|(name, _)| Some((name, get(name)?))).collect();
        let client = get("client").map(|client| if client == NOBODY { String::new() } else { client });
        let filter = AccessFilter {
            from_ms: Some(period.from_ms),
            to_ms: Some(period.to_ms),
            schemas: scope(signed_in, fields.get("schema")),
            client,
            route: get("route"),
            status: fields.get("status").and_then(StatusFilter::parse),
            text: get("text"),
            min_duration_us: fields
                .get("min_ms")
                .and_then(|ms| ms.parse::<f64>().ok())
                .map(|ms| (ms * 1_000.0) as i64),
            request_id: get("reference"),
        };
        Self { period, filter, fields: named }
    }

    pub(super) fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }

    /// The query that asks for the same, without one of the fields.
    pub(super) fn query_without(&self, left_out: &str) -> String {
        let mut query = self.period.query();
        for (name, value) in self.fields.iter().filter(|(name, _)| *name != left_out) {
            // Writing to a String cannot fail.
            let _ = write!(query, "&{name}={}", ui::encode(value));
        }
        query
    }

    /// The query that asks for the same, whenever.
    pub(super) fn query_without_time(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}={}", ui::encode(value)));
        fields.collect::<Vec<_>>().join("&")
    }

    /// What is filtered by, in words, each with the query without it.
    pub(super) fn chips(&self) -> Vec<(String, String)> {
        let chip = |(name, value): &(&'static str, String)| {
            let label = FIELDS.iter().find(|(field, _)| field == name).map_or("", |(_, label)| label);
            let value = if *name == "client" && value == NOBODY { "nobody" } else { value };
            (format!("{label} {value}"), self.query_without(name))
        };
        self.fields.iter().map(chip).collect()
    }
}

/// The schemas whose requests count: all of them for who sees all, and then those below none, too.
pub(in crate::console) fn scope(signed_in: &SignedIn, wanted: Option<&str>) -> Option<Vec<String>> {
    let snapshot = signed_in.console.app().snapshot();
    let seen = signed_in.schemas(&snapshot);
    if let Some(wanted) = wanted {
        let found = seen.iter().find(|schema| schema.name == wanted);
        return Some(found.map(|schema| schema.name.clone()).into_iter().collect());
    }
    let all = seen.len() == snapshot.catalog.schemas.len();
    (!all).then(|| seen.iter().map(|schema| schema.name.clone()).collect())
}
