//! `gatepost sql`: SQL Commands in the terminal.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::terminal::{self, Unwritten};
use super::{Place, table};
use crate::script::{self, Event, ScriptOptions};

/// Scripts beyond this size are refused.
const SCRIPT_BYTES_MAX: u64 = 64 << 20;

/// Run a script: blocks of ORDS, OAUTH, `ORDS_SECURITY` and GATEPOST calls, queries and changes, in any order.
///
/// Each block and each other statement is a transaction of its own. The first that fails takes no effect and ends
/// the script. The views `user_ords_modules`, `user_ords_clients` and so on can be queried and joined with the
/// schema's tables.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepost sql --schema hr definitions.sql
  gatepost sql --schema hr -c 'select name, client_id from user_ords_clients'
  echo 'select * from emp' | gatepost sql --schema hr --format csv")]
pub(super) struct Sql {
    #[command(flatten)]
    place: Place,
    /// The schema to work in; without it, the one that the script enables first.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// How results are printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Run everything and keep nothing.
    #[arg(long)]
    dry_run: bool,
    /// The most rows of a query that are printed.
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    /// The script itself. It may begin with a comment, `-- …`.
    #[arg(
        short = 'c',
        long = "command",
        value_name = "TEXT",
        conflicts_with = "file",
        allow_hyphen_values = true
    )]
    command: Option<String>,
    /// A file with the script; without it, standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Aligned columns.
    Table,
    /// One array of row objects for each query.
    Json,
    /// RFC 4180.
    Csv,
}

impl Sql {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let text = self.script()?;
        let app = self.place.open()?;
        let options = ScriptOptions {
            schema: self.schema.clone(),
            author: terminal_user(),
            administrator: true,
            row_limit: self.limit,
            source: "sql".into(),
            dry_run: self.dry_run,
        };
        let mut closed = Ok(());
        let outcome = script::run(&app, &text, &options, &mut |event| {
            if closed.is_ok() {
                closed = print(self.format, &event);
            }
        });
        if closed.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
            closed.map_err(Unwritten::from)?;
        }
        match outcome {
            Ok(report) => {
                if !report.is_empty() {
                    terminal::tell(report.to_string().trim_end());
                }
                Ok(())
            }
            Err(failure) => {
                if !failure.report.is_empty() {
                    terminal::tell(failure.report.to_string().trim_end());
                }
                Err(anyhow::anyhow!("{failure}"))
            }
        }
    }

    fn script(&self) -> anyhow::Result<String> {
        if let Some(text) = &self.command {
            return Ok(text.clone());
        }
        read_script(self.file.as_deref())
    }
}

/// A script from a file, or from standard input.
pub(super) fn read_script(file: Option<&Path>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if let Some(path) = file {
        let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
        file.take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    } else {
        if io::stdin().is_terminal() {
            terminal::tell("Reading a script from the terminal; end it with Ctrl-D.");
        }
        io::stdin().lock().take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > SCRIPT_BYTES_MAX {
        bail!("the script is larger than {} MiB", SCRIPT_BYTES_MAX >> 20);
    }
    String::from_utf8(bytes).context("the script is not UTF-8")
}

fn print(format: Format, event: &Event) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match event {
        Event::Rows { columns, rows, truncated } => {
            match format {
                Format::Table => table::write(&mut out, columns, rows)?,
                Format::Json => table::write_json(&mut out, columns, rows)?,
                Format::Csv => table::write_csv(&mut out, columns, rows)?,
            }
            if *truncated {
                terminal::tell("(more rows than are shown)");
            }
        }
        // Machine formats keep standard output for rows.
        Event::Affected { verb, rows } => match rows {
            Some(rows) => tell(format, &mut out, &format!("{verb}: {rows} rows"))?,
            None => tell(format, &mut out, verb)?,
        },
        Event::Output(line) => tell(format, &mut out, line)?,
        Event::Note { line, text } => terminal::tell(format_args!("note, line {line}: {text}")),
        Event::BlockDone { line, changes } => {
            tell(format, &mut out, &format!("block at line {line}: done"))?;
            for change in changes {
                tell(format, &mut out, &format!("  {change}"))?;
            }
        }
    }
    out.flush()
}

fn tell(format: Format, out: &mut impl io::Write, line: &str) -> io::Result<()> {
    match format {
        Format::Table => writeln!(out, "{line}"),
        Format::Json | Format::Csv => {
            terminal::tell(line);
            Ok(())
        }
    }
}

/// Who sits at this terminal, for the history.
#[expect(clippy::disallowed_methods, reason = "the login name is only told to the history")]
pub(super) fn terminal_user() -> String {
    std::env::var("USER").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "terminal".into())
}
