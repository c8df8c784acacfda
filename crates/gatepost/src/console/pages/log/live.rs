//! New requests as they come, as server-sent events (HTML Standard, section 9.2). Each holds a row.
//!
//! A stream ends after a while and the browser asks again, from the last row that it has: who signed out or lost a
//! right sees nothing more then.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use gatepost_store::logs::AccessFilter;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, HeaderName, Response};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::filter::Asked;
use super::row::row;
use crate::console::fields::Fields;
use crate::console::signed_in::{Act, SignedIn};
use crate::console::{Console, Refused};

/// How long a stream lives.
const STREAM_TIME: Duration = Duration::from_secs(60);

/// How often is looked for requests that other processes wrote.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The most often that is looked at all.
const LOOK_REST: Duration = Duration::from_millis(250);

/// Rows of one look; of more the newest are sent.
const ROWS_MAX: u32 = 50;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

struct Follower {
    console: Console,
    filter: AccessFilter,
    /// The last line that was sent.
    after: i64,
    told: watch::Receiver<u64>,
    ends: Instant,
    _place: OwnedSemaphorePermit,
}

pub(super) async fn live(
    signed_in: SignedIn,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::ReadLogs)?;
    let console = signed_in.console.clone();
    let app = console.app();
    let place = console.take_stream().ok_or(Refused::Busy)?;
    let asked = Asked::read(&signed_in, &fields, app.clock.now_ms());
    let filter = AccessFilter { from_ms: None, to_ms: None, ..asked.filter };
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).or_else(|| fields.get("after"));
    let after = match last.and_then(|id| id.parse().ok()) {
        Some(after) => after,
        None => console.blocking(|app| app.logs.newest_access_id()).await?.map_err(Refused::failed)?,
    };
    let told = app.logs.watch_access();
    let follower =
        Follower { console, filter, after, told, ends: Instant::now() + STREAM_TIME, _place: place };
    let events = stream::unfold(follower, |mut follower| async move {
        let bytes = follower.next().await?;
        Some((Ok::<Bytes, Infallible>(bytes), follower))
    });
    // The first bytes go out at once, so that the browser knows that it is connected.
    let hello = stream::iter([Ok(Bytes::from_static(b"retry: 2000\n\n"))]);
    let mut response = Response::new(Body::from_stream(stream::StreamExt::chain(hello, events)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

impl Follower {
    /// The next events; a comment when there was nothing for a while, so that a lost connection is noticed.
    async fn next(&mut self) -> Option<Bytes> {
        tokio::time::sleep(LOOK_REST).await;
        let _ = tokio::time::timeout(LOOK_EVERY, self.told.changed()).await;
        if Instant::now() >= self.ends || self.console.app().is_stopping() {
            return None;
        }
        let (filter, after) = (self.filter.clone(), self.after);
        let look =
            move |app: &std::sync::Arc<crate::app::App>| app.logs.list_access_after(&filter, after, ROWS_MAX);
        let rows = self.console.blocking(look).await.ok()?.ok()?;
        let mut text = String::new();
        for (id, record) in rows {
            self.after = self.after.max(id);
            let row = row(id, &record, self.console.app().clock.now_ms()).into_string();
            // A line break would end the field.
            let row: Vec<&str> = row.lines().collect();
            // Writing to a String cannot fail.
            let _ = write!(text, "id: {id}\ndata: {}\n\n", row.join(" "));
        }
        if text.is_empty() {
            text.push_str(":\n\n");
        }
        Some(text.into())
    }
}
