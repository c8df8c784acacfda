//! The slow hashes of chosen secrets and of passwords: a few run at a time, a few wait, the rest is refused (STO-03).

use std::sync::Arc;

use tokio::sync::Semaphore;

/// The places where slow hashes run.
#[derive(Debug)]
pub struct SlowChecks {
    running: Arc<Semaphore>,
    /// Those that run or wait.
    taken: Arc<Semaphore>,
}

/// Too many run and wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl SlowChecks {
    /// So many that run at a time, at least one, and so many that wait.
    pub fn new(running: usize, waiting: usize) -> Self {
        let running = running.max(1);
        Self {
            running: Arc::new(Semaphore::new(running)),
            taken: Arc::new(Semaphore::new(running + waiting)),
        }
    }

    /// Runs a slow hash on a thread for blocking work.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let taken = Arc::clone(&self.taken).try_acquire_owned().map_err(|_| Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        // A caller that goes away does not free the place: the hash goes on.
        let work = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop((running, taken));
            outcome
        });
        work.await.map_err(|_| Busy)
    }
}
