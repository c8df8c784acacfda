//! The statements of a block.

use crate::ast::{BlockNode, CaseStatement, Handler, Leave, LoopKind, Name, Statement, StatementKind};
use crate::diagnostic::{Diagnostic, Position};
use crate::nearest::nearest;

use super::{KEYWORDS, Parser, refused};

impl Parser<'_> {
    /// `[DECLARE …] BEGIN … [EXCEPTION …] END [label];`
    pub(super) fn block(&mut self) -> Result<BlockNode, Diagnostic> {
        let declarations = if self.eat_word("declare") { self.declarations()? } else { Vec::new() };
        self.expect_word("begin", "")?;
        let body = self.body()?;
        let handlers = if self.eat_word("exception") { self.handlers()? } else { Vec::new() };
        self.expect_word("end", "of the block")?;
        if self.peek().is_some_and(|token| token.name().is_some()) && !self.begins_line() {
            self.cursor += 1;
        }
        self.expect_semicolon("`end`")?;
        Ok(BlockNode { declarations, body, handlers })
    }

    /// Whether the next token is the first one of its line.
    fn begins_line(&self) -> bool {
        self.here().line > self.behind().line
    }

    /// One statement or more, up to a word that ends such a list.
    fn body(&mut self) -> Result<Vec<Statement>, Diagnostic> {
        self.deeper(|parser| {
            let mut statements = vec![parser.statement()?];
            while !parser.at_body_end() {
                statements.push(parser.statement()?);
            }
            Ok(statements)
        })
    }

    fn at_body_end(&self) -> bool {
        let word = self.peek().and_then(|token| token.word());
        self.peek().is_none() || matches!(word, Some("end" | "exception" | "elsif" | "else" | "when"))
    }

    fn handlers(&mut self) -> Result<Vec<Handler>, Diagnostic> {
        let mut handlers = Vec::new();
        self.expect_word("when", "after `exception`")?;
        loop {
            let mut names = Vec::new();
            if !self.eat_word("others") {
                names.push(self.exception_name()?);
                while self.eat_word("or") {
                    names.push(self.exception_name()?);
                }
            }
            self.expect_word("then", "after the exception")?;
            handlers.push(Handler { names, body: self.body()? });
            if !self.eat_word("when") {
                return Ok(handlers);
            }
        }
    }

    /// An exception's name; the package of a qualified one does not matter.
    fn exception_name(&mut self) -> Result<Name, Diagnostic> {
        let mut name = self.name("an exception")?;
        while self.eat_symbol(".") {
            name = self.name("an exception")?;
        }
        Ok(name)
    }

    fn statement(&mut self) -> Result<Statement, Diagnostic> {
        let mut label = None;
        while self.eat_symbol("<<") {
            label = Some(self.name("a label")?.text);
            self.expect_symbol(">>", "after the label")?;
        }
        let position = self.here();
        let word = self.peek().and_then(|token| token.word()).unwrap_or_default();
        let kind = match word {
            "begin" | "declare" => StatementKind::Block(self.block()?),
            "if" => self.if_statement()?,
            "case" => self.case_statement()?,
            "loop" => self.loop_statement(label, LoopKind::Plain)?,
            "while" => {
                self.cursor += 1;
                let condition = self.expression()?;
                self.loop_statement(label, LoopKind::While(condition))?
            }
            "for" => self.for_statement(label)?,
            _ => {
                let statement = self.statement_without_end()?;
                self.expect_semicolon(&describe(&statement.kind))?;
                statement.kind
            }
        };
        Ok(Statement { position, kind })
    }

    /// A simple statement; the `;` is for the caller.
    pub(super) fn statement_without_end(&mut self) -> Result<Statement, Diagnostic> {
        let position = self.here();
        let Some(word) = self.peek().and_then(|token| token.word()) else {
            return self.path_statement(position);
        };
        self.refuse_statement(word, position)?;
        let kind = match word {
            "null" => self.keyword(StatementKind::Null),
            "commit" => self.transaction_end(StatementKind::Commit),
            "rollback" => self.transaction_end(StatementKind::Rollback),
            "return" => self.keyword(StatementKind::Return),
            "raise" => self.raise()?,
            "exit" => self.leave(false)?,
            "continue" => self.leave(true)?,
            "select" | "with" => self.select_into()?,
            "insert" | "update" | "delete" | "merge" => self.execute()?,
            "begin" | "declare" | "if" | "loop" | "for" | "while" | "end" | "exception" | "when" | "then"
            | "else" | "elsif" => return Err(self.expected("a statement")),
            _ => return self.path_statement(position),
        };
        Ok(Statement { position, kind })
    }

    fn keyword(&mut self, kind: StatementKind) -> StatementKind {
        self.cursor += 1;
        kind
    }

    fn transaction_end(&mut self, kind: StatementKind) -> StatementKind {
        self.cursor += 1;
        self.eat_word("work");
        kind
    }

    fn refuse_statement(&self, word: &str, position: Position) -> Result<(), Diagnostic> {
        let follows = |next: &str| self.peek_after(1).is_some_and(|token| token.is_word(next));
        let followed_by_name = self.peek_after(1).is_some_and(|token| token.name().is_some());
        let construct = match word {
            "execute" if follows("immediate") => "EXECUTE IMMEDIATE",
            "rollback" if follows("to") => "ROLLBACK TO a savepoint",
            "savepoint" => "SAVEPOINT",
            "goto" => "GOTO",
            "forall" => "FORALL",
            "open" if followed_by_name => "OPEN of a cursor",
            "fetch" if followed_by_name => "FETCH from a cursor",
            "close" if followed_by_name => "CLOSE of a cursor",
            "set" if followed_by_name => "SET",
            "lock" if followed_by_name => "LOCK TABLE",
            "pipe" if followed_by_name => "PIPE ROW",
            "procedure" | "function" if followed_by_name => "a local subprogram",
            "create" | "alter" | "drop" | "grant" | "revoke" | "truncate" | "comment" if followed_by_name => {
                let name = word.to_uppercase();
                return Err(Diagnostic::new(
                    format!(
                        "{name} is not supported in a definition block; write it as a statement of its own"
                    ),
                    position,
                ));
            }
            _ => return Ok(()),
        };
        Err(refused(construct, position))
    }

    /// A call or an assignment.
    fn path_statement(&mut self, position: Position) -> Result<Statement, Diagnostic> {
        if self.peek().is_none_or(|token| token.name().is_none()) {
            return Err(self.expected("a statement"));
        }
        let path = self.path()?;
        if self.eat_symbol(":=") {
            let value = self.expression()?;
            return Ok(Statement { position, kind: StatementKind::Assign { target: path, value } });
        }
        let is_bare = path.parts.len() == 1 && path.parts[0].arguments.is_none();
        if is_bare && !self.at_symbol(";") && self.peek().is_some() {
            let word = &path.parts[0].name.text;
            if self.at_symbol("=") {
                let message = format!("`{word}` is assigned to with `:=`, not with `=`");
                return Err(Diagnostic::new(message, self.here()));
            }
            if let Some(near) = nearest(word, KEYWORDS) {
                let message = format!("expected a statement, found `{word}`");
                return Err(Diagnostic::new(message, position).with_suggestion(near));
            }
        }
        Ok(Statement { position, kind: StatementKind::Call(path) })
    }

    fn raise(&mut self) -> Result<StatementKind, Diagnostic> {
        self.cursor += 1;
        let is_named = self.peek().is_some_and(|token| token.name().is_some());
        let name = if is_named { Some(self.exception_name()?) } else { None };
        Ok(StatementKind::Raise(name))
    }

    fn leave(&mut self, again: bool) -> Result<StatementKind, Diagnostic> {
        self.cursor += 1;
        let is_labelled = self.peek().is_some_and(|token| token.name().is_some()) && !self.at_word("when");
        let label = if is_labelled { Some(self.name("a label")?) } else { None };
        let condition = if self.eat_word("when") { Some(self.expression()?) } else { None };
        Ok(StatementKind::Leave(Leave { again, label, condition }))
    }

    fn if_statement(&mut self) -> Result<StatementKind, Diagnostic> {
        let mut branches = Vec::new();
        while self.eat_word(if branches.is_empty() { "if" } else { "elsif" }) {
            let condition = self.expression()?;
            self.expect_word("then", "after the condition")?;
            branches.push((condition, self.body()?));
        }
        let otherwise = if self.eat_word("else") { self.body()? } else { Vec::new() };
        if self.at_word("elseif") {
            return Err(self.expected("`elsif`").with_suggestion("elsif"));
        }
        self.expect_word("end", "of `if`")?;
        self.expect_word("if", "after `end`")?;
        self.expect_semicolon("`end if`")?;
        Ok(StatementKind::If { branches, otherwise })
    }

    fn case_statement(&mut self) -> Result<StatementKind, Diagnostic> {
        self.cursor += 1;
        let selector = if self.at_word("when") { None } else { Some(self.expression()?) };
        let mut branches = Vec::new();
        self.expect_word("when", "of `case`")?;
        loop {
            let condition = self.expression()?;
            self.expect_word("then", "after the condition")?;
            branches.push((condition, self.body()?));
            if !self.eat_word("when") {
                break;
            }
        }
        let otherwise = if self.eat_word("else") { Some(self.body()?) } else { None };
        self.expect_word("end", "of `case`")?;
        self.expect_word("case", "after `end`")?;
        self.expect_semicolon("`end case`")?;
        Ok(StatementKind::Case(CaseStatement { selector, branches, otherwise }))
    }

    fn for_statement(&mut self, label: Option<String>) -> Result<StatementKind, Diagnostic> {
        self.cursor += 1;
        let name = self.name("a loop variable")?;
        self.expect_word("in", "after the loop variable")?;
        let opens_query = self.at_symbol("(")
            && self.peek_after(1).is_some_and(|token| token.is_word("select") || token.is_word("with"));
        if opens_query {
            let sql = self.parenthesized_query()?;
            return self.loop_statement(label, LoopKind::Query { name, sql });
        }
        let reverse = self.eat_word("reverse");
        let low = self.expression()?;
        if self.at_word("loop") {
            return Err(refused("a FOR loop over a declared cursor", low.position));
        }
        self.expect_symbol("..", "in the range of the loop")?;
        let high = self.expression()?;
        self.loop_statement(label, LoopKind::Range { name, reverse, low, high })
    }

    /// `LOOP … END LOOP [label];`
    fn loop_statement(&mut self, label: Option<String>, kind: LoopKind) -> Result<StatementKind, Diagnostic> {
        self.expect_word("loop", "")?;
        let body = self.body()?;
        self.expect_word("end", "of the loop")?;
        self.expect_word("loop", "after `end`")?;
        if self.peek().is_some_and(|token| token.name().is_some()) && !self.begins_line() {
            self.cursor += 1;
        }
        self.expect_semicolon("`end loop`")?;
        Ok(StatementKind::Loop { label, kind, body })
    }
}

/// How messages call a statement.
fn describe(kind: &StatementKind) -> String {
    let what = match kind {
        StatementKind::Assign { .. } => "the assignment",
        StatementKind::Call(path) => {
            let names: Vec<&str> = path.parts.iter().map(|part| part.name.text.as_str()).collect();
            return format!("the call of `{}`", names.join("."));
        }
        StatementKind::Null => "`null`",
        StatementKind::Commit => "`commit`",
        StatementKind::Rollback => "`rollback`",
        StatementKind::Return => "`return`",
        StatementKind::Raise(_) => "`raise`",
        StatementKind::Leave(leave) if leave.again => "`continue`",
        StatementKind::Leave(_) => "`exit`",
        _ => "the statement",
    };
    what.to_owned()
}
