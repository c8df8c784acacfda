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

/// How a column is made readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cast {
    /// It is.
    None,
    /// As text.
    Text,
    /// As an array of texts.
    Texts,
    /// As a row without a type of its own, which has the same bytes.
    Record,
    /// As an array of such rows.
    Records,
}

impl Cast {
    fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Text => "::text",
            Self::Texts => "::text[]",
            Self::Record => "::record",
            Self::Records => "::record[]",
        }
    }

    /// How the values of the column are read then.
    pub(super) fn kind(self, column: &Column) -> Type {
        match self {
            Self::None | Self::Record | Self::Records => column.type_().clone(),
            Self::Text => Type::TEXT,
            Self::Texts => Type::TEXT_ARRAY,
        }
    }
}

/// The casts for columns. `built_in`: the driver must meet no types but those that it knows.
pub(super) fn casts(columns: &[Column], built_in: bool) -> Vec<Cast> {
    columns.iter().map(|column| cast(column.type_(), built_in)).collect()
}

fn cast(kind: &Type, built_in: bool) -> Cast {
    if !value::is_known(kind) {
        return Cast::Text;
    }
    if !built_in || Type::from_oid(kind.oid()).is_some() {
        return Cast::None;
    }
    match kind.kind() {
        Kind::Composite(_) => Cast::Record,
        Kind::Array(element) if matches!(element.kind(), Kind::Composite(_)) => Cast::Records,
        Kind::Array(_) => Cast::Texts,
        _ => Cast::Text,
    }
}

/// The statement with its columns cast.
pub(super) fn wrap(text: &str, casts: &[Cast], change: bool) -> String {
    let names: Vec<String> = (1..=casts.len()).map(|number| format!("c{number}")).collect();
    let shown: Vec<String> =
        names.iter().zip(casts).map(|(name, cast)| format!("q.{name}{}", cast.suffix())).collect();
    let (names, shown) = (names.join(", "), shown.join(", "));
    if change {
        format!("with q({names}) as (\n{text}\n) select {shown} from q")
    } else {
        format!("select {shown} from (\n{text}\n) q({names})")
    }
}

/// A procedure's values cannot be cast by what stands around its call.
pub(super) fn no_cast(columns: &[Column], casts: &[Cast]) -> ExecuteError {
    let named = columns.iter().zip(casts).find(|(_, cast)| **cast != Cast::None);
    let (name, kind) = named.map_or(("", ""), |(column, _)| (column.name(), column.type_().name()));
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
