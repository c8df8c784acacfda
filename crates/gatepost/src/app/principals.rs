//! Who can call: the clients of the catalog, ready to be checked.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use gatepost_oauth::{Client, SecretProof};
use gatepost_rest::access::ClientAccess;
use gatepost_rest::definition::Id;
use gatepost_store::catalog::Catalog;

/// A client with what the decision needs of it.
#[derive(Debug)]
pub struct KnownClient {
    /// As the catalog has it.
    pub client: Arc<Client>,
    /// Its name.
    pub name: Arc<str>,
    /// Its id, roles and privileges.
    pub access: ClientAccess,
    /// Proof that a chosen secret was checked once; forgotten when the client changes.
    pub proof: RwLock<Option<SecretProof>>,
}

/// All clients, by catalog id and by what they present.
#[derive(Debug, Default)]
pub struct Principals {
    by_id: HashMap<Id, Arc<KnownClient>>,
    by_client_id: HashMap<Box<str>, Vec<Arc<KnownClient>>>,
    chosen_secrets: bool,
}

impl Principals {
    /// Whether the clients of the two catalogs are the same objects.
    pub fn unchanged(before: &Catalog, after: &Catalog) -> bool {
        before.clients.len() == after.clients.len()
            && before.clients.values().zip(after.clients.values()).all(|(old, new)| Arc::ptr_eq(old, new))
    }

    /// Indexes the catalog's clients; those that did not change are taken from `before`.
    pub fn build(catalog: &Catalog, before: &Self) -> Self {
        let mut principals = Self {
            by_id: HashMap::with_capacity(catalog.clients.len()),
            by_client_id: HashMap::with_capacity(catalog.clients.len()),
            chosen_secrets: catalog.clients.values().any(|client| client.has_chosen_secret()),
        };
        for (id, client) in &catalog.clients {
            let known = before
                .by_id
                .get(id)
                .filter(|known| Arc::ptr_eq(&known.client, client))
                .map_or_else(|| Arc::new(KnownClient::new(Arc::clone(client))), Arc::clone);
            principals
                .by_client_id
                .entry(client.client_id.as_str().into())
                .or_default()
                .push(Arc::clone(&known));
            principals.by_id.insert(*id, known);
        }
        principals
    }

    /// Whether a client has a secret that is slow to check; then unknown clients take as long (STO-04).
    pub fn has_chosen_secrets(&self) -> bool {
        self.chosen_secrets
    }

    /// The client with this catalog id.
    pub fn find(&self, id: Id) -> Option<&Arc<KnownClient>> {
        self.by_id.get(&id)
    }

    /// The client of this schema that presents `client_id`.
    pub fn find_presented(&self, schema_id: Id, client_id: &str) -> Option<&Arc<KnownClient>> {
        self.by_client_id.get(client_id)?.iter().find(|known| known.client.schema_id == schema_id)
    }
}

impl KnownClient {
    fn new(client: Arc<Client>) -> Self {
        let sorted = |ids: &[Id]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids.into_boxed_slice()
        };
        let access = ClientAccess {
            id: client.id,
            name: client.name.as_str().into(),
            client_id: client.client_id.as_str().into(),
            roles: sorted(&client.roles),
            privileges: sorted(&client.privileges),
        };
        Self { name: client.name.as_str().into(), client, access, proof: RwLock::new(None) }
    }
}
