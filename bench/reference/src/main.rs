//! The bare server that Gatepost is measured against: what the same answers cost with the same crates, without a
//! lock, definitions, limits or logs.
//!
//! `reference ADDRESS DATABASE BASE_URL`: the SQL and the bodies are those of the demo's handlers, links included, with
//! `BASE_URL` (`http://…/ords/hr`) in them. DATABASE is a SQLite file or `postgres://…`.

mod page;
mod postgres;
mod sqlite;

use std::sync::OnceLock;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::post;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A body of the size that the token endpoint answers with.
const TOKEN: &str = "{\"access_token\":\"gp_at_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
                     xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"token_type\":\"Bearer\",\"expires_in\":3600,\
                     \"scope\":\"hr.read\"}";

struct Settings {
    database: String,
    base_url: String,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("usage: reference ADDRESS DATABASE BASE_URL");
    let address = next();
    let _ = SETTINGS.set(Settings { database: next(), base_url: next() });
    let routes =
        if settings().database.starts_with("postgres") { postgres::routes().await } else { sqlite::routes() };
    let app: Router = routes.route("/ords/hr/oauth/token", post(token));
    let listener = tokio::net::TcpListener::bind(address).await.expect("the address is free");
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await.expect("the server runs");
}

fn settings() -> &'static Settings {
    SETTINGS.get().expect("main sets it")
}

async fn token(body: Bytes) -> Response<Body> {
    debug_assert!(!body.is_empty());
    json(Vec::from(TOKEN))
}

fn json(body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
