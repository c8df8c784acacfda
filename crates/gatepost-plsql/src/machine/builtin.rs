//! The functions that every block may use.

use std::ops::RangeInclusive;

use crate::decimal::Decimal;
use crate::value::Value;

use super::evaluate::{check_length, number_of, text_of};
use super::exception::Failure;
use super::{Machine, Raised};

/// The functions that need no package.
pub const BUILTINS: [&str; 23] = [
    "abs",
    "chr",
    "coalesce",
    "concat",
    "initcap",
    "instr",
    "length",
    "lower",
    "ltrim",
    "nvl",
    "nvl2",
    "replace",
    "round",
    "rtrim",
    "substr",
    "sys_context",
    "sysdate",
    "systimestamp",
    "to_char",
    "to_number",
    "trim",
    "upper",
    "user",
];

/// How many arguments a built-in function takes.
pub(crate) fn builtin_arguments(name: &str) -> RangeInclusive<usize> {
    match name {
        "sysdate" | "systimestamp" | "user" => 0..=0,
        "coalesce" => 1..=usize::MAX,
        "concat" | "nvl" => 2..=2,
        "nvl2" => 3..=3,
        "instr" => 2..=4,
        "replace" | "substr" | "sys_context" => 2..=3,
        "ltrim" | "rtrim" => 1..=2,
        _ => 1..=1,
    }
}

impl Machine {
    /// The value of a built-in function, by its index in [`BUILTINS`].
    pub(super) fn builtin(&mut self, function: usize, mut values: Vec<Value>) -> Result<Value, Failure> {
        let name = BUILTINS.get(function).copied().unwrap_or_default();
        match name {
            "user" => return Ok(Value::text(self.environment.user.as_str())),
            "sys_context" => return self.context(&values),
            "sysdate" => return now(name, self.environment.sysdate.as_ref()),
            "systimestamp" => return now(name, self.environment.systimestamp.as_ref()),
            "coalesce" => return Ok(values.into_iter().find(|value| !value.is_null()).unwrap_or_default()),
            "nvl" => return Ok(values.swap_remove(usize::from(values[0].is_null()))),
            "nvl2" => return Ok(values.swap_remove(if values[0].is_null() { 2 } else { 1 })),
            "concat" => {
                let (left, right) = (text_of(&values[0])?, text_of(&values[1])?);
                check_length(left.len() + right.len())?;
                return Ok(Value::text(left + &right));
            }
            "replace" => return replace(&values),
            _ => {}
        }
        if values[0].is_null() {
            return Ok(Value::Null);
        }
        match name {
            "abs" | "chr" | "round" | "to_number" => of_number(name, &values[0]),
            _ => of_text(name, &values),
        }
    }

    fn context(&self, values: &[Value]) -> Result<Value, Failure> {
        let (space, key) = (text_of(&values[0])?.to_uppercase(), text_of(&values[1])?.to_uppercase());
        if space != "USERENV" {
            return Ok(Value::Null);
        }
        if let Some(value) = self.environment.context.get(&key) {
            return Ok(Value::text(value.as_str()));
        }
        let users = ["CURRENT_USER", "SESSION_USER", "CURRENT_SCHEMA", "PROXY_USER_SCHEMA"];
        Ok(if users.contains(&key.as_str()) {
            Value::text(self.environment.user.as_str())
        } else {
            Value::Null
        })
    }
}

/// A time that the environment may know.
fn now(name: &str, value: Option<&String>) -> Result<Value, Failure> {
    match value {
        Some(value) => Ok(Value::text(value.as_str())),
        None => Err(Raised::mistake(format!("`{name}` is not known here")).into()),
    }
}

/// A function of a number.
fn of_number(name: &str, value: &Value) -> Result<Value, Failure> {
    let Some(number) = number_of(value)? else { return Ok(Value::Null) };
    match name {
        "abs" => Ok(if number < Decimal::from(0) { number.negate() } else { number }.into()),
        "round" => Ok(number.round().into()),
        "chr" => {
            let code = number.to_i64().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
            let character = code.ok_or_else(|| Failure::value_error("chr needs the code of a character"))?;
            Ok(Value::text(character.to_string()))
        }
        _ => Ok(number.into()),
    }
}

