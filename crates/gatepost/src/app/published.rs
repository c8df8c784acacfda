//! What a schema publishes, compiled: the router, the locks, and each handler when it is first needed.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gatepost_oauth::{KeyRing, SealingKeys};
use gatepost_rest::access::{AccessRules, TemplateLocks, Unprotected};
use gatepost_rest::definition::{Handler, Method, Module, Privilege, PublicEntry, Role, Schema, Template};
use gatepost_rest::pattern::Pattern;
use gatepost_rest::router::{ModuleRoutes, RouteConflict, Router};
use gatepost_rest::source::{self, CompiledSource, NotRunnable, RemoteTables};
use gatepost_rest::sql::Dialect;
use gatepost_sources::definition::RestSource;
use gatepost_store::catalog::Catalog;
use gatepost_store::data::{DataStore, Description};

use super::remote_rows::tables;

/// A schema as requests see it. Immutable; replaced when anything of it changes.
#[derive(Debug)]
pub struct PublishedSchema {
    /// As the catalog has it.
    pub schema: Arc<Schema>,
    /// Its name, for logs.
    pub name: Arc<str>,
    /// From a path to a template.
    pub router: Router<PublishedTemplate>,
    /// Who may pass.
    pub rules: AccessRules,
    /// The keys that seal its tokens.
    pub sealing: SealingKeys,
    /// Its issuer, `{public URL}{context}/{alias}`.
    pub issuer: String,
    /// Where its handlers run; absent while the data cannot be opened.
    pub data: Option<DataStore>,
    /// Templates that another one hides.
    pub conflicts: Vec<RouteConflict>,
    parts: Parts,
}

/// A template with its locks and handlers.
#[derive(Debug)]
pub struct PublishedTemplate {
    /// The module it belongs to.
    pub module: Arc<Module>,
    /// Which of the module's templates it is.
    pub index: usize,
    /// `module pattern`, for logs.
    pub route: Arc<str>,
    /// What can lock or open it, found in advance.
    pub locks: TemplateLocks,
    /// The URL of its module in the metadata catalog.
    pub described_by: Arc<str>,
    dialect: Dialect,
    tables: Arc<RemoteTables>,
    handlers: [Option<PublishedHandler>; Method::ALL.len()],
}

/// A handler; compiled when it is first called.
#[derive(Debug)]
pub struct PublishedHandler {
    index: usize,
    compiled: OnceLock<Result<Arc<CompiledSource>, NotRunnable>>,
    described: Mutex<Option<(Instant, Arc<Description>)>>,
}

/// How long is believed what the database said of a handler: tables change without the catalog.
const DESCRIPTION_FRESH: Duration = Duration::from_secs(60);

/// What a published schema was made from, to tell whether it is still true.
#[derive(Debug)]
struct Parts {
    modules: Vec<Arc<Module>>,
    privileges: Vec<Arc<Privilege>>,
    roles: Vec<Arc<Role>>,
    public_entries: Vec<Arc<PublicEntry>>,
    rest_sources: Vec<Arc<RestSource>>,
}

impl PublishedSchema {
    /// Compiles a schema.
    pub fn build(
        catalog: &Catalog,
        schema: &Arc<Schema>,
        issuer: String,
        ring: &KeyRing,
        unprotected: Unprotected,
        dialect: Dialect,
        data: Option<DataStore>,
    ) -> Self {
        let parts = Parts::of(catalog, schema);
        let rules = AccessRules::build(
            schema.id,
            &parts.modules,
            &parts.privileges,
            &parts.roles,
            &parts.public_entries,
            unprotected,
        );
        let published = parts.modules.iter().filter(|module| module.published);
        let tables = Arc::new(tables(&parts.rest_sources));
        let (router, conflicts) =
            Router::build(published.map(|module| routes_of(module, &rules, &issuer, dialect, &tables)));
        let sealing = SealingKeys::for_schema(ring, &issuer, schema.id);
        let name = schema.name.as_str().into();
        Self { schema: Arc::clone(schema), name, router, rules, sealing, issuer, data, conflicts, parts }
    }

    /// Whether this is still what the catalog says.
    pub fn is_current(&self, catalog: &Catalog, schema: &Arc<Schema>) -> bool {
        Arc::ptr_eq(&self.schema, schema) && self.parts.is_current(&Parts::of(catalog, schema))
    }

    /// The module that `base_path` belongs to.
    pub fn module(&self, base_path: &str) -> Option<&Arc<Module>> {
        self.parts.modules.iter().find(|module| module.published && module.base_path == base_path)
    }

    /// All modules, published or not.
    pub fn modules(&self) -> &[Arc<Module>] {
        &self.parts.modules
    }

