//! REST sources as tables of SQL: what statements see of them, and their rows as the JSON that a statement's bind takes.

use std::fmt::Write as _;
use std::sync::Arc;

use gatepost_rest::plan::BindValue;
use gatepost_rest::source::{RemoteParameter, RemoteRows, RemoteTable, RemoteTables, RemoteType};
use gatepost_rest::sql::{Dialect, Operand};
use gatepost_sources::datum::{Datum, compare_decimals, decimal};
use gatepost_sources::definition::{ColumnType, RestSource};
use gatepost_sources::error::{Code, SourceError};
use gatepost_sources::filter::{Filter, FilterOperator, Wanted};
use gatepost_store::data::DataOptions;

use super::App;
use super::source_sql::columns;
use super::sources::RowsWanted;

/// Numbers of more digits are not asked of a source: a database may take two of them for equal.
const DIGITS_EXACT: usize = 15;

/// The REST sources of a schema as its statements see them.
pub fn tables(sources: &[Arc<RestSource>]) -> RemoteTables {
    RemoteTables(sources.iter().map(|source| table(source)).collect())
}

fn table(source: &RestSource) -> RemoteTable {
    let (columns, unusable) = match columns_of(source) {
        Ok(columns) => (columns, None),
        Err(reason) => (Vec::new(), Some(reason)),
    };
    let parameters = source.parameters.iter().filter(|parameter| !parameter.is_static());
    let parameters = parameters
        .map(|parameter| RemoteParameter { name: parameter.name.clone(), required: parameter.required });
    RemoteTable { name: source.name.clone(), columns, parameters: parameters.collect(), unusable }
}

/// The columns of a source, whose types must be known before any row is.
fn columns_of(source: &RestSource) -> Result<Vec<(String, RemoteType)>, String> {
    let columns = columns(&source.rows).map_err(|error| format!("REST source `{}`: {error}", source.name))?;
    let typed = columns.into_iter().map(|(name, kind)| match kind {
        Some(kind) => Ok((name, type_of(kind))),
        None => Err(format!(
            "column `{name}` of REST source `{}` has no type: make it a column with `sql` and `type`",
            source.name
        )),
    });
    typed.collect()
}

fn type_of(kind: ColumnType) -> RemoteType {
    match kind {
        ColumnType::Text => RemoteType::Text,
        ColumnType::Integer | ColumnType::Decimal => RemoteType::Number,
        ColumnType::Boolean => RemoteType::Boolean,
        ColumnType::Date => RemoteType::Date,
        ColumnType::Timestamp => RemoteType::Timestamp,
        ColumnType::Timestamptz => RemoteType::Timestamptz,
        ColumnType::Json => RemoteType::Json,
    }
}

/// Who asks for rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker<'a> {
    /// Through how many installations the request came.
    pub hops: u8,
    /// The caller, where he is known.
    pub caller: Option<&'a str>,
    /// Rows that are kept do not do.
    pub fresh: bool,
}

impl App {
    /// The rows that a statement needs of a source, as JSON. `values` are those of its binds.
    pub async fn remote_rows(
        &self,
        source: &Arc<RestSource>,
        remote: &RemoteRows,
        values: impl Fn(&str) -> Option<BindValue>,
        dialect: Dialect,
        asker: Asker<'_>,
    ) -> Result<String, SourceError> {
        let mut wanted = wanted(source, remote, values)?;
        (wanted.caller, wanted.fresh) = (asker.caller.map(str::to_owned), asker.fresh);
        let ready = self.ready_source(source, asker.hops)?;
        let rows = self.source_rows(ready, &wanted).await?;
        if let Some(limit) = rows.facts.truncated {
            let detail = format!("limits.{} of the source was reached", limit.as_str());
            return Err(SourceError::new(Code::RowsTruncated).with_detail(detail));
        }
        let json = match dialect {
            Dialect::Sqlite => lists(&rows.columns, &rows.rows)?,
            Dialect::Postgres => objects(&rows.rows),
        };
        check_size(&json, dialect)?;
        Ok(json)
    }
}

/// A value of SQLite has a length at most.
fn check_size(json: &str, dialect: Dialect) -> Result<(), SourceError> {
    let most = DataOptions::default().value_bytes_max;
    if dialect == Dialect::Sqlite && json.len() > most as usize {
        let detail = format!("the rows are {} bytes as JSON, a value has at most {most}", json.len());
        return Err(SourceError::new(Code::ApiTooLarge).with_detail(detail));
    }
    Ok(())
}

