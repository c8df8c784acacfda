//! What a server does between the signal to stop and its end. The test says when each part begins, so that nothing
//! here depends on time.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use gatepost::app::clock::Clock;
use gatepost::app::key_file::KeySource;
use gatepost::config::Config;
use reqwest::{StatusCode, Version};

use crate::balancer::Balancer;
use crate::inside::Inside;
use crate::process::{Shop, eventually, eventually_async};
use crate::server::is_complete;

/// A server that this test stops.
struct Ending(Inside);

impl Ending {
    fn serve(shop: &Shop, configure: impl FnOnce(&mut Config)) -> Self {
        Self::serve_on(TcpListener::bind("127.0.0.1:0").unwrap(), shop, configure)
    }

    fn serve_on(socket: TcpListener, shop: &Shop, configure: impl FnOnce(&mut Config)) -> Self {
        let folder = shop.0.path();
        let mut config = Config::load(folder, None, []).unwrap();
        configure(&mut config);
        let keys = KeySource::File(folder.join("keys.toml"));
        Self(Inside::serve(socket, config, keys, Clock::System))
    }

    /// Tells it to stop, and waits until it says so.
    fn leave(&mut self) {
        self.0.ask_to_stop();
        let ready = || self.ask("/readyz");
        eventually("it is not ready", || ready().contains("503 Service Unavailable"));
        assert!(ready().ends_with("this node is stopping\n"), "{}", ready());
    }

    /// Ends the time in which others take over.
    fn finish(&mut self) {
        self.0.end_the_drain();
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.0.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn send(&self, stream: &mut TcpStream, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.0.address);
        stream.write_all(request.as_bytes()).unwrap();
    }

    /// One request on a connection that is kept.
    fn ask_on(&self, stream: &mut TcpStream, path: &str) -> String {
        self.send(stream, path);
        let (mut answer, mut buffer) = (Vec::new(), [0; 1_024]);
        while !is_complete(&answer) {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "closed after: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(answer).unwrap()
    }

    /// One request on a connection of its own.
    fn ask(&self, path: &str) -> String {
        let mut stream = self.connect();
        self.ask_on(&mut stream, path)
    }
}

fn ends(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0; 16]).unwrap() == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_leaves_serves_whoever_comes_and_asks_them_to_move_on() {
    let shop = Shop::new("leave");
    let mut server = Ending::serve(&shop, |_| {});
    let (mut idle, mut silent) = (server.connect(), server.connect());
    assert!(!server.ask_on(&mut idle, "/healthz").contains("connection: close"));
    server.leave();

    // Those who are there, those who come, and those who came and said nothing yet.
    let mut new = server.connect();
    for stream in [&mut idle, &mut new, &mut silent] {
        let answer = server.ask_on(stream, "/healthz");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(ends(stream));
    }
    assert!(server.ask("/ords/shop/none").starts_with("HTTP/1.1 401 "), "what is locked stays locked");
    assert!(!server.0.has_ended());

    server.finish();
    eventually("new connections are refused", || TcpStream::connect(server.0.address).is_err());
    server.0.ended();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_the_kernels_queue_is_served_before_the_listener_closes() {
    let shop = Shop::new("queued");
    let mut server = Ending::serve(&shop, |config| config.limits.connections = 1);
    let mut first = server.connect();
    server.ask_on(&mut first, "/healthz");
    let mut waiting: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for stream in &mut waiting {
        server.send(stream, "/healthz");
    }
    server.0.ask_to_stop();
    server.finish();
    assert!(ends(&mut first));
    for stream in &mut waiting {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("ok\n"), "{text}");
    }
    server.0.ended();
    assert!(TcpStream::connect(server.0.address).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_connections_are_told_to_go_and_lose_nothing() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let shop = Shop::new("goaway");
    shop.0.write("cert.pem", &certified.cert.pem());
    shop.0.write("key.pem", &certified.signing_key.serialize_pem());
    // The balancer counts connections; it cannot ask `/readyz` over TLS, which is no matter with one node.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let balancer = Balancer::start(&[socket.local_addr().unwrap()], "localhost").await;
    let url = format!("https://localhost:{}", balancer.address.port());
    let mut server = Ending::serve_on(socket, &shop, |config| {
        config.tls.certificate_file = Some("cert.pem".into());
        config.tls.private_key_file = Some("key.pem".into());
        config.server.public_url = Some(url.clone());
    });
    let trusted = reqwest::Certificate::from_pem(certified.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([trusted])
        .resolve("localhost", balancer.address)
        .retry(reqwest::retry::never())
        .build()
        .unwrap();
    let ask = async |path: &str| {
        let answer = client.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        (answer.status(), answer.headers().contains_key("connection"), answer.text().await.unwrap())
    };
    let ok = || (StatusCode::OK, false, "ok\n".to_owned());
    for _ in 0..3 {
        assert_eq!(ask("/healthz").await, ok());
    }
    assert_eq!(balancer.connections(), 1);

    server.0.ask_to_stop();
    eventually_async("the client moves to another connection", async || {
        assert_eq!(ask("/healthz").await, ok());
        balancer.connections() == 2
    })
    .await;
    let (status, _, text) = ask("/readyz").await;
    assert_eq!((status, text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "this node is stopping\n"));
    server.finish();
    // The client keeps its connection; the server tells it to go and does not wait for it.
    server.0.ended();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_end_hold_the_server_up_for_so_long_and_no_longer() {
    let shop = Shop::new("patience");
    let mut server = Ending::serve(&shop, |config| config.server.shutdown_seconds = 0);
    let mut stream = server.connect();
    let head = format!(
        "POST /ords/shop/oauth/token HTTP/1.1\r\nHost: {}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        server.0.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut buffer = [0; 12];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"HTTP/1.1 100");
    server.leave();
    server.finish();
    server.0.ended();
}
