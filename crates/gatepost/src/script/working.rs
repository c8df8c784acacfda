//! The working catalog of a script: a copy that its blocks change and that is committed as a whole or dropped.

use std::sync::Arc;

use gatepost_oauth::Client;
use gatepost_rest::definition::{
    Audit, Handler, Id, Method, Module, Privilege, PublicEntry, Role, Schema, Template,
};
use gatepost_store::catalog::Catalog;

use super::refusal::Refusal;

/// What a block works on. Cloning it is cheap: the objects are shared until they are changed.
#[derive(Clone, Debug)]
pub(super) struct Working {
    /// The definitions as the block has changed them.
    pub(super) catalog: Catalog,
    /// The name of the schema that calls without `p_schema` mean.
    pub(super) current: Option<String>,
    /// Who runs the script.
    pub(super) author: String,
    /// Whether they may manage schemas.
    pub(super) administrator: bool,
    /// The time of the block (milliseconds since 1970).
    pub(super) now_ms: i64,
    /// What the author should know although nothing failed.
    pub(super) notes: Vec<String>,
    /// Privileges that lost their last role because the role was deleted, and have not been defined again.
    pub(super) orphans: Vec<Orphan>,
    /// Sources to be synchronized when the block has taken effect, and whether in full.
    pub(super) synchronizations: Vec<(Id, bool)>,
}

/// A privilege whose last role was deleted.
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    /// The privilege.
    pub(super) privilege: Id,
    /// The role it asked for.
    pub(super) role: String,
}

impl Working {
    /// The audit record of an object made now.
    pub(super) fn audit(&self) -> Audit {
        Audit::created(&self.author, self.now_ms)
    }

    /// The audit record of an object that replaces one with this record.
    pub(super) fn audit_after(&self, before: Option<&Audit>) -> Audit {
        let mut audit = before.cloned().unwrap_or_else(|| self.audit());
        audit.touch(&self.author, self.now_ms);
        audit
    }

    /// The module of this name, to change it.
    pub(super) fn module_mut(&mut self, schema: Id, name: &str) -> Result<&mut Module, Refusal> {
        let id = find_module(&self.catalog, schema, name)?.id;
        match self.catalog.modules.get_mut(&id) {
            Some(module) => Ok(Arc::make_mut(module)),
            None => Err(Refusal::not_found("module", name, [])),
        }
    }

    /// The template of this pattern, to change it.
    pub(super) fn template_mut(
        &mut self,
        schema: Id,
        module: &str,
        pattern: &str,
    ) -> Result<&mut Template, Refusal> {
        let module = self.module_mut(schema, module)?;
        if let Some(place) = module.templates.iter().position(|template| template.pattern == pattern) {
            return Ok(&mut module.templates[place]);
        }
        let what = format!("module `{}`: template", module.name);
        let known = module.templates.iter().map(|template| template.pattern.as_str());
        Err(Refusal::not_found(&what, pattern, known).at_argument("p_pattern"))
    }

    /// The handler of this method, to change it.
    pub(super) fn handler_mut(
        &mut self,
        schema: Id,
        module: &str,
        pattern: &str,
        method: Method,
    ) -> Result<&mut Handler, Refusal> {
        let what = format!("module `{module}`, template `{pattern}`: handler");
        let template = self.template_mut(schema, module, pattern)?;
        match template.handlers.iter().position(|handler| handler.method == method) {
            Some(place) => Ok(&mut template.handlers[place]),
            None => Err(Refusal::not_found(&what, method.as_str(), []).at_argument("p_method")),
        }
    }

    /// The privilege of this name, to change it.
    pub(super) fn privilege_mut(&mut self, schema: Id, name: &str) -> Result<&mut Privilege, Refusal> {
        let id = find_privilege(&self.catalog, schema, name)?.id;
        match self.catalog.privileges.get_mut(&id) {
            Some(privilege) => Ok(Arc::make_mut(privilege)),
            None => Err(Refusal::not_found("privilege", name, [])),
        }
    }

    /// The client of this name, to change it.
    pub(super) fn client_mut(&mut self, schema: Id, name: &str) -> Result<&mut Client, Refusal> {
        let id = find_client(&self.catalog, schema, name)?.id;
        match self.catalog.clients.get_mut(&id) {
            Some(client) => Ok(Arc::make_mut(client)),
            None => Err(Refusal::not_found("client", name, [])),
        }
    }

    /// The role of this name.
    pub(super) fn role(&self, schema: Id, name: &str) -> Result<Id, Refusal> {
        self.catalog.roles.named(schema, name).map(|role| role.id).ok_or_else(|| {
            let known = self.catalog.roles_of(schema).map(|role| role.name.as_str());
            let refusal = Refusal::not_found("role", name, known);
            if refusal.suggestion.is_some() {
                return refusal;
            }
            refusal.help("make it with ORDS.CREATE_ROLE first")
        })
    }

    /// Makes a role and returns its id.
    pub(super) fn add_role(&mut self, schema: Id, name: &str) -> Id {
        let id = self.catalog.take_id();
        let role = Role { id, schema_id: schema, name: name.to_owned(), audit: self.audit() };
        self.catalog.roles.insert(id, Arc::new(role));
        id
    }

    /// Puts a schema, new or changed, into the catalog.
    pub(super) fn put_schema(&mut self, schema: Schema) {
        self.catalog.schemas.insert(schema.id, Arc::new(schema));
    }

    /// Puts a module, new or changed, into the catalog.
    pub(super) fn put_module(&mut self, module: Module) {
        self.catalog.modules.insert(module.id, Arc::new(module));
    }

    /// Puts a privilege, new or changed, into the catalog.
    pub(super) fn put_privilege(&mut self, privilege: Privilege) {
        self.catalog.privileges.insert(privilege.id, Arc::new(privilege));
    }

    /// Puts a public entry, new or changed, into the catalog.
    pub(super) fn put_public_entry(&mut self, entry: PublicEntry) {
        self.catalog.public_entries.insert(entry.id, Arc::new(entry));
    }

    /// Puts a client, new or changed, into the catalog.
    pub(super) fn put_client(&mut self, client: Client) {
        self.catalog.clients.insert(client.id, Arc::new(client));
    }

    /// Tells the author something.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// The privilege of this name.
pub(super) fn find_privilege<'a>(
    catalog: &'a Catalog,
    schema: Id,
    name: &str,
) -> Result<&'a Arc<Privilege>, Refusal> {
    catalog.privileges.named(schema, name).ok_or_else(|| {
        let known = catalog.privileges_of(schema).map(|privilege| privilege.name.as_str());
        Refusal::not_found("privilege", name, known)
    })
}

/// The module of this name.
pub(super) fn find_module<'a>(
    catalog: &'a Catalog,
    schema: Id,
    name: &str,
) -> Result<&'a Arc<Module>, Refusal> {
    catalog.modules.named(schema, name).ok_or_else(|| {
        let known = catalog.modules_of(schema).map(|module| module.name.as_str());
        Refusal::not_found("module", name, known).at_argument("p_module_name")
    })
}

/// The client of this name.
pub(super) fn find_client<'a>(
    catalog: &'a Catalog,
    schema: Id,
    name: &str,
) -> Result<&'a Arc<Client>, Refusal> {
    catalog.clients.named(schema, name).ok_or_else(|| {
        let known = catalog.clients_of(schema).map(|client| client.name.as_str());
        Refusal::not_found("client", name, known)
    })
}
