//! A handler's source, compiled when it is defined: statements with positional binds, where each bind's value
//! comes from, and where output binds go. A source that cannot run here says which construct stands in the way.

mod block;
mod remote;
mod slot;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

pub use remote::{
    DECLARED_TYPES, Expanded, NotExpanded, RemoteParameter, RemoteRows, RemoteTable, RemoteTables,
    RemoteType, expand,
};
pub use slot::{Implicit, Output, OutputTarget, Slot, SlotSource};

use crate::definition::{Handler, Method, Parameter, SourceType};
use crate::sql::{Dialect, Kind, Operand, Refusal, Statement, Token, lex, offset_of, position, remote_uses};

/// A handler that can be planned and run.
#[derive(Debug)]
pub struct CompiledSource {
    /// Differs for each compilation in this process; names entries of caches.
    pub id: u64,
    /// The method it answers.
    pub method: Method,
    /// How its result is written.
    pub source_type: SourceType,
    /// Whose SQL it is.
    pub dialect: Dialect,
    /// What runs, in order. A query source has one step.
    pub steps: Vec<Step>,
    /// The binds, by number.
    pub slots: Vec<Slot>,
    /// Binds that leave with the answer.
    pub outputs: Vec<Output>,
    /// Rows of REST sources that its binds take before it runs.
    pub remotes: Vec<RemoteRows>,
    /// The query whose first value is the `ETag`.
    pub etag: Option<BoundStatement>,
    /// Whether a page is cut out of the rows.
    pub paging: Paging,
    /// Whether it changes data and so needs the writer.
    pub writes: bool,
    /// Whether it is a `BEGIN .. END` block (and not one bare statement).
    pub block: bool,
    /// What executions learned.
    pub hints: Hints,
}

/// Something that a source does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Rows of the answer.
    Query(BoundStatement),
    /// An INSERT, UPDATE, DELETE, REPLACE, MERGE or CALL.
    Change {
        /// The statement, without `INTO ..` behind RETURNING or a call.
        statement: BoundStatement,
        /// The slots that take the RETURNING columns, or a procedure's OUT values.
        into: Vec<usize>,
    },
    /// `:bind := expression`.
    Assign {
        /// `select (expression)`.
        expression: BoundStatement,
        /// The slot that takes the value.
        slot: usize,
    },
    /// `:bind := literal`, for which no database is asked.
    Set {
        /// The value.
        value: Literal,
        /// The slot that takes it.
        slot: usize,
    },
}

/// A value that stands in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// NULL
    Null,
    /// A whole number.
    Integer(i64),
    /// Text, without its quotes.
    Text(String),
}

/// A statement whose binds are tied to slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundStatement {
    /// The statement.
    pub sql: Statement,
    /// For paged queries: the statement cut to a page by two more binds, limit and offset.
    pub paged: Option<String>,
    /// The slot of each bind number.
    pub slots: Vec<usize>,
    /// Whether it is an INSERT of one row whose values it lists.
    pub one_row: bool,
}

impl BoundStatement {
    /// The text that runs.
    pub fn text(&self) -> &str {
        self.paged.as_deref().unwrap_or(&self.sql.text)
    }
}

/// How a page is cut out of a query's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// Not at all.
    None,
    /// By `offset` and `limit` of the request.
    Offset,
    /// By `page` of the request, the older way.
    Page,
}

/// What executions learned about a source. Wrong values cost time, never correctness.
#[derive(Debug, Default)]
pub struct Hints {
    /// The last answer was too large for one buffer.
    pub streams: AtomicBool,
    /// Rows of the shortest answer that was; 0 = none was.
    pub streams_from: AtomicU64,
    /// It ran longer than a query may that shares a connection.
    pub slow: AtomicBool,
    /// A replica cannot run it: it needs what only a primary does.
    pub needs_primary: AtomicBool,
    /// 0: not known, 1: more than one row is touched, 2: one row by a unique key.
    pub point: AtomicU8,
}

impl Hints {
    /// Whether a run is known to touch one row by a unique key.
    pub fn is_point(&self) -> bool {
        self.point.load(Ordering::Relaxed) == 2
    }
}

