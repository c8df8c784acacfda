//! What is known of a handler before it runs: its columns, and of what type they and its binds are.

use gatepost_rest::render::Columns;

/// What a check of a handler found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The columns of its rows, or of what a bare change returns; none for blocks.
    pub columns: Columns,
    /// What the values of the columns are, by their numbers in the statement.
    pub types: Vec<DescribedType>,
    /// What the database takes for binds, by their slots. SQLite takes anything, so it lists none.
    pub binds: Vec<(usize, ValueType)>,
}

/// The type of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedType {
    /// As the database calls it, or as it was declared; empty for expressions of SQLite.
    pub name: String,
    /// What its values are.
    pub value: ValueType,
}

/// What a value is on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ValueType {
    /// Anything: the database does not say, or it is JSON.
    #[default]
    Any,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Text.
    Text,
    /// A date without a time.
    Date,
    /// RFC 3339.
    Timestamp,
    /// A UUID.
    Uuid,
    /// Bytes in base64.
    Bytes,
    /// Several of a kind.
    List(Box<ValueType>),
}

impl ValueType {
    /// Reads the type that a SQLite column was declared with: what the renderer makes of it, then its affinity
    /// (`datatype3.html`, section 3.1). Only NUMERIC and what it does not know promise nothing.
    pub(super) fn declared(declared: &str) -> Self {
        let upper = declared.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
        match upper.split(['(', ' ']).next().unwrap_or_default() {
            "DATE" => return Self::Date,
            "DATETIME" | "TIMESTAMP" | "TIMESTAMPTZ" => return Self::Timestamp,
            "BOOLEAN" | "BOOL" => return Self::Boolean,
            "JSON" | "JSONB" => return Self::Any,
            _ => {}
        }
        if has(&["INT"]) {
            Self::Integer
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if has(&["BLOB"]) {
            Self::Bytes
        } else if has(&["REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL", "NUMBER"]) {
            Self::Number
        } else {
            Self::Any
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_say_what_answers_hold() {
        let cases = [
            ("varchar(30)", ValueType::Text),
            ("INTEGER", ValueType::Integer),
            ("decimal(7, 2)", ValueType::Number),
            ("double precision", ValueType::Number),
            ("date", ValueType::Date),
            ("timestamp with time zone", ValueType::Timestamp),
            ("bool", ValueType::Boolean),
            ("blob", ValueType::Bytes),
            ("json", ValueType::Any),
            ("", ValueType::Any),
            ("whatever", ValueType::Any),
        ];
        for (declared, expected) in cases {
            assert_eq!(ValueType::declared(declared), expected, "{declared}");
        }
    }
}
