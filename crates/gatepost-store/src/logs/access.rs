//! Questions to the access log.

use std::net::{IpAddr, Ipv4Addr};

use super::filter::{Page, SCAN_ROWS_MAX, Scan, StatusFilter, one_integer, schema_list};
use super::totals::QUARTER_MS;
use super::{AccessRecord, LogStore};
use crate::catalog::DatabaseError;
use crate::database::{Access, Parameter, Row, Transaction};

/// Which requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessFilter {
    /// That came from here on (milliseconds since 1970).
    pub from_ms: Option<i64>,
    /// That came before.
    pub to_ms: Option<i64>,
    /// Of these schemas.
    pub schemas: Option<Vec<String>>,
    /// Of this client; empty for callers without a token.
    pub client: Option<String>,
    /// That this template answered, as `module pattern`.
    pub route: Option<String>,
    /// That were answered so.
    pub status: Option<StatusFilter>,
    /// Whose path holds this, in any letter case.
    pub text: Option<String>,
    /// That took at least so long, in microseconds.
    pub min_duration_us: Option<i64>,
    /// With this reference number.
    pub request_id: Option<String>,
}

impl AccessFilter {
    /// Whether the totals of clients know everything that is asked for.
    pub fn is_of_totals(&self) -> bool {
        let Self { route, text, min_duration_us, request_id, .. } = self;
        route.is_none() && text.is_none() && min_duration_us.is_none() && request_id.is_none()
    }
}

const COLUMNS: &str = "id, at_ms, request_id, address, method, path, route, client, status, outcome, reason, duration_us, schema";

const CONDITIONS: &str = "id < $1 and id >= $2
    and ($3 is null or at_ms >= $3) and ($4 is null or at_ms < $4)
    and status between $5 and $6 and ($7 = 0 or status in (401, 403))
    and ($8 is null or schema in (select value from json_each($8)))
    and ($9 is null or coalesce(client, '') = $9) and ($10 is null or route = $10)
    and ($11 is null or instr(lower(path), $11) > 0) and ($12 is null or duration_us >= $12)
    and ($13 is null or request_id = $13)";

type Records = Vec<(i64, AccessRecord)>;

impl LogStore {
    /// The newest requests first.
    pub fn list_access(&self, limit: u32) -> Result<Vec<AccessRecord>, DatabaseError> {
        let page = self.find_access(&AccessFilter::default(), None, limit)?;
        Ok(page.records.into_iter().map(|(_, record)| record).collect())
    }

    /// A page of the requests that fit, newest first, below the `next` of the page before.
    pub fn find_access(
        &self,
        filter: &AccessFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Page<AccessRecord>, DatabaseError> {
        let limit = limit as usize;
        self.reader.transaction(Access::Read, |transaction| {
            let asked = Asked::new(filter);
            let mut records = Records::new();
            if let Some(request_id) = &filter.request_id {
                find_reference(transaction, request_id, &mut records)?;
                records.retain(|(_, record)| asked.admits_schema(record));
                if !records.is_empty() {
                    return Ok(Page { records, next: None, looked_back_to_ms: None });
                }
            }
            let mut scan = Scan::new(transaction, "access_log", (filter.from_ms, filter.to_ms), before)?;
            let skip = |scan: &Scan<'_>| asked.newest_end(scan);
            let step = |before, low| {
                asked.read(transaction, before, low, limit - records.len(), &mut records)?;
                Ok((records.len() >= limit).then(|| records.last().map_or(low, |(id, _)| *id)))
            };
            scan.read(SCAN_ROWS_MAX, skip, step)?;
            let next = scan.next();
            let looked_back_to_ms = next.map(|id| scan.time_at(id)).transpose()?.flatten();
            Ok(Page { records, next, looked_back_to_ms })
        })
    }

    /// The newest of the requests after a line, oldest first, at most `limit`.
    pub fn list_access_after(
        &self,
        filter: &AccessFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, AccessRecord)>, DatabaseError> {
        let mut records = Records::new();
        self.reader.transaction(Access::Read, |transaction| {
            let low = (after + 1).max(newest_id(transaction)? - SCAN_ROWS_MAX);
            Asked::new(filter).read(transaction, i64::MAX, low, limit as usize, &mut records)
        })?;
        records.reverse();
        Ok(records)
    }

    /// One request, by its line.
    pub fn find_access_record(&self, id: i64) -> Result<Option<AccessRecord>, DatabaseError> {
        let mut records = Records::new();
        self.reader.transaction(Access::Read, |transaction| {
            let everything = AccessFilter::default();
            Asked::new(&everything).read(transaction, id.saturating_add(1), id, 1, &mut records)
        })?;
        Ok(records.pop().map(|(_, record)| record))
    }

    /// The line of the newest request; 0 if there is none.
    pub fn newest_access_id(&self) -> Result<i64, DatabaseError> {
        self.reader.transaction(Access::Read, newest_id)
    }
}

fn newest_id(transaction: &dyn Transaction) -> Result<i64, DatabaseError> {
    Ok(one_integer(transaction, "select coalesce(max(id), 0) from access_log", &[])?.unwrap_or(0))
}

/// Refused and failed requests are found by their number at once.
fn find_reference(
    transaction: &dyn Transaction,
    request_id: &str,
    records: &mut Records,
) -> Result<(), DatabaseError> {
    let sql = format!(
        "select {COLUMNS} from access_log where request_id = $1 and status >= 400 order by id desc limit 10"
    );
    transaction.query(&sql, &[Parameter::Text(request_id)], &mut |row| {
        records.push(read_record(row)?);
        Ok(())
    })
}

/// A filter in the form that the statements want.
struct Asked<'a> {
    filter: &'a AccessFilter,
    status: StatusFilter,
    schemas: Option<String>,
    text: Option<String>,
}

