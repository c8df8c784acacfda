//! Package ORDS: roles and privileges (ORDS Developer's Guide, package ORDS).

use std::sync::Arc;

use gatepost_plsql::Value;
use gatepost_rest::cover::Cover;
use gatepost_rest::definition::{Id, Privilege, Role};

use super::refusal::Refusal;
use super::scope::{NOTHING, Scope};
use super::signature::{Bound, Parameter, Signature, free_text, procedure, text, texts};
use super::working::{Orphan, Working, find_module, find_privilege};

/// The calls of this file.
pub(super) static CALLS: [Signature; 9] = [
    procedure("CREATE_ROLE", &[&[text("p_role_name")]], create_role),
    procedure("RENAME_ROLE", &[&[text("p_role_name"), text("p_new_name")]], rename_role),
    procedure("DELETE_ROLE", &[&[text("p_role_name")]], delete_role),
    procedure("DEFINE_PRIVILEGE", &[&DEFINE_PRIVILEGE, &WITHOUT_MODULES, &ROLES_ONLY], define_privilege),
    procedure("CREATE_PRIVILEGE", &[&CREATE_PRIVILEGE, &CREATE_PRIVILEGE_ROLES], create_privilege),
    procedure(
        "CREATE_PRIVILEGE_MAPPING",
        &[&[text("p_privilege_name"), text("p_pattern")], &[text("p_privilege_name"), texts("p_patterns")]],
        create_privilege_mapping,
    ),
    procedure(
        "DELETE_PRIVILEGE_MAPPING",
        &[&[text("p_privilege_name"), text("p_pattern")]],
        delete_privilege_mapping,
    ),
    procedure(
        "RENAME_PRIVILEGE",
        &[&[text("p_name").formerly("p_privilege_name"), text("p_new_name")]],
        rename_privilege,
    ),
    procedure("DELETE_PRIVILEGE", &[&[text("p_name").formerly("p_privilege_name")]], delete_privilege),
];

const DEFINE_PRIVILEGE: [Parameter; 7] = [
    text("p_privilege_name"),
    texts("p_roles"),
    texts("p_patterns").or_empty(),
    texts("p_modules").or_empty(),
    text("p_label").or_null(),
    text("p_description").or_null(),
    text("p_comments").or_null(),
];

const WITHOUT_MODULES: [Parameter; 6] = [
    text("p_privilege_name"),
    texts("p_roles"),
    texts("p_patterns"),
    text("p_label").or_null(),
    text("p_description").or_null(),
    text("p_comments").or_null(),
];

const ROLES_ONLY: [Parameter; 5] = [
    text("p_privilege_name"),
    texts("p_roles"),
    text("p_label").or_null(),
    text("p_description").or_null(),
    text("p_comments").or_null(),
];

const CREATE_PRIVILEGE: [Parameter; 5] = [
    text("p_name").formerly("p_privilege_name"),
    text("p_role_name"),
    text("p_label").or_null(),
    text("p_description").or_null(),
    text("p_comments").or_null(),
];

const CREATE_PRIVILEGE_ROLES: [Parameter; 5] = [
    text("p_name").formerly("p_privilege_name"),
    texts("p_roles"),
    text("p_label").or_null(),
    text("p_description").or_null(),
    text("p_comments").or_null(),
];

/// Roles that ORDS has from the start. Here they are roles like any other, made when a script first names them.
const BUILT_IN_ROLES: [&str; 9] = [
    "SQL Developer",
    "RESTful Services",
    "OAuth2 Client Developer",
    "OAuth Client Developer",
    "SODA Developer",
    "SQL Administrator",
    "Listener Administrator",
    "System Administrator",
    "Schema Administrator",
];

