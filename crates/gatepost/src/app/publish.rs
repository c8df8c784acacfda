//! Putting a catalog in force: compiled at once where requests are answered, else when somebody asks. A script of a
//! thousand blocks needs no router.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::Guard;
use gatepost_rest::access::Unprotected;
use gatepost_rest::definition::Id;
use gatepost_store::catalog::Catalog;

use super::App;
use super::published::PublishedSchema;
use super::snapshot::Snapshot;
use crate::config::UnprotectedRoutes;

impl App {
    /// What requests are answered from now.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        if self.uncompiled.load(Ordering::Acquire) {
            self.compile();
        }
        self.snapshot.load()
    }

    /// The catalog now, whether or not it is compiled.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.snapshot.load().catalog)
    }

    /// From now on requests are answered.
    pub(super) fn serve_from_now(&self) {
        self.serves.store(true, Ordering::Release);
        self.compile();
    }

    fn compile(&self) {
        let _refreshing = self.lock_refreshing();
        if self.uncompiled.load(Ordering::Acquire) {
            let catalog = self.catalog();
            self.compile_and_store(catalog.as_ref().clone(), false);
        }
    }

    /// Puts a catalog in force. Callers hold `refreshing`.
    pub(super) fn publish(&self, catalog: Catalog, keys_changed: bool) {
        self.high_water.note(&catalog, self.store.seen_committed_ms(catalog.revision));
        if keys_changed || self.serves.load(Ordering::Acquire) {
            self.compile_and_store(catalog, keys_changed);
        } else {
            let before = self.snapshot.load_full();
            self.snapshot.store(Arc::new(Snapshot::uncompiled(catalog, &before)));
            self.uncompiled.store(true, Ordering::Release);
        }
    }

    fn compile_and_store(&self, catalog: Catalog, keys_changed: bool) {
        let before = self.snapshot.load_full();
        let snapshot = Snapshot::build(catalog, &before, |catalog, id, known| {
            self.publish_schema(catalog, id, known, keys_changed)
        });
        self.snapshot.store(Arc::new(snapshot));
        self.uncompiled.store(false, Ordering::Release);
    }

    fn publish_schema(
        &self,
        catalog: &Catalog,
        id: Id,
        known: Option<&Arc<PublishedSchema>>,
        keys_changed: bool,
    ) -> Arc<PublishedSchema> {
        let schema = &catalog.schemas[&id];
        if let Some(known) = known
            && !keys_changed
            && known.data.is_some()
            && known.is_current(catalog, schema)
        {
            return Arc::clone(known);
        }
        let data = self.data(&schema.name);
        // Asked for every second while it is missing; told once.
        if let Err(error) = &data
            && known.is_none_or(|known| known.data.is_some())
        {
            tracing::error!(schema = schema.name, "data cannot be opened: {error:#}");
        }
        let unprotected = self.unprotected();
        let (issuer, dialect) = (self.issuer(&schema.alias), self.dialect(&schema.name));
        let ring = self.ring.load();
        Arc::new(PublishedSchema::build(catalog, schema, issuer, &ring, unprotected, dialect, data.ok()))
    }

    /// What becomes of a path that nothing covers.
    pub fn unprotected(&self) -> Unprotected {
        match self.config.access.unprotected {
            UnprotectedRoutes::Refuse => Unprotected::Refuse,
            UnprotectedRoutes::Public => Unprotected::Public,
        }
    }
}
