//! Operators and the stack they work on.

use std::cmp::Ordering;

use crate::ast::{AffectedKind, BinaryOperator};
use crate::decimal::Decimal;
use crate::program::Operation;
use crate::value::Value;

use super::collection::to_number;
use super::exception::Failure;
use super::{Machine, Raised, like};

/// The longest text that an expression may make, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Machine {
    /// An operator or a function.
    pub(super) fn evaluate(&mut self, operation: &Operation) -> Result<(), Failure> {
        let value = match operation {
            Operation::Negate => self.pop_number()?.map_or(Value::Null, |number| number.negate().into()),
            Operation::Not => truth_value(self.pop_truth()?.map(|truth| !truth)),
            Operation::Binary(operator) => self.binary(*operator)?,
            Operation::IsNull { negated } => Value::from(self.pop().is_null() != *negated),
            Operation::In { negated, count } => self.is_in(*negated, *count)?,
            Operation::Like { negated, escape } => self.like(*negated, *escape)?,
            Operation::Between { negated } => self.between(*negated)?,
            Operation::Affected(kind) => self.affected_value(*kind),
            Operation::ErrorCode(section) => Value::from(
                self.being_handled(*section).map_or(0, |exception| i64::from(exception.raised.code)),
            ),
            Operation::ErrorMessage(section) => {
                let message = self.being_handled(*section).map(super::Exception::full_message);
                Value::text(message.unwrap_or_else(|| "ORA-0000: normal, successful completion".to_owned()))
            }
            Operation::Builtin { function, arguments } => {
                let values = self.pop_many(*arguments);
                self.builtin(*function, values)?
            }
            other => {
                return Err(Failure::fatal(format!("no such instruction here: {other:?}"), self.position()));
            }
        };
        self.push(value)
    }

    fn being_handled(&self, section: Option<usize>) -> Option<&super::Exception> {
        self.handled.get(section?)?.as_ref()
    }

    fn affected_value(&self, kind: AffectedKind) -> Value {
        let Some(count) = self.affected else { return Value::Null };
        match kind {
            AffectedKind::Count => Value::Number(count.to_string()),
            AffectedKind::Found => Value::from(count > 0),
            AffectedKind::NotFound => Value::from(count == 0),
        }
    }

    fn binary(&mut self, operator: BinaryOperator) -> Result<Value, Failure> {
        match operator {
            BinaryOperator::And | BinaryOperator::Or => {
                let (right, left) = (self.pop_truth()?, self.pop_truth()?);
                let decisive = operator == BinaryOperator::Or;
                Ok(truth_value(match (left, right) {
                    (Some(truth), _) | (_, Some(truth)) if truth == decisive => Some(truth),
                    (Some(_), Some(_)) => Some(!decisive),
                    _ if left == Some(decisive) || right == Some(decisive) => Some(decisive),
                    _ => None,
                }))
            }
            BinaryOperator::Concatenate => {
                let (right, left) = (self.pop_text()?, self.pop_text()?);
                check_length(left.len() + right.len())?;
                Ok(Value::text(left + &right))
            }
            BinaryOperator::Add
            | BinaryOperator::Subtract
            | BinaryOperator::Multiply
            | BinaryOperator::Divide => self.arithmetic(operator),
            _ => {
                let (right, left) = (self.pop(), self.pop());
                let ordering = compare(&left, &right)?;
                Ok(truth_value(ordering.map(|ordering| match operator {
                    BinaryOperator::Equal => ordering.is_eq(),
                    BinaryOperator::Unequal => ordering.is_ne(),
                    BinaryOperator::Less => ordering.is_lt(),
                    BinaryOperator::LessOrEqual => ordering.is_le(),
                    BinaryOperator::Greater => ordering.is_gt(),
                    _ => ordering.is_ge(),
                })))
            }
        }
    }

    fn arithmetic(&mut self, operator: BinaryOperator) -> Result<Value, Failure> {
        let (right, left) = (self.pop_number()?, self.pop_number()?);
        let (Some(left), Some(right)) = (left, right) else { return Ok(Value::Null) };
        let result = match operator {
            BinaryOperator::Add => left.checked_add(right),
            BinaryOperator::Subtract => left.checked_add(right.negate()),
            BinaryOperator::Multiply => left.checked_multiply(right),
            _ if right.is_zero() => return Err(Failure::raise(-1476, "divisor is equal to zero")),
            _ => left.checked_divide(right),
        };
        result.map(Value::from).ok_or_else(|| Failure::raise(-1426, "numeric overflow"))
    }

    fn is_in(&mut self, negated: bool, count: usize) -> Result<Value, Failure> {
        let list = self.pop_many(count);
        let left = self.pop();
        let mut found = Some(false);
        for item in &list {
            match compare(&left, item)? {
                Some(Ordering::Equal) => {
                    found = Some(true);
                    break;
                }
                Some(_) => {}
                None => found = None,
            }
        }
        Ok(truth_value(found.map(|found| found != negated)))
    }

    fn like(&mut self, negated: bool, has_escape: bool) -> Result<Value, Failure> {
        let escape = if has_escape { self.pop_text()?.chars().next() } else { None };
        let (pattern, value) = (self.pop(), self.pop());
        if pattern.is_null() || value.is_null() {
            return Ok(Value::Null);
        }
        let (pattern, value) = (text_of(&pattern)?, text_of(&value)?);
        self.charge(pattern.len().saturating_mul(value.len()) / 16)?;
        Ok(Value::from(like::matches(&value, &pattern, escape) != negated))
    }

    fn between(&mut self, negated: bool) -> Result<Value, Failure> {
        let (high, low, value) = (self.pop(), self.pop(), self.pop());
        let above = compare(&value, &low)?.map(Ordering::is_ge);
        let below = compare(&value, &high)?.map(Ordering::is_le);
        let inside = match (above, below) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        Ok(truth_value(inside.map(|inside| inside != negated)))
    }

    pub(super) fn push(&mut self, value: Value) -> Result<(), Failure> {
        self.charge(value.bytes())?;
        self.stack.push(value);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or_default()
    }

    /// The last values, in the order they were pushed.
    pub(super) fn pop_many(&mut self, count: usize) -> Vec<Value> {
        self.stack.split_off(self.stack.len().saturating_sub(count))
    }

    pub(super) fn pop_text(&mut self) -> Result<String, Failure> {
        match self.pop() {
            Value::Text(text) => Ok(text),
            other => text_of(&other),
        }
    }

    pub(super) fn pop_number(&mut self) -> Result<Option<Decimal>, Failure> {
        number_of(&self.pop())
    }

    pub(super) fn pop_truth(&mut self) -> Result<Option<bool>, Failure> {
        match self.pop() {
            Value::Boolean(truth) => Ok(Some(truth)),
            Value::Null => Ok(None),
            other => {
                Err(Raised::mistake(format!("this is {}, where a condition is needed", other.kind())).into())
            }
        }
    }

    pub(super) fn pop_index(&mut self) -> Result<i64, Failure> {
        let number = self.pop_number()?.map(Decimal::round);
        let index = number.and_then(Decimal::to_i64).filter(|index| i32::try_from(*index).is_ok());
        index.ok_or_else(|| Failure::value_error("the index of an array must be a whole number"))
    }

    pub(super) fn jump_if(&mut self, truth: bool, target: usize) {
        let top = self.pop();
        if top == Value::Boolean(truth) {
            self.cursor = target;
        }
        self.stack.push(top);
    }

    pub(super) fn has_passed(&self, counter: usize, bound: usize, reverse: bool) -> Result<bool, Failure> {
        let ordering = compare(&self.slots[counter], &self.slots[bound])?;
        Ok(ordering == Some(if reverse { Ordering::Less } else { Ordering::Greater }))
    }

    pub(super) fn count(&mut self, counter: usize, reverse: bool) -> Result<(), Failure> {
        let number = number_of(&self.slots[counter])?;
        let next = number.and_then(|number| number.checked_add(Decimal::from(if reverse { -1 } else { 1 })));
        let next = next.ok_or_else(|| Failure::raise(-1426, "numeric overflow"))?;
        self.slots[counter] = next.into();
        Ok(())
    }
}

