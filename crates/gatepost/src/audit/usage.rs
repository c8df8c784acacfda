//! Clients and secrets that nobody uses, as the log of this node tells. It says nothing before it reaches far enough
//! back.

use std::collections::HashMap;

use gatepost_oauth::Client;
use gatepost_store::catalog::DatabaseError;
use gatepost_store::logs::{ClientSeen, DAY_MS};

use super::{Bounds, Finding, Scope, Severity, literal};
use crate::app::App;
use crate::app::clock::rfc3339;
use crate::app::snapshot::Snapshot;
use crate::config::{AccessLog, Config};

/// How old a secret is before it is worth a word that nobody used it.
const SECRET_DAYS: i64 = 7;

/// What the log knows of clients.
pub(super) struct Seen {
    since_ms: Option<i64>,
    clients: HashMap<(String, String), ClientSeen>,
}

impl Seen {
    pub(super) fn read(app: &App) -> Result<Self, DatabaseError> {
        let clients = app.logs.list_clients_seen()?.into_iter();
        Ok(Self {
            since_ms: app.logs.find_begin_ms()?,
            clients: clients.map(|seen| ((seen.schema.clone(), seen.client.clone()), seen)).collect(),
        })
    }

    /// When a client last got a token or got in.
    fn last_ms(&self, schema: &str, client: &str) -> Option<i64> {
        let seen = self.clients.get(&(schema.to_owned(), client.to_owned()))?;
        seen.last_call_ms.max(seen.last_token_ms)
    }
}

pub(super) fn look(
    scope: Scope<'_>,
    snapshot: &Snapshot,
    config: &Config,
    seen: &Seen,
    bounds: Bounds,
) -> Vec<Finding> {
    let Some(since_ms) = seen.since_ms else { return Vec::new() };
    let clients = snapshot.catalog.clients_of(scope.id).filter(|client| client.enabled);
    let known = clients.filter(|client| tells(client, config, bounds));
    known.filter_map(|client| of_client(scope, client, seen, since_ms, bounds)).collect()
}

/// Whether the log would know of a use: calls are in it, or a token does not live long enough to be used without.
fn tells(client: &Client, config: &Config, bounds: Bounds) -> bool {
    let seconds = client.token_duration_seconds.unwrap_or(config.oauth.access_token_seconds);
    config.log.access == AccessLog::All || i64::from(seconds) * 1_000 < i64::from(bounds.unused_days) * DAY_MS
}

fn of_client(
    scope: Scope<'_>,
    client: &Client,
    seen: &Seen,
    since_ms: i64,
    bounds: Bounds,
) -> Option<Finding> {
    let last_ms = seen.last_ms(scope.name, &client.name);
    let object = format!("client {}", client.name);
    let mut evidence = vec![format!("this node's log since {}", rfc3339(since_ms))];
    evidence.extend(last_ms.map(|last_ms| format!("last seen {}", rfc3339(last_ms))));
    let newest = client.secrets.iter().map(|secret| secret.issued_on_ms).max()?;
    let disable = format!("GATEPOST.SET_CLIENT_STATUS({}, 'DISABLED')", literal(&client.name));
    Some(match unused(newest, last_ms, since_ms, bounds)? {
        Unused::Client => Finding {
            why: format!("it got no token and made no call for {} days", bounds.unused_days),
            evidence,
            fix: disable,
            ..scope.finding(Severity::Warning, "client-unused", object)
        },
        Unused::Secret => Finding {
            why: "its newest secret was never used".to_owned(),
            evidence: [evidence, vec![format!("secret set {}", rfc3339(newest))]].concat(),
            fix: format!("give it to the application, or {disable}"),
            ..scope.finding(Severity::Notice, "secret-unused", object)
        },
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unused {
    Client,
    Secret,
}

/// What nobody uses, of a client whose newest secret was set and that was last seen at these times.
fn unused(secret_ms: i64, last_ms: Option<i64>, since_ms: i64, bounds: Bounds) -> Option<Unused> {
    let unused_ms = bounds.now_ms - i64::from(bounds.unused_days) * DAY_MS;
    if since_ms <= unused_ms && secret_ms <= unused_ms && last_ms.is_none_or(|last_ms| last_ms < unused_ms) {
        return Some(Unused::Client);
    }
    let old = secret_ms <= bounds.now_ms - SECRET_DAYS * DAY_MS;
    let unseen = last_ms.is_none_or(|last_ms| last_ms < secret_ms);
    (since_ms <= secret_ms && old && unseen).then_some(Unused::Secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 400 * DAY_MS;

    fn found(since_days: i64, secret_days: i64, last_days: Option<i64>) -> Option<Unused> {
        let ago = |days: i64| NOW - days * DAY_MS;
        unused(ago(secret_days), last_days.map(ago), ago(since_days), Bounds::at(NOW))
    }

    #[test]
    fn a_client_is_unused_only_if_the_log_reaches_that_far() {
        assert_eq!(found(30, 200, None), None, "the log does not know");
        assert_eq!(found(120, 200, None), Some(Unused::Client));
        assert_eq!(found(120, 200, Some(100)), Some(Unused::Client));
        assert_eq!(found(120, 200, Some(10)), None);
        assert_eq!(found(120, 50, None), Some(Unused::Secret), "made since then");
    }

    #[test]
    fn a_secret_is_unused_after_a_week_without_a_call_since_it_was_made() {
        assert_eq!(found(60, 20, None), Some(Unused::Secret));
        assert_eq!(found(60, 20, Some(30)), Some(Unused::Secret), "the older one was used");
        assert_eq!(found(60, 20, Some(2)), None);
        assert_eq!(found(60, 3, None), None, "too young");
        assert_eq!(found(10, 20, None), None, "made before the log");
    }
}
