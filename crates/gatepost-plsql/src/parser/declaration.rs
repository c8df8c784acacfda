//! The declarations of a block.

use crate::ast::{Declaration, Name, Variable, VariableKind};
use crate::diagnostic::Diagnostic;
use crate::nearest::nearest;
use crate::token::TokenKind;

use super::{Parser, refused};

/// The built-in types and what they make of a value.
const TYPES: [(&str, VariableKind); 40] = [
    ("bfile", VariableKind::Untyped),
    ("binary_double", VariableKind::Number),
    ("binary_float", VariableKind::Number),
    ("binary_integer", VariableKind::Integer),
    ("blob", VariableKind::Untyped),
    ("boolean", VariableKind::Boolean),
    ("char", VariableKind::Text(None)),
    ("character", VariableKind::Text(None)),
    ("clob", VariableKind::Text(None)),
    ("date", VariableKind::Untyped),
    ("dec", VariableKind::Number),
    ("decimal", VariableKind::Number),
    ("double", VariableKind::Number),
    ("float", VariableKind::Number),
    ("int", VariableKind::Integer),
    ("integer", VariableKind::Integer),
    ("interval", VariableKind::Untyped),
    ("json", VariableKind::Untyped),
    ("long", VariableKind::Text(None)),
    ("natural", VariableKind::Integer),
    ("naturaln", VariableKind::Integer),
    ("nchar", VariableKind::Text(None)),
    ("nclob", VariableKind::Text(None)),
    ("number", VariableKind::Number),
    ("numeric", VariableKind::Number),
    ("nvarchar2", VariableKind::Text(None)),
    ("pls_integer", VariableKind::Integer),
    ("positive", VariableKind::Integer),
    ("positiven", VariableKind::Integer),
    ("raw", VariableKind::Untyped),
    ("real", VariableKind::Number),
    ("rowid", VariableKind::Text(None)),
    ("signtype", VariableKind::Integer),
    ("simple_integer", VariableKind::Integer),
    ("smallint", VariableKind::Integer),
    ("string", VariableKind::Text(None)),
    ("timestamp", VariableKind::Untyped),
    ("varchar", VariableKind::Text(None)),
    ("varchar2", VariableKind::Text(None)),
    ("xmltype", VariableKind::Untyped),
];

