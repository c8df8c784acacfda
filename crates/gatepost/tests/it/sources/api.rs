//! An API that a test turns: its rows, where it falls silent, where it fails. It writes down what it is asked.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

use crate::process::{Outcome, Shop, finish};

/// Rows that are paged as ORDS does it, at `/items/`; with `since`, those that were changed then or later.
pub(crate) struct Api {
    pub(crate) url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    rows: Mutex<Vec<Value>>,
    asked: Mutex<Vec<BTreeMap<String, String>>>,
    /// From this row on nothing is answered for as long as it stays so; from that one on with 500.
    silent_from: AtomicU64,
    fails_from: AtomicU64,
    /// What other paths answer.
    documents: Mutex<BTreeMap<String, Value>>,
    /// What was written: `METHOD path body`.
    written: Mutex<Vec<String>>,
}

impl Api {
    /// Listens until the test's runtime ends.
    pub(crate) async fn start(rows: Vec<Value>) -> Self {
        let state = Arc::new(State { rows: Mutex::new(rows), ..State::default() });
        state.silent_from.store(u64::MAX, Ordering::Release);
        state.fails_from.store(u64::MAX, Ordering::Release);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answering = Arc::clone(&state);
        let router = axum::Router::new().fallback(move |request: Request| {
            let state = Arc::clone(&answering);
            async move { answer(&state, request).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state }
    }

    pub(crate) fn set_rows(&self, rows: Vec<Value>) {
        *self.state.rows.lock().unwrap() = rows;
    }

    /// What was written so far: `METHOD path body`.
    pub(super) fn written(&self) -> Vec<String> {
        self.state.written.lock().unwrap().clone()
    }

    pub(super) fn set_document(&self, path: &str, document: Value) {
        self.state.documents.lock().unwrap().insert(path.to_owned(), document);
    }

    pub(super) fn be_silent_from(&self, row: u64) {
        self.state.silent_from.store(row, Ordering::Release);
    }

    pub(super) fn fail_from(&self, row: u64) {
        self.state.fails_from.store(row, Ordering::Release);
    }

    /// The query strings so far.
    pub(super) fn asked(&self) -> Vec<BTreeMap<String, String>> {
        self.state.asked.lock().unwrap().clone()
    }

    /// From which rows on pages were asked for.
    pub(super) fn offsets(&self) -> Vec<u64> {
        let offset = |query: &BTreeMap<String, String>| {
            query.get("offset").map_or(0, |offset| offset.parse().unwrap())
        };
        self.asked().iter().map(offset).collect()
    }
}

async fn answer(state: &State, request: Request) -> Response {
    let url = Url::parse(&format!("http://here{}", request.uri())).unwrap();
    let query: BTreeMap<String, String> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let document = state.documents.lock().unwrap().get(url.path()).cloned();
    if let Some(document) = document {
        return reply(StatusCode::OK, &document);
    }
    let id = url.path().strip_prefix("/items/").and_then(|id| id.parse::<u64>().ok());
    if id.is_some() || request.method() != "GET" {
        return write(state, request, id).await;
    }
    let number = |name: &str, usual: u64| query.get(name).map_or(usual, |text| text.parse().unwrap());
    let (limit, offset) = (number("limit", 25), number("offset", 0));
    state.asked.lock().unwrap().push(query.clone());
    while offset >= state.silent_from.load(Ordering::Acquire) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    if offset >= state.fails_from.load(Ordering::Acquire) {
        return reply(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "told to" }));
    }
    let since = query.get("since").filter(|since| !since.is_empty());
    let rows = state.rows.lock().unwrap().clone();
    let rows: Vec<Value> = rows
        .into_iter()
        .filter(|row| since.is_none_or(|since| row["changed"].as_str().unwrap() >= since.as_str()))
        .collect();
    let page: Vec<&Value> = rows.iter().skip(offset as usize).take(limit as usize).collect();
    let has_more = offset + (page.len() as u64) < rows.len() as u64;
    let body =
        json!({ "items": page, "hasMore": has_more, "limit": limit, "offset": offset, "count": page.len() });
    reply(StatusCode::OK, &body)
}

