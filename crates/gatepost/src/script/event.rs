//! What a script reports: progress while it runs, a summary at the end, and why it stopped.

use std::fmt;

use gatepost_plsql::Diagnostic;
use gatepost_store::data::SessionValue;

/// How a script is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptOptions {
    /// The schema that the script works in; absent: the one that it enables first.
    pub schema: Option<String>,
    /// Who runs it.
    pub author: String,
    /// Whether they may manage schemas and call the ADMIN packages.
    pub administrator: bool,
    /// The most rows of a query that are reported; absent: all that the session gives.
    pub row_limit: Option<usize>,
    /// Where it was started: `sql`, `console`. Kept in the history.
    pub source: String,
    /// Runs everything and keeps nothing.
    pub dry_run: bool,
}

/// Something that happened while a script ran.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A query's rows.
    Rows {
        /// Column names.
        columns: Vec<String>,
        /// The rows.
        rows: Vec<Vec<SessionValue>>,
        /// Whether there were more.
        truncated: bool,
    },
    /// A statement was carried out.
    Affected {
        /// What it did, in capitals: `INSERT`, `CREATE TABLE`.
        verb: String,
        /// How many rows, where that means something.
        rows: Option<u64>,
    },
    /// A line that the script wrote (`DBMS_OUTPUT`).
    Output(String),
    /// Something that the author should know.
    Note {
        /// The line of the script it is about.
        line: u32,
        /// What.
        text: String,
    },
    /// A block took effect.
    BlockDone {
        /// The line it begins at.
        line: u32,
        /// What changed, one object each.
        changes: Vec<String>,
    },
}

/// What a script came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptReport {
    /// Modules that were made or changed.
    pub modules: usize,
    /// Templates in them.
    pub templates: usize,
    /// Handlers in them.
    pub handlers: usize,
    /// Handlers that are defined and cannot run here.
    pub refused: Vec<RefusedHandler>,
    /// Handlers whose tables or columns are missing so far.
    pub waiting: Vec<WaitingHandler>,
    /// Privileges that admit somebody whom a wider privilege refuses.
    pub narrower: Vec<String>,
}

impl ScriptReport {
    /// Handlers that can run.
    pub fn runnable(&self) -> usize {
        self.handlers - self.refused.len()
    }

    /// Whether there is nothing to tell: no service and no lock was made, changed or stopped.
    pub fn is_empty(&self) -> bool {
        self.modules == 0 && self.narrower.is_empty() && self.waiting.is_empty()
    }
}

impl fmt::Display for ScriptReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { modules, templates, handlers, .. } = self;
        writeln!(
            f,
            "{modules} modules, {templates} templates, {handlers} handlers: {} runnable, {} refused",
            self.runnable(),
            self.refused.len()
        )?;
        for refused in &self.refused {
            writeln!(f, "{refused}")?;
        }
        for waiting in &self.waiting {
            writeln!(f, "{waiting}")?;
        }
        for narrower in &self.narrower {
            writeln!(f, "note: {narrower}")?;
        }
        Ok(())
    }
}

/// Where a handler is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerPlace {
    /// The module's name.
    pub module: String,
    /// The template's pattern.
    pub pattern: String,
    /// The method.
    pub method: &'static str,
}

impl fmt::Display for HandlerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "module `{}`, template `{}`, {}", self.module, self.pattern, self.method)
    }
}

/// A handler that is defined and not runnable: it answers 501.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedHandler {
    /// Which.
    pub place: HandlerPlace,
    /// What stands in the way.
    pub construct: String,
    /// A sentence for the author.
    pub message: String,
}

impl fmt::Display for RefusedHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (defined, not runnable)", self.place, self.message)
    }
}

/// A handler that the database cannot prepare yet: it answers 503 until it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingHandler {
    /// Which.
    pub place: HandlerPlace,
    /// What the database says.
    pub message: String,
}

impl fmt::Display for WaitingHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning: {}: {} (defined, compiled as soon as it can be)", self.place, self.message)
    }
}

/// Why a script stopped. Statements before the failing one stay in effect, of the failing one nothing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFailure {
    /// The problem, with its place in the script.
    pub diagnostic: Diagnostic,
    /// The problem for people to read: message, line, a caret below the place, what was probably meant.
    pub rendered: String,
    /// What the statements before came to.
    pub report: ScriptReport,
}

impl fmt::Display for ScriptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rendered.trim_end())
    }
}

impl std::error::Error for ScriptFailure {}
