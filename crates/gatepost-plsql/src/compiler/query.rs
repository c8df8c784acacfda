//! SQL inside a block: its variables become binds. The database's own lexer judges the rest.

use crate::ast::{Sql, VariableKind};
use crate::diagnostic::{Diagnostic, Position};
use crate::program::{Operation, SqlText};
use crate::token::{Token, TokenKind};

use super::Compiler;

/// What follows these words is a table, a column alias or the like, never a variable.
const BEFORE_NAMES: [&str; 6] = ["from", "join", "into", "update", "table", "as"];

impl Compiler<'_> {
    /// The text with binds; leaves their values on the stack.
    pub(super) fn sql(&mut self, sql: &Sql) -> Result<SqlText, Diagnostic> {
        let mut writer = Writer::default();
        for run in &sql.runs {
            let tokens = self.tokens.get(run.clone()).unwrap_or_default();
            writer.separate();
            self.run(tokens, &mut writer)?;
        }
        let all: Vec<&Token> =
            sql.runs.iter().filter_map(|run| self.tokens.get(run.clone())).flatten().collect();
        let binds = writer.binds.into_iter().map(|(name, _)| name).collect();
        Ok(SqlText { sql: writer.sql, binds, columns: column_names(&all) })
    }

    /// Where a SQL statement begins.
    pub(super) fn sql_position(&self, sql: &Sql) -> Option<Position> {
        self.tokens.get(sql.runs.first()?.start).map(|token| token.position)
    }

    /// Writes tokens that follow each other in the text.
    fn run(&mut self, tokens: &[Token], writer: &mut Writer) -> Result<(), Diagnostic> {
        let columns = insert_columns(tokens);
        let mut copied = tokens.first().map_or(0, |token| token.start);
        let mut index = 0;
        while let Some(token) = tokens.get(index) {
            writer.sql.push_str(&self.text[copied..token.start]);
            let used =
                if columns.contains(&index) { 0 } else { self.variable_in_sql(tokens, index, writer)? };
            let last = &tokens[index + used.saturating_sub(1)];
            if used == 0 {
                writer.sql.push_str(&self.plain(token));
            }
            copied = last.end;
            index += used.max(1);
        }
        Ok(())
    }

    /// A token as it goes to the database: strings in the notation that all databases know.
    fn plain(&self, token: &Token) -> String {
        let source = &self.text[token.start..token.end];
        match &token.kind {
            TokenKind::Text(value) if !source.starts_with('\'') => format!("'{}'", value.replace('\'', "''")),
            _ => source.to_owned(),
        }
    }

    /// Writes a bind if a variable stands at `index`. Returns how many tokens it took.
    fn variable_in_sql(
        &mut self,
        tokens: &[Token],
        index: usize,
        writer: &mut Writer,
    ) -> Result<usize, Diagnostic> {
        let Some(name) = tokens[index].word() else { return Ok(0) };
        let Some((slot, _)) = self.scope.find_variable(name) else { return Ok(0) };
        if names_something_else(tokens, index) {
            return Ok(0);
        }
        let position = tokens[index].position;
        let follows = |symbol: &str| tokens.get(index + 1).is_some_and(|next| next.is_symbol(symbol));
        let kind = self.block.slots[slot].kind;
        let fields = match kind {
            VariableKind::Array if follows("(") || follows(".") => {
                let message = format!(
                    "an array is not supported in SQL: put the value of `{name}` into a variable first"
                );
                return Err(Diagnostic::new(message, position));
            }
            VariableKind::Row | VariableKind::Untyped => fields_after(tokens, index),
            _ if follows(".") => return Ok(0),
            _ => Vec::new(),
        };
        if fields.is_empty() && kind == VariableKind::Row {
            return Ok(0);
        }
        let path = std::iter::once(name).chain(fields.iter().copied()).collect::<Vec<_>>().join(".");
        if writer.bind(&path) {
            self.emit(Operation::Load(slot), position);
            for field in &fields {
                self.emit(Operation::LoadField((*field).to_owned()), position);
            }
        }
        Ok(1 + 2 * fields.len())
    }
}

/// SQL being written.
#[derive(Default)]
struct Writer {
    sql: String,
    /// Bind names and the variables they stand for.
    binds: Vec<(String, String)>,
}

impl Writer {
    /// Puts a blank between what was left apart.
    fn separate(&mut self) {
        if !self.sql.is_empty() {
            self.sql.push(' ');
        }
    }

    /// Writes the bind of a variable. True if it is a new one.
    fn bind(&mut self, path: &str) -> bool {
        let known = self.binds.iter().find(|(_, own)| own == path).map(|(name, _)| name.clone());
        let is_new = known.is_none();
        let name = known.unwrap_or_else(|| self.new_name(path));
        self.sql.push(':');
        self.sql.push_str(&name);
        if is_new {
            self.binds.push((name, path.to_owned()));
        }
        is_new
    }

    fn new_name(&self, path: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut name: String = path.chars().map(plain).collect();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            name.insert(0, 'v');
        }
        let is_taken = |name: &str| self.binds.iter().any(|(own, _)| own == name);
        while is_taken(&name) {
            name.push('_');
        }
        name
    }
}

/// Whether a word that a variable is called by means something of the database here.
fn names_something_else(tokens: &[Token], index: usize) -> bool {
    let next_is = |symbol: &str| tokens.get(index + 1).is_some_and(|next| next.is_symbol(symbol));
    let Some(previous) = index.checked_sub(1).and_then(|before| tokens.get(before)) else { return true };
    if previous.is_symbol(".") {
        return true;
    }
    if previous.word().is_some_and(|word| BEFORE_NAMES.contains(&word)) {
        return true;
    }
    let is_update = tokens.first().is_some_and(|first| first.is_word("update") || first.is_word("merge"));
    is_update && next_is("=") && (previous.is_word("set") || previous.is_symbol(","))
}

/// The names in `.a.b` after a variable.
fn fields_after(tokens: &[Token], index: usize) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = tokens.get(index + 1..).unwrap_or_default();
    while let [point, field, ..] = rest
        && point.is_symbol(".")
        && let Some(name) = field.name()
    {
        fields.push(name);
        rest = &rest[2..];
    }
    fields
}

/// The tokens of `(a, b)` in `INSERT INTO t (a, b)`.
fn insert_columns(tokens: &[Token]) -> std::ops::Range<usize> {
    if !tokens.first().is_some_and(|first| first.is_word("insert")) {
        return 0..0;
    }
    let ends = |token: &Token| matches!(token.word(), Some("values" | "select" | "with" | "default"));
    let open = tokens.iter().position(|token| token.is_symbol("(") || ends(token));
    let Some(open) = open.filter(|open| tokens[*open].is_symbol("(")) else { return 0..0 };
    let length = tokens[open..].iter().position(|token| token.is_symbol(")")).unwrap_or(0);
    open..open + length
}

/// The names of a query's columns: aliases, or the last word of each item. None if a `*` hides them.
fn column_names(tokens: &[&Token]) -> Option<Vec<String>> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    let mut last: Option<&Token> = None;
    let mut in_list = false;
    for token in tokens {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is_word("select") {
            in_list = true;
            continue;
        }
        let ends_item = depth == 0 && (token.is_symbol(",") || token.is_word("from"));
        if in_list && ends_item {
            names.push(item_name(last?)?);
            if token.is_word("from") {
                return Some(names);
            }
        }
        last = Some(token);
    }
    names.push(item_name(last?)?);
    Some(names)
}

fn item_name(last: &Token) -> Option<String> {
    if last.is_symbol("*") {
        return None;
    }
    Some(last.name().unwrap_or_default().to_owned())
}
