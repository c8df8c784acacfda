//! SQL statements inside a block: their extent, and the INTO clause that is not SQL.

use crate::ast::{Path, Sql, StatementKind};
use crate::diagnostic::Diagnostic;
use crate::token::TokenKind;

use super::{Parser, meaningless, refused};

impl Parser<'_> {
    /// `SELECT … INTO … FROM …` without the `;`.
    pub(super) fn select_into(&mut self) -> Result<StatementKind, Diagnostic> {
        let start = self.cursor;
        let position = self.here();
        let into = self.skip_to("into")?;
        if !self.at_word("into") {
            let message = "a SELECT in a block needs INTO to say where the values go";
            return Err(Diagnostic::new(message, position));
        }
        let follows_collect = into > start && self.tokens[into - 1].is_word("collect");
        if follows_collect {
            return Err(refused("BULK COLLECT", self.tokens[into - 1].position));
        }
        self.cursor += 1;
        let targets = self.targets()?;
        let rest = self.cursor;
        let end = self.skip_to(";")?;
        Ok(StatementKind::SelectInto { sql: Sql { runs: vec![start..into, rest..end] }, targets })
    }

    fn targets(&mut self) -> Result<Vec<Path>, Diagnostic> {
        let mut targets = vec![self.path()?];
        while self.eat_symbol(",") {
            targets.push(self.path()?);
        }
        Ok(targets)
    }

    /// INSERT, UPDATE, DELETE or MERGE without the `;`.
    pub(super) fn execute(&mut self) -> Result<StatementKind, Diagnostic> {
        let start = self.cursor;
        let end = self.skip_to(";")?;
        let returning = self.tokens[start..end]
            .iter()
            .find(|token| token.is_word("returning") || token.is_word("return"));
        if let Some(token) = returning {
            return Err(refused("RETURNING INTO", token.position));
        }
        Ok(StatementKind::Execute(Sql { runs: std::iter::once(start..end).collect() }))
    }

    /// A query in parentheses, which are left out.
    pub(super) fn parenthesized_query(&mut self) -> Result<Sql, Diagnostic> {
        self.cursor += 1;
        let start = self.cursor;
        let end = self.skip_to(")")?;
        self.expect_symbol(")", "after the query")?;
        Ok(Sql { runs: std::iter::once(start..end).collect() })
    }

    /// Goes on to a word or symbol that is in no parentheses, or to the `;`, or to the end.
    fn skip_to(&mut self, stop: &str) -> Result<usize, Diagnostic> {
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            if token.is_symbol(";") || depth == 0 && (token.is_word(stop) || token.is_symbol(stop)) {
                break;
            }
            if matches!(token.kind, TokenKind::Bind(_) | TokenKind::Unknown('‘' | '’' | '“' | '”'))
                && let Some(problem) = meaningless(token)
            {
                return Err(problem);
            }
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            }
            self.cursor += 1;
        }
        Ok(self.cursor)
    }
}
