//! Text to tokens. Comments and white space are left out.

use super::{Dialect, Refusal};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keyword or unquoted name.
    Word,
    /// Quoted name, quotes included.
    Quoted,
    /// Text literal, quotes included.
    Text,
    /// Number.
    Number,
    /// Bind, colon included.
    Bind,
    /// One character, or `::`, `:=`.
    Symbol,
}

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
}

impl Token {
    /// Its text.
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.start..self.end]
    }

    /// Whether it is this keyword, in any letter case.
    pub fn is_word(&self, sql: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// Whether it is this symbol.
    pub fn is_symbol(&self, sql: &str, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text(sql) == symbol
    }
}

/// Reads the text into tokens.
pub fn lex(sql: &str, dialect: Dialect) -> Result<Vec<Token>, Refusal> {
    let mut lexer =
        Lexer { sql, bytes: sql.as_bytes(), dialect, at: 0, tokens: Vec::new(), brackets: Vec::new() };
    while lexer.at < sql.len() {
        lexer.step()?;
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    dialect: Dialect,
    at: usize,
    tokens: Vec<Token>,
    /// Open brackets: `true` for a subscript `[`, `false` for a constructor `[` and for `(`.
    brackets: Vec<bool>,
}

impl Lexer<'_> {
    fn step(&mut self) -> Result<(), Refusal> {
        let start = self.at;
        let byte = self.bytes[start];
        if byte.is_ascii_whitespace() || byte == 0x0b {
            self.at += 1;
        } else if byte == b'-' && self.peek(1) == b'-' {
            self.at = self.sql[start..].find('\n').map_or(self.sql.len(), |length| start + length);
        } else if byte == b'/' && self.peek(1) == b'*' {
            self.block_comment()?;
        } else {
            let (kind, end) = self.token(byte)?;
            self.tokens.push(Token { kind, start, end });
            self.at = end;
        }
        Ok(())
    }

    /// The kind of the token here, and the byte behind it.
    fn token(&mut self, byte: u8) -> Result<(Kind, usize), Refusal> {
        let start = self.at;
        match byte {
            0 => Err(Refusal::new(start, "NUL", "a NUL character cannot stand in SQL")),
            b'\'' => self.quoted(b'\'', Kind::Text),
            b'"' => self.quoted(b'"', Kind::Quoted),
            b'`' if self.dialect == Dialect::Sqlite => self.quoted(b'`', Kind::Quoted),
            b'[' if self.dialect == Dialect::Sqlite => self.square_name(),
            b'$' => self.dollar(),
            b':' => self.colon(),
            b'?' | b'@' if self.dialect == Dialect::Sqlite => {
                let construct = &self.sql[start..self.name_end(start + 1)];
                Err(Refusal::new(start, construct, "placeholders are written as :name"))
            }
            b if b.is_ascii_digit() || (b == b'.' && self.peek(1).is_ascii_digit()) => Ok(self.number()),
            b if is_name_start(b) => self.word(),
            _ => Ok(self.symbol()),
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Block comments nest on PostgreSQL and do not on SQLite.
    fn block_comment(&mut self) -> Result<(), Refusal> {
        let start = self.at;
        let mut depth = 0usize;
        while self.at < self.bytes.len() {
            match (self.bytes[self.at], self.peek(1)) {
                (b'/', b'*') if depth == 0 || self.dialect == Dialect::Postgres => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => self.at += 1,
            }
        }
        Err(Refusal::new(start, "/*", "this comment is not closed"))
    }

    fn quoted(&self, quote: u8, kind: Kind) -> Result<(Kind, usize), Refusal> {
        let mut at = self.at + 1;
        while at < self.bytes.len() {
            if self.bytes[at] == quote {
                if self.bytes.get(at + 1) == Some(&quote) {
                    at += 1;
                } else {
                    return Ok((kind, at + 1));
                }
            }
            at += 1;
        }
        Err(Refusal::new(self.at, char::from(quote), "this quote is not closed"))
    }

    /// `E'..'` with backslashes; a continuation on the next line keeps them.
    fn escaped_text(&self) -> Result<(Kind, usize), Refusal> {
        let mut at = self.at + 2;
        loop {
            match self.bytes.get(at) {
                None => return Err(Refusal::new(self.at, "E'", "this quote is not closed")),
                Some(b'\\') => at += 2,
                Some(b'\'') if self.bytes.get(at + 1) == Some(&b'\'') => at += 2,
                Some(b'\'') => match self.continued(at + 1) {
                    Some(next) => at = next,
                    None => return Ok((Kind::Text, at + 1)),
                },
                Some(_) => at += 1,
            }
        }
    }

    fn continued(&self, from: usize) -> Option<usize> {
        let gap = self.bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let lines = self.bytes[from..from + gap].contains(&b'\n');
        (lines && self.bytes.get(from + gap) == Some(&b'\'')).then_some(from + gap + 1)
    }

    fn square_name(&self) -> Result<(Kind, usize), Refusal> {
        match self.sql[self.at..].find(']') {
            Some(length) => Ok((Kind::Quoted, self.at + length + 1)),
            None => Err(Refusal::new(self.at, "[", "this bracket is not closed")),
        }
    }

    fn dollar(&self) -> Result<(Kind, usize), Refusal> {
        let start = self.at;
        let tag_end = self.name_end_without_dollar(start + 1);
        if self.dialect == Dialect::Postgres
            && self.bytes.get(tag_end) == Some(&b'$')
            && !self.peek(1).is_ascii_digit()
        {
            let tag = &self.sql[start..=tag_end];
            return match self.sql[tag_end + 1..].find(tag) {
                Some(length) => Ok((Kind::Text, tag_end + 1 + length + tag.len())),
                None => Err(Refusal::new(start, tag, "this quote is not closed")),
            };
        }
        let construct = &self.sql[start..self.name_end(start + 1)];
        Err(Refusal::new(start, construct, "placeholders are written as :name"))
    }

    fn colon(&self) -> Result<(Kind, usize), Refusal> {
        let next = self.peek(1);
        if next == b':' || next == b'=' {
            return Ok((Kind::Symbol, self.at + 2));
        }
        let subscript = self.brackets.last() == Some(&true);
        if next.is_ascii_digit() && !subscript {
            return Ok((Kind::Bind, self.bind_end()));
        }
        if !is_name_start(next) {
            return Ok((Kind::Symbol, self.at + 1));
        }
        if subscript && self.after_operand() {
            let name = &self.sql[self.at + 1..self.bind_end()];
            let message = format!("a slice bound that is a name is written as [..:({name})]");
            return Err(Refusal::new(self.at, format!(":{name}"), message));
        }
        Ok((Kind::Bind, self.bind_end()))
    }

    fn bind_end(&self) -> usize {
        let mut end = self.name_end(self.at + 1);
        // `#` belongs to the name, except where an operator such as `#>` begins.
        while self.bytes.get(end) == Some(&b'#')
            && self.bytes.get(end + 1).is_some_and(|byte| is_name_part(*byte))
        {
            end = self.name_end(end + 1);
        }
        end
    }

    /// Whether the token before ends an operand, so that a colon behind it separates slice bounds.
    fn after_operand(&self) -> bool {
        self.tokens.last().is_some_and(|token| match token.kind {
            Kind::Word => !is_operator_word(token.text(self.sql)),
            Kind::Quoted | Kind::Text | Kind::Number | Kind::Bind => true,
            Kind::Symbol => matches!(token.text(self.sql), ")" | "]"),
        })
    }

    fn number(&self) -> (Kind, usize) {
        let hex = self.bytes[self.at] == b'0' && matches!(self.peek(1), b'x' | b'X');
        let mut end = self.at + 1;
        while let Some(byte) = self.bytes.get(end).copied() {
            let sign = matches!(byte, b'+' | b'-') && !hex && matches!(self.bytes[end - 1], b'e' | b'E');
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || sign) {
                break;
            }
            end += 1;
        }
        (Kind::Number, end)
    }

    fn word(&self) -> Result<(Kind, usize), Refusal> {
        let end = self.name_end(self.at);
        let word = &self.sql[self.at..end];
        if self.bytes.get(end) == Some(&b'\'') {
            if word.eq_ignore_ascii_case("q") || word.eq_ignore_ascii_case("nq") {
                let message = "Oracle's alternative quoting is not available here; write '...' and double the quotes inside";
                return Err(Refusal::new(self.at, format!("{word}'"), message));
            }
            if word.eq_ignore_ascii_case("e") && self.dialect == Dialect::Postgres {
                return self.escaped_text();
            }
        }
        Ok((Kind::Word, end))
    }

    fn symbol(&mut self) -> (Kind, usize) {
        match self.bytes[self.at] {
            b'[' => self.brackets.push(self.opens_subscript()),
            b'(' => self.brackets.push(false),
            b']' | b')' => {
                self.brackets.pop();
            }
            _ => {}
        }
        (Kind::Symbol, self.at + 1)
    }

    fn opens_subscript(&self) -> bool {
        self.after_operand() && !self.tokens.last().is_some_and(|token| token.is_word(self.sql, "array"))
    }

    fn name_end(&self, from: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| is_name_part(**byte)).count()
    }

    fn name_end_without_dollar(&self, from: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| is_name_part(**byte) && **byte != b'$').count()
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_name_part(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Words behind which an operand begins, so that a colon there is a bind.
fn is_operator_word(word: &str) -> bool {
    const WORDS: [&str; 19] = [
        "and", "or", "not", "then", "else", "when", "case", "in", "like", "ilike", "similar", "between",
        "is", "from", "distinct", "select", "where", "any", "all",
    ];
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}
