//! Taking a catalog from one database to another.

use std::sync::Arc;

use super::key_ring;
use super::store::{MIGRATIONS, edits_between, read_since, write};
use super::{Catalog, CatalogStore, Change, CommitError, DatabaseError};
use crate::database::{Access, CatalogPlace, Database, Parameter, Row, Transaction};

/// Why a catalog was not copied. The target holds nothing of it then.
#[derive(Debug)]
pub enum CopyError {
    /// There is a catalog at the target.
    NotEmpty(String),
    /// What arrived is not what was sent; the target must not be used.
    Differs,
    /// A database failed.
    Database(DatabaseError),
}

impl From<DatabaseError> for CopyError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl std::fmt::Display for CopyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotEmpty(place) => write!(f, "there is a catalog at {place}; nothing was copied"),
            Self::Differs => f.write_str("the copy differs from the catalog it was made of; do not use it"),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CopyError {}

impl CatalogStore {
    /// Copies everything to a place without a catalog: definitions with their ids, clients with the verifiers of
    /// their secrets, users with their passwords and what is theirs, revocations and history. Every client and every
    /// user gets a new generation, so that no token issued and no sign-in made so far is good for both catalogs.
    pub fn copy_to(
        &self,
        place: &CatalogPlace,
        change: &Change,
        random: &mut dyn FnMut() -> u64,
    ) -> Result<Self, CopyError> {
        let target = Self::on(Database::open(place, &MIGRATIONS, true)?);
        let expected = self.database.transaction(Access::Read, |source| {
            target.database.transaction(Access::Write, |target| {
                refuse_catalog(target, place)?;
                let base = read_since(source, &Catalog::default())?;
                let changed = with_new_generations(&base, random);
                copy_rows(source, target, &changed)?;
                for edit in edits_between(&base, &changed).map_err(database_error)? {
                    write(target, &edit, changed.revision, change)?;
                }
                Ok::<_, CopyError>(changed)
            })
        })?;
        if target.load()? == expected { Ok(target) } else { Err(CopyError::Differs) }
    }
}

fn refuse_catalog(target: &dyn Transaction, place: &CatalogPlace) -> Result<(), CopyError> {
    let mut found = 0;
    target.query("select count(*) from catalog_state", &[], &mut |row| {
        found = row.integer(0)?;
        Ok(())
    })?;
    if found == 0 { Ok(()) } else { Err(CopyError::NotEmpty(place.to_string())) }
}

fn with_new_generations(base: &Catalog, random: &mut dyn FnMut() -> u64) -> Catalog {
    let mut changed = Catalog { revision: base.revision + 1, ..base.clone() };
    for client in changed.clients.values_mut() {
        Arc::make_mut(client).new_generation(random());
    }
    for user in changed.users.values_mut() {
        Arc::make_mut(user).new_generation(random());
    }
    changed
}

fn copy_rows(
    source: &dyn Transaction,
    target: &dyn Transaction,
    changed: &Catalog,
) -> Result<(), DatabaseError> {
    let (revision, next_id) = (changed.revision as i64, changed.next_id as i64);
    source.query(
        "select key_fingerprint, created_at_ms from catalog_state where id = 1",
        &[],
        &mut |row| {
            let state = [
                Parameter::Integer(revision),
                Parameter::Integer(changed.revocations.revision as i64),
                Parameter::Integer(next_id),
                Parameter::Text(&row.text(0)?),
                Parameter::Integer(row.integer(1)?),
                Parameter::Integer(changed.key_revision as i64),
            ];
            let made = target.execute(
                "insert into catalog_state
               (id, revision, revocations, next_id, key_fingerprint, created_at_ms, key_revision)
             values (1, $1, $2, $3, $4, $5, $6)",
                &state,
            );
            made.map(|_| ())
        },
    )?;
    if let Some(ring) = key_ring::read(source)? {
        key_ring::write(target, &ring)?;
    }
    copy_table(
        source,
        target,
        "select id, schema_id, kind, name, revision, body from catalog_object where body is not null order by id",
        "insert into catalog_object (id, schema_id, kind, name, revision, body) values ($1, $2, $3, $4, $5, $6)",
        "iittit",
    )?;
    copy_table(
        source,
        target,
        "select token_id, client_id, expires_at_ms, revision from revoked_token order by token_id",
        "insert into revoked_token (token_id, client_id, expires_at_ms, revision) values ($1, $2, $3, $4)",
        "tiii",
    )?;
    copy_table(
        source,
        target,
        "select revision, object_id, schema_id, kind, name, action, author, source, changed_at_ms, body
         from history order by revision, object_id",
        "insert into history (revision, object_id, schema_id, kind, name, action, author, source, changed_at_ms, body)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        "iiitttttit",
    )?;
    // A user keeps what is the user's. Sign-ins are not taken along: they end as tokens do.
    copy_table(
        source,
        target,
        "select id, user_id, schema_id, kind, name, at_ms, body from console_item order by id",
        "insert into console_item (id, user_id, schema_id, kind, name, at_ms, body) values ($1, $2, $3, $4, $5, $6, $7)",
        "iiittit",
    )
}

/// Copies rows whose columns are integers (`i`) and texts (`t`).
fn copy_table(
    source: &dyn Transaction,
    target: &dyn Transaction,
    select: &str,
    insert: &str,
    columns: &str,
) -> Result<(), DatabaseError> {
    source.query(select, &[], &mut |row: &dyn Row| {
        let (mut integers, mut texts) = (Vec::new(), Vec::new());
        for (column, kind) in columns.chars().enumerate() {
            match kind {
                'i' => integers.push(row.integer(column)?),
                _ => texts.push(row.optional_text(column)?),
            }
        }
        let (mut integers, mut texts) = (integers.iter(), texts.iter());
        let parameters: Vec<Parameter<'_>> = columns
            .chars()
            .map(|kind| match kind {
                'i' => integers.next().map_or(Parameter::Null, |number| Parameter::Integer(*number)),
                _ => texts.next().map_or(Parameter::Null, |text| text.as_deref().into()),
            })
            .collect();
        target.execute(insert, &parameters).map(|_| ())
    })
}

fn database_error(error: CommitError) -> CopyError {
    match error {
        CommitError::Database(error) => CopyError::Database(error),
        conflict @ CommitError::Conflict { .. } => {
            CopyError::Database(DatabaseError::Other(conflict.to_string()))
        }
    }
}
