//! Handlers on a schema of PostgreSQL, over HTTP, compared with what `psql` says.

mod identity;
mod pooled;
mod procedures;
mod statements;
mod streams;
mod values;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::client::http;
use crate::folder::Folder;
use crate::pgbouncer::Pgbouncer;
use crate::postgres::{Cluster, cluster, psql};
use crate::process::{call, finish};
use crate::server::{TestServer, gatepost};

/// Opens what tests define, so that they need no tokens.
const PUBLIC: &str = "begin gatepost.allow_public('/t/*', 'GET,POST,PUT,DELETE'); end;\n/\n";

/// An installation whose schema `shop` has three logins on a database of its own, and its server.
struct Published {
    server: TestServer,
    /// The owner's URL, past any pooler.
    owner: String,
    // Deleted last: the server stops first.
    folder: Folder,
}

/// The logins of a database.
struct Logins {
    read: String,
    write: String,
    owner: String,
}

impl Logins {
    /// A database with the schema `shop`, whose reader reads and whose writer writes what the owner makes there.
    fn new(name: &str) -> Self {
        let cluster = cluster();
        let owner = cluster.database(name);
        let database = owner.rsplit('/').next().unwrap().to_owned();
        let [read, write] = ["read", "write"].map(|lane| format!("{database}_{lane}"));
        let password = Cluster::PASSWORD;
        cluster.sql(
            &database,
            &format!(
                "create role {read} login password '{password}'; create role {write} login password '{password}';
                 create schema shop authorization {database}; grant usage on schema shop to {read}, {write};
                 alter default privileges for role {database} in schema shop grant select on tables to {read};
                 alter default privileges for role {database} in schema shop
                   grant select, insert, update, delete on tables to {write};
                 alter default privileges for role {database} in schema shop grant usage on sequences to {write}"
            ),
        );
        Self { read: cluster.login(&read, &database), write: cluster.login(&write, &database), owner }
    }

    /// The name of the database, and so of the owner.
    fn database(&self) -> &str {
        self.owner.rsplit('/').next().unwrap()
    }

    fn names(&self) -> [String; 3] {
        let database = self.database();
        [format!("{database}_read"), format!("{database}_write"), database.to_owned()]
    }
}

impl Published {
    /// Makes tables as the owner, defines and serves.
    fn new(name: &str, tables: &str, definitions: &str, config: &str) -> Self {
        Self::on(Logins::new(name), tables, definitions, config, None)
    }

    fn on(logins: Logins, tables: &str, definitions: &str, config: &str, pooler: Option<&Pgbouncer>) -> Self {
        let (published, report) = Self::reported(logins, tables, definitions, config, pooler);
        assert!(!report.contains("handler "), "{report}");
        published
    }

    /// The same, with what `gatepost sql` said of the definitions.
    fn reported(
        logins: Logins,
        tables: &str,
        definitions: &str,
        config: &str,
        pooler: Option<&Pgbouncer>,
    ) -> (Self, String) {
        psql(&logins.owner, &format!("set search_path = shop; {tables}"));
        let folder = Folder::new("on-postgres");
        let dir = folder.path().to_str().unwrap();
        call(&["init", dir, "--data-url", &logins.owner, "--schema", "shop"]).ok();
        let way = |url: &str| pooler.map_or_else(|| url.to_owned(), |pooler| pooler.url(url));
        for (file, url) in
            [("read.url", &logins.read), ("write.url", &logins.write), ("owner.url", &logins.owner)]
        {
            folder.write(file, &way(url));
        }
        let text = std::fs::read_to_string(folder.path().join("gatepost.toml")).unwrap();
        let (before, _) = text.split_once("[schemas.shop]").unwrap();
        let announced = if pooler.is_some() { "pgbouncer = true\n" } else { "" };
        folder.write(
            "gatepost.toml",
            &format!(
                "{before}[schemas.shop]\ndata = \"file:read.url\"\ndata_write = \"file:write.url\"\n\
                 data_owner = \"file:owner.url\"\n{announced}{config}"
            ),
        );
        let mut script = gatepost(&["sql", "--data", dir, "--schema", "shop"]);
        let outcome = finish(&mut script, &[PUBLIC, definitions].concat());
        let report = outcome.stderr.clone();
        outcome.ok();
        let server = TestServer::serve(folder.path());
        (Self { server, owner: logins.owner, folder }, report)
    }

    /// Runs SQL as the owner, past Gatepost.
    #[track_caller]
    fn psql(&self, text: &str) -> String {
        psql(&self.owner, &format!("set search_path = shop; {text}")).trim_start_matches("SET\n").to_owned()
    }

    /// Runs SQL Commands.
    #[track_caller]
    fn script(&self, text: &str) -> crate::process::Outcome {
        let dir = self.folder.path().to_str().unwrap();
        finish(&mut gatepost(&["sql", "--data", dir, "--schema", "shop"]), text)
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, String) {
        let mut request = http().request(method, self.server.url(&format!("shop/t/{path}")));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.ask(Method::GET, path, None).await
    }

    /// The body of a GET that must succeed.
    async fn text(&self, path: &str) -> String {
        let (status, text) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}\n{}", self.server.log_text());
        text
    }

    /// The body of a POST that must succeed.
    async fn post(&self, path: &str, body: Value) -> String {
        let (status, text) = self.ask(Method::POST, path, Some(&body)).await;
        assert!(status.is_success(), "{path}: {status} {text}\n{}", self.server.log_text());
        text
    }
}

/// Definitions of handlers: pattern, method, source type, source.
fn handlers(all: &[(&str, &str, &str, &str)]) -> String {
    let (mut text, mut patterns) = (vec!["begin ords.define_module('t', '/t/');".to_owned()], Vec::new());
    for (pattern, method, kind, source) in all {
        if !patterns.contains(pattern) {
            patterns.push(*pattern);
            text.push(format!("ords.define_template('t', '{pattern}');"));
        }
        let source = source.replace('\'', "''");
        text.push(format!("ords.define_handler('t', '{pattern}', '{method}', '{kind}', '{source}');"));
    }
    text.push("end;\n/\n".to_owned());
    text.join("\n")
}

/// The problem document's text for people.
fn detail(text: &str) -> String {
    let problem: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    problem["detail"].as_str().unwrap_or_default().to_owned()
}
