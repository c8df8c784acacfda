//! The listener: connections, TLS and time-outs.
//!
//! Each connection is a task of its own with a time limit for header blocks; a limit on connections makes further
//! ones wait in the kernel's queue. How it ends is told in `ending.rs`.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::ending::{Ending, Farewell};
use super::tls::Certificates;
use super::{Peer, dispatch, health};
use crate::app::App;
use crate::config::Limits;

/// Less than this is no limit on headers that a client could live with.
pub(super) const HEADER_BYTES_MIN: usize = 8 * 1024;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Pages that are served beside the APIs.
pub trait Pages: Send + Sync {
    /// Whether they are at this path.
    fn cover(&self, path: &str) -> bool;

    /// Answers a request for one of them. Never fails: failures are answers.
    fn answer(&self, peer: Peer, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>>;
}

/// What a listener answers with.
#[derive(Clone)]
struct Offer {
    /// The APIs; else every path is a page's.
    apis: bool,
    pages: Option<Arc<dyn Pages>>,
}

impl Offer {
    /// The pages that answer at this path.
    fn pages_at(&self, path: &str) -> Option<&Arc<dyn Pages>> {
        self.pages.as_ref().filter(|pages| !self.apis || pages.cover(path))
    }
}

/// A bound listener.
pub struct Listener {
    socket: TcpListener,
    offer: Offer,
    certificates: Option<Arc<Certificates>>,
    health: Option<TcpListener>,
}

impl Listener {
    /// Takes over a bound socket. It serves the APIs, and pages where there are any.
    pub fn new(
        socket: std::net::TcpListener,
        app: &App,
        pages: Option<Arc<dyn Pages>>,
    ) -> anyhow::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        let certificates = Certificates::load(&app.config)?.map(Arc::new);
        let health = app.config.server.health_listen.map(|address| {
            let socket =
                std::net::TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
            socket.set_nonblocking(true)?;
            anyhow::Ok(TcpListener::from_std(socket)?)
        });
        let offer = Offer { apis: true, pages };
        Ok(Self { socket, offer, certificates, health: health.transpose()? })
    }

    /// Takes over a bound socket for pages only.
    pub fn for_pages(
        socket: std::net::TcpListener,
        app: &App,
        pages: Arc<dyn Pages>,
    ) -> anyhow::Result<Self> {
        socket.set_nonblocking(true)?;
        let certificates = Certificates::load(&app.config)?.map(Arc::new);
        let offer = Offer { apis: false, pages: Some(pages) };
        Ok(Self { socket: TcpListener::from_std(socket)?, offer, certificates, health: None })
    }

    /// Serves until `asked` resolves. Then other nodes are given the time until `drained` resolves to take over: new
    /// connections are still served, `/readyz` says 503 and answers tell clients to come back on another connection.
    /// Then the listener closes, and requests in flight are given `server.shutdown_seconds`.
    pub async fn serve(
        self,
        app: Arc<App>,
        asked: impl Future<Output = ()>,
        drained: impl Future<Output = ()>,
    ) {
        let reload = self.certificates.clone().map(|certificates| tokio::spawn(certificates.follow()));
        let health = self.health.map(|listener| tokio::spawn(health::serve(listener, Arc::clone(&app))));
        let reception = Reception {
            doorkeeper: Doorkeeper::new(&app),
            acceptor: self.certificates.as_ref().map(|certificates| certificates.acceptor()),
            ending: Ending::default(),
            offer: self.offer,
            app,
        };
        reception.accept_until(&self.socket, asked).await;
        reception.app.stop_being_ready();
        reception.ending.leave();
        reception.accept_until(&self.socket, drained).await;
        reception.ending.finish();
        let patience = Duration::from_secs(u64::from(reception.app.config.server.shutdown_seconds));
        let rest = async {
            reception.accept_queued(self.socket).await;
            reception.ending.all_gone().await;
        };
        if tokio::time::timeout(patience, rest).await.is_err() {
            tracing::warn!("requests were still running when the time for shutdown was over");
        }
        for task in [reload, health].into_iter().flatten() {
            task.abort();
        }
    }
}

/// What makes a connection of a socket.
struct Reception {
    app: Arc<App>,
    doorkeeper: Doorkeeper,
    acceptor: Option<TlsAcceptor>,
    ending: Ending,
    offer: Offer,
}