/// What is asked of the source: the arguments, and those of the terms that its comparison and the database's agree on.
fn wanted(
    source: &RestSource,
    remote: &RemoteRows,
    values: impl Fn(&str) -> Option<BindValue>,
) -> Result<RowsWanted, SourceError> {
    let given = |operand: &Operand| match operand {
        Operand::Text(text) => Ok(BindValue::Text(text.clone())),
        Operand::Plain(text) => Ok(match text.as_str() {
            "true" | "false" => BindValue::Boolean(text == "true"),
            _ => text.parse().map_or_else(|_| BindValue::Text(text.clone()), BindValue::Integer),
        }),
        Operand::Bind(name) => values(name).ok_or_else(|| {
            let detail = format!("the bind :{name} has no value");
            SourceError::new(Code::ParameterMissing).with_detail(detail)
        }),
    };
    let mut wanted = RowsWanted::default();
    for (name, operand) in &remote.arguments {
        if let Some(text) = text_of(&given(operand)?, name)? {
            wanted.parameters.push((name.clone(), text));
        }
    }
    let mut filters = Vec::new();
    // What a query makes of a column is not what the API filters by.
    let equals = remote.equals.iter().filter(|_| source.rows.query.is_none());
    for (column, operand) in equals {
        let kind = source.rows.column(column).and_then(gatepost_sources::definition::Column::kind);
        // `007` is the number 7, and no text.
        let spelt = kind == Some(ColumnType::Text) && matches!(operand, Operand::Plain(_));
        let value = kind.filter(|_| !spelt).and_then(|kind| same_in_sql(kind, &given(operand).ok()?));
        let Some(value) = value else { continue };
        filters.push(Filter { column: column.clone(), operator: FilterOperator::Equal, value });
    }
    wanted.rows = Wanted { filters, ..Wanted::default() };
    Ok(wanted)
}

/// A value as callers give it; none for NULL.
fn text_of(value: &BindValue, parameter: &str) -> Result<Option<String>, SourceError> {
    Ok(match value {
        BindValue::Null => None,
        BindValue::Integer(number) => Some(number.to_string()),
        BindValue::Real(number) => Some(number.to_string()),
        BindValue::Boolean(flag) => Some(flag.to_string()),
        BindValue::Text(text) => Some(text.clone()),
        BindValue::Blob(_) => {
            let detail = format!("parameter `{parameter}` takes no bytes");
            return Err(SourceError::new(Code::ParameterInvalid).with_detail(detail));
        }
    })
}

/// The value of this type that all rows have for which a database finds the column equal to it. None where databases
/// could find more: by rounding, by their time zone, by another spelling of a time.
fn same_in_sql(kind: ColumnType, value: &BindValue) -> Option<Datum> {
    let text = match value {
        BindValue::Integer(number) => number.to_string(),
        BindValue::Boolean(flag) if kind == ColumnType::Boolean => flag.to_string(),
        BindValue::Text(text) => text.clone(),
        _ => return None,
    };
    let datum = Datum::from_text(kind, &text).ok()?;
    let exact = match kind {
        ColumnType::Text => true,
        ColumnType::Integer | ColumnType::Decimal => digits(datum.plain()?) <= DIGITS_EXACT,
        ColumnType::Boolean => matches!(value, BindValue::Boolean(_)),
        ColumnType::Date => datum.plain() == Some(&text),
        ColumnType::Timestamp | ColumnType::Timestamptz | ColumnType::Json => false,
    };
    exact.then_some(datum)
}

fn digits(number: &str) -> usize {
    number.bytes().filter(u8::is_ascii_digit).count()
}

/// An array of objects whose members have the numbers of the columns as names. NULL is left out.
fn objects(rows: &[Vec<Datum>]) -> String {
    let mut json = String::from("[");
    for (number, row) in rows.iter().enumerate() {
        json.push_str(if number == 0 { "{" } else { ",{" });
        let mut first = true;
        for (column, datum) in row.iter().enumerate().filter(|(_, datum)| !datum.is_null()) {
            let comma = if std::mem::take(&mut first) { "" } else { "," };
            let _ = write!(json, "{comma}\"{column}\":");
            match datum {
                Datum::Json(text) => json.push_str(text),
                other => push_value(&mut json, other),
            }
        }
        json.push('}');
    }
    json.push(']');
    json
}

