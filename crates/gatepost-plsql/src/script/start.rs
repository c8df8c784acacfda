//! What kind of statement begins at a token.

use crate::diagnostic::Diagnostic;
use crate::lexer::Lexer;
use crate::nearest::nearest;
use crate::token::{Token, TokenKind};

use super::stands_alone;

/// How a statement begins, and thereby how its end is found.
pub(super) enum Start {
    Separator,
    Directive(&'static str),
    Block,
    Execute,
    Commit,
    Rollback,
    StoredUnit,
    Trigger,
    Sql,
}

/// Commands of the command-line tool, with their abbreviations.
const DIRECTIVES: [(&str, &str); 50] = [
    ("accept", "ACCEPT"),
    ("acc", "ACCEPT"),
    ("alias", "ALIAS"),
    ("break", "BREAK"),
    ("btitle", "BTITLE"),
    ("cd", "CD"),
    ("clear", "CLEAR"),
    ("cl", "CLEAR"),
    ("column", "COLUMN"),
    ("col", "COLUMN"),
    ("compute", "COMPUTE"),
    ("connect", "CONNECT"),
    ("conn", "CONNECT"),
    ("define", "DEFINE"),
    ("def", "DEFINE"),
    ("describe", "DESCRIBE"),
    ("desc", "DESCRIBE"),
    ("disconnect", "DISCONNECT"),
    ("disc", "DISCONNECT"),
    ("exit", "EXIT"),
    ("host", "HOST"),
    ("ho", "HOST"),
    ("lb", "LIQUIBASE"),
    ("liquibase", "LIQUIBASE"),
    ("oerr", "OERR"),
    ("password", "PASSWORD"),
    ("pause", "PAUSE"),
    ("print", "PRINT"),
    ("prompt", "PROMPT"),
    ("pro", "PROMPT"),
    ("quit", "EXIT"),
    ("rem", "REM"),
    ("remark", "REM"),
    ("repfooter", "REPFOOTER"),
    ("repheader", "REPHEADER"),
    ("set", "SET"),
    ("show", "SHOW"),
    ("sho", "SHOW"),
    ("spool", "SPOOL"),
    ("spo", "SPOOL"),
    ("start", "START"),
    ("store", "STORE"),
    ("timing", "TIMING"),
    ("ttitle", "TTITLE"),
    ("undefine", "UNDEFINE"),
    ("undef", "UNDEFINE"),
    ("variable", "VARIABLE"),
    ("var", "VARIABLE"),
    ("whenever", "WHENEVER"),
    ("xquery", "XQUERY"),
];

/// Words that SQL statements begin with. Others get a warning when they resemble one.
const SQL_STARTS: [&str; 38] = [
    "abort",
    "alter",
    "analyze",
    "associate",
    "attach",
    "audit",
    "call",
    "checkpoint",
    "comment",
    "copy",
    "create",
    "deallocate",
    "delete",
    "detach",
    "do",
    "drop",
    "end",
    "explain",
    "flashback",
    "grant",
    "insert",
    "lock",
    "merge",
    "noaudit",
    "pragma",
    "purge",
    "reindex",
    "release",
    "rename",
    "reset",
    "revoke",
    "savepoint",
    "select",
    "truncate",
    "update",
    "vacuum",
    "values",
    "with",
];

/// Finds out what begins with `first`. `lexer` stands before it.
pub(super) fn recognize(script: &str, first: &Token, lexer: &Lexer<'_>) -> Result<Start, Diagnostic> {
    let Some(word) = first.word() else { return Ok(by_symbol(script, first)) };
    let mut ahead = lexer.clone();
    ahead.next_token()?;
    if let Some((_, name)) = DIRECTIVES.iter().find(|(short, _)| *short == word) {
        // The rest of the line may hold anything, so it is read as tokens only where that matters.
        let is_sql = word == "start" && ahead.next_token()?.is_some_and(|next| next.is_word("transaction"));
        return Ok(if is_sql { Start::Sql } else { Start::Directive(name) });
    }
    let start = match word {
        "declare" => Start::Block,
        "begin" if !begins_transaction(&mut ahead)? => Start::Block,
        "exec" | "execute" => Start::Execute,
        "commit" if ends_transaction(&mut ahead, first)? => Start::Commit,
        "rollback" if ends_transaction(&mut ahead, first)? => Start::Rollback,
        "create" => created(&mut ahead)?,
        _ => Start::Sql,
    };
    Ok(start)
}

/// A warning when no statement begins like this, but one begins similarly.
pub(super) fn spelling_warning(first: &Token) -> Option<Diagnostic> {
    let word = first.word()?;
    let keywords = ["begin", "declare", "commit", "rollback", "execute"];
    let known = || SQL_STARTS.into_iter().chain(keywords);
    if known().any(|start| start == word) || DIRECTIVES.iter().any(|(short, _)| *short == word) {
        return None;
    }
    let near = nearest(word, known())?;
    Some(Diagnostic::new(format!("no statement begins with `{word}`"), first.position).with_suggestion(near))
}

fn by_symbol(script: &str, first: &Token) -> Start {
    match &first.kind {
        TokenKind::Symbol(";") => Start::Separator,
        TokenKind::Symbol("/") if stands_alone(script, first) => Start::Separator,
        TokenKind::Symbol("@") => Start::Directive("@"),
        TokenKind::Symbol("<<") => Start::Block,
        TokenKind::Unknown('!') => Start::Directive("HOST"),
        _ => Start::Sql,
    }
}

/// `BEGIN;` and `BEGIN IMMEDIATE` open a transaction on other databases.
fn begins_transaction(ahead: &mut Lexer<'_>) -> Result<bool, Diagnostic> {
    let Some(second) = ahead.next_token()? else { return Ok(false) };
    if second.is_symbol(";") {
        return Ok(true);
    }
    let modes = ["transaction", "work", "immediate", "deferred", "exclusive"];
    if !second.word().is_some_and(|word| modes.contains(&word)) {
        return Ok(false);
    }
    Ok(ahead.next_token()?.is_none_or(|third| third.is_symbol(";") || third.word().is_some()))
}

/// Whether `COMMIT` or `ROLLBACK` stands alone: nothing but `WORK` follows before its end.
fn ends_transaction(ahead: &mut Lexer<'_>, first: &Token) -> Result<bool, Diagnostic> {
    let Some(mut next) = ahead.next_token()? else { return Ok(true) };
    if next.is_word("work") {
        let Some(third) = ahead.next_token()? else { return Ok(true) };
        next = third;
    }
    let continues = ["to", "and", "comment", "force", "transaction", "prepared"];
    Ok(next.is_symbol(";")
        || next.position.line > first.position.line
            && !next.word().is_some_and(|word| continues.contains(&word)))
}

/// What a `CREATE` makes.
fn created(ahead: &mut Lexer<'_>) -> Result<Start, Diagnostic> {
    let modifiers = ["or", "replace", "editionable", "noneditionable", "temp", "temporary", "constraint"];
    while let Some(token) = ahead.next_token()? {
        match token.word() {
            Some(word) if modifiers.contains(&word) => {}
            Some("trigger") => return Ok(Start::Trigger),
            Some("procedure" | "function" | "package") => return Ok(Start::StoredUnit),
            Some("type") => {
                let is_body = ahead.next_token()?.is_some_and(|next| next.is_word("body"));
                return Ok(if is_body { Start::StoredUnit } else { Start::Sql });
            }
            _ => break,
        }
    }
    Ok(Start::Sql)
}