/// A function of a text that is not null.
fn of_text(name: &str, values: &[Value]) -> Result<Value, Failure> {
    let text = text_of(&values[0])?;
    let number = |index: usize| -> Result<Option<i64>, Failure> {
        match values.get(index) {
            None => Ok(None),
            Some(value) => Ok(number_of(value)?.map(|number| number.round().to_i64().unwrap_or(i64::MAX))),
        }
    };
    Ok(match name {
        "length" => Value::from(text.chars().count() as i64),
        "lower" => Value::text(text.to_lowercase()),
        "upper" => Value::text(text.to_uppercase()),
        "initcap" => Value::text(capitalized(&text)),
        "trim" => Value::text(text.trim_matches(' ')),
        "ltrim" | "rtrim" => {
            let set = values.get(1).map_or(Ok(" ".to_owned()), text_of)?;
            let in_set = |character: char| set.contains(character);
            let trimmed =
                if name == "ltrim" { text.trim_start_matches(in_set) } else { text.trim_end_matches(in_set) };
            Value::text(trimmed)
        }
        "substr" => {
            let Some(start) = number(1)? else { return Ok(Value::Null) };
            let length = match values.get(2) {
                None => i64::MAX,
                Some(_) => number(2)?.unwrap_or(0),
            };
            Value::text(substring(&text, start, length))
        }
        "instr" => {
            let (start, occurrence) = (number(2)?.unwrap_or(1), number(3)?.unwrap_or(1));
            instr(&text, &text_of(&values[1])?, start, occurrence)
        }
        _ => Value::text(text),
    })
}

/// Every occurrence replaced. The size is known before anything is built.
fn replace(values: &[Value]) -> Result<Value, Failure> {
    let (text, from) = (text_of(&values[0])?, text_of(&values[1])?);
    let to = values.get(2).map_or(Ok(String::new()), text_of)?;
    if text.is_empty() || from.is_empty() {
        return Ok(Value::text(text));
    }
    let count = text.matches(from.as_str()).count();
    check_length((text.len() - count * from.len()).saturating_add(count.saturating_mul(to.len())))?;
    Ok(Value::text(text.replace(&from, &to)))
}

/// Positions count from 1, negative ones from the end.
fn substring(text: &str, start: i64, length: i64) -> String {
    let count = text.chars().count() as i64;
    let skipped = match start {
        0 | 1 => 0,
        start if start > 0 => start - 1,
        start => count.saturating_add(start),
    };
    if skipped < 0 || length < 1 {
        return String::new();
    }
    let (skipped, length) = (usize::try_from(skipped), usize::try_from(length));
    text.chars().skip(skipped.unwrap_or(usize::MAX)).take(length.unwrap_or(usize::MAX)).collect()
}

/// The position of an occurrence from a start on, 0 if there is none; a negative start searches backwards.
fn instr(text: &str, wanted: &str, start: i64, occurrence: i64) -> Value {
    if wanted.is_empty() || start == 0 || occurrence < 1 {
        return if wanted.is_empty() { Value::Null } else { Value::from(0) };
    }
    let count = text.chars().count() as i64;
    let places = text.char_indices().zip(1_i64..).filter(|((at, _), _)| text[*at..].starts_with(wanted));
    let places = places.map(|(_, place)| place);
    let nth = usize::try_from(occurrence - 1).unwrap_or(usize::MAX);
    let found = if start > 0 {
        places.filter(|place| *place >= start).nth(nth)
    } else {
        let last = count.saturating_add(start).saturating_add(1);
        let all: Vec<i64> = places.filter(|place| *place <= last).collect();
        all.into_iter().rev().nth(nth)
    };
    Value::from(found.unwrap_or(0))
}

/// Each word with a capital.
fn capitalized(text: &str) -> String {
    let mut inside = false;
    let mut result = String::with_capacity(text.len());
    for character in text.chars() {
        if inside {
            result.extend(character.to_lowercase());
        } else {
            result.extend(character.to_uppercase());
        }
        inside = character.is_alphanumeric();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substrings_count_as_in_oracle() {
        assert_eq!(substring("gatepost", 1, 4), "gate");
        assert_eq!(substring("gatepost", 0, 4), "gate");
        assert_eq!(substring("gatepost", -4, 9), "post");
        assert_eq!(substring("gate", -9, 2), "");
        assert_eq!(substring("gate", i64::MIN, i64::MAX), "");
        assert_eq!(substring("gate", i64::MAX, 1), "");
    }

    #[test]
    fn places_of_occurrences() {
        let place = |start, occurrence| instr("a.b.c", ".", start, occurrence);
        assert_eq!(place(1, 1), Value::from(2));
        assert_eq!(place(1, 2), Value::from(4));
        assert_eq!(place(-1, 1), Value::from(4));
        assert_eq!(place(3, 2), Value::from(0));
        assert_eq!(place(i64::MIN, i64::MAX), Value::from(0));
    }
}
