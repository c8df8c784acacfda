//! Slowing down those who guess (THR-01 to THR-04): token buckets, a bounded number of them.
//!
//! A failed authentication takes from three buckets: of the client at this address, of the address, and of all.
//! An empty one refuses the next attempt before its secret is looked at. The bucket of all refuses only addresses
//! that failed before, so that strangers cannot shut everybody out; a client is never locked from an address with
//! a clean record.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gatepost_rest::definition::Id;

use crate::config::Oauth;

/// Buckets kept at a time; when more are needed, the fullest go first: they refuse nobody.
const BUCKETS_MAX: usize = 20_000;

/// Who is slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    ClientAtAddress(Id, IpAddr),
    Address(IpAddr),
    Requests(Id),
}

/// How many tokens are left, and when that was true.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// The buckets of a process.
#[derive(Debug)]
pub struct Throttle {
    per_client_address: f64,
    per_address: f64,
    total: f64,
    requests_per_client: f64,
    buckets: Mutex<Buckets>,
    /// How many there are: a process that nobody guesses at takes no lock.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Buckets {
    by_key: HashMap<Key, Bucket>,
    all: Bucket,
}

impl Throttle {
    /// Empty-handed, with the configured limits.
    pub fn new(config: &Oauth) -> Self {
        let total = f64::from(config.failures_total);
        Self {
            per_client_address: f64::from(config.failures_per_client_address),
            per_address: f64::from(config.failures_per_address),
            total,
            requests_per_client: f64::from(config.requests_per_client),
            buckets: Mutex::new(Buckets {
                by_key: HashMap::new(),
                all: Bucket { tokens: total, at: Instant::now() },
            }),
            count: AtomicUsize::new(0),
        }
    }

    /// For the sign-in of people, who type: a bucket of their own, so that clients that fail shut no person out. The
    /// client is a digest of the name, whether somebody has it or not.
    pub fn for_people() -> Self {
        Self::new(&Oauth {
            failures_per_client_address: 5,
            failures_per_address: 20,
            failures_total: 600,
            requests_per_client: 0,
            ..Oauth::default()
        })
    }

