//! How long a token is used. Times are measured on a clock that only goes forward, from any start, so that a change
//! of the wall clock moves nothing; the token itself is never read.

use core::time::Duration;

use super::answer::Lifetime;
use crate::error::Code;

/// Replacing early is spread over at most this time, so that many nodes do not ask at once.
const SPREAD_MAX: Duration = Duration::from_secs(60);

/// A token's time: fresh until `soft`, usable until `hard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// From here on somebody should fetch a new one in the background.
    pub soft: Duration,
    /// From here on it is not used.
    pub hard: Duration,
}

/// What to do with a remembered token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Use it.
    Fresh,
    /// Use it, and let one task fetch a new one in the background.
    Stale,
    /// Wait for a new one, together with all others who need it.
    Expired,
}

impl Lease {
    /// The lease of a token whose request was sent at `sent_at`. None: use the token for the request at hand only.
    /// `random` is any number; `default_ms` and `refresh_early_ms` are the credential's.
    pub fn new(
        sent_at: Duration,
        lifetime: Lifetime,
        default_ms: u64,
        refresh_early_ms: u64,
        random: u64,
    ) -> Option<Self> {
        let lifetime = match lifetime {
            Lifetime::Milliseconds(milliseconds) => Duration::from_millis(milliseconds),
            Lifetime::Unknown => Duration::from_millis(default_ms),
            Lifetime::Once => return None,
        };
        let tenth = lifetime / 10;
        let early = Duration::from_millis(refresh_early_ms).min(tenth);
        let spread = crate::retry::fraction(tenth.min(SPREAD_MAX), random);
        let hard = sent_at.saturating_add(lifetime);
        Some(Self { soft: hard.saturating_sub(early + spread), hard })
    }

    /// What to do with the token at `now`, on the same clock.
    pub fn state(&self, now: Duration) -> LeaseState {
        if now < self.soft {
            LeaseState::Fresh
        } else if now < self.hard {
            LeaseState::Stale
        } else {
            LeaseState::Expired
        }
    }
}

/// How long after so many failed refreshes in a row (from 1) the next one is tried: 1, 2, 4, … 30 s.
pub fn refresh_delay(failures: u32) -> Duration {
    let seconds = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(30).min(30);
    Duration::from_secs(seconds)
}

/// How long a failure is remembered instead of being asked for again. A wrong client for long, because servers lock
/// clients out that try too often; a server that is down for a short time, the longer the more often it was. `failures`
/// counts those in a row, from 1.
pub fn failure_memory(code: Code, failures: u32) -> Duration {
    let seconds = match code {
        Code::TokenInvalidClient | Code::TokenUnauthorizedClient | Code::TokenHttp(401 | 403) => 30,
        Code::TokenHttp(429) => 10,
        _ => 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(5).min(5),
    };
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn lease(lifetime: Lifetime, random: u64) -> Option<Lease> {
        Lease::new(Duration::from_secs(100), lifetime, 5 * MINUTE_MS, 30_000, random)
    }

    #[test]
    fn a_token_is_stale_before_it_is_expired() {
        let hour = lease(Lifetime::Milliseconds(60 * MINUTE_MS), 0).unwrap();
        assert_eq!(hour, Lease { soft: Duration::from_secs(3_670), hard: Duration::from_secs(3_700) });
        let spread = lease(Lifetime::Milliseconds(60 * MINUTE_MS), u64::MAX).unwrap();
        assert!(spread.soft >= Duration::from_secs(3_610) && spread.soft < Duration::from_secs(3_611));
        for (seconds, state) in [
            (0, LeaseState::Fresh),
            (3_669, LeaseState::Fresh),
            (3_670, LeaseState::Stale),
            (3_699, LeaseState::Stale),
            (3_700, LeaseState::Expired),
        ] {
            assert_eq!(hour.state(Duration::from_secs(seconds)), state, "{seconds}");
        }
        let unknown = lease(Lifetime::Unknown, 0).unwrap();
        assert_eq!(unknown.hard, Duration::from_secs(400));
        assert_eq!(lease(Lifetime::Once, 0), None);
    }

    #[test]
    fn failures_are_remembered_by_their_kind() {
        let seconds = |code, failures| failure_memory(code, failures).as_secs();
        assert_eq!(seconds(Code::TokenInvalidClient, 1), 30);
        assert_eq!(seconds(Code::TokenHttp(401), 1), 30);
        assert_eq!((1..6).map(|n| seconds(Code::TokenHttp(500), n)).collect::<Vec<_>>(), [1, 2, 4, 5, 5]);
        assert_eq!(seconds(Code::ConnectFailed, u32::MAX), 5);
        assert_eq!((1..8).map(|n| refresh_delay(n).as_secs()).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(refresh_delay(u32::MAX).as_secs(), 30);
    }

    proptest! {
        #[test]
        fn soft_is_within_the_last_fifth(milliseconds in 1_u64..=24 * 3_600_000, early in 0_u64..=3_600_000, random: u64) {
            let sent_at = Duration::from_secs(9);
            let lease = Lease::new(sent_at, Lifetime::Milliseconds(milliseconds), 1, early, random).unwrap();
            let lifetime = Duration::from_millis(milliseconds);
            prop_assert_eq!(lease.hard, sent_at + lifetime);
            prop_assert!(lease.soft <= lease.hard);
            prop_assert!(lease.soft + lifetime / 5 >= lease.hard);
        }
    }
}
