//! LISTEN: a hint that another process committed. Whoever gets one reads the revision; without any, it polls.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;

use super::{PostgresPlace, quoted};
use crate::database::DatabaseError;

/// How long before a lost connection is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// A thread with a connection of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Listener {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub(super) fn start(
        place: PostgresPlace,
        channel: String,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(Notify::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("gatepost-listen".into()).spawn({
            let stop = Arc::clone(&stop);
            move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = stop.notified() => {}
                        () = follow(&place, &channel, &wake) => {}
                    }
                });
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn follow(place: &PostgresPlace, channel: &str, wake: &(impl Fn() + Send)) {
    loop {
        // What was said while nobody listened never comes: `wake` is called after each LISTEN, too.
        match listen(place, channel, wake).await {
            Err(DatabaseError::Unreachable(why)) => tracing::debug!("nobody listens to the catalog: {why}"),
            Err(error) => {
                tracing::info!(%error, "the catalog's database has no LISTEN; the revision is polled");
                return;
            }
            Ok(()) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Listens until the connection is lost.
async fn listen(
    place: &PostgresPlace,
    channel: &str,
    wake: &(impl Fn() + Send),
) -> Result<(), DatabaseError> {
    let (config, tls) = place.connector()?;
    let (client, mut connection) = config.connect(tls).await?;
    let statement = format!("listen {}", quoted(channel));
    let mut messages = std::pin::pin!(async {
        loop {
            match std::future::poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(_))) => wake(),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            }
        }
    });
    tokio::select! {
        ended = &mut messages => return Ok(ended?),
        listening = client.batch_execute(&statement) => listening?,
    }
    wake();
    Ok(messages.await?)
}
