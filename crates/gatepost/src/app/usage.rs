//! What was called, by whom, how often and how fast, from the totals of the log.

use std::collections::BTreeMap;

use gatepost_store::catalog::DatabaseError;
use gatepost_store::logs::{ClientTotal, RouteTotal, Total, TotalsFilter};

use super::App;

/// What requests come to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Those answered with 401 and 403.
    pub denied: u64,
    /// Those answered with 5xx.
    pub failed: u64,
    /// All of them.
    pub total: Total,
}

impl Figures {
    /// Adds some of one status.
    pub fn add(&mut self, status: u16, total: &Total) {
        match status {
            401 | 403 => self.denied += total.requests,
            500.. => self.failed += total.requests,
            _ => {}
        }
        self.total.merge(total);
    }

    /// What all of these come to.
    pub fn of<'a>(totals: impl IntoIterator<Item = &'a ClientTotal>) -> Self {
        let mut figures = Self::default();
        for one in totals {
            figures.add(one.status, &one.total);
        }
        figures
    }
}

/// What a client did.
#[derive(Clone, Debug, Default)]
pub struct ClientUsage {
    /// The schema's name; empty for requests below no schema.
    pub schema: String,
    /// The client's name; empty for callers without a token.
    pub client: String,
    /// What its requests in the range come to.
    pub figures: Figures,
    /// When it last got in, within the range or not.
    pub last_call_ms: Option<i64>,
    /// When it last got a token.
    pub last_token_ms: Option<i64>,
}

/// What was called in a range of time.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Each client, the busiest first.
    pub clients: Vec<ClientUsage>,
    /// The busiest handlers, in the days that the range touches (UTC).
    pub handlers: Vec<RouteTotal>,
}

impl App {
    /// What was called in a range. Clients that only called before are left out.
    pub fn usage(&self, filter: &TotalsFilter, handlers: u32) -> Result<Usage, DatabaseError> {
        let totals = self.logs.list_client_totals(filter)?;
        Ok(Usage {
            clients: self.usage_of_clients(&totals)?,
            handlers: self.logs.list_route_totals(filter, handlers)?,
        })
    }

    /// What each client did, the busiest first.
    pub fn usage_of_clients(&self, totals: &[ClientTotal]) -> Result<Vec<ClientUsage>, DatabaseError> {
        let mut clients: BTreeMap<(&str, &str), Figures> = BTreeMap::new();
        for one in totals {
            clients.entry((&one.schema, &one.client)).or_default().add(one.status, &one.total);
        }
        let seen = self.logs.list_clients_seen()?;
        let mut usage: Vec<ClientUsage> = clients
            .into_iter()
            .map(|((schema, client), figures)| {
                let seen = seen.iter().find(|seen| seen.schema == schema && seen.client == client);
                // Callers without a token are nobody that could be seen again: what counts is this range.
                let nobody =
                    (client.is_empty() && figures.total.last_ms > 0).then_some(figures.total.last_ms);
                ClientUsage {
                    schema: schema.to_owned(),
                    client: client.to_owned(),
                    figures,
                    last_call_ms: nobody.or(seen.and_then(|seen| seen.last_call_ms)),
                    last_token_ms: seen.and_then(|seen| seen.last_token_ms),
                }
            })
            .collect();
        usage.sort_by_key(|usage| std::cmp::Reverse(usage.figures.total.requests));
        Ok(usage)
    }
}
