//! Request bodies: their members, and the binds that take them whole.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{BindValue, PlanError, RequestValues};
use crate::source::CompiledSource;

/// Members of a JSON object, or fields of a form, that a body may have.
const MEMBERS_MAX: usize = 1_000;

/// The members of a request body.
#[derive(Clone, Debug)]
pub enum RequestBody<'a> {
    /// There is none.
    None,
    /// The top-level members of a JSON object, values as they stand.
    Json(Vec<(Cow<'a, str>, &'a RawValue)>),
    /// The pairs of a form.
    Form(Vec<(Cow<'a, str>, Cow<'a, str>)>),
    /// Anything else.
    Raw(&'a Bytes),
}

impl<'a> RequestBody<'a> {
    /// Reads a body as far as the source asks for its members. JSON that is no object, or that names a member
    /// twice, is an error then.
    pub fn read(
        source: &CompiledSource,
        content_type: Option<&str>,
        bytes: &'a Bytes,
    ) -> Result<Self, PlanError> {
        if bytes.is_empty() {
            return Ok(Self::None);
        }
        let kind = media_type(content_type);
        if kind == "application/x-www-form-urlencoded" && (source.binds_members() || source.reads_body()) {
            return Self::form(bytes);
        }
        if !source.binds_members() || !is_json(&kind) {
            return Ok(Self::Raw(bytes));
        }
        Self::json(bytes)
    }

    /// Reads a JSON object.
    pub fn json(bytes: &'a Bytes) -> Result<Self, PlanError> {
        let members: Members<'a> = serde_json::from_slice(bytes).map_err(|error| invalid_json(&error))?;
        check_count(members.0.len())?;
        let mut names = HashSet::with_capacity(members.0.len());
        match members.0.iter().find(|(name, _)| !names.insert(name.as_ref())) {
            Some((name, _)) => Err(PlanError::new(name.as_ref(), "it is given twice")),
            None => Ok(Self::Json(members.0)),
        }
    }

    /// Reads `application/x-www-form-urlencoded`.
    pub fn form(bytes: &'a Bytes) -> Result<Self, PlanError> {
        let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
        check_count(text.split('&').count())?;
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        pairs.collect::<Result<_, PlanError>>().map(Self::Form)
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// The part of a content type before its parameters, lower case.
fn media_type(content_type: Option<&str>) -> String {
    content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(kind: &str) -> bool {
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn decode(text: &str) -> Result<Cow<'_, str>, PlanError> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8().map_err(|_| not_utf8())?;
    Ok(Cow::Owned(decoded.into_owned()))
}

/// No source has as many binds; what comes beyond is refused before it costs anything.
fn check_count(members: usize) -> Result<(), PlanError> {
    if members > MEMBERS_MAX {
        return Err(PlanError::new("", format!("the body has more than {MEMBERS_MAX} members")));
    }
    Ok(())
}

fn not_utf8() -> PlanError {
    PlanError::new("", "the body is not UTF-8")
}

fn invalid_json(error: &serde_json::Error) -> PlanError {
    PlanError::new("", format!("the body is not the JSON that is expected: {error}"))
}

/// `:body_text`
pub(super) fn text(bytes: &Bytes) -> Result<BindValue, PlanError> {
    if bytes.is_empty() {
        return Ok(BindValue::Null);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
    Ok(BindValue::Text(text.to_owned()))
}

/// `:body_json`: the body, or the fields of a form as an object.
pub(super) fn json(values: &RequestValues<'_>) -> Result<BindValue, PlanError> {
    if let RequestBody::Form(pairs) = &values.body {
        let mut object = serde_json::Map::new();
        for (name, value) in pairs {
            if object.insert(name.to_string(), value.to_string().into()).is_some() {
                return Err(PlanError::new(&**name, "it is given twice"));
            }
        }
        return Ok(BindValue::Text(serde_json::Value::Object(object).to_string()));
    }
    if !values.body_bytes.is_empty() {
        serde_json::from_slice::<IgnoredAny>(values.body_bytes).map_err(|error| invalid_json(&error))?;
    }
    text(values.body_bytes)
}
