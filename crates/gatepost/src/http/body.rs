//! Reading a request's body within its limits.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::error::{Code, Failure};

/// Reads the whole body: at most `bytes_max` bytes within `seconds`.
pub(super) async fn read<B>(body: B, bytes_max: usize, seconds: u32) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let whole = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(Duration::from_secs(u64::from(seconds)), whole).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
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
