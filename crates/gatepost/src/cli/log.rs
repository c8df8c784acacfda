//! `gatepost log`.

use anyhow::{Context as _, ensure};
use clap::Args;
use gatepost_store::catalog::HistoryFilter;
use gatepost_store::data::SessionValue;
use gatepost_store::logs::{AccessFilter, AccessRecord, AuditFilter, StatusFilter};

use super::terminal::Unwritten;
use super::{Place, since, table};
use crate::app::App;
use crate::app::clock::{Clock, rfc3339};

/// Show requests of the access log, lines of the audit trail, or changes of the catalog, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepost log --status denied --since 24h
  gatepost log --client hr_app --min-ms 100
  gatepost log --audit --event 'token refused'
  gatepost log --changes --kind privilege")]
pub(super) struct Log {
    #[command(flatten)]
    place: Place,
    /// How many.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Changes of definitions and clients instead of requests.
    #[arg(long)]
    changes: bool,
    /// The audit trail (tokens given and refused, sign-ins) instead of requests.
    #[arg(long, conflicts_with = "changes")]
    audit: bool,
    /// From when on: 30m, 24h, 7d ago, a day, or a time of RFC 3339.
    #[arg(long, value_name = "TIME", conflicts_with = "changes")]
    since: Option<String>,
    /// Before when.
    #[arg(long, value_name = "TIME", conflicts_with = "changes")]
    until: Option<String>,
    /// Only of this schema.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Only of this client; `-`: of callers without a token.
    #[arg(long, value_name = "NAME", conflicts_with = "changes", allow_hyphen_values = true)]
    client: Option<String>,
    #[command(flatten)]
    requests: Requests,
    /// Only audit lines of this event.
    #[arg(long, value_name = "EVENT", requires = "audit")]
    event: Option<String>,
    /// Only changes of objects of this kind: module, client, …
    #[arg(long, value_name = "KIND", requires = "changes")]
    kind: Option<String>,
    /// Only changes of objects of this name.
    #[arg(long, value_name = "NAME", requires = "changes")]
    name: Option<String>,
    /// Only changes that this person made.
    #[arg(long, value_name = "NAME", requires = "changes")]
    author: Option<String>,
}

/// What only requests have.
#[derive(Debug, Args)]
struct Requests {
    /// Only requests answered so: 401, 4xx, denied (401 and 403), allowed, refused, failed.
    #[arg(long, value_name = "STATUS", conflicts_with_all = ["changes", "audit"])]
    status: Option<String>,
    /// Only requests that this template answered, as `module pattern`.
    #[arg(long, value_name = "ROUTE", conflicts_with_all = ["changes", "audit"])]
    route: Option<String>,
    /// Only requests whose path holds this.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["changes", "audit"])]
    text: Option<String>,
    /// Only requests that took at least so many milliseconds.
    #[arg(long, value_name = "MS", conflicts_with_all = ["changes", "audit"])]
    min_ms: Option<u32>,
    /// The request with this reference number.
    #[arg(long, value_name = "ID", conflicts_with_all = ["changes", "audit"])]
    request_id: Option<String>,
}

type Table = (&'static [&'static str], Vec<Vec<SessionValue>>);

