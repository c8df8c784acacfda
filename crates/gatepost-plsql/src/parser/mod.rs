//! Tokens to syntax tree. What blocks do not support is refused here, with its name and place.

mod declaration;
mod expression;
mod sql;
mod statement;

use crate::ast::{BlockNode, Name};
use crate::diagnostic::{Diagnostic, Position};
use crate::nearest::nearest;
use crate::token::{Token, TokenKind};

/// How deep statements and expressions may nest.
pub const DEPTH_MAX: usize = 64;

/// Words that statements of a block begin with or are made of.
const KEYWORDS: [&str; 34] = [
    "begin",
    "between",
    "case",
    "commit",
    "constant",
    "continue",
    "declare",
    "default",
    "delete",
    "else",
    "elsif",
    "end",
    "exception",
    "exit",
    "for",
    "from",
    "if",
    "insert",
    "into",
    "like",
    "loop",
    "merge",
    "not",
    "null",
    "others",
    "raise",
    "return",
    "reverse",
    "rollback",
    "select",
    "then",
    "update",
    "when",
    "while",
];

/// Parses the tokens of a block's text.
pub(crate) fn parse(tokens: &[Token], at: Position) -> Result<BlockNode, Diagnostic> {
    let end = tokens.last().map_or(at, |token| token.after);
    let mut parser = Parser { tokens, cursor: 0, depth: 0, end };
    if is_one_liner(tokens) { parser.one_liner() } else { parser.whole_block() }
}

/// Drops each `-` at the end of a line of an `EXEC`: it continues the line and means nothing else.
pub(crate) fn without_continuations(tokens: Vec<Token>) -> Vec<Token> {
    if !is_one_liner(&tokens) {
        return tokens;
    }
    let next_lines: Vec<Option<u32>> =
        (1..=tokens.len()).map(|next| tokens.get(next).map(|token| token.position.line)).collect();
    let continues = |token: &Token, next: Option<u32>| {
        token.is_symbol("-") && next.is_none_or(|line| line > token.position.line)
    };
    let pairs = tokens.into_iter().zip(next_lines);
    pairs.filter(|(token, next)| !continues(token, *next)).map(|(token, _)| token).collect()
}

fn is_one_liner(tokens: &[Token]) -> bool {
    tokens.first().is_some_and(|token| token.is_word("exec") || token.is_word("execute"))
}

/// The state of parsing: a place in the tokens.
struct Parser<'a> {
    tokens: &'a [Token],
    cursor: usize,
    depth: usize,
    /// The place after the last token.
    end: Position,
}

impl<'a> Parser<'a> {
    fn whole_block(&mut self) -> Result<BlockNode, Diagnostic> {
        while self.eat_symbol("<<") {
            self.name("a label")?;
            self.expect_symbol(">>", "after the label")?;
        }
        let block = self.block()?;
        self.eat_symbol("/");
        match self.peek() {
            None => Ok(block),
            Some(token) => {
                let message = format!("unexpected {} after the end of the block", token.describe());
                Err(Diagnostic::new(message, token.position))
            }
        }
    }

    /// `EXEC statement`.
    fn one_liner(&mut self) -> Result<BlockNode, Diagnostic> {
        self.cursor = 1;
        if self.at_word("immediate") {
            return Err(refused("EXECUTE IMMEDIATE", self.tokens[0].position));
        }
        let statement = self.statement_without_end()?;
        self.eat_symbol(";");
        if let Some(token) = self.peek() {
            let message = format!("unexpected {} after the call", token.describe());
            return Err(Diagnostic::new(message, token.position));
        }
        Ok(BlockNode { declarations: Vec::new(), body: vec![statement], handlers: Vec::new() })
    }

    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.cursor)
    }

    fn peek_after(&self, count: usize) -> Option<&'a Token> {
        self.tokens.get(self.cursor + count)
    }

    /// Where the next token stands.
    fn here(&self) -> Position {
        self.peek().map_or(self.end, |token| token.position)
    }

    /// The place after the last token that was read.
    fn behind(&self) -> Position {
        let last = self.cursor.checked_sub(1).and_then(|last| self.tokens.get(last));
        last.map_or_else(|| self.here(), |token| token.after)
    }

    fn at_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(word))
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        self.peek().is_some_and(|token| token.is_symbol(symbol))
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        self.cursor += usize::from(found);
        found
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        self.cursor += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str, place: &str) -> Result<(), Diagnostic> {
        if self.eat_word(word) {
            return Ok(());
        }
        let near = self.peek().and_then(Token::word).and_then(|found| nearest(found, [word]));
        Err(self.expected(&format!("`{word}` {place}")).suggesting(near))
    }

    fn expect_symbol(&mut self, symbol: &str, place: &str) -> Result<(), Diagnostic> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.expected(&format!("`{symbol}` {place}"))) }
    }

    /// The `;` at the end of a statement. When it is missing, the place is where it belongs.
    fn expect_semicolon(&mut self, what: &str) -> Result<(), Diagnostic> {
        if self.eat_symbol(";") {
            return Ok(());
        }
        let Some(found) = self.peek() else {
            return Err(Diagnostic::new(format!("expected `;` after {what}"), self.behind()));
        };
        if let Some(problem) = meaningless(found) {
            return Err(problem);
        }
        let message = format!("expected `;` after {what}, before {}", found.describe());
        Err(Diagnostic::new(message, self.behind()))
    }

    /// What stands here is not what is expected.
    fn expected(&self, what: &str) -> Diagnostic {
        match self.peek() {
            None => Diagnostic::new(format!("expected {what}, but the block ends here"), self.end),
            Some(token) => meaningless(token).unwrap_or_else(|| {
                Diagnostic::new(format!("expected {what}, found {}", token.describe()), token.position)
            }),
        }
    }

    fn name(&mut self, what: &str) -> Result<Name, Diagnostic> {
        let Some((token, text)) = self.peek().and_then(|token| Some((token, token.name()?))) else {
            return Err(self.expected(what));
        };
        self.cursor += 1;
        Ok(Name { text: text.to_owned(), position: token.position })
    }

    /// Runs a part of the parser one level deeper.
    fn deeper<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, Diagnostic>) -> Result<T, Diagnostic> {
        if self.depth >= DEPTH_MAX {
            return Err(Diagnostic::new(format!("nested more than {DEPTH_MAX} levels deep"), self.here()));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }
}

/// A construct that blocks do not support.
fn refused(construct: &str, position: Position) -> Diagnostic {
    Diagnostic::new(format!("{construct} is not supported in a definition block"), position)
}

/// Explains characters that can stand nowhere in a block.
fn meaningless(token: &Token) -> Option<Diagnostic> {
    let message = match &token.kind {
        TokenKind::Bind(name) => format!(
            "`:{name}` is a bind, and a definition block has none; binds belong into a handler's source, \
             which is a string"
        ),
        TokenKind::Unknown('‘' | '’' | '‚' | '‛') => {
            "a typographic quote; write ' instead".to_owned()
        }
        TokenKind::Unknown('“' | '”' | '„') => "a typographic quote; write \" instead".to_owned(),
        TokenKind::Unknown('&') => "substitution variables (`&name`) are not supported".to_owned(),
        TokenKind::Unknown(character) => format!("`{character}` means nothing here"),
        TokenKind::DollarText => "strings between $$ are not PL/SQL; write q'[…]' instead".to_owned(),
        _ => return None,
    };
    Some(Diagnostic::new(message, token.position))
}
