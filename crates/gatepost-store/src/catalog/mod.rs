//! The catalog: all definitions, clients and revocations of an installation.
//!
//! [`Catalog`] is a plain value of shared objects. A script changes a copy of it; [`CatalogStore::commit`] writes
//! what differs in one transaction and refuses when somebody else was first.

mod copy;
mod history;
mod key_ring;
mod object;
mod objects;
mod people;
mod revocation;
mod store;
mod succession;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gatepost_oauth::{Client, User, VaultSecret};
use gatepost_rest::definition::{Id, Module, Privilege, PublicEntry, Role, Schema};
use gatepost_sources::definition::{Credential, RemoteServer, RestSource};

pub use crate::database::{
    CatalogPlace, DatabaseError, Listener, PlaceError, PlaceOptions, PostgresPlace, for_login, is_postgres,
    redact, without_password,
};
pub use copy::CopyError;
pub use history::{HistoryFilter, HistoryState, put_document};
pub use object::Named;
pub use objects::Objects;
pub use people::{ConsoleItem, ConsoleItemKind, SignIn};
pub use revocation::{REVOCATION_GRACE_MS, Revocations, RevokedToken, TokenId};
pub use store::{CatalogStore, Refreshed};
pub use succession::Seen;

/// Everything that a schema publishes, locks and admits, for all schemas. Cloning shares the objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    /// Counts the commits.
    pub revision: u64,
    /// The id that the next new object gets.
    pub next_id: Id,
    /// REST-enabled schemas.
    pub schemas: Objects<Schema>,
    /// Modules with their templates, handlers and parameters.
    pub modules: Objects<Module>,
    /// Roles.
    pub roles: Objects<Role>,
    /// Privileges.
    pub privileges: Objects<Privilege>,
    /// Explicitly public patterns.
    pub public_entries: Objects<PublicEntry>,
    /// OAuth clients.
    pub clients: Objects<Client>,
    /// Where other people's APIs are.
    pub remote_servers: Objects<RemoteServer>,
    /// How to sign in there.
    pub credentials: Objects<Credential>,
    /// What is fetched there.
    pub rest_sources: Objects<RestSource>,
    /// The sealed secrets of credentials.
    pub vault_secrets: Objects<VaultSecret>,
    /// The people who sign in to the console.
    pub users: Objects<User>,
    /// Tokens revoked one by one.
    pub revocations: Arc<Revocations>,
    /// Counts the changes of the keys, when those are in the catalog; else 0.
    pub key_revision: u64,
}

/// Who changes the catalog, from where, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The person or process.
    pub author: String,
    /// Where the change was made: `sql`, `console`, `token endpoint`, …
    pub source: String,
    /// When (milliseconds since 1970).
    pub now_ms: i64,
}

/// Why a commit was refused. Nothing was written.
#[derive(Debug)]
pub enum CommitError {
    /// The catalog is not what the change was built on.
    Conflict {
        /// Who was first.
        author: String,
        /// What they changed.
        what: String,
    },
    /// The database failed.
    Database(DatabaseError),
}

impl From<DatabaseError> for CommitError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl std::fmt::Display for CommitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Conflict { author, what } => {
                write!(f, "the catalog was changed meanwhile by {author} ({what}); nothing was written")
            }
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CommitError {}

/// One line of the catalog's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The commit.
    pub revision: u64,
    /// The object.
    pub object_id: Id,
    /// The schema it belongs to; 0 for schemas and users.
    pub schema_id: Id,
    /// Its kind: `module`, `client`, …
    pub kind: String,
    /// Its name at that time.
    pub name: String,
    /// `create`, `change` or `delete`.
    pub action: String,
    /// Who.
    pub author: String,
    /// From where.
    pub source: String,
    /// When (milliseconds since 1970).
    pub changed_on_ms: i64,
}

impl Catalog {
    /// The id that a catalog's first object gets, as in ORDS.
    pub const FIRST_ID: Id = 10_000;

    /// Takes a fresh id.
    pub fn take_id(&mut self) -> Id {
        let id = self.next_id.max(Self::FIRST_ID);
        self.next_id = id + 1;
        id
    }

    /// Whether this is an earlier state than that one: a catalog only goes back when a backup takes its place.
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.revision < other.revision
            || self.revocations.revision < other.revocations.revision
            || self.key_revision < other.key_revision
    }

    /// Whether both are of one revision and hold the same.
    fn has_definitions_of(&self, other: &Self) -> bool {
        let revocations = Arc::clone(&self.revocations);
        *self == Self { revocations, ..other.clone() }
    }

    /// The schema of this name (lower case).
    pub fn schema_by_name(&self, name: &str) -> Option<&Arc<Schema>> {
        self.schemas.named(0, name)
    }

    /// The user of this name.
    pub fn user_by_name(&self, name: &str) -> Option<&Arc<User>> {
        self.users.named(0, name)
    }

    /// The modules of a schema, by id.
    pub fn modules_of(&self, schema_id: Id) -> impl Iterator<Item = &Arc<Module>> {
        self.modules.values().filter(move |module| module.schema_id == schema_id)
    }

    /// The roles of a schema, by id.
    pub fn roles_of(&self, schema_id: Id) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.values().filter(move |role| role.schema_id == schema_id)
    }

    /// The privileges of a schema, by id.
    pub fn privileges_of(&self, schema_id: Id) -> impl Iterator<Item = &Arc<Privilege>> {
        self.privileges.values().filter(move |privilege| privilege.schema_id == schema_id)
    }

    /// The public entries of a schema, by id.
    pub fn public_entries_of(&self, schema_id: Id) -> impl Iterator<Item = &Arc<PublicEntry>> {
        self.public_entries.values().filter(move |entry| entry.schema_id == schema_id)
    }

    /// The clients of a schema, by id.
    pub fn clients_of(&self, schema_id: Id) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.values().filter(move |client| client.schema_id == schema_id)
    }

    /// The remote servers of a schema, by id.
    pub fn remote_servers_of(&self, schema_id: Id) -> impl Iterator<Item = &Arc<RemoteServer>> {
        self.remote_servers.values().filter(move |server| server.schema_id == schema_id)
    }

    /// The credentials of a schema, by id.
    pub fn credentials_of(&self, schema_id: Id) -> impl Iterator<Item = &Arc<Credential>> {
        self.credentials.values().filter(move |credential| credential.schema_id == schema_id)
    }

    /// The REST sources of a schema, by id.
    pub fn rest_sources_of(&self, schema_id: Id) -> impl Iterator<Item = &Arc<RestSource>> {
        self.rest_sources.values().filter(move |source| source.schema_id == schema_id)
    }

    /// The sealed secret of an object.
    pub fn vault_secret_of(&self, owner_id: Id) -> Option<&Arc<VaultSecret>> {
        self.vault_secrets.values().find(|secret| secret.owner_id == owner_id)
    }
}
