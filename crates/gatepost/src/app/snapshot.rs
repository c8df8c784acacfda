//! What requests are answered from: one immutable value behind an atomic pointer.

use std::collections::HashMap;
use std::sync::Arc;

use gatepost_rest::definition::Id;
use gatepost_store::catalog::Catalog;

use super::principals::Principals;
use super::published::PublishedSchema;

/// The catalog at one revision, compiled. Definitions, principals and revocations are parts of their own, each
/// taken over from the snapshot before when it did not change.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The catalog itself.
    pub catalog: Arc<Catalog>,
    /// Clients.
    pub principals: Arc<Principals>,
    schemas: HashMap<Box<str>, Arc<PublishedSchema>>,
}

impl Snapshot {
    /// Compiles a catalog. `publish` compiles one schema, given what it was before.
    pub fn build(
        catalog: Catalog,
        before: &Self,
        mut publish: impl FnMut(&Catalog, Id, Option<&Arc<PublishedSchema>>) -> Arc<PublishedSchema>,
    ) -> Self {
        let mut schemas = HashMap::with_capacity(catalog.schemas.len());
        for schema in catalog.schemas.values().filter(|schema| schema.enabled) {
            let known = before.schemas.values().find(|known| known.schema.id == schema.id);
            schemas.insert(schema.alias.as_str().into(), publish(&catalog, schema.id, known));
        }
        Self { schemas, ..Self::uncompiled(catalog, before) }
    }

    /// A catalog with the schemas as they were before.
    pub(super) fn uncompiled(catalog: Catalog, before: &Self) -> Self {
        let principals = if Principals::unchanged(&before.catalog, &catalog) {
            Arc::clone(&before.principals)
        } else {
            Arc::new(Principals::build(&catalog, &before.principals))
        };
        Self { catalog: Arc::new(catalog), principals, schemas: before.schemas.clone() }
    }

    /// The enabled schema with this alias.
    pub fn schema(&self, alias: &str) -> Option<&Arc<PublishedSchema>> {
        self.schemas.get(alias)
    }

    /// All enabled schemas.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<PublishedSchema>> {
        self.schemas.values()
    }
}
