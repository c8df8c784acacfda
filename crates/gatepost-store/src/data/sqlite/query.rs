//! A query plan on a connection.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use gatepost_rest::definition::SourceType;
use gatepost_rest::plan::{BindValue, Plan};
use gatepost_rest::render::{self, Flow, Renderer};
use gatepost_rest::source::{BoundStatement, Paging, Step};

use super::connection::{Described, SqliteRow, UserConnection, bind, owned};
use super::{ExecuteError, Limits, Reply, ReplyBody};
use crate::data::reply::{answer, etag_text, head};

/// Room that a row or a page has to begin with, so that the usual ones are not moved while they are written.
const ROW_BYTES_USUAL: usize = 1024;
const PAGE_BYTES_USUAL: usize = 8 * 1024;

/// Takes over what a query wrote when it outgrows the buffer.
pub(super) trait Sink {
    /// The size at which to call [`Sink::overflow`].
    fn buffer_bytes_max(&self) -> usize;

    /// Takes the bytes of `out`, or refuses with an error. `head` makes the reply without its body.
    fn overflow(
        &mut self,
        out: &mut Vec<u8>,
        head: &mut dyn FnMut() -> Result<Reply, ExecuteError>,
    ) -> Result<(), ExecuteError>;
}

/// Runs a plan that only reads. The reply's body is what the sink left in the buffer.
pub(super) fn run(
    connection: &UserConnection,
    plan: &Plan,
    limits: Limits,
    sink: &mut dyn Sink,
) -> Result<Reply, ExecuteError> {
    let Some(etag) = &plan.source.etag else { return run_steps(connection, plan, limits, sink) };
    // One snapshot for both, unless the caller holds one already.
    let own = connection.sqlite.is_autocommit();
    if own {
        connection.sqlite.execute_batch("begin").map_err(|error| connection.error(&error))?;
    }
    let value = first_value(connection, etag, &plan.values);
    let reply = value.and_then(|value| {
        let mut reply = run_steps(connection, plan, limits, sink)?;
        reply.etag = etag_text(value);
        Ok(reply)
    });
    if own && !connection.sqlite.is_autocommit() {
        connection.sqlite.execute_batch("commit").map_err(|error| connection.error(&error))?;
    }
    reply
}

fn run_steps(
    connection: &UserConnection,
    plan: &Plan,
    limits: Limits,
    sink: &mut dyn Sink,
) -> Result<Reply, ExecuteError> {
    let Some(query) = plan.source.query() else { return assignments(connection, plan) };
    let reply = rows(connection, plan, query, limits, sink)?;
    learn(connection, plan, query);
    Ok(reply)
}

fn rows(
    connection: &UserConnection,
    plan: &Plan,
    query: &BoundStatement,
    limits: Limits,
    sink: &mut dyn Sink,
) -> Result<Reply, ExecuteError> {
    let _user = connection.watch.user();
    let fail = |error: rusqlite::Error| connection.error(&error);
    let mut statement = connection.prepare(query.text())?;
    bind(&mut statement, &query.slots, &plan.values).map_err(fail)?;
    if query.paged.is_some() {
        let first = query.slots.len() + 1;
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        statement.raw_bind_parameter(first, number(plan.window.fetched())).map_err(fail)?;
        statement.raw_bind_parameter(first + 1, number(plan.window.offset)).map_err(fail)?;
    }
    let mut rows = statement.raw_query();
    // The first step prepares anew when the schema changed, so the columns are looked at behind it.
    let Some(mut row) = rows.next().map_err(fail)? else {
        drop(rows);
        let described = connection.described(plan.source.id, &query.sql, &statement).map_err(fail)?;
        return Writer::new(plan, &described, limits, sink)?.end();
    };
    let described = connection.described(plan.source.id, &query.sql, row.as_ref()).map_err(fail)?;
    let mut writer = Writer::new(plan, &described, limits, sink)?;
    while writer.row(&SqliteRow(row))? == Flow::More {
        match rows.next().map_err(fail)? {
            Some(next) => row = next,
            None => break,
        }
    }
    writer.end()
}

struct Writer<'p, 's> {
    renderer: Renderer<'p>,
    out: Vec<u8>,
    limits: Limits,
    handed_over: u64,
    sink: &'s mut dyn Sink,
}

