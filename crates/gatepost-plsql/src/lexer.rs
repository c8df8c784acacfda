//! Text to tokens. It accepts every character, because statements that are not ours pass through it
//! too; the parser refuses what blocks do not know. Only what is opened and never closed fails here.

use crate::diagnostic::{Diagnostic, Position};
use crate::token::{Token, TokenKind};

/// Operators and separators, longer ones first.
const SYMBOLS: [&str; 29] = [
    ":=", "=>", "||", "<=", ">=", "<>", "!=", "^=", "~=", "..", "**", "<<", ">>", "::", "(", ")", ",", ";",
    ".", "+", "-", "*", "/", "=", "<", ">", "%", "@", ":",
];

/// All tokens of a text that stands `at` a place of the script.
pub(crate) fn tokenize(text: &str, at: Position) -> Result<Vec<Token>, Diagnostic> {
    let mut lexer = Lexer::new(text, at);
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

/// Reads one token after the other; a clone looks ahead.
#[derive(Clone)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    cursor: usize,
    position: Position,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, at: Position) -> Self {
        Self { text, cursor: 0, position: at }
    }

    /// The next token, or none at the end. Fails on a string, quoted name or comment without end.
    pub(crate) fn next_token(&mut self) -> Result<Option<Token>, Diagnostic> {
        self.skip_blanks()?;
        let (start, position) = (self.cursor, self.position);
        let Some(first) = self.peek() else { return Ok(None) };
        let kind = match first {
            '\'' => TokenKind::Text(self.quoted('\'', "string")?),
            '"' => TokenKind::Quoted(fold_quoted(self.quoted('"', "quoted name")?)),
            '0'..='9' => self.number(),
            '.' if self.peek_after(1).is_some_and(|c| c.is_ascii_digit()) => self.number(),
            ':' if self.peek_after(1).is_some_and(starts_word) => {
                self.advance();
                TokenKind::Bind(self.word())
            }
            '$' if self.dollar_tag().is_some() => self.dollar_text()?,
            first if starts_word(first) => self.word_or_prefixed_string()?,
            first => self.symbol(first),
        };
        Ok(Some(Token { kind, position, after: self.position, start, end: self.cursor }))
    }

    /// Reads to the end of the line, not further.
    pub(crate) fn skip_line(&mut self) {
        while self.peek().is_some_and(|c| c != '\n' && c != '\r') {
            self.advance();
        }
    }

    /// Reads the end of a line, if the cursor stands before one.
    pub(crate) fn skip_line_end(&mut self) {
        if self.peek() == Some('\r') {
            self.advance();
        }
        if self.peek() == Some('\n') {
            self.advance();
        }
    }

    /// Where the next character stands.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Bytes read so far.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    fn rest(&self) -> &'a str {
        &self.text[self.cursor..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn peek_after(&self, count: usize) -> Option<char> {
        self.rest().chars().nth(count)
    }

    fn advance(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.cursor += character.len_utf8();
        self.position.offset += character.len_utf8();
        match character {
            '\r' if self.peek() == Some('\n') => {}
            '\n' | '\r' => {
                self.position.line += 1;
                self.position.column = 1;
            }
            '\u{feff}' => {}
            _ => self.position.column += 1,
        }
        Some(character)
    }

    fn advance_by(&mut self, characters: usize) {
        for _ in 0..characters {
            self.advance();
        }
    }

    fn skip_blanks(&mut self) -> Result<(), Diagnostic> {
        loop {
            let rest = self.rest();
            if rest.starts_with("--") {
                self.skip_line();
            } else if let Some(inside) = rest.strip_prefix("/*") {
                let position = self.position;
                let Some(length) = inside.find("*/") else {
                    return Err(Diagnostic::new("comment without end: `*/` is missing", position));
                };
                let end = self.cursor + length + 4;
                while self.cursor < end {
                    self.advance();
                }
            } else if self.peek().is_some_and(is_blank) {
                self.advance();
            } else {
                return Ok(());
            }
        }
    }

    /// A text between quotes; a doubled quote stands for one.
    fn quoted(&mut self, quote: char, what: &str) -> Result<String, Diagnostic> {
        let position = self.position;
        self.advance();
        let mut value = String::new();
        while let Some(character) = self.advance() {
            if character != quote {
                push_unix(&mut value, character, self.peek());
            } else if self.peek() == Some(quote) {
                self.advance();
                value.push(quote);
            } else {
                return Ok(value);
            }
        }
        Err(Diagnostic::new(format!("{what} without end: a closing {quote} is missing"), position))
    }

    /// The inside of `q'[…]'`, from the quote on.
    fn alternative_quoted(&mut self, position: Position) -> Result<String, Diagnostic> {
        self.advance();
        let close = match self.advance() {
            Some('[') => ']',
            Some('{') => '}',
            Some('(') => ')',
            Some('<') => '>',
            Some(other) if !other.is_whitespace() => other,
            _ => return Err(Diagnostic::new("q' needs a delimiter, as in q'[text]'", position)),
        };
        let mut value = String::new();
        while let Some(character) = self.advance() {
            if character == close && self.peek() == Some('\'') {
                self.advance();
                return Ok(value);
            }
            push_unix(&mut value, character, self.peek());
        }
        Err(Diagnostic::new(format!("string without end: a closing {close}' is missing"), position))
    }

    fn number(&mut self) -> TokenKind {
        let start = self.cursor;
        self.skip_digits();
        if self.peek() == Some('.') && self.peek_after(1) != Some('.') {
            self.advance();
            self.skip_digits();
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            let signed = matches!(self.peek_after(1), Some('+' | '-'));
            if self.peek_after(1 + usize::from(signed)).is_some_and(|c| c.is_ascii_digit()) {
                self.advance_by(1 + usize::from(signed));
                self.skip_digits();
            }
        }
        TokenKind::Number(self.text[start..self.cursor].to_owned())
    }

    fn skip_digits(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.advance();
        }
    }

    fn word(&mut self) -> String {
        let start = self.cursor;
        while self.peek().is_some_and(continues_word) {
            self.advance();
        }
        self.text[start..self.cursor].to_lowercase()
    }

    fn word_or_prefixed_string(&mut self) -> Result<TokenKind, Diagnostic> {
        let position = self.position;
        let word = self.word();
        if self.peek() != Some('\'') {
            return Ok(TokenKind::Word(word));
        }
        match word.as_str() {
            "q" | "nq" => self.alternative_quoted(position).map(TokenKind::Text),
            "n" => self.quoted('\'', "string").map(TokenKind::Text),
            _ => Ok(TokenKind::Word(word)),
        }
    }

    /// The opening `$tag$` at the cursor.
    fn dollar_tag(&self) -> Option<&'a str> {
        let rest = self.rest().strip_prefix('$')?;
        let length = rest.find('$')?;
        let tag = &rest[..length];
        let is_tag = !tag.starts_with(|c: char| c.is_ascii_digit())
            && tag.chars().all(|c| c.is_alphanumeric() || c == '_');
        is_tag.then(|| &self.rest()[..length + 2])
    }

    fn dollar_text(&mut self) -> Result<TokenKind, Diagnostic> {
        let position = self.position;
        let tag = self.dollar_tag().unwrap_or("$$");
        let Some(length) = self.rest()[tag.len()..].find(tag) else {
            return Err(Diagnostic::new(format!("string without end: a closing {tag} is missing"), position));
        };
        let end = self.cursor + length + 2 * tag.len();
        while self.cursor < end {
            self.advance();
        }
        Ok(TokenKind::DollarText)
    }

    fn symbol(&mut self, first: char) -> TokenKind {
        let rest = self.rest();
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            self.advance_by(symbol.len());
            return TokenKind::Symbol(symbol);
        }
        self.advance();
        TokenKind::Unknown(first)
    }
}