impl<'a> Asked<'a> {
    fn new(filter: &'a AccessFilter) -> Self {
        Self {
            filter,
            status: filter.status.unwrap_or_default(),
            schemas: schema_list(filter.schemas.as_deref()),
            text: filter.text.as_ref().map(|text| text.to_ascii_lowercase()),
        }
    }

    fn admits_schema(&self, record: &AccessRecord) -> bool {
        let admitted = |schemas: &Vec<String>| {
            record.schema.as_deref().is_some_and(|schema| schemas.iter().any(|one| one == schema))
        };
        self.filter.schemas.as_ref().is_none_or(admitted)
    }

    fn read(
        &self,
        transaction: &dyn Transaction,
        before: i64,
        low: i64,
        limit: usize,
        records: &mut Records,
    ) -> Result<(), DatabaseError> {
        let sql = format!("select {COLUMNS} from access_log where {CONDITIONS} order by id desc limit $14");
        let number = |number: Option<i64>| number.map_or(Parameter::Null, Parameter::Integer);
        let parameters = [
            Parameter::Integer(before),
            Parameter::Integer(low),
            number(self.filter.from_ms),
            number(self.filter.to_ms),
            Parameter::Integer(self.status.low()),
            Parameter::Integer(self.status.high()),
            Parameter::Integer(self.status.denied_only()),
            self.schemas.as_deref().into(),
            self.filter.client.as_deref().into(),
            self.filter.route.as_deref().into(),
            self.text.as_deref().into(),
            number(self.filter.min_duration_us),
            self.filter.request_id.as_deref().into(),
            Parameter::Integer(limit as i64),
        ];
        transaction.query(&sql, &parameters, &mut |row| {
            records.push(read_record(row)?);
            Ok(())
        })
    }

    /// The first id behind which nothing more can be found, as the totals say.
    fn newest_end(&self, scan: &Scan<'_>) -> Result<i64, DatabaseError> {
        if self.status == StatusFilter::Any && self.filter.client.is_none() && self.schemas.is_none() {
            return Ok(i64::MAX);
        }
        let Some(at_ms) = scan.time_at(scan.before - 1)? else { return Ok(i64::MAX) };
        let here = at_ms.div_euclid(QUARTER_MS);
        let newest = one_integer(
            scan.transaction,
            "select quarter from client_total
             where quarter <= $1 and status between $2 and $3 and ($4 = 0 or status in (401, 403))
               and ($5 is null or schema in (select value from json_each($5)))
               and ($6 is null or client = $6) and requests > 0
             order by quarter desc limit 1",
            &[
                // Lines may stand a little late, so that those of the next quarter may come first.
                Parameter::Integer(here + 1),
                Parameter::Integer(self.status.low()),
                Parameter::Integer(self.status.high()),
                Parameter::Integer(self.status.denied_only()),
                self.schemas.as_deref().into(),
                self.filter.client.as_deref().into(),
            ],
        )?;
        match newest {
            None => Ok(scan.low),
            Some(newest) if newest < here - 1 => {
                scan.find_at((newest + 2) * QUARTER_MS, scan.low, scan.before - 1)
            }
            Some(_) => Ok(i64::MAX),
        }
    }
}

fn read_record(row: &dyn Row) -> Result<(i64, AccessRecord), DatabaseError> {
    let record = AccessRecord {
        at_ms: row.integer(1)?,
        request_id: row.text(2)?,
        address: row.text(3)?.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        method: row.text(4)?.parse().unwrap_or_default(),
        path: row.text(5)?,
        route: row.optional_text(6)?.map(Into::into),
        client: row.optional_text(7)?.map(Into::into),
        status: row.integer(8)? as u16,
        outcome: outcome_name(&row.text(9)?),
        reason: row.text(10)?.into(),
        duration_us: row.integer(11)?,
        schema: row.optional_text(12)?.map(Into::into),
    };
    Ok((row.integer(0)?, record))
}

fn outcome_name(text: &str) -> &'static str {
    match text {
        "allowed" => "allowed",
        "refused" => "refused",
        _ => "failed",
    }
}
