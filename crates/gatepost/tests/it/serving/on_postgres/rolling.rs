//! Three nodes behind a plain TCP balancer are restarted one after the other under load: no request fails.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::balancer::Balancer;
use crate::nodes::{HOST, Nodes};
use crate::process::{Shop, eventually};
use crate::server::is_complete;

/// Notes are made and read with a token; `long` gives more than sockets hold.
const SERVICES: &str = "
create table note (text text not null);
declare r owa.vc_arr; q owa.vc_arr;
begin
  ords.define_module('notes', '/notes/', 10);
  ords.define_template('notes', 'all');
  ords.define_handler('notes', 'all', 'GET', p_source => 'select text from note order by text');
  ords.define_handler('notes', 'all', 'POST', 'plsql/block',
    'begin insert into note (text) values (:text); :status_code := 201; end;');
  ords.define_template('notes', 'long');
  ords.define_handler(p_module_name => 'notes', p_pattern => 'long', p_items_per_page => 10000, p_source =>
    'select i, repeat(''x'', 2000) as filler from generate_series(1, 10000) i');
  ords.create_role('clerk');
  r(1) := 'clerk'; q(1) := '/notes/*';
  ords.define_privilege('notes.all', r, q);
  oauth.create_client('till', 'client_credentials');
  oauth.grant_client_role('till', 'clerk');
end;
/
";

/// What the callers share.
struct Load {
    balancer: SocketAddr,
    id: String,
    secret: String,
    token: String,
    over: AtomicBool,
    /// Answers, by caller.
    answers: Vec<AtomicUsize>,
    failures: Mutex<Vec<String>>,
    written: Mutex<BTreeSet<String>>,
}

/// What a caller does again and again.
#[derive(Clone, Copy, Debug)]
enum Work {
    Read,
    Write,
    Token,
}

/// What a caller does it with.
enum Wire {
    /// A connection that is kept for as long as the server says, and no request sent twice, whatever happens.
    Strict(Option<tokio::net::TcpStream>),
    /// A client of the world, which keeps connections or does not.
    Client(reqwest::Client),
}

