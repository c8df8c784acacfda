//! The keys in use. They come from the key file, or from the catalog, where they are sealed under a wrapping key of
//! the key file: then a change is one commit, and every node takes it in like any other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, bail};
use gatepost_oauth::{KeyRing, LocalKeys};
use gatepost_store::catalog::{Catalog, CatalogStore, DatabaseError};

use super::App;
use super::clock::random_bytes;
use super::key_file::KeySource;
use super::readiness::CLOCKS_APART_MAX_MS;

/// The shortest time between the making of a sealing key and its use.
const PUBLISHED_AHEAD_MS: i64 = 3_000;

/// How often a change is made again when others were first.
const ATTEMPTS: u32 = 5;

/// A ring, and which change of the catalog's it is; 0: that of the key file.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) ring: KeyRing,
    pub(super) revision: u64,
}

impl InForce {
    /// Reads the ring from where it is.
    pub(super) fn load(store: &CatalogStore, keys: &KeySource) -> anyhow::Result<Self> {
        let local = keys.load()?;
        let Some(sealed) = store.key_ring().context("the catalog")? else {
            let Some(ring) = local.ring() else {
                bail!(
                    "{keys} holds a wrapping key only, and the catalog holds no keys: put back the key file that \
                     belongs to this state of the catalog"
                )
            };
            return Ok(Self { ring: ring.clone(), revision: 0 });
        };
        let ring = local.open(&sealed).with_context(|| {
            format!(
                "the keys in the catalog cannot be opened with {keys}; put the key file of a node that can in its place"
            )
        })?;
        Ok(Self { ring, revision: sealed.revision })
    }
}

