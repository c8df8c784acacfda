//! `gatepost diff`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use similar::TextDiff;

use super::Place;
use super::sql::{read_script, terminal_user};
use super::terminal::{print, say, tell};
use crate::script::{self, SchemaReview, ScriptOptions};

/// Doors of a schema that are listed.
const DOORS_SHOWN_MAX: usize = 200;

/// Show what a script would change, and who would get in where; nothing is kept.
///
/// The script is run and undone, its changes of data too. Definitions are compared as `gatepost export` writes them.
/// Secrets are in neither.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  gatepost diff --data shop --schema shop definitions.sql")]
pub(super) struct Diff {
    #[command(flatten)]
    place: Place,
    /// The schema to work in; without it, the one that the script enables first.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Exit with 1 when something would change.
    #[arg(long)]
    exit_code: bool,
    /// A file with the script; without it, standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Diff {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let text = read_script(self.file.as_deref())?;
        let app = self.place.open()?;
        let options = ScriptOptions {
            schema: self.schema.clone(),
            author: terminal_user(),
            administrator: true,
            row_limit: None,
            source: "sql".into(),
            dry_run: true,
        };
        let review = match script::review(&app, &text, &options, app.unprotected()) {
            Ok(review) => review,
            Err(failure) => bail!("{failure}"),
        };
        for schema in &review.schemas {
            print_schema(schema)?;
        }
        if !review.report.is_empty() {
            tell(review.report.to_string().trim_end());
        }
        match review.schemas.len() {
            0 => say("nothing would change")?,
            _ if self.exit_code => bail!("definitions would change"),
            _ => {}
        }
        Ok(())
    }
}

fn print_schema(schema: &SchemaReview) -> anyhow::Result<()> {
    let diff = TextDiff::from_lines(&*schema.before, &*schema.after);
    let [now, then] = ["now", "then"].map(|when| format!("schema {}, {when}", schema.name));
    print(diff.unified_diff().header(&now, &then).to_string())?;
    if schema.doors.is_empty() {
        say("access: the same")?;
        return Ok(());
    }
    say("access:")?;
    for door in schema.doors.iter().take(DOORS_SHOWN_MAX) {
        say(format_args!("  {} {}: {}", if door.opens { '+' } else { '-' }, door.who, door.route))?;
    }
    if let Some(more) = schema.doors.len().checked_sub(DOORS_SHOWN_MAX).filter(|more| *more > 0) {
        say(format_args!("  and {more} more"))?;
    }
    Ok(())
}
