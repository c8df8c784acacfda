//! From a statement as written to one whose parameters have types and whose columns can be written: once a handler.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gatepost_rest::definition::{ParameterType, SourceType};
use gatepost_rest::render::{Columns, Zone};
use gatepost_rest::source::{BoundStatement, CompiledSource, Step};
use gatepost_rest::sql::Bind;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Column, Error, Statement};

use super::connect::Connection;
use super::error::words;
use super::infer::{Inferred, code, infer};
use super::lane::Failed;
use super::plain::{Facts, Moment, Watch, facts};
use super::shape;
use crate::data::ExecuteError;

const RESOLVED_MAX: usize = 8_192;

/// The number of the `ETag` query among the statements of a source.
pub(super) const ETAG: usize = usize::MAX;

/// A statement of a source, by what it is there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'s> {
    /// The rows of the answer.
    Rows(&'s BoundStatement),
    Change(&'s BoundStatement),
    /// One value.
    Value(&'s BoundStatement),
}

/// The statements of a source, with their numbers.
pub(super) fn parts(source: &CompiledSource) -> impl Iterator<Item = (usize, Part<'_>)> {
    let steps = source.steps.iter().enumerate().filter_map(|(place, step)| match step {
        Step::Query(query) => Some((place, Part::Rows(query))),
        Step::Change { statement, .. } => Some((place, Part::Change(statement))),
        Step::Assign { expression, .. } => Some((place, Part::Value(expression))),
        Step::Set { .. } => None,
    });
    steps.chain(source.etag.as_ref().map(|etag| (ETAG, Part::Value(etag))))
}

impl Part<'_> {
    pub(super) fn wanted(self, source: &CompiledSource) -> Wanted {
        match self {
            Self::Rows(query) => Wanted::rows(query, source),
            Self::Change(change) => Wanted::change(change, source),
            Self::Value(query) => Wanted::query(query, source),
        }
    }
}

/// A statement to resolve.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) text: String,
    /// Place, length and name of each bind.
    pub(super) binds: Vec<(usize, usize, usize)>,
    pub(super) names: Vec<String>,
    slots: Vec<usize>,
    pub(super) declared: Vec<Option<ParameterType>>,
    quoted: Vec<String>,
    identifiers: Vec<String>,
    paged: bool,
    /// Whether one row is all that is shown.
    single: bool,
    change: bool,
    /// Whether it is a procedure's call, which nothing can be wrapped around.
    call: bool,
    /// Whether it runs where changes may.
    writes: bool,
    one_row: bool,
    /// Whether one more parameter follows those of the binds: the dictionary, as JSON.
    pub(super) dictionary: bool,
}

impl Wanted {
    pub(super) fn query(bound: &BoundStatement, source: &CompiledSource) -> Self {
        Self::new(bound, source, false)
    }

    /// The query whose rows are the answer.
    pub(super) fn rows(bound: &BoundStatement, source: &CompiledSource) -> Self {
        let single = matches!(
            source.source_type,
            SourceType::CollectionItem | SourceType::QueryOneRow | SourceType::Media
        );
        Self { single, ..Self::query(bound, source) }
    }

    pub(super) fn change(bound: &BoundStatement, source: &CompiledSource) -> Self {
        Self::new(bound, source, true)
    }

    fn new(bound: &BoundStatement, source: &CompiledSource, change: bool) -> Self {
        let sql = &bound.sql;
        Self {
            text: sql.text.clone(),
            binds: sql.binds.iter().map(place_of).collect(),
            names: sql.names.clone(),
            slots: bound.slots.clone(),
            declared: bound.slots.iter().map(|slot| source.slots[*slot].kind).collect(),
            quoted: sql.quoted.clone(),
            identifiers: sql.identifiers.clone(),
            paged: bound.paged.is_some(),
            single: false,
            change,
            call: sql.keyword == "CALL",
            writes: source.writes,
            one_row: bound.one_row,
            dictionary: false,
        }
    }

    /// A statement of a script.
    pub(super) fn script(sql: &gatepost_rest::sql::Statement) -> Self {
        let change = matches!(sql.keyword.as_str(), "INSERT" | "UPDATE" | "DELETE" | "MERGE");
        Self {
            text: sql.text.clone(),
            binds: sql.binds.iter().map(place_of).collect(),
            names: sql.names.clone(),
            slots: (0..sql.names.len()).collect(),
            declared: vec![None; sql.names.len()],
            quoted: sql.quoted.clone(),
            identifiers: Vec::new(),
            paged: false,
            single: false,
            change,
            call: sql.keyword == "CALL",
            writes: true,
            one_row: false,
            dictionary: false,
        }
    }