impl App {
    /// The keys.
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }

    /// Whether the keys are in the catalog.
    pub fn keys_are_shared(&self) -> bool {
        self.ring_revision.load(Ordering::Acquire) != 0
    }

    /// Whether the keys may be read because of a request: once a second, whoever makes up key ids.
    pub fn may_reload_keys(&self) -> bool {
        let (now_ms, looked_at_ms) =
            (self.clock.steady_ms(), self.keys_looked_at_steady_ms.load(Ordering::Acquire));
        let due = now_ms - looked_at_ms >= 1_000;
        due && self
            .keys_looked_at_steady_ms
            .compare_exchange(looked_at_ms, now_ms, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Reads the keys again and seals with what they are; says whether they had changed.
    pub fn reload_keys(&self) -> anyhow::Result<bool> {
        // Read under the lock: of two readers the later one has the newer keys.
        let _refreshing = self.lock_refreshing();
        let changed = self.take_keys()?;
        if changed {
            let catalog = Arc::clone(&self.snapshot.load().catalog);
            self.publish(catalog.as_ref().clone(), true);
        }
        Ok(changed)
    }

    /// Puts the keys in force that go with this state of the catalog; says whether they had changed. A node that
    /// cannot is behind, as one that cannot read the catalog: a key may have been taken away.
    pub(super) fn take_keys_of(&self, catalog: &Catalog) -> Result<bool, DatabaseError> {
        if catalog.key_revision == self.ring_revision.load(Ordering::Acquire) {
            return Ok(false);
        }
        let changed = self.take_keys().map_err(|error| DatabaseError::Other(format!("{error:#}")))?;
        tracing::info!("the keys in the catalog changed and are in force");
        Ok(changed)
    }

    /// Puts the keys in force that go with a catalog that did not come of the one before: its numbers say nothing.
    pub(super) fn take_other_keys(&self) -> Result<bool, DatabaseError> {
        self.take_keys().map_err(|error| DatabaseError::Other(format!("{error:#}")))
    }

    fn take_keys(&self) -> anyhow::Result<bool> {
        let read = InForce::load(&self.store, &self.keys)?;
        if read.ring.fingerprint() != self.ring.load().fingerprint() {
            bail!("{} belongs to another catalog; the keys in use stay", self.keys);
        }
        self.ring_revision.store(read.revision, Ordering::Release);
        let changed = read.ring != **self.ring.load();
        if changed {
            self.ring.store(Arc::new(read.ring));
        }
        Ok(changed)
    }

    /// How long a new sealing key is known before it signs: until every node has looked, and whoever's clock is ahead
    /// within the tolerance has waited as well.
    pub fn publish_keys_ahead_ms(&self) -> i64 {
        let heard_ms = 2 * self.config.poll().as_millis() as i64 + 1_000;
        let clocks_ms = if self.config.catalog_is_shared() { CLOCKS_APART_MAX_MS } else { 0 };
        heard_ms.max(PUBLISHED_AHEAD_MS) + clocks_ms
    }

    /// Changes the keys where they are. When others change them at the same time, `work` is done once more on what
    /// they made of them.
    pub fn change_keys<T>(
        &self,
        mut work: impl FnMut(&mut KeyRing) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        for _ in 0..ATTEMPTS {
            let Some(sealed) = self.store.key_ring().context("the catalog")? else {
                return self.keys.change(|local| match local.ring_mut() {
                    Some(ring) => work(ring),
                    None => bail!("the keys were moved into the catalog just now; run the command again"),
                });
            };
            let local = self.keys.load()?;
            let mut ring = local.open(&sealed).with_context(|| self.keys.to_string())?;
            let outcome = work(&mut ring)?;
            if self.save_sealed(&local, &ring, sealed.wrapping_key_id, sealed.revision + 1)? {
                return Ok(outcome);
            }
        }
        bail!("others changed the keys again and again; run the command again")
    }

    /// Seals the keys under the newest wrapping key and keeps them in the catalog, wherever they were, and not in the
    /// key file any more, if that can be changed here. Returns the number of that wrapping key.
    pub fn share_keys(&self) -> anyhow::Result<u32> {
        let local = self.keys.load()?;
        if local.ring().is_none() || !self.keys.can_change() {
            return self.seal_newly(&local);
        }
        // Locked, so that nobody changes keys in the file that are on their way.
        self.keys.change(|local| {
            let wrapping_key_id = self.seal_newly(local)?;
            local.forget_ring();
            Ok(wrapping_key_id)
        })
    }

    fn seal_newly(&self, local: &LocalKeys) -> anyhow::Result<u32> {
        let Some(newest) = local.newest_wrapping_key() else {
            bail!(
                "{} holds no wrapping key. Run `gatepost keys rotate wrapping`, bring the key file to every node, then \
                 run this again",
                self.keys
            )
        };
        for _ in 0..ATTEMPTS {
            let now = InForce::load(&self.store, &self.keys)?;
            if self.save_sealed(local, &now.ring, newest.id(), now.revision + 1)? {
                return Ok(newest.id());
            }
        }
        bail!("others changed the keys again and again; run the command again")
    }

    /// Leaves out of the key file what nothing needs any more: keys that are in the catalog, and wrapping keys
    /// before the one in use. Returns how many wrapping keys went; none when there is no file that can be changed here.
    pub fn tidy_key_file(&self) -> anyhow::Result<usize> {
        let Some(sealed) = self.store.key_ring().context("the catalog")? else { return Ok(0) };
        if !self.keys.can_change() {
            return Ok(0);
        }
        self.keys.change(|local| {
            local.open(&sealed).with_context(|| self.keys.to_string())?;
            local.forget_ring();
            Ok(local.forget_wrapping_keys_before(sealed.wrapping_key_id))
        })
    }

    fn save_sealed(
        &self,
        local: &LocalKeys,
        ring: &KeyRing,
        wrapping_key_id: u32,
        revision: u64,
    ) -> anyhow::Result<bool> {
        let sealed = local.seal(ring, wrapping_key_id, revision, random_bytes());
        let sealed = sealed.context("the keys could not be sealed")?;
        self.store.save_key_ring(&sealed).context("the catalog")
    }
}