/// Why a handler is defined but answers 501.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRunnable {
    /// What stands in the way (`htp.p`, `DECLARE`).
    pub construct: String,
    /// Its line in the source, from 1; 0 when it has none.
    pub line: u32,
    /// Its column, from 1.
    pub column: u32,
    /// A sentence for the owner.
    pub message: String,
    /// It can run as soon as a REST source that it names is there: 503 instead.
    pub waits: bool,
}

impl NotRunnable {
    fn at(source: &str, offset: usize, construct: &str, message: impl Into<String>) -> Self {
        let (line, column) = position(source, offset);
        Self { construct: construct.into(), line, column, message: message.into(), waits: false }
    }

    fn refused(source: &str, refusal: Refusal) -> Self {
        let (line, column) = position(source, refusal.offset);
        Self { construct: refusal.construct, line, column, message: refusal.message, waits: false }
    }

    /// The same place in the text that was expanded.
    fn before(mut self, expanded: &Expanded, source: &str) -> Self {
        if self.line > 0 && !self.construct.starts_with(ETAG_QUERY) {
            let offset = offset_of(&expanded.text, self.line, self.column);
            (self.line, self.column) = position(source, expanded.original_offset(offset));
        }
        self
    }

    fn parameter(name: &str, message: impl Into<String>) -> Self {
        let construct = format!("parameter `{name}`");
        Self { construct, line: 0, column: 0, message: message.into(), waits: false }
    }
}

impl std::fmt::Display for NotRunnable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.construct, self.message);
        }
        write!(f, "line {}, column {}: {}: {}", self.line, self.column, self.construct, self.message)
    }
}

impl std::error::Error for NotRunnable {}

/// Compiles a handler of a schema without REST sources. `etag_query` is its template's, when the `ETag` comes from a
/// query.
pub fn compile(
    handler: &Handler,
    etag_query: Option<&str>,
    dialect: Dialect,
) -> Result<CompiledSource, NotRunnable> {
    compile_with(handler, etag_query, dialect, &RemoteTables::default())
}

/// Compiles a handler that may name these REST sources.
pub fn compile_with(
    handler: &Handler,
    etag_query: Option<&str>,
    dialect: Dialect,
    tables: &RemoteTables,
) -> Result<CompiledSource, NotRunnable> {
    let source = handler.source.as_str();
    let tokens = lex(source, dialect).map_err(|refusal| NotRunnable::refused(source, refusal))?;
    let Some(expanded) = expand_source(handler, &tokens, dialect, tables)? else {
        return compile_tokens(handler, source, &tokens, etag_query, dialect);
    };
    let text = expanded.text.as_str();
    let tokens = lex(text, dialect).map_err(|refusal| NotRunnable::refused(text, refusal))?;
    let compiled = compile_tokens(handler, text, &tokens, etag_query, dialect);
    let mut compiled = compiled.map_err(|error| error.before(&expanded, source))?;
    for remote in &expanded.remotes {
        if let Some(slot) = compiled.slots.iter_mut().find(|slot| slot.name == remote.bind) {
            (slot.source, slot.kind) = (SlotSource::Remote, None);
        }
    }
    compiled.add_operands(&expanded.remotes, &handler.parameters)?;
    compiled.remotes = expanded.remotes;
    // Its values are large: it takes no turn on connections that others share.
    compiled.hints.slow.store(true, Ordering::Relaxed);
    Ok(compiled)
}

/// Puts binds in place of the REST sources that a handler names.
fn expand_source(
    handler: &Handler,
    tokens: &[Token],
    dialect: Dialect,
    tables: &RemoteTables,
) -> Result<Option<Expanded>, NotRunnable> {
    let source = handler.source.as_str();
    let declared = |name: &str| {
        handler.parameters.iter().any(|parameter| {
            let bind = parameter.bind_variable_name.as_deref().unwrap_or_default();
            bind.trim_start_matches(':').eq_ignore_ascii_case(name)
        })
    };
    let is_taken = |name: &str| {
        let in_text =
            |token: &Token| token.kind == Kind::Bind && token.text(source)[1..].eq_ignore_ascii_case(name);
        declared(name) || tokens.iter().any(in_text)
    };
    let expanded = expand(source, tokens, dialect, tables, is_taken)
        .map_err(|error| NotRunnable { waits: error.waits, ..NotRunnable::refused(source, error.refusal) })?;
    if expanded.is_some() && (handler.method != Method::Get || handler.source_type == SourceType::PlSql) {
        let uses = remote_uses(source, tokens).unwrap_or_default();
        let (start, end) = uses.first().map_or((0, 0), |used| (used.start, used.end));
        let message = "REST sources are read in queries of GET handlers and in SQL Commands; copy what a change needs \
                       into a table first";
        return Err(NotRunnable::at(source, start, &source[start..end], message));
    }
    Ok(expanded)
}

