//! Who may pass: the one function that decides, for requests, `explain`, the console and the audit.
//!
//! - A path that no privilege covers is closed, unless a public entry opens it for the method.
//! - The narrowest covers that match decide. Several privileges of that same breadth are alternative doors:
//!   one suffices.
//! - A privilege with roles opens to holders of one of them, a privilege without roles to clients that list
//!   it.
//! - A public entry never beats a privilege.
//!
//! Everything is judged by the decoded path, the value that the router used. What can be known about a
//! template beforehand is in [`TemplateLocks`]; it leaves out only what cannot match, so the answer is the
//! same without it.

mod audit;
mod decide;
mod locks;
mod reason;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::audit::{ExposedEntry, Narrower, uncovered_public};
pub use self::locks::TemplateLocks;
use self::locks::{Candidates, Rules};
pub use self::reason::{Reason, Trace};
use crate::definition::{Id, Method, Module, Privilege, PublicEntry, Role};

/// What becomes of a path that nothing covers (`[access] unprotected`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unprotected {
    /// It is closed.
    #[default]
    Refuse,
    /// It is open to everybody, as in ORDS.
    Public,
}

/// The privileges, roles and public entries of one schema, ready to judge requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AccessRules {
    rules: Arc<Rules>,
    /// Every lock and opening, to be judged by path alone.
    everything: Arc<Candidates>,
}

impl AccessRules {
    /// Builds the rules of a schema, from all of its objects: modules that are not published lock their paths
    /// too. Objects of other schemas are passed over.
    ///
    /// A pattern of a privilege that cannot be read closes everything that it might have meant, for
    /// everybody; a public entry that cannot be read opens nothing. (Definitions are checked when they are
    /// made, so neither happens with a sound catalog.)
    pub fn build(
        schema_id: Id,
        modules: &[Arc<Module>],
        privileges: &[Arc<Privilege>],
        roles: &[Arc<Role>],
        public_entries: &[Arc<PublicEntry>],
        unprotected: Unprotected,
    ) -> Self {
        let mut built = Rules::new(unprotected);
        built.add_roles(roles.iter().filter(|role| role.schema_id == schema_id));
        let modules = modules.iter().filter(|module| module.schema_id == schema_id);
        let modules = modules.map(|module| (module.id, &**module)).collect();
        for privilege in privileges.iter().filter(|privilege| privilege.schema_id == schema_id) {
            built.add_privilege(privilege, &modules);
        }
        for entry in public_entries.iter().filter(|entry| entry.schema_id == schema_id) {
            built.add_public_entry(entry);
        }
        built.sort();
        Self { everything: Arc::new(built.everything()), rules: Arc::new(built) }
    }

    /// The privileges that a client can open now: by a role, or by listing those without roles. Sorted.
    pub fn openable(&self, client: &ClientAccess) -> Vec<Id> {
        let doors = self.rules.doors.iter();
        sorted(doors.filter(|door| door.admits(client).is_some()).map(|door| door.id))
    }

    /// The privileges that a client may ask for as scopes: those it lists or can open by a role. Sorted.
    pub fn requestable(&self, client: &ClientAccess) -> Vec<Id> {
        let doors = self.rules.doors.iter();
        sorted(
            doors.filter(|door| client.lists(door.id) || door.admits(client).is_some()).map(|door| door.id),
        )
    }
}

fn sorted(ids: impl Iterator<Item = Id>) -> Vec<Id> {
    let mut ids: Vec<Id> = ids.collect();
    ids.sort_unstable();
    ids
}

/// Who is calling, after authentication.
#[derive(Clone, Copy, Debug)]
pub enum Principal<'a> {
    /// Nobody that we know: there was no token.
    Anonymous,
    /// A client with a valid token.
    Client {
        /// What the client holds now, whatever it held when the token was issued.
        access: &'a ClientAccess,
        /// The privileges that the token is limited to, sorted; none: not limited.
        narrowed: Option<&'a [Id]>,
    },
}

/// What a client holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAccess {
    /// Identity.
    pub id: Id,
    /// Its name, for people.
    pub name: Box<str>,
    /// Its OAuth client identifier.
    pub client_id: Box<str>,
    /// Roles granted to it, sorted.
    pub roles: Box<[Id]>,
    /// Privileges that it lists, sorted.
    pub privileges: Box<[Id]>,
}

impl ClientAccess {
    fn holds(&self, role: Id) -> bool {
        self.roles.binary_search(&role).is_ok()
    }

    fn lists(&self, privilege: Id) -> bool {
        self.privileges.binary_search(&privilege).is_ok()
    }
}

/// The method of a request, as far as access goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestMethod {
    /// A method that a handler can have; HEAD counts as GET.
    Handler(Method),
    /// Any other. Never open to anonymous callers.
    Other,
}

/// Method names are compared by letter case (RFC 9110 section 9.1): `get` is not GET.
impl From<&http::Method> for RequestMethod {
    fn from(method: &http::Method) -> Self {
        let name = if *method == http::Method::HEAD { "GET" } else { method.as_str() };
        Method::ALL.into_iter().find(|known| known.as_str() == name).map_or(Self::Other, Self::Handler)
    }
}

/// The decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Allow(Admission),
    /// It may not.
    Refuse(Refusal),
}

/// What let a request pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A public entry; a token was not needed.
    Public {
        /// The entry.
        entry: Id,
    },
    /// Nothing covers the path and `[access] unprotected` is `public`.
    Unprotected,
    /// A role that the client holds.
    Role {
        /// The privilege that it opened.
        privilege: Id,
        /// The role.
        role: Id,
    },
    /// A privilege without roles that the client lists.
    Listed {
        /// The privilege.
        privilege: Id,
    },
}

/// What stopped a request. To a caller without a token all of these are the same answer, 401.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The path is locked and there was no token.
    Anonymous,
    /// No privilege covers the path and no public entry opens it: closed to everybody.
    NoPrivilege,
    /// The client holds none of the roles that open the privileges that decide.
    MissingRole {
        /// Those privileges, sorted; one would suffice. Some may have no roles and ask to be listed.
        privileges: Box<[Id]>,
    },
    /// The privileges that decide have no roles, and the client lists none of them.
    NotListed {
        /// Those privileges, sorted; one would suffice.
        privileges: Box<[Id]>,
    },
    /// The client could pass, but the token is limited to other privileges.
    NarrowedToken {
        /// Privileges that the client can open and that would suffice, sorted.
        needed: Box<[Id]>,
    },
    /// A pattern of this privilege cannot be read, and might have covered the path.
    Sealed {
        /// The privilege.
        privilege: Id,
    },
}

impl Refusal {
    /// The privileges of which one would suffice, for `insufficient_scope` (RFC 6750 section 3.1).
    pub fn needed(&self) -> &[Id] {
        match self {
            Self::MissingRole { privileges } | Self::NotListed { privileges } => privileges,
            Self::NarrowedToken { needed } => needed,
            Self::Anonymous | Self::NoPrivilege | Self::Sealed { .. } => &[],
        }
    }
}
