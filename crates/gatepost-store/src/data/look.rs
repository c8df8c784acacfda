//! What the owner of a schema sees of it: its tables and views, and how the database would run a query. Nothing is kept
//! of what is done here.

use gatepost_rest::sql::{Dialect, Statement};

use super::session::{Engine, Session, SessionError, SessionResult, SessionValue};
use super::{DictionarySource, DictionaryView};

/// Tables and views that are listed, at most.
pub const RELATIONS_MAX: usize = 500;

/// A table or a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// Whether it is a view.
    pub is_view: bool,
    /// Its columns, in their order. None of a view that has lost its table.
    pub columns: Vec<RelationColumn>,
}

/// A column of a table or a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationColumn {
    /// Its name.
    pub name: String,
    /// Its type as the database says it; can be empty on SQLite.
    pub kind: String,
    /// Whether it is a part of the primary key.
    pub is_key: bool,
}

impl Relation {
    /// The column of the primary key, if it is one.
    pub fn key(&self) -> Option<&RelationColumn> {
        let mut keys = self.columns.iter().filter(|column| column.is_key);
        let key = keys.next()?;
        keys.next().is_none().then_some(key)
    }

    /// The query for its rows, by the key.
    pub fn list_query(&self) -> String {
        let order = self.key().map(|key| format!("\n order by {}", quoted(&key.name)));
        format!("{}{}", self.columns_query(), order.unwrap_or_default())
    }

    /// The query for the row whose key is the bind `:key`.
    pub fn item_query(&self) -> Option<String> {
        let key = quoted(&self.key()?.name);
        Some(format!("{}\n where {key} = :key", self.columns_query()))
    }

    fn columns_query(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        format!("select {}\n  from {}", columns.join(",\n       "), quoted(&self.name))
    }
}

/// A name as SQL writes it.
fn quoted(name: &str) -> String {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let plain = name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit());
    if plain && name.bytes().next().is_some_and(letter) && !is_reserved(name) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Names of columns that are common and words of SQL: quoted, they mean the column.
fn is_reserved(name: &str) -> bool {
    ["order", "group", "user", "desc", "from", "to", "end", "table", "check", "limit", "default", "select"]
        .contains(&name)
}

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStep {
    /// How many steps it is below.
    pub depth: usize,
    /// What the database does, in its own words.
    pub text: String,
    /// Whether it reads a whole table.
    pub reads_all: bool,
}

/// No views but the database's own.
struct NoDictionary;

impl DictionarySource for NoDictionary {
    fn views(&self) -> &[DictionaryView] {
        &[]
    }

    fn rows_json(&self, _: &str) -> String {
        "[]".into()
    }
}

impl Session {
    /// The tables and views of the schema, by name, at most [`RELATIONS_MAX`].
    pub fn relations(&mut self) -> Result<Vec<Relation>, SessionError> {
        let limit = [("limit".to_owned(), SessionValue::Integer(RELATIONS_MAX as i64))];
        let relations = match self.0 {
            Engine::Sqlite(_) => {
                let names = self.run(SQLITE_RELATIONS, &limit, &NoDictionary)?;
                let mut relations = grouped(&names);
                for relation in &mut relations {
                    let name = [("name".to_owned(), SessionValue::Text(relation.name.clone()))];
                    // A view without its table has no columns to show.
                    if let Ok(columns) = self.run(SQLITE_COLUMNS, &name, &NoDictionary) {
                        relation.columns = columns.rows.iter().map(|row| column(row)).collect();
                    }
                }
                relations
            }
            Engine::Postgres(_) => grouped(&self.run(POSTGRES_RELATIONS, &limit, &NoDictionary)?),
        };
        Ok(relations)
    }

