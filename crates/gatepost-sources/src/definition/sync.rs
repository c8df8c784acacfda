//! Copying a source's rows into a table of the schema.

use serde::{Deserialize, Serialize};

use super::{Checked, ColumnType, DefinitionError, Parameter, Rows, check_between, check_name, words};
use crate::cron::Cron;

const EVERY_MS_MIN: u64 = 1_000;
const EVERY_MS_MAX: u64 = 366 * 86_400_000;
const OVERLAP_MS_MAX: u64 = 366 * 86_400_000;

/// Leases, marks and staging tables have names that begin so.
const OWN_TABLES: &str = "gatepost_";

/// Into which table, how and when rows are copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// The table, in the schema's data.
    pub table: String,
    /// What happens to the rows that are there.
    pub mode: SyncMode,
    /// When it runs; absent: only when somebody asks.
    pub schedule: Option<Schedule>,
    /// Fetch what is new since the last run only.
    pub cursor: Option<SyncCursor>,
    /// Merge only: remove rows that the source no longer has. Needs a full fetch.
    pub delete_missing: bool,
    /// Make the table by the columns when it is missing.
    #[serde(default)]
    pub create_table: bool,
}

words! {
    /// What a synchronization does to the rows that are there.
    SyncMode {
        /// Keeps them and adds all.
        Append = "append",
        /// Replaces those with the same primary key and adds the others.
        Merge = "merge",
        /// Removes them all first.
        Replace = "replace",
    }
}

/// When a synchronization runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// This many milliseconds after the last one began.
    Every(u64),
    /// Five fields: minute, hour, day, month, day of the week.
    Cron(String),
}

/// How a synchronization asks for what is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncCursor {
    /// The column whose greatest value is remembered.
    pub column: String,
    /// The parameter that carries it.
    pub param: String,
    /// Asked for again each time, for rows that came late. For columns of a time type.
    pub overlap_ms: u64,
}

impl Sync {
    pub(super) fn check(&self, rows: &Rows, parameters: &[Parameter]) -> Checked {
        let refuse = |key: &str, rule: &str| Err(DefinitionError::new(key, rule));
        check_name("table", &self.table)?;
        if self.table.starts_with(OWN_TABLES) {
            return refuse("table", "tables that begin with `gatepost_` are the program's own");
        }
        match &self.schedule {
            Some(Schedule::Every(every_ms)) => check_every(*every_ms)?,
            Some(Schedule::Cron(text)) => {
                Cron::parse(text).map_err(|rule| DefinitionError::new("cron", rule))?;
            }
            None => {}
        }
        if rows.columns.is_empty() {
            return refuse("table", "a synchronized source needs `rows.columns`");
        }
        if self.mode == SyncMode::Merge && rows.primary_key.is_empty() {
            return refuse("mode", "merge needs `rows.primary_key`");
        }
        if self.delete_missing && self.mode != SyncMode::Merge {
            return refuse("delete_missing", "only merge can tell which rows are missing");
        }
        let Some(cursor) = &self.cursor else { return Ok(()) };
        if self.delete_missing {
            return refuse(
                "delete_missing",
                "with a `cursor` not all rows are fetched, so none is known to be missing",
            );
        }
        if self.mode == SyncMode::Replace {
            return refuse("mode", "replace with a `cursor` would keep the newest rows only");
        }
        cursor.check(rows, parameters).map_err(|error| error.below("cursor"))?;
        if self.mode == SyncMode::Append && cursor.overlap_ms > 0 {
            let rule = "append would add the rows of the overlap again; merge does not";
            return refuse("cursor.overlap", rule);
        }
        Ok(())
    }
}

fn check_every(every_ms: u64) -> Checked {
    check_between("every", every_ms, EVERY_MS_MIN, EVERY_MS_MAX)
        .map_err(|error| DefinitionError::new(error.key, "a duration from 1s to 366d is needed"))
}

impl SyncCursor {
    fn check(&self, rows: &Rows, parameters: &[Parameter]) -> Checked {
        let Some(kind) = rows.column(&self.column).and_then(super::Column::kind) else {
            return Err(DefinitionError::new(
                "column",
                format!("`{}` is not a column with `at`", self.column),
            ));
        };
        let is_time = matches!(kind, ColumnType::Date | ColumnType::Timestamp | ColumnType::Timestamptz);
        if self.overlap_ms > 0 && !is_time {
            let rule = format!("`{}` is no time, so nothing can be taken off it", self.column);
            return Err(DefinitionError::new("overlap", rule));
        }
        if !parameters.iter().any(|it| it.name == self.param && !it.is_static()) {
            let rule = format!("`{}` is not a parameter that can be given", self.param);
            return Err(DefinitionError::new("param", rule));
        }
        check_between("overlap", self.overlap_ms, 0, OVERLAP_MS_MAX)
            .map_err(|error| DefinitionError::new(error.key, "a duration up to 366d is needed"))
    }
}
