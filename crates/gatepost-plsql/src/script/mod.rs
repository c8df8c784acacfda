//! Cutting a script, written as for SQL*Plus, into statements. What a statement means is for others;
//! only its kind and its end are found here.

mod extent;
mod start;

use crate::diagnostic::{Diagnostic, Position};
use crate::lexer::Lexer;
use crate::token::Token;

use extent::Extent;
use start::{Start, recognize, spelling_warning};

/// One statement of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its first character.
    pub position: Position,
    /// The piece of the script from its first to its last token, without the terminator.
    pub text: String,
    /// What it is.
    pub kind: StatementKind,
    /// What looks wrong about it, though it can be run.
    pub warnings: Vec<Diagnostic>,
}

/// The kinds of statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// A block, or an `EXEC` one-liner as it is written; both are for [`parse_block`](crate::parse_block).
    Block,
    /// Any other SQL statement.
    Sql,
    /// `COMMIT` on its own.
    Commit,
    /// `ROLLBACK` on its own.
    Rollback,
    /// A line for the command-line tool, to be ignored. The driver decides whether `EXIT` ends the script.
    Directive {
        /// The command in capitals, such as `SET`; abbreviations are written out.
        name: String,
    },
}

/// Cuts a whole script into its statements.
///
/// Blocks end where their nesting ends and are best followed by a line with `/`; other statements end
/// with `;`, with such a line, or with the script. Stored units (`CREATE PROCEDURE …`) reach to their `/`.
///
/// Fails when a string, a quoted name or a comment has no end.
pub fn split(script: &str) -> Result<Vec<Statement>, Diagnostic> {
    let mut splitter =
        Splitter { script, lexer: Lexer::new(script, Position::START), statements: Vec::new() };
    while let Some(first) = splitter.lexer.clone().next_token()? {
        splitter.statement(&first)?;
    }
    Ok(splitter.statements)
}

struct Splitter<'a> {
    script: &'a str,
    lexer: Lexer<'a>,
    statements: Vec<Statement>,
}

impl Splitter<'_> {
    /// Reads one statement that begins with `first`, the next token.
    fn statement(&mut self, first: &Token) -> Result<(), Diagnostic> {
        match recognize(self.script, first, &self.lexer)? {
            Start::Separator => {
                self.lexer.next_token()?;
            }
            Start::Directive(name) => self.directive(first, name)?,
            Start::Block => self.block(first)?,
            Start::Execute => {
                let end = Extent::new(self.script, &mut self.lexer).one_liner()?;
                self.push(first, end, StatementKind::Block);
            }
            Start::Commit => self.transaction_end(first, StatementKind::Commit)?,
            Start::Rollback => self.transaction_end(first, StatementKind::Rollback)?,
            Start::StoredUnit => self.stored_unit(first)?,
            Start::Trigger => {
                let end = Extent::new(self.script, &mut self.lexer).trigger()?;
                self.push(first, end, StatementKind::Sql);
            }
            Start::Sql => {
                let end = Extent::new(self.script, &mut self.lexer).sql()?;
                self.push(first, end, StatementKind::Sql);
                if let Some(warning) = spelling_warning(first)
                    && let Some(statement) = self.statements.last_mut()
                {
                    statement.warnings.push(warning);
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, first: &Token, end: usize, kind: StatementKind) {
        let text = self.script[first.start..end].trim_end().to_owned();
        self.statements.push(Statement { position: first.position, text, kind, warnings: Vec::new() });
    }

    /// A line of its own; a `-` at its end continues it on the next one.
    fn directive(&mut self, first: &Token, name: &str) -> Result<(), Diagnostic> {
        self.lexer.next_token()?;
        loop {
            self.lexer.skip_line();
            let end = self.lexer.cursor();
            let continued = self.script[first.start..end].trim_end().ends_with('-');
            let comment_like = matches!(name, "PROMPT" | "REM");
            let rest = &self.script[end..];
            if !continued || comment_like || rest.is_empty() {
                break;
            }
            self.lexer.skip_line_end();
        }
        self.push(first, self.lexer.cursor(), StatementKind::Directive { name: name.to_owned() });
        Ok(())
    }

    fn block(&mut self, first: &Token) -> Result<(), Diagnostic> {
        let end = Extent::new(self.script, &mut self.lexer).block()?;
        let behind = self.lexer.position();
        self.push(first, end, StatementKind::Block);
        let Some(next) = self.lexer.clone().next_token()? else { return Ok(()) };
        if next.is_symbol("/") {
            return Ok(());
        }
        let message = "this block is not ended by a line with `/`; another statement follows";
        if let Some(statement) = self.statements.last_mut() {
            statement.warnings.push(Diagnostic::new(message, behind));
        }
        Ok(())
    }

    fn transaction_end(&mut self, first: &Token, kind: StatementKind) -> Result<(), Diagnostic> {
        self.lexer.next_token()?;
        let mut end = first.end;
        if let Some(next) = self.lexer.clone().next_token()?
            && next.is_word("work")
        {
            self.lexer.next_token()?;
            end = next.end;
        }
        self.push(first, end, kind);
        Ok(())
    }

    fn stored_unit(&mut self, first: &Token) -> Result<(), Diagnostic> {
        let (end, closed) = Extent::new(self.script, &mut self.lexer).stored_unit()?;
        self.push(first, end, StatementKind::Sql);
        if !closed && let Some(statement) = self.statements.last_mut() {
            let message =
                "this stored unit is not ended by a line with `/`; it reaches to the end of the script";
            statement.warnings.push(Diagnostic::new(message, first.position));
        }
        Ok(())
    }
}

/// Whether a `/` stands alone on its line.
fn stands_alone(script: &str, token: &Token) -> bool {
    if !token.is_symbol("/") {
        return false;
    }
    let before = script[..token.start].rsplit(['\n', '\r']).next().unwrap_or_default();
    let after = script[token.end..].split(['\n', '\r']).next().unwrap_or_default();
    before.trim_matches('\u{feff}').trim().is_empty() && after.trim().is_empty()
}

#[cfg(test)]
mod tests;
