//! `[egress]`: where this program may call. Only the operator edits this; no definition can widen it.

use gatepost_sources::egress::EgressPolicy;

use super::section::section;
use super::{Config, ConfigError};

section! {
    /// Calls to other people's APIs.
    Egress {
        /// Hosts that may be called: names, `*.example.com` for all names below one, addresses. Empty: any public one.
        allow_hosts: Vec<String> = Vec::new(),
        /// Private ranges that may be called, such as "10.20.0.0/16". Loopback, link-local and metadata addresses stay
        /// forbidden.
        allow_cidr: Vec<String> = Vec::new(),
        /// This machine itself may be called, this program included, on any port and without TLS.
        allow_loopback: bool = false,
        /// Hosts (`name` or `name:port`) that may be called without TLS.
        allow_plain_http: Vec<String> = Vec::new(),
        /// Ports that may be called.
        allow_ports: Vec<u16> = vec![443],
        /// Environment variables that credentials may take their secret from, each with the URLs that it may be sent to:
        /// `{ HR_SECRET = ["https://hr.example.com/ords/hr"] }`. A definition cannot send it elsewhere.
        secret_env: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new(),
        /// The same for files, relative to the folder: `{ "hr.secret" = ["https://hr.example.com/ords/hr"] }`.
        secret_files: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new(),
        /// Requests at a time to one remote server.
        requests_per_server: usize = 8,
    }
}

impl Config {
    /// Where this program may call.
    pub fn egress_policy(&self) -> Result<EgressPolicy, ConfigError> {
        let egress = &self.egress;
        let read = |text: &String| {
            text.parse().map_err(|error: String| ConfigError(format!("egress.allow_cidr: {error}")))
        };
        let listener = self.server.listen;
        Ok(EgressPolicy {
            allow_hosts: egress.allow_hosts.clone(),
            allow_cidr: egress.allow_cidr.iter().map(read).collect::<Result<_, _>>()?,
            allow_loopback: egress.allow_loopback,
            allow_plain_http: egress.allow_plain_http.clone(),
            allow_ports: egress.allow_ports.clone(),
            own_listeners: std::iter::once(listener).chain(self.server.health_listen).collect(),
        })
    }
}
