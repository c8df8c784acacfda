//! The key ring in the catalog: sealed, so that whoever reads the database reads no key.

use gatepost_oauth::SealedRing;

use super::{CatalogStore, DatabaseError};
use crate::database::{Access, Parameter, Transaction};

impl CatalogStore {
    /// The ring, if the keys are in the catalog.
    pub fn key_ring(&self) -> Result<Option<SealedRing>, DatabaseError> {
        self.database.transaction(Access::Read, read)
    }

    /// Writes a ring whose revision follows the one that is there. False when somebody else wrote that one first:
    /// read again.
    pub fn save_key_ring(&self, ring: &SealedRing) -> Result<bool, DatabaseError> {
        self.database.transaction(Access::Write, |transaction| {
            let revision = Parameter::Integer(ring.revision as i64);
            let moved = transaction.execute(
                "update catalog_state set key_revision = $1 where id = 1 and key_revision = $1 - 1",
                &[revision],
            )?;
            if moved == 1 {
                write(transaction, ring)?;
            }
            Ok(moved == 1)
        })
    }
}

pub(super) fn read(transaction: &dyn Transaction) -> Result<Option<SealedRing>, DatabaseError> {
    let mut found = None;
    transaction.query(
        "select revision, wrapping_key_id, sealed from key_ring where id = 1",
        &[],
        &mut |row| {
            let wrapping_key_id = row.integer(1)?.try_into();
            found = Some(SealedRing {
                revision: row.integer(0)? as u64,
                wrapping_key_id: wrapping_key_id
                    .map_err(|_| DatabaseError::Broken("the wrapping key's number".into()))?,
                sealed: row.text(2)?,
            });
            Ok(())
        },
    )?;
    Ok(found)
}

pub(super) fn write(transaction: &dyn Transaction, ring: &SealedRing) -> Result<(), DatabaseError> {
    transaction.execute(
        "insert into key_ring (id, revision, wrapping_key_id, sealed) values (1, $1, $2, $3)
         on conflict (id) do update
           set revision = excluded.revision, wrapping_key_id = excluded.wrapping_key_id, sealed = excluded.sealed",
        &[
            Parameter::Integer(ring.revision as i64),
            Parameter::Integer(i64::from(ring.wrapping_key_id)),
            Parameter::Text(&ring.sealed),
        ],
    )?;
    Ok(())
}
