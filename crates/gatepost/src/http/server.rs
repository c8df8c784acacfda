//! The listener: connections, TLS, time-outs and the end.
//!
//! Each connection is a task of its own with a time limit for header blocks; a limit on connections makes further
//! ones wait in the kernel's queue. On shutdown no new connection is taken, idle ones are closed, and requests in
//! flight are given their time.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use http::Version;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::tls::Certificates;
use super::{Peer, dispatch, health};
use crate::app::App;
use crate::config::Limits;

/// Less than this is no limit on headers that a client could live with.
pub(super) const HEADER_BYTES_MIN: usize = 8 * 1024;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    certificates: Option<Arc<Certificates>>,
    health: Option<TcpListener>,
}

impl Listener {
    /// Takes over a bound socket.
    pub fn new(socket: std::net::TcpListener, app: &App) -> anyhow::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        let certificates = Certificates::load(&app.config)?.map(Arc::new);
        let health = app.config.server.health_listen.map(|address| {
            let socket =
                std::net::TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
            socket.set_nonblocking(true)?;
            anyhow::Ok(TcpListener::from_std(socket)?)
        });
        Ok(Self { socket, certificates, health: health.transpose()? })
    }

    /// Serves until `stop` resolves and then for as long as requests in flight may take.
    pub async fn serve(self, app: Arc<App>, stop: impl Future<Output = ()>) {
        let doorkeeper = Doorkeeper::new(&app);
        let graceful = GracefulShutdown::new();
        let acceptor = self.certificates.as_ref().map(|certificates| certificates.acceptor());
        let reload = self.certificates.clone().map(|certificates| tokio::spawn(certificates.follow()));
        let health = self.health.map(|listener| tokio::spawn(health::serve(listener, Arc::clone(&app))));
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept(&self.socket, &doorkeeper) => accepted,
            };
            match accepted {
                Ok((stream, address, permit)) => {
                    let Some(place) = doorkeeper.admit(address.ip()) else { continue };
                    let connection =
                        Connection { app: Arc::clone(&app), address, watcher: graceful.watcher() };
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        connection.run(stream, acceptor).await;
                        drop((permit, place));
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: taking a breath beats a busy loop.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.socket);
        for task in [reload, health].into_iter().flatten() {
            task.abort();
        }
        let patience = Duration::from_secs(u64::from(app.config.server.shutdown_seconds));
        if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still running when the time for shutdown was over");
        }
    }
}

/// Takes the next connection when there is room for one.
async fn accept(
    socket: &TcpListener,
    doorkeeper: &Doorkeeper,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(&doorkeeper.permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = socket.accept().await?;
    Ok((stream, address, permit))
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
    watcher: Watcher,
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
        let Self { app, address, watcher } = self;
        let peer = Peer { address: address.ip(), tls };
        let service = hyper::service::service_fn({
            let app = Arc::clone(&app);
            move |request| dispatch(Arc::clone(&app), peer, request)
        });
        let stream = TokioIo::new(stream);
        let limits = &app.config.limits;
        let outcome = if version == Version::HTTP_2 {
            watcher.watch(http2_builder(limits).serve_connection(stream, service)).await
        } else {
            watcher.watch(http1_builder(limits).serve_connection(stream, service)).await
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
