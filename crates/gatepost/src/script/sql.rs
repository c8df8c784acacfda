//! SQL between the blocks: each statement in a transaction of its own, on the data of the script's schema.

use std::sync::Arc;

use gatepost_plsql::{Diagnostic, Position, Statement};
use gatepost_rest::definition::Schema;
use gatepost_rest::sql::Dialect;

use super::driver::Driver;
use super::event::Event;

impl Driver<'_> {
    pub(super) fn sql(&mut self, statement: &Statement) -> Result<(), Diagnostic> {
        let at = statement.position;
        let catalog = self.catalog();
        let schema = self.current_schema(at)?;
        if self.host.dialect(&schema) == Dialect::Sqlite
            && let Some(construct) = foreign_to_sqlite(&statement.text)
        {
            self.note(at.line, format!("{construct} is not run: SQLite has no such thing"));
            return Ok(());
        }
        let dictionary = self.dictionary(&catalog, Some(Arc::clone(&schema)));
        let place = |offset: usize| advance(at, &statement.text, offset);
        let expanded = self
            .expand(&schema, &catalog, &statement.text)
            .map_err(|refusal| Diagnostic::new(refusal.to_string(), place(refusal.offset)))?;
        let session = self.session(&schema).map_err(|message| Diagnostic::new(message, at))?;
        let result = match session.run(&expanded.text, &expanded.binds, &dictionary) {
            Ok(result) => result,
            Err(error) => {
                let place = error.offset.map_or(at, |offset| place(expanded.original_offset(offset)));
                self.roll_back_data();
                return Err(Diagnostic::new(error.message, place));
            }
        };
        self.commit_data().map_err(|message| Diagnostic::new(message, at))?;
        if result.columns.is_empty() {
            (self.sink)(Event::Affected { verb: verb(&statement.text), rows: result.affected });
            return Ok(());
        }
        let mut rows = result.rows;
        let limit = self.options.row_limit.unwrap_or(usize::MAX);
        let truncated = result.truncated || rows.len() > limit;
        rows.truncate(limit);
        (self.sink)(Event::Rows { columns: result.columns, rows, truncated });
        Ok(())
    }

    /// The schema that the script works in.
    fn current_schema(&self, at: Position) -> Result<Arc<Schema>, Diagnostic> {
        let Some(name) = &self.current else {
            let message = "no schema is chosen; give one with `--schema NAME`, or begin the script with \
                           ORDS.ENABLE_SCHEMA(p_schema => …)";
            return Err(Diagnostic::new(message, at));
        };
        let catalog = self.catalog();
        catalog.schema_by_name(name).map(Arc::clone).ok_or_else(|| {
            let known = catalog.schemas.values().map(|schema| schema.name.as_str());
            let diagnostic = Diagnostic::new(format!("schema `{name}` is not REST-enabled"), at);
            match gatepost_plsql::nearest(name, known) {
                Some(nearest) => diagnostic.with_suggestion(nearest),
                None => diagnostic,
            }
        })
    }
}

/// What a statement does, in capitals: its first word, and the kind of object for DDL.
fn verb(text: &str) -> String {
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_ascii_uppercase();
    let is_ddl = matches!(first.as_str(), "CREATE" | "ALTER" | "DROP");
    let kind = words.map(str::to_ascii_uppercase).find(|word| {
        matches!(
            word.as_str(),
            "TABLE" | "VIEW" | "INDEX" | "TRIGGER" | "SEQUENCE" | "FUNCTION" | "PROCEDURE"
        )
    });
    match kind.filter(|_| is_ddl) {
        Some(kind) => format!("{first} {kind}"),
        None => first,
    }
}

/// What no SQLite can run, though scripts for Oracle hold it beside their definitions: rights, accounts, stored code.
fn foreign_to_sqlite(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let mut words = words.map(str::to_ascii_uppercase);
    let first = words.next()?;
    match first.as_str() {
        "GRANT" | "REVOKE" | "COMMENT" => Some(first),
        "ALTER" | "CREATE" | "DROP" => {
            let modifiers = ["OR", "REPLACE", "EDITIONABLE", "NONEDITIONABLE", "PUBLIC", "FORCE"];
            let kind = words.find(|word| !modifiers.contains(&word.as_str()))?;
            let foreign =
                ["SESSION", "SYSTEM", "USER", "ROLE", "PROCEDURE", "FUNCTION", "PACKAGE", "TYPE", "SYNONYM"];
            foreign.contains(&kind.as_str()).then(|| format!("{first} {kind}"))
        }
        _ => None,
    }
}

/// The place some bytes into a text that begins at `start`.
fn advance(start: Position, text: &str, bytes: usize) -> Position {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let breaks = before.matches('\n').count() as u32;
    let column = match before.rsplit_once('\n') {
        Some((_, line)) => line.chars().count() as u32 + 1,
        None => start.column + before.chars().count() as u32,
    };
    Position { offset: start.offset + end, line: start.line + breaks, column }
}
