//! What a block changed, object by object, for its author and for whoever reviews a dry run.

use std::collections::BTreeSet;

use gatepost_rest::definition::Id;
use gatepost_store::catalog::{Catalog, Objects};

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
    before: &Objects<T>,
    after: &Objects<T>,
    schema: fn(&T) -> Id,
    schemas: &mut BTreeSet<Id>,
) {
    let differ = before.unshared(after).filter(|(_, old, new)| old != new);
    schemas.extend(differ.flat_map(|(_, old, new)| [old, new]).flatten().map(|object| schema(object)));
}

fn compare<T: PartialEq>(
    kind: &str,
    before: &Objects<T>,
    after: &Objects<T>,
    name: fn(&T) -> &String,
    changes: &mut Vec<String>,
) {
    let mut deleted = Vec::new();
    for (_, old, new) in before.unshared(after) {
        match (old, new) {
            (None, Some(object)) => changes.push(format!("{kind} {}: created", name(object))),
            (Some(old), Some(object)) if old != object => {
                changes.push(format!("{kind} {}: changed", name(object)));
            }
            (Some(object), None) => deleted.push(format!("{kind} {}: deleted", name(object))),
            _ => {}
        }
    }
    changes.append(&mut deleted);
}