fn compile_tokens(
    handler: &Handler,
    source: &str,
    tokens: &[Token],
    etag_query: Option<&str>,
    dialect: Dialect,
) -> Result<CompiledSource, NotRunnable> {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    let mut compiler = Compiler { source, dialect, method: handler.method, slots: Vec::new() };
    let paging = match handler.source_type {
        SourceType::CollectionFeed => Paging::Offset,
        SourceType::Query | SourceType::Feed => Paging::Page,
        _ => Paging::None,
    };
    let mut block = false;
    let steps = if handler.source_type == SourceType::PlSql {
        block = tokens.first().is_some_and(|token| token.is_word(source, "begin"));
        compiler.block(tokens)?
    } else {
        vec![Step::Query(compiler.query(tokens, handler.source_type, paging)?)]
    };
    let etag = etag_query.map(|query| compiler.etag(query)).transpose()?;
    let outputs = slot::resolve(&mut compiler.slots, &handler.parameters)?;
    Ok(CompiledSource {
        id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        method: handler.method,
        source_type: handler.source_type,
        dialect,
        writes: steps.iter().any(|step| matches!(step, Step::Change { .. })),
        steps,
        slots: compiler.slots,
        outputs,
        remotes: Vec::new(),
        etag,
        paging,
        block,
        hints: Hints::default(),
    })
}

impl CompiledSource {
    /// Makes slots of binds that only the REST sources take.
    fn add_operands(&mut self, remotes: &[RemoteRows], parameters: &[Parameter]) -> Result<(), NotRunnable> {
        let operands = remotes.iter().flat_map(|remote| remote.arguments.iter().chain(&remote.equals));
        let mut added = Vec::new();
        for (_, operand) in operands {
            let Operand::Bind(name) = operand else { continue };
            if !self.slots.iter().chain(&added).any(|slot| slot.name == *name) {
                added.push(Slot::named(name));
            }
        }
        // What they could give was listed already, or leaves with no answer.
        slot::resolve(&mut added, parameters)?;
        self.slots.extend(added);
        Ok(())
    }

    /// The query of a query source.
    pub fn query(&self) -> Option<&BoundStatement> {
        match self.steps.first() {
            Some(Step::Query(query)) => Some(query),
            _ => None,
        }
    }

    /// Whether the source reads the body as a whole, so that its members do not bind.
    pub fn reads_body(&self) -> bool {
        self.slots
            .iter()
            .any(|slot| matches!(slot.source, SlotSource::Implicit(implicit) if implicit.is_body()))
    }

    /// Whether some bind may take its value from the members of a body.
    pub fn binds_members(&self) -> bool {
        !self.reads_body() && self.slots.iter().any(|slot| slot.source == SlotSource::Request)
    }
}

/// Begins the construct of an error whose place is in that text.
const ETAG_QUERY: &str = "etag query";

struct Compiler<'a> {
    source: &'a str,
    dialect: Dialect,
    method: Method,
    slots: Vec<Slot>,
}

