//! The requests of a filter as a file.

use axum::body::Body;
use gatepost_store::catalog::DatabaseError;
use gatepost_store::logs::{AccessFilter, AccessRecord};
use http::Response;
use serde_json::json;

use super::filter::Asked;
use crate::app::App;
use crate::app::clock::rfc3339;
use crate::console::fields::Fields;
use crate::console::signed_in::{Act, SignedIn};
use crate::console::{Refused, shell};

/// Rows of a file.
pub(super) const ROWS_MAX: usize = 10_000;

/// Pages that are looked through for them.
const PAGES_MAX: usize = 50;

const COLUMNS: [&str; 11] = [
    "at",
    "status",
    "outcome",
    "method",
    "path",
    "schema",
    "route",
    "client",
    "reason",
    "duration_us",
    "request_id",
];

pub(super) async fn export(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::ReadLogs)?;
    let asked = Asked::read(&signed_in, &fields, signed_in.console.app().clock.now_ms());
    let records =
        signed_in.console.blocking(move |app| collect(app, &asked.filter)).await?.map_err(Refused::failed)?;
    match fields.text("format") {
        "csv" => Ok(shell::download("access-log.csv", "text/csv; charset=utf-8", csv(&records))),
        "json" => {
            let records: Vec<_> = records.iter().map(object).collect();
            let text = serde_json::to_string_pretty(&records).map_err(Refused::failed)?;
            Ok(shell::download("access-log.json", "application/json", text))
        }
        _ => Err(Refused::Invalid("The format is csv or json.".into())),
    }
}

fn collect(app: &App, filter: &AccessFilter) -> Result<Vec<AccessRecord>, DatabaseError> {
    let (mut records, mut before) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let wanted = ROWS_MAX - records.len();
        let page = app.logs.find_access(filter, before, wanted as u32)?;
        records.extend(page.records.into_iter().map(|(_, record)| record));
        before = page.next;
        if before.is_none() || records.len() >= ROWS_MAX {
            break;
        }
    }
    Ok(records)
}

fn values(record: &AccessRecord) -> [String; COLUMNS.len()] {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    [
        rfc3339(record.at_ms),
        record.status.to_string(),
        record.outcome.to_owned(),
        record.method.to_string(),
        record.path.clone(),
        text(&record.schema),
        text(&record.route),
        text(&record.client),
        record.reason.to_string(),
        record.duration_us.to_string(),
        record.request_id.clone(),
    ]
}

fn object(record: &AccessRecord) -> serde_json::Value {
    let mut object: serde_json::Map<String, serde_json::Value> =
        COLUMNS.iter().zip(values(record)).map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    object.insert("status".into(), json!(record.status));
    object.insert("duration_us".into(), json!(record.duration_us));
    object.into()
}

/// RFC 4180.
fn csv(records: &[AccessRecord]) -> String {
    let mut text = COLUMNS.join(",") + "\r\n";
    for record in records {
        let cells = values(record).map(|value| cell(&value));
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A value that a table program neither splits nor runs.
fn cell(value: &str) -> String {
    let runs = value.starts_with(['=', '+', '-', '@']);
    let value = if runs { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', '"', '\r', '\n']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_cannot_break_the_table_or_be_a_formula() {
        assert_eq!(cell("/a,b\"c"), "\"/a,b\"\"c\"");
        assert_eq!(cell("=cmd()"), "'=cmd()");
        assert_eq!(cell("/plain"), "/plain");
    }
}