/// Adds a character of a string; a line ends with a line feed whatever the file uses.
fn push_unix(value: &mut String, character: char, next: Option<char>) {
    if !(character == '\r' && next == Some('\n')) {
        value.push(character);
    }
}

/// Names in capitals are those that Oracle stores for names without quotes.
fn fold_quoted(name: String) -> String {
    if name.chars().any(char::is_lowercase) { name } else { name.to_lowercase() }
}

/// Blanks include those that copying from a web page brings along.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{feff}' | '\u{200b}')
}

fn starts_word(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

fn continues_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$' | '#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokenize(text, Position::START).unwrap().into_iter().map(|token| token.kind).collect()
    }

    fn text(value: &str) -> TokenKind {
        TokenKind::Text(value.to_owned())
    }

    #[test]
    fn strings_of_every_notation() {
        for (source, value) in [
            ("'it''s'", "it's"),
            ("q'[it's]'", "it's"),
            ("Q'{a}b}'", "a}b"),
            ("q'(())'", "()"),
            ("q'<x>'", "x"),
            ("q'!x!'", "x"),
            ("q'|a'|b|'", "a'|b"),
            ("nq'~é~'", "é"),
            ("N'x'", "x"),
            ("''", ""),
            ("'a\r\nb'", "a\nb"),
        ] {
            assert_eq!(kinds(source), [text(value)], "{source}");
        }
    }

    #[test]
    fn numbers_and_ranges() {
        let number = |value: &str| TokenKind::Number(value.to_owned());
        assert_eq!(kinds("1..3"), [number("1"), TokenKind::Symbol(".."), number("3")]);
        assert_eq!(kinds("1.5e-3"), [number("1.5e-3")]);
        assert_eq!(kinds(".5"), [number(".5")]);
        assert_eq!(kinds("1end"), [number("1"), TokenKind::Word("end".to_owned())]);
    }

    #[test]
    fn names_are_folded() {
        let word = |value: &str| TokenKind::Word(value.to_owned());
        let quoted = |value: &str| TokenKind::Quoted(value.to_owned());
        assert_eq!(kinds("L_Roles \"ORDS\" \"Mixed\""), [word("l_roles"), quoted("ords"), quoted("Mixed")]);
    }

    #[test]
    fn positions_count_characters_and_lines() {
        let tokens = tokenize("\u{feff}é x\r\n\ty -- c\n/* d\n */ z", Position::START).unwrap();
        let places: Vec<(u32, u32, usize)> =
            tokens.iter().map(|t| (t.position.line, t.position.column, t.position.offset)).collect();
        assert_eq!(places, [(1, 1, 3), (1, 3, 6), (2, 2, 10), (4, 5, 26)]);
    }

    #[test]
    fn what_is_never_closed_is_told_where_it_opens() {
        for source in ["x 'abc", "x q'[abc'", "x \"abc", "x /* abc", "x $$ abc", "x q'"] {
            let problem = tokenize(source, Position::START).unwrap_err();
            assert_eq!(problem.position.column, 3, "{source}");
        }
    }
}
