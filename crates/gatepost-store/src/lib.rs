//! Every SQL text of Gatepost. Three stores that never share a file: the [`catalog`] of definitions and clients,
//! the [`data`] that handlers and SQL Commands work on, and the [`logs`].

pub mod catalog;
pub mod data;
mod database;
pub mod logs;
pub mod provision;

/// The cluster of the tests, the same for all crates.
#[cfg(test)]
#[path = "../../gatepost/tests/it/postgres.rs"]
mod postgres;
