//! Rows of REST sources that are kept in memory for as long as their definitions say (`cache`).
//!
//! Kept is what the API gave, under everything that decided it: the definitions of source, server and credential as they
//! were, the secret, the parameters, the window, and the caller where each has rows of his own. So a new definition finds
//! nothing of the old one, and no source, schema or credential meets another's rows. Failures and cut rows are not kept.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{CacheScope, ColumnType, Credential, Id, RemoteServer, RestSource};
use gatepost_sources::error::SourceError;
use gatepost_sources::paging::Window;
use gatepost_sources::template::Values;
use moka::Expiry;
use moka::future::Cache;
use secrecy::ExposeSecret as _;

use crate::outbound::{FetchFacts, ReadySource};

/// What a value and a row take besides their text, about.
const VALUE_BYTES: usize = 32;
const ROW_BYTES: usize = 24;

/// What an API gave.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    pub(super) columns: Vec<(String, ColumnType)>,
    pub(super) rows: Vec<Vec<Datum>>,
    pub(super) mismatches: u64,
    pub(super) facts: FetchFacts,
}

/// Everything that decides what an API gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    source: Arc<RestSource>,
    server: Arc<RemoteServer>,
    credential: Option<Arc<Credential>>,
    token_url: Option<String>,
    token_tls_ca: Option<String>,
    /// A digest of the secret: an operator's file can change without a definition.
    secret: Option<[u8; 32]>,
    values: Values,
    query: Vec<(String, String)>,
    window: Window,
    caller: Option<String>,
    /// How often this process had changed rows of the source.
    changes: u64,
}

impl Key {
    /// The key of a fetch; none when its rows are not kept.
    pub(super) fn of(
        ready: &ReadySource,
        values: &Values,
        query: &[(String, String)],
        window: Window,
        caller: Option<&str>,
    ) -> Option<Self> {
        let caller = match ready.source.cache.scope {
            CacheScope::Off => return None,
            CacheScope::All => None,
            // Of nobody in particular it is not known whose they are.
            CacheScope::User => Some(caller?.to_owned()),
        };
        let sign_in = ready.sign_in.as_ref();
        let endpoint = sign_in.and_then(|sign_in| sign_in.endpoint.as_ref());
        let hash = |secret: &str| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
            bytes
        };
        Some(Self {
            source: Arc::clone(&ready.source),
            server: Arc::clone(&ready.server),
            credential: sign_in.map(|sign_in| Arc::clone(&sign_in.credential)),
            token_url: endpoint.map(|endpoint| endpoint.url.to_string()),
            token_tls_ca: endpoint.and_then(|endpoint| endpoint.tls_ca.clone()),
            secret: sign_in.map(|sign_in| hash(sign_in.secret.expose_secret())),
            values: values.clone(),
            query: query.to_vec(),
            window,
            caller,
            changes: 0,
        })
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.source.id, self.window.offset, self.window.limit).hash(state);
        (&self.query, &self.caller).hash(state);
        for (name, datum) in self.values.iter() {
            (name, datum.plain()).hash(state);
        }
    }
}

/// Rows that are kept, and since when.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) fetched: Fetched,
    since: Instant,
}

impl Kept {
    /// How old they are.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

/// Why rows are not kept, though they were fetched for all who wait.
#[derive(Debug)]
enum NotKept {
    Failed(SourceError),
    Cut(Arc<Kept>),
}

/// The rows that this process keeps.
#[derive(Debug)]
pub(super) struct SourceCache {
    kept: Cache<Key, Arc<Kept>>,
    /// How often this process changed rows of a source.
    changes: Mutex<HashMap<Id, u64>>,
}

/// A change of a source's rows that is under way: nothing that was fetched before its end is found after it, however it
/// ends.
pub(super) struct Changing<'a> {
    cache: &'a SourceCache,
    source: Id,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        *self.cache.changes().entry(self.source).or_default() += 1;
    }
}

impl SourceCache {
    /// An empty cache that grows to about this size.
    pub(super) fn new(bytes_max: u64) -> Self {
        let cache = Cache::builder()
            .name("rows of REST sources")
            .max_capacity(bytes_max)
            .weigher(|key: &Key, kept: &Arc<Kept>| {
                u32::try_from(weight(key, &kept.fetched)).unwrap_or(u32::MAX)
            })
            .expire_after(TimeToLive)
            .build();
        Self { kept: cache, changes: Mutex::default() }
    }

