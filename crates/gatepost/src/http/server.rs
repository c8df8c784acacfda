//! The listener: connections, TLS, time-outs and the end.
//!
//! Each connection is a task of its own with a time limit for header blocks; a limit on connections makes further
//! ones wait in the kernel's queue. On shutdown no new connection is taken, idle ones are closed, and requests in
//! flight are given their time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::tls::Certificates;
use super::{Peer, dispatch, health};
use crate::app::App;

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
        let permits = Arc::new(Semaphore::new(app.config.limits.connections));
        let graceful = GracefulShutdown::new();
        let acceptor = self.certificates.as_ref().map(|certificates| certificates.acceptor());
        let reload = self.certificates.clone().map(|certificates| tokio::spawn(certificates.follow()));
        let health = self.health.map(|listener| tokio::spawn(health::serve(listener, Arc::clone(&app))));
        let mut stop = std::pin::pin!(stop);
        loop {
            let accept = async {
                let permit = Arc::clone(&permits).acquire_owned().await.ok();
                self.socket.accept().await.map(|(stream, address)| (stream, address, permit))
            };
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept => accepted,
            };
            match accepted {
                Ok((stream, address, permit)) => {
                    let connection =
                        Connection { app: Arc::clone(&app), address, watcher: graceful.watcher() };
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        connection.run(stream, acceptor).await;
                        drop(permit);
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

struct Connection {
    app: Arc<App>,
    address: SocketAddr,
    watcher: hyper_util::server::graceful::Watcher,
}

impl Connection {
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let Some(acceptor) = acceptor else { return self.speak(TokioIo::new(stream), false).await };
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.speak(TokioIo::new(stream), true).await,
            Ok(Err(error)) => tracing::debug!(%error, address = %self.address, "TLS handshake failed"),
            Err(_) => tracing::debug!(address = %self.address, "TLS handshake took too long"),
        }
    }

    async fn speak<S>(self, stream: TokioIo<S>, tls: bool)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let Self { app, address, watcher } = self;
        let limits = &app.config.limits;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(u64::from(limits.header_seconds)))
            .max_buf_size(limits.header_bytes.max(8 * 1024))
            .max_headers(100);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(128)
            .keep_alive_interval(Duration::from_secs(30));
        let peer = Peer { address: address.ip(), tls };
        let service = hyper::service::service_fn({
            let app = Arc::clone(&app);
            move |request| dispatch(Arc::clone(&app), peer, request)
        });
        let connection = watcher.watch(builder.serve_connection(stream, service).into_owned());
        if let Err(error) = connection.await {
            tracing::debug!(%error, %address, "connection ended early");
        }
    }
}
