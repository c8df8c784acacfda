//! A script to statements.

use std::ops::Range;

use super::{Dialect, Refusal, Token, lex};

/// The statements of a script as byte ranges, without the `;` that ends them. The bodies of triggers and of
/// `BEGIN ATOMIC` functions stay whole.
pub fn split(sql: &str, dialect: Dialect) -> Result<Vec<Range<usize>>, Refusal> {
    let tokens = lex(sql, dialect)?;
    Ok(pieces(sql, &tokens, dialect).map(|piece| piece[0].start..piece[piece.len() - 1].end).collect())
}

/// The tokens of each statement that is not empty.
pub(super) fn pieces<'t>(
    sql: &str,
    tokens: &'t [Token],
    dialect: Dialect,
) -> impl Iterator<Item = &'t [Token]> {
    let mut pieces = Vec::new();
    let mut first = 0;
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        if token.is_symbol(sql, ";") && depth == 0 {
            pieces.push(&tokens[first..index]);
            first = index + 1;
        } else if has_body(sql, &tokens[first..=index]) {
            depth = body_depth(sql, tokens, index, depth, dialect);
        }
    }
    pieces.push(&tokens[first..]);
    pieces.into_iter().filter(|piece| !piece.is_empty())
}

fn has_body(sql: &str, statement: &[Token]) -> bool {
    statement[0].is_word(sql, "create")
        && statement
            .iter()
            .take(6)
            .any(|token| ["trigger", "function", "procedure"].iter().any(|word| token.is_word(sql, word)))
}

fn body_depth(sql: &str, tokens: &[Token], index: usize, depth: usize, dialect: Dialect) -> usize {
    let token = &tokens[index];
    let next_is_atomic = tokens.get(index + 1).is_some_and(|next| next.is_word(sql, "atomic"));
    if token.is_word(sql, "begin") && depth == 0 && (dialect == Dialect::Sqlite || next_is_atomic) {
        1
    } else if token.is_word(sql, "case") && depth > 0 {
        depth + 1
    } else if token.is_word(sql, "end") && depth > 0 {
        depth - 1
    } else {
        depth
    }
}
