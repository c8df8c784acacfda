//! What the lexer makes of a text.

use crate::diagnostic::Position;

/// The kinds of tokens. Comments and blanks make none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// An identifier or keyword, in lower case.
    Word(String),
    /// A quoted identifier, as [`TokenKind::Word`] when it is written in capitals.
    Quoted(String),
    /// A string of any notation: its value.
    Text(String),
    /// A string between dollar signs, as PostgreSQL has it.
    DollarText,
    /// A number without sign, as written.
    Number(String),
    /// A bind such as `:id`.
    Bind(String),
    /// An operator or a separator.
    Symbol(&'static str),
    /// A character that means nothing here.
    Unknown(char),
}

/// One token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// Its first character, in the script.
    pub(crate) position: Position,
    /// The place after its last character, in the script.
    pub(crate) after: Position,
    /// Its first byte in the text that was read.
    pub(crate) start: usize,
    /// The byte after its last one.
    pub(crate) end: usize,
}

impl Token {
    /// The word it is, if it is one.
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The name it may be: a word or a quoted identifier.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Word(name) | TokenKind::Quoted(name) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(&self.kind, TokenKind::Symbol(own) if *own == symbol)
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    /// How messages show it.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            TokenKind::Word(text) | TokenKind::Number(text) => format!("`{text}`"),
            TokenKind::Quoted(text) => format!("`\"{text}\"`"),
            TokenKind::Text(_) | TokenKind::DollarText => "a string".to_owned(),
            TokenKind::Bind(name) => format!("`:{name}`"),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
            TokenKind::Unknown(character) => format!("`{character}`"),
        }
    }
}
