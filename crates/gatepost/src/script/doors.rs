//! The check at the end of a block that no door opens or widens in passing (design decisions 1 and 3).

use std::sync::Arc;

use gatepost_rest::access::{AccessRules, Unprotected, uncovered_public};
use gatepost_rest::definition::{Id, Module, PublicEntry};
use gatepost_rest::pattern::Pattern;
use gatepost_store::catalog::Catalog;

use super::changes;
use super::working::Working;

/// Why the block must not take effect, if so.
pub(super) fn refusal(before: &Catalog, working: &Working) -> Option<String> {
    // Nothing can come to light where nothing is public.
    let public = |schema: &Id| working.catalog.public_entries_of(*schema).next().is_some();
    for schema in changes::schemas(before, &working.catalog).into_iter().filter(public) {
        let exposed = uncovered_public(&rules(before, schema), &rules(&working.catalog, schema));
        if let Some(entry) = exposed.first() {
            return Some(entry.to_string());
        }
        if let Some(moved) = moved_into_the_open(before, &working.catalog, schema) {
            return Some(moved);
        }
    }
    working.orphans.iter().find_map(|orphan| {
        let privilege = working.catalog.privileges.get(&orphan.privilege)?;
        privilege.roles.is_empty().then(|| {
            format!(
                "role `{}` was the only one that opens privilege `{name}`: without it every client that lists \
                 `{name}` would be admitted; define the privilege with another role, or delete it",
                orphan.role,
                name = privilege.name
            )
        })
    })
}

/// A template that was locked and that an old public entry would open where its module is now. New paths come to
/// light as little as old ones. (Where the paths are the same, only locks that went can bring them to light.)
fn moved_into_the_open(before: &Catalog, after: &Catalog, schema: Id) -> Option<String> {
    let moved: Vec<_> = after
        .modules_of(schema)
        .filter_map(|module| Some((earlier_form(before, module)?, module)))
        .filter(|(earlier, module)| earlier.base_path != module.base_path)
        .collect();
    if moved.is_empty() {
        return None;
    }
    let known = |entry: &Arc<PublicEntry>| before.public_entries.contains_key(&entry.id);
    let (old, new) = (rules(before, schema), rules_with_entries(after, schema, known));
    let locks = |rules: &AccessRules, module: &Module, pattern: &str| {
        Pattern::parse(pattern).ok().map(|pattern| rules.locks_of_template(&module.base_path, &pattern))
    };
    for (earlier, module) in moved {
        for template in
            module.templates.iter().filter(|template| earlier.template(&template.pattern).is_some())
        {
            let was_locked =
                locks(&old, earlier, &template.pattern).is_some_and(|locks| locks.always_locked());
            if was_locked && locks(&new, module, &template.pattern).is_some_and(|locks| locks.may_be_public())
            {
                return Some(format!(
                    "template `{}` of module `{}` is locked and would be open to everybody below {}, because a public \
                     entry covers that: remove the entry first with GATEPOST.DENY_PUBLIC, or lock the new place",
                    template.pattern, module.name, module.base_path
                ));
            }
        }
    }
    None
}

/// What a module was, by its id, or by its name when it was defined anew.
fn earlier_form<'c>(before: &'c Catalog, module: &Module) -> Option<&'c Arc<Module>> {
    before
        .modules
        .get(&module.id)
        .filter(|earlier| earlier.schema_id == module.schema_id)
        .or_else(|| before.modules.named(module.schema_id, &module.name))
}

/// The access rules of a schema.
pub(super) fn rules(catalog: &Catalog, schema: Id) -> AccessRules {
    rules_with_entries(catalog, schema, |_| true)
}

fn rules_with_entries(
    catalog: &Catalog,
    schema: Id,
    counts: impl Fn(&Arc<PublicEntry>) -> bool,
) -> AccessRules {
    let modules: Vec<_> = catalog.modules_of(schema).map(Arc::clone).collect();
    let privileges: Vec<_> = catalog.privileges_of(schema).map(Arc::clone).collect();
    let roles: Vec<_> = catalog.roles_of(schema).map(Arc::clone).collect();
    let entries: Vec<_> =
        catalog.public_entries_of(schema).filter(|entry| counts(entry)).map(Arc::clone).collect();
    AccessRules::build(schema, &modules, &privileges, &roles, &entries, Unprotected::Refuse)
}
