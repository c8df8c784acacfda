//! Tests that speak the wire: they start the real program and call it with clients that nobody here wrote.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]

mod client;
mod server;
mod tidy;
mod walk;
