//! The store against real files.

mod reads;
mod sessions;
mod streams;
mod writes;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatepost_rest::definition::{
    Audit, Handler, Method, Parameter, ParameterAccess, ParameterSource, ParameterType, SourceType,
};
use gatepost_rest::plan::{LinkBase, PageSettings, Plan, RequestBody, RequestValues, plan};
use gatepost_rest::source::{CompiledSource, compile};
use gatepost_rest::sql::Dialect;

use super::*;
use crate::data::{DictionarySource, DictionaryView, RowStream, SessionValue};

/// A store on a file of its own, which goes with it.
struct Fixture {
    store: Engine,
    folder: PathBuf,
}

impl Fixture {
    fn new(script: &str) -> Self {
        Self::with(script, DataOptions::default())
    }

    fn with(script: &str, options: DataOptions) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("gatepost-data-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = Engine::open(&folder.join("data.db"), options).unwrap();
        let fixture = Self { store, folder };
        fixture.raw().execute_batch(script).unwrap();
        fixture
    }

    fn path(&self) -> PathBuf {
        self.folder.join("data.db")
    }

    /// A plain connection to the same file.
    fn raw(&self) -> rusqlite::Connection {
        raw(&self.path())
    }

    fn number(&self, sql: &str) -> i64 {
        self.raw().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    async fn run(&self, source: &Arc<CompiledSource>, query: &str) -> Result<Reply, ExecuteError> {
        self.store.execute(request(source, query), limits()).await
    }

    async fn text(&self, source: &Arc<CompiledSource>, query: &str) -> String {
        body(self.run(source, query).await.unwrap())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.store.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn raw(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

fn limits() -> Limits {
    Limits {
        deadline: Instant::now() + Duration::from_secs(10),
        rows_max: 1_000_000,
        bytes_max: 1_000_000_000,
    }
}

fn limits_ms(milliseconds: u64) -> Limits {
    Limits { deadline: Instant::now() + Duration::from_millis(milliseconds), ..limits() }
}

fn handler(method: Method, source_type: SourceType, sql: &str) -> Handler {
    Handler {
        id: 1,
        method,
        source_type,
        source: sql.into(),
        items_per_page: None,
        mimes_allowed: Vec::new(),
        comments: None,
        parameters: Vec::new(),
        audit: Audit::default(),
    }
}

fn get(source_type: SourceType, sql: &str) -> Arc<CompiledSource> {
    Arc::new(compile(&handler(Method::Get, source_type, sql), None, Dialect::Sqlite).unwrap())
}

fn post(sql: &str) -> Arc<CompiledSource> {
    Arc::new(compile(&handler(Method::Post, SourceType::PlSql, sql), None, Dialect::Sqlite).unwrap())
}

fn request(source: &Arc<CompiledSource>, query: &str) -> Plan {
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)))
        .collect();
    let values = RequestValues {
        captures: &[],
        query: &pairs,
        body: RequestBody::None,
        body_bytes: &Bytes::new(),
        headers: &http::HeaderMap::new(),
        content_type: None,
        current_user: Some("client-1"),
    };
    let links = LinkBase {
        url: "http://t/ords/hr/emp/".into(),
        context: "http://t/ords/".into(),
        described_by: None,
    };
    plan(source, PageSettings::default(), links, &values).unwrap()
}

fn bytes(reply: Reply) -> Bytes {
    match reply.body {
        ReplyBody::Full(bytes) => bytes,
        ReplyBody::Stream(_) => panic!("the answer streams"),
    }
}

fn body(reply: Reply) -> String {
    String::from_utf8(bytes(reply).to_vec()).unwrap()
}

async fn next(stream: &mut RowStream) -> Option<Result<Bytes, std::io::Error>> {
    std::future::poll_fn(|context: &mut Context<'_>| -> Poll<_> { stream.poll_chunk(context) }).await
}

const EMP: &str = "create table dept (deptno integer primary key, dname text);
    create table emp (empno integer primary key, ename text not null, code text unique, sal numeric,
      hired date, seen timestamp, active boolean, doc json, photo blob,
      deptno integer references dept (deptno) deferrable initially deferred, check (sal < 10000));
    insert into dept values (10, 'ACCOUNTING');
    insert into emp values
      (7369, 'SMITH', '007', 800, '1980-12-17', '2024-05-01 09:30:00', 1, '{\"a\":1.10}', x'00ff', 10),
      (7499, 'ALLEN', 'A1', 1600.5, '1981-02-20', null, 0, null, null, null);";
