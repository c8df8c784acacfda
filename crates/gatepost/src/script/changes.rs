//! What a block changed, object by object, for its author and for whoever reviews a dry run.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatepost_rest::definition::Id;
use gatepost_store::catalog::Catalog;

/// The differences between two catalogs: `module shop.v1: created`.
pub(super) fn describe(before: &Catalog, after: &Catalog) -> Vec<String> {
    let mut changes = Vec::new();
    compare("schema", &before.schemas, &after.schemas, |schema| &schema.name, &mut changes);
    compare("module", &before.modules, &after.modules, |module| &module.name, &mut changes);
    compare("role", &before.roles, &after.roles, |role| &role.name, &mut changes);
    compare("privilege", &before.privileges, &after.privileges, |privilege| &privilege.name, &mut changes);
    compare("public", &before.public_entries, &after.public_entries, |entry| &entry.pattern, &mut changes);
    compare("client", &before.clients, &after.clients, |client| &client.name, &mut changes);
    changes
}

/// Whether two catalogs differ in any object.
pub(super) fn any(before: &Catalog, after: &Catalog) -> bool {
    !describe(before, after).is_empty()
}

fn compare<T: PartialEq>(
    kind: &str,
    before: &BTreeMap<Id, Arc<T>>,
    after: &BTreeMap<Id, Arc<T>>,
    name: fn(&T) -> &String,
    changes: &mut Vec<String>,
) {
    for (id, object) in after {
        match before.get(id) {
            None => changes.push(format!("{kind} {}: created", name(object))),
            Some(old) if Arc::ptr_eq(old, object) || old == object => {}
            Some(_) => changes.push(format!("{kind} {}: changed", name(object))),
        }
    }
    for (id, object) in before {
        if !after.contains_key(id) {
            changes.push(format!("{kind} {}: deleted", name(object)));
        }
    }
}