/// The role of this name. Gatepost's own role and those that ORDS has from the start are made when first named.
pub(super) fn role_or_built_in(working: &mut Working, schema: Id, name: &str) -> Result<Id, Refusal> {
    let missing = match working.role(schema, name) {
        Ok(id) => return Ok(id),
        Err(missing) => missing,
    };
    if name == Role::INTROSPECT {
        return Ok(working.add_role(schema, name));
    }
    if BUILT_IN_ROLES.contains(&name) || name.starts_with("oracle.dbtools.") {
        working.note(format!(
            "role `{name}` is built into ORDS; here it is a role like any other and opens what privileges name it for"
        ));
        return Ok(working.add_role(schema, name));
    }
    Err(missing)
}

/// Makes a role. One of this name stays as it is, because exported scripts make their roles unconditionally.
fn create_role(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_role_name")?;
    Role::check_name(name)?;
    if scope.working.catalog.roles.named(schema, name).is_none() {
        scope.working.add_role(schema, name);
    }
    Ok(NOTHING)
}

fn rename_role(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let id = scope.working.role(schema, bound.required_text("p_role_name")?)?;
    let new_name = bound.required_text("p_new_name")?;
    Role::check_name(new_name)?;
    if scope.working.catalog.roles_of(schema).any(|role| role.name == new_name && role.id != id) {
        return Err(Refusal::exists("role", new_name).at_argument("p_new_name"));
    }
    let (author, now_ms) = (scope.working.author.clone(), scope.working.now_ms);
    if let Some(role) = scope.working.catalog.roles.get_mut(&id) {
        let role = Arc::make_mut(role);
        new_name.clone_into(&mut role.name);
        role.audit.touch(&author, now_ms);
    }
    Ok(NOTHING)
}

/// Deletes a role with its grants. A privilege must not end up without roles that way: it would then admit
/// every client that lists it.
fn delete_role(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_role_name")?;
    let working = &mut *scope.working;
    let id = working.role(schema, name)?;
    let asking: Vec<_> =
        working.catalog.privileges_of(schema).filter(|p| p.roles.contains(&id)).cloned().collect();
    for privilege in asking {
        let mut privilege = (*privilege).clone();
        privilege.roles.retain(|role| *role != id);
        privilege.audit = working.audit_after(Some(&privilege.audit));
        if privilege.roles.is_empty() {
            working.orphans.push(Orphan { privilege: privilege.id, role: name.to_owned() });
        }
        working.put_privilege(privilege);
    }
    let holding: Vec<_> =
        working.catalog.clients_of(schema).filter(|c| c.roles.contains(&id)).cloned().collect();
    for client in holding {
        let mut client = (*client).clone();
        client.roles.retain(|role| *role != id);
        working.author.clone_into(&mut client.updated_by);
        client.updated_on_ms = working.now_ms;
        working.put_client(client);
    }
    working.catalog.roles.remove(&id);
    Ok(NOTHING)
}

fn define_privilege(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_privilege_name")?;
    Privilege::check_name(name)?;
    let roles = read_roles(scope.working, schema, bound.texts("p_roles")?)?;
    let patterns = read_patterns("p_patterns", bound.texts("p_patterns")?)?;
    let modules = read_modules(scope.working, schema, &bound.texts("p_modules")?)?;
    let working = &mut *scope.working;
    let before = working.catalog.privileges.named(schema, name).cloned();
    let audit = working.audit_after(before.as_ref().map(|privilege| &privilege.audit));
    let id = before.map_or_else(|| working.catalog.take_id(), |privilege| privilege.id);
    working.orphans.retain(|orphan| orphan.privilege != id);
    let (label, description, comments) = read_texts(bound)?;
    let name = name.to_owned();
    working.put_privilege(Privilege {
        id,
        schema_id: schema,
        name,
        label,
        description,
        comments,
        roles,
        patterns,
        modules,
        audit,
    });
    Ok(NOTHING)
}

type Texts = (Option<String>, Option<String>, Option<String>);

fn read_texts(bound: &Bound) -> Result<Texts, Refusal> {
    Ok((
        free_text(bound, "p_label", 255)?,
        free_text(bound, "p_description", 4000)?,
        free_text(bound, "p_comments", 4000)?,
    ))
}

