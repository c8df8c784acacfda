//! What a definition makes of the rows that came: computed columns (`sql`) and `rows.query`, in a database in memory.

use std::sync::Arc;
use std::time::Duration;

use gatepost_sources::datum::{Datum, Mismatch};
use gatepost_sources::definition::{ColumnOrigin, ColumnType, DefinitionError, RestSource, Rows, check_name};
use gatepost_sources::error::{Code, SourceError};
use gatepost_sources::rows::RowReader;
use gatepost_store::data::{Scratch, ScratchColumn, ScratchLimits, computing};

use super::App;
use super::source_cache::Fetched;

/// Statements over rows that run at a time; further ones wait.
pub(super) const TURNS: usize = 4;

/// The columns that callers of a source see; none has a type that only its values tell. Fails with what is wrong with the
/// SQL of the definition.
pub fn columns(rows: &Rows) -> Result<Vec<ScratchColumn>, DefinitionError> {
    let members = members(rows);
    if !rows.has_sql() {
        return Ok(members);
    }
    let wrong = |key: &str, message: String| DefinitionError::new(format!("rows.{key}"), message);
    let expressions = expressions(rows);
    if !expressions.is_empty() {
        let scratch = Scratch::with(&members, &[]).map_err(|message| wrong("columns", message))?;
        let query = computing(expressions.into_iter()).map_err(|message| wrong("columns", message))?;
        scratch.describe(&query).map_err(|message| wrong("columns", message))?;
    }
    let all = with_computed(rows);
    let Some(query) = &rows.query else { return Ok(all) };
    let scratch = Scratch::with(&all, &[]).map_err(|message| wrong("query", message))?;
    let columns = scratch.describe(query).map_err(|message| wrong("query", message))?;
    for (number, (name, _)) in columns.iter().enumerate() {
        if check_name("name", name).is_err() {
            let rule = format!(
                "column {} is called `{name}`: give it a name of lower-case letters, digits and _ (AS)",
                number + 1
            );
            return Err(wrong("query", rule));
        }
        if columns[..number].iter().any(|(other, _)| other == name) {
            return Err(wrong("query", format!("two columns are called `{name}`")));
        }
    }
    Ok(columns)
}

/// The columns that come from the API.
fn members(rows: &Rows) -> Vec<ScratchColumn> {
    RowReader::new(rows).columns().map(|(name, kind)| (name.to_owned(), Some(kind))).collect()
}

/// The names and expressions of computed columns.
fn expressions(rows: &Rows) -> Vec<(&str, &str)> {
    let computed =
        rows.columns.iter().filter_map(|column| Some((column.name.as_str(), column.expression()?)));
    computed.collect()
}

/// The columns of the table `rows`, in the order of the definition.
fn with_computed(rows: &Rows) -> Vec<ScratchColumn> {
    if rows.columns.is_empty() {
        return members(rows);
    }
    let kinds = rows.columns.iter().map(|column| match &column.origin {
        ColumnOrigin::Member { kind, .. } => (column.name.clone(), Some(*kind)),
        ColumnOrigin::Sql { kind, .. } => (column.name.clone(), *kind),
    });
    kinds.collect()
}

impl App {
    /// The rows as the definition has them. On a thread where waiting is no harm, in turns.
    pub(super) async fn with_sql(
        &self,
        source: &Arc<RestSource>,
        fetched: Fetched,
    ) -> Result<Fetched, SourceError> {
        let time = Duration::from_millis(u64::from(self.config.limits.statement_ms));
        let limits =
            ScratchLimits { time, rows_max: source.limits.max_rows, bytes_max: source.limits.max_bytes };
        let turn = tokio::time::timeout(time, Arc::clone(&self.scratch_turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(failed("others are computing".into())) };
        let source = Arc::clone(source);
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            apply(&source.rows, fetched, limits)
        });
        work.await.unwrap_or_else(|_| Err(failed("the program failed".into())))
    }
}

fn failed(message: String) -> SourceError {
    SourceError::new(Code::QueryFailed).with_detail(message)
}

