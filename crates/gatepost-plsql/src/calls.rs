//! Calls as they are written, without running or even parsing anything: for whoever has to find their arguments in a
//! text, whatever statements are around them.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Position};
use crate::lexer::tokenize;
use crate::token::{Token, TokenKind};

/// The calls and strings of a text, nested ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenCalls {
    /// `package.name(…)`, in the order of their names.
    pub calls: Vec<WrittenCall>,
    /// Strings of any notation: where they stand and what they are.
    pub strings: Vec<(Range<usize>, String)>,
}

/// A call `package.name(…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCall {
    /// The package, lower case unless quoted.
    pub package: String,
    /// The name in it.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<WrittenArgument>,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenArgument {
    /// The parameter's name, if it is given.
    pub name: Option<String>,
    /// Where the value stands, in bytes.
    pub range: Range<usize>,
    /// What it is.
    pub kind: WrittenValue,
}

/// What stands as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenValue {
    /// One string.
    String,
    /// NULL.
    Null,
    /// A call `package.name(…)` and nothing else.
    Call,
    /// Anything else: a variable, an expression.
    Other,
}

impl WrittenCalls {
    /// Reads a text. Fails where a string, a quoted name or a comment has no end.
    pub fn read(text: &str) -> Result<Self, Diagnostic> {
        let tokens = tokenize(text, Position::START)?;
        let mut found = Self::default();
        for (index, token) in tokens.iter().enumerate() {
            match &token.kind {
                TokenKind::Text(value) => found.strings.push((token.start..token.end, value.clone())),
                TokenKind::DollarText => {
                    let range = token.start..token.end;
                    found.strings.push((range.clone(), text[range].to_owned()));
                }
                _ => {}
            }
            if let Some((package, name)) = called(&tokens[index..]) {
                let arguments = arguments(&tokens[index + 4..]);
                found.calls.push(WrittenCall { package: package.into(), name: name.into(), arguments });
            }
        }
        Ok(found)
    }
}

/// The names of `package.name(` at the beginning of these tokens.
fn called(tokens: &[Token]) -> Option<(&str, &str)> {
    match tokens {
        [package, dot, name, open, ..] if dot.is_symbol(".") && open.is_symbol("(") => {
            Some((package.name()?, name.name()?))
        }
        _ => None,
    }
}

/// The arguments up to the parenthesis that closes.
fn arguments(tokens: &[Token]) -> Vec<WrittenArgument> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0_usize, 0);
    for (index, token) in tokens.iter().enumerate() {
        let closes = token.is_symbol(")");
        if depth == 0 && (closes || token.is_symbol(",")) {
            found.extend(argument(&tokens[from..index]));
            from = index + 1;
            if closes {
                break;
            }
        } else if token.is_symbol("(") {
            depth += 1;
        } else if closes {
            depth -= 1;
        }
    }
    found
}

fn argument(tokens: &[Token]) -> Option<WrittenArgument> {
    let (name, value) = match tokens {
        [name, arrow, value @ ..] if arrow.is_symbol("=>") => (name.name().map(str::to_owned), value),
        value => (None, value),
    };
    let range = value.first()?.start..value.last()?.end;
    let kind = match value {
        [Token { kind: TokenKind::Text(_) | TokenKind::DollarText, .. }] => WrittenValue::String,
        [null] if null.is_word("null") => WrittenValue::Null,
        value if called(value).is_some() && closes_at_the_end(&value[3..]) => WrittenValue::Call,
        _ => WrittenValue::Other,
    };
    Some(WrittenArgument { name, range, kind })
}

/// Whether the parenthesis that opens first closes with the last token.
fn closes_at_the_end(tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
            if depth == 0 {
                return index + 1 == tokens.len();
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call's full name, and of each argument the parameter, the text and the kind.
    type Found<'t> = (String, Vec<(Option<String>, &'t str, WrittenValue)>);

    fn kinds(text: &str) -> Vec<Found<'_>> {
        let found = WrittenCalls::read(text).unwrap();
        let argument = |it: WrittenArgument| (it.name, &text[it.range], it.kind);
        let call = |call: WrittenCall| {
            let arguments = call.arguments.into_iter().map(argument).collect();
            (format!("{}.{}", call.package, call.name), arguments)
        };
        found.calls.into_iter().map(call).collect()
    }

    #[test]
    fn arguments_are_found_by_place_and_by_name_in_any_spelling() {
        use WrittenValue::{Call, Null, Other, String};
        let text =
            "begin /* a.b('x') */ OAUTH . \"SET_IT\"(q'[it's]', p_x => null, y => f(1, 2) || 'z'); end;";
        let it = |name: Option<&str>| name.map(str::to_owned);
        assert_eq!(
            kinds(text),
            [(
                "oauth.set_it".into(),
                vec![
                    (None, "q'[it's]'", String),
                    (it(Some("p_x")), "null", Null),
                    (it(Some("y")), "f(1, 2) || 'z'", Other),
                ]
            )]
        );
        let nested = kinds("x := a.b(c.d('e'), g, c.d('h') || '')");
        assert_eq!(nested.len(), 3);
        assert_eq!(nested[0].1.iter().map(|it| it.2).collect::<Vec<_>>(), [Call, Other, Other]);
        assert_eq!(nested[1], ("c.d".into(), vec![(None, "'e'", String)]));
    }

    #[test]
    fn calls_without_an_end_have_the_arguments_that_are_there_and_strings_are_all_found() {
        assert_eq!(kinds("a.b('x', y"), [("a.b".into(), vec![(None, "'x'", WrittenValue::String)])]);
        assert_eq!(kinds("a.b()"), [("a.b".into(), vec![])]);
        let strings = WrittenCalls::read("select 'it''s', $$plain$$ from t").unwrap().strings;
        assert_eq!(strings, [(7..14, "it's".into()), (16..25, "$$plain$$".into())]);
        assert!(WrittenCalls::read("select 'open").is_err());
    }
}
