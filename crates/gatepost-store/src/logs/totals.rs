//! What requests add up to: by client in quarters of an hour, by route in days. Written with the requests, read instead
//! of them.

use std::collections::BTreeMap;

use super::durations::Durations;
use super::filter::{StatusFilter, one_integer, schema_list};
use super::{LogStore, Record};
use crate::catalog::DatabaseError;
use crate::database::{Access, Parameter, Transaction};

/// The width of a client's totals.
pub const QUARTER_MS: i64 = 900_000;

/// The width of a route's totals.
pub const DAY_MS: i64 = 86_400_000;

const UPSERT_CLIENT: &str = "insert into client_total
      (quarter, schema, client, status, requests, duration_us, last_ms, tokens, durations)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    on conflict (quarter, schema, client, status) do update set
      requests = requests + excluded.requests, duration_us = duration_us + excluded.duration_us,
      last_ms = max(last_ms, excluded.last_ms), tokens = tokens + excluded.tokens, durations = excluded.durations";

const UPSERT_ROUTE: &str = "insert into route_total
      (schema, route, day, status, requests, duration_us, last_ms, durations)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (schema, route, day, status) do update set
      requests = requests + excluded.requests, duration_us = duration_us + excluded.duration_us,
      last_ms = max(last_ms, excluded.last_ms), durations = excluded.durations";

const UPSERT_SEEN: &str = "insert into client_seen (schema, client, last_call_ms, last_token_ms)
    values ($1, $2, $3, $4)
    on conflict (schema, client) do update set
      last_call_ms = max(last_call_ms, excluded.last_call_ms),
      last_token_ms = max(last_token_ms, excluded.last_token_ms)";

/// What some requests add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// How many.
    pub requests: u64,
    /// Their durations together, in microseconds.
    pub duration_us: i64,
    /// When the last one came (milliseconds since 1970); 0 if none did.
    pub last_ms: i64,
    /// Tokens issued.
    pub tokens: u64,
    /// How long they took.
    pub durations: Durations,
}

impl Total {
    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.duration_us += other.duration_us;
        self.last_ms = self.last_ms.max(other.last_ms);
        self.tokens += other.tokens;
        self.durations.merge(&other.durations);
    }
}

/// Requests of a client with one status in a quarter of an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTotal {
    /// When the quarter begins (milliseconds since 1970).
    pub begins_ms: i64,
    /// The schema's name; empty for requests below no schema.
    pub schema: String,
    /// The client's name; empty for callers without a token.
    pub client: String,
    /// The status.
    pub status: u16,
    /// What they add up to.
    pub total: Total,
}

/// Requests of a route in some days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTotal {
    /// The schema's name; empty for requests below no schema.
    pub schema: String,
    /// The template as `module pattern`; empty if none was found.
    pub route: String,
    /// Those answered with 401 and 403.
    pub denied: u64,
    /// Those answered with 5xx.
    pub failed: u64,
    /// What all of them add up to.
    pub total: Total,
}

/// When a client was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSeen {
    /// The schema's name.
    pub schema: String,
    /// The client's name.
    pub client: String,
    /// When it last got in (milliseconds since 1970).
    pub last_call_ms: Option<i64>,
    /// When it last got a token.
    pub last_token_ms: Option<i64>,
}

/// Which totals.
#[derive(Clone, Debug, Default)]
pub struct TotalsFilter {
    /// From here on (milliseconds since 1970); the quarter or day that holds it counts as a whole.
    pub from_ms: i64,
    /// Before this time.
    pub to_ms: i64,
    /// Only these schemas.
    pub schemas: Option<Vec<String>>,
    /// Only this client; empty for callers without a token.
    pub client: Option<String>,
    /// Only these statuses.
    pub status: Option<StatusFilter>,
}

impl LogStore {
    /// What the requests of clients add up to, by time.
    pub fn list_client_totals(&self, filter: &TotalsFilter) -> Result<Vec<ClientTotal>, DatabaseError> {
        let mut totals = Vec::new();
        let schemas = schema_list(filter.schemas.as_deref());
        let status = filter.status.unwrap_or_default();
        self.reader.transaction(Access::Read, |transaction| {
            transaction.query(
                "select quarter, schema, client, status, requests, duration_us, last_ms, tokens, durations
                 from client_total
                 where quarter >= $1 and quarter < $2 and ($3 is null or schema in (select value from json_each($3)))
                   and ($4 is null or client = $4) and status between $5 and $6
                   and ($7 = 0 or status in (401, 403))
                 order by quarter",
                &[
                    Parameter::Integer(filter.from_ms.div_euclid(QUARTER_MS)),
                    Parameter::Integer((filter.to_ms + QUARTER_MS - 1).div_euclid(QUARTER_MS)),
                    schemas.as_deref().into(),
                    filter.client.as_deref().into(),
                    Parameter::Integer(status.low()),
                    Parameter::Integer(status.high()),
                    Parameter::Integer(status.denied_only()),
                ],
                &mut |row| {
                    let mut durations = Durations::default();
                    durations.merge_text(&row.text(8)?);
                    totals.push(ClientTotal {
                        begins_ms: row.integer(0)? * QUARTER_MS,
                        schema: row.text(1)?,
                        client: row.text(2)?,
                        status: row.integer(3)? as u16,
                        total: Total {
                            requests: row.integer(4)? as u64,
                            duration_us: row.integer(5)?,
                            last_ms: row.integer(6)?,
                            tokens: row.integer(7)? as u64,
                            durations,
                        },
                    });
                    Ok(())
                },
            )
        })?;
        Ok(totals)
    }

