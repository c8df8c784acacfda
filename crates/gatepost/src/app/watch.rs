//! The thread that follows the catalog and the key file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::App;

/// How often changed keys and missing data are looked for.
const FILES_EVERY: Duration = Duration::from_secs(1);

/// Follows the catalog until it is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts following.
    pub fn start(app: &Arc<App>) -> std::io::Result<Self> {
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
    let mut keys_modified = app.upgrade().and_then(|app| app.key_source().modified());
    let (mut failing, mut ending) = (false, false);
    while !stop.load(Ordering::Acquire) {
        let Some(app) = app.upgrade() else { return };
        let outcome = app.reopen_if_replaced().and_then(|replaced| {
            ending |= replaced;
            app.refresh()
        });
        if ending && outcome.is_ok() {
            ending = !end_tokens(&app);
        }
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
        let pause = Duration::from_millis(app.config.catalog.poll_ms.max(1));
        drop(app);
        std::thread::park_timeout(pause);
    }
}

fn look_at_files(app: &App, keys_modified: &mut Option<std::time::SystemTime>) {
    let modified = app.key_source().modified();
    if modified != *keys_modified {
        *keys_modified = modified;
        match app.reload_keys() {
            Ok(()) => tracing::info!("the key file changed; its keys are in force"),
            Err(error) => tracing::error!("the key file changed and is not used: {error:#}"),
        }
    }
    app.retry_data();
    if let Err(error) = app.forget_revealed_secrets() {
        tracing::warn!(%error, "secrets whose time to be read is over are still in the catalog, sealed");
    }
}

/// A catalog file that took the place of the old one may not know of revocations that the old one knew, so all
/// tokens end with it. Says whether that is done; somebody else's commit in between makes another try necessary.
fn end_tokens(app: &App) -> bool {
    match app.end_all_tokens("catalog file replaced") {
        Ok(()) => {
            tracing::warn!(
                "the catalog file was replaced: serving the new one; every token issued so far has ended"
            );
            true
        }
        Err(error) => {
            tracing::error!(%error, "the catalog file was replaced and its tokens have not ended yet");
            false
        }
    }
}
