//! An installation with services of every kind (`shop.sql`) beside the demo's own.

use std::sync::Arc;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::backend::Backend;
use crate::client::{Credentials, http};
use crate::folder::Folder;
use crate::server::TestServer;

/// Limits that tests with wrong secrets do not run into.
pub(crate) const PATIENT: &str = "
[oauth]
failures_per_client_address = 1000000
failures_per_address = 1000000
failures_total = 1000000
";

/// A server with the shop's definitions, its client and a token.
pub(crate) struct Shop {
    pub(crate) server: TestServer,
    pub(crate) client: Credentials,
    pub(crate) token: String,
    // Deleted last: the server stops first.
    pub(crate) folder: Folder,
}

impl Shop {
    /// A shop that many tests use at a time. They leave it as it is. It ends with this process.
    pub(crate) async fn shared() -> Arc<Self> {
        static SHARED: OnceCell<Arc<Shop>> = OnceCell::const_new();
        Arc::clone(SHARED.get_or_init(async || Arc::new(Self::new().await)).await)
    }

    /// A shop of one's own.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// A shop with more configuration.
    pub(crate) async fn with(config: &str) -> Self {
        Self::configured(&format!("{PATIENT}{config}")).await
    }

    /// A shop with this configuration.
    pub(crate) async fn configured(config: &str) -> Self {
        Self::on(Backend::of_this_run(), config).await
    }

    /// A shop with this configuration on this database.
    pub(crate) async fn on(backend: Backend, config: &str) -> Self {
        let folder = Folder::on(backend, "shop");
        folder.configure(&format!("demo = true\n{config}"));
        let server = TestServer::demo(&folder);
        let tables = match backend {
            Backend::Sqlite => include_str!("shop.sqlite.sql"),
            Backend::Postgres => include_str!("shop.postgres.sql"),
        };
        server.sql("hr", &format!("{tables}{}", include_str!("shop.sql")));
        let client = Credentials::by_name(&server, "hr", "shop_app");
        let token = client.token_soon(&server, "hr").await;
        Self { server, client, token, folder }
    }

    /// Cuts the power and starts again at the same address, so that issuer and tokens stay what they were.
    pub(crate) fn killed_and_started_again(self) -> (TestServer, Folder) {
        let address = self.server.address();
        self.server.kill();
        (TestServer::start(self.folder.path(), &["demo", "--listen", &address]), self.folder)
    }

    /// The URL of a path below the module.
    pub(crate) fn url(&self, path: &str) -> String {
        self.server.url(&format!("hr/shop/{path}"))
    }

    /// A request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        http().request(method, self.url(path)).bearer_auth(&self.token)
    }

    /// GETs a path below the module with the token.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// GETs JSON, which must be there.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Rows of the data, as the database itself gives them.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        self.folder.rows("hr", sql)
    }

    /// A single number of the data.
    #[track_caller]
    pub(crate) fn count(&self, sql: &str) -> i64 {
        self.rows(sql)[0][0].as_i64().unwrap_or_else(|| panic!("{sql} gives no number"))
    }
}

/// The value of a header; empty when it is not there.
pub(crate) fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The status and the JSON body of an answer.
pub(crate) async fn parts(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {error}: {text}"));
    (status, body)
}
