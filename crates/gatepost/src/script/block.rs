//! One block: the machine runs it, this file answers it (design decision 21).
//!
//! The block works on a copy of the catalog and inside one transaction on the data. Both are kept together at the
//! end or dropped together at the first error that the block does not handle itself.

use std::sync::Arc;

use gatepost_plsql::{
    Answer, Block, Call, Diagnostic, Environment, Machine, Position, Raised, RowsWanted, Statement, Step,
    Value, parse_block,
};
use gatepost_rest::definition::Schema;
use gatepost_store::catalog::{Catalog, Change, CommitError};
use gatepost_store::data::{SessionError, SessionResult, SessionValue};

use super::driver::Driver;
use super::event::Event;
use super::refusal::code;
use super::remote::refuse_within_block;
use super::working::Working;
use super::{changes, doors, packages};

/// Codes of Oracle's own that exception handlers know.
const DUPLICATE_KEY: i32 = -1;
const NO_SUCH_TABLE: i32 = -942;
const SQL_FAILED: i32 = -900;

impl Driver<'_> {
    /// Runs a block. If somebody changed the catalog meanwhile, it is run once more on the new one.
    pub(super) fn block(&mut self, statement: &Statement) -> Result<(), Diagnostic> {
        let block = parse_block(&statement.text, statement.position)?;
        check_calls(&block)?;
        let at = statement.position;
        for last_attempt in [false, true] {
            let base = self.catalog();
            let mut run = BlockRun::new(self, &base);
            if let Err(diagnostic) = self.steps(block.clone(), &mut run) {
                self.roll_back_data();
                self.report_output(&mut run, at);
                return Err(diagnostic);
            }
            if let Some(refusal) = doors::refusal(&base, &run.working) {
                self.roll_back_data();
                return Err(Diagnostic { code: Some(code::WOULD_OPEN), ..Diagnostic::new(refusal, at) });
            }
            match self.keep(&base, &run, at)? {
                Kept::Yes => {
                    self.report_output(&mut run, at);
                    self.current = run.working.current.clone();
                    let changes = changes::describe(&base, &run.working.catalog);
                    (self.sink)(Event::BlockDone { line: at.line, changes });
                    return self.synchronize(&run.working, at);
                }
                Kept::Conflict(message) if last_attempt => return Err(Diagnostic::new(message, at)),
                Kept::Conflict(_) => {}
            }
        }
        Ok(())
    }

    /// Copies the sources that the block asked for: after it, so that none waits for its transaction or is undone with it.
    fn synchronize(&mut self, working: &Working, at: Position) -> Result<(), Diagnostic> {
        for (id, full) in &working.synchronizations {
            let Some(source) = working.catalog.rest_sources.get(id) else { continue };
            if self.options.dry_run {
                self.note(at.line, format!("{} would be synchronized", source.name));
                continue;
            }
            let done = self.host.synchronize(source, *full).map_err(|why| {
                let message = format!("the block took effect, synchronizing {} failed: {why}", source.name);
                Diagnostic::new(message, at)
            })?;
            (self.sink)(Event::Output(done));
        }
        Ok(())
    }

    fn report_output(&mut self, run: &mut BlockRun, at: Position) {
        for text in run.working.notes.drain(..) {
            self.note(at.line, text);
        }
        for line in run.output.drain(..) {
            (self.sink)(Event::Output(line));
        }
    }

    /// Keeps what the block did: its data first, then its definitions.
    fn keep(&mut self, base: &Catalog, run: &BlockRun, at: Position) -> Result<Kept, Diagnostic> {
        let changed = !changes::schemas(base, &run.working.catalog).is_empty();
        if self.options.dry_run {
            self.dry = Some(Arc::new(run.working.catalog.clone()));
            return Ok(Kept::Yes);
        }
        if run.wrote() {
            // The later commit of the catalog must not fail for a reason that is known by now.
            if changed && self.host.catalog().revision != base.revision {
                self.roll_back_data();
                return Ok(Kept::Conflict(
                    "the definitions were changed meanwhile; run the block again".into(),
                ));
            }
            self.commit_data().map_err(|message| Diagnostic::new(message, at))?;
        } else {
            self.roll_back_data();
        }
        if !changed {
            return Ok(Kept::Yes);
        }
        let change = Change {
            author: self.options.author.clone(),
            source: self.options.source.clone(),
            now_ms: run.working.now_ms,
        };
        match self.host.commit(base, &run.working.catalog, &change) {
            Ok(_) => Ok(Kept::Yes),
            Err(error) if run.wrote() => {
                let message = format!("the block's data is committed, its definitions are not: {error}");
                Err(Diagnostic::new(message, at))
            }
            Err(error @ CommitError::Conflict { .. }) => Ok(Kept::Conflict(error.to_string())),
            Err(error) => Err(Diagnostic::new(error.to_string(), at)),
        }
    }

    fn steps(&mut self, block: Block, run: &mut BlockRun) -> Result<(), Diagnostic> {
        let now = super::timestamp(run.working.now_ms);
        let environment = Environment {
            sysdate: Some(now.chars().take(19).collect::<String>().replace('T', " ")),
            systimestamp: Some(now),
            ..Environment::new(self.current.clone().unwrap_or_default().to_uppercase())
        };
        let mut machine = Machine::new(block, environment);
        loop {
            let answer = match machine.step()? {
                Step::Done => return Ok(()),
                Step::Call(call) => self.call(run, &call),
                Step::Constant { package, name, position } => match packages::constant(&package, &name) {
                    Some(value) => Answer::Value(value),
                    None => self.call(run, &without_arguments(package, name, position)),
                },
                Step::Query { sql, binds, position, rows } => self.query(run, &sql, &binds, position, rows),
                Step::Execute { sql, binds, position } => self.execute(run, &sql, &binds, position),
                Step::Commit => {
                    run.mark_commit();
                    Answer::Done
                }
                Step::Rollback => self.roll_back(run),
                Step::Output(line) => {
                    run.output.push(line);
                    Answer::Done
                }
            };
            machine.resume(answer);
        }
    }

    fn call(&self, run: &mut BlockRun, call: &Call) -> Answer {
        let before = run.working.clone();
        match packages::run(&mut run.working, self.host, call) {
            Ok(value) if call.wants_value => Answer::Value(value),
            Ok(_) => Answer::Done,
            Err(refusal) => {
                // A call that fails has done nothing, whatever the block makes of the failure.
                run.working = before;
                Answer::Failed(refusal.into_raised())
            }
        }
    }

    fn query(
        &mut self,
        run: &mut BlockRun,
        sql: &str,
        binds: &[(String, Value)],
        position: Position,
        wanted: RowsWanted,
    ) -> Answer {
        let result = match self.run_sql(run, sql, binds) {
            Ok(result) => result,
            Err(failure) => return Answer::Failed(failure.into_raised().at(position)),
        };
        run.wrote_since_commit |= result.affected.is_some();
        if result.truncated && wanted == RowsWanted::Many {
            let message = format!("the query gives more than {} rows", result.rows.len());
            return Answer::Failed(Raised::new(SQL_FAILED, message).at(position));
        }
        let rows = result.rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect();
        Answer::Table { columns: result.columns, rows }
    }

    fn execute(
        &mut self,
        run: &mut BlockRun,
        sql: &str,
        binds: &[(String, Value)],
        position: Position,
    ) -> Answer {
        run.wrote_since_commit = true;
        match self.run_sql(run, sql, binds) {
            Ok(result) => Answer::Affected(result.affected.unwrap_or_default()),
            Err(failure) => Answer::Failed(failure.into_raised().at(position)),
        }
    }

    fn run_sql(
        &mut self,
        run: &BlockRun,
        sql: &str,
        binds: &[(String, Value)],
    ) -> Result<SessionResult, SqlFailure> {
        let schema = run.schema()?;
        refuse_within_block(sql, self.host.dialect(&schema)).map_err(SqlFailure::Message)?;
        let mut values = Vec::with_capacity(binds.len());
        for (name, bound) in binds {
            values.push((name.clone(), session_value(bound).ok_or_else(|| SqlFailure::unbindable(name))?));
        }
        let dictionary = self.dictionary(&run.working.catalog, Some(Arc::clone(&schema)));
        let session = self.session(&schema).map_err(SqlFailure::Message)?;
        session.run(sql, &values, &dictionary).map_err(SqlFailure::Database)
    }

    /// ROLLBACK drops what the block did since its last COMMIT.
    fn roll_back(&mut self, run: &mut BlockRun) -> Answer {
        if run.wrote_since_commit && self.options.dry_run {
            let message = "a dry run is one transaction and cannot undo changes of data halfway";
            return Answer::Failed(Raised::new(SQL_FAILED, message));
        }
        if run.wrote_since_commit && run.wrote_before_commit {
            let message = "ROLLBACK cannot part the data that this block changed before its COMMIT from what came \
                           after; make them two blocks";
            return Answer::Failed(Raised::new(SQL_FAILED, message));
        }
        if run.wrote_since_commit {
            self.roll_back_data();
            run.wrote_since_commit = false;
        }
        let notes = std::mem::take(&mut run.working.notes);
        run.working = run.committed.clone();
        run.working.notes = notes;
        Answer::Done
    }
}

