//! A server within the test's own process: its clock and its end are the test's to turn.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use gatepost::app::clock::Clock;
use gatepost::app::key_file::KeySource;
use gatepost::app::{App, Open, Watch};
use gatepost::config::Config;
use gatepost::http::server::Listener;
use tokio::sync::oneshot;

/// A server on threads of its own, as `gatepost serve` runs it.
pub(crate) struct Inside {
    pub(crate) address: SocketAddr,
    app: Option<Arc<App>>,
    asked: Option<oneshot::Sender<()>>,
    drained: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Inside {
    /// Serves on a bound socket.
    pub(crate) fn serve(socket: TcpListener, mut config: Config, keys: KeySource, clock: Clock) -> Self {
        config.server.listen = socket.local_addr().unwrap();
        let address = config.server.listen;
        let (asked, drained) = (oneshot::channel(), oneshot::channel());
        let (opened, open) = std::sync::mpsc::channel();
        // A catalog in PostgreSQL has a runtime of its own, which must not be used within another one.
        let thread = std::thread::spawn(move || {
            let app = Arc::new(App::open(config, keys, clock, Open::Existing).unwrap());
            opened.send(Arc::clone(&app)).unwrap();
            let watch = Watch::start(&app).unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // A test that is over, or failed, tells by dropping its end.
                let told = async |signal: oneshot::Receiver<()>| drop(signal.await);
                let listener = Listener::new(socket, &app, None).unwrap();
                listener.serve(Arc::clone(&app), told(asked.1), told(drained.1)).await;
            });
            drop(watch);
        });
        let app = open.recv().expect("the server starts");
        Self { address, app: Some(app), asked: Some(asked.0), drained: Some(drained.0), thread: Some(thread) }
    }

    /// What it serves.
    pub(crate) fn app(&self) -> &Arc<App> {
        self.app.as_ref().expect("it is there until the end")
    }

    /// Tells the server to stop.
    pub(crate) fn ask_to_stop(&mut self) {
        self.asked.take().unwrap().send(()).unwrap();
    }

    /// Ends the time in which other nodes take over.
    pub(crate) fn end_the_drain(&mut self) {
        self.drained.take().unwrap().send(()).unwrap();
    }

    /// Whether the server has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Without waiting: connections of a test that failed may be open.
        (self.asked, self.drained) = (None, None);
        // A runtime that ends within another one's task is a panic.
        let app = self.app.take();
        std::thread::spawn(move || drop(app));
    }
}
