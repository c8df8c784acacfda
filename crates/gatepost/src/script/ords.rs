//! Package ORDS: schemas and what belongs to a schema as a whole (ORDS Developer's Guide, package ORDS).

use gatepost_plsql::Value;
use gatepost_rest::definition::Schema;

use super::refusal::{Refusal, code};
use super::scope::{NOTHING, Scope};
use super::signature::{Bound, CallResult, Parameter, Signature, boolean, procedure, text};

/// The calls of this file.
pub(super) static CALLS: [Signature; 9] = [
    procedure(
        "ENABLE_SCHEMA",
        &[&[
            boolean("p_enabled").or(true),
            text("p_schema").or_null(),
            text("p_url_mapping_type").or_text("BASE_PATH"),
            text("p_url_mapping_pattern").or_null(),
            boolean("p_auto_rest_auth").or_null(),
        ]],
        enable_schema,
    ),
    procedure(
        "SET_URL_MAPPING",
        &[&[text("p_schema").or_null(), text("p_url_mapping_type"), text("p_url_mapping_pattern")]],
        set_url_mapping,
    ),
    procedure("DROP_REST_FOR_SCHEMA", &[&[text("p_schema").or_null()]], drop_rest_for_schema),
    Signature {
        name: "INSTALLED_VERSION",
        forms: &[&[]],
        run: installed_version,
        result: CallResult::Function,
    },
    procedure("ENABLE_OBJECT", &[&ENABLE_OBJECT], |_, _| {
        Err(Refusal::not_available("AutoREST (ORDS.ENABLE_OBJECT)")
            .help("define a module with a handler for each method of the table"))
    }),
    procedure("DROP_REST_FOR_OBJECT", &[&[text("p_object")]], |_, _| {
        Err(Refusal::not_available("AutoREST (ORDS.DROP_REST_FOR_OBJECT)"))
    }),
    procedure("SET_PROPERTY", &[&[text("p_key"), text("p_value")]], |_, _| {
        Err(Refusal::not_available("schema properties (ORDS.SET_PROPERTY)")
            .help("settings of the server are in gatepost.toml"))
    }),
    procedure("UNSET_PROPERTY", &[&[text("p_key")]], |_, _| {
        Err(Refusal::not_available("schema properties (ORDS.UNSET_PROPERTY)"))
    }),
    procedure("SET_SESSION_DEFAULTS", &[&[text("p_runtime_user").or_null()]], |_, _| {
        Err(Refusal::not_available("ORDS.SET_SESSION_DEFAULTS").help("give the schema with `--schema NAME`"))
    }),
];

const ENABLE_OBJECT: [Parameter; 6] = [
    boolean("p_enabled").or(true),
    text("p_schema").or_null(),
    text("p_object"),
    text("p_object_type").or_text("TABLE"),
    text("p_object_alias").or_null(),
    boolean("p_auto_rest_auth").or_null(),
];

fn enable_schema(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    check_mapping_type(bound)?;
    let first = scope.working.current.is_none();
    let name = scope.named_schema(bound)?;
    let alias = Schema::check_alias(bound.text("p_url_mapping_pattern").unwrap_or(&name))?;
    check_alias_is_free(scope, &name, &alias)?;
    let before = scope.working.catalog.schema_by_name(&name).cloned();
    if before.is_none() && !scope.working.administrator {
        let message = format!("schema `{name}` is not known here; an administrator enables it first");
        return Err(Refusal::raised(code::ADMINISTRATORS_ONLY, message));
    }
    let audit = scope.working.audit_after(before.as_ref().map(|schema| &schema.audit));
    let id = before.as_ref().map_or_else(|| scope.working.catalog.take_id(), |schema| schema.id);
    let kept_auth = before.is_some_and(|schema| schema.auto_rest_auth);
    let schema = Schema {
        id,
        name: name.clone(),
        alias,
        enabled: bound.boolean("p_enabled").unwrap_or(true),
        auto_rest_auth: bound.boolean("p_auto_rest_auth").unwrap_or(kept_auth),
        audit,
    };
    scope.working.put_schema(schema);
    if first {
        scope.working.current = Some(name);
    }
    Ok(NOTHING)
}

fn check_mapping_type(bound: &Bound) -> Result<(), Refusal> {
    let kind = bound.text("p_url_mapping_type").unwrap_or("BASE_PATH");
    if kind.eq_ignore_ascii_case("BASE_PATH") {
        return Ok(());
    }
    if kind.eq_ignore_ascii_case("BASE_URL") {
        return Err(Refusal::not_available("URL mapping type BASE_URL").help("use BASE_PATH"));
    }
    Err(Refusal::invalid("p_url_mapping_type", format!("`{kind}` is not one of BASE_PATH, BASE_URL")))
}

fn check_alias_is_free(scope: &Scope<'_>, name: &str, alias: &str) -> Result<(), Refusal> {
    let taken = scope.working.catalog.schemas.values().find(|schema| schema.alias == alias);
    match taken {
        Some(other) if other.name != name => {
            let message = format!("the URL mapping `{alias}` is used by schema `{}`", other.name);
            Err(Refusal::raised(code::MAPPING_TAKEN, message).at_argument("p_url_mapping_pattern"))
        }
        _ => Ok(()),
    }
}

fn set_url_mapping(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    check_mapping_type(bound)?;
    scope.target = Some(scope.named_schema(bound)?);
    let mut schema = scope.schema()?.clone();
    schema.alias = Schema::check_alias(bound.required_text("p_url_mapping_pattern")?)?;
    check_alias_is_free(scope, &schema.name, &schema.alias)?;
    schema.audit = scope.working.audit_after(Some(&schema.audit));
    scope.working.put_schema(schema);
    Ok(NOTHING)
}

/// Deletes everything that the schema publishes, locks and admits. The schema itself stays, disabled, because
/// its name still stands for its place for data.
fn drop_rest_for_schema(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    scope.target = Some(scope.named_schema(bound)?);
    let mut schema = scope.schema()?.clone();
    let id = schema.id;
    let catalog = &mut scope.working.catalog;
    catalog.modules.retain(|_, module| module.schema_id != id);
    catalog.privileges.retain(|_, privilege| privilege.schema_id != id);
    catalog.roles.retain(|_, role| role.schema_id != id);
    catalog.public_entries.retain(|_, entry| entry.schema_id != id);
    catalog.clients.retain(|_, client| client.schema_id != id);
    catalog.rest_sources.retain(|_, source| source.schema_id != id);
    catalog.credentials.retain(|_, credential| credential.schema_id != id);
    catalog.vault_secrets.retain(|_, secret| secret.schema_id != id);
    catalog.remote_servers.retain(|_, server| server.schema_id != id);
    schema.enabled = false;
    schema.audit = scope.working.audit_after(Some(&schema.audit));
    scope.working.put_schema(schema);
    Ok(NOTHING)
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of all calls")]
fn installed_version(_: &mut Scope<'_>, _: &Bound) -> Result<Value, Refusal> {
    Ok(Value::Text(format!("Gatepost {}", env!("CARGO_PKG_VERSION"))))
}
