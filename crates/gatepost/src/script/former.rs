//! A former state of an object as a script that brings it back. Never a secret: history keeps none.

use gatepost_oauth::Client;
use gatepost_rest::definition::Id;
use gatepost_store::catalog::{Catalog, CatalogStore, DatabaseError, put_document};

use super::export::{Script, text};

/// The script that makes an object as a document of the history says, on this catalog. `None`: no script makes
/// objects of this kind, or the document holds nothing that could be brought back.
pub fn former(
    store: &CatalogStore,
    catalog: &Catalog,
    kind: &str,
    id: Id,
    body: &str,
) -> Result<Option<String>, DatabaseError> {
    let mut then = catalog.clone();
    put_document(&mut then, kind, id, body)?;
    recall_what_it_names(store, &mut then, kind, id)?;
    Ok(write(catalog, &then, kind, id))
}

/// Roles, modules and privileges that an object names and that are gone are named as they were: a script that needs
/// them fails, instead of making a lock without them.
fn recall_what_it_names(
    store: &CatalogStore,
    then: &mut Catalog,
    kind: &str,
    id: Id,
) -> Result<(), DatabaseError> {
    let (roles, modules, privileges) = match kind {
        "privilege" => then.privileges.get(&id).map_or_else(Default::default, |privilege| {
            (privilege.roles.clone(), privilege.modules.clone(), Vec::new())
        }),
        "client" => then.clients.get(&id).map_or_else(Default::default, |client| {
            (client.roles.clone(), Vec::new(), client.privileges.clone())
        }),
        _ => Default::default(),
    };
    for id in roles.into_iter().filter(|id| !then.roles.contains_key(id)).collect::<Vec<_>>() {
        store.recall(then, "role", id)?;
    }
    for id in modules.into_iter().filter(|id| !then.modules.contains_key(id)).collect::<Vec<_>>() {
        store.recall(then, "module", id)?;
    }
    for id in privileges.into_iter().filter(|id| !then.privileges.contains_key(id)).collect::<Vec<_>>() {
        store.recall(then, "privilege", id)?;
    }
    Ok(())
}

fn write(now: &Catalog, then: &Catalog, kind: &str, id: Id) -> Option<String> {
    let mut script = Script::default();
    match kind {
        "schema" => script.schema(then.schemas.get(&id)?),
        "module" => script.module(then.modules.get(&id)?),
        "role" => {
            let name = text(&then.roles.get(&id)?.name);
            script.call("ords.create_role", &[("p_role_name", name)]);
        }
        "privilege" => script.privilege(then, then.privileges.get(&id)?),
        "public entry" => script.public_entry(then.public_entries.get(&id)?),
        "client" => client(&mut script, now, then, then.clients.get(&id)?),
        "remote server" => script.remote_server(then.remote_servers.get(&id)?),
        "credential" => script.credential(then.credentials.get(&id)?),
        "REST source" => script.rest_source(then.rest_sources.get(&id)?),
        _ => return None,
    }
    Some(script.into_block())
}

/// Importing a client adds roles; those that it did not hold are taken from it.
fn client(script: &mut Script, now: &Catalog, then: &Catalog, client: &Client) {
    script.client(then, client);
    let held = now.clients.named(client.schema_id, &client.name).map(|held| held.roles.clone());
    for id in held.unwrap_or_default().into_iter().filter(|id| !client.roles.contains(id)) {
        let Some(role) = now.roles.get(&id) else { continue };
        script.call(
            "ords_security.revoke_client_role",
            &[("p_client_name", text(&client.name)), ("p_role_name", text(&role.name))],
        );
    }
    if client.enabled {
        script.call(
            "gatepost.set_client_status",
            &[("p_name", text(&client.name)), ("p_status", text("ENABLED"))],
        );
    }
}
