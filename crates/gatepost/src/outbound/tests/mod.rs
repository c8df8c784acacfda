//! Calls to servers that misbehave, and calls that must not be made.

mod fetching;
mod look;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::resolver::NotResolved;
use super::*;

const SECRET: &str = "a-secret-of-ours-0815";

/// A server that answers each request with what a function makes of its head, and counts them.
struct Peer {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let (answer, seen) = (Arc::new(answer), Arc::clone(&heads));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let head = String::from_utf8(head).unwrap();
                    seen.lock().unwrap().push(head.clone());
                    let _ = stream.write_all(&answer(&head)).await;
                    // Until the caller has read it.
                    let _ = stream.shutdown().await;
                    let _ = stream.read(&mut [0; 64]).await;
                });
            }
        });
        Self { port, heads }
    }

    fn url(&self, path: &str) -> Url {
        format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn ok(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn redirect(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

fn on_loopback() -> Outbound {
    Outbound::new(EgressPolicy { allow_loopback: true, ..EgressPolicy::default() }, 8, || 7)
}

fn everywhere_of(url: &Url) -> ValidFor {
    ValidFor::of_urls([url.origin().ascii_serialization().as_str()])
}

fn call<'a>(url: &'a Url, valid_for: &'a ValidFor) -> Call<'a> {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::from_static(SECRET));
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer a-secret-of-ours-0815"));
    Call {
        server: 1,
        method: Method::GET,
        url,
        headers,
        body: None,
        valid_for,
        tls_ca: None,
        connect: Duration::from_secs(5),
        total: Duration::from_secs(20),
        bytes_max: 100_000,
        redirects: true,
        hops: 0,
    }
}

async fn refused(outbound: &Outbound, url: &str) -> SourceError {
    let url: Url = url.parse().unwrap();
    outbound.call(call(&url, &everywhere_of(&url))).await.unwrap_err()
}

#[tokio::test]
async fn loopback_is_refused_in_every_spelling() {
    let peer = Peer::start(|_| ok("", b"{}")).await;
    let port = peer.port;
    let outbound = Outbound::new(
        EgressPolicy {
            allow_ports: vec![port],
            allow_plain_http: vec![
                "127.0.0.1".into(),
                "localhost".into(),
                "[::1]".into(),
                "[::ffff:7f00:1]".into(),
            ],
            ..EgressPolicy::default()
        },
        8,
        || 7,
    );
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "LOCALHOST.",
    ] {
        let error = refused(&outbound, &format!("http://{host}:{port}/")).await;
        assert_eq!(error.code, Code::EgressDenied, "{host}: {error:?}");
    }
    assert!(peer.asked().is_empty());
}

/// A name is judged by what it resolves to at the moment of the call: this one is the machine itself.
#[tokio::test]
async fn names_are_judged_by_their_addresses() {
    let policy = Arc::new(EgressPolicy::default());
    let resolver = GuardedResolver::new(policy, of_the_system);
    let name = "localhost".parse().unwrap();
    let denied = reqwest::dns::Resolve::resolve(&resolver, name).await.err().unwrap();
    assert!(denied.to_string().contains("egress.allow_loopback"), "{denied}");
}

/// A name is looked up for each connection, and what was found is what is dialled: a name that was good once is judged
/// again when it turns to an address that is not.
#[tokio::test]
async fn a_name_that_turns_to_a_forbidden_address_is_refused() {
    static LOOKUPS: AtomicUsize = AtomicUsize::new(0);
    let turning: Lookup = |_| {
        let address = match LOOKUPS.fetch_add(1, Ordering::SeqCst) {
            0 => [8, 8, 8, 8],
            1 => [127, 0, 0, 1],
            2 => [169, 254, 169, 254],
            _ => [10, 0, 0, 1],
        };
        Box::pin(async move { Ok(vec![(address, 0).into()]) })
    };
    let resolver = GuardedResolver::new(Arc::default(), turning);
    let resolve = || reqwest::dns::Resolve::resolve(&resolver, "turning.example".parse().unwrap());
    assert_eq!(resolve().await.unwrap().map(|found| found.ip().to_string()).collect::<Vec<_>>(), ["8.8.8.8"]);
    for _ in 0..3 {
        assert!(resolve().await.err().unwrap().downcast_ref::<NotResolved>().is_some());
    }
}

/// The same through the connector, on a machine that may be called: from loopback to the metadata address.
#[tokio::test]
async fn what_was_judged_is_what_is_dialled() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let peer = Peer::start(|_| ok("Connection: close\r\n", b"{}")).await;
    let mut outbound = on_loopback();
    outbound.lookup = |_| {
        let first = CALLS.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if first { [127, 0, 0, 1] } else { [169, 254, 169, 254] };
        Box::pin(async move { Ok(vec![(address, 0).into()]) })
    };
    outbound.policy = Arc::new(EgressPolicy {
        allow_plain_http: vec!["turning.example".into()],
        allow_ports: vec![peer.port],
        allow_loopback: true,
        ..EgressPolicy::default()
    });
    let url: Url = format!("http://turning.example:{}/", peer.port).parse().unwrap();
    let valid_for = everywhere_of(&url);
    assert_eq!(outbound.call(call(&url, &valid_for)).await.unwrap().status, StatusCode::OK);
    let error = outbound.call(call(&url, &valid_for)).await.unwrap_err();
    assert_eq!(error.code, Code::EgressDenied, "{error:?}");
    assert_eq!(peer.asked().len(), 1);
}

