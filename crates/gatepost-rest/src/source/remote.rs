//! REST sources as tables: `rest.NAME` becomes a query over one JSON bind, whose value is the source's rows.
//!
//! On PostgreSQL the bind is an array of objects with the numbers of the columns as names, on SQLite an array of
//! arrays. Columns get the types of the source's profile; a number keeps its digits as far as the database has them.

use std::fmt::Write as _;

use crate::sql::{Dialect, Operand, Refusal, RemoteUse, Token, remote_uses};

/// A statement may name this many REST sources.
const REMOTES_MAX: usize = 8;

/// The name of a temporary table of SQLite's connections, with one column of each declared type, named like it. It is
/// empty: a column of a compound query has the declared type that its last part gives it.
pub const DECLARED_TYPES: &str = "gatepost_types";

/// The REST sources of a schema as statements see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteTables(pub Vec<RemoteTable>);

/// A REST source as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTable {
    /// Its name, behind `rest.`.
    pub name: String,
    /// Its columns: names of lower-case letters, digits and `_`, and their types.
    pub columns: Vec<(String, RemoteType)>,
    /// What callers can give, and whether they must.
    pub parameters: Vec<RemoteParameter>,
    /// Why it cannot be used as a table.
    pub unusable: Option<String>,
}

/// A parameter of a REST source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteParameter {
    /// Its name.
    pub name: String,
    /// Whether it must be given, and no term of the WHERE clause can do it.
    pub required: bool,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteType {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A day and a time without zone.
    Timestamp,
    /// A moment.
    Timestamptz,
    /// JSON.
    Json,
}

/// Rows that a statement needs before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRows {
    /// The bind that takes them, as JSON.
    pub bind: String,
    /// The source.
    pub name: String,
    /// Values for its parameters.
    pub arguments: Vec<(String, Operand)>,
    /// Columns and values that the statement filters by in any case.
    pub equals: Vec<(String, Operand)>,
}

/// A statement with binds in place of its REST sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The text.
    pub text: String,
    /// What its binds are filled with.
    pub remotes: Vec<RemoteRows>,
    /// Where a source stood, where its query stands, and the byte behind each.
    moved: Vec<[usize; 4]>,
}

/// Why a statement cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotExpanded {
    /// What is wrong, and where.
    pub refusal: Refusal,
    /// It can be once the source is defined.
    pub waits: bool,
}

impl Expanded {
    /// Where a byte of the text was in the text as written.
    pub fn original_offset(&self, offset: usize) -> usize {
        let Some([start, end, _, behind]) = self.moved.iter().rev().find(|moved| moved[2] <= offset) else {
            return offset;
        };
        if offset < *behind { *start } else { end + offset - behind }
    }
}

/// Puts binds in place of REST sources; none when the text names none. `is_taken` says which binds there are already.
pub fn expand(
    sql: &str,
    tokens: &[Token],
    dialect: Dialect,
    tables: &RemoteTables,
    is_taken: impl Fn(&str) -> bool,
) -> Result<Option<Expanded>, NotExpanded> {
    let refused = |refusal| NotExpanded { refusal, waits: false };
    let uses = remote_uses(sql, tokens).map_err(refused)?;
    if uses.is_empty() {
        return Ok(None);
    }
    if let Some(beyond) = uses.get(REMOTES_MAX) {
        let message = format!("a statement names at most {REMOTES_MAX} REST sources");
        return Err(refused(Refusal::new(beyond.start, &sql[beyond.start..beyond.end], message)));
    }
    let mut expanded =
        Expanded { text: String::with_capacity(sql.len()), remotes: Vec::new(), moved: Vec::new() };
    let mut names = (1..).map(|number| format!("rest_rows_{number}")).filter(|name| !is_taken(name));
    let mut copied = 0;
    for used in &uses {
        let table = find(sql, used, tables)?;
        expanded.text.push_str(&sql[copied..used.start]);
        let written = expanded.text.len();
        let wanted = (&used.name, &used.arguments, equals(used, table));
        let same = |known: &&RemoteRows| {
            (&known.name, &known.arguments, &known.equals) == (wanted.0, wanted.1, &wanted.2)
        };
        let bind = if let Some(known) = expanded.remotes.iter().find(same) {
            known.bind.clone()
        } else {
            let bind = names.next().unwrap_or_default();
            let (name, arguments, equals) = (wanted.0.clone(), wanted.1.clone(), wanted.2);
            expanded.remotes.push(RemoteRows { bind: bind.clone(), name, arguments, equals });
            bind
        };
        expanded.text.push_str(&table.query(&bind, dialect));
        if used.alias.is_none() {
            let _ = write!(expanded.text, " as \"{}\"", used.name);
        }
        expanded.moved.push([used.start, used.end, written, expanded.text.len()]);
        copied = used.end;
    }
    expanded.text.push_str(&sql[copied..]);
    Ok(Some(expanded))
}