    /// Puts text with the dictionary's parameter in front of the place `at`.
    pub(super) fn splice(&mut self, at: usize, text: &str) {
        self.dictionary = true;
        self.text.insert_str(at, text);
        for (place, ..) in &mut self.binds {
            if *place >= at {
                *place += text.len();
            }
        }
    }

    /// The text with these numbers, from 0, at the binds.
    pub(super) fn numbered(&self, number_of: impl Fn(usize) -> usize) -> String {
        let mut text = String::with_capacity(self.text.len() + 8);
        let mut copied = 0;
        for (occurrence, (at, length, _)) in self.binds.iter().enumerate() {
            text.push_str(&self.text[copied..*at]);
            text.push('$');
            text.push_str(&(number_of(occurrence) + 1).to_string());
            copied = at + length;
        }
        text.push_str(&self.text[copied..]);
        text
    }
}

fn place_of(bind: &Bind) -> (usize, usize, usize) {
    (bind.written, 1 + (bind.number + 1).to_string().len(), bind.number)
}

/// Where a parameter's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Slot(usize),
    Limit,
    Offset,
}

/// A statement that is ready.
#[derive(Debug)]
pub(super) struct Resolved {
    /// Names it in the caches of connections.
    pub(super) number: u64,
    /// What runs.
    pub(super) text: String,
    /// The types of the parameters, in order.
    pub(super) types: Vec<Type>,
    /// Where their values come from.
    pub(super) origins: Vec<Origin>,
    /// The names of its columns, as the server gave them.
    pub(super) names: Vec<String>,
    /// The columns of its rows.
    pub(super) columns: Columns,
    /// How the values of its columns are read.
    pub(super) kinds: Vec<Type>,
    /// What the server said of the columns, to notice that a table changed.
    shape: Vec<(String, Type)>,
    /// Types of its columns that the driver asks the server about.
    pub(super) asked_for: Vec<Type>,
    /// Whether it is cut to one row.
    pub(super) single: bool,
    /// Whether it is cut to a page.
    pub(super) paged: bool,
    /// The most bytes that one row takes.
    row_bytes_max: Option<u64>,
    /// Whether it lists the values of one row.
    one_row: bool,
    identifiers: Vec<String>,
    writes: bool,
    /// What its names mean, and when that was found out.
    facts: Mutex<Vec<(Moment, Facts)>>,
}

impl Resolved {
    /// Whether columns that the server sends are those that it said it would.
    pub(super) fn fits(&self, columns: &[Column]) -> bool {
        columns.len() == self.shape.len()
            && columns
                .iter()
                .zip(&self.shape)
                .all(|(column, (name, kind))| column.name() == name && column.type_() == kind)
    }

    /// What its names mean; none when that may have changed.
    pub(super) fn facts(&self, watch: &Watch) -> Option<Facts> {
        let moment = watch.moment()?;
        let found = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        found.iter().find(|(found, _)| *found == moment).map(|(_, facts)| *facts)
    }

    /// Whether it leaves its connection as it was.
    pub(super) fn is_plain(&self, watch: &Watch) -> bool {
        self.facts(watch).is_some_and(|facts| facts.plain)
    }

    /// Finds out anew what its names mean, if that may have changed.
    pub(super) async fn renew(&self, client: &Client, watch: &Watch) {
        if self.facts(watch).is_some() {
            return;
        }
        let Some(moment) = watch.moment() else { return };
        let found = facts(client, &self.identifiers, self.writes).await;
        let mut known = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        // One for each server.
        known.retain(|(other, _)| other.watch != moment.watch);
        known.push((moment, found));
    }

    /// The most bytes that all its rows take; none when that is not known.
    pub(super) fn bytes_max(&self, watch: &Watch) -> Option<u64> {
        if self.kinds.is_empty() {
            return Some(0);
        }
        let one_row = self.one_row && self.facts(watch).is_some_and(|facts| facts.countable);
        self.row_bytes_max.filter(|_| one_row)
    }
}

fn shape_of(statement: &Statement) -> Vec<(String, Type)> {
    statement.columns().iter().map(|column| (column.name().to_owned(), column.type_().clone())).collect()
}