impl Log {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        let (columns, rows) = if self.changes {
            self.list_changes(&app)?
        } else if self.audit {
            self.list_audit(&app)?
        } else {
            self.list_requests(&app)?
        };
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        table::write(&mut std::io::stdout().lock(), &columns, &rows).map_err(Unwritten::from)?;
        Ok(())
    }

    fn time(text: Option<&str>) -> anyhow::Result<Option<i64>> {
        text.map(|text| since::parse(text, Clock::System.now_ms())).transpose()
    }

    fn schemas(&self, app: &App) -> anyhow::Result<Option<Vec<String>>> {
        let Some(name) = self.schema.as_ref().map(|name| name.to_ascii_lowercase()) else { return Ok(None) };
        ensure!(app.snapshot().catalog.schema_by_name(&name).is_some(), "there is no schema `{name}`");
        Ok(Some(vec![name]))
    }

    fn list_changes(&self, app: &App) -> anyhow::Result<Table> {
        let schemas = self.schemas(app)?;
        let snapshot = app.snapshot();
        let named =
            |names: Vec<String>| snapshot.catalog.schema_by_name(names.first()?).map(|schema| schema.id);
        let filter = HistoryFilter {
            schema_id: schemas.and_then(named),
            kind: self.kind.clone(),
            name: self.name.clone(),
            author: self.author.clone(),
        };
        let entries = app.store.find_history(&filter, None, self.limit)?.into_iter();
        let rows = entries.map(|entry| {
            let at = rfc3339(entry.changed_on_ms);
            [at, entry.author, entry.source, entry.action, entry.kind, entry.name]
                .map(SessionValue::Text)
                .to_vec()
        });
        Ok((&["at", "author", "source", "action", "kind", "name"], rows.collect()))
    }

    fn list_audit(&self, app: &App) -> anyhow::Result<Table> {
        let filter = AuditFilter {
            from_ms: Self::time(self.since.as_deref())?,
            to_ms: Self::time(self.until.as_deref())?,
            event: self.event.clone(),
            outcome: None,
            schemas: self.schemas(app)?,
            client: self.client.clone(),
        };
        let (mut rows, mut before) = (Vec::new(), None);
        while rows.len() < self.limit as usize {
            let page = app.logs.find_audit(&filter, before, self.limit - rows.len() as u32)?;
            before = page.next;
            rows.extend(page.records.into_iter().map(|(_, entry)| {
                let known = |text: Option<String>| text.map_or(SessionValue::Null, SessionValue::Text);
                vec![
                    SessionValue::Text(rfc3339(entry.at_ms)),
                    SessionValue::Text(entry.event),
                    SessionValue::Text(entry.reason),
                    known(entry.schema),
                    known(entry.client),
                    known(entry.address),
                    known(entry.request_id),
                    known(entry.detail),
                ]
            }));
            if before.is_none() {
                break;
            }
        }
        Ok((&["at", "event", "reason", "schema", "client", "address", "request_id", "detail"], rows))
    }

    fn list_requests(&self, app: &App) -> anyhow::Result<Table> {
        let status = self.requests.status.as_deref().map(|text| {
            StatusFilter::parse(text).with_context(|| {
                format!("`{text}` is no status; write 401, 4xx, denied, allowed, refused or failed")
            })
        });
        let nobody = |client: &String| if client == "-" { String::new() } else { client.clone() };
        let filter = AccessFilter {
            from_ms: Self::time(self.since.as_deref())?,
            to_ms: Self::time(self.until.as_deref())?,
            schemas: self.schemas(app)?,
            client: self.client.as_ref().map(nobody),
            route: self.requests.route.clone(),
            status: status.transpose()?,
            text: self.requests.text.clone(),
            min_duration_us: self.requests.min_ms.map(|ms| i64::from(ms) * 1_000),
            request_id: self.requests.request_id.clone(),
        };
        let (mut rows, mut before) = (Vec::new(), None);
        while rows.len() < self.limit as usize {
            let page = app.logs.find_access(&filter, before, self.limit - rows.len() as u32)?;
            before = page.next;
            rows.extend(page.records.into_iter().map(|(_, record)| row(record)));
            if before.is_none() {
                break;
            }
        }
        Ok((&["at", "status", "method", "path", "client", "reason", "us", "address", "request_id"], rows))
    }
}

fn row(record: AccessRecord) -> Vec<SessionValue> {
    let text = SessionValue::Text;
    vec![
        text(rfc3339(record.at_ms)),
        SessionValue::Integer(i64::from(record.status)),
        text(record.method.to_string()),
        text(record.path),
        record.client.map_or(SessionValue::Null, |client| text(client.to_string())),
        text(record.reason.into_owned()),
        SessionValue::Integer(record.duration_us),
        text(record.address.to_string()),
        text(record.request_id),
    ]
}