    fn changes(&self) -> MutexGuard<'_, HashMap<Id, u64>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be held while rows of a source are changed through it.
    pub(super) fn changing(&self, source: Id) -> Changing<'_> {
        Changing { cache: self, source }
    }

    /// The key as it is now.
    pub(super) fn current(&self, key: Key) -> Key {
        let changes = self.changes().get(&key.source.id).copied().unwrap_or(0);
        Key { changes, ..key }
    }

    /// The rows of a key: those that are kept, unless new ones are wanted, or those of one fetch for all who wait.
    pub(super) async fn rows(
        &self,
        key: Key,
        fresh: bool,
        fetch: impl Future<Output = Result<Fetched, SourceError>>,
    ) -> Result<Arc<Kept>, SourceError> {
        if fresh {
            let kept = Arc::new(Kept { fetched: fetch.await?, since: Instant::now() });
            if kept.fetched.facts.truncated.is_none() {
                self.kept.insert(key, Arc::clone(&kept)).await;
            }
            return Ok(kept);
        }
        let fetch = async {
            let kept =
                Arc::new(Kept { fetched: fetch.await.map_err(NotKept::Failed)?, since: Instant::now() });
            if kept.fetched.facts.truncated.is_some() { Err(NotKept::Cut(kept)) } else { Ok(kept) }
        };
        // Behind a pointer: it is large, and few ways lead here.
        match Box::pin(self.kept.try_get_with(key, fetch)).await {
            Ok(kept) => Ok(kept),
            Err(not_kept) => match &*not_kept {
                NotKept::Cut(kept) => Ok(Arc::clone(kept)),
                NotKept::Failed(error) => Err(error.clone()),
            },
        }
    }
}

/// About how many bytes an entry takes.
fn weight(key: &Key, fetched: &Fetched) -> usize {
    let texts = key.query.iter().map(|(name, value)| name.len() + value.len());
    let values = key.values.iter().map(|(name, datum)| name.len() + datum.plain().map_or(0, str::len));
    let rows = fetched.rows.iter().map(|row| {
        let values = row.iter().map(|datum| VALUE_BYTES + datum.plain().map_or(0, str::len));
        ROW_BYTES + values.sum::<usize>()
    });
    size_of::<Key>() + texts.chain(values).chain(rows).sum::<usize>()
}

/// Each source says how long.
struct TimeToLive;

impl Expiry<Key, Arc<Kept>> for TimeToLive {
    fn expire_after_create(&self, key: &Key, _: &Arc<Kept>, _: Instant) -> Option<Duration> {
        Some(Duration::from_millis(key.source.cache.ttl_ms))
    }

