//! Expressions, calls and their arguments.

use crate::ast::{
    AffectedKind, ArgumentNode, BinaryOperator, Expression, ExpressionKind, Link, LinkKind, Path, PathPart,
};
use crate::decimal::Decimal;
use crate::diagnostic::Diagnostic;
use crate::nearest::nearest;
use crate::token::{Token, TokenKind};
use crate::value::Value;

use super::{KEYWORDS, Parser};

/// How tightly operators bind.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const ADDITION: u8 = 5;
const MULTIPLICATION: u8 = 6;
const SIGN: u8 = 7;

impl Parser<'_> {
    /// A whole expression.
    pub(super) fn expression(&mut self) -> Result<Expression, Diagnostic> {
        self.operation(OR)
    }

    /// An operand and every operator after it that binds at least so tightly.
    fn operation(&mut self, tightness: u8) -> Result<Expression, Diagnostic> {
        self.deeper(|parser| {
            let operand = parser.operand()?;
            let position = operand.position;
            let mut links = Vec::new();
            while let Some(link) = parser.link(tightness)? {
                links.push(link);
            }
            if links.is_empty() {
                return Ok(operand);
            }
            let kind = match operand.kind {
                ExpressionKind::Chain(first, mut earlier) => {
                    earlier.append(&mut links);
                    ExpressionKind::Chain(first, earlier)
                }
                kind => ExpressionKind::Chain(Box::new(Expression { position, kind }), links),
            };
            Ok(Expression { position, kind })
        })
    }

    /// The next operator with what stands to its right, if it binds tightly enough.
    fn link(&mut self, tightness: u8) -> Result<Option<Link>, Diagnostic> {
        let Some(token) = self.peek() else { return Ok(None) };
        let position = token.position;
        if let Some((operator, own)) = binary(token) {
            if own < tightness {
                return Ok(None);
            }
            self.cursor += 1;
            let right = self.operation(own + 1)?;
            return Ok(Some(Link { position, kind: LinkKind::Binary(operator, right) }));
        }
        if tightness > COMPARISON {
            return Ok(None);
        }
        let kind = match token.word() {
            Some("is") => {
                self.cursor += 1;
                let negated = self.eat_word("not");
                self.expect_word("null", "after `is`")?;
                LinkKind::IsNull { negated }
            }
            Some("not" | "in" | "like" | "between") => self.word_comparison()?,
            _ => return Ok(None),
        };
        Ok(Some(Link { position, kind }))
    }

    /// `[NOT] IN`, `[NOT] LIKE`, `[NOT] BETWEEN`.
    fn word_comparison(&mut self) -> Result<LinkKind, Diagnostic> {
        let negated = self.eat_word("not");
        if self.eat_word("in") {
            self.expect_symbol("(", "after `in`")?;
            let mut list = vec![self.expression()?];
            while self.eat_symbol(",") {
                list.push(self.expression()?);
            }
            self.expect_symbol(")", "after the list")?;
            return Ok(LinkKind::In { negated, list });
        }
        if self.eat_word("like") {
            let pattern = self.operation(ADDITION)?;
            let escape = if self.eat_word("escape") { Some(self.operation(ADDITION)?) } else { None };
            return Ok(LinkKind::Like { negated, pattern, escape });
        }
        self.expect_word("between", "(or `in`, or `like`)")?;
        let low = self.operation(ADDITION)?;
        self.expect_word("and", "between the bounds")?;
        let high = self.operation(ADDITION)?;
        Ok(LinkKind::Between { negated, low, high })
    }

    /// What operators work on.
    fn operand(&mut self) -> Result<Expression, Diagnostic> {
        let Some(token) = self.peek() else { return Err(self.expected("an expression")) };
        let position = token.position;
        let kind = match &token.kind {
            TokenKind::Text(text) => self.literal(Value::text(text.as_str())),
            TokenKind::Number(digits) => {
                let number = Decimal::parse(digits)
                    .ok_or_else(|| Diagnostic::new("number with more than 38 digits", position))?;
                self.literal(number.into())
            }
            TokenKind::Symbol("(") => {
                self.cursor += 1;
                if self.at_word("select") {
                    let message = "a query is no expression in PL/SQL; use SELECT … INTO";
                    return Err(Diagnostic::new(message, self.here()));
                }
                let inner = self.expression()?;
                self.expect_symbol(")", "at the end of the expression")?;
                return Ok(Expression { position, ..inner });
            }
            TokenKind::Symbol("-") => {
                self.cursor += 1;
                ExpressionKind::Negate(Box::new(self.operation(SIGN)?))
            }
            TokenKind::Symbol("+") => {
                self.cursor += 1;
                return self.operation(SIGN);
            }
            TokenKind::Word(word) => return self.word_operand(word, position),
            TokenKind::Quoted(_) => ExpressionKind::Path(self.path()?),
            _ => return Err(self.expected("an expression")),
        };
        Ok(Expression { position, kind })
    }

    fn literal(&mut self, value: Value) -> ExpressionKind {
        self.cursor += 1;
        ExpressionKind::Literal(value)
    }

    fn word_operand(
        &mut self,
        word: &str,
        position: crate::diagnostic::Position,
    ) -> Result<Expression, Diagnostic> {
        let kind = match word {
            "null" => self.literal(Value::Null),
            "true" => self.literal(Value::Boolean(true)),
            "false" => self.literal(Value::Boolean(false)),
            "not" => {
                self.cursor += 1;
                ExpressionKind::Not(Box::new(self.operation(NOT)?))
            }
            "case" => self.case_expression()?,
            "sql" if self.peek_after(1).is_some_and(|next| next.is_symbol("%")) => self.affected()?,
            _ if KEYWORDS.contains(&word) => return Err(self.expected("an expression")),
            _ => ExpressionKind::Path(self.path()?),
        };
        Ok(Expression { position, kind })
    }

    fn affected(&mut self) -> Result<ExpressionKind, Diagnostic> {
        self.cursor += 2;
        let name = self.name("an attribute")?;
        let kind = match name.text.as_str() {
            "rowcount" => AffectedKind::Count,
            "found" => AffectedKind::Found,
            "notfound" => AffectedKind::NotFound,
            other => {
                let near = nearest(other, ["rowcount", "found", "notfound"]);
                let message = format!("unknown attribute `sql%{other}`");
                return Err(Diagnostic::new(message, name.position).suggesting(near));
            }
        };
        Ok(ExpressionKind::Affected(kind))
    }

    fn case_expression(&mut self) -> Result<ExpressionKind, Diagnostic> {
        self.cursor += 1;
        let selector = if self.at_word("when") { None } else { Some(Box::new(self.expression()?)) };
        let mut branches = Vec::new();
        self.expect_word("when", "of `case`")?;
        loop {
            let condition = self.expression()?;
            self.expect_word("then", "after the condition")?;
            branches.push((condition, self.expression()?));
            if !self.eat_word("when") {
                break;
            }
        }
        let otherwise = if self.eat_word("else") { Some(Box::new(self.expression()?)) } else { None };
        self.expect_word("end", "of `case`")?;
        Ok(ExpressionKind::Case { selector, branches, otherwise })
    }

    /// A dotted name with arguments after any of its parts.
    pub(super) fn path(&mut self) -> Result<Path, Diagnostic> {
        let mut parts = Vec::new();
        loop {
            let name = self.name("a name")?;
            let arguments = if self.at_symbol("(") { Some(self.arguments()?) } else { None };
            parts.push(PathPart { name, arguments });
            if !self.eat_symbol(".") {
                break;
            }
        }
        if self.at_symbol("%") {
            let message = "a cursor attribute is not supported in a definition block";
            return Err(Diagnostic::new(message, self.here()));
        }
        Ok(Path { parts })
    }

    /// Arguments in parentheses. A comma after the last one is put up with.
    fn arguments(&mut self) -> Result<Vec<ArgumentNode>, Diagnostic> {
        self.cursor += 1;
        let mut arguments: Vec<ArgumentNode> = Vec::new();
        while !self.eat_symbol(")") {
            let argument = self.argument()?;
            let follows_named = arguments.last().is_some_and(|last| last.name.is_some());
            if argument.name.is_none() && follows_named {
                let message = "an argument without a name follows one with a name; write `name => value`";
                return Err(Diagnostic::new(message, argument.position));
            }
            arguments.push(argument);
            if !self.eat_symbol(",") && !self.at_symbol(")") {
                return Err(self.missing_comma());
            }
        }
        Ok(arguments)
    }

    fn missing_comma(&self) -> Diagnostic {
        let begins_argument = self.peek_after(1).is_some_and(|token| token.is_symbol("=>"));
        match self.peek() {
            Some(token) if begins_argument => {
                Diagnostic::new(format!("expected `,` before {}", token.describe()), self.behind())
            }
            _ => self.expected("`,` or `)` after the argument"),
        }
    }

    fn argument(&mut self) -> Result<ArgumentNode, Diagnostic> {
        let position = self.here();
        let is_named = self.peek_after(1).is_some_and(|token| token.is_symbol("=>"));
        let name = if is_named { Some(self.name("a parameter's name")?.text.to_lowercase()) } else { None };
        self.cursor += usize::from(is_named);
        Ok(ArgumentNode { name, position, value: self.expression()? })
    }
}

/// The operator a token is, and how tightly it binds.
fn binary(token: &Token) -> Option<(BinaryOperator, u8)> {
    let operator = match &token.kind {
        TokenKind::Word(word) if word == "or" => (BinaryOperator::Or, OR),
        TokenKind::Word(word) if word == "and" => (BinaryOperator::And, AND),
        TokenKind::Symbol(symbol) => match *symbol {
            "=" => (BinaryOperator::Equal, COMPARISON),
            "<>" | "!=" | "^=" | "~=" => (BinaryOperator::Unequal, COMPARISON),
            "<" => (BinaryOperator::Less, COMPARISON),
            "<=" => (BinaryOperator::LessOrEqual, COMPARISON),
            ">" => (BinaryOperator::Greater, COMPARISON),
            ">=" => (BinaryOperator::GreaterOrEqual, COMPARISON),
            "||" => (BinaryOperator::Concatenate, ADDITION),
            "+" => (BinaryOperator::Add, ADDITION),
            "-" => (BinaryOperator::Subtract, ADDITION),
            "*" => (BinaryOperator::Multiply, MULTIPLICATION),
            "/" => (BinaryOperator::Divide, MULTIPLICATION),
            _ => return None,
        },
        _ => return None,
    };
    Some(operator)
}
