//! Package GATEPOST, the consumer half: remote servers, credentials and REST sources (ADR 0014).

use gatepost_plsql::Value;
use gatepost_rest::definition::Id;
use gatepost_sources::definition::{Audit, DefinitionError, RemoteServer, RestSource, ServerKind};
use gatepost_store::catalog::Catalog;

use super::refusal::{Refusal, code};
use super::scope::{NOTHING, Scope};
use super::secret_reach::{Given, keep_secrets_home};
use super::signature::{Bound, Signature, boolean, free_text, procedure, text};
use super::working::Working;
use crate::app::source_sql;

/// The calls about remote servers and sources.
pub(super) static CALLS: [Signature; 5] = [
    procedure(
        "DEFINE_REMOTE_SERVER",
        &[&[
            text("p_name"),
            text("p_base_url"),
            text("p_kind").or_text("rest"),
            text("p_tls_ca").or_null(),
            text("p_comments").or_null(),
        ]],
        define_remote_server,
    ),
    procedure("DROP_REMOTE_SERVER", &[&[text("p_name")]], drop_remote_server),
    procedure("DEFINE_REST_SOURCE", &[&[text("p_name"), text("p_definition")]], define_rest_source),
    procedure("DROP_REST_SOURCE", &[&[text("p_name")]], drop_rest_source),
    procedure(
        "SYNCHRONIZE_REST_SOURCE",
        &[&[text("p_name"), boolean("p_full").or(false)]],
        synchronize_rest_source,
    ),
];

fn define_remote_server(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_name")?;
    let kind = read_word("p_kind", bound.required_text("p_kind")?, ServerKind::ALL, ServerKind::as_str)?;
    let server = RemoteServer {
        tls_ca: bound.text("p_tls_ca").map(str::to_owned),
        comments: free_text(bound, "p_comments", 4_000)?,
        ..RemoteServer::new(name, kind, bound.required_text("p_base_url")?)
    };
    put_remote_server(scope, schema, server.checked().map_err(|broken| refuse(&SERVER_ARGUMENTS, &broken))?)?;
    Ok(NOTHING)
}

/// Puts a checked server, new or changed, into the catalog.
pub(super) fn put_remote_server(
    scope: &mut Scope<'_>,
    schema: Id,
    mut server: RemoteServer,
) -> Result<(), Refusal> {
    keep_secrets_home(scope, schema, Given::Nothing, |working| {
        let before =
            working.catalog.remote_servers_of(schema).find(|known| known.name == server.name).cloned();
        server.audit = audit_after(working, before.as_ref().map(|server| &server.audit));
        server.id = before.map_or_else(|| working.catalog.take_id(), |server| server.id);
        server.schema_id = schema;
        working.catalog.remote_servers.insert(server.id, server.into());
        // A server that sources call may not become one that they must not call.
        let sources: Vec<_> = working.catalog.rest_sources_of(schema).cloned().collect();
        sources.iter().try_for_each(|source| check_references(&working.catalog, source))
    })
}

fn drop_remote_server(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_name")?;
    let catalog = &mut scope.working.catalog;
    let Some(server) = catalog.remote_servers_of(schema).find(|server| server.name == name) else {
        let known = catalog.remote_servers_of(schema).map(|server| server.name.as_str());
        return Err(Refusal::not_found("remote server", name, known).at_argument("p_name"));
    };
    let id = server.id;
    let uses = |source: &RestSource| {
        source.server == name || source.auth.as_ref().is_some_and(|auth| auth.server.as_deref() == Some(name))
    };
    refuse_if_used(catalog, schema, &format!("remote server `{name}`"), uses)?;
    catalog.remote_servers.remove(&id);
    Ok(NOTHING)
}

fn define_rest_source(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let (name, definition) = (bound.required_text("p_name")?, bound.required_text("p_definition")?);
    let source = RestSource::from_toml(name, definition);
    let source = source.map_err(|broken| match broken.key.as_str() {
        "name" => Refusal::invalid("p_name", broken.rule),
        _ => Refusal::invalid("p_definition", broken),
    })?;
    source_sql::columns(&source.rows).map_err(|broken| Refusal::invalid("p_definition", broken))?;
    put_rest_source(scope, schema, source)?;
    Ok(NOTHING)
}

