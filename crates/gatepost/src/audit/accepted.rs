//! Findings that somebody accepts: with a reason, until a date, and only what was seen then. A new open handler behind
//! an accepted one is a finding again.

use std::collections::HashMap;

use gatepost_rest::definition::Id;
use gatepost_store::catalog::{ConsoleItem, ConsoleItemKind, DatabaseError};
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::app::App;
use crate::app::clock::random_bytes;

/// The longest that a finding can be accepted for.
pub const ACCEPTED_DAYS_MAX: u32 = 365;

/// That somebody accepts a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it ends (milliseconds since 1970).
    pub until_ms: i64,
    /// What the finding showed; whatever comes to it is not accepted.
    pub evidence: Vec<String>,
}

impl Acceptance {
    fn covers(&self, finding: &Finding, now_ms: i64) -> bool {
        now_ms < self.until_ms && finding.evidence.iter().all(|line| self.evidence.contains(line))
    }
}

/// Keeps that a user accepts a finding, from now on.
pub fn accept(
    app: &App,
    user_id: Id,
    finding: &Finding,
    acceptance: &Acceptance,
    now_ms: i64,
) -> Result<(), DatabaseError> {
    app.store.put_console_item(&ConsoleItem {
        // Ids are signed in the table.
        id: u64::from_le_bytes(random_bytes()) >> 1,
        user_id,
        schema_id: 0,
        kind: ConsoleItemKind::AcceptedFinding,
        name: key(finding),
        at_ms: now_ms,
        body: serde_json::to_string(acceptance).map_err(|error| DatabaseError::Other(error.to_string()))?,
    })
}

/// Takes back that anybody accepted a finding.
pub fn reopen(app: &App, finding: &Finding) -> Result<(), DatabaseError> {
    let key = key(finding);
    for item in app.store.list_console_items(ConsoleItemKind::AcceptedFinding, None, None)? {
        if item.name == key {
            app.store.delete_console_item(item.user_id, item.id)?;
        }
    }
    Ok(())
}

/// Marks what is accepted.
pub(super) fn mark(app: &App, findings: &mut [Finding], now_ms: i64) -> Result<(), DatabaseError> {
    if findings.is_empty() {
        return Ok(());
    }
    let mut accepted: HashMap<String, Vec<Acceptance>> = HashMap::new();
    for item in app.store.list_console_items(ConsoleItemKind::AcceptedFinding, None, None)? {
        // One that cannot be read accepts nothing.
        let Ok(acceptance) = serde_json::from_str(&item.body) else { continue };
        accepted.entry(item.name).or_default().push(acceptance);
    }
    for finding in findings {
        let all = accepted.get(&key(finding)).into_iter().flatten();
        finding.accepted = all.into_iter().find(|it| it.covers(finding, now_ms)).cloned();
    }
    Ok(())
}

/// Which finding it is, whatever it shows.
fn key(finding: &Finding) -> String {
    let schema = finding.schema.as_deref().unwrap_or_default();
    [finding.check, schema, &finding.object].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Severity;

    #[test]
    fn what_was_not_seen_is_not_accepted_and_nothing_is_for_ever() {
        let finding = |evidence: &[&str]| Finding {
            evidence: evidence.iter().map(|line| (*line).to_owned()).collect(),
            ..super::super::finding(Severity::OpenDoor, "public-read", "public entry /open/*".into())
        };
        let accepted = Acceptance {
            by: "ada".into(),
            reason: "meant".into(),
            until_ms: 100,
            evidence: vec!["GET /open/a".into(), "GET /open/b".into()],
        };
        assert!(accepted.covers(&finding(&["GET /open/a", "GET /open/b"]), 99));
        assert!(accepted.covers(&finding(&["GET /open/b"]), 99));
        assert!(!accepted.covers(&finding(&["GET /open/b"]), 100));
        assert!(!accepted.covers(&finding(&["GET /open/a", "GET /open/c"]), 99));
    }
}