/// A truth value that may be unknown.
fn truth_value(truth: Option<bool>) -> Value {
    truth.map_or(Value::Null, Value::Boolean)
}

/// How two values compare; none if one is null. Numbers and texts compare as numbers.
fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, Failure> {
    Ok(match (left, right) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        (Value::Number(_) | Value::Text(_), Value::Number(_) | Value::Text(_)) => {
            number_of(left)?.zip(number_of(right)?).map(|(left, right)| left.cmp(&right))
        }
        _ => {
            let message = format!("{} and {} cannot be compared", left.kind(), right.kind());
            return Err(Raised::mistake(message).into());
        }
    })
}

pub(super) fn text_of(value: &Value) -> Result<String, Failure> {
    value
        .to_text()
        .ok_or_else(|| Raised::mistake(format!("{} cannot be used as a text", value.kind())).into())
}

pub(super) fn number_of(value: &Value) -> Result<Option<Decimal>, Failure> {
    match value {
        Value::Null => Ok(None),
        Value::Number(digits) | Value::Text(digits) => to_number(digits).map(Some),
        other => Err(Raised::mistake(format!("{} cannot be used as a number", other.kind())).into()),
    }
}

/// Fails if a text would become too long.
pub(super) fn check_length(bytes: usize) -> Result<(), Failure> {
    if bytes <= TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(Failure::value_error(format!("a text longer than {TEXT_BYTES_MAX} bytes")))
}
