//! The people who may sign in to the console: made, changed and removed here, for the console and the command line.
//!
//! Each change is a commit of the catalog like any other, with its history. Whatever ends a user's sign-ins replaces the
//! user's generation in the same commit, so that no sign-in outlives it, whatever fails afterwards.

use std::sync::Arc;

use gatepost_oauth::user::{check_password, check_user_name, hash_password};
use gatepost_oauth::{User, UserError, UserKind};
use gatepost_rest::definition::Id;
use gatepost_store::catalog::{Catalog, Change, CommitError, ConsoleItem, ConsoleItemKind, DatabaseError};
use secrecy::SecretString;

use super::App;
use super::clock::random_bytes;

/// How often a change of our own is built again when others were first.
const ATTEMPTS: u32 = 5;

/// Users of an installation, at most.
const USERS_MAX: usize = 1_000;

/// Characters of an item's name, at most.
const ITEM_NAME_LENGTH_MAX: usize = 200;

/// Why a user was not made, changed or removed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The name or the password breaks a rule.
    #[error(transparent)]
    Invalid(#[from] UserError),
    /// Another user has the name.
    #[error("there is a user {0} already")]
    Taken(String),
    /// Nobody has the name.
    #[error("there is no user {0}")]
    Unknown(String),
    /// The schema is not enabled.
    #[error("there is no schema {0}")]
    UnknownSchema(String),
    /// Administrators and auditors see all schemas.
    #[error("a user of kind {} sees all schemas; none can be assigned", .0.as_str())]
    NoAssignment(UserKind),
    /// Nobody could make users any more.
    #[error("{0} is the last administrator who is enabled: make another one first")]
    LastAdministrator(String),
    /// The first user was made before.
    #[error("this installation has users already")]
    SetUp,
    /// Too many.
    #[error("an installation has at most {USERS_MAX} users")]
    TooMany,
    /// The item is too long.
    #[error("{0}")]
    Item(&'static str),
    /// The catalog could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<DatabaseError> for PeopleError {
    fn from(error: DatabaseError) -> Self {
        Self::Commit(error.into())
    }
}

/// Who makes a change, and where: `console`, `cli`.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The person or process.
    pub author: &'a str,
    /// From where.
    pub source: &'a str,
}

/// A user to be made.
#[derive(Debug)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// What the user may do.
    pub kind: UserKind,
    /// The names of the assigned schemas.
    pub schemas: Vec<String>,
    /// The password.
    pub password: SecretString,
}

/// What of a user is to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The new kind.
    pub kind: Option<UserKind>,
    /// The names of the schemas that are assigned from now on.
    pub schemas: Option<Vec<String>>,
    /// Whether the user may sign in.
    pub enabled: Option<bool>,
}

impl App {
    /// Makes a user. Blocks for a slow hash.
    pub fn create_user(&self, new: &NewUser, by: By<'_>) -> Result<Arc<User>, PeopleError> {
        self.make_user(new, by, false)
    }

    /// Makes the first user, an administrator, while there is none. Of two who try at once, one succeeds.
    pub fn first_user(
        &self,
        name: &str,
        password: SecretString,
        by: By<'_>,
    ) -> Result<Arc<User>, PeopleError> {
        let kind = UserKind::Administrator;
        let new = NewUser { name: name.to_owned(), kind, schemas: Vec::new(), password };
        self.make_user(&new, by, true)
    }

    fn make_user(&self, new: &NewUser, by: By<'_>, first: bool) -> Result<Arc<User>, PeopleError> {
        check_user_name(&new.name)?;
        check_password(&new.name, &new.password)?;
        // Looked at before the slow hash, and again with the commit.
        let may_be_made = |catalog: &Catalog| {
            if first && !catalog.users.is_empty() {
                Err(PeopleError::SetUp)
            } else if catalog.user_by_name(&new.name).is_some() {
                Err(PeopleError::Taken(new.name.clone()))
            } else if catalog.users.len() >= USERS_MAX {
                Err(PeopleError::TooMany)
            } else {
                schema_ids(catalog, new.kind, &new.schemas)
            }
        };
        may_be_made(&self.snapshot().catalog)?;
        let password = hash_password(&new.password, random_bytes())?;
        let generation = u64::from_le_bytes(random_bytes());
        self.change_people(by, |catalog, now_ms| {
            let schemas = may_be_made(catalog)?;
            let id = catalog.take_id();
            let user = User {
                id,
                name: new.name.clone(),
                kind: new.kind,
                schemas,
                password: password.clone(),
                password_set_on_ms: now_ms,
                enabled: true,
                generation,
                created_by: by.author.to_owned(),
                created_on_ms: now_ms,
                updated_by: by.author.to_owned(),
                updated_on_ms: now_ms,
            };
            let user = Arc::new(user);
            catalog.users.insert(id, Arc::clone(&user));
            Ok(user)
        })
    }

    /// Changes what a user may do. Whoever is disabled, or gets another kind, is signed out everywhere.
    pub fn change_user(&self, name: &str, change: &UserChange, by: By<'_>) -> Result<Arc<User>, PeopleError> {
        self.change_people(by, |catalog, now_ms| {
            let before = find_user(catalog, name)?;
            let mut user = User::clone(&before);
            user.kind = change.kind.unwrap_or(user.kind);
            user.enabled = change.enabled.unwrap_or(user.enabled);
            match &change.schemas {
                Some(schemas) => user.schemas = schema_ids(catalog, user.kind, schemas)?,
                None if !user.kind.has_assigned_schemas() => user.schemas = Vec::new(),
                None => {}
            }
            if (user.kind, user.enabled) != (before.kind, before.enabled) {
                refuse_last_administrator(catalog, &before)?;
                user.new_generation(u64::from_le_bytes(random_bytes()));
            }
            if user == *before {
                return Ok(before);
            }
            Ok(put(catalog, user, by.author, now_ms))
        })
    }

