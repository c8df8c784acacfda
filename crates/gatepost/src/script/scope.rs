//! One package call on its way: the working catalog, the host, and the schema that it means.

use gatepost_plsql::Value;
use gatepost_rest::definition::{Id, Schema};

use super::host::ScriptHost;
use super::refusal::{Refusal, code};
use super::signature::Bound;
use super::working::Working;

/// What a call works on.
pub(super) struct Scope<'a> {
    /// The catalog as the block has changed it.
    pub(super) working: &'a mut Working,
    /// The program around the script: keys, randomness, settings.
    pub(super) host: &'a dyn ScriptHost,
    /// The schema that the call means, by name; absent: the script has none yet.
    pub(super) target: Option<String>,
    /// Whether the block does something with the result.
    pub(super) wants_value: bool,
}

impl Scope<'_> {
    /// The schema that the call means. It must be REST-enabled or have been so.
    pub(super) fn schema(&self) -> Result<&Schema, Refusal> {
        let Some(name) = &self.target else {
            return Err(Refusal::wrong("no schema is chosen").help(
                "give one with `--schema NAME`, or begin the script with ORDS.ENABLE_SCHEMA(p_schema => …)",
            ));
        };
        let found = self.working.catalog.schema_by_name(name);
        found.map(AsRef::as_ref).ok_or_else(|| {
            let known = self.working.catalog.schemas.values().map(|schema| schema.name.as_str());
            let refusal = Refusal::not_found("schema", name, known);
            if refusal.suggestion.is_some() {
                return refusal;
            }
            refusal.help("REST-enable it first: ORDS.ENABLE_SCHEMA")
        })
    }

    /// The id of that schema.
    pub(super) fn schema_id(&self) -> Result<Id, Refusal> {
        self.schema().map(|schema| schema.id)
    }

    /// The schema that a call with a `p_schema` of its own means, by name.
    pub(super) fn named_schema(&self, bound: &Bound) -> Result<String, Refusal> {
        let name = match bound.text("p_schema") {
            Some(name) => Schema::check_name(name.trim_matches('"'))?,
            None => match &self.target {
                Some(name) => name.clone(),
                None => self.schema()?.name.clone(),
            },
        };
        let own = self.working.current.as_deref() == Some(name.as_str());
        if own || self.working.administrator {
            return Ok(name);
        }
        let message = format!("schema `{name}` is not the script's own; administrators only");
        Err(Refusal::raised(code::ADMINISTRATORS_ONLY, message).at_argument("p_schema"))
    }

    /// Random bytes.
    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.host.random(&mut bytes);
        bytes
    }

    /// A random generation for a client: whatever carries another one is revoked.
    pub(super) fn new_generation(&self) -> u64 {
        u64::from_le_bytes(self.random())
    }
}

/// What a procedure gives back.
pub(super) const NOTHING: Value = Value::Null;
