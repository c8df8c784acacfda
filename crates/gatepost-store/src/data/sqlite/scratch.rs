//! SQL over rows that came from elsewhere, in a database in memory that holds nothing else and ends with the statement.
//!
//! The statement is a user's: it runs under the authorizer of readers, without other files, settings and writing, with a
//! deadline, and with limits on what it gives.

use std::path::Path;
use std::time::{Duration, Instant};

use gatepost_rest::sql::{Dialect, Statement, lex};
use gatepost_sources::datum::{Datum, compare_decimals, decimal};
use gatepost_sources::definition::ColumnType;
use rusqlite::ErrorCode;
use rusqlite::types::{Value, ValueRef};

use super::connection::{Kind, UserConnection};
use super::error::words;
use crate::data::DataOptions;

/// A column: its name, and its type unless an expression makes it.
pub type ScratchColumn = (String, Option<ColumnType>);

/// What a statement may take and give.
#[derive(Clone, Copy, Debug)]
pub struct ScratchLimits {
    /// How long it may run.
    pub time: Duration,
    /// Rows that it may give.
    pub rows_max: u64,
    /// Bytes of their values.
    pub bytes_max: u64,
}

/// What a statement gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScratchRows {
    /// Its columns.
    pub columns: Vec<ScratchColumn>,
    /// Its rows. Values of a column with a type are of it, or NULL.
    pub rows: Vec<Vec<Datum>>,
    /// Values that did not fit their columns and became NULL.
    pub mismatches: u64,
}

/// A database in memory with the table `rows`.
#[derive(Debug)]
pub struct Scratch {
    connection: UserConnection,
}

impl Scratch {
    /// A database whose table `rows` has these columns and rows.
    pub fn with(columns: &[ScratchColumn], rows: &[Vec<Datum>]) -> Result<Self, String> {
        let options = DataOptions::default();
        let connection = UserConnection::open(Path::new(":memory:"), Kind::Scratch, &options);
        let scratch = Self { connection: connection.map_err(|error| error.to_string())? };
        scratch.fill(columns, rows)?;
        Ok(scratch)
    }

    fn fill(&self, columns: &[ScratchColumn], rows: &[Vec<Datum>]) -> Result<(), String> {
        let sqlite = &self.connection.sqlite;
        let failed = |error: rusqlite::Error| words(&error);
        let defined = columns.iter().map(|(name, kind)| format!("\"{name}\" {}", declared(*kind)));
        let defined = defined.collect::<Vec<_>>().join(", ");
        sqlite.execute_batch(&format!("create table rows ({defined}); begin")).map_err(failed)?;
        let binds = vec!["?"; columns.len()].join(", ");
        let mut insert = sqlite.prepare(&format!("insert into rows values ({binds})")).map_err(failed)?;
        for row in rows {
            for (number, ((name, _), datum)) in columns.iter().zip(row).enumerate() {
                let value = stored(datum).ok_or_else(|| {
                    format!(
                        "column `{name}` has a number of more digits than SQLite keeps; give it type text"
                    )
                })?;
                insert.raw_bind_parameter(number + 1, value).map_err(failed)?;
            }
            insert.raw_execute().map_err(failed)?;
        }
        drop(insert);
        sqlite.execute_batch("commit; pragma query_only = true").map_err(failed)
    }

    /// The columns of a query over `rows`, or what is wrong with it.
    pub fn describe(&self, query: &str) -> Result<Vec<ScratchColumn>, String> {
        let statement = read_query(query)?;
        let _user = self.connection.watch.user();
        let prepared = self.connection.sqlite.prepare(&statement.text).map_err(|error| words(&error))?;
        Ok(columns_of(&prepared, &statement))
    }

    /// The rows of a query over `rows`.
    pub fn query(&self, query: &str, limits: ScratchLimits) -> Result<ScratchRows, String> {
        let statement = read_query(query)?;
        let _watched = self.connection.watch.job(Instant::now() + limits.time, None);
        let _user = self.connection.watch.user();
        self.run(&statement, limits).map_err(|failure| match failure {
            Failure::Limit(message) => message,
            Failure::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                format!("it ran longer than {} s", limits.time.as_secs_f64())
            }
            Failure::Sqlite(error) => words(&error),
        })
    }

    fn run(&self, statement: &Statement, limits: ScratchLimits) -> Result<ScratchRows, Failure> {
        let mut prepared = self.connection.sqlite.prepare(&statement.text)?;
        let columns = columns_of(&prepared, statement);
        let mut given = ScratchRows { columns, rows: Vec::new(), mismatches: 0 };
        let mut bytes = 0;
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next()? {
            if given.rows.len() as u64 >= limits.rows_max {
                return Err(Failure::Limit(format!("it gives more than {} rows", limits.rows_max)));
            }
            let mut data = Vec::with_capacity(given.columns.len());
            for (number, (_, kind)) in given.columns.iter().enumerate() {
                let value = row.get_ref(number)?;
                let datum = datum(value, *kind);
                given.mismatches += u64::from(datum.is_null() && value != ValueRef::Null);
                bytes += datum.plain().map_or(0, str::len) as u64;
                data.push(datum);
            }
            if bytes > limits.bytes_max {
                return Err(Failure::Limit(format!("it gives more than {} bytes", limits.bytes_max)));
            }
            given.rows.push(data);
        }
        Ok(given)
    }
}