fn find<'t>(sql: &str, used: &RemoteUse, tables: &'t RemoteTables) -> Result<&'t RemoteTable, NotExpanded> {
    let refuse = |message: String, waits| {
        let construct = sql[used.start..used.end].split('(').next().unwrap_or_default().trim_end();
        Err(NotExpanded { refusal: Refusal::new(used.start, construct, message), waits })
    };
    let Some(table) = tables.0.iter().find(|table| table.name == used.name) else {
        let known: Vec<_> = tables.0.iter().map(|table| table.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return refuse(format!("the schema has no REST source `{}`; there are: {known}", used.name), true);
    };
    if let Some(reason) = &table.unusable {
        return refuse(reason.clone(), true);
    }
    let parameter = |name: &String| table.parameters.iter().find(|known| known.name == *name);
    if let Some((name, _)) = used.arguments.iter().find(|(name, _)| parameter(name).is_none()) {
        return refuse(format!("the REST source has no parameter `{name}`"), true);
    }
    let given = |name: &String| used.arguments.iter().any(|(given, _)| given == name);
    if let Some(missing) = table.parameters.iter().find(|known| known.required && !given(&known.name)) {
        let name = &missing.name;
        return refuse(format!("parameter `{name}` must be given: rest.{}({name} => …)", used.name), true);
    }
    Ok(table)
}

/// The terms about columns that the source has.
fn equals(used: &RemoteUse, table: &RemoteTable) -> Vec<(String, Operand)> {
    let known = |name: &String| table.columns.iter().any(|(column, _)| column == name);
    used.equals.iter().filter(|(name, _)| known(name)).cloned().collect()
}

impl RemoteTable {
    /// The rows of a bind as a table.
    fn query(&self, bind: &str, dialect: Dialect) -> String {
        match dialect {
            Dialect::Sqlite => self.query_for_sqlite(bind),
            Dialect::Postgres => self.query_for_postgres(bind),
        }
    }

    /// Materialized, so that a join does not read the JSON again for each row of the other table.
    fn query_for_sqlite(&self, bind: &str) -> String {
        let names = self.columns.iter().map(|(name, _)| format!("\"{name}\""));
        let values = self.columns.iter().enumerate().map(|(number, (_, kind))| match kind {
            RemoteType::Text => format!("cast(value->>{number} as text)"),
            RemoteType::Number | RemoteType::Boolean => format!("cast(value->>{number} as numeric)"),
            _ => format!("value->>{number}"),
        });
        let declared = self.columns.iter().map(|(_, kind)| kind.declared().unwrap_or("null"));
        let (names, values, declared) = (list(names), list(values), list(declared.map(str::to_owned)));
        let typed = if self.columns.iter().any(|(_, kind)| kind.declared().is_some()) {
            format!(" union all select {declared} from temp.{DECLARED_TYPES} where 0")
        } else {
            String::new()
        };
        format!(
            "(with source_rows({names}) as materialized (select {values} from json_each(:{bind}){typed}) \
             select * from source_rows)"
        )
    }

    fn query_for_postgres(&self, bind: &str) -> String {
        let names =
            self.columns.iter().enumerate().map(|(number, (name, _))| format!("\"{number}\" as \"{name}\""));
        let types = self
            .columns
            .iter()
            .enumerate()
            .map(|(number, (_, kind))| format!("\"{number}\" pg_catalog.{}", kind.of_postgres()));
        format!(
            "(select {} from pg_catalog.json_to_recordset(:{bind}::pg_catalog.json) as source_rows({}))",
            list(names),
            list(types)
        )
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

impl RemoteType {
    /// The types that SQLite's columns must be declared with for their values to be written as what they are; also
    /// the names of columns of [`DECLARED_TYPES`].
    pub const DECLARED: [&'static str; 5] = ["boolean", "date", "timestamp", "timestamptz", "json"];

    fn declared(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Number => None,
            Self::Boolean => Some("boolean"),
            Self::Date => Some("date"),
            Self::Timestamp => Some("timestamp"),
            Self::Timestamptz => Some("timestamptz"),
            Self::Json => Some("json"),
        }
    }

    fn of_postgres(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "numeric",
            Self::Boolean => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Json => "json",
        }
    }
}
