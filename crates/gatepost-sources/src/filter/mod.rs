//! Which of the rows callers want, and how much of that the server can do.
//!
//! A filter is pushed to the server when the server applies exactly it, or drops nothing that it would keep; in the
//! second case it is applied once more to what came. An order is pushed only when no filter remains, and a window only
//! when no order remains, because both are about the rows that are left.

mod ords;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use crate::datum::Datum;
use crate::definition::{Comparison, FilterDialect, Parameter, ParameterLocation, RestSource};
use crate::paging::Window;
use crate::template::Values;

/// A condition on one column. Several hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The column.
    pub column: String,
    /// The comparison.
    pub operator: FilterOperator,
    /// What it is compared with, of the column's type. Ignored by the two operators about NULL.
    pub value: Datum,
}

/// A comparison. As in SQL, none but the two about NULL holds for NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterOperator {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// At most.
    AtMost,
    /// Greater.
    Greater,
    /// At least.
    AtLeast,
    /// The text has this text in it, letter case counting.
    Contains,
    /// There is no value.
    IsNull,
    /// There is a value.
    IsNotNull,
}

/// An order by one column: NULL last, or first when descending, as PostgreSQL and Oracle do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: String,
    /// From the greatest.
    pub descending: bool,
}

/// What a caller wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// The first counts most.
    pub sort: Vec<Sort>,
    /// Which of the rows that are left, in that order.
    pub window: Window,
}

/// How the work is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// Parameters to set, by name ([`Values::set`]).
    pub parameters: Vec<(String, Datum)>,
    /// Query parameters to add to the request.
    pub query: Vec<(String, String)>,
    /// The window for the pager; all rows when something remains to be done here.
    pub window: Window,
    /// What remains to be done here with the rows that come. Its window is the whole when the server does it.
    pub remaining: Wanted,
    /// How many filters the server applies, alone or as well.
    pub pushed_filters: usize,
    /// The server sorts.
    pub pushed_sort: bool,
}

/// Shares what is wanted between the server and us. `values` are those of the call, before the parameters that this
/// adds.
pub fn share(source: &RestSource, values: &Values, wanted: &Wanted) -> Shared {
    let mut shared = Shared::default();
    // The columns that callers see are those of the query then, and nothing is known about them.
    if source.rows.query.is_some() {
        shared.remaining = wanted.clone();
        return shared;
    }
    let mut conditions = Vec::new();
    let speaks_ords = source.filters == FilterDialect::Ords && is_free(source, values, "q");
    for filter in &wanted.filters {
        let by_parameter = parameter_for(source, values, &shared, filter);
        let by_q = || speaks_ords.then(|| ords::condition(&source.rows, filter)).flatten();
        let exact = if let Some((parameter, exact)) = by_parameter {
            shared.parameters.push((parameter.name.clone(), filter.value.clone()));
            exact
        } else if let Some(condition) = by_q() {
            conditions.push(condition.json);
            condition.exact
        } else {
            shared.remaining.filters.push(filter.clone());
            continue;
        };
        shared.pushed_filters += 1;
        if !exact {
            shared.remaining.filters.push(filter.clone());
        }
    }
    let order = (speaks_ords && shared.remaining.filters.is_empty())
        .then(|| ords::order(&source.rows, &wanted.sort))
        .flatten();
    if order.is_none() {
        shared.remaining.sort.clone_from(&wanted.sort);
    }
    shared.pushed_sort = order.is_some() && !wanted.sort.is_empty();
    shared.query.extend(ords::filter_object(order.as_deref(), &conditions).map(|q| ("q".to_owned(), q)));
    if shared.remaining.filters.is_empty() && shared.remaining.sort.is_empty() {
        shared.window = wanted.window;
    } else {
        shared.remaining.window = wanted.window;
    }
    shared
}

/// A parameter that does a filter's work and that nobody has given a value, and whether it does exactly that work.
fn parameter_for<'s>(
    source: &'s RestSource,
    values: &Values,
    shared: &Shared,
    filter: &Filter,
) -> Option<(&'s Parameter, bool)> {
    let kind = source.rows.column(&filter.column)?.kind()?;
    if filter.value.is_null() {
        return None;
    }
    source.parameters.iter().find_map(|it| {
        let fits = it.column.as_deref() == Some(filter.column.as_str()) && it.kind == kind;
        let free =
            values.find(&it.name).is_null() && !shared.parameters.iter().any(|(name, _)| *name == it.name);
        let exact = exactness(filter.operator, it.comparison).filter(|_| fits && free)?;
        Some((it, exact))
    })
}

/// Whether a server's comparison keeps all that the operator keeps, and whether it keeps nothing else.
fn exactness(operator: FilterOperator, comparison: Comparison) -> Option<bool> {
    use {Comparison as By, FilterOperator as Op};
    match (operator, comparison) {
        (Op::Equal, By::Equal)
        | (Op::AtLeast, By::AtLeast)
        | (Op::Greater, By::Greater)
        | (Op::AtMost, By::AtMost)
        | (Op::Less, By::Less) => Some(true),
        (Op::Equal | Op::Greater, By::AtLeast) | (Op::Equal | Op::Less, By::AtMost) => Some(false),
        _ => None,
    }
}

/// Whether nothing else is sent under this name in the query.
fn is_free(source: &RestSource, values: &Values, name: &str) -> bool {
    !source.parameters.iter().any(|it| {
        let sent = !(it.omit_when_null && values.find(&it.name).is_null());
        it.location == ParameterLocation::Query && it.wire_name() == name && sent
    })
}

impl Filter {
    /// Whether a value of the column passes.
    pub fn keeps(&self, value: &Datum) -> bool {
        match self.operator {
            FilterOperator::IsNull => return value.is_null(),
            FilterOperator::IsNotNull => return !value.is_null(),
            FilterOperator::Contains => {
                let both = value.plain().zip(self.value.plain());
                return both.is_some_and(|(text, part)| text.contains(part));
            }
            _ => {}
        }
        let Some(order) = value.compare(&self.value) else { return false };
        match self.operator {
            FilterOperator::Equal => order.is_eq(),
            FilterOperator::NotEqual => order.is_ne(),
            FilterOperator::Less => order.is_lt(),
            FilterOperator::AtMost => order.is_le(),
            FilterOperator::Greater => order.is_gt(),
            FilterOperator::AtLeast => order.is_ge(),
            FilterOperator::Contains | FilterOperator::IsNull | FilterOperator::IsNotNull => false,
        }
    }
}

impl Sort {
    /// The order of two values of the column.
    pub fn compare(&self, one: &Datum, other: &Datum) -> Ordering {
        let order = match (one.is_null(), other.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => one.compare(other).unwrap_or(Ordering::Equal),
        };
        if self.descending { order.reverse() } else { order }
    }
}
