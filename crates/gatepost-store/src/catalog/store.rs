//! Reading and writing the catalog.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatepost_oauth::SealedRing;
use gatepost_rest::definition::Id;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::key_ring;
use super::object::{Named, Object, ObjectKind};
use super::objects::Objects;
use super::revocation::{self, REVOCATION_GRACE_MS, Revocations, RevokedToken, TokenId};
use super::succession::{Seen, find_committed_ms, follows};
use super::{Catalog, Change, CommitError};
use crate::database::{
    Access, CatalogPlace, Database, DatabaseError, Lineage, Listener, Migration, Parameter, Transaction,
};

pub(super) const MIGRATIONS: [Migration; 3] = [
    Migration {
        version: 1,
        sqlite: include_str!("../../migrations/sqlite/catalog_0001.sql"),
        postgres: Some(include_str!("../../migrations/postgres/catalog_0001.sql")),
    },
    Migration {
        version: 2,
        sqlite: include_str!("../../migrations/sqlite/catalog_0002.sql"),
        postgres: Some(include_str!("../../migrations/postgres/catalog_0002.sql")),
    },
    Migration {
        version: 3,
        sqlite: include_str!("../../migrations/sqlite/catalog_0003.sql"),
        postgres: Some(include_str!("../../migrations/postgres/catalog_0003.sql")),
    },
];

/// The stored catalog. All calls block; none takes longer than the database's busy time-out.
#[derive(Debug)]
pub struct CatalogStore {
    pub(super) database: Database,
    seen: Mutex<Seen>,
}

/// A catalog that is not what was known.
#[derive(Clone, Debug, PartialEq)]
pub struct Refreshed {
    /// What it is now.
    pub catalog: Catalog,
    /// Whether it came of what was known. Otherwise it may lack what was acknowledged, revocations too.
    pub follows: bool,
    /// For [`CatalogStore::accept`].
    pub seen: Seen,
}

impl CatalogStore {
    pub(super) fn on(database: Database) -> Self {
        Self { database, seen: Mutex::default() }
    }

    /// Makes a new, empty catalog that belongs to the keys with this fingerprint, or finishes one whose making was
    /// interrupted. An existing one is left as it is. `ring` is kept with it; without one the keys are elsewhere.
    pub fn create(
        place: &CatalogPlace,
        key_fingerprint: &str,
        now_ms: i64,
        ring: Option<&SealedRing>,
    ) -> Result<Self, DatabaseError> {
        let store = Self::on(Database::open(place, &MIGRATIONS, true)?);
        store.database.transaction(Access::Write, |transaction| {
            let made = transaction.execute(
                "insert into catalog_state
                   (id, revision, revocations, next_id, key_fingerprint, created_at_ms, key_revision)
                 values (1, 0, 0, $1, $2, $3, $4) on conflict (id) do nothing",
                &[
                    Parameter::Integer(Catalog::FIRST_ID as i64),
                    Parameter::Text(key_fingerprint),
                    Parameter::Integer(now_ms),
                    Parameter::Integer(ring.map_or(0, |ring| ring.revision as i64)),
                ],
            )?;
            match ring {
                Some(ring) if made == 1 => key_ring::write(transaction, ring),
                _ => Ok(()),
            }
        })?;
        Ok(store)
    }

    /// Opens an existing catalog and brings its tables to the newest version.
    pub fn open(place: &CatalogPlace) -> Result<Self, DatabaseError> {
        let store = Self::on(Database::open(place, &MIGRATIONS, false)?);
        store.key_fingerprint()?;
        Ok(store)
    }

    /// The fingerprint of the keys that this catalog was made with.
    pub fn key_fingerprint(&self) -> Result<String, DatabaseError> {
        let mut found = None;
        self.database.transaction(Access::Read, |transaction| {
            transaction.query("select key_fingerprint from catalog_state where id = 1", &[], &mut |row| {
                found = Some(row.text(0)?);
                Ok(())
            })
        })?;
        found.ok_or(DatabaseError::Unfinished)
    }

