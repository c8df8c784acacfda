//! `gatepost serve`.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use futures_util::FutureExt as _;
use futures_util::future::OptionFuture;

use super::terminal::say;
use super::{Place, data_logins, key_source, start_logging};
use crate::app::clock::Clock;
use crate::app::synchronize::Scheduler;
use crate::app::{App, Open, Watch};
use crate::console::Console;
use crate::http::server::Listener;

/// Serve the APIs of an installation until it is told to stop.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    place: Place,
    /// Listen here instead of where the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut config = self.place.load()?;
        config.server.listen = self.listen.unwrap_or(config.server.listen);
        config.check_serving()?;
        start_logging(&config);
        let socket = bind(config.server.listen)?;
        // The port that was found in place of port 0, so that links name it.
        config.server.listen = socket.local_addr()?;
        let keys = key_source(&config);
        let app = App::open(config, keys, Clock::System, Open::Existing)?;
        serve(&Arc::new(app), socket, |app, console| {
            // A server goes on without anybody who reads this.
            let _ = say(format_args!("gatepost serves {}", app.base_url));
            if let Some(console) = console {
                let _ = say(format_args!("console         {}", console.url()));
                if let Some(code) = console.setup_code() {
                    let _ = say(format_args!("setup code      {code}   (makes the first administrator)"));
                }
            }
            Ok(())
        })
    }
}

/// Takes the address.
pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("listening on {address}"))
}

/// Calls `ready` and serves until the process is told to stop.
pub(super) fn serve(
    app: &Arc<App>,
    socket: TcpListener,
    ready: impl FnOnce(&App, Option<&Console>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    data_logins::refuse_power(app)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let watch = Watch::start(app)?;
    let scheduler = Scheduler::start(app, runtime.handle().clone())?;
    runtime.block_on(async {
        let console = Console::new(app);
        let (listener, for_pages) = listeners(app, socket, console.as_ref())?;
        // Before anybody is told that it is ready: who stops it right away stops it well.
        let asked = stop_signals()?.shared();
        ready(app, console.as_ref())?;
        let drained = || async { tokio::time::sleep(app.config.drain()).await };
        let pages = for_pages.map(|pages| pages.serve(Arc::clone(app), asked.clone(), drained()));
        let apis = listener.serve(Arc::clone(app), asked.clone(), drained());
        futures_util::join!(apis, OptionFuture::from(pages));
        anyhow::Ok(())
    })?;
    drop(scheduler);
    drop(watch);
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    tracing::info!("stopped");
    Ok(())
}

/// The listener of the APIs, and that of the console when it has an address of its own.
fn listeners(
    app: &App,
    socket: TcpListener,
    console: Option<&Console>,
) -> anyhow::Result<(Listener, Option<Listener>)> {
    let pages = console.map(Console::pages);
    match (app.config.console.listen, pages) {
        (Some(address), Some(pages)) => {
            let apart = Listener::for_pages(bind(address)?, app, pages)?;
            Ok((Listener::new(socket, app, None)?, Some(apart)))
        }
        (_, pages) => Ok((Listener::new(socket, app, pages)?, None)),
    }
}

/// Resolves on the first Ctrl-C or SIGTERM; the second one ends the process at once.
fn stop_signals() -> std::io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::listen()?;
    let (tell, told) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("stopping: requests in flight are finished; a second signal cuts them");
        let _ = tell.send(());
        signals.next().await;
        tracing::warn!("told to stop a second time: ended at once");
        std::process::exit(1);
    });
    Ok(async {
        // The task lives as long as the process.
        let _ = told.await;
    })
}

/// Ctrl-C and, where there is such a thing, SIGTERM. Once it is made, neither ends the process by itself.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(not(unix))]
    interrupt: tokio::signal::windows::CtrlC,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        self.interrupt.recv().await;
    }
}
