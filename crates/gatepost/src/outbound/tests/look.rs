//! A look at a server, which sends nothing.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

const WITHIN: Duration = Duration::from_secs(20);
const HERE: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];

/// A server that keeps what is sent to it, after TLS with a certificate for this name if there is one.
struct Quiet {
    port: u16,
    connections: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
    certificate: String,
}

impl Quiet {
    async fn start(name: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, heard) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let made = name.map(|name| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap());
        let certificate = made.as_ref().map_or(String::new(), |made| made.cert.pem());
        let acceptor = made.map(|made| {
            let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = rustls::ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key.into())
                .unwrap();
            tokio_rustls::TlsAcceptor::from(Arc::new(config))
        });
        let (counted, kept) = (Arc::clone(&connections), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let mut bytes = Vec::new();
                let _ = match &acceptor {
                    None => stream.read_to_end(&mut bytes).await,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(mut stream) => stream.read_to_end(&mut bytes).await,
                        Err(_) => continue,
                    },
                };
                kept.lock().unwrap().extend(bytes);
            }
        });
        Self { port, connections, heard, certificate }
    }

    fn url(&self, scheme: &str, host: &str) -> Url {
        format!("{scheme}://{host}:{}/rows?key=x", self.port).parse().unwrap()
    }
}

/// Looks at a server whose name, if it has one, is this machine's.
async fn look(url: &Url, tls_ca: Option<&str>, within: Duration) -> Result<Duration, SourceError> {
    let mut outbound = on_loopback();
    outbound.lookup = |_| Box::pin(async { Ok(vec![([127, 0, 0, 1], 0).into()]) });
    let policy = EgressPolicy {
        allow_loopback: true,
        allow_ports: url.port().into_iter().collect(),
        ..EgressPolicy::default()
    };
    outbound.policy = Arc::new(policy);
    let found = outbound.resolve(url, WITHIN).await.unwrap();
    outbound.connect(&found, tls_ca, within).await
}

#[tokio::test]
async fn a_host_that_may_not_be_called_is_not_looked_up() {
    let mut outbound = on_loopback();
    outbound.lookup = |_| Box::pin(async { panic!("it was looked up") });
    let closed = Outbound { policy: EgressPolicy::default().into(), ..outbound };
    for url in ["http://127.0.0.1:8080/", "ftp://api.example/", "http://api.example/"] {
        let error = closed.resolve(&url.parse().unwrap(), WITHIN).await.unwrap_err();
        assert_eq!(error.code.stage(), gatepost_sources::error::Stage::Policy, "{url}: {error:?}");
    }
}

#[tokio::test]
async fn addresses_are_those_that_may_be_called() {
    let mut outbound = on_loopback();
    let url: Url = "https://api.example/".parse().unwrap();
    outbound.lookup = |_| Box::pin(async { Ok(vec![([127, 0, 0, 1], 0).into(), ([10, 0, 0, 1], 0).into()]) });
    assert_eq!(outbound.resolve(&url, WITHIN).await.unwrap().addresses(), HERE);
    outbound.lookup = |_| Box::pin(async { Ok(vec![([10, 0, 0, 1], 0).into()]) });
    assert_eq!(outbound.resolve(&url, WITHIN).await.unwrap_err().code, Code::EgressDenied);
    outbound.lookup = |_| Box::pin(async { Err(std::io::Error::other("no such name")) });
    let error = outbound.resolve(&url, WITHIN).await.unwrap_err();
    assert_eq!((error.code, error.host.as_deref()), (Code::DnsFailed, Some("api.example")));
    // A resolver that never answers is not waited for longer than a connection.
    outbound.lookup = |_| Box::pin(std::future::pending());
    let error = outbound.resolve(&url, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.code, Code::DnsFailed);
    let here: Url = "http://127.0.0.1:8080/".parse().unwrap();
    assert_eq!(outbound.resolve(&here, WITHIN).await.unwrap().addresses(), HERE);
}

#[tokio::test]
async fn a_connection_is_made_and_nothing_is_sent() {
    let plain = Quiet::start(None).await;
    look(&plain.url("http", "127.0.0.1"), None, WITHIN).await.unwrap();
    let private = Quiet::start(Some("api.example")).await;
    let url = private.url("https", "api.example");
    look(&url, Some(&private.certificate), WITHIN).await.unwrap();
    for server in [plain, private] {
        assert_eq!(server.connections.load(Ordering::Relaxed), 1);
        assert!(server.heard.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_says_why() {
    let private = Quiet::start(Some("api.example")).await;
    let code =
        async |url: Url, tls_ca: Option<&str>, within| look(&url, tls_ca, within).await.unwrap_err().code;
    let certificate = private.certificate.as_str();
    assert_eq!(code(private.url("https", "api.example"), None, WITHIN).await, Code::TlsUntrusted);
    let other = private.url("https", "other.example");
    assert_eq!(code(other, Some(certificate), WITHIN).await, Code::TlsNameMismatch);
    // Whoever is silent in the middle of TLS is left.
    let silent = Quiet::start(None).await;
    let left = code(silent.url("https", "api.example"), None, Duration::from_millis(300)).await;
    assert_eq!(left, Code::ConnectTimeout);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/").parse().unwrap();
    assert_eq!(code(url, None, WITHIN).await, Code::ConnectFailed);
}
