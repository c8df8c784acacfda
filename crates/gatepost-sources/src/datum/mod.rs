//! One value of a row or a parameter, typed and without loss: numbers are decimal text and never pass through floating
//! point, times are in one canonical spelling each.

mod convert;
mod decimal;

use std::cmp::Ordering;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::definition::ColumnType;

pub use decimal::{compare_decimals, decimal, integer};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// No value.
    Null,
    /// Text.
    Text(String),
    /// A whole number: an optional minus and digits.
    Integer(String),
    /// A number: an optional minus, digits, and digits after a point.
    Decimal(String),
    /// True or false.
    Boolean(bool),
    /// `2026-08-14`.
    Date(String),
    /// `2026-08-14T10:15:00`, with a fraction only if there is one.
    Timestamp(String),
    /// `2026-08-14T10:15:00Z`, always in UTC.
    Timestamptz(String),
    /// JSON text.
    Json(String),
}

/// A value that does not fit its type. Says what was found, not the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What was found: `text`, `number`, `boolean`, `list`, `object`.
    pub found: &'static str,
}

impl Datum {
    /// A JSON value as this type. JSON null is [`Datum::Null`] of any type.
    pub fn from_json(kind: ColumnType, raw: &RawValue) -> Result<Self, Mismatch> {
        convert::from_json(kind, raw.get())
    }

    /// A literal of a definition as this type.
    pub fn from_literal(kind: ColumnType, literal: &Value) -> Result<Self, Mismatch> {
        convert::from_json(kind, &literal.to_string())
    }

    /// A text, such as a query parameter's, as this type. For json it must be JSON.
    pub fn from_text(kind: ColumnType, text: &str) -> Result<Self, Mismatch> {
        convert::from_text(kind, text)
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// The value as plain text, as it stands in a query string or a path. None for [`Datum::Null`].
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Null => None,
            Self::Boolean(true) => Some("true"),
            Self::Boolean(false) => Some("false"),
            Self::Text(text)
            | Self::Integer(text)
            | Self::Decimal(text)
            | Self::Date(text)
            | Self::Timestamp(text)
            | Self::Timestamptz(text)
            | Self::Json(text) => Some(text),
        }
    }

    /// The value as JSON: numbers with their digits, times as text.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(flag) => Value::Bool(*flag),
            Self::Text(text) | Self::Date(text) | Self::Timestamp(text) | Self::Timestamptz(text) => {
                Value::String(text.clone())
            }
            // These are JSON by construction.
            Self::Integer(text) | Self::Decimal(text) | Self::Json(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
            }
        }
    }

    /// The order of two values of one type; none between types, for json, and when one is NULL.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one) | Self::Decimal(one), Self::Integer(other) | Self::Decimal(other)) => {
                Some(compare_decimals(one, other))
            }
            (Self::Boolean(one), Self::Boolean(other)) => Some(one.cmp(other)),
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (Self::Date(one), Self::Date(other)) => Some(one.parse::<Date>().ok()?.cmp(&other.parse().ok()?)),
            (Self::Timestamp(one), Self::Timestamp(other)) => {
                Some(one.parse::<DateTime>().ok()?.cmp(&other.parse().ok()?))
            }
            (Self::Timestamptz(one), Self::Timestamptz(other)) => {
                Some(one.parse::<Timestamp>().ok()?.cmp(&other.parse().ok()?))
            }
            _ => None,
        }
    }

    /// The time so many milliseconds before this one; a date goes back whole days, the last one begun counting. Other
    /// values stay.
    #[must_use]
    pub fn earlier(&self, milliseconds: u64) -> Self {
        let back = SignedDuration::from_millis(milliseconds.try_into().unwrap_or(i64::MAX));
        let days =
            jiff::Span::new().try_days(milliseconds.div_ceil(86_400_000).try_into().unwrap_or(i64::MAX));
        let moved = match self {
            Self::Date(text) => days.ok().and_then(|days| {
                Some(Self::Date(text.parse::<Date>().ok()?.checked_sub(days).ok()?.to_string()))
            }),
            Self::Timestamp(text) => text
                .parse::<DateTime>()
                .ok()
                .and_then(|time| time.checked_sub(back).ok())
                .map(|time| Self::Timestamp(time.to_string())),
            Self::Timestamptz(text) => text
                .parse::<Timestamp>()
                .ok()
                .and_then(|time| time.checked_sub(back).ok())
                .map(|time| Self::Timestamptz(time.to_string())),
            _ => None,
        };
        moved.unwrap_or_else(|| self.clone())
    }
}

#[cfg(test)]
mod tests;
