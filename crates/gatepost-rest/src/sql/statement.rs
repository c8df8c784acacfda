//! One statement, its binds made positional.

use super::split::pieces;
use super::{Dialect, Kind, Refusal, Token, lex};

/// A statement ready for the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// With `?1` or `$1` in place of the binds.
    pub text: String,
    /// Where it begins in the text as written.
    pub start: usize,
    /// Bind names by number (from 0), lower case, each once.
    pub names: Vec<String>,
    /// Where the binds were.
    pub binds: Vec<Bind>,
    /// The first keyword, upper case; empty for `(select ..)`.
    pub keyword: String,
    /// Unquoted names and keywords, lower case, and quoted names as they are; sorted, each once.
    pub identifiers: Vec<String>,
    /// Quoted names without their quotes: output columns with such a name keep their letter case.
    pub quoted: Vec<String>,
}

/// An occurrence of a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Which of [`Statement::names`].
    pub number: usize,
    /// Its place in the text as written.
    pub start: usize,
    /// The byte behind it there.
    pub end: usize,
    /// Its place in [`Statement::text`].
    pub written: usize,
}

impl Statement {
    /// Reads one statement; a `;` at the end is dropped.
    pub fn parse(sql: &str, dialect: Dialect) -> Result<Self, Refusal> {
        let mut tokens = lex(sql, dialect)?;
        while tokens.last().is_some_and(|token| token.is_symbol(sql, ";")) {
            tokens.pop();
        }
        Self::from_tokens(sql, &tokens, dialect)
    }

    /// Makes a statement of some tokens of a text.
    pub fn from_tokens(sql: &str, tokens: &[Token], dialect: Dialect) -> Result<Self, Refusal> {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
            return Err(Refusal::new(0, "nothing", "a statement is expected"));
        };
        if let Some([more, ..]) = pieces(sql, tokens, dialect).nth(1) {
            return Err(Refusal::new(more.start, more.text(sql), "only one statement is allowed here"));
        }
        let mut statement = Self {
            text: String::with_capacity(last.end - first.start),
            start: first.start,
            names: Vec::new(),
            binds: Vec::new(),
            keyword: keyword(sql, tokens),
            identifiers: Vec::new(),
            quoted: Vec::new(),
        };
        let mut copied = first.start;
        for token in tokens {
            match token.kind {
                Kind::Bind => {
                    statement.text.push_str(&sql[copied..token.start]);
                    statement.push_bind(sql, *token, dialect);
                    copied = token.end;
                }
                Kind::Word => statement.identifiers.push(token.text(sql).to_lowercase()),
                Kind::Quoted => statement.quoted.push(unquote(token.text(sql))),
                _ => {}
            }
        }
        statement.text.push_str(&sql[copied..last.end]);
        statement.identifiers.extend(statement.quoted.iter().cloned());
        statement.identifiers.sort_unstable();
        statement.identifiers.dedup();
        Ok(statement)
    }

    /// Where a byte of [`Self::text`] was in the text as written.
    pub fn original_offset(&self, offset: usize) -> usize {
        let Some(bind) = self.binds.iter().rev().find(|bind| bind.written <= offset) else {
            return self.start + offset;
        };
        let placeholder = 1 + (bind.number + 1).to_string().len();
        let beyond = offset - bind.written;
        if beyond < placeholder { bind.start } else { bind.end + beyond - placeholder }
    }

    fn push_bind(&mut self, sql: &str, token: Token, dialect: Dialect) {
        let name = sql[token.start + 1..token.end].to_lowercase();
        let number = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        self.binds.push(Bind { number, start: token.start, end: token.end, written: self.text.len() });
        self.text.push(if dialect == Dialect::Sqlite { '?' } else { '$' });
        self.text.push_str(&(number + 1).to_string());
    }
}

fn keyword(sql: &str, tokens: &[Token]) -> String {
    match tokens.iter().find(|token| !token.is_symbol(sql, "(")) {
        Some(token) if token.kind == Kind::Word => token.text(sql).to_ascii_uppercase(),
        _ => String::new(),
    }
}

/// A quoted name without its quotes.
pub(super) fn unquote(text: &str) -> String {
    let inner = &text[1..text.len() - 1];
    match text.as_bytes()[0] {
        b'"' => inner.replace("\"\"", "\""),
        b'`' => inner.replace("``", "`"),
        _ => inner.to_owned(),
    }
}
