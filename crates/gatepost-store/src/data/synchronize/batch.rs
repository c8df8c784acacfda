//! Rows that wait for their transaction, as the text of the one bind that carries them.

use std::fmt::Write as _;

use gatepost_rest::sql::Dialect;
use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{ColumnType, SyncMode};
use serde_json::Value;

use super::SyncError;

/// So many bytes are worth a transaction.
const BYTES_FULL: usize = 1 << 20;

/// The name of the column that numbers staged rows.
pub(super) const NUMBER: &str = "gatepost_no";

/// Rows as JSON: lists on SQLite, objects on PostgreSQL, whose types its own function reads.
#[derive(Debug)]
pub(super) struct Batch {
    dialect: Dialect,
    columns: Vec<String>,
    /// Places of the columns that the table has.
    kept: Vec<usize>,
    key: Vec<usize>,
    text: String,
    waiting: i64,
    taken: i64,
    /// Rows so far, in this batch and before.
    count: u64,
}

impl Batch {
    pub(super) fn new(
        dialect: Dialect,
        columns: &[(String, ColumnType)],
        primary_key: &[String],
        mode: SyncMode,
    ) -> Self {
        let columns: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let key = primary_key.iter().filter(|_| mode == SyncMode::Merge);
        let key = key.filter_map(|name| columns.iter().position(|column| column == name)).collect();
        let kept = (0..columns.len()).collect();
        Self { dialect, columns, kept, key, text: String::new(), waiting: 0, taken: 0, count: 0 }
    }

    /// Leaves out what the table has no column for.
    pub(super) fn keep_columns(&mut self, names: &[String]) {
        self.kept.retain(|at| names.contains(&self.columns[*at]));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= BYTES_FULL
    }

    pub(super) fn add(&mut self, row: &[Datum]) -> Result<(), SyncError> {
        self.count += 1;
        if let Some(at) = self.key.iter().find(|at| row.get(**at).is_none_or(Datum::is_null)) {
            return Err(SyncError::KeyMissing { row: self.count, column: self.columns[*at].clone() });
        }
        self.text.push(if self.waiting == 0 { '[' } else { ',' });
        let (open, close) = match self.dialect {
            Dialect::Sqlite => ('[', ']'),
            Dialect::Postgres => ('{', '}'),
        };
        self.text.push(open);
        if self.dialect == Dialect::Postgres {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "\"{NUMBER}\":{}", self.waiting);
        }
        for (number, at) in self.kept.iter().enumerate() {
            if self.dialect == Dialect::Postgres {
                // Names are of lower-case letters, digits and _.
                let _ = write!(self.text, ",\"{}\":", self.columns[*at]);
            } else if number > 0 {
                self.text.push(',');
            }
            let datum = row.get(*at).unwrap_or(&Datum::Null);
            push(&mut self.text, self.dialect, datum);
        }
        self.text.push(close);
        self.waiting += 1;
        Ok(())
    }

    /// The text of the rows that wait. [`Batch::taken`] says how many they are.
    pub(super) fn take(&mut self) -> String {
        self.text.push(']');
        self.taken = std::mem::take(&mut self.waiting);
        std::mem::take(&mut self.text)
    }

    pub(super) fn taken(&self) -> i64 {
        self.taken
    }
}

fn push(text: &mut String, dialect: Dialect, datum: &Datum) {
    match (dialect, datum) {
        (_, Datum::Null) => text.push_str("null"),
        (_, Datum::Boolean(flag)) => text.push_str(if *flag { "true" } else { "false" }),
        // Digits stay: PostgreSQL reads them as they are. SQLite would read them as floating point, and a text it
        // converts by the column's affinity only as far as nothing is lost.
        (Dialect::Postgres, Datum::Integer(digits) | Datum::Decimal(digits)) => text.push_str(digits),
        (Dialect::Sqlite, Datum::Integer(digits)) if digits.parse::<i64>().is_ok() => text.push_str(digits),
        (Dialect::Postgres, Datum::Json(json)) => text.push_str(json),
        (_, other) => {
            let quoted = Value::from(other.plain().unwrap_or_default());
            text.push_str(&quoted.to_string());
        }
    }
}
