//! The pages, a file or folder each.

mod clients;
mod consume;
mod go;
mod me;
mod privileges;
mod roles;
mod script;
mod services;
mod settings;
mod setup;
mod sign_in;
mod sql;
mod users;

use axum::Router;

use super::{Console, review};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .merge(setup::routes())
        .merge(sign_in::routes())
        .merge(me::routes())
        .merge(go::routes())
        .merge(services::routes())
        .merge(script::routes())
        .merge(users::routes())
        .merge(settings::routes())
        .merge(roles::routes())
        .merge(privileges::routes())
        .merge(clients::routes())
        .merge(sql::routes())
        .merge(consume::routes())
        .merge(review::routes())
}