fn apply(rows: &Rows, fetched: Fetched, limits: ScratchLimits) -> Result<Fetched, SourceError> {
    let Fetched { rows: mut data, mut mismatches, facts, .. } = fetched;
    let mut columns = members(rows);
    if !expressions(rows).is_empty() {
        mismatches += compute(rows, &columns, &mut data, limits)?;
        columns = with_computed(rows);
    }
    if let Some(query) = &rows.query {
        let scratch = Scratch::with(&columns, &data).map_err(failed)?;
        let given = scratch.query(query, limits).map_err(failed)?;
        (columns, data) = (given.columns, given.rows);
        mismatches += given.mismatches;
    }
    let columns = columns.into_iter().enumerate().map(|(number, (name, kind))| {
        (name, kind.unwrap_or_else(|| kind_of(data.iter().map(|row| &row[number]))))
    });
    Ok(Fetched { columns: columns.collect(), rows: data, mismatches, facts })
}

/// Puts the values of computed columns into the rows; how many did not fit their columns. Those that came stay as they
/// are, with all their digits.
fn compute(
    rows: &Rows,
    columns: &[ScratchColumn],
    data: &mut [Vec<Datum>],
    limits: ScratchLimits,
) -> Result<u64, SourceError> {
    let query = computing(expressions(rows).into_iter()).map_err(failed)?;
    let scratch = Scratch::with(columns, data).map_err(failed)?;
    let computed = scratch.query(&query, limits).map_err(failed)?;
    if computed.rows.len() != data.len() {
        return Err(failed("a computed column is one value for each row".into()));
    }
    let mut mismatches = computed.mismatches;
    for (row, values) in data.iter_mut().zip(computed.rows) {
        let (mut members, mut values) = (std::mem::take(row).into_iter(), values.into_iter());
        for column in &rows.columns {
            let datum = match column.origin {
                ColumnOrigin::Member { .. } => members.next(),
                ColumnOrigin::Sql { kind, .. } => match (values.next(), kind) {
                    (Some(value), Some(kind)) => Some(converted(&value, kind).unwrap_or_else(|_| {
                        mismatches += 1;
                        Datum::Null
                    })),
                    (value, _) => value,
                },
            };
            row.push(datum.unwrap_or(Datum::Null));
        }
    }
    if mismatches > 0 && rows.strict {
        let detail = format!("{mismatches} computed values do not fit their columns");
        return Err(SourceError::new(Code::ColumnType).with_detail(detail));
    }
    Ok(mismatches)
}

/// A value of an expression as the type that the column was given.
fn converted(value: &Datum, kind: ColumnType) -> Result<Datum, Mismatch> {
    match (kind, value) {
        // SQLite's truth.
        (ColumnType::Boolean, Datum::Integer(digits)) if matches!(digits.as_str(), "0" | "1") => {
            Ok(Datum::Boolean(digits == "1"))
        }
        _ => value.plain().map_or(Ok(Datum::Null), |text| Datum::from_text(kind, text)),
    }
}

