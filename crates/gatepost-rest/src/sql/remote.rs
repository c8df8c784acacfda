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
mod tests {
    use super::super::{Dialect, lex};
    use super::*;

    fn uses(sql: &str) -> Vec<RemoteUse> {
        remote_uses(sql, &lex(sql, Dialect::Postgres).unwrap()).unwrap()
    }

    fn names(sql: &str) -> Vec<String> {
        uses(sql).into_iter().map(|used| used.name).collect()
    }

    #[test]
    fn tables_are_found_wherever_one_may_stand() {
        for sql in [
            "select * from rest.a",
            "SELECT * FROM Rest . A",
            "select * from emp, rest.a",
            "select * from emp e join rest.a r on r.x = e.x",
            "select * from emp e left outer join rest.a as r using (x)",
            "select * from (rest.a r join emp on true)",
            "select * from (select * from rest.a) r",
            "with r as (select * from rest.a) select * from r",
            "select (select max(x) from rest.a) from emp",
            "select * from emp where exists (select 1 from rest.a where x = emp.x)",
            "select 1 union all select x from rest.a",
            "insert into emp select * from rest.a",
            "update emp set sal = r.sal from rest.a r where r.x = emp.x",
            "delete from emp using rest.a r where r.x = emp.x",
            "merge into emp using rest.a r on r.x = emp.x when matched then delete",
            "select * from lateral (select * from rest.a) x",
            "select * from rest.\"a\"",
            "select extract(year from d) from emp, rest.a",
            "select * from emp where x in (1, 2) union select * from rest.a",
            "select * from emp e join dept d on e.x is distinct from d.x, rest.a",
            "select * from unnest(x) with ordinality as u, rest.a",
        ] {
            assert_eq!(names(sql), ["a"], "{sql}");
        }
        assert_eq!(names("select * from rest.a x, rest.b y join rest.a z on true"), ["a", "b", "a"]);
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        for sql in [
            "select rest.a from emp rest",
            "select x, rest.a from emp rest",
            "select * from emp rest where rest.a = 1 order by x, rest.a",
            "select * from emp as rest",
            "select rest from emp",
            "select * from rest",
            "select * from rest.a.b",
            "select * from \"rest\".a",
            "select * from \"rest.a\"",
            "select 'x from rest.a' from emp",
            "select 1 -- from rest.a",
            "select 1 /* from rest.a /* nested */ from rest.a */",
            "select $$ from rest.a $$",
            "select extract(year from rest.a) from emp rest",
            "select trim(both from rest.a), substring(x from rest.a) from emp rest",
            "select x is distinct from rest.a from emp rest",
            "select x is not distinct from rest.a from emp rest",
            "select f(x, rest.a) from emp rest",
            "select * from emp rest join dept d on d.x = rest.a",
            "select * from f(rest.a)",
            "with rest as (select 1 a) select rest.a from rest",
            "update emp rest set a = rest.a",
        ] {
            assert_eq!(names(sql), [""; 0], "{sql}");
        }
    }

    #[test]
    fn writing_is_refused_with_the_place() {
        for (sql, offset) in [
            ("insert into rest.a values (1)", 12),
            ("update rest.a set x = 1", 7),
            ("delete from rest.a", 12),
            ("merge into rest.a using emp on true when matched then delete", 11),
        ] {
            let refusal = remote_uses(sql, &lex(sql, Dialect::Postgres).unwrap()).unwrap_err();
            assert_eq!((refusal.offset, refusal.construct.as_str()), (offset, "rest.a"), "{sql}");
        }
    }

    #[test]
    fn names_and_arguments_are_read() {
        let found = uses("select * from rest.a(dept => :Dept, x => 'it''s', y => -1.5) as e where 1 = 1");
        let bind = Operand::Bind("dept".into());
        let wanted = [
            ("dept".to_owned(), bind),
            ("x".to_owned(), Operand::Text("it's".into())),
            ("y".to_owned(), Operand::Plain("-1.5".into())),
        ];
        assert_eq!((found[0].arguments.as_slice(), found[0].alias.as_deref()), (&wanted[..], Some("e")));
        for (sql, alias) in [
            ("select * from rest.a", None),
            ("select * from rest.a where x = 1", None),
            ("select * from rest.a cross join b", None),
            ("select * from rest.a E", Some("e")),
            ("select * from rest.a as \"E\"", Some("E")),
        ] {
            assert_eq!(uses(sql)[0].alias.as_deref(), alias, "{sql}");
        }
        for sql in [
            "select * from rest.a(1)",
            "select * from rest.a(x => y)",
            "select * from rest.a(x => 1 + 1)",
            "select * from rest.a(x => 1, x => 2)",
            "select * from rest.a(x => 1",
            "select * from rest.a(x = 1)",
        ] {
            let tokens = lex(sql, Dialect::Postgres).unwrap();
            assert!(remote_uses(sql, &tokens).is_err(), "{sql}");
        }
    }

    #[test]
    fn terms_that_every_row_fulfils_are_found() {
        let equals = |sql: &str| {
            let found = uses(sql).into_iter().flat_map(|used| used.equals);
            let shown = found.map(|(column, value)| match value {
                Operand::Text(text) => format!("{column}='{text}'"),
                Operand::Plain(text) => format!("{column}={text}"),
                Operand::Bind(name) => format!("{column}=:{name}"),
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        for (sql, wanted) in [
            ("select * from rest.a where x = 1", "x=1"),
            ("select * from rest.a where x = 1 and 'b' = y and z > 3", "x=1 y='b'"),
            ("select * from rest.a e, emp where e.x = :X and emp.y = 2 and y = 3", "x=:x"),
            ("select * from rest.a where a.x = 1 order by y limit 3", "x=1"),
            ("select * from emp left join rest.a e on true where e.x = -1 group by y", "x=-1"),
            ("select * from rest.a where x = 1 union select * from rest.b where y = 2", "x=1 y=2"),
            ("select * from (select * from rest.a where x = 1 and (y or z)) t where x = 2", "x=1"),
            ("select * from rest.a where ok = true", "ok=true"),
            // None of these says anything about every row.
            ("select * from rest.a where x = 1 or y = 2", ""),
            ("select * from rest.a where x = 1 and y = 2 or z", ""),
            ("select * from rest.a where not x = 1", ""),
            ("select * from rest.a where y between 1 and x = 2", ""),
            ("select * from rest.a where case when a and x = 1 and b then c end", ""),
            ("select * from rest.a where (x = 1)", ""),
            ("select * from rest.a where x = 1 + 1 and x = y and x >= 1 and x <= 1 and x <> 1", ""),
            ("select * from rest.a where x = 1 collate \"C\" and x = '1'::int", ""),
            ("select * from rest.a where x = 'a\\b'", ""),
            ("select * from rest.a where current_user = 'x' and user = 'y'", ""),
            ("select * from rest.a e(x, y) where e.x = 1", ""),
            ("select * from rest.a e join emp on e.x = 1", ""),
            ("select * from rest.a, emp where x = 1", ""),
            ("select * from (rest.a e join emp on true) where e.x = 1", ""),
            ("select * from rest.a where exists (select 1 from emp where x = 1)", ""),
            ("select * from rest.a having x = 1", ""),
            ("select * from rest.a where x = 1 and offset = 2 or y", ""),
            ("select count(*) filter (where x = 1) from rest.a", ""),
            ("insert into t select y from rest.a on conflict (y) where x = 1 do nothing", ""),
            ("insert into t select y from rest.a where x = 1 on conflict (y) where x = 2 do nothing", "x=1"),
        ] {
            assert_eq!(equals(sql), wanted, "{sql}");
        }
    }
}
