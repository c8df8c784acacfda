//! The pages, a file or folder each.

mod access;
pub(super) mod audit;
mod clients;
mod consume;
mod figures;
mod go;
mod history;
mod log;
mod me;
mod modules;
mod overview;
mod privileges;
mod reference;
mod roles;
mod script;
mod settings;
mod setup;
mod sign_in;
mod sql;
mod try_it;
mod usage;
mod users;

use axum::Router;

use super::{Console, review};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .merge(setup::routes())
        .merge(sign_in::routes())
        .merge(me::routes())
        .merge(go::routes())
        .merge(modules::routes())
        .merge(script::routes())
        .merge(users::routes())
        .merge(settings::routes())
        .merge(access::routes())
        .merge(reference::routes())
        .merge(try_it::routes())
        .merge(roles::routes())
        .merge(privileges::routes())
        .merge(clients::routes())
        .merge(sql::routes())
        .merge(overview::routes())
        .merge(log::routes())
        .merge(usage::routes())
        .merge(audit::routes())
        .merge(history::routes())
        .merge(consume::routes())
        .merge(review::routes())
}