fn read_roles(working: &mut Working, schema: Id, names: Vec<String>) -> Result<Vec<Id>, Refusal> {
    let role = |name: String| {
        role_or_built_in(working, schema, &name).map_err(|refusal| refusal.at_argument("p_roles"))
    };
    names.into_iter().map(role).collect()
}

fn read_patterns(argument: &'static str, patterns: Vec<String>) -> Result<Vec<String>, Refusal> {
    for pattern in &patterns {
        Cover::parse(argument, pattern)?;
    }
    Ok(patterns)
}

fn read_modules(working: &Working, schema: Id, names: &[String]) -> Result<Vec<Id>, Refusal> {
    let module = |name: &String| find_module(&working.catalog, schema, name).map(|module| module.id);
    names.iter().map(|name| module(name).map_err(|refusal| refusal.at_argument("p_modules"))).collect()
}

fn create_privilege(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_name")?;
    Privilege::check_name(name)?;
    if scope.working.catalog.privileges.named(schema, name).is_some() {
        return Err(Refusal::exists("privilege", name).help("ORDS.DEFINE_PRIVILEGE replaces it"));
    }
    let mut names = bound.texts("p_roles")?;
    names.extend(bound.text("p_role_name").map(str::to_owned));
    let roles = read_roles(scope.working, schema, names)?;
    let (label, description, comments) = read_texts(bound)?;
    let id = scope.working.catalog.take_id();
    let audit = scope.working.audit();
    scope.working.put_privilege(Privilege {
        id,
        schema_id: schema,
        name: name.to_owned(),
        label,
        description,
        comments,
        roles,
        patterns: Vec::new(),
        modules: Vec::new(),
        audit,
    });
    Ok(NOTHING)
}

/// Changes a privilege and notes who did.
fn change_privilege(
    scope: &mut Scope<'_>,
    name: &str,
    change: impl FnOnce(&mut Privilege),
) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let (author, now_ms) = (scope.working.author.clone(), scope.working.now_ms);
    let privilege = scope.working.privilege_mut(schema, name)?;
    change(privilege);
    privilege.audit.touch(&author, now_ms);
    Ok(NOTHING)
}

fn create_privilege_mapping(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let mut added = bound.texts("p_patterns")?;
    added.extend(bound.text("p_pattern").map(str::to_owned));
    let added = read_patterns("p_pattern", added)?;
    change_privilege(scope, bound.required_text("p_privilege_name")?, |privilege| {
        for pattern in added {
            if !privilege.patterns.contains(&pattern) {
                privilege.patterns.push(pattern);
            }
        }
    })
}

fn delete_privilege_mapping(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_privilege_name")?;
    let pattern = bound.required_text("p_pattern")?;
    let privilege = find_privilege(&scope.working.catalog, schema, name)?;
    if !privilege.patterns.iter().any(|known| known == pattern) {
        let known = privilege.patterns.iter().map(String::as_str);
        let what = format!("privilege `{name}`: pattern");
        return Err(Refusal::not_found(&what, pattern, known).at_argument("p_pattern"));
    }
    change_privilege(scope, name, |privilege| privilege.patterns.retain(|known| known != pattern))
}

fn rename_privilege(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_name")?;
    let new_name = bound.required_text("p_new_name")?;
    Privilege::check_name(new_name)?;
    if name != new_name && scope.working.catalog.privileges.named(schema, new_name).is_some() {
        return Err(Refusal::exists("privilege", new_name).at_argument("p_new_name"));
    }
    change_privilege(scope, name, |privilege| new_name.clone_into(&mut privilege.name))
}

fn delete_privilege(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_name")?;
    let working = &mut *scope.working;
    let id = find_privilege(&working.catalog, schema, name)?.id;
    let listing: Vec<_> =
        working.catalog.clients_of(schema).filter(|c| c.privileges.contains(&id)).cloned().collect();
    for client in listing {
        let mut client = (*client).clone();
        client.privileges.retain(|privilege| *privilege != id);
        working.author.clone_into(&mut client.updated_by);
        client.updated_on_ms = working.now_ms;
        working.put_client(client);
    }
    working.catalog.privileges.remove(&id);
    Ok(NOTHING)
}
