//! `gatepost log`.

use clap::Args;
use gatepost_store::data::SessionValue;

use super::terminal::Unwritten;
use super::{Place, table};
use crate::app::clock::rfc3339;

/// Show the newest requests of the access log, or the newest changes of the catalog.
#[derive(Debug, Args)]
pub(super) struct Log {
    #[command(flatten)]
    place: Place,
    /// How many.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Changes of definitions and clients instead of requests.
    #[arg(long)]
    changes: bool,
}

impl Log {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        let text = |text: String| SessionValue::Text(text);
        let mut out = std::io::stdout().lock();
        if self.changes {
            let entries = app.store.list_history(None, self.limit)?;
            let columns = ["at", "author", "source", "action", "kind", "name"].map(str::to_owned);
            let rows: Vec<_> = entries
                .into_iter()
                .map(|entry| {
                    let at = rfc3339(entry.changed_on_ms);
                    [at, entry.author, entry.source, entry.action, entry.kind, entry.name].map(text).to_vec()
                })
                .collect();
            table::write(&mut out, &columns, &rows).map_err(Unwritten::from)?;
            return Ok(());
        }
        let records = app.logs.list_access(self.limit)?;
        let columns = ["at", "status", "method", "path", "client", "reason", "us", "address", "request_id"]
            .map(str::to_owned);
        let rows: Vec<_> = records
            .into_iter()
            .map(|record| {
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
            })
            .collect();
        table::write(&mut out, &columns, &rows).map_err(Unwritten::from)?;
        Ok(())
    }
}
