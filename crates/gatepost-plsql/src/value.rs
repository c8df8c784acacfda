//! The values that scripts calculate with and drivers exchange.

use std::collections::BTreeMap;

use crate::decimal::Decimal;

/// A value. As in Oracle an empty text is [`Value::Null`]: the machine never makes `Text("")`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Value {
    /// Nothing known.
    #[default]
    Null,
    /// A text.
    Text(String),
    /// A number: its exact digits, without superfluous zeros, as in `-12.5`.
    Number(String),
    /// A truth value.
    Boolean(bool),
    /// An index-by table such as `owa.vc_arr`.
    Array(BTreeMap<i64, Value>),
    /// A record such as a function returns; names in lower case.
    Record(BTreeMap<String, Value>),
}

impl Value {
    /// A text; null if it is empty.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Null } else { Self::Text(text) }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What kind of value it is, for messages: `a text`, `a number`, …
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Array(_) => "an array",
            Self::Record(_) => "a record",
        }
    }

    /// The text a scalar is written as; null is the empty text. None for arrays and records.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Null => Some(String::new()),
            Self::Text(text) => Some(text.clone()),
            Self::Number(digits) => Some(oracle_digits(digits)),
            Self::Boolean(truth) => Some(if *truth { "TRUE" } else { "FALSE" }.to_owned()),
            Self::Array(_) | Self::Record(_) => None,
        }
    }

    /// Bytes it holds, about.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Boolean(_) => 0,
            Self::Text(text) | Self::Number(text) => text.len(),
            Self::Array(elements) => elements.values().map(|value| 64 + value.bytes()).sum(),
            Self::Record(fields) => fields.iter().map(|(name, value)| 64 + name.len() + value.bytes()).sum(),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Self::Number(number.to_string())
    }
}

/// Oracle writes one half as `.5`.
fn oracle_digits(digits: &str) -> String {
    if let Some(fraction) = digits.strip_prefix("0.") {
        format!(".{fraction}")
    } else if let Some(fraction) = digits.strip_prefix("-0.") {
        format!("-.{fraction}")
    } else {
        digits.to_owned()
    }
}