/// What became of a block's changes.
enum Kept {
    Yes,
    /// Somebody else was first, and nothing was kept.
    Conflict(String),
}

/// A block while it runs.
struct BlockRun {
    working: Working,
    /// The working catalog at the last COMMIT.
    committed: Working,
    wrote_before_commit: bool,
    wrote_since_commit: bool,
    output: Vec<String>,
}

impl BlockRun {
    fn new(driver: &Driver<'_>, base: &Catalog) -> Self {
        let working = Working {
            catalog: base.clone(),
            current: driver.current.clone(),
            author: driver.options.author.clone(),
            administrator: driver.options.administrator,
            now_ms: driver.host.now_ms(),
            notes: Vec::new(),
            orphans: Vec::new(),
            synchronizations: Vec::new(),
        };
        Self {
            committed: working.clone(),
            working,
            wrote_before_commit: false,
            wrote_since_commit: false,
            output: Vec::new(),
        }
    }

    fn wrote(&self) -> bool {
        self.wrote_before_commit || self.wrote_since_commit
    }

    fn mark_commit(&mut self) {
        self.committed = self.working.clone();
        self.wrote_before_commit |= self.wrote_since_commit;
        self.wrote_since_commit = false;
    }

    fn schema(&self) -> Result<Arc<Schema>, SqlFailure> {
        let name = self.working.current.as_ref();
        let found = name.and_then(|name| self.working.catalog.schema_by_name(name));
        found.map(Arc::clone).ok_or_else(|| {
            SqlFailure::Message("a query needs a schema; ORDS.ENABLE_SCHEMA or `--schema NAME` first".into())
        })
    }
}

