//! The running installation: its stores, its keys and the snapshot that requests are answered from.
//!
//! Built once by a command and shared. A thread of its own follows the catalog: it polls the revision row, takes
//! in what other processes committed, and notices replaced files. Requests read the snapshot and nothing else.

pub mod clock;
mod console;
mod generations;
mod high_water;
mod hosts;
pub mod key_file;
mod keys;
pub mod people;
pub mod principals;
mod publish;
pub mod published;
mod readiness;
pub mod remote_rows;
pub(crate) mod reveal;
mod revocations;
pub mod sign_ins;
pub mod slow_checks;
pub mod snapshot;
mod source_cache;
pub mod source_operations;
pub mod source_sql;
pub mod source_test;
pub mod sources;
pub mod synchronize;
pub mod throttle;
pub mod usage;
mod watch;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use gatepost_oauth::{KeyRing, LocalKeys};
use gatepost_rest::render::Zone;
use gatepost_rest::sql::Dialect;
use gatepost_store::catalog::{
    Catalog, CatalogPlace, CatalogStore, Change, CommitError, DatabaseError, Refreshed,
};
use gatepost_store::data::{DataLocation, DataOptions, DataStore};
use gatepost_store::logs::{LogLimits, LogStore};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::outbound::Outbound;
use clock::{Clock, fill_random, random_bytes};
use generations::renew_generations;
use high_water::HighWater;
use key_file::KeySource;
use keys::InForce;
use slow_checks::SlowChecks;
use snapshot::Snapshot;
use source_cache::SourceCache;
use throttle::Throttle;

pub use watch::Watch;

/// Documents about services that are made at a time: each asks the database about many handlers.
const DESCRIBING_MAX: usize = 2;

/// The variable that can hold the keys instead of a file.
pub const KEYS_VARIABLE: &str = "GATEPOST_KEYS";

/// The installation in this process.
#[derive(Debug)]
pub struct App {
    /// What the operator set.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// Access log and audit trail.
    pub logs: LogStore,
    /// The catalog on disk.
    pub store: CatalogStore,
    /// Slows down those who guess.
    pub throttle: Throttle,
    /// Slows down those who guess the passwords of people.
    pub people_throttle: Throttle,
    /// Slow hashes of secrets and passwords.
    pub slow_checks: SlowChecks,
    /// Documents about services that are made at a time.
    pub describing: Arc<Semaphore>,
    /// What request bodies may use together, in KiB.
    pub body_kibibytes: Arc<Semaphore>,
    /// The hosts that requests may name.
    pub hosts: Vec<String>,
    /// The public URL without a final slash.
    pub base_url: Arc<str>,
    /// The URL of the context, with a final slash.
    pub context_url: Arc<str>,
    keys: KeySource,
    keys_looked_at_steady_ms: AtomicI64,
    ring: ArcSwap<KeyRing>,
    /// Which change of the keys in the catalog `ring` is; 0: they are in the key file.
    ring_revision: AtomicU64,
    snapshot: ArcSwap<Snapshot>,
    /// Whether requests are answered: then everything is compiled as soon as it changes.
    serves: AtomicBool,
    /// Whether `snapshot` has schemas that are older than its catalog.
    uncompiled: AtomicBool,
    data: Mutex<HashMap<String, DataStore>>,
    /// Held while a snapshot is made, so that an older one never replaces a newer one.
    refreshing: Mutex<()>,
    confirmed_steady_ms: AtomicI64,
    /// Not 0: an older catalog took the place of the one that the tokens are of, and this id was the next one there.
    restored_from: AtomicU64,
    /// How far this node's clock is ahead of the catalog's.
    clock_ahead_ms: AtomicI64,
    /// Told to stop: still serving, but no balancer should send anything new.
    stopping: AtomicBool,
    high_water: HighWater,
    /// Calls to other people's APIs.
    pub outbound: Arc<Outbound>,
    source_cache: SourceCache,
    /// Statements over the rows of sources that run at a time.
    scratch_turns: Arc<Semaphore>,
    /// For calls from where nothing runs futures: commands.
    own_runtime: OnceLock<Runtime>,
}

