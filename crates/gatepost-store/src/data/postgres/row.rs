//! Rows as the renderer and the binds read them.

use std::borrow::Cow;
use std::error::Error;

use gatepost_rest::plan::BindValue;
use gatepost_rest::render::{self, Value, Zone};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::value;

/// A value's bytes as they came.
pub(super) struct Raw<'a>(pub(super) Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The bytes of a column; none for NULL.
pub(super) fn raw(row: &Row, column: usize) -> Option<&[u8]> {
    row.try_get::<_, Raw<'_>>(column).ok().and_then(|raw| raw.0)
}

/// A row with the types of its columns and the zone of its timestamps.
pub(super) struct PostgresRow<'r> {
    pub(super) row: &'r Row,
    pub(super) kinds: &'r [Type],
    pub(super) zone: &'r Zone,
}

impl render::Row for PostgresRow<'_> {
    fn value(&self, column: usize) -> Value<'_> {
        match (raw(self.row, column), self.kinds.get(column)) {
            (Some(bytes), Some(kind)) => value::value(kind, bytes, self.zone),
            _ => Value::Null,
        }
    }

    fn write_json(&self, column: usize, zone: &Zone, out: &mut Vec<u8>) -> bool {
        match (raw(self.row, column), self.kinds.get(column)) {
            (Some(bytes), Some(kind)) => value::write_json(kind, bytes, zone, out),
            _ => out.extend_from_slice(b"null"),
        }
        true
    }
}

/// A value that a bind takes over from a row.
pub(super) fn owned(row: &PostgresRow<'_>, column: usize) -> BindValue {
    match render::Row::value(row, column) {
        Value::Null => BindValue::Null,
        Value::Integer(number) => BindValue::Integer(number),
        Value::Real(number) => BindValue::Real(number),
        Value::Boolean(flag) => BindValue::Boolean(flag),
        Value::Number(text) | Value::Text(text) | Value::Json(text) => BindValue::Text(Cow::into_owned(text)),
        Value::Blob(bytes) => BindValue::Blob(bytes::Bytes::copy_from_slice(bytes)),
    }
}
