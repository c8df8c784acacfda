//! The engine against a real server.

mod lanes;
mod leaks;
mod reads;
mod sessions;
mod values;
mod writes;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Context;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatepost_rest::definition::{
    Audit, Handler, Method, Parameter, ParameterAccess, ParameterSource, ParameterType, SourceType,
};
use gatepost_rest::plan::{LinkBase, PageSettings, Plan, Principal, RequestBody, RequestValues, plan};
use gatepost_rest::source::{CompiledSource, compile};
use gatepost_rest::sql::Dialect;
use tokio_postgres::NoTls;

use super::PostgresOptions;
use crate::data::{
    ConstraintKind, DataLocation, DataOptions, DataStore, DictionarySource, DictionaryView, ExecuteError,
    Limits, Precondition, Reply, ReplyBody, RowStream, SessionError, SessionResult, SessionValue,
};
use crate::postgres::{Cluster, PASSWORD, cluster};

/// A store on a schema of its own, with a login for each lane.
struct Fixture {
    store: DataStore,
    location: DataLocation,
    admin: tokio_postgres::Client,
    schema: String,
}

impl Fixture {
    async fn new(script: &str) -> Self {
        Self::with(script, |_| {}).await
    }

    async fn with(script: &str, change: impl FnOnce(&mut PostgresOptions)) -> Self {
        let cluster = tokio::task::spawn_blocking(cluster).await.unwrap();
        Self::on(cluster, script, change).await
    }

    async fn on(cluster: &Cluster, script: &str, change: impl FnOnce(&mut PostgresOptions)) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let admin = connect(&cluster.url("postgres")).await;
        let [reader, writer, owner] = ["reader", "writer", "owner"].map(|role| format!("{schema}_{role}"));
        let text = format!(
            "create role {reader} login password '{PASSWORD}'; create role {writer} login password '{PASSWORD}';
             create role {owner} login password '{PASSWORD}';
             create schema {schema} authorization {owner};
             grant usage on schema {schema} to {reader}, {writer};
             set role {owner}; set search_path = {schema};
             alter default privileges in schema {schema} grant select on tables to {reader};
             alter default privileges in schema {schema} grant select, insert, update, delete on tables to {writer};
             alter default privileges in schema {schema} grant usage on sequences to {writer};
             {script}
             ;reset role"
        );
        admin.batch_execute(&text).await.unwrap();
        let url = |login| cluster.login(login, "postgres");
        let mut options = PostgresOptions::new(url(&reader), &schema);
        options.writer_url = url(&writer);
        options.owner_url = url(&owner);
        change(&mut options);
        let location = DataLocation::Postgres(Box::new(options));
        let store = DataStore::open(&location, DataOptions::default()).unwrap();
        Self { store, location, admin, schema }
    }

    /// With time for changes that no slow machine needs.
    fn patient(mut self) -> Self {
        let options = DataOptions { write_time: Duration::from_secs(600), ..DataOptions::default() };
        self.store = DataStore::open(&self.location, options).unwrap();
        self
    }

    async fn run(&self, source: &Arc<CompiledSource>, query: &str) -> Result<Reply, ExecuteError> {
        self.store.execute(request(source, query), limits()).await
    }

    async fn text(&self, source: &Arc<CompiledSource>, query: &str) -> String {
        body(self.run(source, query).await.unwrap())
    }

    /// The one row of a query without its brackets.
    async fn row(&self, sql: &str, query: &str) -> String {
        self.text(&get(SourceType::QueryOneRow, sql), query).await
    }

    /// What is known of the database's objects is looked at anew.
    fn expire(&self) {
        if let crate::data::Engine::Postgres(engine) = &self.store.0 {
            engine.shared.watch.expire();
        }
    }

    async fn number(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn limits() -> Limits {
    Limits {
        deadline: Instant::now() + Duration::from_secs(20),
        rows_max: 2_000_000,
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
    compiled(&handler(Method::Get, source_type, sql))
}

fn post(sql: &str) -> Arc<CompiledSource> {
    compiled(&handler(Method::Post, SourceType::PlSql, sql))
}

fn compiled(handler: &Handler) -> Arc<CompiledSource> {
    Arc::new(compile(handler, None, Dialect::Postgres).unwrap())
}

fn parameter(name: &str, kind: ParameterType) -> Parameter {
    Parameter {
        id: 1,
        name: name.into(),
        bind_variable_name: Some(name.into()),
        source: ParameterSource::Uri,
        kind,
        access: ParameterAccess::In,
        comments: None,
        audit: Audit::default(),
    }
}

fn request(source: &Arc<CompiledSource>, query: &str) -> Plan {
    sent(source, query, "")
}

fn sent(source: &Arc<CompiledSource>, query: &str, json: &str) -> Plan {
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)))
        .collect();
    let bytes = Bytes::copy_from_slice(json.as_bytes());
    let values = RequestValues {
        captures: &[],
        query: &pairs,
        body: RequestBody::read(source, Some("application/json"), &bytes).unwrap(),
        body_bytes: &bytes,
        headers: &http::HeaderMap::new(),
        content_type: Some("application/json"),
        current_user: Some("client-1"),
    };
    let links = LinkBase {
        url: "http://t/ords/hr/emp/".into(),
        context: "http://t/ords/".into(),
        described_by: None,
    };
    let settings = PageSettings { rows_max: 2_000_000, ..PageSettings::default() };
    plan(source, settings, links, &values).unwrap()
}

fn body(reply: Reply) -> String {
    match reply.body {
        ReplyBody::Full(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        ReplyBody::Stream(_) => panic!("the answer streams"),
    }
}

async fn next(stream: &mut RowStream) -> Option<Result<Bytes, std::io::Error>> {
    std::future::poll_fn(|context: &mut Context<'_>| stream.poll_chunk(context)).await
}

const EMP: &str = "create table dept (deptno integer primary key, dname text);
    create type mood as enum ('sad', 'ok');
    create table emp (empno integer primary key, ename text not null, code text unique, sal numeric(12,2),
      hired date, seen timestamp, at timestamptz, active boolean, doc jsonb, photo bytea, tags text[], feels mood,
      deptno integer references dept (deptno) deferrable initially deferred, check (sal < 10000));
    insert into dept values (10, 'ACCOUNTING');
    insert into emp (empno, ename, code, sal, hired, active, tags, deptno, feels) values
      (7369, 'SMITH', '007', 800, '1980-12-17', true, '{a,b}', 10, 'sad'),
      (7499, 'ALLEN', 'A1', 1600.50, '1981-02-20', false, null, null, 'ok');";
