//! Whether a replica may answer now: what requests read, and what the looks at it and failed requests write.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::super::plain::Watch;
use super::verdict::Cause;

/// The longest pause after failures of requests.
const PAUSE_MAX: Duration = Duration::from_secs(10);

const UNSAID: u8 = 0;
const IN: u8 = 1;
const OUT: u8 = 2;

/// Times are microseconds since this was made.
#[derive(Debug)]
pub(in crate::data::postgres) struct Freshness {
    name: String,
    origin: Instant,
    bound: Duration,
    /// The shortest pause after a failure.
    pause: Duration,
    /// When the server was started that was looked at; 0: none was.
    started_us: AtomicI64,
    /// It holds everything that was acknowledged before; 0: nothing is proven.
    proven_us: AtomicU64,
    paused_until_us: AtomicU64,
    /// Failures of requests since one succeeded.
    failures: AtomicU32,
    /// What the log says of it.
    said: AtomicU8,
    lost: Notify,
    watch: Watch,
}

impl Freshness {
    pub(super) fn new(name: String, bound: Duration, pause: Duration) -> Self {
        Self {
            name,
            origin: Instant::now(),
            bound,
            pause,
            started_us: AtomicI64::new(0),
            proven_us: AtomicU64::new(0),
            paused_until_us: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            said: AtomicU8::new(UNSAID),
            lost: Notify::new(),
            watch: Watch::default(),
        }
    }

    /// What is known of the objects of its database, which it may learn of later than the primary.
    pub(in crate::data::postgres) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The replica, for people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the server that was looked at is the one that was started at this moment: behind one name there can
    /// be several.
    pub(in crate::data::postgres) fn is_of(&self, started_us: i64) -> bool {
        started_us != 0 && self.started_us.load(Ordering::Acquire) == started_us
    }

    /// Whether it is proven to be within the bound.
    pub(in crate::data::postgres) fn is_fresh(&self) -> bool {
        let now = self.origin.elapsed();
        let proven_us = self.proven_us.load(Ordering::Acquire);
        proven_us != 0
            && now.saturating_sub(Duration::from_micros(proven_us)) <= self.bound
            && now >= Duration::from_micros(self.paused_until_us.load(Ordering::Acquire))
    }

    /// Ready when the replica is found unreachable after this call.
    pub(super) fn lost(&self) -> tokio::sync::futures::Notified<'_> {
        self.lost.notified()
    }

    /// It holds everything that was acknowledged before this moment.
    pub(super) fn prove(&self, at: Instant) {
        self.proven_us.fetch_max(self.micros(at), Ordering::AcqRel);
        if !self.is_fresh() {
            self.prove_nothing();
        } else if self.said.swap(IN, Ordering::AcqRel) != IN {
            tracing::info!(replica = self.name, "a replica answers reads");
        }
    }

    /// A look at it proved nothing; what was proven before counts until the bound is over.
    pub(super) fn prove_nothing(&self) {
        if !self.is_fresh() && self.origin.elapsed() > self.bound {
            self.say_out(&Cause::Behind(self.bound));
        }
    }

    /// The server that was looked at was started at this moment.
    pub(super) fn found(&self, started_us: i64) {
        if self.started_us.load(Ordering::Acquire) != started_us {
            // In this order: what was proven of the one before never counts for this one.
            self.proven_us.store(0, Ordering::Release);
            self.started_us.store(started_us, Ordering::Release);
        }
    }

    /// It may not answer.
    pub(super) fn refuse(&self, cause: &Cause) {
        self.proven_us.store(0, Ordering::Release);
        self.say_out(cause);
    }

    /// It cannot be reached: who waits for it need not.
    pub(super) fn lose(&self, message: String) {
        self.refuse(&Cause::Failed(message));
        self.lost.notify_waiters();
    }

    /// A request failed there.
    pub(super) fn fail(&self, message: String) {
        let pause = self.pause_after(self.failures.fetch_add(1, Ordering::AcqRel));
        self.paused_until_us.store(self.micros(Instant::now() + pause), Ordering::Release);
        self.refuse(&Cause::Failed(message));
    }

    /// How long it is left alone when this many requests had failed there in a row before.
    fn pause_after(&self, failures: u32) -> Duration {
        (self.pause * 2u32.pow(failures.min(16))).min(PAUSE_MAX)
    }

    /// A request was answered there.
    pub(super) fn succeed(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Release);
        }
    }

    fn say_out(&self, cause: &Cause) {
        if self.said.swap(OUT, Ordering::AcqRel) != OUT {
            tracing::warn!(replica = self.name, "a replica is left out: {cause}");
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        // 0 stands for never.
        u64::try_from(at.saturating_duration_since(self.origin).as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(3_600);

    fn freshness(pause: Duration) -> Freshness {
        Freshness::new("r".into(), BOUND, pause)
    }

    #[test]
    fn nothing_is_fresh_without_a_proof_within_the_bound() {
        let freshness = freshness(Duration::ZERO);
        assert!(!freshness.is_fresh());
        freshness.prove(Instant::now());
        assert!(freshness.is_fresh());
        freshness.refuse(&Cause::Ahead);
        assert!(!freshness.is_fresh());

        let short = Freshness { bound: Duration::ZERO, ..Freshness::new("r".into(), BOUND, BOUND) };
        short.prove(short.origin);
        while short.origin.elapsed() < Duration::from_micros(10) {}
        assert!(!short.is_fresh());
    }

    #[test]
    fn what_was_proven_of_one_server_does_not_count_for_another() {
        let freshness = freshness(Duration::ZERO);
        assert!(!freshness.is_of(0) && !freshness.is_of(1));
        freshness.found(1);
        freshness.prove(Instant::now());
        freshness.found(1);
        assert!(freshness.is_of(1) && freshness.is_fresh());
        freshness.found(2);
        assert!(!freshness.is_of(1) && !freshness.is_fresh());
    }

    #[test]
    fn a_proof_does_not_end_the_pause_after_a_failure() {
        let freshness = freshness(BOUND);
        freshness.fail("gone".into());
        freshness.prove(Instant::now());
        assert!(!freshness.is_fresh());
    }

    #[test]
    fn pauses_grow_until_a_request_succeeds() {
        let freshness = freshness(Duration::from_secs(1));
        let pauses = (0..6).map(|failures| freshness.pause_after(failures).as_secs());
        assert_eq!(pauses.collect::<Vec<_>>(), [1, 2, 4, 8, 10, 10]);
        assert_eq!(freshness.pause_after(u32::MAX), PAUSE_MAX);
        freshness.fail("gone".into());
        assert_eq!(freshness.failures.load(Ordering::Relaxed), 1);
        freshness.succeed();
        assert_eq!(freshness.failures.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn who_waits_for_a_lost_replica_is_told() {
        let freshness = freshness(Duration::ZERO);
        let lost = freshness.lost();
        freshness.lose("gone".into());
        lost.await;
    }
}
