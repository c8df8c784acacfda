//! From a statement as written to one whose parameters have types and whose columns can be written: once a handler.
//!
//! The server infers the types. Where it cannot (`:x is null or col = :x`), each occurrence of a bind gets a number
//! of its own, and what is known about one occurrence helps the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gatepost_rest::definition::{ParameterType, SourceType};
use gatepost_rest::render::{Columns, Zone};
use gatepost_rest::source::{BoundStatement, CompiledSource};
use gatepost_rest::sql::Bind;
use tokio_postgres::types::{Kind, Type};
use tokio_postgres::{Error, Statement};

use super::connect::Connection;
use super::error::words;
use super::value;

const RESOLVED_MAX: usize = 8_192;

/// A statement to resolve.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    text: String,
    /// Place, length and name of each bind.
    binds: Vec<(usize, usize, usize)>,
    names: Vec<String>,
    slots: Vec<usize>,
    declared: Vec<Option<ParameterType>>,
    quoted: Vec<String>,
    identifiers: Vec<String>,
    paged: bool,
    /// Whether one row is all that is shown.
    single: bool,
    change: bool,
    /// Whether one more parameter follows those of the binds: the dictionary, as JSON.
    dictionary: bool,
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
    fn numbered(&self, number_of: impl Fn(usize) -> usize) -> String {
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
    /// What the server said of the columns, to notice that a table changed.
    shape: Vec<(String, Type)>,
    /// Whether it is cut to one row.
    pub(super) single: bool,
    /// Whether it is cut to a page.
    pub(super) paged: bool,
    /// Whether all that it calls is built in and leaves the connection as it was.
    pub(super) plain: bool,
}

impl Resolved {
    /// Whether a statement that was prepared from it still has the same columns.
    pub(super) fn fits(&self, statement: &Statement) -> bool {
        statement.columns().len() == self.shape.len()
            && statement
                .columns()
                .iter()
                .zip(&self.shape)
                .all(|(column, (name, kind))| column.name() == name && column.type_() == kind)
    }
}

