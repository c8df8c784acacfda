//! HTTP: from a connection to an answer. [`dispatch`] is the URL space on one screen.

pub mod authenticate;
mod body;
mod call;
mod catalog;
pub(crate) mod coding;
mod conditional;
mod cors;
mod decide;
mod ending;
pub mod facts;
mod forward;
mod health;
pub(crate) mod host;
pub mod oauth;
mod outcome;
mod pages;
mod query_string;
mod remote;
mod respond;
mod rest;
pub mod server;
mod source_operations;
mod sources;
mod tls;

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use gatepost_rest::path::RequestPath;
use gatepost_store::logs::AccessRecord;
use http::{HeaderValue, Method, Request, Response, Version, header};
use hyper::body::Incoming;

use crate::app::App;
use crate::app::snapshot::Snapshot;
use crate::config::AccessLog;
use crate::error::{Code, Failure};
use coding::Coding;
use facts::Facts;
use server::Pages;

/// Whose connection a request came on.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The socket's address.
    pub address: IpAddr,
    /// Whether TLS is ours.
    pub tls: bool,
}

/// Answers a request, one of the APIs unless it is for `pages`. Never fails: failures, panics included, are answers.
pub async fn dispatch(
    app: Arc<App>,
    pages: Option<Arc<dyn Pages>>,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if let Some(pages) = pages {
        return Ok(pages.answer(peer, request).await);
    }
    let at_ms = app.clock.now_ms();
    let mut facts = Facts::new(
        request.method(),
        request.headers(),
        peer.address,
        &app.config.server.trusted_proxies,
        at_ms,
    );
    let method = request.method().clone();
    let raw_path = request.uri().path().to_owned();
    let head = method == Method::HEAD;
    let version = request.version();
    let coding = Coding::preferred(request.headers());
    let answered = {
        let work = std::pin::pin!(answer(&app, peer, request, &mut facts));
        catch_panic(work).await
    };
    let mut response = match answered {
        Ok(response) => response,
        Err(failure) => {
            facts.reason = if facts.reason.is_empty() { failure.code.facts().2 } else { facts.reason };
            respond::failure(&failure, &facts, None)
        }
    };
    if head {
        // The body of an answer to HEAD is never sent; dropping it now ends a stream at once.
        *response.body_mut() = body::empty();
    } else if let Some(coding) = coding {
        response = coding::encode(response, coding).await;
    }
    respond::finish(response.headers_mut(), &facts, peer.tls);
    if app.is_stopping() && version < Version::HTTP_2 {
        // The client's next request comes on another connection, to another node.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    note(&app, facts, method, raw_path, response.status().as_u16());
    Ok(response)
}

async fn answer(
    app: &Arc<App>,
    peer: Peer,
    request: Request<Incoming>,
    facts: &mut Facts,
) -> Result<Response<Body>, Failure> {
    check_header_bytes(app, &request)?;
    host::check(&app.hosts, &request)?;
    if !is_known(request.method()) {
        return Err(Failure::new(Code::UnknownMethod, "This method is not known here"));
    }
    let path = RequestPath::parse(request.uri().path())
        .map_err(|bad| Failure::new(Code::BadPath, bad.to_string()))?;
    let segments: Vec<&str> = path.segments().iter().map(AsRef::as_ref).collect();
    let local = || peer.address.is_loopback() && !facts::is_forwarded(request.headers());
    let context = &app.config.server.context[1..];
    let snapshot = app.snapshot();
    let snapshot: &Arc<Snapshot> = &snapshot;
    match segments.as_slice() {
        ["healthz"] if local() => health::alive(request.method()),
        ["readyz"] if local() => health::ready(app, request.method()),
        [".well-known", document, within, alias] if *within == context => metadata(snapshot, document, alias),
        [within, alias, ..] if *within == context => {
            let Some(schema) = snapshot.schema(alias) else { return Err(no_such_schema()) };
            facts.schema = Some(Arc::clone(&schema.name));
            rest::serve(&rest::Served { app, snapshot, schema, path: &path }, request, facts).await
        }
        _ => Err(no_such_schema()),
    }
}

fn metadata(snapshot: &Snapshot, document: &str, alias: &str) -> Result<Response<Body>, Failure> {
    let schema = snapshot.schema(alias).ok_or_else(no_such_schema)?;
    match document {
        "oauth-authorization-server" => Ok(oauth::metadata::authorization_server(schema)),
        "oauth-protected-resource" => Ok(oauth::metadata::protected_resource(schema)),
        _ => Err(no_such_schema()),
    }
}

fn no_such_schema() -> Failure {
    Failure::new(Code::NotFound, "No schema is published under the first segments of this path")
}

/// The protocol's own limit is on its buffer, which a block that arrives all at once can outgrow.
fn check_header_bytes<B>(app: &App, request: &Request<B>) -> Result<(), Failure> {
    let bytes_max = app.config.limits.header_bytes.max(server::HEADER_BYTES_MIN);
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target + lines.sum::<usize>() <= bytes_max {
        return Ok(());
    }
    Err(Failure::new(Code::HeadersTooLarge, format!("The header block is larger than {bytes_max} bytes")))
}

/// Methods that this server knows at all.
fn is_known(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE
            | Method::OPTIONS
    )
}

/// A panic in a request is that request's 500.
async fn catch_panic(
    mut work: Pin<&mut impl Future<Output = Result<Response<Body>, Failure>>>,
) -> Result<Response<Body>, Failure> {
    std::future::poll_fn(move |context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            std::task::Poll::Ready(Err(
                Failure::new(Code::Internal, "The server made a mistake").because(format!("panic: {text}"))
            ))
        })
    })
    .await
}

fn note(app: &App, facts: Facts, method: Method, path: String, status: u16) {
    let outcome = match status {
        200..400 => "allowed",
        400..500 => "refused",
        _ => "failed",
    };
    match app.config.log.access {
        AccessLog::Off => return,
        AccessLog::Refused if outcome == "allowed" => return,
        AccessLog::Refused | AccessLog::All => {}
    }
    app.logs.note_access(AccessRecord {
        at_ms: facts.at_ms,
        request_id: facts.request_id,
        address: facts.address,
        method,
        path,
        schema: facts.schema,
        route: facts.route,
        client: facts.client,
        status,
        outcome,
        reason: facts.reason.into(),
        duration_us: facts.started.elapsed().as_micros() as i64,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_request_is_its_own_500_and_tells_the_caller_nothing() {
        let now = std::pin::pin!(async { panic!("of a secret nature") });
        let failure = catch_panic(now).await.unwrap_err();
        assert_eq!(failure.code, Code::Internal);
        assert!(!failure.detail.contains("secret"));
        assert_eq!(failure.cause.as_deref(), Some("panic: of a secret nature"));
        let later = std::pin::pin!(async {
            tokio::task::yield_now().await;
            panic!("{}", "after a while")
        });
        assert_eq!(catch_panic(later).await.unwrap_err().code, Code::Internal);
    }
}
