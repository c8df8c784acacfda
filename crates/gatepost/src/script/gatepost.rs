//! Package GATEPOST: what ORDS has no call for.

use gatepost_plsql::Value;
use gatepost_rest::cover::Cover;
use gatepost_rest::definition::{Method, PublicEntry, ReadsFrom};

use super::clients::change_client;
use super::ords_modules::change_module;
use super::refusal::Refusal;
use super::scope::{NOTHING, Scope};
use super::signature::{Bound, Signature, free_text, procedure, text};

/// The calls of this package.
pub(super) static CALLS: [Signature; 6] = [
    procedure("ALLOW_PUBLIC", &[&[text("p_pattern"), text("p_methods").or_text("GET")]], allow_public),
    procedure("DENY_PUBLIC", &[&[text("p_pattern"), text("p_methods").or_null()]], deny_public),
    procedure("SET_CLIENT_STATUS", &[&[text("p_name"), text("p_status")]], set_client_status),
    procedure("SET_CLIENT_OWNER", &[&[text("p_name"), text("p_owner")]], set_client_owner),
    procedure("REVOKE_CLIENT_TOKENS", &[&[text("p_name")]], revoke_client_tokens),
    procedure("SET_MODULE_READS", &[&[text("p_module_name"), text("p_from")]], set_module_reads),
];

/// Opens a pattern to callers without a token, where no privilege locks it. The methods replace earlier ones.
fn allow_public(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let pattern = bound.required_text("p_pattern")?;
    Cover::parse("p_pattern", pattern)?;
    let methods = read_methods(bound.required_text("p_methods")?)?;
    let working = &mut *scope.working;
    let before = working.catalog.public_entries_of(schema).find(|entry| entry.pattern == pattern).cloned();
    let audit = working.audit_after(before.as_ref().map(|entry| &entry.audit));
    let id = before.map_or_else(|| working.catalog.take_id(), |entry| entry.id);
    working.put_public_entry(PublicEntry { id, schema_id: schema, pattern: pattern.into(), methods, audit });
    Ok(NOTHING)
}

/// Reads a comma-separated list of methods.
fn read_methods(list: &str) -> Result<Vec<Method>, Refusal> {
    let mut methods = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let method = Method::parse(name).map_err(|broken| Refusal::invalid("p_methods", broken.rule))?;
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    if methods.is_empty() {
        return Err(Refusal::invalid("p_methods", "name at least one method"));
    }
    methods.sort();
    Ok(methods)
}

/// Takes methods off a public pattern; the pattern goes with the last one.
fn deny_public(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let pattern = bound.required_text("p_pattern")?;
    let denied = bound.text("p_methods").map(read_methods).transpose()?.unwrap_or(Method::ALL.to_vec());
    let working = &mut *scope.working;
    let Some(before) =
        working.catalog.public_entries_of(schema).find(|entry| entry.pattern == pattern).cloned()
    else {
        let known = working.catalog.public_entries_of(schema).map(|entry| entry.pattern.as_str());
        return Err(Refusal::not_found("public pattern", pattern, known).at_argument("p_pattern"));
    };
    let mut entry = (*before).clone();
    entry.methods.retain(|method| !denied.contains(method));
    if entry.methods.is_empty() {
        working.catalog.public_entries.remove(&entry.id);
    } else {
        entry.audit = working.audit_after(Some(&entry.audit));
        working.put_public_entry(entry);
    }
    Ok(NOTHING)
}

/// Enables or disables a client. Disabling revokes its tokens; enabling does not bring them back.
fn set_client_status(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let enabled = match bound.required_text("p_status")?.to_ascii_uppercase().as_str() {
        "ENABLED" => true,
        "DISABLED" => false,
        other => {
            let rule = format!("`{other}` is not one of ENABLED, DISABLED");
            return Err(Refusal::invalid("p_status", rule));
        }
    };
    let generation = scope.new_generation();
    change_client(scope, bound.required_text("p_name")?, |client| {
        client.enabled = enabled;
        if !enabled {
            client.generation = generation;
        }
    })
}

fn set_client_owner(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let owner = free_text(bound, "p_owner", 255)?;
    change_client(scope, bound.required_text("p_name")?, |client| client.owner = owner)
}

fn revoke_client_tokens(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let generation = scope.new_generation();
    change_client(scope, bound.required_text("p_name")?, |client| client.generation = generation)
}

/// Says which servers may answer the GET handlers of a module, where the schema's data has replicas.
fn set_module_reads(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let reads_from = ReadsFrom::parse(bound.required_text("p_from")?)?;
    change_module(scope, bound, |module| module.reads_from = reads_from)
}
