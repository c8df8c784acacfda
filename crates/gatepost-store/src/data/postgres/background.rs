//! A small runtime for callers that block, checks and sessions, and for the looks at replicas.

use std::future::Future;
use std::sync::mpsc;

use tokio::runtime::{Builder, Runtime};

use crate::data::DataError;

/// One thread that drives what blocking callers wait for, whatever thread they are on.
#[derive(Debug)]
pub(super) struct Background {
    runtime: Option<Runtime>,
}

impl Background {
    pub(super) fn start() -> Result<Self, DataError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("gatepost-postgres")
            .enable_all()
            .build()
            .map_err(|error| DataError::Open(format!("no thread could be started: {error}")))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Blocks until the future is done.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, String> {
        let gone = || "the program failed while it waited for the database".to_owned();
        let (sender, receiver) = mpsc::sync_channel(1);
        let runtime = self.runtime.as_ref().ok_or_else(gone)?;
        runtime.spawn(async move {
            // The receiver waits below for as long as this runs.
            let _ = sender.send(future.await);
        });
        receiver.recv().map_err(|_| gone())
    }
}

impl Background {
    /// Runs beside everything else until it ends or this is dropped.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(future);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
