//! Reading a TOML table key by key. Keys that nobody asked for are refused at the end, with the nearest of those that
//! were asked for. No error repeats a value: it could be a secret in the wrong place.

use std::cell::RefCell;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use super::nearest::nearest;
use crate::definition::amount::{parse_duration, parse_size};
use crate::definition::wire::is_secret_name;
use crate::definition::{Checked, DefinitionError, Pointer};

/// A table and where it stands.
pub(super) struct Table<'t> {
    keys: &'t DeTable<'t>,
    path: String,
    asked: RefCell<Vec<&'static str>>,
}

impl<'t> Table<'t> {
    pub(super) fn new(table: &'t DeTable<'t>, path: String) -> Self {
        Self { keys: table, path, asked: RefCell::default() }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The tables below it with their names.
    pub(super) fn named_tables(&self) -> Checked<Vec<(&'t str, Table<'t>)>> {
        let named = self.keys.iter().map(|(name, value)| {
            let path = self.path_of(name.get_ref());
            match value.get_ref() {
                DeValue::Table(table) => Ok((&**name.get_ref(), Table::new(table, path))),
                _ => Err(DefinitionError::new(path, "a table is needed")),
            }
        });
        named.collect()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    pub(super) fn text(&self, key: &'static str) -> Checked<Option<String>> {
        self.read(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn needed_text(&self, key: &'static str) -> Checked<String> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn texts(&self, key: &'static str) -> Checked<Vec<String>> {
        let texts = self.read(key, "a list of texts", |value| {
            value.as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
        });
        texts.map(Option::unwrap_or_default)
    }

    pub(super) fn flag(&self, key: &'static str) -> Checked<bool> {
        self.read(key, "true or false", DeValue::as_bool).map(Option::unwrap_or_default)
    }

    pub(super) fn whole<N: TryFrom<u64>>(&self, key: &'static str) -> Checked<Option<N>> {
        self.read(key, "a whole number", |value| N::try_from(whole(value.as_integer()?)?).ok())
    }

    pub(super) fn wholes<N: TryFrom<u64>>(&self, key: &'static str) -> Checked<Vec<N>> {
        let numbers = self.read(key, "a list of whole numbers", |value| {
            let number = |item: &DeValue<'_>| N::try_from(whole(item.as_integer()?)?).ok();
            value.as_array()?.iter().map(|item| number(item.get_ref())).collect()
        });
        numbers.map(Option::unwrap_or_default)
    }

    /// Milliseconds.
    pub(super) fn duration(&self, key: &'static str) -> Checked<Option<u64>> {
        self.read(key, "a duration such as \"30s\" or \"10m\"", |value| parse_duration(value.as_str()?))
    }

    /// Bytes.
    pub(super) fn size(&self, key: &'static str) -> Checked<Option<u64>> {
        self.read(key, "a size such as \"512KiB\" or \"32MiB\"", |value| parse_size(value.as_str()?))
    }

    pub(super) fn pointer(&self, key: &'static str) -> Checked<Option<Pointer>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        Pointer::parse(&self.path_of(key), &text).map(Some)
    }

    /// One of several words. The error lists them.
    pub(super) fn word<W: Copy>(
        &self,
        key: &'static str,
        all: &[W],
        as_str: impl Fn(W) -> &'static str,
    ) -> Checked<Option<W>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let found = all.iter().copied().find(|word| as_str(*word) == text);
        found.map(Some).ok_or_else(|| {
            let words: Vec<_> = all.iter().map(|word| as_str(*word)).collect();
            let hint = nearest(&text, words.iter().copied()).map(|word| format!("; did you mean `{word}`?"));
            let rule = format!("one of {} is needed{}", words.join(", "), hint.unwrap_or_default());
            DefinitionError::new(self.path_of(key), rule)
        })
    }

    /// A text, a number, a boolean, a list or a table, as JSON.
    pub(super) fn json(&self, key: &'static str) -> Checked<Option<Value>> {
        self.read(key, "a text, a number, a boolean, a list or a table (write a date as text)", json)
    }

    pub(super) fn table(&self, key: &'static str) -> Checked<Option<Table<'t>>> {
        let path = self.path_of(key);
        self.read(key, "a table", |value| Some(Table::new(value.as_table()?, path.clone())))
    }

    pub(super) fn tables(&self, key: &'static str) -> Checked<Vec<Table<'t>>> {
        let path = self.path_of(key);
        let tables = self.read(key, "a list of tables", |value| {
            let numbered = value.as_array()?.iter().enumerate();
            numbered
                .map(|(at, item)| Some(Table::new(item.get_ref().as_table()?, format!("{path}[{at}]"))))
                .collect()
        });
        tables.map(Option::unwrap_or_default)
    }

    /// The value of a key with an error of its own.
    pub(super) fn value(&self, key: &'static str) -> Option<&'t DeValue<'t>> {
        self.asked.borrow_mut().push(key);
        self.keys.get(key).map(Spanned::get_ref)
    }

    /// The names of a table's keys with their texts.
    pub(super) fn texts_by_name(&self, key: &'static str) -> Checked<Vec<(String, String)>> {
        let texts = self.read(key, "a table of texts", |value| {
            let entry = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let name: &std::borrow::Cow<'_, str> = name.get_ref();
                Some((name.to_string(), value.get_ref().as_str()?.to_owned()))
            };
            value.as_table()?.iter().map(entry).collect()
        });
        texts.map(Option::unwrap_or_default)
    }

    /// Refuses keys that nobody asked for.
    pub(super) fn finish(&self) -> Checked {
        let asked = self.asked.borrow();
        let Some(unknown) = self.keys.keys().map(Spanned::get_ref).find(|key| !asked.contains(&key.as_ref()))
        else {
            return Ok(());
        };
        let rule = match nearest(unknown, asked.iter().copied()) {
            Some(known) => format!("this key is not known here; did you mean `{known}`?"),
            None if is_secret_name(unknown) => {
                "this key is not known here; a secret belongs into the vault of a credential".into()
            }
            None => format!("this key is not known here; there are {}", asked.join(", ")),
        };
        Err(DefinitionError::new(self.path_of(unknown), rule))
    }

    pub(super) fn error(&self, key: &str, rule: impl Into<String>) -> DefinitionError {
        DefinitionError::new(self.path_of(key), rule)
    }

    pub(super) fn missing(&self, key: &str) -> DefinitionError {
        // The table has a line, the key has none.
        DefinitionError::new(self.path_of(key), "this key is needed")
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn read<T>(
        &self,
        key: &'static str,
        expected: &str,
        convert: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Checked<Option<T>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let converted = convert(value);
        converted.map(Some).ok_or_else(|| self.error(key, format!("{expected} is needed")))
    }
}

fn whole(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str().trim_start_matches('+'), number.radix()).ok()
}

/// A TOML value as JSON, numbers with their digits. None for dates and for infinities.
fn json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Integer(number) => Value::Number(integer(number)?),
        DeValue::Float(number) => Value::Number(float(number)?),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| json(item.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let member = |(name, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<_>)| {
                Some((name.get_ref().to_string(), json(value.get_ref())?))
            };
            Value::Object(table.iter().map(member).collect::<Option<_>>()?)
        }
        DeValue::Datetime(_) => return None,
    })
}

fn integer(number: &DeInteger<'_>) -> Option<Number> {
    match number.radix() {
        10 => serde_json::from_str(number.as_str().trim_start_matches('+')).ok(),
        _ => whole(number).map(Number::from),
    }
}

fn float(number: &DeFloat<'_>) -> Option<Number> {
    serde_json::from_str(number.as_str().trim_start_matches('+')).ok()
}
