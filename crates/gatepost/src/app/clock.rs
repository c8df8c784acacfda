//! Time and randomness, the two things that tests want to hold.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the time of day comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// The system's clock and so many milliseconds, which can change: a clock that is wrong, or was set.
    Shifted(Arc<AtomicI64>),
}

impl Clock {
    /// Milliseconds since 1970, UTC.
    pub fn now_ms(&self) -> i64 {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that asks the system for the time of day"
            )]
            Self::System => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
            }
            Self::Shifted(by_ms) => Self::System.now_ms() + by_ms.load(Ordering::Relaxed),
        }
    }

    /// Milliseconds since some moment before the first call. For how long something took or is ago: nobody can set
    /// this clock.
    pub fn steady_ms(&self) -> i64 {
        static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
        // Never 0, so that what never happened is not now.
        1 + BEGUN.elapsed().as_millis() as i64
    }
}

/// Fills `bytes` from the system's generator. That of AWS-LC would measure the processor's jitter for 40 ms first.
///
/// # Panics
/// When the system has no randomness to give; nothing that needs it may go on then.
pub fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system's random generator works");
}

/// Random bytes from the system's generator.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}

/// A time as RFC 3339 writes it, UTC, with milliseconds.
pub fn rfc3339(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| format!("{at:.3}"))
}