/// Puts a checked source, new or changed, into the catalog.
pub(super) fn put_rest_source(
    scope: &mut Scope<'_>,
    schema: Id,
    mut source: RestSource,
) -> Result<(), Refusal> {
    keep_secrets_home(scope, schema, Given::Nothing, |working| {
        let before = working.catalog.rest_sources_of(schema).find(|known| known.name == source.name).cloned();
        source.audit = audit_after(working, before.as_ref().map(|source| &source.audit));
        source.id = before.map_or_else(|| working.catalog.take_id(), |source| source.id);
        source.schema_id = schema;
        check_references(&working.catalog, &source)?;
        working.catalog.rest_sources.insert(source.id, source.into());
        Ok(())
    })
}

/// The source that `p_name` names.
fn named_rest_source<'a>(scope: &'a Scope<'_>, schema: Id, bound: &Bound) -> Result<&'a RestSource, Refusal> {
    let name = bound.required_text("p_name")?;
    let sources = || scope.working.catalog.rest_sources_of(schema);
    let Some(source) = sources().find(|source| source.name == name) else {
        let known = sources().map(|source| source.name.as_str());
        return Err(Refusal::not_found("REST source", name, known).at_argument("p_name"));
    };
    Ok(source)
}

fn drop_rest_source(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let id = named_rest_source(scope, schema, bound)?.id;
    keep_secrets_home(scope, schema, Given::Nothing, |working| {
        working.catalog.rest_sources.remove(&id);
        Ok(())
    })?;
    Ok(NOTHING)
}

/// Notes a synchronization, which is made when the block has taken effect.
fn synchronize_rest_source(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let source = named_rest_source(scope, schema, bound)?;
    if source.sync.is_none() {
        let rule = format!("the definition of `{}` has no `sync`, so no table is named", source.name);
        return Err(Refusal::invalid("p_name", rule));
    }
    let asked = (source.id, bound.boolean("p_full").unwrap_or(false));
    scope.working.synchronizations.push(asked);
    Ok(NOTHING)
}

/// Checks that what a source names is there.
pub(super) fn check_references(catalog: &Catalog, source: &RestSource) -> Result<(), Refusal> {
    let schema = source.schema_id;
    let server = |name: &str| catalog.remote_servers_of(schema).find(|server| server.name == name);
    let token_server = source.auth.as_ref().and_then(|auth| server(auth.server.as_deref()?));
    let credential = source.auth.as_ref().and_then(|auth| {
        catalog.credentials_of(schema).find(|credential| credential.name == auth.credential)
    });
    source
        .check_references(
            server(&source.server).map(AsRef::as_ref),
            token_server.map(AsRef::as_ref),
            credential.map(AsRef::as_ref),
        )
        .map_err(|broken| {
            Refusal::raised(code::NOT_FOUND, format!("REST source `{}`: {broken}", source.name))
                .at_argument("p_definition")
        })
}

/// Refuses to drop what sources name.
pub(super) fn refuse_if_used(
    catalog: &Catalog,
    schema: Id,
    what: &str,
    uses: impl Fn(&RestSource) -> bool,
) -> Result<(), Refusal> {
    let named_by: Vec<&str> =
        catalog.rest_sources_of(schema).filter(|source| uses(source)).map(|it| it.name.as_str()).collect();
    if named_by.is_empty() {
        return Ok(());
    }
    let message = format!("{what} is used by REST source {}; drop that first", named_by.join(", "));
    Err(Refusal::raised(code::INVALID_VALUE, message).at_argument("p_name"))
}

/// The audit record of an object that replaces one with this record.
pub(super) fn audit_after(working: &Working, before: Option<&Audit>) -> Audit {
    let mut audit = before.cloned().unwrap_or_else(|| Audit::created(&working.author, working.now_ms));
    audit.touch(&working.author, working.now_ms);
    audit
}

/// Reads one of a few words, in any letter case.
pub(super) fn read_word<T: Copy>(
    argument: &'static str,
    word: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Refusal> {
    all.iter().copied().find(|one| name(*one).eq_ignore_ascii_case(word)).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|one| name(*one)).collect();
        Refusal::invalid(argument, format!("`{word}` is not one of {}", known.join(", ")))
    })
}

const SERVER_ARGUMENTS: [(&str, &str); 4] =
    [("name", "p_name"), ("base_url", "p_base_url"), ("tls_ca", "p_tls_ca"), ("comments", "p_comments")];

/// Names the argument that stands for the key at fault.
pub(super) fn refuse(arguments: &[(&str, &'static str)], broken: &DefinitionError) -> Refusal {
    let key = broken.key.split(['.', '[']).next().unwrap_or_default();
    match arguments.iter().find(|(known, _)| *known == key) {
        Some((_, argument)) => Refusal::invalid(argument, &broken.rule),
        None => Refusal::raised(code::INVALID_VALUE, broken.to_string()),
    }
}
