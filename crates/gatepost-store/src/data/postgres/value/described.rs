//! What values of a type are on the wire.

use tokio_postgres::types::{Kind, Type};

use crate::data::{DescribedType, ValueType};

/// A type for documents.
pub(in crate::data::postgres) fn described(kind: &Type) -> DescribedType {
    DescribedType { name: kind.name().to_owned(), value: value_type(kind) }
}

/// What values of the type are on the wire.
pub(in crate::data::postgres) fn value_type(kind: &Type) -> ValueType {
    match kind.kind() {
        Kind::Domain(base) => return value_type(base),
        Kind::Array(element) => return ValueType::List(Box::new(value_type(element))),
        Kind::Composite(_) => return ValueType::Any,
        _ => {}
    }
    match *kind {
        Type::BOOL => ValueType::Boolean,
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => ValueType::Integer,
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => ValueType::Number,
        Type::DATE => ValueType::Date,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => ValueType::Timestamp,
        Type::UUID => ValueType::Uuid,
        Type::BYTEA => ValueType::Bytes,
        Type::JSON | Type::JSONB | Type::RECORD | Type::VOID | Type::UNKNOWN => ValueType::Any,
        _ => ValueType::Text,
    }
}