    /// Reads the whole catalog.
    pub fn load(&self) -> Result<Catalog, DatabaseError> {
        let (catalog, seen) = self.database.transaction(Access::Read, |transaction| {
            let lineage = transaction.lineage()?;
            let catalog = read_since(transaction, &Catalog::default())?;
            let seen = Seen::read(transaction, lineage, catalog.revision)?;
            Ok::<_, DatabaseError>((catalog, seen))
        })?;
        self.accept(seen);
        Ok(catalog)
    }

    /// What the catalog is now, if it is not what `known` says: only rows changed since are read, unless it is a
    /// backup or on a server that took over.
    pub fn refresh(&self, known: &Catalog) -> Result<Option<Refreshed>, DatabaseError> {
        let before = self.seen().clone();
        self.database.transaction(Access::Read, |transaction| {
            let lineage = transaction.lineage()?;
            if before.is_elsewhere(lineage.as_ref()) {
                return read_after_takeover(transaction, known, &before, lineage).map(Some);
            }
            let state = State::read(transaction)?;
            let (revision, revocations) = (known.revision, known.revocations.revision);
            let same = state.revision == revision && state.revocations == revocations;
            if same && state.key_revision == known.key_revision {
                return Ok(None);
            }
            let older = state.revision < revision
                || state.revocations < revocations
                || state.key_revision < known.key_revision;
            let known = if older { &Catalog::default() } else { known };
            let catalog = read_since(transaction, known)?;
            let seen = Seen::read(transaction, lineage, catalog.revision)?;
            Ok(Some(Refreshed { catalog, follows: !older, seen }))
        })
    }

    /// What was found is known now. Until then the next look finds the same again.
    pub fn accept(&self, seen: Seen) {
        *self.seen() = seen;
    }

    /// When the commit of this revision was made, as the history says.
    pub fn find_committed_ms(&self, revision: u64) -> Result<Option<i64>, DatabaseError> {
        self.database.transaction(Access::Read, |transaction| find_committed_ms(transaction, revision))
    }

