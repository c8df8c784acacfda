//! The thread that follows the catalog and the key file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gatepost_store::catalog::Listener;

use super::App;

/// How often changed keys and missing data are looked for.
const FILES_EVERY: Duration = Duration::from_secs(1);

/// How often revocations that outlived their tokens are looked for.
const REVOCATIONS_EVERY: Duration = Duration::from_secs(60);

/// The shortest time between two looks at the catalog.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// Follows the catalog until it is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts following.
    pub fn start(app: &Arc<App>) -> std::io::Result<Self> {
        app.serve_from_now();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("gatepost-catalog".into()).spawn({
            let (app, stop) = (Arc::downgrade(app), Arc::clone(&stop));
            move || follow(&app, &stop)
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn follow(app: &Weak<App>, stop: &AtomicBool) {
    let mut files_at = Instant::now() + FILES_EVERY;
    let mut revocations_at = Instant::now();
    let mut keys_modified = app.upgrade().and_then(|app| app.key_source().modified());
    let mut failing = false;
    let _listener = app.upgrade().and_then(|app| listen(&app));
    while !stop.load(Ordering::Acquire) {
        let Some(app) = app.upgrade() else { return };
        let asked_at = Instant::now();
        let outcome = app.reopen_if_replaced().and_then(|_| app.refresh());
        // A failure is logged once, and its end is logged.
        match (&outcome, failing) {
            (Err(error), false) => tracing::error!(%error, "the catalog cannot be read"),
            (Ok(()), true) => tracing::info!("the catalog can be read again"),
            _ => {}
        }
        failing = outcome.is_err();
        if Instant::now() >= files_at {
            files_at = Instant::now() + FILES_EVERY;
            look_at_files(&app, &mut keys_modified);
        }
        if Instant::now() >= revocations_at && !failing {
            revocations_at = Instant::now() + REVOCATIONS_EVERY;
            if let Err(error) = app.forget_expired_revocations() {
                tracing::warn!(%error, "revocations of expired tokens are still in the catalog");
            }
        }
        let pause = app.config.poll();
        drop(app);
        std::thread::park_timeout(pause);
        // Whoever may connect to the database can call NOTIFY: no number of hints makes this loop spin.
        std::thread::sleep(PAUSE_MIN.saturating_sub(asked_at.elapsed()));
    }
}

/// Wakes this thread when the catalog's database says that somebody committed.
fn listen(app: &App) -> Option<Listener> {
    let this = std::thread::current();
    app.store.listen(move || this.unpark()).unwrap_or_else(|error| {
        tracing::warn!(%error, "nobody listens to the catalog; its revision is polled");
        None
    })
}

fn look_at_files(app: &App, keys_modified: &mut Option<std::time::SystemTime>) {
    let modified = app.key_source().modified();
    if modified != *keys_modified {
        *keys_modified = modified;
        match app.reload_keys() {
            Ok(true) => tracing::info!("the key file changed; its keys are in force"),
            Ok(false) => {}
            Err(error) => tracing::error!("the key file changed and is not used: {error:#}"),
        }
    }
    app.retry_data();
    // A catalog that cannot be read is told of elsewhere.
    let _ = app.compare_clocks();
    if let Err(error) = app.forget_revealed_secrets() {
        tracing::warn!(%error, "secrets whose time to be read is over are still in the catalog, sealed");
    }
}
