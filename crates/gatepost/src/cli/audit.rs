//! `gatepost audit`.

use anyhow::{bail, ensure};
use clap::Args;

use super::Place;
use super::terminal::{print, say};
use crate::app::clock::{Clock, rfc3339};
use crate::audit::{Bounds, Finding, Severity, audit};

/// List what to look at: public handlers, locks that nobody opens, old secrets, wide configuration.
///
/// Reads the catalog and the configuration, not the network. Exits with 0 when no door is open to callers without a
/// token and with 1 when one is; warnings, notices and what somebody accepted in the console do not count.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepost audit --data shop
  gatepost audit --data shop --json | jq '.[] | select(.severity == \"open_door\")'")]
pub(super) struct Audit {
    #[command(flatten)]
    place: Place,
    /// Only this schema, and what concerns all.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
    /// From this age on a client secret is worth a warning.
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    secret_days: u32,
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        let mut findings =
            audit(&app, Bounds { secret_days: self.secret_days, ..Bounds::at(Clock::System.now_ms()) })?;
        if let Some(wanted) = &self.schema {
            let wanted = wanted.to_ascii_lowercase();
            let known = app.snapshot().catalog.schema_by_name(&wanted).is_some();
            ensure!(known, "there is no schema `{wanted}`");
            findings.retain(|finding| finding.schema.as_ref().is_none_or(|name| *name == wanted));
        }
        if self.json {
            print(format!("{}\n", serde_json::to_string_pretty(&findings)?))?;
        } else {
            let (accepted, open): (Vec<_>, Vec<_>) =
                findings.iter().partition(|finding| finding.accepted.is_some());
            for finding in &open {
                say_finding(finding)?;
            }
            if open.is_empty() {
                say("nothing to look at")?;
            }
            if !accepted.is_empty() {
                say("\naccepted:")?;
            }
            for finding in accepted {
                say_finding(finding)?;
            }
        }
        let is_open =
            |finding: &&Finding| finding.severity == Severity::OpenDoor && finding.accepted.is_none();
        let open = findings.iter().filter(is_open).count();
        match open {
            0 => Ok(()),
            1 => bail!("one door is open"),
            _ => bail!("{open} doors are open"),
        }
    }
}

fn say_finding(finding: &Finding) -> anyhow::Result<()> {
    let schema = finding.schema.as_ref().map_or(String::new(), |name| format!("schema {name}, "));
    say(format_args!("{}: {schema}{} ({})", finding.severity, finding.object, finding.check))?;
    say(format_args!("  {}", finding.why))?;
    for line in &finding.evidence {
        say(format_args!("    {line}"))?;
    }
    match &finding.accepted {
        None => say(format_args!("  fix: {}", finding.fix))?,
        Some(accepted) => say(format_args!(
            "  accepted by {} until {}: {}",
            accepted.by,
            rfc3339(accepted.until_ms),
            accepted.reason
        ))?,
    }
    Ok(())
}
