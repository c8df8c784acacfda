//! Reading a request's body within its limits.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::error::{Code, Failure};

/// A body, and its part of what all bodies together may use.
#[derive(Debug, Default)]
pub(super) struct WholeBody {
    /// The body.
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

/// Reads the whole body: at most `bytes_max` bytes, in time, and only while all bodies together are within their
/// limit.
pub(super) async fn read<B>(app: &App, body: B, bytes_max: usize) -> Result<WholeBody, Failure>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let hint = body.size_hint();
    if hint.lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let most = hint.upper().map_or(bytes_max, |upper| bytes_max.min(upper as usize));
    let kibibytes = u32::try_from(most.div_ceil(1024)).unwrap_or(u32::MAX);
    let share = Arc::clone(&app.body_kibibytes)
        .try_acquire_many_owned(kibibytes)
        .map_err(|_| Failure::new(Code::Busy, "Too many bodies are being received").retry_after(1))?;
    let seconds = app.config.limits.body_seconds;
    let whole = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(Duration::from_secs(u64::from(seconds)), whole).await {
        Ok(Ok(collected)) => Ok(WholeBody { bytes: collected.to_bytes(), _share: Some(share) }),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(bytes_max)),
        Ok(Err(error)) => Err(Failure::new(Code::BadBody, "The body ended early").because(error)),
        Err(_) => {
            Err(Failure::new(Code::BodyTimeout, format!("The body did not arrive within {seconds} seconds")))
        }
    }
}

fn too_large(bytes_max: usize) -> Failure {
    Failure::new(Code::BodyTooLarge, format!("The body is larger than {bytes_max} bytes"))
}

/// A body without bytes.
pub(super) fn empty() -> Body {
    Body::empty()
}
