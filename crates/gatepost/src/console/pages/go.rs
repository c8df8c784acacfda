//! Ways that lead to a page: the bare address, and the choice of another schema.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Response;

use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::signed_in::{SignedIn, path};
use crate::console::{Console, PATH, Refused, cookie};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/", get(|| async { see_other(PATH) }))
        .route(PATH.trim_end_matches('/'), get(|| async { see_other(PATH) }))
        .route(&format!("{PATH}go"), get(go))
}

/// Another schema was chosen: the same page of that one, or the same page of the installation.
async fn go(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    let snapshot = signed_in.console.app().snapshot();
    let wanted = fields.text("schema");
    let schemas = signed_in.schemas(&snapshot);
    let schema = schemas.iter().find(|schema| schema.name == wanted).ok_or(Refused::NotFound)?;
    let page = fields.text("page");
    let of_schema = page.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !page.is_empty();
    let target = match page {
        "overview" | "log" | "usage" | "audit" | "history" | "users" | "settings" | "me" => {
            format!("{PATH}{page}")
        }
        _ if of_schema => path(&schema.name, page),
        _ => PATH.to_owned(),
    };
    let mut response = see_other(target.trim_end_matches("overview"));
    if let Some(cookie) = cookie::set_schema(&schema.name) {
        response.headers_mut().append(http::header::SET_COOKIE, cookie);
    }
    Ok(response)
}