impl Reception {
    async fn accept_until(&self, socket: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = std::pin::pin!(end);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut end => return,
                accepted = self.accept(socket) => accepted,
            };
            match accepted {
                Ok((stream, address, permit)) => self.welcome(stream, address, permit),
                Err(error) => {
                    // Out of file descriptors, mostly: taking a breath beats a busy loop.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Takes the next connection when there is room for one.
    async fn accept(
        &self,
        socket: &TcpListener,
    ) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let permit = self.doorkeeper.room().await?;
        let (stream, address) = socket.accept().await?;
        Ok((stream, address, permit))
    }

    /// Takes every connection that the kernel has accepted already, and closes the listener: whoever is in its queue
    /// then is cut off. The runtime may not know of the newest ones yet, so the kernel itself is asked.
    async fn accept_queued(&self, socket: TcpListener) {
        let Ok(socket) = socket.into_std() else { return };
        loop {
            let Ok(permit) = self.doorkeeper.room().await else { return };
            let accepted = socket.accept().and_then(|(stream, address)| {
                stream.set_nonblocking(true)?;
                Ok((TcpStream::from_std(stream)?, address))
            });
            match accepted {
                Ok((stream, address)) => self.welcome(stream, address, permit),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "connections that waited were cut off");
                    return;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream, address: SocketAddr, permit: OwnedSemaphorePermit) {
        let Some(place) = self.doorkeeper.admit(address.ip()) else { return };
        let connection = Connection {
            app: Arc::clone(&self.app),
            address,
            farewell: self.ending.farewell(),
            offer: self.offer.clone(),
        };
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            connection.run(stream, acceptor).await;
            drop((permit, place));
        });
    }
}

/// Whether an error of `accept` says something about the connection, not about the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Counts connections: all of them, and those of each address.
struct Doorkeeper {
    permits: Arc<Semaphore>,
    per_address_max: usize,
    proxies: Vec<IpAddr>,
    per_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's place in the count of its address, given back when it is dropped.
struct Place {
    address: IpAddr,
    per_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Doorkeeper {
    fn new(app: &App) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(app.config.limits.connections)),
            per_address_max: app.config.limits.connections_per_address,
            proxies: app.config.server.trusted_proxies.clone(),
            per_address: Arc::default(),
        }
    }

    /// Waits until there is room for another connection.
    async fn room(&self) -> io::Result<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(io::Error::other)
    }

    /// A place for a connection from this address, unless it has too many.
    fn admit(&self, address: IpAddr) -> Option<Place> {
        let mut counts = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= self.per_address_max && !self.proxies.contains(&address) {
            tracing::debug!(%address, "too many connections of one address");
            return None;
        }
        *count += 1;
        Some(Place { address, per_address: Arc::clone(&self.per_address) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

struct Connection {
    app: Arc<App>,
    address: SocketAddr,
    farewell: Farewell,
    offer: Offer,
}

impl Connection {
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        // A client that does not read holds an answer for as long as a stream may stall, not for ever.
        let mut stream = TimeoutStream::new(stream);
        let stall = Duration::from_secs(u64::from(self.app.config.limits.stall_seconds.max(1)));
        stream.set_write_timeout(Some(stall));
        let stream = Box::pin(stream);
        let Some(acceptor) = acceptor else { return self.speak(stream, Version::HTTP_11, false).await };
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let version = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Version::HTTP_2,
                    _ => Version::HTTP_11,
                };
                self.speak(stream, version, true).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, address = %self.address, "TLS handshake failed"),
            Err(_) => tracing::debug!(address = %self.address, "TLS handshake took too long"),
        }
    }

    /// Serves requests. The version is agreed on in the TLS handshake; without TLS it is HTTP/1.1.
    async fn speak<S>(self, stream: S, version: Version, tls: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { app, address, farewell, offer } = self;
        let peer = Peer { address: address.ip(), tls };
        let service = hyper::service::service_fn({
            let (app, asked) = (Arc::clone(&app), farewell.asked());
            move |request: Request<Incoming>| {
                // Fails from the second request on.
                let _ = asked.set(());
                let pages = offer.pages_at(request.uri().path()).cloned();
                dispatch(Arc::clone(&app), pages, peer, request)
            }
        });
        let stream = TokioIo::new(stream);
        let limits = &app.config.limits;
        let outcome = if version == Version::HTTP_2 {
            farewell.http2(http2_builder(limits).serve_connection(stream, service)).await
        } else {
            farewell.http1(http1_builder(limits).serve_connection(stream, service)).await
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, %address, "connection ended early");
        }
    }
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(u64::from(limits.header_seconds)))
        .max_buf_size(limits.header_bytes.max(HEADER_BYTES_MIN))
        .max_headers(100);
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(30));
    builder
}
