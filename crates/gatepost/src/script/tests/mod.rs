//! Scripts against a host in memory, with SQLite files for the data.

mod definitions;
mod dictionary;
mod export;
mod host;
mod recipe;
mod refusals;
mod secrets;
mod sources;
mod transactions;
