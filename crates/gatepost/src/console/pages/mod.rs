//! The pages, a file or folder each.

mod access;
mod clients;
mod go;
mod me;
mod privileges;
mod reference;
mod roles;
mod script;
mod services;
mod settings;
mod setup;
mod sign_in;
mod try_it;
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
        .merge(access::routes())
        .merge(reference::routes())
        .merge(try_it::routes())
        .merge(roles::routes())
        .merge(privileges::routes())
        .merge(clients::routes())
        .merge(review::routes())
}
