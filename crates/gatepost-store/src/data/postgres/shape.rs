//! The columns of a statement: which of them are cast, so that their values can be read, and how large a row gets.

use tokio_postgres::Column;
use tokio_postgres::types::{Kind, Type};

use super::value;
use crate::data::ExecuteError;

/// The most bytes of a character in JSON.
const CHARACTER_BYTES_MAX: u64 = 6;
/// Enough for every type of a fixed size.
const FIXED_BYTES_MAX: u64 = 128;
/// Names and labels of enumerations have 63 bytes.
const NAME_LENGTH_MAX: u64 = 64;

/// Whether a column has to be cast to text, so that its values can be read.
pub(super) fn needs_cast(column: &Column) -> bool {
    !value::is_known(column.type_())
}

/// How the values of a column are read, after the cast.
pub(super) fn kind_of(column: &Column) -> Type {
    if needs_cast(column) { Type::TEXT } else { column.type_().clone() }
}

/// Types that the driver asks the server about before it gives a row.
pub(super) fn asked_for(columns: &[Column]) -> Vec<Type> {
    let mut asked: Vec<Type> = Vec::new();
    for column in columns {
        let kind = column.type_();
        if Type::from_oid(kind.oid()).is_none() && !asked.contains(kind) {
            asked.push(kind.clone());
        }
    }
    asked
}

/// The statement with columns cast where they need it.
pub(super) fn wrap(text: &str, columns: &[Column], change: bool) -> String {
    let names: Vec<String> = (1..=columns.len()).map(|number| format!("c{number}")).collect();
    let cast = |column| if needs_cast(column) { "::text" } else { "" };
    let shown: Vec<String> =
        names.iter().zip(columns).map(|(name, column)| format!("q.{name}{}", cast(column))).collect();
    let (names, shown) = (names.join(", "), shown.join(", "));
    if change {
        format!("with q({names}) as (\n{text}\n) select {shown} from q")
    } else {
        format!("select {shown} from (\n{text}\n) q({names})")
    }
}

/// A procedure's values cannot be cast by what stands around its call.
pub(super) fn no_cast(columns: &[Column]) -> ExecuteError {
    let named = columns.iter().find(|column| needs_cast(column));
    let (name, kind) = named.map_or(("", ""), |column| (column.name(), column.type_().name()));
    ExecuteError::NotRunnable(format!(
        "the procedure's value `{name}` is of type {kind}, which cannot be shown; give it a type such as text"
    ))
}

/// The most bytes that a row takes as JSON; none when a column has no limit.
pub(super) fn row_bytes_max(columns: &[Column]) -> Option<u64> {
    columns.iter().try_fold(2, |sum, column| {
        let key = column.name().len() as u64 * CHARACTER_BYTES_MAX + 4;
        Some(sum + key + value_bytes_max(column)?)
    })
}

fn value_bytes_max(column: &Column) -> Option<u64> {
    // What stands behind the type's name: the length with four bytes more, or -1.
    let modifier = u64::try_from(column.type_modifier()).ok().and_then(|modifier| modifier.checked_sub(4));
    match *column.type_() {
        Type::VARCHAR | Type::BPCHAR => Some(modifier? * CHARACTER_BYTES_MAX + 2),
        // Precision and scale.
        Type::NUMERIC => Some((modifier? >> 16) + 2_048),
        Type::BOOL
        | Type::INT2
        | Type::INT4
        | Type::INT8
        | Type::OID
        | Type::FLOAT4
        | Type::FLOAT8
        | Type::DATE
        | Type::TIMESTAMP
        | Type::TIMESTAMPTZ
        | Type::TIME
        | Type::TIMETZ
        | Type::INTERVAL
        | Type::UUID
        | Type::INET
        | Type::CIDR
        | Type::MACADDR => Some(FIXED_BYTES_MAX),
        Type::NAME => Some(NAME_LENGTH_MAX * CHARACTER_BYTES_MAX),
        _ if matches!(column.type_().kind(), Kind::Enum(_)) => Some(NAME_LENGTH_MAX * CHARACTER_BYTES_MAX),
        _ => None,
    }
}
