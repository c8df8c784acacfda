//! `rest.NAME` where a table stands: the rows of a REST source. Found by clause and place, so that an alias, a column,
//! a text or a comment of that name is not taken for one. `"rest"` in quotes is the database's own.
//!
//! What a WHERE clause says of such a table, column by column, is found too: terms `column = value` that must hold for
//! every row of the result, whatever else the clause says. They may be asked of the source in advance, because the
//! database applies them once more.

use super::{Kind, Refusal, Token, statement::unquote};

/// A table that a REST source stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUse {
    /// The name of the source.
    pub name: String,
    /// The first byte of `rest.NAME`.
    pub start: usize,
    /// The byte behind it and its arguments.
    pub end: usize,
    /// The name that the statement gives it.
    pub alias: Option<String>,
    /// What stands in brackets behind it, `parameter => value`.
    pub arguments: Vec<(String, Operand)>,
    /// Columns and the values that they must have in every row of the result.
    pub equals: Vec<(String, Operand)>,
}

/// A value that is known before the statement runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A text, without its quotes.
    Text(String),
    /// A number, or `true` or `false`, as written.
    Plain(String),
    /// A bind, by its name in lower case.
    Bind(String),
}

/// The tables of a text that REST sources stand for, in order.
pub fn remote_uses(sql: &str, tokens: &[Token]) -> Result<Vec<RemoteUse>, Refusal> {
    if !tokens.iter().any(|token| token.is_word(sql, PREFIX)) {
        return Ok(Vec::new());
    }
    let mut finder = Finder { sql, tokens, at: 0, scopes: vec![Scope::default()], uses: Vec::new() };
    while finder.at < tokens.len() {
        finder.step()?;
    }
    while let Some(scope) = finder.scopes.pop() {
        finder.finish(&scope.core, tokens.len());
    }
    Ok(finder.uses)
}

const PREFIX: &str = "rest";

/// Words behind a table that are no alias.
const NO_ALIAS: [&str; 29] = [
    "as",
    "cross",
    "except",
    "fetch",
    "for",
    "full",
    "group",
    "having",
    "indexed",
    "inner",
    "intersect",
    "join",
    "left",
    "limit",
    "natural",
    "not",
    "offset",
    "on",
    "order",
    "outer",
    "returning",
    "right",
    "set",
    "tablesample",
    "union",
    "using",
    "when",
    "where",
    "window",
];

struct Finder<'a> {
    sql: &'a str,
    tokens: &'a [Token],
    at: usize,
    scopes: Vec<Scope>,
    uses: Vec<RemoteUse>,
}

/// What is between two brackets.
#[derive(Default)]
struct Scope {
    /// Whether FROM begins a list of tables here; in `extract(year from d)` it does not.
    is_query: bool,
    /// Whether USING does.
    using_tables: bool,
    in_from: bool,
    table_next: bool,
    core: Core,
}

/// One SELECT, without those that UNION joins to it.
#[derive(Default)]
struct Core {
    uses: Vec<usize>,
    /// How many tables it has.
    tables: usize,
    /// The first token of its WHERE clause.
    filter: Option<usize>,
}