/// An array of arrays. JSON values are texts in it, so that they stay as they are.
fn lists(columns: &[(String, ColumnType)], rows: &[Vec<Datum>]) -> Result<String, SourceError> {
    let mut json = String::from("[");
    for (number, row) in rows.iter().enumerate() {
        json.push_str(if number == 0 { "[" } else { ",[" });
        for (column, datum) in row.iter().enumerate() {
            if column > 0 {
                json.push(',');
            }
            let number = match datum {
                Datum::Integer(digits) if digits.parse::<i64>().is_ok() => Some(digits.clone()),
                Datum::Integer(digits) | Datum::Decimal(digits) => in_sqlite(digits),
                other => {
                    push_value(&mut json, other);
                    continue;
                }
            };
            let Some(number) = number else {
                let name = columns.get(column).map_or("", |(name, _)| name);
                let detail = format!(
                    "column `{name}` has a number of more digits than SQLite keeps; give it type text"
                );
                return Err(SourceError::new(Code::ColumnType).with_detail(detail));
            };
            json.push_str(&number);
        }
        json.push(']');
    }
    json.push(']');
    Ok(json)
}

fn push_value(json: &mut String, datum: &Datum) {
    match datum {
        Datum::Null => json.push_str("null"),
        Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) => {
            json.push_str(datum.plain().unwrap_or("null"));
        }
        other => {
            let text = serde_json::Value::from(other.plain().unwrap_or_default());
            let _ = write!(json, "{text}");
        }
    }
}

/// A number as JSON of which SQLite makes the same number: floating-point, so that whole numbers of a decimal column are
/// divided as PostgreSQL does it, or else a 64-bit integer.
fn in_sqlite(digits: &str) -> Option<String> {
    let number = digits.parse::<f64>().ok().filter(|number| number.is_finite())?;
    if compare_decimals(&decimal(&number.to_string())?, digits).is_eq() {
        let point = if digits.contains('.') { "" } else { ".0" };
        return Some(format!("{digits}{point}"));
    }
    digits.parse::<i64>().is_ok().then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(datum: Datum) -> Result<String, SourceError> {
        lists(&[("n".into(), ColumnType::Decimal)], &[vec![datum]])
    }

    #[test]
    fn numbers_that_sqlite_would_round_are_refused() {
        for (kept, written) in [
            ("0", "0.0"),
            ("-7839", "-7839.0"),
            ("9223372036854775807", "9223372036854775807"),
            ("0.1", "0.1"),
            ("5000.10", "5000.10"),
            ("0.30000000000000004", "0.30000000000000004"),
        ] {
            assert_eq!(sqlite(Datum::Decimal(kept.into())).unwrap(), format!("[[{written}]]"));
        }
        assert!(sqlite(Datum::Decimal(decimal("1e300").unwrap())).is_ok());
        assert_eq!(sqlite(Datum::Integer("20".into())).unwrap(), "[[20]]");
        for lost in ["9223372036854775809", "0.1000000000000000055", "123456789012345678.9"] {
            let error = sqlite(Datum::Decimal(lost.into())).unwrap_err();
            assert_eq!(error.code, Code::ColumnType, "{lost}");
            assert!(error.detail.unwrap().contains("`n`"));
        }
    }

    #[test]
    fn json_and_texts_keep_their_form() {
        let row = vec![Datum::Json("{\"b\": 1.50}".into()), Datum::Null, Datum::Text("a\"b".into())];
        let columns = ["x", "y", "z"].map(|name| (name.to_owned(), ColumnType::Text));
        assert_eq!(
            lists(&columns, std::slice::from_ref(&row)).unwrap(),
            r#"[["{\"b\": 1.50}",null,"a\"b"]]"#
        );
        assert_eq!(objects(&[row]), r#"[{"0":{"b": 1.50},"2":"a\"b"}]"#);
    }

    #[test]
    fn only_what_databases_compare_alike_is_asked_of_a_source() {
        let text = |text: &str| BindValue::Text(text.into());
        for (kind, value, asked) in [
            (ColumnType::Text, text("KING"), true),
            (ColumnType::Integer, BindValue::Integer(20), true),
            (ColumnType::Decimal, text("1234.5"), true),
            (ColumnType::Decimal, text("0.1000000000000000055"), false),
            (ColumnType::Decimal, text("much"), false),
            (ColumnType::Integer, BindValue::Null, false),
            (ColumnType::Decimal, BindValue::Real(0.1), false),
            (ColumnType::Boolean, BindValue::Boolean(true), true),
            (ColumnType::Boolean, BindValue::Integer(1), false),
            (ColumnType::Date, text("1981-11-17"), true),
            (ColumnType::Date, text("1981-11-17T10:00:00"), false),
            (ColumnType::Timestamptz, text("2026-01-01T00:00:00Z"), false),
            (ColumnType::Json, text("1"), false),
        ] {
            assert_eq!(same_in_sql(kind, &value).is_some(), asked, "{kind:?} {value:?}");
        }
    }
}