/// One row: read, made, replaced or removed.
async fn write(state: &State, request: Request, id: Option<u64>) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    if method != "GET" {
        state.written.lock().unwrap().push(format!("{method} {path} {text}").trim().to_owned());
    }
    if state.fails_from.load(Ordering::Acquire) == 0 {
        return reply(StatusCode::SERVICE_UNAVAILABLE, &json!({ "secret": "of the API" }));
    }
    let mut rows = state.rows.lock().unwrap();
    let found = rows.iter().position(|row| Some(row["id"].as_u64().unwrap()) == id);
    match (method.as_str(), found) {
        ("POST", None) => {
            let mut row: Value = serde_json::from_str(&text).unwrap();
            row["id"] = (rows.len() as u64 + 1).into();
            rows.push(row.clone());
            reply(StatusCode::CREATED, &row)
        }
        ("GET", Some(at)) => reply(StatusCode::OK, &rows[at]),
        ("PUT", Some(at)) => {
            rows[at] = serde_json::from_str(&text).unwrap();
            reply(StatusCode::OK, &rows[at])
        }
        ("DELETE", Some(at)) => {
            rows.remove(at);
            Response::builder().status(StatusCode::NO_CONTENT).body(Body::empty()).unwrap()
        }
        _ => reply(StatusCode::NOT_FOUND, &json!({})),
    }
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}

/// A schema that calls the API, and may call nothing but this machine.
pub(crate) struct Caller {
    pub(super) shop: Shop,
    pub(super) api: Api,
}

impl Caller {
    pub(super) async fn new(name: &str, rows: Vec<Value>) -> Self {
        let api = Api::start(rows).await;
        let shop = Shop::new(name);
        shop.script(&format!("begin gatepost.define_remote_server('api', '{}'); end;", api.url)).ok();
        Self { shop, api }
    }

    /// Defines source `items`, two rows a page, with these keys besides.
    #[track_caller]
    pub(super) fn define(&self, keys: &str) -> Outcome {
        self.shop.script(&format!(
            "begin
               gatepost.define_rest_source('items', '
server = \"api\"
path = \"items/\"
{keys}
[pagination]
type = \"ords\"
page_size = 2
[rows]
select = \"/items\"
primary_key = [\"id\"]
columns = [
  {{ name = \"id\", type = \"integer\" }},
  {{ name = \"name\" }},
  {{ name = \"price\", type = \"decimal\" }},
  {{ name = \"changed\", type = \"timestamptz\" }},
]
');
             end;"
        ))
    }

    /// Rewrites a command so that it may call this machine, and does not wait long for those that are gone.
    pub(crate) fn allowed(mut command: Command) -> Command {
        command.env("GATEPOST_EGRESS_ALLOW_LOOPBACK", "true").env("GATEPOST_SYNC_LEASE_SECONDS", "1");
        command
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = crate::server::gatepost(&["source"]);
        command.args(arguments).args(["--schema", "shop", "--data", self.shop.dir()]);
        Self::allowed(command)
    }

    /// Runs `gatepost source …` on the schema.
    #[track_caller]
    pub(super) fn source(&self, arguments: &[&str]) -> Outcome {
        finish(&mut self.command(arguments), "")
    }

    /// The table as `id name price`.
    #[track_caller]
    pub(super) fn table(&self) -> Vec<String> {
        let rows = self.shop.0.rows("shop", "select id, name, price from item order by id, name");
        let text = |row: &Vec<Value>| {
            format!("{} {} {}", row[0], row[1].as_str().unwrap_or("-"), row[2].as_f64().unwrap_or(-1.0))
        };
        rows.iter().map(text).collect()
    }
}

/// A row of the API.
pub(super) fn item(id: u64, name: &str, price: f64) -> Value {
    json!({ "id": id, "name": name, "price": price, "changed": format!("2026-01-01T00:00:{id:02}Z") })
}

/// Rows 1 to `count`.
pub(crate) fn items(count: u64) -> Vec<Value> {
    (1..=count).map(|id| item(id, &format!("item {id}"), id as f64)).collect()
}
