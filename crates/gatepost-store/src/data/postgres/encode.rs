//! Values of binds as parameters: text, which the server reads by the type that it inferred.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use gatepost_rest::plan::BindValue;
use serde_json::value::RawValue;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};

/// A parameter as it travels. Its debug form shows no value.
pub(super) enum Parameter<'v> {
    Null,
    Text(Cow<'v, str>),
    Bytes(&'v [u8]),
}

impl std::fmt::Debug for Parameter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self {
            Self::Bytes(_) => Format::Binary,
            Self::Null | Self::Text(_) => Format::Text,
        }
    }

    to_sql_checked!();
}

/// The parameter for a value, or what is wrong with it.
pub(super) fn parameter<'v>(value: &'v BindValue, kind: &Type) -> Result<Parameter<'v>, String> {
    let text = match value {
        BindValue::Null => return Ok(Parameter::Null),
        BindValue::Integer(number) => Cow::Owned(number.to_string()),
        BindValue::Real(number) => Cow::Owned(number.to_string()),
        BindValue::Boolean(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        BindValue::Text(text) => Cow::Borrowed(text.as_str()),
        BindValue::Blob(bytes) => {
            if base_of(kind) == &Type::BYTEA {
                return Ok(Parameter::Bytes(bytes));
            }
            Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?)
        }
    };
    if text.contains('\0') {
        return Err("a NUL character is not allowed".into());
    }
    if text.starts_with('[') && matches!(base_of(kind).kind(), Kind::Array(_)) {
        return array(&text).map(|text| Parameter::Text(Cow::Owned(text)));
    }
    Ok(Parameter::Text(text))
}

/// The type below domains.
fn base_of(kind: &Type) -> &Type {
    match kind.kind() {
        Kind::Domain(base) => base_of(base),
        _ => kind,
    }
}

/// A JSON array in the form of an array literal. Every element is quoted, so none is taken for a brace or a NULL.
fn array(json: &str) -> Result<String, String> {
    let elements: Vec<&RawValue> =
        serde_json::from_str(json).map_err(|_| "it is not a JSON array".to_owned())?;
    let mut literal = String::with_capacity(json.len() + 2);
    literal.push('{');
    for (number, element) in elements.iter().enumerate() {
        if number > 0 {
            literal.push(',');
        }
        let raw = element.get();
        match raw.as_bytes().first() {
            Some(b'n') => literal.push_str("NULL"),
            Some(b'[') => literal.push_str(&array(raw)?),
            Some(b'"') => {
                let text: String =
                    serde_json::from_str(raw).map_err(|_| "an element is not valid text".to_owned())?;
                quote(&mut literal, &text)?;
            }
            _ => quote(&mut literal, raw)?,
        }
    }
    literal.push('}');
    Ok(literal)
}

fn quote(literal: &mut String, text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("a NUL character is not allowed".into());
    }
    literal.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_quote_every_element() {
        for (json, literal) in [
            ("[]", "{}"),
            ("[1, 2.50]", r#"{"1","2.50"}"#),
            (r#"["a,b","{","NULL","",null,"\"\\"]"#, r#"{"a,b","{","NULL","",NULL,"\"\\"}"#),
            ("[[1],[2]]", r#"{{"1"},{"2"}}"#),
            ("[true,false]", r#"{"true","false"}"#),
        ] {
            assert_eq!(array(json).unwrap(), literal);
        }
        assert!(array("[1").is_err());
        assert!(array("[\"\\u0000\"]").is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_where_text_is_wanted() {
        let blob = BindValue::Blob(bytes::Bytes::from_static(&[0xff]));
        assert!(parameter(&blob, &Type::TEXT).is_err());
        assert!(matches!(parameter(&blob, &Type::BYTEA), Ok(Parameter::Bytes(_))));
        assert!(parameter(&BindValue::Text("a\0".into()), &Type::TEXT).is_err());
    }
}