fn shape_of(statement: &Statement) -> Vec<(String, Type)> {
    statement.columns().iter().map(|column| (column.name().to_owned(), column.type_().clone())).collect()
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

/// Resolves a statement on a connection.
pub(super) async fn resolve(
    connection: &Connection,
    wanted: &Wanted,
    zone: &Zone,
) -> Result<Resolved, Error> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let Inferred { mut text, mut types, names, statement } = infer(connection, wanted).await?;
    let mut origins: Vec<Origin> = names.iter().map(|name| Origin::Slot(wanted.slots[*name])).collect();
    let names = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let described = statement.columns().iter().map(|column| (column.name(), None));
    let columns = Columns::describe(described, &wanted.quoted, zone);
    let mut changed = false;
    if let Some(wrapped) = wrap(&text, &statement, wanted.change) {
        text = wrapped;
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
    let statement = if changed { connection.client.prepare_typed(&text, &types).await? } else { statement };
    let shape = shape_of(&statement);
    let plain = !wanted.change && is_plain(connection, wanted, &statement).await;
    Ok(Resolved {
        number: NEXT.fetch_add(1, Ordering::Relaxed),
        text,
        types,
        origins,
        names,
        columns,
        shape,
        single: wanted.single,
        paged: wanted.paged,
        plain,
    })
}

struct Inferred {
    text: String,
    types: Vec<Type>,
    /// The name of each parameter.
    names: Vec<usize>,
    statement: Statement,
}

async fn infer(connection: &Connection, wanted: &Wanted) -> Result<Inferred, Error> {
    let by_name: Vec<usize> = (0..wanted.names.len()).collect();
    let text = wanted.numbered(|occurrence| wanted.binds[occurrence].2);
    let declared: Vec<Type> = wanted.declared.iter().map(|kind| numeric_type(*kind)).collect();
    if declared.iter().any(|kind| *kind != Type::UNKNOWN)
        && let Ok(statement) = connection.client.prepare_typed(&text, &declared).await
    {
        return Ok(Inferred { text, types: statement.params().to_vec(), names: by_name, statement });
    }
    let first = match connection.client.prepare(&text).await {
        Ok(statement) => {
            return Ok(Inferred { text, types: statement.params().to_vec(), names: by_name, statement });
        }
        Err(error) if is_about_types(&error) && !wanted.dictionary => error,
        Err(error) => return Err(error),
    };
    match by_occurrence(connection, wanted, &text, by_name).await? {
        Some(inferred) => Ok(inferred),
        None => Err(first),
    }
}

/// Gives each occurrence a number of its own, and goes back to one for each name where that works.
async fn by_occurrence(
    connection: &Connection,
    wanted: &Wanted,
    by_name_text: &str,
    by_name: Vec<usize>,
) -> Result<Option<Inferred>, Error> {
    let apart = wanted.numbered(|occurrence| occurrence);
    let mut types = vec![Type::UNKNOWN; wanted.binds.len()];
    let mut as_text = vec![false; wanted.binds.len()];
    let statement = loop {
        match connection.client.prepare_typed(&apart, &types).await {
            Ok(statement) => break Some(statement),
            Err(error) => match undetermined(&error).filter(|number| !as_text[*number]) {
                Some(number) => {
                    types[number] = fallback(wanted.declared[wanted.binds[number].2]);
                    as_text[number] = true;
                }
                None if is_about_types(&error) || is_grouping(&error) => break None,
                None => return Err(error),
            },
        }
    };
    let found = statement.as_ref().map(Statement::params);
    let united = unite(wanted, found, &as_text);
    if let Some(united) = united
        && let Ok(statement) = connection.client.prepare_typed(by_name_text, &united).await
    {
        let types = statement.params().to_vec();
        return Ok(Some(Inferred { text: by_name_text.to_owned(), types, names: by_name, statement }));
    }
    Ok(statement.map(|statement| Inferred {
        text: apart,
        types: statement.params().to_vec(),
        names: wanted.binds.iter().map(|(_, _, name)| *name).collect(),
        statement,
    }))
}

/// One type for each name, if its occurrences agree.
fn unite(wanted: &Wanted, found: Option<&[Type]>, as_text: &[bool]) -> Option<Vec<Type>> {
    let mut united: Vec<Option<Type>> = vec![None; wanted.names.len()];
    for (occurrence, (_, _, name)) in wanted.binds.iter().enumerate() {
        let Some(kind) = found.and_then(|types| types.get(occurrence)).filter(|_| !as_text[occurrence])
        else {
            continue;
        };
        match &united[*name] {
            Some(known) if known != kind => return None,
            _ => united[*name] = Some(kind.clone()),
        }
    }
    let with_fallback = united.into_iter().zip(&wanted.declared);
    Some(with_fallback.map(|(kind, declared)| kind.unwrap_or_else(|| fallback(*declared))).collect())
}

/// Types that help the server where its own guess would be another (`current_date - :days`).
fn numeric_type(declared: Option<ParameterType>) -> Type {
    match declared {
        Some(ParameterType::Int) => Type::INT4,
        Some(ParameterType::Long) => Type::INT8,
        Some(ParameterType::Double) => Type::NUMERIC,
        _ => Type::UNKNOWN,
    }
}

fn fallback(declared: Option<ParameterType>) -> Type {
    match declared {
        Some(ParameterType::Timestamp) => Type::TIMESTAMPTZ,
        Some(ParameterType::Boolean) => Type::BOOL,
        other => match numeric_type(other) {
            Type::UNKNOWN => Type::TEXT,
            kind => kind,
        },
    }
}

fn code(error: &Error) -> &str {
    error.code().map_or("", |code| code.code())
}

fn is_about_types(error: &Error) -> bool {
    matches!(code(error), "42P18" | "42P08" | "42883" | "42804" | "42725")
}

fn is_grouping(error: &Error) -> bool {
    code(error) == "42803"
}

/// The parameter, from 0, whose type the server could not find out.
fn undetermined(error: &Error) -> Option<usize> {
    if code(error) != "42P18" {
        return None;
    }
    let message = error.as_db_error()?.message();
    let digits = message.split_once('$')?.1;
    let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse::<usize>().ok()?.checked_sub(1)
}

/// Casts columns of types that are not written natively.
fn wrap(text: &str, statement: &Statement, change: bool) -> Option<String> {
    if statement.columns().iter().all(|column| value::is_known(column.type_())) {
        return None;
    }
    let names: Vec<String> = (1..=statement.columns().len()).map(|number| format!("c{number}")).collect();
    let shown: Vec<String> = names
        .iter()
        .zip(statement.columns())
        .map(|(name, column)| {
            let cast = if value::is_known(column.type_()) { "" } else { "::text" };
            format!("q.{name}{cast}")
        })
        .collect();
    let (names, shown) = (names.join(", "), shown.join(", "));
    Some(if change {
        format!("with q({names}) as (\n{text}\n) select {shown} from q")
    } else {
        format!("select {shown} from (\n{text}\n) q({names})")
    })
}

const PLAIN: &str = "select not exists (select from pg_catalog.pg_proc p where p.proname = any($1) \
     and (p.pronamespace <> 'pg_catalog'::regnamespace or p.provolatile = 'v')) \
     and not exists (select from pg_catalog.pg_class c where c.relname = any($1) \
     and (c.relkind in ('v', 'f') or c.relrowsecurity)) \
     and not exists (select from pg_catalog.pg_operator o where o.oid >= 16384) \
     and not exists (select from pg_catalog.pg_cast c where c.oid >= 16384)";

/// Whether every name in the statement stands for something harmless, whatever it means: tables, and functions that
/// are built in and not volatile.
async fn is_plain(connection: &Connection, wanted: &Wanted, statement: &Statement) -> bool {
    let is_domain = |kind: &Type| matches!(kind.kind(), Kind::Domain(_));
    if wanted.identifiers.iter().any(|name| !name.is_ascii())
        || wanted.identifiers.iter().any(|name| name == "u")
        || statement.params().iter().any(is_domain)
        || statement.columns().iter().any(|column| is_domain(column.type_()))
    {
        return false;
    }
    let names: &(dyn tokio_postgres::types::ToSql + Sync) = &wanted.identifiers;
    match connection.client.query_one(PLAIN, &[names]).await {
        Ok(row) => row.try_get(0).unwrap_or(false),
        Err(_) => false,
    }
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
