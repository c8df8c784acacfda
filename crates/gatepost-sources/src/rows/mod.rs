//! From a page's body to typed rows, one at a time.
//!
//! [`Body`] borrows the bytes and parses nothing but what is asked for; [`RowReader`] types one row. So memory is that
//! of one page and one row, however many there are.

mod body;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::value::RawValue;

pub use body::{Body, members};

use crate::datum::Datum;
use crate::definition::{Column, ColumnOrigin, ColumnType, Rows};
use crate::error::{Code, SourceError};
use body::step;

/// So many names of unknown columns are counted apart; those beyond go together.
const UNKNOWN_NAMES_MAX: usize = 100;

/// Under which name unknown columns beyond [`UNKNOWN_NAMES_MAX`] are counted.
const OTHERS: &str = "\u{2026}";

/// The name of the only column of a source without columns.
pub const ROW_COLUMN: &str = "row";

/// Reads rows by the columns of a source.
#[derive(Clone, Debug)]
pub struct RowReader {
    columns: Vec<Member>,
    known: HashSet<String>,
    /// A column takes the whole row, so nothing in it is unknown.
    takes_all: bool,
    strict: bool,
    report: RowReport,
}

/// A column that is a member of the row.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    steps: Vec<String>,
    kind: ColumnType,
}

/// What was counted while rows were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowReport {
    /// Rows that were read.
    pub rows: u64,
    /// By column: values that did not fit and became NULL.
    pub mismatches: BTreeMap<String, u64>,
    /// By name: members of rows that no column takes.
    pub unknown: BTreeMap<String, u64>,
}

impl RowReader {
    /// A reader for these rows. Computed columns are not its business; the SQL over the rows makes them.
    pub fn new(rows: &Rows) -> Self {
        let mut columns: Vec<Member> = rows.columns.iter().filter_map(member).collect();
        if columns.is_empty() {
            columns.push(Member { name: ROW_COLUMN.into(), steps: Vec::new(), kind: ColumnType::Json });
        }
        let known = columns.iter().filter_map(|column| column.steps.first().cloned()).collect();
        let takes_all = columns.iter().any(|column| column.steps.is_empty());
        Self { columns, known, takes_all, strict: rows.strict, report: RowReport::default() }
    }

    /// Names and types of the columns that rows have, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        self.columns.iter().map(|column| (column.name.as_str(), column.kind))
    }

    /// Reads one row. A value that does not fit becomes NULL and is counted, or is an error if the source is strict.
    pub fn read(&mut self, row: &RawValue) -> Result<Vec<Datum>, SourceError> {
        self.report.rows += 1;
        let members = members(row);
        if let Some(members) = &members {
            self.count_unknown(members);
        }
        let mut data = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let value = match column.steps.split_first() {
                None => Some(row),
                // The row's members are found once for all columns.
                Some((first, rest)) => match &members {
                    Some(members) => member_of(members, first).and_then(|value| step(value, rest)),
                    None => step(row, &column.steps),
                },
            };
            let datum = value.map_or(Ok(Datum::Null), |value| Datum::from_json(column.kind, value));
            data.push(match datum {
                Ok(datum) => datum,
                Err(mismatch) if self.strict => {
                    let detail = format!(
                        "row {}: column `{}` of type {} got a {}",
                        self.report.rows,
                        column.name,
                        column.kind.as_str(),
                        mismatch.found
                    );
                    return Err(SourceError::new(Code::ColumnType).with_detail(detail));
                }
                Err(_) => {
                    count(&mut self.report.mismatches, &column.name);
                    Datum::Null
                }
            });
        }
        Ok(data)
    }

    /// What was counted so far.
    pub fn report(&self) -> &RowReport {
        &self.report
    }

    fn count_unknown(&mut self, members: &[(Cow<'_, str>, &RawValue)]) {
        if self.takes_all {
            return;
        }
        for (name, _) in members.iter().filter(|(name, _)| !self.known.contains(name.as_ref())) {
            let full = self.report.unknown.len() >= UNKNOWN_NAMES_MAX;
            let new = !self.report.unknown.contains_key(name.as_ref());
            count(&mut self.report.unknown, if full && new { OTHERS } else { name });
        }
    }
}

fn member(column: &Column) -> Option<Member> {
    match &column.origin {
        ColumnOrigin::Member { at, kind } => {
            Some(Member { name: column.name.clone(), steps: at.steps().collect(), kind: *kind })
        }
        ColumnOrigin::Sql { .. } => None,
    }
}

/// A name given twice means its last value, as everywhere.
fn member_of<'b>(members: &[(Cow<'b, str>, &'b RawValue)], name: &str) -> Option<&'b RawValue> {
    members.iter().rev().find(|(other, _)| other == name).map(|(_, value)| *value)
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

#[cfg(test)]
mod tests;
