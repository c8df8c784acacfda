//! What a block changed, object by object, for its author and for whoever reviews a dry run.

use std::collections::{BTreeMap, BTreeSet};
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
    compare(
        "remote server",
        &before.remote_servers,
        &after.remote_servers,
        |server| &server.name,
        &mut changes,
    );
    compare("credential", &before.credentials, &after.credentials, |it| &it.name, &mut changes);
    compare("REST source", &before.rest_sources, &after.rest_sources, |source| &source.name, &mut changes);
    changes
}

/// The schemas in which two catalogs differ.
pub(super) fn schemas(before: &Catalog, after: &Catalog) -> BTreeSet<Id> {
    let mut schemas = BTreeSet::new();
    differing(&before.schemas, &after.schemas, |schema| schema.id, &mut schemas);
    differing(&before.modules, &after.modules, |module| module.schema_id, &mut schemas);
    differing(&before.roles, &after.roles, |role| role.schema_id, &mut schemas);
    differing(&before.privileges, &after.privileges, |privilege| privilege.schema_id, &mut schemas);
    differing(&before.public_entries, &after.public_entries, |entry| entry.schema_id, &mut schemas);
    differing(&before.clients, &after.clients, |client| client.schema_id, &mut schemas);
    differing(&before.remote_servers, &after.remote_servers, |server| server.schema_id, &mut schemas);
    differing(&before.credentials, &after.credentials, |credential| credential.schema_id, &mut schemas);
    differing(&before.rest_sources, &after.rest_sources, |source| source.schema_id, &mut schemas);
    differing(&before.vault_secrets, &after.vault_secrets, |secret| secret.schema_id, &mut schemas);
    schemas
}

fn differing<T: PartialEq>(
    before: &BTreeMap<Id, Arc<T>>,
    after: &BTreeMap<Id, Arc<T>>,
    schema: fn(&T) -> Id,
    schemas: &mut BTreeSet<Id>,
) {
    let new = after.iter().filter(|(id, object)| !before.get(id).is_some_and(|old| same(old, object)));
    let gone = before.iter().filter(|(id, _)| !after.contains_key(id));
    schemas.extend(new.chain(gone).map(|(_, object)| schema(object)));
}

fn same<T: PartialEq>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other) || one == other
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
            Some(old) if same(old, object) => {}
            Some(_) => changes.push(format!("{kind} {}: changed", name(object))),
        }
    }
    for (id, object) in before {
        if !after.contains_key(id) {
            changes.push(format!("{kind} {}: deleted", name(object)));
        }
    }
}
