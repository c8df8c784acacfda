//! The filter object of ORDS (`q`). Columns are named as in the answer.
//!
//! Numbers and texts compare there as here. Times do not: ORDS writes a DATE, which has a time of day, in a zone of its
//! own choice. So a condition on a time is widened by a day on each side, and applied once more here.

use super::{Filter, FilterOperator, Sort};
use crate::datum::Datum;
use crate::definition::{ColumnOrigin, ColumnType, Rows};

const DAY_MS: u64 = 86_400_000;

/// One condition.
pub(super) struct Condition {
    /// As JSON, an object.
    pub(super) json: String,
    /// Whether the server keeps exactly what the filter keeps.
    pub(super) exact: bool,
}

/// The condition that does a filter's work, if there is one.
pub(super) fn condition(rows: &Rows, filter: &Filter) -> Option<Condition> {
    let (name, kind) = wire_column(rows, &filter.column)?;
    match filter.operator {
        FilterOperator::IsNull => return Some(exact(&name, "$null", "null")),
        FilterOperator::IsNotNull => return Some(exact(&name, "$notnull", "null")),
        _ => {}
    }
    match (kind, &filter.value) {
        (ColumnType::Integer | ColumnType::Decimal, Datum::Integer(number) | Datum::Decimal(number)) => {
            Some(exact(&name, comparison(filter.operator)?, number))
        }
        // Oracle takes an empty text for NULL, and orders texts by its own rules.
        (ColumnType::Text, Datum::Text(text)) if !text.is_empty() => {
            let operator = match filter.operator {
                FilterOperator::Equal => "$eq",
                FilterOperator::NotEqual => "$ne",
                FilterOperator::Contains => "$instr",
                _ => return None,
            };
            Some(exact(&name, operator, &filter.value.to_json().to_string()))
        }
        (
            ColumnType::Date | ColumnType::Timestamp | ColumnType::Timestamptz,
            Datum::Date(_) | Datum::Timestamp(_) | Datum::Timestamptz(_),
        ) => widened(&name, filter),
        _ => None,
    }
}

/// The order object, if all columns can be named. An empty order is `Some` of nothing to say.
pub(super) fn order(rows: &Rows, sort: &[Sort]) -> Option<String> {
    let members: Option<Vec<_>> = sort
        .iter()
        .map(|sort| {
            let (name, kind) = wire_column(rows, &sort.column)?;
            let direction = if sort.descending { "DESC" } else { "ASC" };
            (kind != ColumnType::Json).then(|| format!("{name}:\"{direction}\""))
        })
        .collect();
    members
        .map(|members| if members.is_empty() { String::new() } else { format!("{{{}}}", members.join(",")) })
}

/// The whole of `q`; none when there is nothing to say. The order of columns counts, so this is text, not a map.
pub(super) fn filter_object(order: Option<&str>, conditions: &[String]) -> Option<String> {
    let order = order.filter(|order| !order.is_empty()).map(|order| format!("\"$orderby\":{order}"));
    let condition = match conditions {
        [] => None,
        // An object cannot name a column twice; a list of terms can.
        [_] => conditions.first().map(|only| only[1..only.len() - 1].to_owned()),
        _ => Some(format!("\"$and\":[{}]", conditions.join(","))),
    };
    let members: Vec<_> = order.into_iter().chain(condition).collect();
    (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
}

fn comparison(operator: FilterOperator) -> Option<&'static str> {
    Some(match operator {
        FilterOperator::Equal => "$eq",
        FilterOperator::NotEqual => "$ne",
        FilterOperator::Less => "$lt",
        FilterOperator::AtMost => "$lte",
        FilterOperator::Greater => "$gt",
        FilterOperator::AtLeast => "$gte",
        FilterOperator::Contains | FilterOperator::IsNull | FilterOperator::IsNotNull => return None,
    })
}

fn exact(name: &str, operator: &str, operand: &str) -> Condition {
    Condition { json: format!("{{{name}:{{\"{operator}\":{operand}}}}}"), exact: true }
}

/// A condition on a time, a day wider.
fn widened(name: &str, filter: &Filter) -> Option<Condition> {
    let operand = |moment: String| format!("{{\"$date\":\"{moment}\"}}");
    let from = operand(midnight_utc(&filter.value.earlier(DAY_MS))?);
    let to = operand(two_days_later(&filter.value)?);
    let json = match filter.operator {
        FilterOperator::Equal => {
            format!("{{\"$and\":[{{{name}:{{\"$gte\":{from}}}}},{{{name}:{{\"$lte\":{to}}}}}]}}")
        }
        FilterOperator::Less | FilterOperator::AtMost => format!("{{{name}:{{\"$lte\":{to}}}}}"),
        FilterOperator::Greater | FilterOperator::AtLeast => format!("{{{name}:{{\"$gte\":{from}}}}}"),
        _ => return None,
    };
    Some(Condition { json, exact: false })
}

/// The beginning of a time's day, as ORDS reads it.
fn midnight_utc(datum: &Datum) -> Option<String> {
    Some(format!("{}T00:00:00Z", datum.plain()?.get(..10)?))
}

/// The beginning of the second day after a time's day: the end of its day, and a day more.
fn two_days_later(datum: &Datum) -> Option<String> {
    let day: jiff::civil::Date = datum.plain()?.get(..10)?.parse().ok()?;
    let later = day.checked_add(jiff::Span::new().days(2)).ok()?;
    Some(format!("{later}T00:00:00Z"))
}

/// The name of a column in the answer, quoted for JSON, and its type. Only members at the top have one.
fn wire_column(rows: &Rows, column: &str) -> Option<(String, ColumnType)> {
    let ColumnOrigin::Member { at, kind } = &rows.column(column)?.origin else { return None };
    let mut steps = at.steps();
    let (name, rest) = (steps.next()?, steps.next());
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '#'));
    (rest.is_none() && is_name).then(|| (format!("\"{name}\""), *kind))
}