impl Compiler<'_> {
    fn query(
        &mut self,
        tokens: &[Token],
        source_type: SourceType,
        paging: Paging,
    ) -> Result<BoundStatement, NotRunnable> {
        let tokens = without_end(self.source, tokens);
        let Some(first) = tokens.first() else {
            return Err(NotRunnable::at(self.source, 0, "nothing", "the source is empty"));
        };
        let main = self.main_keyword(tokens);
        if !matches!(main.as_str(), "SELECT" | "VALUES") {
            let message = format!("a source of type {} is one SELECT", source_type.as_str());
            return Err(NotRunnable::at(self.source, first.start, &main, message));
        }
        self.refuse_nested_change(tokens)?;
        let mut query = self.bound(tokens)?;
        if paging != Paging::None && !self.pages_itself() {
            query.paged = Some(page_of(&query.sql, self.dialect));
        }
        Ok(query)
    }

    fn etag(&mut self, query: &str) -> Result<BoundStatement, NotRunnable> {
        let inner = |refusal| {
            let mut error = NotRunnable::refused(query, refusal);
            error.construct = format!("{ETAG_QUERY}, {}", error.construct);
            error
        };
        let tokens = lex(query, self.dialect).map_err(inner)?;
        let sql = Statement::from_tokens(query, without_end(query, &tokens), self.dialect).map_err(inner)?;
        if let Some(used) = remote_uses(query, &tokens).map_err(inner)?.first() {
            let message = "an etag query reads the database only";
            return Err(inner(Refusal::new(used.start, &query[used.start..used.end], message)));
        }
        if !matches!(sql.keyword.as_str(), "SELECT" | "WITH" | "VALUES") {
            return Err(inner(Refusal::new(0, sql.keyword.clone(), "an etag query is one SELECT")));
        }
        Ok(self.tie(sql))
    }

    /// Whether the source cuts its page itself, by the binds that ORDS has for it.
    fn pages_itself(&self) -> bool {
        self.slots.iter().any(|slot| Implicit::parse(&slot.name).is_some_and(Implicit::is_page))
    }

    fn bound(&mut self, tokens: &[Token]) -> Result<BoundStatement, NotRunnable> {
        let sql = Statement::from_tokens(self.source, tokens, self.dialect)
            .map_err(|refusal| NotRunnable::refused(self.source, refusal))?;
        Ok(self.tie(sql))
    }

    fn tie(&mut self, sql: Statement) -> BoundStatement {
        let slots = sql.names.iter().map(|name| self.slot(name)).collect();
        BoundStatement { sql, paged: None, slots, one_row: false }
    }

    fn slot(&mut self, name: &str) -> usize {
        self.slots.iter().position(|slot| slot.name == name).unwrap_or_else(|| {
            self.slots.push(Slot::named(name));
            self.slots.len() - 1
        })
    }

    /// The keyword that says what a statement does; behind WITH it stands outside all brackets.
    fn main_keyword(&self, tokens: &[Token]) -> String {
        const MAIN: [&str; 7] = ["select", "values", "insert", "update", "delete", "replace", "merge"];
        let mut words = tokens.iter().skip_while(|token| token.is_symbol(self.source, "("));
        let Some(first) = words.next() else { return String::new() };
        if !first.is_word(self.source, "with") {
            return first.text(self.source).to_ascii_uppercase();
        }
        let mut depth = 0i32;
        for token in words {
            if token.is_symbol(self.source, "(") {
                depth += 1;
            } else if token.is_symbol(self.source, ")") {
                depth -= 1;
            } else if depth == 0 && MAIN.iter().any(|word| token.is_word(self.source, word)) {
                return token.text(self.source).to_ascii_uppercase();
            }
        }
        "WITH".into()
    }

    /// PostgreSQL lets a WITH clause change data.
    fn refuse_nested_change(&self, tokens: &[Token]) -> Result<(), NotRunnable> {
        if self.dialect != Dialect::Postgres {
            return Ok(());
        }
        for pair in tokens.windows(2) {
            let changes = ["insert", "update", "delete", "merge"];
            let word = changes.iter().find(|word| pair[1].is_word(self.source, word));
            if let (true, Some(word)) = (pair[0].is_symbol(self.source, "("), word) {
                let construct = word.to_ascii_uppercase();
                return Err(NotRunnable::at(
                    self.source,
                    pair[1].start,
                    &construct,
                    "a query changes no data",
                ));
            }
        }
        Ok(())
    }
}

/// Drops `;` and SQL*Plus's `/` at the end.
fn without_end<'t>(source: &str, mut tokens: &'t [Token]) -> &'t [Token] {
    while let [rest @ .., last] = tokens
        && (last.is_symbol(source, ";") || last.is_symbol(source, "/"))
    {
        tokens = rest;
    }
    tokens
}

fn page_of(sql: &Statement, dialect: Dialect) -> String {
    let (limit, offset) = (sql.names.len() + 1, sql.names.len() + 2);
    match dialect {
        Dialect::Sqlite => format!("select * from (\n{}\n) limit ?{limit} offset ?{offset}", sql.text),
        Dialect::Postgres => {
            format!("select * from (\n{}\n) page limit ${limit} offset ${offset}", sql.text)
        }
    }
}