#[tokio::test]
async fn credential_goes_to_its_own_servers_only() {
    let peer = Peer::start(|_| ok("", b"{}")).await;
    let outbound = on_loopback();
    let url = peer.url("/ords/hr/x");
    for other in
        ["http://127.0.0.1:1/", "http://localhost/", &format!("http://127.0.0.1:{}/ords/h", peer.port)]
    {
        let valid_for = ValidFor::of_urls([other]);
        let error = outbound.call(call(&url, &valid_for)).await.unwrap_err();
        assert_eq!(error.code, Code::CredentialUrlNotAllowed, "{other}");
    }
    assert!(peer.asked().is_empty());
}

#[tokio::test]
async fn secret_does_not_follow_a_redirect_to_somebody_else() {
    let stranger = Peer::start(|_| ok("", b"{}")).await;
    let elsewhere = stranger.url("/").to_string();
    let peer = Peer::start(move |_| redirect(&elsewhere)).await;
    let outbound = on_loopback();
    let error = refused(&outbound, peer.url("/?api_key=a-secret-of-ours-0815").as_str()).await;
    assert_eq!((error.code, error.status), (Code::ApiRedirected, Some(302)));
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    assert!(stranger.asked().is_empty());
}

#[tokio::test]
async fn redirects_within_the_origin_are_followed_a_few_times() {
    let peer = Peer::start(|head| match head.split(' ').nth(1) {
        Some("/a") => redirect("/b?x=1"),
        Some("/b?x=1") => ok("", b"{\"at\":\"b\"}"),
        Some(_) => redirect("/circle"),
        None => Vec::new(),
    })
    .await;
    let outbound = on_loopback();
    let url = peer.url("/a");
    let answer = outbound.call(call(&url, &everywhere_of(&url))).await.unwrap();
    assert_eq!((&answer.body[..], answer.url.path()), (&b"{\"at\":\"b\"}"[..], "/b"));
    assert!(peer.asked().iter().all(|head| !head.to_lowercase().contains("referer")));
    let error = refused(&outbound, peer.url("/circle").as_str()).await;
    assert_eq!(error.code, Code::ApiRedirected);
    // A token request follows none.
    let valid_for = everywhere_of(&url);
    let stay = Call { redirects: false, ..call(&url, &valid_for) };
    assert_eq!(outbound.call(stay).await.unwrap().status, StatusCode::FOUND);
}

#[tokio::test]
async fn large_and_compressed_bodies_end_at_the_limit() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 50 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let peer = Peer::start(move |head| {
        if head.starts_with("GET /bomb") {
            ok("Content-Encoding: gzip\r\n", &bomb)
        } else {
            ok("", &vec![b' '; 1 << 20])
        }
    })
    .await;
    let outbound = on_loopback();
    for path in ["/bomb", "/large"] {
        assert_eq!(refused(&outbound, peer.url(path).as_str()).await.code, Code::ApiTooLarge, "{path}");
    }
}