    /// Gives a user another password, and ends all of the user's sign-ins. Blocks for a slow hash.
    pub fn set_password(
        &self,
        name: &str,
        password: &SecretString,
        by: By<'_>,
    ) -> Result<Arc<User>, PeopleError> {
        check_password(name, password)?;
        find_user(&self.snapshot().catalog, name)?;
        let hash = hash_password(password, random_bytes())?;
        self.change_people(by, |catalog, now_ms| {
            let mut user = User::clone(&*find_user(catalog, name)?);
            user.password.clone_from(&hash);
            user.password_set_on_ms = now_ms;
            user.new_generation(u64::from_le_bytes(random_bytes()));
            Ok(put(catalog, user, by.author, now_ms))
        })
    }

    /// Removes a user, with the sign-ins and all that was kept for the user.
    pub fn delete_user(&self, name: &str, by: By<'_>) -> Result<(), PeopleError> {
        let user = self.change_people(by, |catalog, _| {
            let user = find_user(catalog, name)?;
            refuse_last_administrator(catalog, &user)?;
            catalog.users.remove(&user.id);
            Ok(user)
        })?;
        // The id is never given to anybody else: what should stay here by a failure belongs to nobody.
        Ok(self.store.forget_user(user.id)?)
    }

    /// The newest items of a kind: of one user or of all, about one schema or about all.
    pub fn console_items(
        &self,
        kind: ConsoleItemKind,
        user_id: Option<Id>,
        schema_id: Option<Id>,
    ) -> Result<Vec<ConsoleItem>, DatabaseError> {
        self.store.list_console_items(kind, user_id, schema_id)
    }

    /// Keeps something for a user. A name replaces the item of that name; without one, the oldest go.
    pub fn put_console_item(
        &self,
        user_id: Id,
        schema_id: Id,
        (kind, name): (ConsoleItemKind, &str),
        body: &str,
    ) -> Result<(), PeopleError> {
        if name.chars().count() > ITEM_NAME_LENGTH_MAX || name.chars().any(char::is_control) {
            return Err(PeopleError::Item(
                "a name has at most 200 characters, none of them a control character",
            ));
        }
        if body.len() > ConsoleItem::BODY_BYTES_MAX || body.contains('\0') {
            return Err(PeopleError::Item("it is longer than 64 KiB, or holds a NUL"));
        }
        let id = u64::from_le_bytes(random_bytes()) >> 1;
        let (name, body) = (name.to_owned(), body.to_owned());
        let at_ms = self.clock.now_ms();
        Ok(self.store.put_console_item(&ConsoleItem { id, user_id, schema_id, kind, name, at_ms, body })?)
    }

    /// Deletes an item of this user; says whether there was one.
    pub fn delete_console_item(&self, user_id: Id, id: u64) -> Result<bool, DatabaseError> {
        self.store.delete_console_item(user_id, id)
    }

    /// Commits what `work` does to a copy of the newest catalog. When somebody else is first, it is done once more.
    fn change_people<T>(
        &self,
        by: By<'_>,
        work: impl Fn(&mut Catalog, i64) -> Result<T, PeopleError>,
    ) -> Result<T, PeopleError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.refresh()?;
            let base = Arc::clone(&self.snapshot().catalog);
            let mut changed = base.as_ref().clone();
            let now_ms = self.clock.now_ms();
            let outcome = work(&mut changed, now_ms)?;
            let change = Change { author: by.author.to_owned(), source: by.source.to_owned(), now_ms };
            match self.commit(&base, &changed, &change) {
                Ok(_) => return Ok(outcome),
                Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn find_user(catalog: &Catalog, name: &str) -> Result<Arc<User>, PeopleError> {
    catalog.user_by_name(name).cloned().ok_or_else(|| PeopleError::Unknown(name.to_owned()))
}

fn put(catalog: &mut Catalog, mut user: User, author: &str, now_ms: i64) -> Arc<User> {
    author.clone_into(&mut user.updated_by);
    user.updated_on_ms = now_ms;
    let user = Arc::new(user);
    catalog.users.insert(user.id, Arc::clone(&user));
    user
}

/// Who is to lose what an administrator may do must not be the last one.
fn refuse_last_administrator(catalog: &Catalog, user: &User) -> Result<(), PeopleError> {
    let counts = |user: &User| user.kind == UserKind::Administrator && user.enabled;
    let others = catalog.users.values().any(|other| other.id != user.id && counts(other));
    if counts(user) && !others { Err(PeopleError::LastAdministrator(user.name.clone())) } else { Ok(()) }
}

fn schema_ids(catalog: &Catalog, kind: UserKind, names: &[String]) -> Result<Vec<Id>, PeopleError> {
    if !names.is_empty() && !kind.has_assigned_schemas() {
        return Err(PeopleError::NoAssignment(kind));
    }
    let id = |name: &String| {
        let schema = catalog.schema_by_name(&name.to_lowercase());
        schema.map(|schema| schema.id).ok_or_else(|| PeopleError::UnknownSchema(name.clone()))
    };
    let mut ids = names.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