    /// The REST source of this name, as handlers were compiled for it.
    pub fn rest_source(&self, name: &str) -> Option<&Arc<RestSource>> {
        self.parts.rest_sources.iter().find(|source| source.name == name)
    }

    /// All privileges.
    pub fn privileges(&self) -> &[Arc<Privilege>] {
        &self.parts.privileges
    }

    /// All roles.
    pub fn roles(&self) -> &[Arc<Role>] {
        &self.parts.roles
    }
}

impl Parts {
    fn of(catalog: &Catalog, schema: &Schema) -> Self {
        Self {
            modules: catalog.modules_of(schema.id).cloned().collect(),
            privileges: catalog.privileges_of(schema.id).cloned().collect(),
            roles: catalog.roles_of(schema.id).cloned().collect(),
            public_entries: catalog.public_entries_of(schema.id).cloned().collect(),
            rest_sources: catalog.rest_sources_of(schema.id).cloned().collect(),
        }
    }

    fn is_current(&self, now: &Self) -> bool {
        fn same<T>(before: &[Arc<T>], now: &[Arc<T>]) -> bool {
            before.len() == now.len() && before.iter().zip(now).all(|(before, now)| Arc::ptr_eq(before, now))
        }
        same(&self.modules, &now.modules)
            && same(&self.privileges, &now.privileges)
            && same(&self.roles, &now.roles)
            && same(&self.public_entries, &now.public_entries)
            && same(&self.rest_sources, &now.rest_sources)
    }
}

fn routes_of(
    module: &Arc<Module>,
    rules: &AccessRules,
    issuer: &str,
    dialect: Dialect,
    tables: &Arc<RemoteTables>,
) -> ModuleRoutes<PublishedTemplate> {
    let described_by: Arc<str> = format!("{issuer}/metadata-catalog{}", module.base_path).into();
    let routes = module.templates.iter().enumerate().filter_map(|(index, template)| {
        // Patterns are checked when they are defined; one that cannot be read is not served.
        let pattern = Pattern::parse(&template.pattern).ok()?;
        let locks = rules.locks_of_template(&module.base_path, &pattern);
        let published = PublishedTemplate::new(module, index, locks, &described_by, (dialect, tables));
        Some((pattern, template.priority, published))
    });
    ModuleRoutes { base_path: module.base_path.clone(), routes: routes.collect() }
}

impl PublishedTemplate {
    fn new(
        module: &Arc<Module>,
        index: usize,
        locks: TemplateLocks,
        described_by: &Arc<str>,
        (dialect, tables): (Dialect, &Arc<RemoteTables>),
    ) -> Self {
        let template = &module.templates[index];
        let handlers = Method::ALL.map(|method| {
            let index = template.handlers.iter().position(|handler| handler.method == method)?;
            Some(PublishedHandler { index, compiled: OnceLock::new(), described: Mutex::default() })
        });
        Self {
            module: Arc::clone(module),
            index,
            route: format!("{} {}", module.name, template.pattern).into(),
            locks,
            described_by: Arc::clone(described_by),
            dialect,
            tables: Arc::clone(tables),
            handlers,
        }
    }

    /// The template's definition.
    pub fn template(&self) -> &Template {
        &self.module.templates[self.index]
    }

    /// The definition and the compiled form of the handler of this method.
    pub fn handler(&self, method: Method) -> Option<(&Handler, &PublishedHandler)> {
        let published = self.handlers[method as usize].as_ref()?;
        Some((&self.template().handlers[published.index], published))
    }

    /// The methods that have a handler.
    pub fn methods(&self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(|method| self.handlers[*method as usize].is_some())
    }

    /// The compiled source of a handler of this template.
    pub fn compiled<'a>(
        &'a self,
        handler: &Handler,
        published: &'a PublishedHandler,
    ) -> Result<&'a Arc<CompiledSource>, &'a NotRunnable> {
        let compile = || {
            let etag_query = self.template().etag_query.as_deref();
            source::compile_with(handler, etag_query, self.dialect, &self.tables).map(Arc::new)
        };
        published.compiled.get_or_init(compile).as_ref()
    }
}

impl PublishedHandler {
    /// What the database said of it lately.
    pub fn known_description(&self) -> Option<Arc<Description>> {
        let known = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known.as_ref().filter(|(said, _)| said.elapsed() < DESCRIPTION_FRESH);
        fresh.map(|(_, description)| Arc::clone(description))
    }

    /// Keeps what the database says of it now.
    pub fn keep_description(&self, description: Arc<Description>) {
        let mut known = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((Instant::now(), description));
    }
}
