//! Where a statement ends.

use crate::diagnostic::Diagnostic;
use crate::lexer::Lexer;
use crate::token::{Token, TokenKind};

use super::stands_alone;

/// Reads one statement to its end, terminator included.
pub(super) struct Extent<'script, 'lexer> {
    script: &'script str,
    lexer: &'lexer mut Lexer<'script>,
}

impl<'script, 'lexer> Extent<'script, 'lexer> {
    pub(super) fn new(script: &'script str, lexer: &'lexer mut Lexer<'script>) -> Self {
        Self { script, lexer }
    }

    /// To the `;` that is left out, to a line with `/`, or to the end. Returns the end of the text.
    pub(super) fn sql(&mut self) -> Result<usize, Diagnostic> {
        let mut end = self.lexer.cursor();
        while let Some(token) = self.lexer.next_token()? {
            if token.is_symbol(";") || stands_alone(self.script, &token) {
                break;
            }
            end = token.end;
        }
        Ok(end)
    }

    /// To the end of the line; further while a parenthesis is open or the line ends with `-`.
    pub(super) fn one_liner(&mut self) -> Result<usize, Diagnostic> {
        let mut end = self.lexer.cursor();
        let mut depth = 0_usize;
        let mut line = None;
        loop {
            let before = self.lexer.clone();
            let Some(token) = self.lexer.next_token()? else { break };
            let next_line = line.is_some_and(|line| token.position.line > line);
            let continued = self.script[..end].ends_with('-');
            if next_line && (depth == 0 && !continued || stands_alone(self.script, &token)) {
                *self.lexer = before;
                break;
            }
            match token.kind {
                TokenKind::Symbol("(") => depth += 1,
                TokenKind::Symbol(")") => depth = depth.saturating_sub(1),
                TokenKind::Symbol(";") => break,
                _ => {}
            }
            end = token.end;
            line = Some(token.after.line);
        }
        Ok(end)
    }

    /// To the `END;` that closes the block, `;` included, or to a line with `/` if none does.
    pub(super) fn block(&mut self) -> Result<usize, Diagnostic> {
        let mut end = self.lexer.cursor();
        let mut nesting = Nesting::default();
        loop {
            let before = self.lexer.clone();
            let Some(token) = self.lexer.next_token()? else { return Ok(end) };
            if stands_alone(self.script, &token) {
                *self.lexer = before;
                return Ok(end);
            }
            let line = token.position.line;
            end = token.end;
            if nesting.closes(token) {
                return self.block_tail(end, line);
            }
        }
    }

    /// What belongs to the last `END`: a label and the `;`.
    fn block_tail(&mut self, end: usize, line: u32) -> Result<usize, Diagnostic> {
        let mut ahead = self.lexer.clone();
        let mut next = ahead.next_token()?;
        if let Some(label) = &next
            && label.name().is_some()
            && label.position.line == line
        {
            next = ahead.next_token()?;
        }
        match next {
            Some(token) if token.is_symbol(";") => {
                *self.lexer = ahead;
                Ok(token.end)
            }
            // The label is left alone when no `;` follows: it may begin the next statement.
            _ => Ok(end),
        }
    }

    /// To the `END;` of a trigger with a body, to the `;` of one without.
    pub(super) fn trigger(&mut self) -> Result<usize, Diagnostic> {
        let mut end = self.lexer.cursor();
        loop {
            let before = self.lexer.clone();
            let Some(token) = self.lexer.next_token()? else { return Ok(end) };
            if token.is_symbol(";") || stands_alone(self.script, &token) {
                return Ok(end);
            }
            if matches!(token.word(), Some("begin" | "declare")) {
                *self.lexer = before;
                return self.block();
            }
            end = token.end;
        }
    }

    /// To a line with `/`, or to the `;` if the body is a string as PostgreSQL has it. The second value
    /// tells whether the end was found.
    pub(super) fn stored_unit(&mut self) -> Result<(usize, bool), Diagnostic> {
        let mut end = self.lexer.cursor();
        let mut has_own_body = false;
        let mut previous: Option<Token> = None;
        while let Some(token) = self.lexer.next_token()? {
            let is_string = matches!(token.kind, TokenKind::Text(_) | TokenKind::DollarText);
            let follows_as = previous.as_ref().is_some_and(|word| matches!(word.word(), Some("as" | "is")));
            has_own_body |= follows_as && !is_string;
            if stands_alone(self.script, &token) || token.is_symbol(";") && !has_own_body {
                return Ok((end, true));
            }
            end = token.end;
            previous = Some(token);
        }
        Ok((end, !has_own_body))
    }
}

/// Counts what is open in a block.
#[derive(Default)]
struct Nesting {
    /// Open `BEGIN`, `CASE`, `IF` and `LOOP`.
    depth: usize,
    /// Local subprograms whose `BEGIN` has not come; each with the depth around it.
    subprograms: Vec<usize>,
    /// A subprogram's heading has begun, and no `IS` has come.
    in_heading: bool,
    /// Open bodies of local subprograms: the depths they close at.
    bodies: Vec<usize>,
    previous: Option<TokenKind>,
}

impl Nesting {
    /// Takes the next token; true when it is the `END` that closes the block.
    fn closes(&mut self, token: Token) -> bool {
        let closes = match token.word() {
            Some(word) if !self.follows_point() => self.take(word),
            _ => false,
        };
        if token.is_symbol(";") {
            self.in_heading = false;
        }
        self.previous = Some(token.kind);
        closes
    }

    fn take(&mut self, word: &str) -> bool {
        match word {
            "procedure" | "function"
                if self.begins_statement() || self.follows_word("is") || self.follows_word("as") =>
            {
                self.in_heading = true;
            }
            "is" | "as" if self.in_heading => {
                self.in_heading = false;
                self.subprograms.push(self.depth);
            }
            "begin" => {
                if self.subprograms.last() == Some(&self.depth) {
                    self.subprograms.pop();
                    self.bodies.push(self.depth);
                }
                self.depth += 1;
            }
            "case" | "loop" if !self.follows_word("end") => self.depth += 1,
            "if" if self.begins_statement() => self.depth += 1,
            "end" => {
                self.depth = self.depth.saturating_sub(1);
                if self.bodies.last() == Some(&self.depth) {
                    self.bodies.pop();
                    return false;
                }
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    fn follows_point(&self) -> bool {
        matches!(self.previous, Some(TokenKind::Symbol(".")))
    }

    fn follows_word(&self, word: &str) -> bool {
        matches!(&self.previous, Some(TokenKind::Word(own)) if own == word)
    }

    fn begins_statement(&self) -> bool {
        match &self.previous {
            None | Some(TokenKind::Symbol(";" | ">>")) => true,
            Some(TokenKind::Word(word)) => {
                matches!(word.as_str(), "begin" | "then" | "else" | "loop" | "declare")
            }
            Some(_) => false,
        }
    }
}
