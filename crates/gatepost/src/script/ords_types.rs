//! Packages `ORDS_TYPES` and `ORDS_CONSTANTS`, and the constants of package ORDS.

use std::collections::BTreeMap;

use gatepost_plsql::Value;
use gatepost_rest::definition::SourceType;

use super::refusal::Refusal;
use super::scope::Scope;
use super::signature::{Bound, CallResult, Signature, boolean, number, text};

/// The constructors.
pub(super) static CALLS: [Signature; 2] = [
    Signature {
        name: "OAUTH_CLIENT_KEY",
        forms: &[&[number("p_id").or_null(), text("p_name").or_null(), text("p_client_id").or_null()]],
        run: oauth_client_key,
        result: CallResult::Function,
    },
    Signature {
        name: "OAUTH_CLIENT_SECRET",
        forms: &[&[text("p_secret").or_null(), number("p_slot").or_null(), boolean("p_stored").or(false)]],
        run: oauth_client_secret,
        result: CallResult::Function,
    },
];

fn oauth_client_key(_: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let (id, name, client_id) = (bound.number("p_id")?, bound.text("p_name"), bound.text("p_client_id"));
    if id.is_none() && name.is_none() && client_id.is_none() {
        return Err(Refusal::invalid("p_id", "an id, a name or a client id is needed"));
    }
    Ok(Value::Record(BTreeMap::from([
        ("id".into(), id.map_or(Value::Null, Value::from)),
        ("name".into(), name.map_or(Value::Null, Value::from)),
        ("client_id".into(), client_id.map_or(Value::Null, Value::from)),
    ])))
}

fn oauth_client_secret(_: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let slot = bound.number("p_slot")?;
    if slot.is_some_and(|slot| !(1..=3).contains(&slot)) {
        return Err(Refusal::invalid("p_slot", "1, 2, or 3 for both in a filter"));
    }
    Ok(Value::Record(BTreeMap::from([
        ("secret".into(), bound.text("p_secret").map_or(Value::Null, Value::from)),
        ("slot".into(), slot.map_or(Value::Null, Value::from)),
        ("stored".into(), Value::Boolean(bound.is_true("p_stored"))),
        ("issued_on".into(), Value::Null),
    ])))
}

/// The names of the constants of a package, lower case.
pub(super) fn constants(package: &str) -> Vec<&'static str> {
    match package {
        "ORDS" => SourceType::ALL.iter().map(|kind| kind.constant()).collect(),
        "ORDS_CONSTANTS" => vec!["oauth_client_secret_skip", "oauth_client_secret_default"],
        _ => Vec::new(),
    }
}

/// The value of a constant; names in any letter case.
pub(super) fn constant(package: &str, name: &str) -> Option<Value> {
    let name = name.to_ascii_lowercase();
    match package {
        "ORDS" => {
            SourceType::ALL.iter().find(|kind| kind.constant() == name).map(|kind| Value::from(kind.as_str()))
        }
        "ORDS_CONSTANTS" => {
            let kind = name.strip_prefix("oauth_client_secret_")?;
            let known = matches!(kind, "skip" | "default");
            known.then(|| Value::Record(BTreeMap::from([("kind".into(), Value::from(kind))])))
        }
        _ => None,
    }
}