/// A query that gives an expression over `rows` for each name, row by row.
pub fn computing<'e>(expressions: impl Iterator<Item = (&'e str, &'e str)>) -> Result<String, String> {
    let mut columns = Vec::new();
    for (name, expression) in expressions {
        read_expression(expression).map_err(|message| format!("column `{name}`: {message}"))?;
        columns.push(format!("({expression}\n) as \"{name}\""));
    }
    Ok(format!("select {} from rows order by rowid", columns.join(", ")))
}

/// Refuses an expression that would end the bracket that it is put into.
fn read_expression(expression: &str) -> Result<(), String> {
    let tokens = lex(expression, Dialect::Sqlite).map_err(|refusal| refusal.to_string())?;
    let mut depth = 0i32;
    for token in &tokens {
        depth += i32::from(token.is_symbol(expression, "(")) - i32::from(token.is_symbol(expression, ")"));
        if depth < 0 || token.is_symbol(expression, ";") {
            return Err(format!("`{}` is not expected in an expression", token.text(expression)));
        }
    }
    if depth != 0 || tokens.is_empty() {
        return Err("this is no whole expression".into());
    }
    Ok(())
}

fn read_query(query: &str) -> Result<Statement, String> {
    let statement = Statement::parse(query, Dialect::Sqlite).map_err(|refusal| refusal.to_string())?;
    if let Some(bind) = statement.names.first() {
        return Err(format!(":{bind}: there are no binds here"));
    }
    if !matches!(statement.keyword.as_str(), "SELECT" | "WITH" | "VALUES") {
        return Err(format!("{}: one SELECT is expected", statement.keyword));
    }
    Ok(statement)
}

fn columns_of(prepared: &rusqlite::Statement<'_>, statement: &Statement) -> Vec<ScratchColumn> {
    let described = prepared.columns().map(|column| {
        let kind = column
            .decl_type()
            .and_then(|declared| ColumnType::parse(&declared.split(' ').next()?.to_ascii_lowercase()));
        (crate::data::session::shown(column.name(), &statement.quoted), kind)
    });
    described.collect()
}