/// The type that all values of a column have.
fn kind_of<'d>(values: impl Iterator<Item = &'d Datum>) -> ColumnType {
    let mut kind = None;
    for value in values {
        kind = match (kind, value) {
            (_, Datum::Null) => kind,
            (None | Some(ColumnType::Integer), Datum::Integer(_)) => Some(ColumnType::Integer),
            (
                None | Some(ColumnType::Integer | ColumnType::Decimal),
                Datum::Integer(_) | Datum::Decimal(_),
            ) => Some(ColumnType::Decimal),
            _ => return ColumnType::Text,
        };
    }
    kind.unwrap_or(ColumnType::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ScratchLimits =
        ScratchLimits { time: Duration::from_secs(30), rows_max: 100, bytes_max: 100_000 };

    fn rows(sql: &str) -> Rows {
        let text = format!(
            "server = \"api\"\npath = \"x\"\n[rows]\ncolumns = [ {{ name = \"id\", type = \"integer\" }},
             {{ name = \"pay\", type = \"decimal\" }}, {{ name = \"day\", type = \"date\" }}{sql}"
        );
        RestSource::from_toml("s", &text).unwrap().rows
    }

    fn run(rows: &Rows) -> Result<Fetched, SourceError> {
        let row = |id: &str, pay: &str| {
            vec![Datum::Integer(id.into()), Datum::Decimal(pay.into()), Datum::Date("2020-02-29".into())]
        };
        let fetched = Fetched {
            columns: Vec::new(),
            rows: vec![row("1", "10.50"), row("2", "3")],
            mismatches: 0,
            facts: crate::outbound::FetchFacts::default(),
        };
        apply(rows, fetched, LIMITS)
    }

    #[test]
    fn computed_columns_stand_where_they_are_defined() {
        let rows = rows(
            ", { name = \"half\", sql = \"pay / 2\" }, { name = \"big\", sql = \"pay > 5\", type = \"boolean\" } ]",
        );
        let given = run(&rows).unwrap();
        let names: Vec<_> = given.columns.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(
            names,
            [
                ("id", ColumnType::Integer),
                ("pay", ColumnType::Decimal),
                ("day", ColumnType::Date),
                ("half", ColumnType::Decimal),
                ("big", ColumnType::Boolean)
            ]
        );
        // What came keeps its digits.
        assert_eq!(given.rows[0][1], Datum::Decimal("10.50".into()));
        assert_eq!(given.rows[0][3..], [Datum::Decimal("5.25".into()), Datum::Boolean(true)]);
        assert_eq!(given.rows[1][4], Datum::Boolean(false));
    }

    #[test]
    fn query_sees_all_columns_and_says_what_callers_see() {
        let rows = rows(
            ", { name = \"half\", sql = \"pay / 2\", type = \"decimal\" } ]
             query = \"select day, half, count(*) over () as n from rows where id = 1\"",
        );
        let known = [
            ("day".to_owned(), Some(ColumnType::Date)),
            ("half".into(), Some(ColumnType::Decimal)),
            ("n".into(), None),
        ];
        assert_eq!(columns(&rows).unwrap(), known);
        let given = run(&rows).unwrap();
        let wanted =
            vec![Datum::Date("2020-02-29".into()), Datum::Decimal("5.25".into()), Datum::Integer("1".into())];
        assert_eq!((given.columns[2].1, given.rows), (ColumnType::Integer, vec![wanted]));
    }

    #[test]
    fn sql_that_cannot_run_is_refused_when_it_is_defined() {
        for (sql, key, words) in [
            (", { name = \"x\", sql = \"nothing * 2\" } ]", "columns", "nothing"),
            (", { name = \"x\", sql = \"1) from rows; select (1\" } ]", "columns", "`x`"),
            (" ]\nquery = \"delete from rows\"", "query", "one SELECT"),
            (" ]\nquery = \"select * from other\"", "query", "other"),
            (" ]\nquery = \"select id from rows where id = :id\"", "query", ":id"),
            (" ]\nquery = \"select count(*) from rows\"", "query", "AS"),
            (" ]\nquery = \"select id, pay as id from rows\"", "query", "two columns"),
            (" ]\nquery = \"select readfile('x') as x from rows\"", "query", "readfile"),
        ] {
            let error = columns(&rows(sql)).unwrap_err();
            assert!(error.key == format!("rows.{key}") && error.rule.contains(words), "{sql}: {error}");
        }
    }

    #[test]
    fn failures_at_run_time_are_failures() {
        let sum = rows(", { name = \"x\", sql = \"sum(pay)\" } ]");
        assert_eq!(run(&sum).unwrap_err().code, Code::QueryFailed);
        let many =
            rows(" ]\nquery = \"select a.id from rows a, rows b, rows c, rows d, rows e, rows f, rows g\"");
        let error = run(&many).unwrap_err();
        assert!(error.detail.unwrap().contains("more than 100 rows"));
        let text = rows(", { name = \"x\", sql = \"'a'\", type = \"integer\" } ]");
        assert_eq!(run(&text).unwrap().mismatches, 2);
        let strict = Rows { strict: true, ..text };
        assert_eq!(run(&strict).unwrap_err().code, Code::ColumnType);
    }
}
