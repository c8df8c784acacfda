//! Package ORDS: modules (ORDS Developer's Guide, package ORDS).
//!
//! An object that is defined again keeps its own identity; everything below it is made anew, as in ORDS.

use gatepost_plsql::Value;
use gatepost_rest::definition::{Id, Module, ReadsFrom};

use super::origins;
use super::refusal::{Refusal, code};
use super::scope::{NOTHING, Scope};
use super::signature::{Bound, Parameter, Signature, free_text, number, procedure, text};
use super::working::{Working, find_module, find_privilege};

/// The calls of this file.
pub(super) static CALLS: [Signature; 6] = [
    procedure("DEFINE_MODULE", &[&DEFINE_MODULE], define_module),
    procedure(
        "PUBLISH_MODULE",
        &[&[text("p_module_name"), text("p_status").or_text("PUBLISHED")]],
        publish_module,
    ),
    procedure(
        "RENAME_MODULE",
        &[&[
            text("p_module_name"),
            text("p_new_name").or_null(),
            text("p_new_base_path").or_null().formerly("p_base_path"),
        ]],
        rename_module,
    ),
    procedure(
        "SET_MODULE_ORIGINS_ALLOWED",
        &[&[text("p_module_name"), text("p_origins_allowed")]],
        set_module_origins_allowed,
    ),
    procedure(
        "SET_MODULE_PRIVILEGE",
        &[&[text("p_module_name"), text("p_privilege_name")]],
        set_module_privilege,
    ),
    procedure("DELETE_MODULE", &[&[text("p_module_name")]], delete_module),
];

const DEFINE_MODULE: [Parameter; 5] = [
    text("p_module_name"),
    text("p_base_path"),
    number("p_items_per_page").or_number(25),
    text("p_status").or_text("PUBLISHED"),
    text("p_comments").or_null(),
];

fn define_module(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let module = read_module(scope.working, schema, bound, "p_comments")?;
    scope.working.put_module(module);
    Ok(NOTHING)
}

/// The module that the arguments describe, without templates.
pub(super) fn read_module(
    working: &mut Working,
    schema: Id,
    bound: &Bound,
    comments: &'static str,
) -> Result<Module, Refusal> {
    let name = bound.required_text("p_module_name")?;
    Module::check_name(name)?;
    let base_path = Module::normalize_base_path(bound.text("p_base_path").unwrap_or_default())?;
    let items_per_page = bound.count("p_items_per_page")?.unwrap_or(Module::ITEMS_PER_PAGE_DEFAULT);
    let published = read_status(bound)?;
    let comments = free_text(bound, comments, 4000)?;
    check_base_path_is_free(working, schema, name, &base_path)?;
    let before = working.catalog.modules.named(schema, name).cloned();
    let audit = working.audit_after(before.as_ref().map(|module| &module.audit));
    Ok(Module {
        id: before.as_ref().map_or_else(|| working.catalog.take_id(), |module| module.id),
        schema_id: schema,
        name: name.to_owned(),
        base_path,
        items_per_page,
        published,
        comments,
        origins_allowed: Vec::new(),
        // A script that knows no replicas does not take a promise back.
        reads_from: before.map_or_else(ReadsFrom::default, |module| module.reads_from),
        templates: Vec::new(),
        audit,
    })
}

fn read_status(bound: &Bound) -> Result<bool, Refusal> {
    match bound.text("p_status").unwrap_or("PUBLISHED").to_ascii_uppercase().as_str() {
        "PUBLISHED" => Ok(true),
        "NOT_PUBLISHED" => Ok(false),
        other => {
            Err(Refusal::invalid("p_status", format!("`{other}` is not one of PUBLISHED, NOT_PUBLISHED")))
        }
    }
}

fn check_base_path_is_free(
    working: &Working,
    schema: Id,
    name: &str,
    base_path: &str,
) -> Result<(), Refusal> {
    let clash = working.catalog.modules_of(schema).find(|m| m.base_path == base_path && m.name != name);
    match clash {
        Some(other) => {
            let message = format!("base path `{base_path}` is used by module `{}`", other.name);
            Err(Refusal::raised(code::ALREADY_EXISTS, message).at_argument("p_base_path"))
        }
        None => Ok(()),
    }
}

fn publish_module(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let published = read_status(bound)?;
    change_module(scope, bound, |module| module.published = published)
}

/// Changes the fields of a module and leaves what is below it.
pub(super) fn change_module(
    scope: &mut Scope<'_>,
    bound: &Bound,
    change: impl FnOnce(&mut Module),
) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let (author, now_ms) = (scope.working.author.clone(), scope.working.now_ms);
    let module = scope.working.module_mut(schema, bound.required_text("p_module_name")?)?;
    change(module);
    module.audit.touch(&author, now_ms);
    Ok(NOTHING)
}

fn rename_module(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let old = bound.required_text("p_module_name")?;
    find_module(&scope.working.catalog, schema, old)?;
    let new_name = bound.text("p_new_name").map(str::to_owned);
    if let Some(name) = &new_name {
        Module::check_name(name)?;
        if name != old && scope.working.catalog.modules.named(schema, name).is_some() {
            return Err(Refusal::exists("module", name).at_argument("p_new_name"));
        }
    }
    let new_path = bound.text("p_new_base_path").map(Module::normalize_base_path).transpose()?;
    if let Some(path) = &new_path {
        check_base_path_is_free(scope.working, schema, old, path)?;
    }
    change_module(scope, bound, |module| {
        module.name = new_name.unwrap_or_else(|| module.name.clone());
        module.base_path = new_path.unwrap_or_else(|| module.base_path.clone());
    })
}

fn set_module_origins_allowed(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let origins = origins::parse(bound.text("p_origins_allowed").unwrap_or_default())?;
    change_module(scope, bound, |module| module.origins_allowed = origins)
}

/// Attaches the module to this privilege and detaches it from all others.
fn set_module_privilege(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let catalog = &scope.working.catalog;
    let module = find_module(catalog, schema, bound.required_text("p_module_name")?)?.id;
    let chosen = find_privilege(catalog, schema, bound.required_text("p_privilege_name")?)?.id;
    let others = catalog.privileges_of(schema).filter(|p| p.id != chosen && p.modules.contains(&module));
    let changed: Vec<Id> = others.map(|privilege| privilege.id).chain([chosen]).collect();
    for id in changed {
        let Some(mut privilege) = scope.working.catalog.privileges.get(&id).map(|p| (**p).clone()) else {
            continue;
        };
        privilege.modules.retain(|other| *other != module);
        if id == chosen {
            privilege.modules.push(module);
        }
        privilege.audit = scope.working.audit_after(Some(&privilege.audit));
        scope.working.put_privilege(privilege);
    }
    Ok(NOTHING)
}

/// Deletes a module with everything below it. No module of this name is no error.
fn delete_module(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_module_name")?;
    let working = &mut *scope.working;
    let Some(id) = working.catalog.modules.named(schema, name).map(|m| m.id) else {
        working.note(format!("module `{name}` does not exist, nothing to delete"));
        return Ok(NOTHING);
    };
    working.catalog.modules.remove(&id);
    let listing: Vec<_> =
        working.catalog.privileges_of(schema).filter(|p| p.modules.contains(&id)).cloned().collect();
    for privilege in listing {
        let mut privilege = (*privilege).clone();
        privilege.modules.retain(|module| *module != id);
        working.note(format!("privilege `{}` no longer names module `{name}`", privilege.name));
        privilege.audit = working.audit_after(Some(&privilege.audit));
        working.put_privilege(privilege);
    }
    Ok(NOTHING)
}
