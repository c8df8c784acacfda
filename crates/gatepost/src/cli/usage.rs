//! `gatepost usage`.

use anyhow::ensure;
use clap::Args;
use gatepost_store::data::SessionValue;
use gatepost_store::logs::{RouteTotal, TotalsFilter};
use serde_json::{Value, json};

use super::terminal::{Unwritten, print, say};
use super::{Place, since, table};
use crate::app::clock::{Clock, rfc3339};
use crate::app::usage::{ClientUsage, Usage as Found};

/// Show what each client and each handler came to: requests, refusals, failures, time to answer, tokens.
///
/// Clients are counted in quarters of an hour, handlers in whole days (UTC) that the range touches. Percentiles are
/// upper bounds, at most 28 percent too high. The log is this node's.
#[derive(Debug, Args)]
pub(super) struct Usage {
    #[command(flatten)]
    place: Place,
    /// Only this schema.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// From when on: 30m, 24h, 7d ago, a day, or a time of RFC 3339.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    since: String,
    /// How many handlers.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Usage {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        let now_ms = Clock::System.now_ms();
        let from_ms = since::parse(&self.since, now_ms)?;
        let schema = self.schema.map(|name| name.to_ascii_lowercase());
        if let Some(name) = &schema {
            let known = app.snapshot().catalog.schema_by_name(name).is_some();
            ensure!(known, "there is no schema `{name}`");
        }
        let filter = TotalsFilter {
            from_ms,
            to_ms: now_ms + 1,
            schemas: schema.map(|name| vec![name]),
            ..TotalsFilter::default()
        };
        let usage = app.usage(&filter, self.limit)?;
        if self.json {
            let object = as_json(from_ms, &usage);
            print(format!("{}\n", serde_json::to_string_pretty(&object)?))?;
            return Ok(());
        }
        say(format_args!("since {}", rfc3339(from_ms)))?;
        let mut out = std::io::stdout().lock();
        let (columns, rows) = clients(&usage.clients);
        table::write(&mut out, &columns, &rows).map_err(Unwritten::from)?;
        let (columns, rows) = handlers(&usage.handlers);
        table::write(&mut out, &columns, &rows).map_err(Unwritten::from)?;
        Ok(())
    }
}

type Table = (Vec<String>, Vec<Vec<SessionValue>>);

fn text(text: &str) -> SessionValue {
    SessionValue::Text(text.to_owned())
}

fn count(number: u64) -> SessionValue {
    SessionValue::Integer(number as i64)
}

fn optional(number: Option<i64>) -> SessionValue {
    number.map_or(SessionValue::Null, SessionValue::Integer)
}

fn time(ms: Option<i64>) -> SessionValue {
    ms.map_or(SessionValue::Null, |ms| SessionValue::Text(rfc3339(ms)))
}

fn clients(clients: &[ClientUsage]) -> Table {
    let columns = [
        "client",
        "schema",
        "requests",
        "denied",
        "failed",
        "p50_us",
        "p95_us",
        "tokens",
        "last_token",
        "last_call",
    ];
    let row = |usage: &ClientUsage| {
        let total = &usage.figures.total;
        vec![
            text(if usage.client.is_empty() { "nobody" } else { &usage.client }),
            text(&usage.schema),
            count(total.requests),
            count(usage.figures.denied),
            count(usage.figures.failed),
            optional(total.durations.percentile_us(50)),
            optional(total.durations.percentile_us(95)),
            count(total.tokens),
            time(usage.last_token_ms),
            time(usage.last_call_ms),
        ]
    };
    (columns.map(str::to_owned).to_vec(), clients.iter().map(row).collect())
}

fn handlers(handlers: &[RouteTotal]) -> Table {
    let columns = ["handler", "schema", "requests", "denied", "failed", "p50_us", "p95_us", "last_call"];
    let row = |one: &RouteTotal| {
        vec![
            text(if one.route.is_empty() { "none" } else { &one.route }),
            text(&one.schema),
            count(one.total.requests),
            count(one.denied),
            count(one.failed),
            optional(one.total.durations.percentile_us(50)),
            optional(one.total.durations.percentile_us(95)),
            time(Some(one.total.last_ms)),
        ]
    };
    (columns.map(str::to_owned).to_vec(), handlers.iter().map(row).collect())
}

fn as_json(from_ms: i64, usage: &Found) -> Value {
    let named = |name: &str| if name.is_empty() { Value::Null } else { json!(name) };
    let client = |usage: &ClientUsage| {
        let total = &usage.figures.total;
        json!({
            "schema": named(&usage.schema),
            "client": named(&usage.client),
            "requests": total.requests,
            "denied": usage.figures.denied,
            "failed": usage.figures.failed,
            "p50_us": total.durations.percentile_us(50),
            "p95_us": total.durations.percentile_us(95),
            "tokens": total.tokens,
            "last_token": usage.last_token_ms.map(rfc3339),
            "last_call": usage.last_call_ms.map(rfc3339),
        })
    };
    let handler = |one: &RouteTotal| {
        json!({
            "schema": named(&one.schema),
            "handler": named(&one.route),
            "requests": one.total.requests,
            "denied": one.denied,
            "failed": one.failed,
            "p50_us": one.total.durations.percentile_us(50),
            "p95_us": one.total.durations.percentile_us(95),
            "last_call": rfc3339(one.total.last_ms),
        })
    };
    json!({
        "since": rfc3339(from_ms),
        "clients": usage.clients.iter().map(client).collect::<Vec<_>>(),
        "handlers": usage.handlers.iter().map(handler).collect::<Vec<_>>(),
    })
}
