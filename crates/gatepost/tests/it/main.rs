//! Tests that speak the wire: they start the real program and call it with clients that nobody here wrote.

mod client;
mod oauth;
mod rest;
mod server;
mod shop;
mod walk;
