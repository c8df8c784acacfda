//! `user_ords_*` views for scripts: common table expressions in front of the statement, fed by one JSON parameter.
//!
//! The parameter is an object of the views that the statement names. It travels as a literal of the server's own
//! making: a bind of the statement, whose name no script can write.

use gatepost_rest::sql::{Dialect, Kind, Statement, Token, lex};

use crate::data::{DictionarySource, DictionaryView, SessionError};

/// Columns that hold numbers; the others hold text.
const NUMBERS: [&str; 6] =
    ["id", "items_per_page", "priority", "token_duration", "refresh_duration", "code_duration"];

/// What goes in front of a statement.
#[derive(Debug)]
pub(super) struct Splice {
    /// The place in the statement's text.
    pub(super) at: usize,
    /// The text, with the parameter as `$0`.
    pub(super) text: String,
    /// The parameter: an object of arrays.
    pub(super) json: String,
}

/// The splice for a statement; none when it names no view.
pub(super) fn splice(
    sql: &str,
    statement: &Statement,
    source: &dyn DictionarySource,
) -> Result<Option<Splice>, SessionError> {
    let mut named: Vec<(String, DictionaryView)> = Vec::new();
    for view in source.views() {
        for identifier in &statement.identifiers {
            if identifier.eq_ignore_ascii_case(view.name) {
                named.push((identifier.clone(), *view));
            }
        }
    }
    if named.is_empty() {
        return Ok(None);
    }
    let tokens = lex(sql, Dialect::Postgres)
        .map_err(|refusal| SessionError { message: refusal.to_string(), offset: Some(refusal.offset) })?;
    let own = own_names(sql, &tokens);
    named.retain(|(name, _)| !own.contains(name));
    if named.is_empty() {
        return Ok(None);
    }
    let place = Place::find(sql, statement, &tokens)?;
    let mut json = String::from("{");
    for (number, (_, view)) in named.iter().enumerate() {
        if number > 0 {
            json.push(',');
        }
        // Names of views need no escaping.
        json.extend(["\"", view.name, "\":", &source.rows_json(view.name)]);
    }
    json.push('}');
    let expressions: Vec<String> = named.iter().map(|(name, view)| expression(name, view)).collect();
    let expressions = expressions.join(", ");
    let text = if place.joins { format!(" {expressions},") } else { format!("with {expressions} ") };
    Ok(Some(Splice { at: place.at, text, json }))
}

fn expression(name: &str, view: &DictionaryView) -> String {
    let columns: Vec<String> = view
        .columns
        .iter()
        .enumerate()
        .map(|(number, column)| {
            let cast = if is_number(view.name, column) { "::bigint" } else { "" };
            format!("(row->>{number}){cast} as \"{column}\"")
        })
        .collect();
    format!(
        "\"{name}\" as (select {} from jsonb_array_elements($0::jsonb->'{}') as rows(row))",
        columns.join(", "),
        view.name
    )
}

fn is_number(view: &str, column: &str) -> bool {
    // A client's id is its name on the wire; elsewhere the column refers to the row.
    let text = view == "user_ords_clients" && column == "client_id";
    !text && (NUMBERS.contains(&column) || column.ends_with("_id"))
}

/// Names that the statement's own WITH defines at the top.
fn own_names(sql: &str, tokens: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    if !tokens.first().is_some_and(|token| token.is_word(sql, "with")) {
        return names;
    }
    let mut depth = 0i32;
    for pair in tokens.windows(2) {
        if pair[0].is_symbol(sql, "(") {
            depth += 1;
        } else if pair[0].is_symbol(sql, ")") {
            depth -= 1;
        }
        let defines = pair[1].is_word(sql, "as") || pair[1].is_symbol(sql, "(");
        if depth == 0 && defines {
            match pair[0].kind {
                Kind::Word => names.push(pair[0].text(sql).to_lowercase()),
                Kind::Quoted => names.push(pair[0].text(sql).trim_matches('"').to_owned()),
                _ => {}
            }
        }
    }
    names
}

struct Place {
    at: usize,
    /// Whether it joins the statement's own WITH.
    joins: bool,
}

impl Place {
    fn find(sql: &str, statement: &Statement, tokens: &[Token]) -> Result<Self, SessionError> {
        let mut tokens = tokens;
        if tokens.first().is_some_and(|token| token.is_word(sql, "explain")) {
            let main = tokens.iter().position(|token| {
                ["select", "with", "insert", "update", "delete", "values"]
                    .iter()
                    .any(|word| token.is_word(sql, word))
            });
            tokens = &tokens[main.unwrap_or(0)..];
        }
        let Some(first) = tokens.first() else { return Err(unfit("nothing")) };
        let fits = ["select", "with", "insert", "update", "delete", "merge", "values"];
        if !first.is_symbol(sql, "(") && !fits.iter().any(|word| first.is_word(sql, word)) {
            return Err(unfit(&statement.keyword));
        }
        if !first.is_word(sql, "with") {
            return Ok(Self { at: first.start - statement.start, joins: false });
        }
        let recursive = tokens.get(1).filter(|token| token.is_word(sql, "recursive"));
        Ok(Self { at: recursive.unwrap_or(first).end - statement.start, joins: true })
    }
}

fn unfit(keyword: &str) -> SessionError {
    SessionError {
        message: format!("{keyword} cannot read the dictionary: copy the rows with INSERT .. SELECT instead"),
        offset: None,
    }
}
