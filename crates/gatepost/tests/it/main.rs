//! Tests that speak the wire: they start the real program and call it with clients that nobody here wrote.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]

mod backend;
mod balancer;
mod cli;
mod client;
mod console;
mod describe;
mod folder;
mod hidden;
mod holder;
mod inside;
mod nodes;
mod oauth;
mod on_postgres;
mod outage;
mod people;
mod pgbouncer;
mod postgres;
mod process;
mod rest;
mod script;
mod server;
mod serving;
mod shop;
mod sources;
mod standby;
mod tidy;
mod walk;
