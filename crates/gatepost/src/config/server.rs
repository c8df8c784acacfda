//! `[server]` and `[tls]`: where the program listens and what its callers call it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::section::section;

section! {
    /// Where the program listens.
    Server {
        /// Address and port to listen on.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        /// The URL that callers use, scheme and host and port only. The only source of issuer, links and redirects;
        /// a request for another host gets 421. Needed beyond loopback.
        public_url: Option<String> = None,
        /// The first path segment of all services.
        context: String = "/ords".to_owned(),
        /// Where `/healthz` and `/readyz` can be asked from elsewhere, over plain HTTP. Without it they answer
        /// loopback only, on the address above.
        health_listen: Option<SocketAddr> = None,
        /// Addresses of reverse proxies whose `X-Forwarded-For` counts.
        trusted_proxies: Vec<std::net::IpAddr> = Vec::new(),
        /// Allow plain HTTP beyond loopback: only behind a proxy that ends TLS.
        plain_http: bool = false,
        /// How long after the signal to stop new connections are still served, in seconds, while `/readyz` answers 503:
        /// longer than a balancer needs to notice. Absent: 0 on loopback, 5 beyond it.
        drain_seconds: Option<u32> = None,
        /// How long a shutdown then waits for requests in flight, in seconds.
        shutdown_seconds: u32 = 30,
    }
}

section! {
    /// The console: pages for people. When the APIs are reached beyond loopback, it needs an address of its own:
    /// `listen`, or a `public_url` with another host name.
    Console {
        /// Whether there is one.
        enabled: bool = true,
        /// An address and port of its own. Without it the console is where the APIs are.
        listen: Option<SocketAddr> = None,
        /// The URL that people use for it, scheme and host and port only.
        public_url: Option<String> = None,
    }
}

section! {
    /// TLS by this program. Both files are read again when they change.
    Tls {
        /// The certificate chain, PEM.
        certificate_file: Option<PathBuf> = None,
        /// The private key, PEM.
        private_key_file: Option<PathBuf> = None,
    }
}