/// Whether a command may make what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Catalog and keys must exist.
    Existing,
    /// Both are made when neither exists.
    Create,
}

impl App {
    /// Opens the folder that the configuration names.
    pub fn open(config: Config, keys: KeySource, clock: Clock, open: Open) -> anyhow::Result<Self> {
        let place = config.catalog_place()?;
        let (store, in_force) = open_catalog(&place, &keys, &clock, open)?;
        let limits = LogLimits { age_days: config.log.days, size_bytes: config.log.size_mib << 20 };
        let logs = LogStore::open(&config.path(&config.log.file), limits).context("the log store")?;
        let catalog = store.load().context("the catalog")?;
        let high_water = HighWater::read(&config.folder);
        let catalog = take_restored(&store, &high_water, catalog, clock.now_ms())?;
        let confirmed_steady_ms = AtomicI64::new(clock.steady_ms());
        let base_url = config.public_url();
        let oauth = &config.oauth;
        let policy = config.egress_policy()?;
        let random = || u64::from_le_bytes(random_bytes());
        let outbound = Arc::new(Outbound::new(policy, config.egress.requests_per_server, random));
        let source_cache = SourceCache::new(config.limits.source_cache_bytes);
        let app = Self {
            throttle: Throttle::new(oauth),
            people_throttle: Throttle::for_people(),
            slow_checks: SlowChecks::new(oauth.slow_checks, oauth.slow_checks_waiting),
            describing: Arc::new(Semaphore::new(DESCRIBING_MAX)),
            body_kibibytes: Arc::new(Semaphore::new(config.limits.bodies_bytes.div_ceil(1024))),
            hosts: hosts::ours(config.server.public_url.as_deref(), config.server.listen),
            context_url: format!("{base_url}{}/", config.server.context).into(),
            base_url: base_url.into(),
            keys_looked_at_steady_ms: AtomicI64::new(i64::MIN / 2),
            snapshot: ArcSwap::from_pointee(Snapshot::default()),
            serves: AtomicBool::new(false),
            uncompiled: AtomicBool::new(false),
            config,
            clock,
            logs,
            store,
            keys,
            ring: ArcSwap::from_pointee(in_force.ring),
            ring_revision: AtomicU64::new(in_force.revision),
            data: Mutex::default(),
            refreshing: Mutex::default(),
            confirmed_steady_ms,
            restored_from: AtomicU64::new(0),
            clock_ahead_ms: AtomicI64::new(0),
            stopping: AtomicBool::new(false),
            high_water,
            outbound,
            source_cache,
            scratch_turns: Arc::new(Semaphore::new(source_sql::TURNS)),
            own_runtime: OnceLock::new(),
        };
        app.publish(catalog, false);
        app.compare_clocks().context("the catalog")?;
        Ok(app)
    }

    /// Where the keys are.
    pub fn key_source(&self) -> &KeySource {
        &self.keys
    }

    /// Writes a change and serves it. Blocks for as long as the database does.
    pub fn commit(
        &self,
        base: &Catalog,
        changed: &Catalog,
        change: &Change,
    ) -> Result<Arc<Catalog>, CommitError> {
        let _refreshing = self.lock_refreshing();
        let mut committed = self.store.commit(base, changed, change)?;
        // `base` may be older than what is known of revocations by now.
        let revocations = &self.snapshot.load().catalog.revocations;
        if revocations.revision > committed.revocations.revision {
            committed.revocations = Arc::clone(revocations);
        }
        committed.key_revision = self.snapshot.load().catalog.key_revision;
        if committed.revision > self.snapshot.load().catalog.revision {
            self.publish(committed, false);
        }
        Ok(Arc::clone(&self.snapshot.load().catalog))
    }