/// Why a statement cannot be resolved.
#[derive(Debug)]
pub(super) enum Unresolved {
    /// The database's own words.
    Database(Error),
    /// Ours.
    Own(ExecuteError),
}

impl From<Failed> for Unresolved {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Database(error) => Self::Database(error),
            other => Self::Own(other.into_error()),
        }
    }
}

impl From<Error> for Unresolved {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// Where statements are described.
pub(super) struct Desk<'c> {
    client: &'c Client,
    /// Whether all is in one transaction, which a refused statement must not end.
    in_transaction: bool,
}

impl<'c> Desk<'c> {
    /// A connection of our own.
    pub(super) fn of(connection: &'c Connection) -> Self {
        Self { client: &connection.client, in_transaction: false }
    }

    /// A transaction behind a pooler.
    pub(super) fn in_transaction(connection: &'c Connection) -> Self {
        Self { client: &connection.client, in_transaction: true }
    }

    pub(super) async fn describe(&self, text: &str, types: &[Type]) -> Result<Statement, Error> {
        if !self.in_transaction {
            return self.client.prepare_typed(text, types).await;
        }
        self.client.batch_execute("savepoint described").await?;
        let described = self.client.prepare_typed(text, types).await;
        if described.is_err() {
            self.client.batch_execute("rollback to savepoint described").await?;
        }
        described
    }
}

/// What is resolved already, by the source and the number of the statement in it.
#[derive(Debug, Default)]
pub(super) struct Resolver(Mutex<HashMap<(u64, usize), Arc<Resolved>>>);

impl Resolver {
    pub(super) fn known(&self, key: (u64, usize)) -> Option<Arc<Resolved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    pub(super) fn keep(&self, key: (u64, usize), resolved: Resolved) -> Arc<Resolved> {
        let resolved = Arc::new(resolved);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= RESOLVED_MAX {
            known.clear();
        }
        known.insert(key, Arc::clone(&resolved));
        resolved
    }

    /// The database changed: the statements of this source are looked at anew.
    pub(super) fn forget(&self, source: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _), _| *known != source);
    }
}

/// Resolves a statement.
pub(super) async fn resolve(desk: &Desk<'_>, wanted: &Wanted, zone: &Zone) -> Result<Resolved, Unresolved> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let Inferred { mut text, mut types, names, statement } = infer(desk, wanted).await?;
    let mut origins: Vec<Origin> = names.iter().map(|name| Origin::Slot(wanted.slots[*name])).collect();
    let names = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let described = statement.columns().iter().map(|column| (column.name(), None));
    let columns = Columns::describe(described, &wanted.quoted, zone);
    let kinds = statement.columns().iter().map(shape::kind_of).collect();
    let mut changed = false;
    if statement.columns().iter().any(shape::needs_cast) {
        if wanted.call {
            return Err(Unresolved::Own(shape::no_cast(statement.columns())));
        }
        text = shape::wrap(&text, statement.columns(), wanted.change);
        changed = true;
    }
    if wanted.single {
        text = format!("select * from (\n{text}\n) page limit 1");
        changed = true;
    }
    if wanted.paged {
        let number = types.len() + 1;
        text = format!("select * from (\n{text}\n) page limit ${number} offset ${}", number + 1);
        types.extend([Type::INT8, Type::INT8]);
        origins.extend([Origin::Limit, Origin::Offset]);
        changed = true;
    }
    let statement = if changed { desk.describe(&text, &types).await? } else { statement };
    Ok(Resolved {
        number: NEXT.fetch_add(1, Ordering::Relaxed),
        text,
        types,
        origins,
        names,
        columns,
        kinds,
        shape: shape_of(&statement),
        asked_for: shape::asked_for(statement.columns()),
        single: wanted.single,
        paged: wanted.paged,
        row_bytes_max: shape::row_bytes_max(statement.columns()),
        one_row: wanted.one_row,
        identifiers: wanted.identifiers.clone(),
        writes: wanted.writes,
        facts: Mutex::default(),
    })
}

/// What is wrong with a statement, for its author.
pub(super) fn explain(error: &Error, wanted: &Wanted) -> String {
    let message = words(error);
    if !matches!(code(error), "42P18" | "42P08" | "42725") {
        return message;
    }
    let example = wanted.names.first().map_or("x", String::as_str);
    format!(
        "{message}; say what a bind is, as in `:{example}::date`, or declare its type with DEFINE_PARAMETER"
    )
}
