//! The bare server that Gatepost is measured against: what the same answers cost with the same crates, without a
//! lock, definitions, limits or logs.
//!
//! `reference ADDRESS DATABASE BASE_URL`: the SQL and the bodies are those of the demo's handlers, links included, with
//! `BASE_URL` (`http://…/ords/hr`) in them. rusqlite runs in place on the worker, over one connection a thread with
//! cached statements.

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::OnceLock;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::{get, post};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ITEM: &str = "select empno, ename, job, mgr, hiredate, sal, comm, deptno from emp where empno = ?1";
const PAGE: &str =
    "select * from (select empno as \"$.id\", empno, ename, job, mgr, hiredate, sal, comm, deptno
                      from emp where (?1 is null or deptno = ?1) order by empno) limit ?2 offset ?3";
const KEYS: [&str; 8] = [
    "\"empno\":",
    "\"ename\":",
    "\"job\":",
    "\"mgr\":",
    "\"hiredate\":",
    "\"sal\":",
    "\"comm\":",
    "\"deptno\":",
];

/// A body of the size that the token endpoint answers with.
const TOKEN: &str = "{\"access_token\":\"gp_at_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
                     xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"token_type\":\"Bearer\",\"expires_in\":3600,\
                     \"scope\":\"hr.read\"}";

struct Settings {
    database: String,
    base_url: String,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

thread_local! {
    static CONNECTION: RefCell<Connection> = RefCell::new(open().expect("the database opens"));
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("usage: reference ADDRESS DATABASE BASE_URL");
    let address = next();
    let _ = SETTINGS.set(Settings { database: next(), base_url: next() });
    let app = Router::new()
        .route("/ords/hr/hr/employees/{id}", get(item))
        .route("/ords/hr/hr/employees/", get(page))
        .route("/ords/hr/oauth/token", post(token));
    let listener = tokio::net::TcpListener::bind(address).await.expect("the address is free");
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await.expect("the server runs");
}

fn settings() -> &'static Settings {
    SETTINGS.get().expect("main sets it")
}

fn open() -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&settings().database, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

async fn token(body: Bytes) -> Response<Body> {
    debug_assert!(!body.is_empty());
    json(Vec::from(TOKEN))
}

async fn item(Path(id): Path<i64>) -> Response<Body> {
    let mut out = Vec::with_capacity(512);
    let found = CONNECTION.with_borrow(|connection| item_into(connection, id, &mut out));
    match found {
        Ok(true) => json(out),
        Ok(false) => status(StatusCode::NOT_FOUND),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn item_into(connection: &Connection, id: i64, out: &mut Vec<u8>) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(ITEM)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    out.push(b'{');
    members(out, row, 0)?;
    let _ = write!(
        out,
        ",\"links\":[{{\"rel\":\"collection\",\"href\":\"{}/hr/employees/\"}}]}}",
        settings().base_url
    );
    Ok(true)
}

async fn page(RawQuery(query): RawQuery) -> Response<Body> {
    let (limit, offset) = window(query.as_deref().unwrap_or_default());
    let mut out = Vec::with_capacity(16 * 1024);
    match CONNECTION.with_borrow(|connection| page_into(connection, limit, offset, &mut out)) {
        Ok(()) => json(out),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// `limit`, if it is asked for, and `offset`.
fn window(query: &str) -> (Option<u32>, u32) {
    let (mut limit, mut offset) = (None, 0);
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("limit", text)) => limit = text.parse().ok(),
            Some(("offset", text)) => offset = text.parse().unwrap_or(0),
            _ => {}
        }
    }
    (limit, offset)
}

fn page_into(
    connection: &Connection,
    asked: Option<u32>,
    offset: u32,
    out: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    let limit = asked.unwrap_or(25);
    let base_url = settings().base_url.as_str();
    let mut statement = connection.prepare_cached(PAGE)?;
    let mut rows = statement.query((None::<i64>, limit + 1, offset))?;
    let mut count = 0;
    let mut more = false;
    out.extend_from_slice(b"{\"items\":[");
    while let Some(row) = rows.next()? {
        if count == limit {
            more = true;
            break;
        }
        out.extend_from_slice(if count == 0 { b"{" } else { b",{" });
        count += 1;
        members(out, row, 1)?;
        let id: i64 = row.get(0)?;
        let _ = write!(out, ",\"links\":[{{\"rel\":\"self\",\"href\":\"{base_url}/hr/employees/{id}\"}}]}}");
    }
    let kept = asked.map(|limit| format!("limit={limit}"));
    let (first, then) = match &kept {
        Some(kept) => (format!("?{kept}"), format!("&{kept}")),
        None => (String::new(), String::new()),
    };
    let _ = write!(
        out,
        "],\"hasMore\":{more},\"limit\":{limit},\"offset\":{offset},\"count\":{count},\"links\":[\
         {{\"rel\":\"self\",\"href\":\"{base_url}/hr/employees/\"}},\
         {{\"rel\":\"describedby\",\"href\":\"{base_url}/metadata-catalog/hr/\"}},\
         {{\"rel\":\"first\",\"href\":\"{base_url}/hr/employees/{first}\"}}",
    );
    if more {
        let next = offset + limit;
        let _ =
            write!(out, ",{{\"rel\":\"next\",\"href\":\"{base_url}/hr/employees/?offset={next}{then}\"}}");
    }
    if offset > 0 {
        let before = offset.saturating_sub(limit);
        let _ =
            write!(out, ",{{\"rel\":\"prev\",\"href\":\"{base_url}/hr/employees/?offset={before}{then}\"}}");
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

fn members(out: &mut Vec<u8>, row: &Row<'_>, from: usize) -> rusqlite::Result<()> {
    for (number, key) in KEYS.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        let written = match row.get_ref(from + number)? {
            ValueRef::Integer(value) => serde_json::to_writer(&mut *out, &value),
            ValueRef::Real(value) => serde_json::to_writer(&mut *out, &value),
            ValueRef::Text(text) => {
                serde_json::to_writer(&mut *out, std::str::from_utf8(text).unwrap_or_default())
            }
            ValueRef::Null | ValueRef::Blob(_) => serde_json::to_writer(&mut *out, &()),
        };
        debug_assert!(written.is_ok());
    }
    Ok(())
}

fn json(body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
