//! Tests that speak the wire: they start the real program and call it with clients that nobody here wrote.

mod cli;
mod client;
mod process;
mod script;
mod server;
mod serving;
mod walk;
