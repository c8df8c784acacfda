//! The console: pages for people, over the functions that commands and requests use (docs/adr/0017-console.md).
//!
//! To add a page: a file below `pages/` with `routes()`, listed in `pages::routes`. Its handlers take `SignedIn` or
//! `InSchema`, ask `SignedIn::may` first, read forms as `Fields`, do blocking work in `Console::blocking`,
//! build markup from `ui` and return it through `shell::page`. What changes definitions builds a script and hands
//! it to `review::propose`: the person sees what it would change, and who would get in where, before it is run.

mod assets;
mod cookie;
mod fields;
mod gate;
mod jobs;
mod pages;
mod period;
mod refused;
mod review;
mod setup;
mod shell;
mod signed_in;
mod ui;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path};
use axum::routing::get;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::http::Peer;
use crate::http::server::Pages;
use refused::Refused;
use signed_in::SignedIn;

/// Where the console is.
pub const PATH: &str = "/console/";

/// Where its files are, and the only place that scripts may come from.
const ASSETS_PATH: &str = "/console/assets/";

/// The largest form, in bytes: a script of definitions.
const FORM_BYTES_MAX: usize = 2 << 20;

/// How much blocking work runs at a time; more waits.
const WORK_MAX: usize = 16;

/// How many live lists may be open; another is refused.
const STREAMS_MAX: usize = 64;

/// The longest that a page waits for its turn and its work.
const WORK_TIMEOUT: Duration = Duration::from_secs(60);

/// The console of a process.
#[derive(Clone)]
pub struct Console {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("origin", &self.inner.origin).finish_non_exhaustive()
    }
}

struct Inner {
    app: Arc<App>,
    /// Scheme, host and port, as browsers send them in `Origin`.
    origin: String,
    hosts: Vec<String>,
    setup: setup::Setup,
    jobs: jobs::Jobs,
    work: Arc<Semaphore>,
    /// Places for live lists.
    streams: Arc<Semaphore>,
    findings: pages::audit::Cache,
    started: Instant,
}

/// What is known of the request before a page sees it.
#[derive(Clone, Debug)]
struct Caller {
    address: IpAddr,
    request_id: String,
}

impl Console {
    /// The console of this installation. `None`: it is switched off, or the APIs are public and it has no address of
    /// its own.
    pub fn new(app: &Arc<App>) -> Option<Self> {
        let (url, hosts) = app.console_address()?;
        let inner = Inner {
            app: Arc::clone(app),
            origin: url,
            hosts,
            setup: setup::Setup::default(),
            jobs: jobs::Jobs::default(),
            work: Arc::new(Semaphore::new(WORK_MAX)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            findings: pages::audit::Cache::default(),
            started: Instant::now(),
        };
        Some(Self { inner: Arc::new(inner) })
    }

    /// The address of its first page.
    pub fn url(&self) -> String {
        format!("{}{PATH}", self.inner.origin)
    }

    /// The code that makes the first administrator; absent when there is one already.
    pub fn setup_code(&self) -> Option<String> {
        self.app().has_no_users().then(|| self.inner.setup.code())
    }

    fn app(&self) -> &Arc<App> {
        &self.inner.app
    }

    /// Whether browsers reach it by TLS: then its cookies say so.
    fn is_secure(&self) -> bool {
        self.inner.origin.starts_with("https://")
    }

    /// Whether passwords can be read on their way here: plain HTTP beyond this machine.
    fn is_exposed(&self) -> bool {
        let listen = self.app().config.console.listen.unwrap_or(self.app().config.server.listen);
        !self.is_secure() && !listen.ip().is_loopback()
    }

    /// A place for a live list, if there is one.
    fn take_stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.inner.streams).try_acquire_owned().ok()
    }

    /// How long the process has been up.
    fn up_for(&self) -> Duration {
        self.inner.started.elapsed()
    }

    /// Runs what blocks (catalog, scripts, logs) on a thread for it, within bounds of number and time.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<App>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let run = async {
            let turn = Arc::clone(&self.inner.work).acquire_owned().await.map_err(Refused::failed)?;
            let app = Arc::clone(self.app());
            // Work that nobody waits for any more goes on, and so does its turn.
            let work = move || {
                let done = work(&app);
                drop(turn);
                done
            };
            tokio::task::spawn_blocking(work).await.map_err(Refused::failed)
        };
        tokio::time::timeout(WORK_TIMEOUT, run).await.map_err(|_| Refused::Busy)?
    }

    fn router(&self) -> Router {
        Router::new()
            .route(&format!("{ASSETS_PATH}{{fingerprint}}/{{*name}}"), get(asset))
            .merge(pages::routes())
            .fallback(|_: SignedIn| async { Refused::NotFound })
            .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
            .with_state(self.clone())
    }

    /// What a listener asks for pages.
    pub fn pages(&self) -> Arc<dyn Pages> {
        Arc::new(Served { router: self.router(), console: self.clone() })
    }
}

struct Served {
    router: Router,
    console: Console,
}

impl Pages for Served {
    fn cover(&self, path: &str) -> bool {
        path == PATH.trim_end_matches('/') || path.starts_with(PATH)
    }

    fn answer(&self, peer: Peer, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>> {
        let (router, console) = (self.router.clone(), self.console.clone());
        Box::pin(async move { gate::pass(console, router, peer, request.map(Body::new)).await })
    }
}

async fn asset(Path((fingerprint, name)): Path<(String, String)>, headers: HeaderMap) -> Response<Body> {
    assets::answer(&fingerprint, &name, &headers)
}