    /// Whether an attempt may be made; else after how many seconds. Unknown clients are client 0.
    pub fn check(&self, client: Option<Id>, address: IpAddr, at: Instant) -> Result<(), u32> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let address = network(address);
        let mut buckets = self.lock();
        let Some(of_address) = buckets.by_key.get(&Key::Address(address)).copied() else { return Ok(()) };
        of_address.check(self.per_address, at)?;
        buckets.all.check(self.total, at)?;
        let key = Key::ClientAtAddress(client.unwrap_or(0), address);
        match buckets.by_key.get_mut(&key) {
            Some(bucket) => bucket.check(self.per_client_address, at),
            None => Ok(()),
        }
    }

    /// Notes a failed attempt.
    pub fn note_failure(&self, client: Option<Id>, address: IpAddr, at: Instant) {
        let address = network(address);
        let mut buckets = self.lock();
        buckets.all.take(self.total, at);
        let keys = [
            (Key::ClientAtAddress(client.unwrap_or(0), address), self.per_client_address),
            (Key::Address(address), self.per_address),
        ];
        for (key, size) in keys {
            let full = Bucket { tokens: size, at };
            buckets.by_key.entry(key).or_insert(full).take(size, at);
        }
        self.make_room(&mut buckets, at);
        self.count.store(buckets.by_key.len(), Ordering::Release);
    }

    /// Takes from the bucket of a client's good requests, if it has one (THR-03).
    pub fn take_request(&self, client: Id, at: Instant) -> Result<(), u32> {
        let size = self.requests_per_client;
        if size == 0.0 {
            return Ok(());
        }
        let mut buckets = self.lock();
        let full = Bucket { tokens: size, at };
        let bucket = buckets.by_key.entry(Key::Requests(client)).or_insert(full);
        bucket.check(size, at)?;
        bucket.take(size, at);
        Ok(())
    }

    fn make_room(&self, buckets: &mut Buckets, at: Instant) {
        if buckets.by_key.len() <= BUCKETS_MAX {
            return;
        }
        buckets.by_key.retain(|key, bucket| {
            let size = match key {
                Key::ClientAtAddress(..) => self.per_client_address,
                Key::Address(_) => self.per_address,
                Key::Requests(_) => self.requests_per_client,
            };
            bucket.refilled(size, at) < size
        });
        let surplus = buckets.by_key.len().saturating_sub(BUCKETS_MAX / 2);
        if buckets.by_key.len() > BUCKETS_MAX {
            let mut fullest: Vec<(Key, f64)> =
                buckets.by_key.iter().map(|(key, bucket)| (*key, bucket.tokens)).collect();
            fullest.sort_by(|a, b| b.1.total_cmp(&a.1));
            for (key, _) in fullest.into_iter().take(surplus) {
                buckets.by_key.remove(&key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    /// Tokens now: the bucket of `size` fills up in a minute.
    fn refilled(&self, size: f64, at: Instant) -> f64 {
        let minutes = at.saturating_duration_since(self.at).as_secs_f64() / 60.0;
        (self.tokens + minutes * size).min(size)
    }

    fn check(&self, size: f64, at: Instant) -> Result<(), u32> {
        let tokens = self.refilled(size, at);
        if tokens >= 1.0 {
            return Ok(());
        }
        Err(((1.0 - tokens) * 60.0 / size).ceil().max(1.0) as u32)
    }

    fn take(&mut self, size: f64, at: Instant) {
        self.tokens = (self.refilled(size, at) - 1.0).max(0.0);
        self.at = at;
    }
}

/// What counts as one address: IPv4 /32, IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn throttle() -> Throttle {
        Throttle::new(&Oauth {
            failures_per_client_address: 3,
            failures_per_address: 5,
            failures_total: 8,
            ..Oauth::default()
        })
    }

    #[test]
    fn thr_01_failures_close_the_door_and_time_opens_it() {
        let (throttle, now) = (throttle(), Instant::now());
        for _ in 0..3 {
            throttle.check(Some(1), HERE, now).unwrap();
            throttle.note_failure(Some(1), HERE, now);
        }
        assert_eq!(throttle.check(Some(1), HERE, now), Err(20));
        throttle.check(Some(1), HERE, now + Duration::from_secs(20)).unwrap();
    }

    #[test]
    fn thr_02_a_stranger_does_not_lock_a_client_out_elsewhere() {
        let (throttle, now) = (throttle(), Instant::now());
        for _ in 0..100 {
            throttle.note_failure(Some(1), HERE, now);
        }
        throttle.check(Some(1), THERE, now).unwrap();
        throttle.check(Some(1), HERE, now).unwrap_err();
        throttle.check(Some(2), HERE, now).unwrap_err();
    }

    #[test]
    fn thr_04_the_table_is_bounded_and_unknown_clients_share_a_bucket() {
        let (throttle, now) = (throttle(), Instant::now());
        for n in 0..(BUCKETS_MAX as u32 + 10_000) {
            throttle.note_failure(None, IpAddr::V4(n.into()), now);
        }
        assert!(throttle.lock().by_key.len() <= BUCKETS_MAX + 2);
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(v6("2001:db8::1")), network(v6("2001:db8::2")));
        assert_ne!(network(v6("2001:db8::1")), network(v6("2001:db8:0:1::1")));
    }

    #[test]
    fn thr_03_good_requests_have_a_limit_only_when_one_is_set() {
        let now = Instant::now();
        throttle().take_request(1, now).unwrap();
        let limited = Throttle::new(&Oauth { requests_per_client: 1, ..Oauth::default() });
        limited.take_request(1, now).unwrap();
        assert_eq!(limited.take_request(1, now), Err(60));
        limited.take_request(2, now).unwrap();
    }
}
