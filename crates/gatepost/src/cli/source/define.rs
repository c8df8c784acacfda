//! `gatepost source define`.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use gatepost_sources::definition::Document;

use super::super::terminal::{say, tell};
use super::super::{Place, sql};
use crate::script::{Event, ScriptOptions, run, write_document};

/// A file with definitions has at most this many bytes; the reader has the same limit.
const FILE_BYTES_MAX: u64 = 256 * 1024;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gatepost source define intranet.toml --schema intranet --data gatepost-demo

The file has tables [remote_server.NAME], [credential.NAME] and [rest_source.NAME]. All of it takes effect or nothing.
Secrets are not in it: GATEPOST.SET_CREDENTIAL_SECRET sets them.")]
pub(super) struct Define {
    #[command(flatten)]
    place: Place,
    /// The schema that the definitions belong to.
    #[arg(long, value_name = "NAME")]
    schema: String,
    /// Print the block of calls instead of running it.
    #[arg(long)]
    print: bool,
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Define {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let shown = self.file.display().to_string();
        if std::fs::metadata(&self.file).with_context(|| shown.clone())?.len() > FILE_BYTES_MAX {
            bail!("{shown}: more than {FILE_BYTES_MAX} bytes");
        }
        let text = std::fs::read_to_string(&self.file).with_context(|| shown.clone())?;
        let document = Document::parse(&text).map_err(|broken| anyhow::anyhow!("{shown}: {broken}"))?;
        let script = write_document(&document);
        if self.print {
            return Ok(say(script.trim_end())?);
        }
        load(&self.place, self.schema, &script)
    }
}

fn load(place: &Place, schema: String, script: &str) -> anyhow::Result<()> {
    let app = place.open()?;
    let options = ScriptOptions {
        schema: Some(schema),
        author: sql::terminal_user(),
        administrator: true,
        row_limit: None,
        source: "source define".into(),
        dry_run: false,
    };
    let mut lines = Vec::new();
    let outcome = run(&app, script, &options, &mut |event| match event {
        Event::BlockDone { changes, .. } => lines.extend(changes),
        Event::Note { text, .. } => tell(format_args!("note: {text}")),
        _ => {}
    });
    match outcome {
        Ok(_) if lines.is_empty() => Ok(say("nothing changed")?),
        Ok(_) => Ok(say(lines.join("\n"))?),
        Err(failure) => bail!("{}", failure.diagnostic.message),
    }
}