    /// Takes in what other processes committed. Blocks for one row read, or for the rows that changed.
    pub fn refresh(&self) -> Result<(), DatabaseError> {
        let refreshing = self.lock_refreshing();
        let started_ms = self.clock.steady_ms();
        let known = Arc::clone(&self.snapshot.load().catalog);
        if let Some(Refreshed { mut catalog, follows, seen }) = self.store.refresh(&known)? {
            if !follows {
                tracing::warn!(
                    "the catalog is an older one than before: it was restored, or a failover lost changes"
                );
                self.restored_from.store(known.next_id.max(1), Ordering::Release);
                // Here at once, in the database below: no request sees it without.
                renew_generations(&mut catalog, |_| true);
            }
            let keys_changed = if follows { self.take_keys_of(&catalog)? } else { self.take_other_keys()? };
            self.store.accept(seen);
            self.publish(catalog, keys_changed);
        }
        self.confirmed_steady_ms.store(started_ms, Ordering::Release);
        drop(refreshing);
        self.end_tokens_of_before();
        Ok(())
    }

    /// Serves another file that took the catalog's place, if one did; says whether. Nothing that is known of the
    /// file before counts for the new one, its revision included.
    pub fn reopen_if_replaced(&self) -> Result<bool, DatabaseError> {
        let _refreshing = self.lock_refreshing();
        if !self.store.reopen_if_replaced()? {
            return Ok(false);
        }
        if self.store.key_fingerprint()? != self.ring.load().fingerprint() {
            tracing::error!(
                "the new catalog belongs to other keys: no secret and no token of it can be checked"
            );
        }
        tracing::warn!("the catalog file was replaced: serving the new one");
        let next_id = self.snapshot.load().catalog.next_id;
        self.restored_from.store(next_id.max(1), Ordering::Release);
        let mut catalog = self.store.load()?;
        renew_generations(&mut catalog, |_| true);
        let keys_changed = self.take_keys_of(&catalog)?;
        self.publish(catalog, keys_changed);
        Ok(true)
    }

    /// Schemas whose data could not be opened get another chance.
    pub fn retry_data(&self) {
        let missing = self.snapshot.load().schemas().any(|schema| schema.data.is_none());
        if missing {
            let _refreshing = self.lock_refreshing();
            let catalog = Arc::clone(&self.snapshot.load().catalog);
            self.publish(catalog.as_ref().clone(), false);
        }
    }

    /// The data of a schema, opened when it is first asked for.
    pub fn data(&self, schema: &str) -> anyhow::Result<DataStore> {
        let mut stores = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(schema) {
            return Ok(store.clone());
        }
        let location = self.config.data_location(schema)?;
        if let DataLocation::Sqlite(path) = &location {
            self.check_apart(schema, path)?;
            if let Some(folder) = path.parent() {
                key_file::make_private_folder(folder)
                    .with_context(|| format!("folder {}", folder.display()))?;
            }
        }
        let store = DataStore::open(&location, self.data_options(schema))
            .with_context(|| format!("data of schema {schema}"))?;
        stores.insert(schema.to_owned(), store.clone());
        Ok(store)
    }

    /// Whose SQL a schema speaks.
    pub fn dialect(&self, schema: &str) -> Dialect {
        self.config.data_location(schema).map_or(Dialect::Sqlite, |location| location.dialect())
    }

    /// Catalog, logs and data are three stores: user SQL must never run on one of ours.
    fn check_apart(&self, schema: &str, data: &Path) -> anyhow::Result<()> {
        let mut ours = vec![self.config.path(&self.config.log.file)];
        if let CatalogPlace::Sqlite(path) = self.config.catalog_place()? {
            ours.push(path);
        }
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if ours.iter().any(|file| real(file) == real(data)) {
            bail!("the data of schema {schema} is {}, which holds the catalog or the logs", data.display());
        }
        Ok(())
    }

    fn data_options(&self, schema: &str) -> DataOptions {
        let zone = self.config.schemas.get(schema).and_then(|storage| Zone::parse(&storage.time_zone));
        let limits = &self.config.limits;
        DataOptions {
            zone: zone.unwrap_or_default(),
            reader_threads: limits.readers,
            stream_threads: limits.streams,
            queue_max: limits.queue,
            stall: Duration::from_secs(u64::from(limits.stall_seconds)),
            write_time: Duration::from_millis(u64::from(limits.write_ms)),
            ..DataOptions::default()
        }
    }

