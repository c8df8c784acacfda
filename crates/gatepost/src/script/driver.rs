//! The driver: statements in order, the first failure ends the script.

use std::sync::Arc;

use gatepost_plsql::{Diagnostic, Statement, StatementKind, split};
use gatepost_rest::definition::Schema;
use gatepost_store::catalog::Catalog;
use gatepost_store::data::Session;

use super::dictionary::{Dictionary, Viewer};
use super::event::{Event, ScriptFailure, ScriptOptions, ScriptReport};
use super::host::ScriptHost;
use super::report;

/// Runs a script. What happens is told to `sink` while it does; the report comes at the end.
///
/// Each block and each other statement is a transaction of its own. The first one that fails takes no effect and
/// ends the script; what came before stays.
pub fn run(
    host: &dyn ScriptHost,
    script: &str,
    options: &ScriptOptions,
    sink: &mut dyn FnMut(Event),
) -> Result<ScriptReport, Box<ScriptFailure>> {
    let (outcome, before, after) = run_through(host, script, options, sink);
    finish(host, script, outcome, &before, &after)
}

/// Runs a dry run; what it came to, with the catalog as it is and as it would be.
pub(super) fn rehearse(
    host: &dyn ScriptHost,
    script: &str,
    options: &ScriptOptions,
) -> Result<(ScriptReport, Arc<Catalog>, Arc<Catalog>), Box<ScriptFailure>> {
    let (outcome, before, after) = run_through(host, script, options, &mut |_| {});
    let report = finish(host, script, outcome, &before, &after)?;
    Ok((report, before, after))
}

/// Runs the statements; the catalogs before and after them.
fn run_through(
    host: &dyn ScriptHost,
    script: &str,
    options: &ScriptOptions,
    sink: &mut dyn FnMut(Event),
) -> (Result<(), Diagnostic>, Arc<Catalog>, Arc<Catalog>) {
    let before = host.catalog();
    let mut driver = Driver {
        host,
        options,
        sink,
        current: options.schema.as_ref().map(|name| name.to_ascii_lowercase()),
        dry: options.dry_run.then(|| Arc::clone(&before)),
        session: None,
    };
    let outcome = driver.statements(script);
    driver.close();
    let after = driver.catalog();
    (outcome, before, after)
}

fn finish(
    host: &dyn ScriptHost,
    script: &str,
    outcome: Result<(), Diagnostic>,
    before: &Catalog,
    after: &Catalog,
) -> Result<ScriptReport, Box<ScriptFailure>> {
    let report = report::summarize(host, before, after);
    match outcome {
        Ok(()) => Ok(report),
        Err(diagnostic) => {
            let rendered = diagnostic.render(script);
            Err(Box::new(ScriptFailure { diagnostic, rendered, report }))
        }
    }
}

/// A script on its way.
pub(super) struct Driver<'a> {
    pub(super) host: &'a dyn ScriptHost,
    pub(super) options: &'a ScriptOptions,
    pub(super) sink: &'a mut dyn FnMut(Event),
    /// The schema that the script works in, by name.
    pub(super) current: Option<String>,
    /// In a dry run: the catalog as it would be by now.
    pub(super) dry: Option<Arc<Catalog>>,
    session: Option<OpenSession>,
}

/// The connection to the current schema's data.
struct OpenSession {
    schema: String,
    session: Session,
    in_transaction: bool,
}

impl Driver<'_> {
    fn statements(&mut self, script: &str) -> Result<(), Diagnostic> {
        for statement in split(script)? {
            for warning in &statement.warnings {
                self.note(warning.position.line, warning.message.clone());
            }
            if self.statement(&statement)? == Flow::Exit {
                break;
            }
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Statement) -> Result<Flow, Diagnostic> {
        let line = statement.position.line;
        match &statement.kind {
            StatementKind::Block => self.block(statement)?,
            StatementKind::Sql => self.sql(statement)?,
            StatementKind::Commit => {}
            StatementKind::Rollback => {
                let text = "ROLLBACK has nothing to undo: each statement is a transaction of its own";
                self.note(line, text.into());
            }
            StatementKind::Directive { name } if matches!(name.as_str(), "EXIT" | "QUIT") => {
                return Ok(Flow::Exit);
            }
            StatementKind::Directive { name } if name == "PROMPT" => {
                let text = statement.text.split_once(char::is_whitespace).map_or("", |(_, text)| text);
                (self.sink)(Event::Output(text.to_owned()));
            }
            StatementKind::Directive { name } if name == "REM" => {}
            StatementKind::Directive { name } if matches!(name.as_str(), "START" | "@" | "@@") => {
                let message = "other files are not read from a script; run them one by one, each with \
                               `gatepost sql FILE`";
                return Err(Diagnostic::new(message, statement.position));
            }
            StatementKind::Directive { name } => self.note(line, format!("{name} is ignored")),
        }
        Ok(Flow::Next)
    }

    pub(super) fn note(&mut self, line: u32, text: String) {
        (self.sink)(Event::Note { line, text });
    }

    /// The newest catalog, or in a dry run what it would be.
    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.dry.clone().unwrap_or_else(|| self.host.catalog())
    }

    /// What the views show, from this catalog.
    pub(super) fn dictionary(&self, catalog: &Catalog, schema: Option<Arc<Schema>>) -> Dictionary {
        let runs = schema.as_ref().map(|schema| self.host.sync_runs(schema)).unwrap_or_default();
        Dictionary {
            catalog: catalog.clone(),
            schema,
            viewer: Viewer { name: self.options.author.clone(), administrator: self.options.administrator },
            key_ring: self.host.key_ring(),
            runs,
            now_ms: self.host.now_ms(),
        }
    }

    /// The connection to a schema's data, inside a transaction.
    pub(super) fn session(&mut self, schema: &Schema) -> Result<&mut Session, String> {
        if self.session.as_ref().is_some_and(|open| open.schema != schema.name) {
            self.close();
        }
        let mut open = if let Some(open) = self.session.take() {
            open
        } else {
            let session = self.host.session(schema)?;
            OpenSession { schema: schema.name.clone(), session, in_transaction: false }
        };
        if !open.in_transaction {
            open.session.begin().map_err(|error| error.message)?;
            open.in_transaction = true;
        }
        Ok(&mut self.session.insert(open).session)
    }

    /// Whether a transaction is open on the data.
    pub(super) fn in_transaction(&self) -> bool {
        self.session.as_ref().is_some_and(|open| open.in_transaction)
    }

    /// Keeps what was done on the data. A dry run goes on in the same transaction, which `close` undoes.
    pub(super) fn commit_data(&mut self) -> Result<(), String> {
        match &mut self.session {
            Some(open) if open.in_transaction && !self.options.dry_run => {
                open.in_transaction = false;
                open.session.commit().map_err(|error| error.message)
            }
            _ => Ok(()),
        }
    }

    /// Undoes what was done on the data since the last end of a transaction.
    pub(super) fn roll_back_data(&mut self) {
        if let Some(open) = &mut self.session
            && open.in_transaction
        {
            open.in_transaction = false;
            if open.session.rollback().is_err() {
                self.session = None;
            }
        }
    }

    fn close(&mut self) {
        self.roll_back_data();
        self.session = None;
    }
}

/// Whether the script goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Exit,
}
