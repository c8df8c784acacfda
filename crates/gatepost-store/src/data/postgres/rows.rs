//! Rows to a reply: whole while it is small, in chunks once it outgrows the buffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gatepost_rest::plan::Plan;
use gatepost_rest::render::{self, Columns, Flow, Renderer};
use tokio::sync::oneshot;

use super::row::PostgresRow;
use crate::data::reply::head;
use crate::data::stream::{Producer, pipe};
use crate::data::{DataOptions, ExecuteError, Limits, Reply, ReplyBody};

/// Where an answer goes when it outgrows the buffer.
pub(super) struct Outlet {
    reply: Option<oneshot::Sender<Started>>,
    producer: Option<Producer>,
    streams: Arc<AtomicBool>,
    sizes: Sizes,
    limits: Limits,
}

/// What an answer's way is bounded by.
#[derive(Clone, Copy)]
struct Sizes {
    buffer_bytes_max: usize,
    chunk_bytes: usize,
    stall: Duration,
}

impl From<&DataOptions> for Sizes {
    fn from(options: &DataOptions) -> Self {
        Self {
            buffer_bytes_max: options.buffer_bytes_max,
            chunk_bytes: options.chunk_bytes,
            stall: options.stall,
        }
    }
}

/// An answer that began to stream.
pub(super) struct Started {
    /// Its head, with the stream as its body.
    pub(super) reply: Reply,
    /// Ready when its client is gone.
    pub(super) gone: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Outlet {
    pub(super) fn new(options: &DataOptions, limits: Limits) -> (Self, oneshot::Receiver<Started>) {
        let (reply, started) = oneshot::channel();
        (Self { reply: Some(reply), ..Self::of_buffer(options, limits) }, started)
    }

    /// For answers that are not let outgrow the buffer.
    pub(super) fn of_buffer(options: &DataOptions, limits: Limits) -> Self {
        Self { reply: None, producer: None, streams: Arc::default(), sizes: options.into(), limits }
    }

    /// Whether the answer has begun to leave, so that no other attempt can be made.
    pub(super) fn is_streaming(&self) -> bool {
        self.producer.is_some()
    }

    /// Whether the answer has begun to leave, to be looked at while another writes.
    pub(super) fn streams(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.streams)
    }

    /// Ends a stream, if there is one.
    pub(super) async fn finish(mut self, result: Result<Reply, ExecuteError>) -> Result<Reply, ExecuteError> {
        let Some(producer) = self.producer.take() else { return result };
        let last = match result {
            Ok(Reply { body: ReplyBody::Full(bytes), .. }) if !bytes.is_empty() => {
                producer.push_waiting(bytes, self.sizes.stall, self.limits.deadline).await
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        producer.finish(&last);
        Err(ExecuteError::Stopped)
    }

    async fn overflow(
        &mut self,
        out: &mut Vec<u8>,
        renderer: &Renderer<'_>,
        etag: Option<&str>,
    ) -> Result<(), ExecuteError> {
        if self.producer.is_none() {
            let (producer, stream) = pipe(Arc::default());
            let mut reply = head(renderer)?;
            reply.etag = etag.map(str::to_owned);
            reply.body = ReplyBody::Stream(stream);
            let gone = Box::pin(producer.gone());
            let sender = self.reply.take().ok_or(ExecuteError::Stopped)?;
            sender.send(Started { reply, gone }).map_err(|_| ExecuteError::Stopped)?;
            self.producer = Some(producer);
            self.streams.store(true, Ordering::Release);
        }
        let Some(producer) = &self.producer else { return Err(ExecuteError::Stopped) };
        let chunk = std::mem::replace(out, Vec::with_capacity(self.sizes.chunk_bytes + 1024));
        producer.push_waiting(Bytes::from(chunk), self.sizes.stall, self.limits.deadline).await
    }

    fn size(&self) -> usize {
        if self.producer.is_some() { self.sizes.chunk_bytes } else { self.sizes.buffer_bytes_max }
    }
}

/// Writes rows.
pub(super) struct Writer<'p> {
    renderer: Renderer<'p>,
    out: Vec<u8>,
    limits: Limits,
    handed_over: u64,
    etag: Option<String>,
}

impl<'p> Writer<'p> {
    pub(super) fn new(
        plan: &'p Plan,
        columns: &'p Columns,
        limits: Limits,
        etag: Option<String>,
    ) -> Result<Self, ExecuteError> {
        let mut renderer = Renderer::new(plan, columns)
            .map_err(|render::BadShape(message)| ExecuteError::NotRunnable(message))?;
        let mut out = Vec::with_capacity(1024);
        renderer.begin(&mut out);
        Ok(Self { renderer, out, limits, handed_over: 0, etag })
    }

    pub(super) async fn row(
        &mut self,
        row: &PostgresRow<'_>,
        outlet: &mut Outlet,
    ) -> Result<Flow, ExecuteError> {
        let flow = self.renderer.row(&mut self.out, row);
        if self.handed_over + self.out.len() as u64 > self.limits.bytes_max
            || self.renderer.rows() > self.limits.rows_max
            || self.renderer.is_cut()
        {
            return Err(ExecuteError::TooLarge);
        }
        if self.out.len() >= outlet.size() {
            self.handed_over += self.out.len() as u64;
            outlet.overflow(&mut self.out, &self.renderer, self.etag.as_deref()).await?;
        }
        Ok(flow)
    }

    /// Rows written.
    pub(super) fn rows(&self) -> u64 {
        self.renderer.rows()
    }

    pub(super) fn end(mut self) -> Result<Reply, ExecuteError> {
        self.renderer.end(&mut self.out);
        let mut reply = head(&self.renderer)?;
        reply.etag = self.etag;
        reply.body = ReplyBody::Full(Bytes::from(self.out));
        Ok(reply)
    }
}
