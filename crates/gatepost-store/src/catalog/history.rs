//! Questions to the catalog's history: who changed what, and what it was before. Bodies hold nothing made from a secret.

use gatepost_rest::definition::Id;

use super::object::ObjectKind;
use super::store::apply;
use super::{Catalog, CatalogStore, DatabaseError, HistoryEntry};
use crate::database::{Access, Parameter, Row, Transaction};

/// Which changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Of what belongs to this schema.
    pub schema_id: Option<Id>,
    /// Of this kind: `module`, `client`, …
    pub kind: Option<String>,
    /// Of objects of this name.
    pub name: Option<String>,
    /// By this person.
    pub author: Option<String>,
}

/// A change with the object before and after it, as documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryState {
    /// The change.
    pub entry: HistoryEntry,
    /// The object after it; absent when it was deleted.
    pub body: Option<String>,
    /// The object before it; absent when it was made.
    pub before: Option<String>,
}

const COLUMNS: &str = "revision, object_id, schema_id, kind, name, action, author, source, changed_at_ms";

impl CatalogStore {
    /// The newest changes first, at most `limit`, of one schema or of all.
    pub fn list_history(
        &self,
        schema_id: Option<Id>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, DatabaseError> {
        self.find_history(&HistoryFilter { schema_id, ..HistoryFilter::default() }, None, limit)
    }

    /// The changes that fit, newest first, after one that was seen already (its revision and object).
    pub fn find_history(
        &self,
        filter: &HistoryFilter,
        after: Option<(u64, Id)>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, DatabaseError> {
        let mut entries = Vec::new();
        let (revision, object) = after.map_or((i64::MAX, 0), |(revision, id)| (revision as i64, id as i64));
        let text = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        let (kind, name, author) = (text(&filter.kind), text(&filter.name), text(&filter.author));
        self.database.transaction(Access::Read, |transaction| {
            transaction.query(
                &format!(
                    "select {COLUMNS} from history
                     where (revision < $1 or (revision = $1 and object_id > $2))
                       and ($3 = -1 or schema_id = $3) and ($4 = '' or kind = $4) and ($5 = '' or name = $5)
                       and ($6 = '' or author = $6)
                     order by revision desc, object_id limit $7"
                ),
                &[
                    Parameter::Integer(revision),
                    Parameter::Integer(object),
                    filter.schema_id.map_or(Parameter::Integer(-1), |id| Parameter::Integer(id as i64)),
                    Parameter::Text(&kind),
                    Parameter::Text(&name),
                    Parameter::Text(&author),
                    Parameter::Integer(i64::from(limit)),
                ],
                &mut |row| {
                    entries.push(read_entry(row)?);
                    Ok(())
                },
            )
        })?;
        Ok(entries)
    }

    /// One change, with the object before and after it.
    pub fn find_history_state(
        &self,
        revision: u64,
        object_id: Id,
    ) -> Result<Option<HistoryState>, DatabaseError> {
        let mut found = None;
        self.database.transaction(Access::Read, |transaction| {
            let key = [Parameter::Integer(revision as i64), Parameter::Integer(object_id as i64)];
            transaction.query(
                &format!("select {COLUMNS}, body from history where revision = $1 and object_id = $2"),
                &key,
                &mut |row| {
                    found = Some(HistoryState {
                        entry: read_entry(row)?,
                        body: row.optional_text(9)?,
                        before: None,
                    });
                    Ok(())
                },
            )?;
            if let Some(state) = &mut found {
                state.before = body_before(transaction, object_id, revision)?;
            }
            Ok::<(), DatabaseError>(())
        })?;
        Ok(found)
    }

    /// Puts an object into a copy of a catalog as it last was, deleted or not; says whether it was ever there.
    pub fn recall(&self, catalog: &mut Catalog, kind: &str, id: Id) -> Result<bool, DatabaseError> {
        let body = self
            .database
            .transaction(Access::Read, |transaction| body_before(transaction, id, i64::MAX as u64))?;
        let Some(body) = body else { return Ok(false) };
        put_document(catalog, kind, id, &body)?;
        Ok(true)
    }
}

/// Puts an object into a copy of a catalog as a document of the history says.
pub fn put_document(catalog: &mut Catalog, kind: &str, id: Id, body: &str) -> Result<(), DatabaseError> {
    let kind = ObjectKind::parse(kind)
        .ok_or_else(|| DatabaseError::Broken(format!("the history has an object of kind {kind}")))?;
    apply(catalog, kind, id, Some(body))
}

/// The newest body of an object before a revision.
fn body_before(
    transaction: &dyn Transaction,
    object_id: Id,
    revision: u64,
) -> Result<Option<String>, DatabaseError> {
    let mut body = None;
    transaction.query(
        "select body from history where object_id = $1 and revision < $2 and body is not null
         order by revision desc limit 1",
        &[Parameter::Integer(object_id as i64), Parameter::Integer(revision as i64)],
        &mut |row| {
            body = row.optional_text(0)?;
            Ok(())
        },
    )?;
    Ok(body)
}

fn read_entry(row: &dyn Row) -> Result<HistoryEntry, DatabaseError> {
    Ok(HistoryEntry {
        revision: row.integer(0)? as u64,
        object_id: row.integer(1)? as u64,
        schema_id: row.integer(2)? as u64,
        kind: row.text(3)?,
        name: row.text(4)?,
        action: row.text(5)?,
        author: row.text(6)?,
        source: row.text(7)?,
        changed_on_ms: row.integer(8)?,
    })
}