impl Finder<'_> {
    fn step(&mut self) -> Result<(), Refusal> {
        let token = self.tokens[self.at];
        match token.kind {
            Kind::Word => {
                let word = token.text(self.sql).to_ascii_lowercase();
                return self.word(&word);
            }
            Kind::Symbol => match token.text(self.sql) {
                "(" => self.open(),
                ")" => self.close(),
                ";" => self.next_statement(),
                "," => {
                    let scope = self.scope();
                    scope.table_next = scope.in_from;
                }
                _ => self.other_table(),
            },
            _ => self.other_table(),
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Refusal> {
        let target = matches!(word, "into" | "update") || (word == "from" && self.before(1, "delete"));
        if target && self.is_remote(self.at + 1) {
            let (first, name) = (self.tokens[self.at + 1], self.tokens[self.at + 3]);
            let message = "rows of a REST source are read, not written";
            return Err(Refusal::new(first.start, &self.sql[first.start..name.end], message));
        }
        let at = self.at;
        self.at += 1;
        let distinct_from = word == "from"
            && self.tokens[..at].last().is_some_and(|token| token.is_word(self.sql, "distinct"))
            && at >= 2
            && ["is", "not"].iter().any(|word| self.tokens[at - 2].is_word(self.sql, word));
        match word {
            "from" if distinct_from => {}
            "from" if self.scope().is_query => self.tables_follow(),
            "using" if self.scope().using_tables => self.tables_follow(),
            "join" if self.scope().in_from => self.scope().table_next = true,
            "lateral" | "only" if self.scope().table_next => {}
            "select" | "values" => self.begin_query(),
            "with" if !self.scope().is_query => self.begin_query(),
            "delete" | "merge" => {
                self.begin_query();
                self.scope().using_tables = true;
            }
            "update" => self.scope().is_query = true,
            "union" | "intersect" | "except" => {
                let core = std::mem::take(&mut self.scope().core);
                self.finish(&core, at);
                self.tables_end();
            }
            "where" if self.scope().is_query => {
                self.tables_end();
                self.scope().core.filter.get_or_insert(at + 1);
            }
            // What follows may have a WHERE clause that is not about the rows of the SELECT.
            "conflict" if at > 0 && self.tokens[at - 1].is_word(self.sql, "on") => {
                let core = std::mem::take(&mut self.scope().core);
                self.finish(&core, at - 1);
                self.scope().is_query = false;
            }
            "group" | "order" | "having" | "limit" | "window" | "returning" | "set" => self.tables_end(),
            PREFIX if self.scope().table_next && self.is_remote(at) => {
                self.at = at;
                return self.remote();
            }
            _ => self.other_table(),
        }
        Ok(())
    }

    fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    fn begin_query(&mut self) {
        let scope = self.scope();
        scope.is_query = true;
        (scope.in_from, scope.table_next) = (false, false);
    }

    fn tables_follow(&mut self) {
        let scope = self.scope();
        (scope.in_from, scope.table_next) = (true, true);
    }

    fn tables_end(&mut self) {
        let scope = self.scope();
        (scope.in_from, scope.table_next) = (false, false);
    }

    fn other_table(&mut self) {
        let scope = self.scope();
        if std::mem::take(&mut scope.table_next) {
            scope.core.tables += 1;
        }
    }

    fn open(&mut self) {
        let tables = self.scope().table_next;
        self.other_table();
        // `from (a join b on ..)` and `from (select ..)` begin alike.
        self.scopes.push(Scope { in_from: tables, table_next: tables, ..Scope::default() });
    }

    fn close(&mut self) {
        if let Some(scope) = self.scopes.pop() {
            self.finish(&scope.core, self.at);
        }
    }

    fn next_statement(&mut self) {
        while let Some(scope) = self.scopes.pop() {
            self.finish(&scope.core, self.at);
        }
    }

    fn before(&self, back: usize, word: &str) -> bool {
        self.at.checked_sub(back).is_some_and(|at| self.tokens[at].is_word(self.sql, word))
    }

    fn is_symbol(&self, at: usize, symbol: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_symbol(self.sql, symbol))
    }

    /// Whether `rest.NAME` stands here, and nothing of three parts.
    fn is_remote(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_word(self.sql, PREFIX))
            && self.is_symbol(at + 1, ".")
            && self.name_at(at + 2).is_some()
            && !self.is_symbol(at + 3, ".")
    }

    /// The name here, as databases compare it.
    fn name_at(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        name(self.sql, token)
    }

    /// Reads `rest.NAME (parameter => value, ..) alias`.
    fn remote(&mut self) -> Result<(), Refusal> {
        let (start, name) = (self.tokens[self.at].start, self.name_at(self.at + 2).unwrap_or_default());
        let mut next = self.at + 3;
        let mut arguments = Vec::new();
        if self.is_symbol(next, "(") {
            (arguments, next) = self.arguments(next)?;
        }
        let end = self.tokens[next - 1].end;
        let named = self.tokens.get(next).is_some_and(|token| token.is_word(self.sql, "as"));
        let place = if named { next + 1 } else { next };
        let is_alias = |token: &Token| {
            named || token.kind == Kind::Quoted || !NO_ALIAS.iter().any(|word| token.is_word(self.sql, word))
        };
        let alias = self.tokens.get(place).filter(|token| is_alias(token));
        let alias = alias.and_then(|token| self::name(self.sql, token));
        if alias.is_some() {
            next = place + 1;
        }
        let renames = alias.is_some() && self.is_symbol(next, "(");
        self.uses.push(RemoteUse { name, start, end, alias, arguments, equals: Vec::new() });
        let number = self.uses.len() - 1;
        let scope = self.scope();
        scope.table_next = false;
        scope.core.tables += 1;
        // Behind `alias (a, b)` its columns have other names.
        if !renames {
            scope.core.uses.push(number);
        }
        self.at = next;
        Ok(())
    }

    /// The arguments behind the bracket here, and the token behind them.
    fn arguments(&self, open: usize) -> Result<(Vec<(String, Operand)>, usize), Refusal> {
        let refuse = |at: usize| {
            let offset = self.tokens.get(at).map_or(self.sql.len(), |token| token.start);
            let found = self.tokens.get(at).map_or("the end", |token| token.text(self.sql));
            let message = "a REST source takes `parameter => value`, where a value is a literal or a bind";
            Refusal::new(offset, found, message)
        };
        let mut arguments: Vec<(String, Operand)> = Vec::new();
        let mut at = open + 1;
        if self.is_symbol(at, ")") {
            return Ok((arguments, at + 1));
        }
        loop {
            let name = self.name_at(at).ok_or_else(|| refuse(at))?;
            if !self.is_symbol(at + 1, "=") || !self.is_symbol(at + 2, ">") {
                return Err(refuse(at + 1));
            }
            if arguments.iter().any(|(known, _)| *known == name) {
                let token = self.tokens[at];
                return Err(Refusal::new(token.start, token.text(self.sql), "this parameter is given twice"));
            }
            let length = 1 + usize::from(self.is_symbol(at + 3, "-"));
            let value = self.tokens.get(at + 3..at + 3 + length).and_then(|value| operand(self.sql, value));
            arguments.push((name, value.ok_or_else(|| refuse(at + 3))?));
            at += 3 + length;
            if self.is_symbol(at, ")") {
                return Ok((arguments, at + 1));
            }
            if !self.is_symbol(at, ",") {
                return Err(refuse(at));
            }
            at += 1;
        }
    }

    /// Finds what a SELECT's WHERE clause says of its tables. `end` is the token behind the SELECT.
    fn finish(&mut self, core: &Core, end: usize) {
        let Some(filter) = core.filter.filter(|_| !core.uses.is_empty()) else { return };
        let terms = self.terms(filter, end).unwrap_or_default();
        let mut found = Vec::new();
        for (qualifier, column, value) in terms.into_iter().filter_map(|term| self.equality(term)) {
            let visible = |number: &&usize| {
                let used = &self.uses[**number];
                match &qualifier {
                    Some(qualifier) => used.alias.as_ref().unwrap_or(&used.name) == qualifier,
                    None => core.tables == 1,
                }
            };
            found.extend(core.uses.iter().find(visible).map(|number| (*number, column, value)));
        }
        for (number, column, value) in found {
            self.uses[number].equals.push((column, value));
        }
    }

    /// The terms that AND joins; none when the clause has anything that AND could belong to otherwise. The end of the
    /// clause is not looked for: what follows it makes the last term longer than those that count.
    fn terms(&self, start: usize, end: usize) -> Option<Vec<&[Token]>> {
        let (mut terms, mut first, mut depth) = (Vec::new(), start, 0i32);
        for at in start..end {
            let token = &self.tokens[at];
            if token.is_symbol(self.sql, "(") {
                depth += 1;
            } else if token.is_symbol(self.sql, ")") {
                depth -= 1;
            } else if depth == 0 && token.kind == Kind::Word {
                if ["or", "between", "case"].iter().any(|word| token.is_word(self.sql, word)) {
                    return None;
                }
                let ends = CLAUSES.iter().any(|word| token.is_word(self.sql, word));
                if first < end && (ends || token.is_word(self.sql, "and")) {
                    terms.push(&self.tokens[first..at]);
                    first = if ends { end } else { at + 1 };
                }
            }
        }
        terms.push(self.tokens.get(first..end).unwrap_or_default());
        Some(terms)
    }

    /// `column = value` or `value = column`, the column with or without its table.
    fn equality(&self, term: &[Token]) -> Option<(Option<String>, String, Operand)> {
        let middle = term.iter().position(|token| token.is_symbol(self.sql, "="))?;
        let (left, right) = (&term[..middle], &term[middle + 1..]);
        for (column, value) in [(left, right), (right, left)] {
            if let (Some((qualifier, column)), Some(value)) = (self.column(column), operand(self.sql, value))
            {
                return Some((qualifier, column, value));
            }
        }
        None
    }

    fn column(&self, tokens: &[Token]) -> Option<(Option<String>, String)> {
        match tokens {
            // `user` and its like are values, whatever columns there are.
            [column] if column.kind == Kind::Word && is_value_word(column.text(self.sql)) => None,
            [column] => Some((None, name(self.sql, column)?)),
            [table, dot, column] if dot.is_symbol(self.sql, ".") => {
                Some((Some(name(self.sql, table)?), name(self.sql, column)?))
            }
            _ => None,
        }
    }
}