    /// The busiest routes of some days, at most `limit`. The filter's client and status do not count here.
    pub fn list_route_totals(
        &self,
        filter: &TotalsFilter,
        limit: u32,
    ) -> Result<Vec<RouteTotal>, DatabaseError> {
        let (from, to) = (filter.from_ms.div_euclid(DAY_MS), (filter.to_ms + DAY_MS - 1).div_euclid(DAY_MS));
        let (from, to) = (Parameter::Integer(from), Parameter::Integer(to));
        let schemas = schema_list(filter.schemas.as_deref());
        let mut totals = Vec::new();
        self.reader.transaction(Access::Read, |transaction| {
            // The plus keeps the index of days out: rows in the order of their key need no sorting by route.
            transaction.query(
                "select schema, route, sum(requests) as requests, sum(duration_us), max(last_ms),
                        sum(case when status in (401, 403) then requests else 0 end),
                        sum(case when status >= 500 then requests else 0 end)
                 from route_total
                 where +day >= $1 and +day < $2 and ($3 is null or schema in (select value from json_each($3)))
                 group by schema, route order by requests desc, schema, route limit $4",
                &[from, to, schemas.as_deref().into(), Parameter::Integer(i64::from(limit))],
                &mut |row| {
                    totals.push(RouteTotal {
                        schema: row.text(0)?,
                        route: row.text(1)?,
                        denied: row.integer(5)? as u64,
                        failed: row.integer(6)? as u64,
                        total: Total {
                            requests: row.integer(2)? as u64,
                            duration_us: row.integer(3)?,
                            last_ms: row.integer(4)?,
                            ..Total::default()
                        },
                    });
                    Ok(())
                },
            )?;
            for route in &mut totals {
                transaction.query(
                    "select durations from route_total
                     where schema = $1 and route = $2 and day >= $3 and day < $4",
                    &[Parameter::Text(&route.schema), Parameter::Text(&route.route), from, to],
                    &mut |row| {
                        route.total.durations.merge_text(&row.text(0)?);
                        Ok(())
                    },
                )?;
            }
            Ok::<(), DatabaseError>(())
        })?;
        Ok(totals)
    }

    /// Whether a handler of the schema refused a caller without a token, and answered another one.
    pub fn has_locked_then_answered(&self, schema: &str) -> Result<bool, DatabaseError> {
        self.has_rows(
            "select 1 from route_total refused
             where schema = $1 and status = 401 and route <> '' and route not like 'oauth/%' and exists
               (select 1 from route_total where schema = refused.schema and route = refused.route
                and status between 200 and 299)
             limit 1",
            &[Parameter::Text(schema)],
        )
    }

    /// Whether a route of the schema that begins so was answered.
    pub fn has_answered(&self, schema: &str, beginning: &str) -> Result<bool, DatabaseError> {
        let end = format!("{beginning}\u{10ffff}");
        self.has_rows(
            "select 1 from route_total
             where schema = $1 and route >= $2 and route < $3 and status between 200 and 299 limit 1",
            &[Parameter::Text(schema), Parameter::Text(beginning), Parameter::Text(&end)],
        )
    }

    fn has_rows(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<bool, DatabaseError> {
        self.reader
            .transaction(Access::Read, |transaction| Ok(one_integer(transaction, sql, parameters)?.is_some()))
    }

    /// When each client was last seen, since [`LogStore::find_begin_ms`].
    pub fn list_clients_seen(&self) -> Result<Vec<ClientSeen>, DatabaseError> {
        let mut seen = Vec::new();
        let known = |ms: i64| (ms > 0).then_some(ms);
        self.reader.transaction(Access::Read, |transaction| {
            transaction.query(
                "select schema, client, last_call_ms, last_token_ms from client_seen order by schema, client",
                &[],
                &mut |row| {
                    seen.push(ClientSeen {
                        schema: row.text(0)?,
                        client: row.text(1)?,
                        last_call_ms: known(row.integer(2)?),
                        last_token_ms: known(row.integer(3)?),
                    });
                    Ok(())
                },
            )
        })?;
        Ok(seen)
    }

    /// Since when clients are watched (milliseconds since 1970); nothing before the first record.
    pub fn find_begin_ms(&self) -> Result<Option<i64>, DatabaseError> {
        let mut begin = None;
        self.reader.transaction(Access::Read, |transaction| {
            transaction.query("select since_ms from log_state", &[], &mut |row| {
                begin = Some(row.integer(0)?);
                Ok(())
            })
        })?;
        Ok(begin)
    }
}

/// What a batch adds to the totals.
#[derive(Default)]
struct Batch<'a> {
    clients: BTreeMap<(i64, &'a str, &'a str, u16), Total>,
    routes: BTreeMap<(&'a str, &'a str, i64, u16), Total>,
    /// The last call and the last token.
    seen: BTreeMap<(&'a str, &'a str), (i64, i64)>,
    since_ms: Option<i64>,
}

