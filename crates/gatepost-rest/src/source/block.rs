//! Sources of type `plsql/block` without logic: one bare statement, or a block of DML, calls and assignments.

use super::{Compiler, Literal, NotRunnable, Step, without_end};
use crate::definition::Method;
use crate::sql::{Dialect, Kind, Token};

const SINGLE: [&str; 7] = ["insert", "update", "delete", "replace", "merge", "with", "call"];

/// Makes a query of an expression, with a bracket behind it.
const SELECT: &str = "select (";

impl Compiler<'_> {
    pub(super) fn block(&mut self, tokens: &[Token]) -> Result<Vec<Step>, NotRunnable> {
        let tokens = without_end(self.source, tokens);
        let Some(first) = tokens.first() else {
            return Err(NotRunnable::at(self.source, 0, "nothing", "the source is empty"));
        };
        if first.is_word(self.source, "begin") {
            return self.statements(&tokens[1..], first);
        }
        if SINGLE.iter().any(|word| first.is_word(self.source, word)) {
            return Ok(vec![self.change(tokens, false)?]);
        }
        Err(self.unknown(tokens))
    }

    /// The statements between BEGIN and END.
    fn statements(&mut self, tokens: &[Token], begin: &Token) -> Result<Vec<Step>, NotRunnable> {
        let mut steps = Vec::new();
        let mut rest = tokens;
        loop {
            let length =
                rest.iter().position(|token| token.is_symbol(self.source, ";")).unwrap_or(rest.len());
            let (statement, tail) = rest.split_at(length);
            let Some(first) = statement.first() else {
                return Err(NotRunnable::at(self.source, begin.start, "BEGIN", "END is missing"));
            };
            if first.is_word(self.source, "end") {
                return self.end(statement, tail).map(|()| steps);
            }
            steps.extend(self.statement(statement)?);
            rest = tail.get(1..).unwrap_or_default();
        }
    }

    fn end(&self, statement: &[Token], tail: &[Token]) -> Result<(), NotRunnable> {
        match statement.get(1).or_else(|| without_end(self.source, tail).get(1)) {
            None => Ok(()),
            Some(more) => {
                let construct = more.text(self.source);
                Err(NotRunnable::at(self.source, more.start, construct, "nothing may follow the block's END"))
            }
        }
    }

    fn statement(&mut self, statement: &[Token]) -> Result<Option<Step>, NotRunnable> {
        let first = &statement[0];
        if SINGLE.iter().any(|word| first.is_word(self.source, word)) {
            return self.change(statement, true).map(Some);
        }
        if first.kind == Kind::Bind && statement.get(1).is_some_and(|next| next.is_symbol(self.source, ":="))
        {
            return self.assign(statement).map(Some);
        }
        let alone = statement.len() == 1;
        let commit_work = statement.len() == 2 && statement[1].is_word(self.source, "work");
        if first.is_word(self.source, "commit") && (alone || commit_work) {
            // The request is one transaction, which ends with the block.
            return Ok(None);
        }
        if first.is_word(self.source, "null") && alone {
            return Ok(None);
        }
        Err(self.unknown(statement))
    }

    fn assign(&mut self, statement: &[Token]) -> Result<Step, NotRunnable> {
        let (target, expression) = (&statement[0], &statement[2..]);
        if expression.is_empty() {
            return Err(NotRunnable::at(self.source, statement[1].start, ":=", "an expression is missing"));
        }
        self.refuse_attribute(expression)?;
        let slot = self.slot(&target.text(self.source)[1..].to_lowercase());
        if let Some(value) = self.literal(expression) {
            return Ok(Step::Set { value, slot });
        }
        let mut expression = self.bound(expression)?;
        expression.sql.text = format!("{SELECT}{}\n)", expression.sql.text);
        for bind in &mut expression.sql.binds {
            bind.written += SELECT.len();
        }
        Ok(Step::Assign { expression, slot })
    }

    /// The value of an expression that is a literal and means the same to every database.
    fn literal(&self, expression: &[Token]) -> Option<Literal> {
        let [token] = expression else { return None };
        let text = token.text(self.source);
        match token.kind {
            Kind::Number => text.parse().ok().map(Literal::Integer),
            Kind::Text => {
                let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
                Some(Literal::Text(inner.replace("''", "'")))
            }
            Kind::Word if token.is_word(self.source, "null") => Some(Literal::Null),
            _ => None,
        }
    }

    fn change(&mut self, tokens: &[Token], in_block: bool) -> Result<Step, NotRunnable> {
        let first = tokens[0].start;
        let keyword = self.main_keyword(tokens);
        if !matches!(keyword.as_str(), "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "MERGE" | "CALL") {
            let message = "a query belongs in a source of a query type, or is a SELECT .. INTO, which does not run here";
            return Err(NotRunnable::at(self.source, first, &keyword, message));
        }
        let foreign = match self.dialect {
            Dialect::Sqlite => matches!(keyword.as_str(), "MERGE" | "CALL"),
            Dialect::Postgres => keyword == "REPLACE",
        };
        if foreign {
            let message = match keyword.as_str() {
                "CALL" => "SQLite has no procedures; write the statements themselves",
                _ => "this database does not have it",
            };
            return Err(NotRunnable::at(self.source, first, &keyword, message));
        }
        if self.method == Method::Get {
            return Err(NotRunnable::at(self.source, first, &keyword, "GET is read-only"));
        }
        self.refuse_attribute(tokens)?;
        let returning = self.outside_brackets(tokens, 0, "returning");
        // A procedure gives its OUT values as a row, without a word for it.
        let giving = if keyword == "CALL" { Some(0) } else { returning };
        let into = giving.and_then(|at| self.outside_brackets(tokens, at, "into"));
        if let (Some(at), None, true) = (returning, into, in_block) {
            let message = "RETURNING inside a block needs INTO :bind";
            return Err(NotRunnable::at(self.source, tokens[at].start, "RETURNING", message));
        }
        let targets = into.map_or(&[][..], |at| &tokens[at + 1..]);
        let into_slots = self.targets(targets)?;
        let mut statement = self.bound(&tokens[..into.unwrap_or(tokens.len())])?;
        statement.one_row = keyword == "INSERT" && self.lists_one_row(tokens);
        Ok(Step::Change { statement, into: into_slots })
    }

    /// Whether the values of an INSERT are one list in brackets.
    fn lists_one_row(&self, tokens: &[Token]) -> bool {
        let Some(values) = self.outside_brackets(tokens, 0, "values") else { return false };
        let list = &tokens[values + 1..];
        let mut depth = 0i32;
        for (index, token) in list.iter().enumerate() {
            if token.is_symbol(self.source, "(") {
                depth += 1;
            } else if token.is_symbol(self.source, ")") {
                depth -= 1;
            }
            if depth == 0 {
                let next = list.get(index + 1);
                let goes_on = ["on", "returning"];
                return index > 0
                    && next.is_none_or(|next| goes_on.iter().any(|word| next.is_word(self.source, word)));
            }
        }
        false
    }

    /// The binds behind INTO.
    fn targets(&mut self, tokens: &[Token]) -> Result<Vec<usize>, NotRunnable> {
        let mut slots = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            let fits = if index % 2 == 0 {
                token.kind == Kind::Bind
            } else {
                token.is_symbol(self.source, ",") && index + 1 < tokens.len()
            };
            if !fits {
                let construct = token.text(self.source);
                let message = "INTO takes binds, separated by commas";
                return Err(NotRunnable::at(self.source, token.start, construct, message));
            }
            if index % 2 == 0 {
                slots.push(self.slot(&token.text(self.source)[1..].to_lowercase()));
            }
        }
        Ok(slots)
    }

    fn outside_brackets(&self, tokens: &[Token], from: usize, word: &str) -> Option<usize> {
        let mut depth = 0i32;
        for (index, token) in tokens.iter().enumerate().skip(from) {
            if token.is_symbol(self.source, "(") {
                depth += 1;
            } else if token.is_symbol(self.source, ")") {
                depth -= 1;
            } else if depth == 0 && token.is_word(self.source, word) {
                return Some(index);
            }
        }
        None
    }

    /// `SQL%ROWCOUNT` and its like would read as a remainder of two columns.
    fn refuse_attribute(&self, tokens: &[Token]) -> Result<(), NotRunnable> {
        let attribute = tokens.windows(3).find(|window| {
            window[0].is_word(self.source, "sql")
                && window[1].is_symbol(self.source, "%")
                && window[2].kind == Kind::Word
        });
        match attribute {
            None => Ok(()),
            Some(window) => {
                let construct = self.source[window[0].start..window[2].end].to_ascii_uppercase();
                let message = "cursor attributes do not run here";
                Err(NotRunnable::at(self.source, window[0].start, &construct, message))
            }
        }
    }

    fn unknown(&self, statement: &[Token]) -> NotRunnable {
        let first = &statement[0];
        // A dotted name is a call: name it whole.
        let mut end = first.end;
        for pair in statement[1..].chunks(2) {
            match pair {
                [dot, name] if dot.is_symbol(self.source, ".") && name.kind == Kind::Word => end = name.end,
                _ => break,
            }
        }
        let text = &self.source[first.start..end];
        let keyword = end == first.end && first.kind == Kind::Word;
        let construct = if keyword { text.to_ascii_uppercase() } else { text.to_owned() };
        let message = match construct.as_str() {
            "DECLARE" | "IF" | "EXCEPTION" | "FOR" | "WHILE" | "LOOP" | "CASE" | "RETURN" | "BEGIN" => {
                "blocks with logic do not run here; write DML statements and assignments to binds"
            }
            "ROLLBACK" | "SAVEPOINT" | "SET" => {
                "a request is one transaction, which the server ends: commit on success, rollback on an error"
            }
            "SELECT" => "a query belongs in a source of a query type; SELECT .. INTO does not run here",
            _ => "this does not run here; write DML statements and assignments to binds",
        };
        NotRunnable::at(self.source, first.start, &construct, message)
    }
}