/// Words that end a WHERE clause.
const CLAUSES: [&str; 9] =
    ["group", "order", "having", "limit", "offset", "fetch", "window", "returning", "for"];

fn name(sql: &str, token: &Token) -> Option<String> {
    match token.kind {
        Kind::Word => Some(token.text(sql).to_lowercase()),
        Kind::Quoted => Some(unquote(token.text(sql))),
        _ => None,
    }
}

fn is_value_word(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    lower.starts_with("current_")
        || matches!(lower.as_str(), "localtime" | "localtimestamp" | "session_user" | "system_user" | "user")
}

fn operand(sql: &str, tokens: &[Token]) -> Option<Operand> {
    match tokens {
        [minus, number] if minus.is_symbol(sql, "-") && number.kind == Kind::Number => {
            Some(Operand::Plain(format!("-{}", number.text(sql))))
        }
        [value] => {
            let text = value.text(sql);
            match value.kind {
                Kind::Bind => Some(Operand::Bind(text[1..].to_lowercase())),
                Kind::Number => Some(Operand::Plain(text.to_owned())),
                Kind::Word if value.is_word(sql, "true") || value.is_word(sql, "false") => {
                    Some(Operand::Plain(text.to_ascii_lowercase()))
                }
                // A backslash may mean something to the database.
                Kind::Text if !text.contains('\\') => {
                    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
                    Some(Operand::Text(inner.replace("''", "'")))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
