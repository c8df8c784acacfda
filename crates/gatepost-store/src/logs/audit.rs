//! Questions to the audit trail.

use super::LogStore;
use super::filter::{Page, SCAN_ROWS_MAX, Scan, schema_list};
use crate::catalog::DatabaseError;
use crate::database::{Access, Parameter, Row};

/// A line of the audit trail. [`super::AuditRecord`] says what its parts are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the parts are those of AuditRecord")]
pub struct AuditEntry {
    pub at_ms: i64,
    pub request_id: Option<String>,
    pub address: Option<String>,
    pub event: String,
    pub outcome: String,
    pub reason: String,
    pub schema: Option<String>,
    pub client: Option<String>,
    pub detail: Option<String>,
}

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// From here on (milliseconds since 1970).
    pub from_ms: Option<i64>,
    /// Before this time.
    pub to_ms: Option<i64>,
    /// Of this event.
    pub event: Option<String>,
    /// `success` or `failure`.
    pub outcome: Option<String>,
    /// Of these schemas.
    pub schemas: Option<Vec<String>>,
    /// Of this client.
    pub client: Option<String>,
}

impl LogStore {
    /// A page of the audit trail, newest first, below the `next` of the page before.
    pub fn find_audit(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Page<AuditEntry>, DatabaseError> {
        let limit = limit as usize;
        let schemas = schema_list(filter.schemas.as_deref());
        let number = |number: Option<i64>| number.map_or(Parameter::Null, Parameter::Integer);
        self.reader.transaction(Access::Read, |transaction| {
            let mut records: Vec<(i64, AuditEntry)> = Vec::new();
            let mut scan = Scan::new(transaction, "audit_event", (filter.from_ms, filter.to_ms), before)?;
            let step = |before, low| {
                transaction.query(
                    "select id, at_ms, request_id, address, event, outcome, reason, schema, client, detail
                     from audit_event
                     where id < $1 and id >= $2 and ($3 is null or at_ms >= $3) and ($4 is null or at_ms < $4)
                       and ($5 is null or event = $5) and ($6 is null or outcome = $6)
                       and ($7 is null or schema in (select value from json_each($7)))
                       and ($8 is null or client = $8)
                     order by id desc limit $9",
                    &[
                        Parameter::Integer(before),
                        Parameter::Integer(low),
                        number(filter.from_ms),
                        number(filter.to_ms),
                        filter.event.as_deref().into(),
                        filter.outcome.as_deref().into(),
                        schemas.as_deref().into(),
                        filter.client.as_deref().into(),
                        Parameter::Integer((limit - records.len()) as i64),
                    ],
                    &mut |row| {
                        records.push((row.integer(0)?, read_entry(row)?));
                        Ok(())
                    },
                )?;
                Ok((records.len() >= limit).then(|| records.last().map_or(low, |(id, _)| *id)))
            };
            scan.read(SCAN_ROWS_MAX, |_| Ok(i64::MAX), step)?;
            let next = scan.next();
            let looked_back_to_ms = next.map(|id| scan.time_at(id)).transpose()?.flatten();
            Ok(Page { records, next, looked_back_to_ms })
        })
    }
}

fn read_entry(row: &dyn Row) -> Result<AuditEntry, DatabaseError> {
    Ok(AuditEntry {
        at_ms: row.integer(1)?,
        request_id: row.optional_text(2)?,
        address: row.optional_text(3)?,
        event: row.text(4)?,
        outcome: row.text(5)?,
        reason: row.text(6)?,
        schema: row.optional_text(7)?,
        client: row.optional_text(8)?,
        detail: row.optional_text(9)?,
    })
}
