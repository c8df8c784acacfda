//! The check at the end of a block that no door opens or widens in passing (design decisions 1 and 3).

use std::sync::Arc;

use gatepost_rest::access::{AccessRules, Unprotected, uncovered_public};
use gatepost_rest::definition::Id;
use gatepost_store::catalog::Catalog;

use super::changes;
use super::working::Working;

/// Why the block must not take effect, if so.
pub(super) fn refusal(before: &Catalog, working: &Working) -> Option<String> {
    for schema in changes::schemas(before, &working.catalog) {
        let exposed = uncovered_public(&rules(before, schema), &rules(&working.catalog, schema));
        if let Some(entry) = exposed.first() {
            return Some(entry.to_string());
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

/// The access rules of a schema.
pub(super) fn rules(catalog: &Catalog, schema: Id) -> AccessRules {
    let modules: Vec<_> = catalog.modules_of(schema).map(Arc::clone).collect();
    let privileges: Vec<_> = catalog.privileges_of(schema).map(Arc::clone).collect();
    let roles: Vec<_> = catalog.roles_of(schema).map(Arc::clone).collect();
    let entries: Vec<_> = catalog.public_entries_of(schema).map(Arc::clone).collect();
    AccessRules::build(schema, &modules, &privileges, &roles, &entries, Unprotected::Refuse)
}