enum Failure {
    Sqlite(rusqlite::Error),
    Limit(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// The type that a column is declared with. The word behind it keeps SQLite from converting: texts stay texts, and a whole
/// number of a decimal column is divided as a decimal.
fn declared(kind: Option<ColumnType>) -> String {
    match kind {
        None => String::new(),
        Some(kind @ (ColumnType::Integer | ColumnType::Boolean)) => kind.as_str().into(),
        Some(ColumnType::Decimal) => "decimal blob".into(),
        Some(ColumnType::Text) => "text".into(),
        Some(kind) => format!("{} text", kind.as_str()),
    }
}

/// A value as SQLite keeps it; none for a number that it would round.
fn stored(datum: &Datum) -> Option<Value> {
    Some(match datum {
        Datum::Null => Value::Null,
        Datum::Boolean(flag) => Value::Integer((*flag).into()),
        Datum::Integer(digits) => match digits.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Real(exact(digits)?),
        },
        Datum::Decimal(digits) => match exact(digits) {
            Some(number) => Value::Real(number),
            None => Value::Integer(digits.parse().ok()?),
        },
        other => Value::Text(other.plain().unwrap_or_default().to_owned()),
    })
}

/// The floating-point number that is written so.
fn exact(digits: &str) -> Option<f64> {
    let number = digits.parse::<f64>().ok().filter(|number| number.is_finite())?;
    compare_decimals(&decimal(&number.to_string())?, digits).is_eq().then_some(number)
}

/// A value of SQLite as this type, or as what it is. NULL for what does not fit.
fn datum(value: ValueRef<'_>, kind: Option<ColumnType>) -> Datum {
    let text = match value {
        ValueRef::Null | ValueRef::Blob(_) => return Datum::Null,
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let kind = kind.unwrap_or(match value {
        ValueRef::Integer(_) => ColumnType::Integer,
        ValueRef::Real(_) => ColumnType::Decimal,
        _ => ColumnType::Text,
    });
    match (kind, value) {
        (ColumnType::Boolean, ValueRef::Integer(number @ (0 | 1))) => Datum::Boolean(number == 1),
        _ => Datum::from_text(kind, &text).unwrap_or(Datum::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ScratchLimits =
        ScratchLimits { time: Duration::from_secs(30), rows_max: 100, bytes_max: 10_000 };

    fn columns() -> Vec<ScratchColumn> {
        let columns = [
            ("id", ColumnType::Integer),
            ("pay", ColumnType::Decimal),
            ("day", ColumnType::Date),
            ("ok", ColumnType::Boolean),
            ("doc", ColumnType::Json),
        ];
        columns.map(|(name, kind)| (name.to_owned(), Some(kind))).into()
    }

    fn scratch() -> Scratch {
        let row = |id: &str, pay: &str, day: Datum| {
            vec![
                Datum::Integer(id.into()),
                Datum::Decimal(pay.into()),
                day,
                Datum::Boolean(true),
                Datum::Json("12".into()),
            ]
        };
        let rows = [row("1", "10.50", Datum::Date("2020-02-29".into())), row("2", "0.1", Datum::Null)];
        Scratch::with(&columns(), &rows).unwrap()
    }

    fn refused(query: &str, limits: ScratchLimits) -> String {
        scratch().query(query, limits).unwrap_err()
    }

    #[test]
    fn nothing_but_a_query_over_the_rows_runs() {
        let folder = std::env::temp_dir().join(format!("gatepost-scratch-{}.db", std::process::id()));
        let attach = format!("attach '{}' as other", folder.display());
        for query in [
            "delete from rows",
            "insert into rows (id) values (3)",
            "create table t (x)",
            "pragma query_only = false",
            "select load_extension('x')",
            "select * from rows; select 1",
            "select * from rows where id = :id",
            "select * from rows where id = ?1",
            "begin",
            "vacuum into 'x'",
            "explain select 1",
            "with x as (select 1) delete from rows",
            attach.as_str(),
        ] {
            assert!(scratch().query(query, LIMITS).is_err(), "{query}");
            assert!(scratch().describe(query).is_err(), "{query}");
        }
        // SQLite looks at what a pragma may do when it runs.
        assert!(scratch().query("select * from pragma_database_list", LIMITS).is_err());
        assert!(!folder.exists());
    }

    #[test]
    fn time_rows_and_bytes_are_limited() {
        let endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select ";
        let soon = ScratchLimits { time: Duration::from_millis(50), ..LIMITS };
        assert!(refused(&format!("{endless} count(*) from n"), soon).contains("longer than"));
        assert!(refused(&format!("{endless} x from n"), LIMITS).contains("more than 100 rows"));
        assert!(refused("select printf('%20000c', 'x')", LIMITS).contains("more than 10000 bytes"));
        assert!(scratch().query("select hex(zeroblob(1000000000))", LIMITS).is_err());
    }

    #[test]
    fn columns_keep_their_types_and_expressions_have_none() {
        let given = scratch()
            .query("select id, day, ok, doc, pay * 2 as twice, id || 'x' from rows", LIMITS)
            .unwrap();
        let kinds: Vec<_> = given.columns.iter().map(|(_, kind)| *kind).collect();
        let known = [ColumnType::Integer, ColumnType::Date, ColumnType::Boolean, ColumnType::Json].map(Some);
        assert_eq!((&kinds[..4], &kinds[4..]), (&known[..], &[None, None][..]));
        let first = vec![
            Datum::Integer("1".into()),
            Datum::Date("2020-02-29".into()),
            Datum::Boolean(true),
            Datum::Json("12".into()),
            Datum::Decimal("21".into()),
            Datum::Text("1x".into()),
        ];
        assert_eq!((&given.rows[0], given.mismatches), (&first, 0));
        assert_eq!(given.rows[1][1], Datum::Null);
        assert_eq!(scratch().describe("select id, 1 as one from rows").unwrap()[1], ("one".to_owned(), None));
    }

    #[test]
    fn expressions_stay_in_their_brackets() {
        let query = computing([("twice", "pay * 2"), ("last", "id -- the end")].into_iter()).unwrap();
        let given = scratch().query(&query, LIMITS).unwrap();
        assert_eq!(given.rows[1], [Datum::Decimal("0.2".into()), Datum::Integer("2".into())]);
        for expression in ["1) from rows union select (2", "1; delete from rows", "", "(1", "'open", "q'[x]'"]
        {
            let refused = computing([("x", expression)].into_iter()).unwrap_err();
            assert!(refused.contains("column `x`"), "{expression}: {refused}");
        }
    }

    #[test]
    fn numbers_that_would_be_rounded_are_refused() {
        let row = vec![Datum::Decimal("0.1000000000000000055".into())];
        let refused = Scratch::with(&[("n".into(), Some(ColumnType::Decimal))], &[row]).unwrap_err();
        assert!(refused.contains("`n`"), "{refused}");
    }
}