    fn expire_after_update(
        &self,
        key: &Key,
        _: &Arc<Kept>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(Duration::from_millis(key.source.cache.ttl_ms))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use gatepost_sources::definition::{Cache as Keeping, ServerKind};
    use gatepost_sources::error::Code;
    use gatepost_sources::paging::Truncation;

    use super::*;

    fn ready(scope: CacheScope, ttl_ms: u64) -> ReadySource {
        let source = RestSource { cache: Keeping { scope, ttl_ms }, ..RestSource::new("s", "api", "rows") };
        let server = RemoteServer::new("api", ServerKind::ALL[0], "https://api.example");
        let base_url = server.base_url.parse().unwrap();
        ReadySource { source: source.into(), server: server.into(), base_url, sign_in: None, hops: 0 }
    }

    fn key(ready: &ReadySource, caller: Option<&str>) -> Option<Key> {
        Key::of(ready, &Values::default(), &[], Window::default(), caller)
    }

    fn fetched(text: &str) -> Fetched {
        Fetched {
            columns: vec![("x".into(), ColumnType::Text)],
            rows: vec![vec![Datum::Text(text.into())]],
            mismatches: 0,
            facts: FetchFacts::default(),
        }
    }

    /// Asks for rows, and tells the answer and whether the API was asked.
    async fn ask(cache: &SourceCache, key: Key, answer: Result<Fetched, SourceError>) -> (String, bool) {
        let asked = AtomicU32::new(0);
        let rows = cache.rows(key, false, async {
            asked.fetch_add(1, Ordering::Relaxed);
            answer
        });
        let text = match rows.await {
            Ok(kept) => kept.fetched.rows[0][0].plain().unwrap().to_owned(),
            Err(error) => error.code.to_string(),
        };
        (text, asked.into_inner() == 1)
    }

    #[tokio::test]
    async fn what_differs_in_anything_has_rows_of_its_own() {
        let cache = SourceCache::new(1 << 20);
        let all = ready(CacheScope::All, 60_000);
        let of = |ready: &ReadySource| key(ready, None).unwrap();
        assert_eq!(ask(&cache, of(&all), Ok(fetched("a"))).await, ("a".into(), true));
        assert_eq!(ask(&cache, of(&all), Ok(fetched("b"))).await, ("a".into(), false));
        let mut others = Vec::new();
        let mut values = Values::default();
        values.set("dept", Datum::Integer("10".into()));
        others.push(Key { values, ..of(&all) });
        others.push(Key { query: vec![("q".into(), "{}".into())], ..of(&all) });
        others.push(Key { window: Window { offset: 1, limit: None }, ..of(&all) });
        others.push(Key { secret: Some([1; 32]), ..of(&all) });
        others.push(Key { token_url: Some("https://t.example".into()), ..of(&all) });
        others.push(Key { source: RestSource { schema_id: 2, ..(*all.source).clone() }.into(), ..of(&all) });
        others.push(Key {
            source: RestSource { path: "x".into(), ..(*all.source).clone() }.into(),
            ..of(&all)
        });
        let server = RemoteServer { base_url: "https://b.example".into(), ..(*all.server).clone() };
        others.push(Key { server: server.into(), ..of(&all) });
        for (number, other) in others.into_iter().enumerate() {
            let name = number.to_string();
            assert_eq!(ask(&cache, other, Ok(fetched(&name))).await, (name, true));
        }
        assert_eq!(ask(&cache, of(&all), Ok(fetched("c"))).await, ("a".into(), false));
    }

    #[tokio::test]
    async fn rows_of_one_caller_are_not_anothers() {
        let cache = SourceCache::new(1 << 20);
        let own = ready(CacheScope::User, 60_000);
        for (caller, asked) in [("ann", true), ("ben", true), ("ann", false)] {
            let found = ask(&cache, key(&own, Some(caller)).unwrap(), Ok(fetched(caller))).await;
            assert_eq!(found, (caller.into(), asked));
        }
        assert!(key(&own, None).is_none() && key(&ready(CacheScope::Off, 0), Some("ann")).is_none());
    }

    #[tokio::test]
    async fn failures_and_cut_rows_are_not_kept() {
        let cache = SourceCache::new(1 << 20);
        let of = || key(&ready(CacheScope::All, 60_000), None).unwrap();
        let failed = ask(&cache, of(), Err(SourceError::new(Code::ApiTimeout))).await;
        assert_eq!(failed, ("api_timeout".into(), true));
        let mut cut = fetched("cut");
        cut.facts.truncated = Some(Truncation::Rows);
        assert_eq!(ask(&cache, of(), Ok(cut)).await, ("cut".into(), true));
        assert_eq!(ask(&cache, of(), Ok(fetched("whole"))).await, ("whole".into(), true));
        assert_eq!(ask(&cache, of(), Ok(fetched("more"))).await, ("whole".into(), false));
        let fresh = cache.rows(of(), true, async { Ok(fetched("fresh")) }).await.unwrap();
        assert_eq!(fresh.fetched.rows[0][0], Datum::Text("fresh".into()));
        assert_eq!(ask(&cache, of(), Ok(fetched("more"))).await, ("fresh".into(), false));
    }

    #[tokio::test]
    async fn many_who_wait_cause_one_fetch() {
        let cache = SourceCache::new(1 << 20);
        let ready = ready(CacheScope::All, 60_000);
        let (asked, gate) = (AtomicU32::new(0), tokio::sync::Semaphore::new(0));
        let calls = (0..50).map(|_| {
            cache.rows(key(&ready, None).unwrap(), false, async {
                asked.fetch_add(1, Ordering::Relaxed);
                let _open = gate.acquire().await;
                Ok(fetched("one"))
            })
        });
        let open = async {
            tokio::task::yield_now().await;
            gate.add_permits(1);
        };
        let (rows, ()) = tokio::join!(futures_util::future::join_all(calls), open);
        assert!(rows.iter().all(|kept| kept.as_ref().unwrap().fetched.rows.len() == 1));
        assert_eq!(asked.into_inner(), 1);
    }

    #[tokio::test]
    async fn what_is_larger_than_the_cache_is_answered_and_not_kept() {
        let cache = SourceCache::new(4_096);
        let of = || key(&ready(CacheScope::All, 60_000), None).unwrap();
        for _ in 0..2 {
            let large = "x".repeat(8_192);
            assert_eq!(ask(&cache, of(), Ok(fetched(&large))).await, (large, true));
            cache.kept.run_pending_tasks().await;
        }
    }
}
