//! Where the console is, and whether anybody can use it yet.

use super::{App, hosts};

impl App {
    /// The URL of the console's host without a final slash, and the hosts that its requests may name; absent: there
    /// is no console.
    pub fn console_address(&self) -> Option<(String, Vec<String>)> {
        let url = self.config.console_url()?;
        let console = &self.config.console;
        let listen = console.listen.unwrap_or(self.config.server.listen);
        Some((url, hosts::ours(console.public_url.as_deref(), listen)))
    }

    /// Whether the first administrator is still to be made.
    pub fn has_no_users(&self) -> bool {
        self.snapshot().catalog.users.is_empty()
    }
}