impl Parser<'_> {
    /// Declarations up to `BEGIN`.
    pub(super) fn declarations(&mut self) -> Result<Vec<Declaration>, Diagnostic> {
        let mut declarations = Vec::new();
        while !self.at_word("begin") {
            self.refuse_local_units()?;
            if self.at_word("pragma") {
                declarations.extend(self.pragma()?);
            } else {
                declarations.push(self.declaration()?);
            }
        }
        Ok(declarations)
    }

    fn refuse_local_units(&self) -> Result<(), Diagnostic> {
        let construct = match self.peek().and_then(|token| token.word()) {
            Some("procedure") => "a local PROCEDURE",
            Some("function") => "a local FUNCTION",
            Some("type") => "a TYPE declaration",
            Some("subtype") => "a SUBTYPE declaration",
            Some("cursor") => "a CURSOR declaration",
            _ => return Ok(()),
        };
        Err(refused(construct, self.here()))
    }

    fn declaration(&mut self) -> Result<Declaration, Diagnostic> {
        let name = self.name("a declaration or `begin`")?;
        if self.eat_word("exception") {
            self.expect_semicolon("the declaration")?;
            return Ok(Declaration::Exception(name));
        }
        let constant = self.eat_word("constant");
        let kind = self.variable_kind()?;
        let not_null = self.eat_word("not");
        if not_null {
            self.expect_word("null", "after `not`")?;
        }
        let has_initial = self.eat_symbol(":=") || self.eat_word("default");
        let initial = if has_initial { Some(self.expression()?) } else { None };
        if initial.is_none() && (constant || not_null) {
            let message = format!("`{}` needs a value: a {} starts with one", name.text, {
                if constant { "constant" } else { "variable that is not null" }
            });
            return Err(Diagnostic::new(message, name.position));
        }
        self.expect_semicolon(&format!("the declaration of `{}`", name.text))?;
        Ok(Declaration::Variable(Variable { name, constant, not_null, kind, initial }))
    }

    fn variable_kind(&mut self) -> Result<VariableKind, Diagnostic> {
        let first = self.name("a type")?;
        if matches!(first.text.as_str(), "sys_refcursor" | "ref") {
            return Err(refused("a cursor variable", first.position));
        }
        if self.at_symbol(".") || self.at_symbol("%") {
            return self.named_type(&first);
        }
        let Some((_, kind)) = TYPES.iter().find(|(name, _)| *name == first.text) else {
            let near = nearest(&first.text, TYPES.iter().map(|(name, _)| *name));
            let message = format!("unknown type `{}`", first.text);
            return Err(Diagnostic::new(message, first.position).suggesting(near));
        };
        self.type_tail(*kind)
    }

    /// `package.type`, `table.column%TYPE`, `table%ROWTYPE`.
    fn named_type(&mut self, first: &Name) -> Result<VariableKind, Diagnostic> {
        let mut last = first.text.clone();
        while self.eat_symbol(".") {
            last = self.name("a type")?.text;
        }
        if self.eat_symbol("%") && !self.eat_word("type") {
            self.expect_word("rowtype", "or `type` after `%`")?;
            return Ok(VariableKind::Untyped);
        }
        Ok(if last.starts_with("vc_arr") { VariableKind::Array } else { VariableKind::Untyped })
    }

    /// Length, precision and the words that some types end with.
    fn type_tail(&mut self, kind: VariableKind) -> Result<VariableKind, Diagnostic> {
        let sizes = self.type_sizes()?;
        while let Some(
            "precision" | "raw" | "with" | "local" | "time" | "zone" | "varying" | "year" | "month" | "day"
            | "second" | "to",
        ) = self.peek().and_then(|token| token.word())
        {
            self.cursor += 1;
            self.type_sizes()?;
        }
        Ok(match (kind, sizes.as_slice()) {
            (VariableKind::Text(_), [length, ..]) => VariableKind::Text(Some(*length)),
            (VariableKind::Number, [_] | [_, 0]) => VariableKind::Integer,
            (kind, _) => kind,
        })
    }

    /// `(n [CHAR | BYTE] [, m])`.
    fn type_sizes(&mut self) -> Result<Vec<usize>, Diagnostic> {
        let mut sizes = Vec::new();
        if !self.eat_symbol("(") {
            return Ok(sizes);
        }
        loop {
            let negative = self.eat_symbol("-");
            match self.peek().map(|token| &token.kind) {
                Some(TokenKind::Number(digits)) => sizes.push(digits.parse().unwrap_or(usize::MAX)),
                Some(TokenKind::Symbol("*")) => sizes.push(usize::MAX),
                _ => return Err(self.expected("a size")),
            }
            self.cursor += 1;
            if negative && let Some(size) = sizes.last_mut() {
                *size = usize::MAX;
            }
            if !self.eat_word("char") {
                self.eat_word("byte");
            }
            if !self.eat_symbol(",") {
                break;
            }
        }
        self.expect_symbol(")", "after the size")?;
        Ok(sizes)
    }

    /// Pragmas have no effect here, except that one gives an exception its code.
    fn pragma(&mut self) -> Result<Option<Declaration>, Diagnostic> {
        self.cursor += 1;
        let is_code = self.eat_word("exception_init") && self.eat_symbol("(");
        let declaration = if is_code {
            let name = self.name("an exception")?;
            self.expect_symbol(",", "after the exception")?;
            Some(Declaration::ExceptionCode { name, code: self.error_code()? })
        } else {
            None
        };
        while self.peek().is_some_and(|token| !token.is_symbol(";")) {
            self.cursor += 1;
        }
        self.expect_semicolon("the pragma")?;
        Ok(declaration)
    }

    fn error_code(&mut self) -> Result<i32, Diagnostic> {
        let negative = self.eat_symbol("-");
        let code = match self.peek().map(|token| &token.kind) {
            Some(TokenKind::Number(digits)) => digits.parse::<i32>().ok(),
            _ => None,
        };
        let Some(code) = code else { return Err(self.expected("an error code such as -20001")) };
        self.cursor += 1;
        Ok(if negative { -code } else { code })
    }
}
