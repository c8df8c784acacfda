//! Whether what the database holds now follows on what was known of it. A backup that was put back does not; a standby
//! that was promoted does, unless it lacks what was acknowledged: then a revocation may be missing, silently.

use super::Catalog;
use crate::database::{DatabaseError, Lineage, Parameter, Transaction};

/// The state that was read or written last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The server that it was on, if that one says so.
    server: Option<String>,
    revision: u64,
    /// When its last commit was made; with the revision that names one commit.
    committed_ms: Option<i64>,
}

impl Seen {
    pub(super) fn new(lineage: Option<Lineage>, revision: u64, committed_ms: Option<i64>) -> Self {
        Self { server: lineage.map(|lineage| lineage.id), revision, committed_ms }
    }

    /// Whether the transaction is on another server than the one that was seen.
    pub(super) fn is_elsewhere(&self, lineage: Option<&Lineage>) -> bool {
        self.server.is_some() && self.server.as_deref() != lineage.map(|lineage| lineage.id.as_str())
    }

    /// When the commit of this revision was made, if that is the one that was seen.
    pub(super) fn committed_ms(&self, revision: u64) -> Option<i64> {
        self.committed_ms.filter(|_| self.revision == revision)
    }
}

/// When the commit of this revision was made, as its history says.
pub(super) fn find_committed_ms(
    transaction: &dyn Transaction,
    revision: u64,
) -> Result<Option<i64>, DatabaseError> {
    let mut found = None;
    transaction.query(
        "select changed_at_ms from history where revision = $1 order by object_id limit 1",
        &[Parameter::Integer(revision as i64)],
        &mut |row| {
            found = Some(row.integer(0)?);
            Ok(())
        },
    )?;
    Ok(found)
}

/// Whether a catalog on another server holds everything that was known. `same_commit` says whether the last commit
/// that was known is one of its own; nothing when that cannot be told.
pub(super) fn follows(known: &Catalog, found: &Catalog, same_commit: Option<bool>, now_ms: i64) -> bool {
    let definitions = match same_commit {
        Some(same) => same && found.revision >= known.revision,
        None => found.has_definitions_of(known),
    };
    definitions && !found.is_older_than(known) && known.revocations.are_in(&found.revocations, now_ms)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::{REVOCATION_GRACE_MS, Revocations, RevokedToken};

    /// A catalog with these tokens revoked, which all expire at 1,000.
    fn catalog(revision: u64, revocations: u64, tokens: &[u8]) -> Catalog {
        let mut list = Revocations::default();
        list.revision = revocations;
        for token in tokens {
            list.insert([*token; 16], RevokedToken { client: 1, expires_ms: 1_000 });
        }
        Catalog { revision, revocations: Arc::new(list), ..Catalog::default() }
    }

    #[test]
    fn what_lacks_something_does_not_follow() {
        let known = catalog(5, 2, &[1, 2]);
        for (why, found, same_commit) in [
            ("an older revision", catalog(4, 2, &[1, 2]), Some(true)),
            ("another commit of this revision", catalog(5, 2, &[1, 2]), Some(false)),
            ("another one, and more since", catalog(9, 2, &[1, 2]), Some(false)),
            ("a revocation too few", catalog(5, 1, &[1]), Some(true)),
            ("another revocation instead", catalog(5, 2, &[1, 3]), Some(true)),
            ("others, and more since", catalog(9, 9, &[1, 3, 4, 5]), Some(true)),
            ("nobody knows the commit", catalog(6, 2, &[1, 2]), None),
        ] {
            assert!(!follows(&known, &found, same_commit, 0), "{why}");
        }
    }

    #[test]
    fn what_has_everything_follows() {
        let known = catalog(5, 2, &[1, 2]);
        assert!(follows(&known, &catalog(5, 2, &[1, 2]), Some(true), 0));
        assert!(follows(&known, &catalog(5, 2, &[1, 2]), None, 0));
        assert!(follows(&known, &catalog(9, 9, &[1, 2, 3]), Some(true), 0));
        // Entries that have served their time were taken off.
        assert!(follows(&known, &catalog(9, 9, &[]), Some(true), 1_000 + REVOCATION_GRACE_MS));
        assert!(!follows(&known, &catalog(9, 9, &[]), Some(true), 999 + REVOCATION_GRACE_MS));
    }

    #[test]
    fn another_server_is_noticed_and_one_that_says_nothing_is_another() {
        let lineage = |id: &str| Some(Lineage { id: id.into(), now_ms: 0 });
        let seen = Seen::new(lineage("7/1"), 5, Some(3));
        assert!(!seen.is_elsewhere(lineage("7/1").as_ref()));
        assert!(seen.is_elsewhere(lineage("7/2").as_ref()) && seen.is_elsewhere(None));
        assert!(!Seen::default().is_elsewhere(lineage("7/1").as_ref()));
        assert_eq!((seen.committed_ms(5), seen.committed_ms(6)), (Some(3), None));
    }
}
