//! An API of the tests' own: each paginator, each way to sign in, each misbehaviour and each fault of a token endpoint
//! at a path of its own. It listens on loopback, on threads of its own, and ends with its value.
//!
//! | path | answers |
//! |---|---|
//! | `pages/…` | seven rows, a few at a time ([`pages`]) |
//! | `doors/…` | one row, to who signs in rightly ([`doors`]) |
//! | `token/…` | access tokens, or what is none ([`tokens`]) |
//! | `faults/…` | what no API should answer ([`faults`]) |

mod doors;
mod faults;
pub(super) mod pages;
mod raw;
mod tokens;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::sync::oneshot;

pub(super) use raw::{Raw, RawPeer};
use tokens::Tokens;

/// Who asks for tokens. Id and secret have characters that the spellings of Basic tell apart.
pub(super) const CLIENT_ID: &str = "svc:reports";
pub(super) const SECRET: &str = "p@ss w%rd+/~ of-the-tests";

/// What a request carried.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// The API.
pub(super) struct Peer {
    pub(super) base_url: String,
    known: Arc<Known>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What its answers depend on.
struct Known {
    base_url: String,
    asked: Mutex<Vec<Asked>>,
    tokens: Mutex<Tokens>,
}

impl Peer {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, tokens) = (Mutex::default(), Mutex::new(Tokens::new(SECRET)));
        let known = Arc::new(Known { base_url: base_url.clone(), asked, tokens });
        let (stop, stopped) = oneshot::channel();
        let state = Arc::clone(&known);
        // A runtime of its own: tests run commands to their end while it answers.
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = Router::new().fallback(answer).with_state(state);
                tokio::select! {
                    ended = axum::serve(listener, router) => ended.unwrap(),
                    _ = stopped => {}
                }
            });
            // Some answers never end.
            runtime.shutdown_background();
        });
        Self { base_url, known, stop: Some(stop), thread: Some(thread) }
    }

    /// Everything that was asked for so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.known.asked.lock().unwrap().clone()
    }

    /// How often a path was asked for, whatever the query.
    pub(super) fn count(&self, path: &str) -> usize {
        let of_path = |asked: &&Asked| asked.target.split('?').next() == Some(&format!("/{path}"));
        self.asked().iter().filter(of_path).count()
    }

    /// Requests to a path.
    pub(super) fn asked_for(&self, path: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.target.split('?').next() == Some(&format!("/{path}")));
        asked
    }

    /// Forgets all tokens that were given, as at their end.
    pub(super) fn end_tokens(&self) {
        self.known.tokens.lock().unwrap().end_all();
    }

    /// From now on the client has another secret; tokens stay what they are.
    pub(super) fn change_secret(&self, secret: &str) {
        self.known.tokens.lock().unwrap().change_secret(secret);
    }

    /// Every token that was given.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.known.tokens.lock().unwrap().given()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn answer(State(known): State<Arc<Known>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let body = String::from_utf8_lossy(&body).into_owned();
    let asked = Asked { target, headers: head.headers, body };
    known.asked.lock().unwrap().push(asked.clone());
    let path = head.uri.path().trim_start_matches('/').to_owned();
    let (kind, name) = path.split_once('/').unwrap_or((&path, ""));
    // How often this path was asked for, this time included.
    let count = known.count(&asked);
    match kind {
        "pages" => pages::answer(&known, name, &asked),
        "doors" => doors::answer(&known, name, &asked),
        "token" => tokens::answer(&known, name, &asked, count).await,
        "faults" => faults::answer(&known, name, &asked, count).await,
        _ => status(StatusCode::NOT_FOUND),
    }
}

impl Known {
    fn count(&self, one: &Asked) -> usize {
        let path = |asked: &Asked| asked.target.split('?').next().map(str::to_owned);
        self.asked.lock().unwrap().iter().filter(|asked| path(asked) == path(one)).count()
    }
}

impl Asked {
    /// A parameter of the query.
    fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        form(query).into_iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.query(name)?.parse().ok()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The pairs of a form or a query.
fn form(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let split = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    split.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn json(text: impl Into<String>) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