impl Wire {
    fn client(kept: usize) -> Self {
        let builder = reqwest::Client::builder().pool_max_idle_per_host(kept);
        Self::Client(builder.retry(reqwest::retry::never()).build().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_are_restarted_under_load_without_one_failed_request() {
    let shop = Shop::on(Backend::Postgres, "rolling");
    shop.script(SERVICES).ok();
    let variables = [("GATEPOST_SERVER_DRAIN_SECONDS", "4"), ("GATEPOST_LIMITS_STALL_SECONDS", "60")];
    let mut nodes = Nodes::start(3, &shop.0, &variables);
    let addresses: Vec<_> = (0..nodes.count()).map(|node| nodes.address(node)).collect();
    let balancer = Arc::new(Balancer::start(&addresses, HOST).await);
    let load = Arc::new(Load::of(&shop, balancer.address).await);
    let mut callers = load.start();
    let (nodes, balancer, load) = tokio::task::spawn_blocking(move || {
        for node in 0..nodes.count() {
            load.goes_on();
            restart(&mut nodes, node, &balancer, &load);
        }
        load.goes_on();
        (nodes, balancer, load)
    })
    .await
    .unwrap();
    load.over.store(true, Ordering::Release);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }

    let failures = load.failures.lock().unwrap();
    let answers: Vec<_> = load.answers.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    println!(
        "{} answers over {} connections: {answers:?}",
        answers.iter().sum::<usize>(),
        balancer.connections()
    );
    assert!(failures.is_empty(), "{} failed: {failures:#?}", failures.len());
    // What was answered with success is there, once; nothing else is.
    let written = load.written.lock().unwrap();
    let found = shop.0.rows("shop", "select text from note order by text collate \"C\"").concat();
    assert!(!written.is_empty());
    assert_eq!(found, written.iter().map(String::as_str).collect::<Vec<_>>());
    for node in 0..nodes.count() {
        assert!(balancer.connections_to(node) > 0);
        assert!(!nodes.server(node).log_text().contains("cut"), "{}", nodes.server(node).log_text());
    }
}

/// Restarts a node while one long answer of its is on the way.
fn restart(nodes: &mut Nodes, node: usize, balancer: &Balancer, load: &Load) {
    let mut stream = long_answer_of(node, balancer, load);
    let mut answer = vec![0; 100_000];
    stream.read_exact(&mut answer).unwrap();
    nodes.terminate(node);
    eventually("the balancer turns away", || !balancer.is_ready(node));
    let before = balancer.connections_to(node);
    load.goes_on();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8(answer).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n0\r\n\r\n"));
    assert_eq!(text.matches("\"filler\"").count(), 10_000);
    assert_eq!(nodes.ended(node).code(), Some(0));
    assert_eq!(balancer.connections_to(node), before, "a node that leaves gets nothing new");
    nodes.run(node);
    eventually("the balancer comes back", || balancer.is_ready(node));
}

/// Asks for the long answer on connections of the balancer until one leads to the node.
fn long_answer_of(node: usize, balancer: &Balancer, load: &Load) -> TcpStream {
    let mut streams = Vec::new();
    loop {
        let mut stream = TcpStream::connect(balancer.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let own = stream.local_addr().unwrap();
        eventually("the connection is carried", || balancer.node_of(own).is_some());
        if balancer.node_of(own) == Some(node) {
            let head = format!("GET /ords/shop/notes/long HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n");
            write!(stream, "{head}Authorization: Bearer {}\r\n\r\n", load.token).unwrap();
            return stream;
        }
        streams.push(stream);
    }
}

impl Load {
    /// The client's credentials, and a token.
    async fn of(shop: &Shop, balancer: SocketAddr) -> Self {
        let rows = shop.lines("select client_id, client_secret from user_ords_clients");
        let (id, secret) = rows[0].split_once(',').unwrap();
        let mut load = Self {
            balancer,
            id: id.into(),
            secret: secret.into(),
            token: String::new(),
            over: AtomicBool::new(false),
            answers: (0..9).map(|_| AtomicUsize::new(0)).collect(),
            failures: Mutex::default(),
            written: Mutex::default(),
        };
        let (status, text) = load.ask(&mut Wire::client(0), Work::Token, "").await.unwrap();
        assert_eq!(status, StatusCode::OK, "{text}");
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        answer["access_token"].as_str().unwrap().clone_into(&mut load.token);
        load
    }

    fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut callers = JoinSet::new();
        let work = [Work::Read, Work::Write, Work::Token];
        let wires = [|| Wire::Strict(None), || Wire::client(8), || Wire::client(0)];
        for (caller, (work, wire)) in work.iter().flat_map(|work| wires.map(|wire| (*work, wire))).enumerate()
        {
            let load = Arc::clone(self);
            callers.spawn(async move { load.work(caller, wire(), work).await });
        }
        callers
    }

    async fn work(&self, caller: usize, mut wire: Wire, work: Work) {
        for number in 0.. {
            if self.over.load(Ordering::Acquire) {
                return;
            }
            let text = format!("{caller}-{number:06}");
            let wanted = if matches!(work, Work::Write) { StatusCode::CREATED } else { StatusCode::OK };
            match self.ask(&mut wire, work, &text).await {
                Ok((status, _)) if status == wanted => {
                    if matches!(work, Work::Write) {
                        self.written.lock().unwrap().insert(text);
                    }
                }
                other => self.failures.lock().unwrap().push(format!("{work:?} {text}: {other:?}")),
            }
            self.answers[caller].fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// One request. An answer that is cut is an error.
    async fn ask(&self, wire: &mut Wire, work: Work, text: &str) -> Result<(StatusCode, String), String> {
        let (method, path, kind, body) = match work {
            Work::Read => (Method::GET, "notes/all", "text/plain", String::new()),
            Work::Write => {
                (Method::POST, "notes/all", "application/json", format!("{{\"text\": \"{text}\"}}"))
            }
            Work::Token => {
                let form = format!(
                    "grant_type=client_credentials&client_id={}&client_secret={}",
                    self.id, self.secret
                );
                (Method::POST, "oauth/token", "application/x-www-form-urlencoded", form)
            }
        };
        let bearer = format!("Bearer {}", self.token);
        let bearer = Some(bearer).filter(|_| !matches!(work, Work::Token));
        match wire {
            Wire::Client(client) => {
                let url = format!("http://{}/ords/shop/{path}", self.balancer);
                let mut request =
                    client.request(method, url).header("host", HOST).header("content-type", kind);
                if let Some(bearer) = bearer {
                    request = request.header("authorization", bearer);
                }
                let answer = request.body(body).send().await.map_err(|error| format!("{error:?}"))?;
                let status = answer.status();
                Ok((status, answer.text().await.map_err(|error| format!("{error:?}"))?))
            }
            Wire::Strict(stream) => {
                let bearer = bearer.map_or(String::new(), |bearer| format!("Authorization: {bearer}\r\n"));
                let head = format!("{method} /ords/shop/{path} HTTP/1.1\r\nHost: {HOST}\r\n{bearer}");
                let length = body.len();
                let request = format!("{head}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}");
                strict(stream, self.balancer, &request).await.map_err(|error| error.to_string())
            }
        }
    }

    /// Waits until every caller has got some more answers.
    fn goes_on(&self) {
        let count = || self.answers.iter().map(|count| count.load(Ordering::Relaxed));
        let before: Vec<_> = count().collect();
        eventually("everybody gets answers", || count().zip(&before).all(|(now, before)| now >= before + 10));
    }
}

/// Sends a request on the connection, or on a new one when there is none, and reads the whole answer.
async fn strict(
    kept: &mut Option<tokio::net::TcpStream>,
    address: SocketAddr,
    request: &str,
) -> std::io::Result<(StatusCode, String)> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => tokio::net::TcpStream::connect(address).await?,
    };
    stream.write_all(request.as_bytes()).await?;
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 16_384]);
    while !is_complete(&answer) {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            let text = String::from_utf8_lossy(&answer).into_owned();
            return Err(std::io::Error::other(format!("closed after: {text:?}")));
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    if !text.contains("\r\nconnection: close\r\n") {
        *kept = Some(stream);
    }
    let status = text.get(9..12).and_then(|digits| digits.parse::<u16>().ok()).unwrap_or(0);
    Ok((StatusCode::from_u16(status).map_err(std::io::Error::other)?, text))
}