/// Finds misspelt packages, calls and parameters before anything runs.
fn check_calls(block: &Block) -> Result<(), Diagnostic> {
    for site in block.calls() {
        let names = site.arguments.iter().map(|(name, position)| (name.as_deref(), *position));
        packages::check_call(site.package, site.name, names)
            .map_err(|refusal| refusal.into_diagnostic(site.position))?;
    }
    Ok(())
}

/// A name without parentheses that is no constant: a function without arguments.
fn without_arguments(package: String, name: String, position: Position) -> Call {
    Call { package: Some(package), name, arguments: Vec::new(), position, wants_value: true }
}

/// Why SQL in a block failed.
enum SqlFailure {
    Message(String),
    Database(SessionError),
}

impl SqlFailure {
    fn unbindable(name: &str) -> Self {
        Self::Message(format!("`{name}` is an array or a record and cannot be used in SQL"))
    }

    fn into_raised(self) -> Raised {
        let message = match self {
            Self::Message(message) => message,
            Self::Database(error) => error.message,
        };
        let lower = message.to_lowercase();
        let code = if lower.contains("unique constraint") || lower.contains("duplicate key") {
            DUPLICATE_KEY
        } else if lower.contains("no such table") || lower.contains("does not exist") {
            NO_SUCH_TABLE
        } else {
            SQL_FAILED
        };
        Raised::new(code, message)
    }
}

/// A value of the data as the machine calculates with it.
fn value(value: SessionValue) -> Value {
    match value {
        SessionValue::Null => Value::Null,
        SessionValue::Integer(number) => Value::from(number),
        SessionValue::Real(number) => Value::Number(number.to_string()),
        SessionValue::Number(digits) => Value::Number(digits),
        SessionValue::Boolean(truth) => Value::Boolean(truth),
        SessionValue::Text(text) => Value::text(text),
        SessionValue::Blob(bytes) => Value::text(String::from_utf8_lossy(&bytes)),
    }
}

/// A value of the machine as SQL binds it; none for arrays and records.
fn session_value(value: &Value) -> Option<SessionValue> {
    Some(match value {
        Value::Null => SessionValue::Null,
        Value::Text(text) => SessionValue::Text(text.clone()),
        Value::Number(digits) => match digits.parse::<i64>() {
            Ok(number) => SessionValue::Integer(number),
            Err(_) => digits.parse().map_or_else(|_| SessionValue::Text(digits.clone()), SessionValue::Real),
        },
        Value::Boolean(truth) => SessionValue::Integer(i64::from(*truth)),
        Value::Array(_) | Value::Record(_) => return None,
    })
}