/// The status says what it is: neither a long body nor one that breaks hides it.
#[tokio::test]
async fn a_refusal_is_known_by_its_status_whatever_its_body_does() {
    let peer = Peer::start(|head| {
        let body = vec![b'x'; 1 << 20];
        let length = if head.starts_with("GET /cut") { 2 << 20 } else { body.len() };
        let head = format!("HTTP/1.1 500 Oops\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), &body].concat()
    })
    .await;
    let outbound = on_loopback();
    for path in ["/large", "/cut"] {
        let url = peer.url(path);
        let answer = outbound.call(call(&url, &everywhere_of(&url))).await.unwrap();
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(answer.body.len() as u64 <= REFUSAL_BYTES_MAX, "{path}");
    }
}

#[tokio::test]
async fn silent_closed_and_cut_connections_have_codes_of_their_own() {
    let outbound = on_loopback();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", silent.local_addr().unwrap()).parse().unwrap();
    let valid_for = everywhere_of(&url);
    let short = Call { total: Duration::from_millis(200), ..call(&url, &valid_for) };
    assert_eq!(outbound.call(short).await.unwrap_err().code, Code::ApiTimeout);
    drop(silent);
    assert_eq!(refused(&outbound, url.as_str()).await.code, Code::ConnectFailed);
    let cut = Peer::start(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_vec()).await;
    assert_eq!(refused(&outbound, cut.url("/").as_str()).await.code, Code::ApiAborted);
}

#[tokio::test]
async fn a_request_that_has_come_far_goes_no_further() {
    let peer = Peer::start(|_| ok("", b"{}")).await;
    let outbound = on_loopback();
    let url = peer.url("/");
    let valid_for = everywhere_of(&url);
    let far = Call { hops: HOPS_MAX, ..call(&url, &valid_for) };
    assert_eq!(outbound.call(far).await.unwrap_err().code, Code::HopLimit);
    outbound.call(Call { hops: 1, ..call(&url, &valid_for) }).await.unwrap();
    assert_eq!(peer.asked().len(), 1);
    assert!(peer.asked()[0].contains("gatepost-hop: 2"), "{:?}", peer.asked());
}

/// An authority, and a server with a certificate of it for this name and time.
async fn tls_peer(name: &str, until: (i32, u8, u8)) -> (String, u16) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertifiedIssuer::self_signed(authority, authority_key).unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&ok("", b"{}")).await;
            let _ = stream.shutdown().await;
        }
    });
    (authority.pem(), port)
}

#[tokio::test]
async fn certificates_are_checked_and_failures_named() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outbound = on_loopback();
    for (name, until, trusted, wanted) in [
        ("localhost", (2099, 1, 1), false, Some(Code::TlsUntrusted)),
        ("other.example", (2099, 1, 1), true, Some(Code::TlsNameMismatch)),
        ("localhost", (2001, 1, 1), true, Some(Code::TlsExpired)),
        ("localhost", (2099, 1, 1), true, None),
    ] {
        let (authority, port) = tls_peer(name, until).await;
        let url: Url = format!("https://localhost:{port}/").parse().unwrap();
        let valid_for = everywhere_of(&url);
        let call = Call { tls_ca: trusted.then_some(authority.as_str()), ..call(&url, &valid_for) };
        let result = outbound.call(call).await;
        assert_eq!(result.as_ref().err().map(|error| error.code), wanted, "{result:?}");
    }
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    let error = refused(&outbound, &format!("https://{address}/")).await;
    assert_eq!(error.code, Code::TlsFailed, "{error:?}");
}

/// Servers come and go with definitions. What is remembered of them does not grow with those that are gone, and whoever
/// has a turn keeps it.
#[tokio::test]
async fn what_is_remembered_of_servers_has_a_bound() {
    let outbound = Outbound::new(EgressPolicy::default(), 1, || 7);
    let taken = outbound.turn(1).acquire_owned().await.unwrap();
    for server in 2..5 * SERVERS_MAX as Id {
        outbound.turn(server);
        outbound.with_budget(server, RetryBudget::note_request);
    }
    assert!(outbound.turns.lock().unwrap().len() <= SERVERS_MAX + 1);
    assert!(outbound.budgets.lock().unwrap().len() <= SERVERS_MAX);
    assert!(outbound.turn(1).try_acquire().is_err());
    drop(taken);
    assert!(outbound.turn(1).try_acquire().is_ok());
}

/// Requests to one server wait for each other; those to another do not.
#[tokio::test]
async fn requests_to_one_server_are_limited() {
    static AT_A_TIME: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                MOST.fetch_max(AT_A_TIME.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                AT_A_TIME.fetch_sub(1, Ordering::SeqCst);
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                    .await;
            });
        }
    });
    let outbound = Outbound::new(EgressPolicy { allow_loopback: true, ..EgressPolicy::default() }, 2, || 7);
    let valid_for = everywhere_of(&url);
    let all = (0..12).map(|_| outbound.call(call(&url, &valid_for)));
    for result in futures_util::future::join_all(all).await {
        result.unwrap();
    }
    assert!(MOST.load(Ordering::SeqCst) <= 2);
}