impl<'a> Batch<'a> {
    fn of(records: &'a [Record]) -> Self {
        let mut batch = Self::default();
        for record in records {
            batch.add(record);
        }
        batch
    }

    fn add(&mut self, record: &'a Record) {
        match record {
            Record::Access(record) => {
                self.since_ms.get_or_insert(record.at_ms);
                let schema = record.schema.as_deref().unwrap_or_default();
                let client = record.client.as_deref().unwrap_or_default();
                let route = record.route.as_deref().unwrap_or_default();
                let quarter = record.at_ms.div_euclid(QUARTER_MS);
                let by_client = self.clients.entry((quarter, schema, client, record.status)).or_default();
                let day = record.at_ms.div_euclid(DAY_MS);
                let by_route = self.routes.entry((schema, route, day, record.status)).or_default();
                for total in [by_client, by_route] {
                    total.requests += 1;
                    total.duration_us += record.duration_us;
                    total.last_ms = total.last_ms.max(record.at_ms);
                    total.durations.add(record.duration_us);
                }
                if !client.is_empty() && record.outcome == "allowed" {
                    let seen = self.seen.entry((schema, client)).or_default();
                    seen.0 = seen.0.max(record.at_ms);
                }
            }
            Record::Audit(record) if record.event == "token issued" => {
                self.since_ms.get_or_insert(record.at_ms);
                let schema = record.schema.as_deref().unwrap_or_default();
                let client = record.client.as_deref().unwrap_or_default();
                let quarter = record.at_ms.div_euclid(QUARTER_MS);
                self.clients.entry((quarter, schema, client, 200)).or_default().tokens += 1;
                let seen = self.seen.entry((schema, client)).or_default();
                seen.1 = seen.1.max(record.at_ms);
            }
            Record::Audit(_) | Record::Run(_) => {}
        }
    }
}

/// Adds a batch to the totals, in the transaction that writes the batch.
pub(super) fn write(transaction: &dyn Transaction, records: &[Record]) -> Result<(), DatabaseError> {
    let batch = Batch::of(records);
    let count = |number: u64| Parameter::Integer(number as i64);
    let integer = Parameter::Integer;
    let mut upsert = transaction.prepare(UPSERT_CLIENT)?;
    for ((quarter, schema, client, status), total) in &batch.clients {
        let key = [
            integer(*quarter),
            Parameter::Text(schema),
            Parameter::Text(client),
            integer(i64::from(*status)),
        ];
        let durations = with_those_of(transaction, FIND_CLIENT, &key, total)?;
        let [a, b, c, d] = key;
        let (requests, tokens) = (count(total.requests), count(total.tokens));
        let (duration, last) = (integer(total.duration_us), integer(total.last_ms));
        upsert.execute(&[a, b, c, d, requests, duration, last, tokens, Parameter::Text(&durations)])?;
    }
    let mut upsert = transaction.prepare(UPSERT_ROUTE)?;
    for ((schema, route, day, status), total) in &batch.routes {
        let key =
            [Parameter::Text(schema), Parameter::Text(route), integer(*day), integer(i64::from(*status))];
        let durations = with_those_of(transaction, FIND_ROUTE, &key, total)?;
        let [a, b, c, d] = key;
        let (duration, last) = (integer(total.duration_us), integer(total.last_ms));
        upsert.execute(&[a, b, c, d, count(total.requests), duration, last, Parameter::Text(&durations)])?;
    }
    let mut upsert = transaction.prepare(UPSERT_SEEN)?;
    for ((schema, client), (call, token)) in &batch.seen {
        upsert.execute(&[
            Parameter::Text(schema),
            Parameter::Text(client),
            integer(*call),
            integer(*token),
        ])?;
    }
    if let Some(since_ms) = batch.since_ms {
        let insert = "insert into log_state (id, since_ms) values (1, $1) on conflict (id) do nothing";
        transaction.execute(insert, &[integer(since_ms)])?;
    }
    Ok(())
}

const FIND_CLIENT: &str =
    "select durations from client_total where quarter = $1 and schema = $2 and client = $3 and status = $4";
const FIND_ROUTE: &str =
    "select durations from route_total where schema = $1 and route = $2 and day = $3 and status = $4";

/// The durations of a total together with those that are kept under its key, as text.
fn with_those_of(
    transaction: &dyn Transaction,
    find: &str,
    key: &[Parameter<'_>],
    total: &Total,
) -> Result<String, DatabaseError> {
    let mut durations = total.durations.clone();
    transaction.query(find, key, &mut |row| {
        durations.merge_text(&row.text(0)?);
        Ok(())
    })?;
    Ok(durations.write())
}