    /// The same for the commit that was read or written last, from memory.
    pub fn seen_committed_ms(&self, revision: u64) -> Option<i64> {
        self.seen().committed_ms(revision)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of the catalog's tables.
    pub fn table_version(&self) -> Result<i64, DatabaseError> {
        self.database.table_version()
    }

    /// Notices that another file took the catalog's place (a restored backup) and opens that.
    pub fn reopen_if_replaced(&self) -> Result<bool, DatabaseError> {
        self.database.reopen_if_replaced()
    }

    /// The clock of the catalog's machine (milliseconds since 1970), if that can be another one.
    pub fn clock_ms(&self) -> Result<Option<i64>, DatabaseError> {
        self.database.clock_ms()
    }

    /// Calls `wake` when another process may have committed, where the database can tell. A hint: whoever gets one
    /// reads the revision.
    pub fn listen(&self, wake: impl Fn() + Send + 'static) -> std::io::Result<Option<Listener>> {
        self.database.listen(wake)
    }

    /// Writes what differs between `base` and `changed` in one transaction, with its history, and returns the
    /// catalog with its new revision. Fails with `CommitError::Conflict` when `base` is not the newest any more.
    pub fn commit(&self, base: &Catalog, changed: &Catalog, change: &Change) -> Result<Catalog, CommitError> {
        let edits = edits_between(base, changed)?;
        if edits.is_empty() && changed.next_id == base.next_id {
            return Ok(changed.clone());
        }
        let before = self.seen().clone();
        let (committed, seen) = self.database.transaction(Access::Write, |transaction| {
            let lineage = transaction.lineage()?;
            if before.is_elsewhere(lineage.as_ref()) {
                let (author, what) = ("a failover", "another server serves the catalog");
                return Err(CommitError::Conflict { author: author.into(), what: what.into() });
            }
            let revision = base.revision + 1;
            let moved = transaction.execute(
                "update catalog_state set revision = $1, next_id = $2 where id = 1 and revision = $3",
                &[
                    Parameter::Integer(revision as i64),
                    Parameter::Integer(changed.next_id as i64),
                    Parameter::Integer(base.revision as i64),
                ],
            )?;
            if moved == 0 {
                return Err(conflict(transaction, base.revision)?);
            }
            // Deletions first, so that a new object can take a deleted one's name.
            let (deletions, others): (Vec<_>, Vec<_>) = edits.iter().partition(|edit| edit.body.is_none());
            for edit in deletions.into_iter().chain(others) {
                write(transaction, edit, revision, change)?;
            }
            let seen = before.after(revision, (!edits.is_empty()).then_some(change.now_ms));
            Ok((Catalog { revision, ..changed.clone() }, seen))
        })?;
        self.accept(seen);
        Ok(committed)
    }

    /// Puts a token on the deny list. When this returns, the entry is on disk.
    pub fn revoke_token(&self, token: &TokenId, entry: RevokedToken) -> Result<(), DatabaseError> {
        self.database.transaction(Access::Write, |transaction| {
            // One statement: between a read and a write another process could take the same number.
            let mut revision = Parameter::Null;
            transaction.query(
                "update catalog_state set revocations = revocations + 1 where id = 1 returning revocations",
                &[],
                &mut |row| {
                    revision = Parameter::Integer(row.integer(0)?);
                    Ok(())
                },
            )?;
            transaction.execute(
                "insert into revoked_token (token_id, client_id, expires_at_ms, revision) values ($1, $2, $3, $4)
                 on conflict (token_id) do nothing",
                &[
                    Parameter::Text(&revocation::encode(token)),
                    Parameter::Integer(entry.client as i64),
                    Parameter::Integer(entry.expires_ms),
                    revision,
                ],
            )?;
            Ok(())
        })
    }

    /// Takes tokens off the deny list that expired a grace period ago.
    pub fn forget_revocations(&self, now_ms: i64) -> Result<(), DatabaseError> {
        self.database.transaction(Access::Write, |transaction| {
            transaction.execute(
                "delete from revoked_token where expires_at_ms <= $1",
                &[Parameter::Integer(now_ms.saturating_sub(REVOCATION_GRACE_MS))],
            )?;
            Ok(())
        })
    }
}

/// The whole catalog on a server that took over, and whether it follows on what was known.
fn read_after_takeover(
    transaction: &dyn Transaction,
    known: &Catalog,
    before: &Seen,
    lineage: Option<Lineage>,
) -> Result<Refreshed, DatabaseError> {
    let catalog = read_since(transaction, &Catalog::default())?;
    let same_commit = match before.committed_ms(known.revision) {
        None => None,
        known_ms => Some(find_committed_ms(transaction, known.revision)? == known_ms),
    };
    let now_ms = lineage.as_ref().map_or(0, |lineage| lineage.now_ms);
    let seen = Seen::read(transaction, lineage, catalog.revision)?;
    let follows = follows(known, &catalog, same_commit, now_ms) && seen.has_keys_of(before);
    Ok(Refreshed { catalog, follows, seen })
}

struct State {
    revision: u64,
    revocations: u64,
    next_id: Id,
    key_revision: u64,
}

impl State {
    fn read(transaction: &dyn Transaction) -> Result<Self, DatabaseError> {
        let mut found = None;
        transaction.query(
            "select revision, revocations, next_id, key_revision from catalog_state where id = 1",
            &[],
            &mut |row| {
                found = Some(Self {
                    revision: row.integer(0)? as u64,
                    revocations: row.integer(1)? as u64,
                    next_id: row.integer(2)? as u64,
                    key_revision: row.integer(3)? as u64,
                });
                Ok(())
            },
        )?;
        found.ok_or(DatabaseError::Unfinished)
    }
}

pub(super) fn read_since(transaction: &dyn Transaction, known: &Catalog) -> Result<Catalog, DatabaseError> {
    let state = State::read(transaction)?;
    let mut catalog = Catalog {
        revision: state.revision,
        next_id: state.next_id,
        key_revision: state.key_revision,
        ..known.clone()
    };
    let since = [Parameter::Integer(known.revision as i64)];
    let everything = known.revision == 0;
    let changed = if everything {
        "select id, kind, body from catalog_object where revision >= $1 and body is not null"
    } else {
        "select id, kind, body from catalog_object where revision > $1"
    };
    transaction.query(changed, &since, &mut |row| {
        let id = row.integer(0)? as u64;
        let kind = ObjectKind::parse(&row.text(1)?)
            .ok_or_else(|| DatabaseError::Broken(format!("object {id} has an unknown kind")))?;
        apply(&mut catalog, kind, id, row.optional_text(2)?.as_deref())
    })?;
    if state.revocations == known.revocations.revision {
        return Ok(catalog);
    }
    let mut revoked = Revocations::clone(&known.revocations);
    revoked.revision = state.revocations;
    transaction.query(
        "select token_id, client_id, expires_at_ms from revoked_token where revision > $1",
        &[Parameter::Integer(known.revocations.revision as i64)],
        &mut |row| {
            let token = revocation::decode(&row.text(0)?)
                .ok_or_else(|| DatabaseError::Broken("a revoked token's id is unreadable".into()))?;
            let entry = RevokedToken { client: row.integer(1)? as u64, expires_ms: row.integer(2)? };
            revoked.insert(token, entry);
            Ok(())
        },
    )?;
    catalog.revocations = Arc::new(revoked);
    Ok(catalog)
}

pub(super) fn apply(
    catalog: &mut Catalog,
    kind: ObjectKind,
    id: Id,
    body: Option<&str>,
) -> Result<(), DatabaseError> {
    fn put<T: Named + DeserializeOwned>(
        map: &mut Objects<T>,
        id: Id,
        body: Option<&str>,
    ) -> Result<(), DatabaseError> {
        match body {
            None => {
                map.remove(&id);
            }
            Some(body) => {
                let object = serde_json::from_str(body)
                    .map_err(|error| DatabaseError::Broken(format!("object {id} is unreadable: {error}")))?;
                map.insert(id, Arc::new(object));
            }
        }
        Ok(())
    }
    match kind {
        ObjectKind::Schema => put(&mut catalog.schemas, id, body),
        ObjectKind::Module => put(&mut catalog.modules, id, body),
        ObjectKind::Role => put(&mut catalog.roles, id, body),
        ObjectKind::Privilege => put(&mut catalog.privileges, id, body),
        ObjectKind::PublicEntry => put(&mut catalog.public_entries, id, body),
        ObjectKind::Client => put(&mut catalog.clients, id, body),
        ObjectKind::RemoteServer => put(&mut catalog.remote_servers, id, body),
        ObjectKind::Credential => put(&mut catalog.credentials, id, body),
        ObjectKind::RestSource => put(&mut catalog.rest_sources, id, body),
        ObjectKind::VaultSecret => put(&mut catalog.vault_secrets, id, body),
        ObjectKind::User => put(&mut catalog.users, id, body),
    }
}

/// One object that a commit makes, changes or deletes.
pub(super) struct Edit {
    id: Id,
    kind: ObjectKind,
    schema_id: Id,
    name: String,
    action: &'static str,
    body: Option<String>,
    /// The body as history keeps it: without anything made from a secret.
    history_body: Option<String>,
}

pub(super) fn edits_between(base: &Catalog, changed: &Catalog) -> Result<Vec<Edit>, CommitError> {
    fn compare<T: Object + Serialize + PartialEq>(
        edits: &mut Vec<Edit>,
        base: &Objects<T>,
        changed: &Objects<T>,
    ) -> Result<(), CommitError> {
        for (id, old, new) in base.unshared(changed) {
            match (old, new) {
                (Some(old), None) => edits.push(edit(id, old.as_ref(), "delete", None, None)),
                (old, Some(new)) if old != Some(new) => {
                    let action = if old.is_some() { "change" } else { "create" };
                    let (body, history) = (to_json(new.as_ref())?, to_json(&new.for_history())?);
                    edits.push(edit(id, new.as_ref(), action, Some(body), Some(history)));
                }
                _ => {}
            }
        }
        Ok(())
    }
    fn edit<T: Object>(
        id: Id,
        object: &T,
        action: &'static str,
        body: Option<String>,
        history_body: Option<String>,
    ) -> Edit {
        Edit {
            id,
            kind: T::KIND,
            schema_id: object.schema_id(),
            name: object.name().into_owned(),
            action,
            body,
            history_body,
        }
    }
    fn to_json<T: Serialize>(object: &T) -> Result<String, CommitError> {
        serde_json::to_string(object)
            .map_err(|error| CommitError::Database(DatabaseError::Other(error.to_string())))
    }
    let mut edits = Vec::new();
    compare(&mut edits, &base.schemas, &changed.schemas)?;
    compare(&mut edits, &base.modules, &changed.modules)?;
    compare(&mut edits, &base.roles, &changed.roles)?;
    compare(&mut edits, &base.privileges, &changed.privileges)?;
    compare(&mut edits, &base.public_entries, &changed.public_entries)?;
    compare(&mut edits, &base.clients, &changed.clients)?;
    compare(&mut edits, &base.remote_servers, &changed.remote_servers)?;
    compare(&mut edits, &base.credentials, &changed.credentials)?;
    compare(&mut edits, &base.rest_sources, &changed.rest_sources)?;
    compare(&mut edits, &base.vault_secrets, &changed.vault_secrets)?;
    compare(&mut edits, &base.users, &changed.users)?;
    Ok(edits)
}

pub(super) fn write(
    transaction: &dyn Transaction,
    edit: &Edit,
    revision: u64,
    change: &Change,
) -> Result<(), DatabaseError> {
    let (id, schema_id) = (Parameter::Integer(edit.id as i64), Parameter::Integer(edit.schema_id as i64));
    let revision = Parameter::Integer(revision as i64);
    let kind = Parameter::Text(edit.kind.as_str());
    let live_name = edit.body.as_ref().map(|_| edit.name.as_str());
    transaction.execute(
        "insert into catalog_object (id, schema_id, kind, name, revision, body) values ($1, $2, $3, $4, $5, $6)
         on conflict (id) do update set name = excluded.name, revision = excluded.revision, body = excluded.body",
        &[id, schema_id, kind, live_name.into(), revision, edit.body.as_deref().into()],
    )?;
    transaction.execute(
        "insert into history (revision, object_id, schema_id, kind, name, action, author, source, changed_at_ms, body)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            revision,
            id,
            schema_id,
            kind,
            Parameter::Text(&edit.name),
            Parameter::Text(edit.action),
            Parameter::Text(&change.author),
            Parameter::Text(&change.source),
            Parameter::Integer(change.now_ms),
            edit.history_body.as_deref().into(),
        ],
    )?;
    Ok(())
}

/// Says who changed the catalog since `base_revision`, and what.
fn conflict(transaction: &dyn Transaction, base_revision: u64) -> Result<CommitError, DatabaseError> {
    let (mut author, mut changes) = (String::new(), Vec::new());
    transaction.query(
        "select author, action, kind, name from history where revision > $1 order by revision desc, object_id limit 5",
        &[Parameter::Integer(base_revision as i64)],
        &mut |row| {
            author = row.text(0)?;
            changes.push(format!("{} {} {}", row.text(1)?, row.text(2)?, row.text(3)?));
            Ok(())
        },
    )?;
    Ok(CommitError::Conflict { author, what: changes.join(", ") })
}
