//! Arrays, records and the conversion of values that are stored.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::ast::VariableKind;
use crate::decimal::Decimal;
use crate::nearest::nearest;
use crate::program::CollectionMethod;
use crate::value::Value;

use super::exception::Failure;
use super::{Machine, Raised};

impl Machine {
    pub(super) fn clear(&mut self, slot: usize) {
        let is_array = self.block.slots[slot].kind == VariableKind::Array;
        self.slots[slot] = if is_array { Value::Array(BTreeMap::new()) } else { Value::Null };
    }

    /// The value as a variable of this slot's type holds it.
    pub(super) fn converted(&self, slot: usize, value: Value) -> Result<Value, Failure> {
        let slot = &self.block.slots[slot];
        if value.is_null() && slot.kind != VariableKind::Array {
            if slot.not_null {
                return Err(Failure::value_error(format!("`{}` cannot be null", slot.name)));
            }
            return Ok(value);
        }
        let mismatch = |what: &str, value: &Value| {
            Failure::from(Raised::mistake(format!(
                "`{}` is {what}, and cannot hold {}",
                slot.name,
                value.kind()
            )))
        };
        match (slot.kind, value) {
            (VariableKind::Untyped | VariableKind::Row, value) => Ok(value),
            (VariableKind::Text(max), value) => {
                let text = value.to_text().ok_or_else(|| mismatch("a text", &value))?;
                if max.is_some_and(|max| text.chars().count() > max) {
                    let message = format!("character string buffer too small: `{}`", slot.name);
                    return Err(Failure::value_error(message));
                }
                Ok(Value::text(text))
            }
            (VariableKind::Number | VariableKind::Integer, Value::Number(digits) | Value::Text(digits)) => {
                let number = to_number(&digits)?;
                Ok(if slot.kind == VariableKind::Integer { number.round() } else { number }.into())
            }
            (VariableKind::Boolean, Value::Boolean(truth)) => Ok(truth.into()),
            (VariableKind::Array, Value::Array(elements)) => Ok(Value::Array(elements)),
            (VariableKind::Number | VariableKind::Integer, value) => Err(mismatch("a number", &value)),
            (VariableKind::Boolean, value) => Err(mismatch("a boolean", &value)),
            (VariableKind::Array, value) => Err(mismatch("an array", &value)),
        }
    }

    pub(super) fn load_element(&mut self, slot: usize) -> Result<(), Failure> {
        let index = self.pop_index()?;
        let element = match &self.slots[slot] {
            Value::Array(elements) => elements.get(&index).cloned(),
            Value::Null => None,
            other => return Err(self.not_an_array(slot, other)),
        };
        match element {
            Some(element) => self.push(element),
            None => Err(Failure::raise(100, "no data found")),
        }
    }

    pub(super) fn store_element(&mut self, slot: usize) -> Result<(), Failure> {
        let index = self.pop_index()?;
        let value = self.pop();
        if let Value::Array(_) | Value::Null = &self.slots[slot] {
            // An element costs memory of its own beside its value.
            self.charge(256)?;
            if self.slots[slot].is_null() {
                self.slots[slot] = Value::Array(BTreeMap::new());
            }
        }
        match &mut self.slots[slot] {
            Value::Array(elements) => {
                elements.insert(index, value);
                Ok(())
            }
            other => {
                let other = other.clone();
                Err(self.not_an_array(slot, &other))
            }
        }
    }

    fn not_an_array(&self, slot: usize, value: &Value) -> Failure {
        let name = &self.block.slots[slot].name;
        Raised::mistake(format!("`{name}` is {}, not an array", value.kind())).into()
    }

    pub(super) fn load_field(&mut self, name: &str) -> Result<(), Failure> {
        let value = match self.pop() {
            Value::Record(mut fields) => {
                let Some(value) = fields.remove(name) else {
                    let mut raised = Raised::mistake(format!("the record has no field `{name}`"));
                    raised.suggestion = nearest(name, fields.keys().map(String::as_str)).map(str::to_owned);
                    return Err(raised.into());
                };
                value
            }
            Value::Null => Value::Null,
            other => {
                let message = format!("`{name}` would be a field of a record, but this is {}", other.kind());
                return Err(Raised::mistake(message).into());
            }
        };
        self.push(value)
    }

    pub(super) fn store_field(&mut self, slot: usize, path: &[String]) -> Result<(), Failure> {
        let value = self.pop();
        let mut place = &mut self.slots[slot];
        for name in path {
            if place.is_null() {
                *place = Value::Record(BTreeMap::new());
            }
            let Value::Record(fields) = place else {
                let message = format!("`{name}` would be a field of a record, but this is {}", place.kind());
                return Err(Raised::mistake(message).into());
            };
            place = fields.entry(name.clone()).or_default();
        }
        *place = value;
        Ok(())
    }

    pub(super) fn collection(
        &mut self,
        slot: usize,
        method: CollectionMethod,
        arguments: usize,
    ) -> Result<(), Failure> {
        let mut indexes = Vec::with_capacity(arguments);
        for _ in 0..arguments {
            indexes.insert(0, self.pop_index()?);
        }
        if self.slots[slot].is_null() {
            self.slots[slot] = Value::Array(BTreeMap::new());
        }
        let Value::Array(elements) = &mut self.slots[slot] else {
            let other = self.slots[slot].clone();
            return Err(self.not_an_array(slot, &other));
        };
        let value = collect(elements, method, &indexes);
        if method == CollectionMethod::Delete { Ok(()) } else { self.push(value) }
    }
}

/// What a method of an array does and returns.
fn collect(elements: &mut BTreeMap<i64, Value>, method: CollectionMethod, indexes: &[i64]) -> Value {
    let index = indexes.first().copied().unwrap_or_default();
    let after = (Bound::Excluded(index), Bound::Unbounded);
    let found = match method {
        CollectionMethod::Delete => {
            match indexes {
                [] => elements.clear(),
                [index] => {
                    elements.remove(index);
                }
                [low, high, ..] => elements.retain(|index, _| index < low || index > high),
            }
            None
        }
        CollectionMethod::Count => return Value::from(elements.len() as i64),
        CollectionMethod::Exists => return Value::from(elements.contains_key(&index)),
        CollectionMethod::First => elements.keys().next(),
        CollectionMethod::Last => elements.keys().next_back(),
        CollectionMethod::Next => elements.range(after).next().map(|(key, _)| key),
        CollectionMethod::Prior => elements.range(..index).next_back().map(|(key, _)| key),
    };
    found.map_or(Value::Null, |index| Value::from(*index))
}

/// A number from its digits.
pub(super) fn to_number(digits: &str) -> Result<Decimal, Failure> {
    Decimal::parse(digits).ok_or_else(|| Failure::value_error("numeric or value error: not a number"))
}