    /// The issuer of a schema's tokens, also the URL that its services are below.
    pub fn issuer(&self, alias: &str) -> String {
        format!("{}{}/{alias}", self.config.public_url(), self.config.server.context)
    }

    /// Waits for a future, wherever this is called. Blocks.
    pub fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> anyhow::Result<T> {
        let handle = match (Handle::try_current(), self.own_runtime.get()) {
            (Ok(handle), _) => handle,
            (Err(_), Some(runtime)) => runtime.handle().clone(),
            (Err(_), None) => {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
                self.own_runtime.get_or_init(|| runtime).handle().clone()
            }
        };
        // On a thread of its own, because those of a runtime must not wait in it.
        std::thread::scope(|scope| scope.spawn(|| handle.block_on(future)).join())
            .map_err(|_| anyhow::anyhow!("the call failed within the program"))
    }

    fn lock_refreshing(&self) -> MutexGuard<'_, ()> {
        // The guarded work only swaps pointers at its end; a panic within leaves the old snapshot in force.
        self.refreshing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A catalog that is behind what this folder has seen is a restored backup: its tokens end before it is served.
fn take_restored(
    store: &CatalogStore,
    high_water: &HighWater,
    catalog: Catalog,
    now_ms: i64,
) -> anyhow::Result<Catalog> {
    let committed_ms = store.find_committed_ms(high_water.revision()).context("the catalog")?;
    let Some(changed) = high_water.restored(&catalog, committed_ms) else { return Ok(catalog) };
    tracing::warn!("the catalog is older than what this folder served: every token issued so far has ended");
    let change = Change { author: "gatepost".into(), source: "restored catalog".into(), now_ms };
    match store.commit(&catalog, &changed, &change) {
        Ok(committed) => Ok(committed),
        // Another process was first and did the same.
        Err(CommitError::Conflict { .. }) => Ok(store.load().context("the catalog")?),
        Err(error) => Err(error).context("the catalog is a restored backup, and its tokens cannot be ended"),
    }
}

fn open_catalog(
    place: &CatalogPlace,
    keys: &KeySource,
    clock: &Clock,
    open: Open,
) -> anyhow::Result<(CatalogStore, InForce)> {
    let store = match CatalogStore::open(place) {
        Err(DatabaseError::Missing(_) | DatabaseError::Unfinished) if open == Open::Create => {
            create_catalog(place, keys, clock.now_ms())?
        }
        opened => opened.context("the catalog")?,
    };
    if !keys.exists() {
        bail!(
            "{keys} is missing. The catalog {place} was made with keys {}: put that file back. New keys are made only \
             for an empty catalog, because no secret and no token of this one could be checked with them",
            store.key_fingerprint()?,
        );
    }
    let (ours, wanted) = (keys.load()?.fingerprint(), store.key_fingerprint().context("the catalog")?);
    if ours != wanted {
        bail!(
            "{keys} has fingerprint {ours}, the catalog was made with {wanted}: it belongs to another catalog"
        );
    }
    let in_force = InForce::load(&store, keys)?;
    Ok((store, in_force))
}

/// Makes a catalog, and keys if there are none. One that several nodes can share gets its keys within, sealed.
fn create_catalog(place: &CatalogPlace, keys: &KeySource, now_ms: i64) -> anyhow::Result<CatalogStore> {
    let shared = matches!(place, CatalogPlace::Postgres(_));
    let local = if keys.exists() {
        keys.load()?
    } else {
        let made = if shared { LocalKeys::generate_wrapping } else { LocalKeys::generate_ring };
        let local = made(&mut fill_random, now_ms);
        keys.save(&local)?;
        local
    };
    let sealed = match (local.ring(), local.newest_wrapping_key()) {
        (None, Some(key)) => {
            let ring = local.generate_ring_to_seal(&mut fill_random, now_ms);
            let sealed = local.seal(&ring, key.id(), 1, random_bytes());
            Some(sealed.context("the keys could not be sealed")?)
        }
        _ => None,
    };
    // Two nodes that start at once make one catalog; to one of them its keys are foreign, as its caller finds.
    CatalogStore::create(place, &local.fingerprint(), now_ms, sealed.as_ref()).context("the catalog")
}
