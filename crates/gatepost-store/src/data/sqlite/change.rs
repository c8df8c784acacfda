//! A writing plan on the writer's connection, inside its savepoint.

use std::borrow::Cow;

use bytes::Bytes;
use gatepost_rest::plan::{BindValue, Plan};
use gatepost_rest::render::ChangeRows;
use gatepost_rest::source::{BoundStatement, Step};

use super::connection::{SqliteRow, UserConnection, bind, owned};
use super::query::first_value;
use super::{ExecuteError, Limits, Reply, ReplyBody};
use crate::data::reply::{answer, content_type, etag_text};

/// Runs the steps. The reply may leave only after the commit.
pub(super) fn run(connection: &UserConnection, plan: &Plan, limits: Limits) -> Result<Reply, ExecuteError> {
    let etag = match &plan.source.etag {
        Some(_) if plan.source.block => None,
        other => other.as_ref(),
    };
    let mut values = Cow::Borrowed(plan.values.as_slice());
    let mut rows = ChangeRows::default();
    let mut affected = 0;
    for step in &plan.source.steps {
        match step {
            Step::Query(_) => return Err(ExecuteError::NotRunnable("a query among changes".into())),
            Step::Assign { expression, slot } => {
                let value = first_value(connection, expression, &values)?;
                values.to_mut()[*slot] = value;
            }
            Step::Set { value, slot } => values.to_mut()[*slot] = value.into(),
            Step::Change { statement, into } => {
                let mut change = Change { connection, plan, limits, rows: &mut rows, into };
                affected += change.run(statement, &mut values)?;
            }
        }
    }
    let mut reply = answer(plan, &values)?;
    reply.rows = affected;
    if let Some(etag) = etag {
        reply.etag = etag_text(first_value(connection, etag, &values)?);
    }
    if reply.content_type.is_none() && !plan.source.block {
        reply.content_type = Some(content_type("application/json"));
        reply.body = ReplyBody::Full(Bytes::from(rows.finish(affected)));
    }
    Ok(reply)
}

struct Change<'a> {
    connection: &'a UserConnection,
    plan: &'a Plan,
    limits: Limits,
    rows: &'a mut ChangeRows,
    into: &'a [usize],
}

impl Change<'_> {
    /// Runs one DML statement to its end; gives the number of rows that it changed.
    fn run(
        &mut self,
        bound: &BoundStatement,
        values: &mut Cow<'_, [BindValue]>,
    ) -> Result<u64, ExecuteError> {
        let connection = self.connection;
        let fail = |error: rusqlite::Error| connection.error(&error);
        let mut statement = connection.prepare(&bound.sql.text)?;
        bind(&mut statement, &bound.slots, values).map_err(fail)?;
        let mut rows = statement.raw_query();
        let mut taken = 0u64;
        while let Some(row) = rows.next().map_err(fail)? {
            taken += 1;
            if self.into.is_empty() {
                self.show(bound, row, taken)?;
            } else {
                self.take(row, taken, values)?;
            }
        }
        drop(rows);
        drop(statement);
        Ok(connection.sqlite.changes())
    }

    fn show(
        &mut self,
        bound: &BoundStatement,
        row: &rusqlite::Row<'_>,
        taken: u64,
    ) -> Result<(), ExecuteError> {
        let described = self
            .connection
            .described(self.plan.source.id, &bound.sql, row.as_ref())
            .map_err(|error| self.connection.error(&error))?;
        self.rows.push(&described.columns, &SqliteRow(row));
        if taken > self.limits.rows_max || self.rows.len() as u64 > self.limits.bytes_max {
            return Err(ExecuteError::TooLarge);
        }
        Ok(())
    }

    fn take(
        &self,
        row: &rusqlite::Row<'_>,
        taken: u64,
        values: &mut Cow<'_, [BindValue]>,
    ) -> Result<(), ExecuteError> {
        let columns = row.as_ref().column_count();
        if taken > 1 || columns != self.into.len() {
            let message = if taken > 1 {
                "RETURNING INTO takes one row, but more came".to_owned()
            } else {
                format!("RETURNING gives {columns} columns, but INTO names {} binds", self.into.len())
            };
            return Err(ExecuteError::Statement { message });
        }
        for (number, slot) in self.into.iter().enumerate() {
            let value = row.get_ref(number).map_err(|error| self.connection.error(&error))?;
            values.to_mut()[*slot] = owned(value);
        }
        Ok(())
    }
}
