//! A plain TCP balancer, as operators put one in front of nodes: it takes turns, looks at `/readyz`, tries the next
//! node when a connect fails, and knows nothing of the bytes that it carries.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A running balancer. It ends when this is dropped, with all that it carries.
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    nodes: Arc<Vec<Node>>,
    carried: Arc<Mutex<Vec<(SocketAddr, usize)>>>,
    _tasks: JoinSet<()>,
}

struct Node {
    address: SocketAddr,
    ready: AtomicBool,
}

impl Balancer {
    /// Balances over these nodes; `host` is what they want to be called.
    pub(crate) async fn start(addresses: &[SocketAddr], host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nodes = addresses.iter().map(|address| Node { address: *address, ready: AtomicBool::new(true) });
        let (nodes, carried) = (Arc::new(nodes.collect::<Vec<_>>()), Arc::new(Mutex::default()));
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        for number in 0..nodes.len() {
            tasks.spawn(follow(Arc::clone(&nodes), number, host.to_owned()));
        }
        tasks.spawn(carry(listener, Arc::clone(&nodes), Arc::clone(&carried)));
        Self { address, nodes, carried, _tasks: tasks }
    }

    /// Whether a node gets new connections.
    pub(crate) fn is_ready(&self, node: usize) -> bool {
        self.nodes[node].ready.load(Ordering::Acquire)
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.carried.lock().unwrap().len()
    }

    /// How many connections went to a node.
    pub(crate) fn connections_to(&self, node: usize) -> usize {
        self.carried.lock().unwrap().iter().filter(|(_, to)| *to == node).count()
    }

    /// The node that a client's connection was carried to last, by the client's own address.
    pub(crate) fn node_of(&self, client: SocketAddr) -> Option<usize> {
        self.carried.lock().unwrap().iter().rev().find(|(from, _)| *from == client).map(|(_, to)| *to)
    }
}

/// Asks a node again and again whether it is ready.
async fn follow(nodes: Arc<Vec<Node>>, number: usize, host: String) {
    let node = &nodes[number];
    loop {
        let asked = tokio::time::timeout(Duration::from_secs(5), is_ready(node.address, &host)).await;
        node.ready.store(matches!(asked, Ok(Ok(true))), Ordering::Release);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_ready(address: SocketAddr, host: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

async fn carry(listener: TcpListener, nodes: Arc<Vec<Node>>, carried: Arc<Mutex<Vec<(SocketAddr, usize)>>>) {
    let turn = AtomicUsize::new(0);
    let mut connections = JoinSet::new();
    loop {
        let (mut client, from) = listener.accept().await.unwrap();
        let first = turn.fetch_add(1, Ordering::Relaxed);
        let (nodes, carried) = (Arc::clone(&nodes), Arc::clone(&carried));
        connections.spawn(async move {
            let Some((mut node, to)) = connect(&nodes, first).await else { return };
            carried.lock().unwrap().push((from, to));
            // However it ends, both sides see an end.
            let _ = copy_bidirectional(&mut client, &mut node).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Connects to the next ready node that takes the connection; nobody is ready: to any.
async fn connect(nodes: &[Node], first: usize) -> Option<(TcpStream, usize)> {
    let turns = (0..nodes.len()).map(|step| (first + step) % nodes.len());
    let (ready, others): (Vec<_>, Vec<_>) = turns.partition(|to| nodes[*to].ready.load(Ordering::Acquire));
    for to in ready.into_iter().chain(others) {
        if let Ok(stream) = TcpStream::connect(nodes[to].address).await {
            return Some((stream, to));
        }
    }
    None
}
