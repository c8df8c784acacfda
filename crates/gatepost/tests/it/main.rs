//! Tests that speak the wire: they start the real program and call it with clients that nobody here wrote.

mod client;
mod server;
mod walk;