impl<'p, 's> Writer<'p, 's> {
    fn new(
        plan: &'p Plan,
        described: &'p Described,
        limits: Limits,
        sink: &'s mut dyn Sink,
    ) -> Result<Self, ExecuteError> {
        let mut renderer = Renderer::new(plan, &described.columns)
            .map_err(|render::BadShape(message)| ExecuteError::NotRunnable(message))?;
        let room = if plan.source.paging == Paging::None { ROW_BYTES_USUAL } else { PAGE_BYTES_USUAL };
        let mut out = Vec::with_capacity(room);
        renderer.begin(&mut out);
        Ok(Self { renderer, out, limits, handed_over: 0, sink })
    }

    fn row(&mut self, row: &SqliteRow<'_, '_>) -> Result<Flow, ExecuteError> {
        let flow = self.renderer.row(&mut self.out, row);
        if self.handed_over + self.out.len() as u64 > self.limits.bytes_max
            || self.renderer.rows() > self.limits.rows_max
            || self.renderer.is_cut()
        {
            return Err(ExecuteError::TooLarge);
        }
        if self.out.len() >= self.sink.buffer_bytes_max() {
            self.handed_over += self.out.len() as u64;
            let renderer = &self.renderer;
            self.sink.overflow(&mut self.out, &mut || head(renderer))?;
        }
        Ok(flow)
    }

    fn end(mut self) -> Result<Reply, ExecuteError> {
        self.renderer.end(&mut self.out);
        let mut reply = head(&self.renderer)?;
        reply.body = ReplyBody::Full(Bytes::from(self.out));
        Ok(reply)
    }
}

/// A block without DML.
fn assignments(connection: &UserConnection, plan: &Plan) -> Result<Reply, ExecuteError> {
    let mut values = plan.values.clone();
    for step in &plan.source.steps {
        match step {
            Step::Assign { expression, slot } => {
                values[*slot] = first_value(connection, expression, &values)?;
            }
            Step::Set { value, slot } => values[*slot] = value.into(),
            Step::Query(_) | Step::Change { .. } => {}
        }
    }
    answer(plan, &values)
}

/// The first column of the first row; NULL without one.
pub(super) fn first_value(
    connection: &UserConnection,
    query: &BoundStatement,
    values: &[BindValue],
) -> Result<BindValue, ExecuteError> {
    let _user = connection.watch.user();
    let fail = |error: rusqlite::Error| connection.error(&error);
    let mut statement = connection.prepare(&query.sql.text)?;
    bind(&mut statement, &query.slots, values).map_err(fail)?;
    let mut rows = statement.raw_query();
    match rows.next().map_err(fail)? {
        Some(row) => row.get_ref(0).map(owned).map_err(fail),
        None => Ok(BindValue::Null),
    }
}

/// Finds out, once a source, whether its query touches one row by a unique key.
fn learn(connection: &UserConnection, plan: &Plan, query: &BoundStatement) {
    let hints = &plan.source.hints;
    if hints.point.load(Ordering::Relaxed) != 0 {
        return;
    }
    let shape = plan.source.source_type != SourceType::Media && plan.source.etag.is_none();
    let point = shape && is_point(connection, query.text()).unwrap_or(false);
    hints.point.store(if point { 2 } else { 1 }, Ordering::Relaxed);
}

fn is_point(connection: &UserConnection, text: &str) -> rusqlite::Result<bool> {
    let mut explain = connection.sqlite.prepare(&format!("explain query plan {text}"))?;
    let mut rows = explain.raw_query();
    let Some(row) = rows.next()? else { return Ok(false) };
    let detail: String = row.get(3)?;
    if rows.next()?.is_some() {
        return Ok(false);
    }
    let Some((_, way)) = detail.strip_prefix("SEARCH ").and_then(|rest| rest.split_once(" USING ")) else {
        return Ok(false);
    };
    if way == "INTEGER PRIMARY KEY (rowid=?)" {
        return Ok(true);
    }
    let way = way.strip_prefix("COVERING ").unwrap_or(way);
    let Some((name, keys)) = way.strip_prefix("INDEX ").and_then(|rest| rest.split_once(" (")) else {
        return Ok(false);
    };
    is_unique(connection, name, keys.matches("=?").count())
}

/// Whether an index is unique and has this many columns.
fn is_unique(connection: &UserConnection, index: &str, columns: usize) -> rusqlite::Result<bool> {
    let text = "select count(*) = ?2 and exists (select 1 from sqlite_schema s, pragma_index_list(s.tbl_name) l \
                where s.name = ?1 and l.name = ?1 and l.\"unique\" = 1 and l.partial = 0) from pragma_index_info(?1)";
    connection.sqlite.query_row(text, (index, columns as i64), |row| row.get(0))
}
