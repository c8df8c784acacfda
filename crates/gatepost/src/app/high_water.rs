//! How far the catalog of this folder had come. A catalog file that is behind it is a restored backup: it may not
//! know of revocations, and would give ids a second time.
//!
//! The mark is a small file beside the catalog that no backup should contain.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use gatepost_rest::definition::Id;
use gatepost_store::catalog::Catalog;

use super::generations::renew_generations;

/// The file's name in the folder.
const FILE: &str = "catalog.mark";

/// The mark of a folder.
#[derive(Debug)]
pub(super) struct HighWater {
    path: PathBuf,
    revision: AtomicU64,
    next_id: Id,
    /// When the commit of that revision was made: one of the same number in a backup was made at another time.
    committed_ms: Option<i64>,
}

impl HighWater {
    /// Reads the mark; without a file there is none.
    pub(super) fn read(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().unwrap_or(0));
        let (revision, next_id) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let committed_ms = numbers.next().and_then(|number| i64::try_from(number).ok());
        Self { path, revision: AtomicU64::new(revision), next_id, committed_ms }
    }

    /// The revision that was noted last.
    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// What has to become of a catalog that is behind the mark: every client gets a new generation, so that no
    /// token issued before opens anything, and no id is given twice. None when it is not behind. `committed_ms` is
    /// when the catalog's commit of the mark's revision was made.
    pub(super) fn restored(&self, catalog: &Catalog, committed_ms: Option<i64>) -> Option<Catalog> {
        let same = self.committed_ms.is_none() || self.committed_ms == committed_ms;
        if same && catalog.revision >= self.revision() {
            return None;
        }
        let mut changed = catalog.clone();
        changed.next_id = changed.next_id.max(self.next_id);
        renew_generations(&mut changed, |_| true);
        Some(changed)
    }

    /// Notes how far the catalog is now.
    pub(super) fn note(&self, catalog: &Catalog, committed_ms: Option<i64>) {
        if self.revision.swap(catalog.revision, Ordering::AcqRel) == catalog.revision {
            return;
        }
        let temporary = self.path.with_extension(format!("mark-{}", std::process::id()));
        let committed = committed_ms.map_or(String::new(), |committed_ms| format!(" {committed_ms}"));
        let text = format!("{} {}{committed}\n", catalog.revision, catalog.next_id);
        let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &self.path));
        if let Err(error) = written {
            tracing::warn!(%error, "{} cannot be written: a restored catalog will not be noticed", self.path.display());
        }
    }
}