    /// How the database would run a query, whatever values its binds have; the query is not run. A PostgreSQL before 16
    /// plans for binds that are NULL.
    pub fn explain(
        &mut self,
        sql: &str,
        dictionary: &dyn DictionarySource,
    ) -> Result<Vec<PlanStep>, SessionError> {
        let dialect = match self.0 {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        };
        let statement = Statement::parse(sql, dialect)
            .map_err(|refusal| SessionError { offset: Some(refusal.offset), message: refusal.to_string() })?;
        if !matches!(statement.keyword.as_str(), "" | "SELECT" | "WITH" | "VALUES") {
            let message = format!("only queries have a plan to look at, {} has none", statement.keyword);
            return Err(SessionError { message, offset: Some(statement.start) });
        }
        let binds: Vec<_> = statement.names.into_iter().map(|name| (name, SessionValue::Null)).collect();
        // Undone, whatever a function of the schema does while the database plans.
        let alone = !self.in_transaction();
        if alone {
            self.begin()?;
        }
        let mut plan = |prefix: &str| {
            let plan = self.run(&format!("{prefix}{sql}"), &binds, dictionary);
            plan.map_err(|error| SessionError {
                offset: error.offset.map(|offset| offset.saturating_sub(prefix.len())),
                ..error
            })
        };
        let plan = match dialect {
            Dialect::Sqlite => plan("explain query plan "),
            Dialect::Postgres if binds.is_empty() => plan("explain "),
            Dialect::Postgres => plan("explain (generic_plan) ").or_else(|_| plan("explain ")),
        };
        if alone {
            self.rollback()?;
        }
        let plan = plan?;
        Ok(match dialect {
            Dialect::Sqlite => steps_of_sqlite(&plan),
            Dialect::Postgres => steps_of_postgres(&plan),
        })
    }
}

const SQLITE_RELATIONS: &str = "select name, type = 'view' as is_view, null as column_name, null as column_type, 0 as is_key
     from sqlite_schema
     where type in ('table', 'view') and name not like 'sqlite!_%' escape '!' and name not like 'gatepost!_%' escape '!'
     order by name limit :limit";

const SQLITE_COLUMNS: &str =
    "select name, type, pk > 0 from pragma_table_xinfo(:name) where hidden <> 1 order by cid";

const POSTGRES_RELATIONS: &str = "select c.relname, c.relkind in ('v', 'm') as is_view, a.attname as column_name,
            format_type(a.atttypid, a.atttypmod) as column_type, coalesce(a.attnum = any (k.conkey), false) as is_key
     from (select oid, relname, relkind from pg_catalog.pg_class
           where relnamespace = (select oid from pg_catalog.pg_namespace where nspname = current_schema())
             and relkind in ('r', 'p', 'v', 'm', 'f') and relname not like 'gatepost!_%' escape '!'
             and not coalesce(relispartition, false)
           order by relname limit cast(:limit as bigint)) c
     left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     left join pg_catalog.pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
     order by c.relname, a.attnum";

/// Relations from rows of relation and column.
fn grouped(rows: &SessionResult) -> Vec<Relation> {
    let mut relations: Vec<Relation> = Vec::new();
    for row in &rows.rows {
        let name = text(row, 0);
        if relations.last().is_none_or(|last| last.name != name) {
            relations.push(Relation { name, is_view: flag(row, 1), columns: Vec::new() });
        }
        if let (Some(relation), SessionValue::Text(_)) = (relations.last_mut(), &row[2]) {
            relation.columns.push(column(&row[2..]));
        }
    }
    relations
}

fn column(row: &[SessionValue]) -> RelationColumn {
    RelationColumn { name: text(row, 0), kind: text(row, 1).to_lowercase(), is_key: flag(row, 2) }
}

/// SQLite gives each step the number of the one that it is below.
fn steps_of_sqlite(plan: &SessionResult) -> Vec<PlanStep> {
    let mut depths = std::collections::HashMap::from([(0, 0)]);
    let step = |row: &Vec<SessionValue>| {
        let [SessionValue::Integer(id), SessionValue::Integer(parent), _, detail] = row.as_slice() else {
            return None;
        };
        let SessionValue::Text(text) = detail else { return None };
        let depth = depths.get(parent).copied().unwrap_or(0);
        depths.insert(*id, depth + 1);
        let reads_all = text.starts_with("SCAN ") && !text.contains(" VIRTUAL TABLE");
        Some(PlanStep { depth, text: text.clone(), reads_all })
    };
    plan.rows.iter().filter_map(step).collect()
}

/// PostgreSQL indents: two blanks for the first step below another one, six more for each further.
fn steps_of_postgres(plan: &SessionResult) -> Vec<PlanStep> {
    let step = |row: &Vec<SessionValue>| {
        let line = text(row, 0);
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let words = trimmed.trim_start_matches("->").trim_start();
        let reads_all = words.starts_with("Seq Scan") || words.starts_with("Parallel Seq Scan");
        PlanStep { depth: indent.div_ceil(6), text: words.to_owned(), reads_all }
    };
    plan.rows.iter().map(step).collect()
}

fn text(row: &[SessionValue], column: usize) -> String {
    match row.get(column) {
        Some(SessionValue::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

fn flag(row: &[SessionValue], column: usize) -> bool {
    matches!(row.get(column), Some(SessionValue::Integer(1) | SessionValue::Boolean(true)))
}
