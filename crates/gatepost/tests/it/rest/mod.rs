//! Published services: who gets in, and what they get.

mod access;
mod bearer;
mod coding;
mod collections;
mod conditional;
mod cors;
mod handlers;
mod limits;
mod on_postgres;
mod on_sqlite;
mod paths;
