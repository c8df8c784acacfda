//! `/healthz`: the process answers. `/readyz`: it can decide and serve. Both are for loopback, or for whoever can
//! reach the listener that `server.health_listen` names.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Method, Response, StatusCode, header};
use tokio::net::TcpListener;

use crate::app::App;
use crate::error::{Code, Failure};

/// The process answers.
pub(super) fn alive(method: &Method) -> Result<Response<Body>, Failure> {
    only_get(method)?;
    Ok(text(StatusCode::OK, "ok\n".into()))
}

/// The catalog was confirmed lately, the clocks agree, every schema's data is open and nobody said stop; else 503
/// with the reasons.
pub(super) fn ready(app: &App, method: &Method) -> Result<Response<Body>, Failure> {
    only_get(method)?;
    Ok(readiness(app))
}

/// Answers on a listener of its own until the task is dropped.
pub(super) async fn serve(listener: TcpListener, app: Arc<App>) {
    let routes = Router::new()
        .route("/healthz", get(|| async { text(StatusCode::OK, "ok\n".into()) }))
        .route("/readyz", get(move || async move { readiness(&app) }));
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the health listener ended");
    }
}

fn readiness(app: &App) -> Response<Body> {
    let problems = app.problems();
    if problems.is_empty() {
        return text(StatusCode::OK, "ready\n".into());
    }
    text(StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n")
}

fn only_get(method: &Method) -> Result<(), Failure> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    Err(Failure::new(Code::MethodNotAllowed, "Only GET and HEAD").allow("GET, HEAD"))
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
