//! The pages, a file or folder each.

mod clients;
mod go;
mod me;
mod privileges;
mod roles;
mod setup;
mod sign_in;
mod sql;

use axum::Router;

use super::{Console, review};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .merge(setup::routes())
        .merge(sign_in::routes())
        .merge(me::routes())
        .merge(go::routes())
        .merge(roles::routes())
        .merge(privileges::routes())
        .merge(clients::routes())
        .merge(sql::routes())
        .merge(review::routes())
}
