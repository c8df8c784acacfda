//! The security audit: what an operator should look at, found in definitions, clients and configuration. Decisions are
//! those of requests: the same rules are asked.

mod accepted;
mod clients;
mod configuration;
pub mod explain;
mod locks;
pub mod reach;
mod routes;
#[cfg(test)]
mod tests;
mod usage;

use std::fmt;

use gatepost_rest::definition::Id;
use gatepost_store::catalog::DatabaseError;
use serde::Serialize;

pub use accepted::{ACCEPTED_DAYS_MAX, Acceptance, accept, reopen};

use crate::app::App;

/// How many examples a finding names.
const EVIDENCE_MAX: usize = 20;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody without a token gets in.
    OpenDoor,
    /// Something lets more in, or for longer, than it should.
    Warning,
    /// Something does nothing, or is about to matter.
    Notice,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenDoor => "open door",
            Self::Warning => "warning",
            Self::Notice => "notice",
        })
    }
}

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Which check found it; the names are those of docs/reference/audit.md and stay what they are.
    pub check: &'static str,
    /// The schema; absent for what concerns all of them.
    pub schema: Option<String>,
    /// What it is about, such as `client hr_app`.
    pub object: String,
    /// What is the matter, in a sentence.
    pub why: String,
    /// What shows it: routes, times, names.
    pub evidence: Vec<String>,
    /// What ends it: a call for `gatepost sql`, or a key of the configuration.
    pub fix: String,
    /// Who accepts it, and why; such a finding does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Acceptance>,
}

/// What an audit measures against.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// How old a client secret may get, in days.
    pub secret_days: u32,
    /// After how many days without a call or a token a client counts as unused.
    pub unused_days: u32,
}

impl Bounds {
    /// The usual bounds, now.
    pub fn at(now_ms: i64) -> Self {
        Self { now_ms, secret_days: 365, unused_days: 90 }
    }
}

/// Everything that there is to look at, the worst first; what somebody accepted is among it.
pub fn audit(app: &App, bounds: Bounds) -> Result<Vec<Finding>, DatabaseError> {
    let snapshot = app.snapshot();
    let mut found = configuration::look(&app.config, &snapshot);
    let seen = usage::Seen::read(app)?;
    for schema in snapshot.schemas() {
        let scope = Scope { name: &schema.schema.name, id: schema.schema.id };
        found.extend(locks::look(scope, &snapshot.catalog, schema));
        found.extend(clients::look(scope, &snapshot, schema, &app.config, bounds));
        found.extend(usage::look(scope, &snapshot, &app.config, &seen, bounds));
    }
    accepted::mark(app, &mut found, bounds.now_ms)?;
    found.sort_by(|one, other| {
        let order = |finding: &Finding| {
            (finding.severity, finding.schema.clone(), finding.check, finding.object.clone())
        };
        order(one).cmp(&order(other))
    });
    Ok(found)
}

/// The schema that is looked at.
#[derive(Clone, Copy)]
struct Scope<'a> {
    name: &'a str,
    id: Id,
}

impl Scope<'_> {
    fn finding(self, severity: Severity, check: &'static str, object: String) -> Finding {
        Finding { schema: Some(self.name.to_owned()), ..finding(severity, check, object) }
    }
}

fn finding(severity: Severity, check: &'static str, object: String) -> Finding {
    Finding {
        severity,
        check,
        schema: None,
        object,
        why: String::new(),
        evidence: Vec::new(),
        fix: String::new(),
        accepted: None,
    }
}

/// The first of these, and how many more there are.
fn some_of(all: Vec<String>) -> Vec<String> {
    let more = all.len().saturating_sub(EVIDENCE_MAX);
    let mut some: Vec<String> = all.into_iter().take(EVIDENCE_MAX).collect();
    if more > 0 {
        some.push(format!("and {more} more"));
    }
    some
}

/// A text as SQL writes it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
