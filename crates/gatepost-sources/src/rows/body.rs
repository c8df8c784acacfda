//! A JSON body of which only the way to the rows is parsed. The whole is checked once; what lies beside the way stays
//! text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::definition::{Pointer, Rows};
use crate::error::{Code, SourceError, quote};

/// So many keys are listed where rows were expected.
const KEYS_LISTED_MAX: usize = 20;

/// A body that is JSON.
#[derive(Clone, Copy, Debug)]
pub struct Body<'b> {
    root: &'b RawValue,
}

impl<'b> Body<'b> {
    /// Checks that the bytes are one JSON value in UTF-8. A byte order mark is skipped.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, SourceError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match serde_json::from_slice(bytes) {
            Ok(root) => Ok(Self { root }),
            Err(error) => {
                // Where, not what: the body is somebody's data.
                let detail = format!("no JSON at line {} column {}", error.line(), error.column());
                Err(SourceError::new(Code::ApiNotJson).with_detail(detail))
            }
        }
    }

    /// The value at a pointer.
    pub fn find(&self, pointer: &Pointer) -> Option<&'b RawValue> {
        step(self.root, &pointer.steps().collect::<Vec<_>>())
    }

    /// The text of a member that names a page: a text or a number. None if it is absent, null, empty or false.
    pub fn token(&self, pointer: &Pointer) -> Option<String> {
        let json = self.find(pointer)?.get();
        match json.as_bytes().first()? {
            b'"' => serde_json::from_str(json).ok().filter(|text: &String| !text.is_empty()),
            b'0'..=b'9' | b'-' => Some(json.to_owned()),
            _ => None,
        }
    }

    /// A whole number, also as text.
    pub fn whole(&self, pointer: &Pointer) -> Option<u64> {
        crate::datum::integer(&self.token(pointer)?)?.parse().ok()
    }

    /// Whether a member says that there is more. Absent, null, false, 0, empty and the text `false` say no.
    pub fn flag(&self, pointer: &Pointer) -> bool {
        let Some(raw) = self.find(pointer) else { return false };
        !matches!(raw.get(), "null" | "false" | "0" | "\"\"" | "[]" | "{}")
            && !raw.get().trim_matches('"').eq_ignore_ascii_case("false")
    }

    /// The rows, still as text. Null where a list is expected is no rows; for a single row, null and nothing are.
    pub fn rows(&self, rows: &Rows) -> Result<Vec<&'b RawValue>, SourceError> {
        let Some(selected) = self.find(&rows.select) else {
            if rows.single {
                return Ok(Vec::new());
            }
            return Err(SourceError::new(Code::SelectNotFound).with_detail(self.what_is_there(&rows.select)));
        };
        match selected.get().as_bytes().first() {
            Some(b'n') => Ok(Vec::new()),
            _ if rows.single => Ok(vec![selected]),
            Some(b'[') => Ok(items(selected).unwrap_or_default()),
            Some(b'{') => {
                let detail = format!("an object with {}", keys(selected));
                Err(SourceError::new(Code::SelectNotArray).with_detail(detail))
            }
            _ => Err(SourceError::new(Code::SelectNotArray).with_detail("a single value")),
        }
    }

    /// The keys at the last level of a pointer that there is.
    fn what_is_there(&self, pointer: &Pointer) -> String {
        let steps: Vec<String> = pointer.steps().collect();
        let mut reached = (self.root, 0);
        for (at, name) in steps.iter().enumerate() {
            let Some(next) = step(reached.0, std::slice::from_ref(name)) else { break };
            reached = (next, at + 1);
        }
        let place = Pointer::of(&steps[..reached.1]);
        let place = if place.is_root() { "the top".into() } else { quote(place.as_str(), 100) };
        format!("at {place} there are {}", keys(reached.0))
    }
}

/// Goes down through members and indexes.
pub(super) fn step<'b>(value: &'b RawValue, steps: &[String]) -> Option<&'b RawValue> {
    let mut value = value;
    for name in steps {
        value = match value.get().as_bytes().first()? {
            b'{' => {
                let members = members(value)?;
                members.iter().rev().find(|(other, _)| other == name).map(|(_, value)| *value)?
            }
            b'[' => {
                let canonical = name == "0" || !name.starts_with(['0', '+']);
                let index: usize = name.parse().ok().filter(|_| canonical)?;
                items(value)?.get(index).copied()?
            }
            _ => return None,
        };
    }
    Some(value)
}

/// The members of an object in their order, values as text. None if it is no object.
pub fn members(value: &RawValue) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    if !value.get().starts_with('{') {
        return None;
    }
    serde_json::from_str::<Members<'_>>(value.get()).ok().map(|members| members.0)
}

fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn keys(value: &RawValue) -> String {
    let Some(members) = members(value) else { return "no keys".into() };
    if members.is_empty() {
        return "no keys".into();
    }
    let mut names: Vec<String> =
        members.iter().take(KEYS_LISTED_MAX).map(|(name, _)| quote(name, 60)).collect();
    if members.len() > KEYS_LISTED_MAX {
        names.push("\u{2026}".into());
    }
    format!("the keys {}", names.join(", "))
}

/// An object whose values stay text.
struct Members<'b>(Vec<(Cow<'b, str>, &'b RawValue)>);

impl<'de: 'b, 'b> Deserialize<'de> for Members<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Names).map(Members)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'b>(#[serde(borrow)] Cow<'b, str>);
