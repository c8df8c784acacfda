//! What is asked of the logs, and how far a question may look.
//!
//! The tables have no index for most questions: each would cost every request that is written. A page is found by
//! reading backwards in steps; totals say which quarters of an hour hold nothing of a client or a status and need not be
//! read; and a page that finds little ends after [`SCAN_ROWS_MAX`] rows and says where to go on.

use super::totals::QUARTER_MS;
use crate::catalog::DatabaseError;
use crate::database::{Parameter, Transaction};

/// How many rows one page reads at most.
pub const SCAN_ROWS_MAX: i64 = 30_000;

/// How many rows are read in a step.
const STEP_ROWS: i64 = 5_000;

/// Which statuses count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusFilter {
    /// All of them.
    #[default]
    Any,
    /// From this one to that one.
    Between(u16, u16),
    /// 401 and 403.
    Denied,
}

impl StatusFilter {
    /// Reads `2xx`, `401`, `denied`, and the outcomes `allowed`, `refused`, `failed`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "denied" => return Some(Self::Denied),
            "allowed" => return Some(Self::Between(100, 399)),
            "refused" => return Some(Self::Between(400, 499)),
            "failed" => return Some(Self::Between(500, 599)),
            _ => {}
        }
        if let Some(class) = text.strip_suffix("xx") {
            let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
            return Some(Self::Between(class * 100, class * 100 + 99));
        }
        let status = text.parse().ok().filter(|status| (100..600).contains(status))?;
        Some(Self::Between(status, status))
    }

    pub(super) fn low(self) -> i64 {
        match self {
            Self::Between(low, _) => low.into(),
            Self::Any | Self::Denied => 0,
        }
    }

    pub(super) fn high(self) -> i64 {
        match self {
            Self::Between(_, high) => high.into(),
            Self::Any | Self::Denied => 999,
        }
    }

    pub(super) fn denied_only(self) -> i64 {
        (self == Self::Denied).into()
    }
}

/// A list of schemas as one parameter.
pub(super) fn schema_list(schemas: Option<&[String]>) -> Option<String> {
    schemas.map(|schemas| serde_json::Value::from(schemas).to_string())
}

/// A page of a log, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found, with the numbers of the lines.
    pub records: Vec<(i64, T)>,
    /// Give this to go on; nothing if there is no more.
    pub next: Option<i64>,
    /// How far back it was looked (milliseconds since 1970); nothing if to the end.
    pub looked_back_to_ms: Option<i64>,
}

/// A table that grows at its end, read backwards between two ids.
pub(super) struct Scan<'t> {
    pub(super) transaction: &'t dyn Transaction,
    pub(super) table: &'static str,
    /// Ids from here on are read already.
    pub(super) before: i64,
    /// Ids below are too old.
    pub(super) low: i64,
}

impl<'t> Scan<'t> {
    /// Between two times, below the id that a former page ended with.
    pub(super) fn new(
        transaction: &'t dyn Transaction,
        table: &'static str,
        (from_ms, to_ms): (Option<i64>, Option<i64>),
        before: Option<i64>,
    ) -> Result<Self, DatabaseError> {
        let mut scan = Self { transaction, table, before: 0, low: 0 };
        let (oldest, newest) = scan.ends()?;
        // Lines come in the order of their ends, not of their beginnings: what began within the range may stand a
        // little outside of it.
        scan.low = match from_ms {
            None => oldest,
            Some(from_ms) => scan.find_at(from_ms - QUARTER_MS, oldest, newest)?,
        };
        let end = match to_ms {
            None => newest + 1,
            Some(to_ms) => scan.find_at(to_ms + QUARTER_MS, oldest, newest)?,
        };
        scan.before = before.map_or(end, |before| before.min(end));
        Ok(scan)
    }

    /// Reads on until `found` says that it has enough, or enough rows were read. `found` gets two ids to look
    /// between and says how many it still wants and the last id it saw.
    pub(super) fn read(
        &mut self,
        rows_max: i64,
        mut skip: impl FnMut(&Self) -> Result<i64, DatabaseError>,
        mut step: impl FnMut(i64, i64) -> Result<Option<i64>, DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let mut rows = 0;
        while self.before > self.low && rows < rows_max {
            self.before = self.before.min(skip(self)?);
            let low = self.low.max(self.before - STEP_ROWS);
            if low >= self.before {
                break;
            }
            rows += self.before - low;
            if let Some(last) = step(self.before, low)? {
                self.before = last;
                return Ok(());
            }
            self.before = low;
        }
        Ok(())
    }

    /// Where to go on, if there is more.
    pub(super) fn next(&self) -> Option<i64> {
        (self.before > self.low).then_some(self.before)
    }

    /// When the line at an id, or the next one after it, was written.
    pub(super) fn time_at(&self, id: i64) -> Result<Option<i64>, DatabaseError> {
        let sql = format!("select at_ms from {} where id >= $1 order by id limit 1", self.table);
        one_integer(self.transaction, &sql, &[Parameter::Integer(id)])
    }

    /// The first id of this time or later, by halving.
    pub(super) fn find_at(&self, ms: i64, oldest: i64, newest: i64) -> Result<i64, DatabaseError> {
        let (mut low, mut high) = (oldest, newest + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.time_at(middle)? {
                Some(at_ms) if at_ms < ms => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    fn ends(&self) -> Result<(i64, i64), DatabaseError> {
        let end = |which: &str| {
            let sql = format!("select coalesce({which}(id), 0) from {}", self.table);
            one_integer(self.transaction, &sql, &[])
        };
        let (oldest, newest) = (end("min")?.unwrap_or(0), end("max")?.unwrap_or(0));
        Ok(if newest == 0 { (0, -1) } else { (oldest, newest) })
    }
}

/// The first column of the first row.
pub(super) fn one_integer(
    transaction: &dyn Transaction,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Option<i64>, DatabaseError> {
    let mut found = None;
    transaction.query(sql, parameters, &mut |row| {
        found = Some(row.integer(0)?);
        Ok(())
    })?;
    Ok(found)
}
