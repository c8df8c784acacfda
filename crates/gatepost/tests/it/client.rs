//! Callers: nobody, and clients with tokens. `reqwest` speaks for them.

use std::sync::OnceLock;

use reqwest::StatusCode;
use serde_json::Value;

use crate::server::TestServer;

/// An HTTP client that follows nothing and keeps nothing: each request has a connection of its own, so that tests
/// can share the client, which takes long to make.
pub(crate) fn http() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| builder().pool_max_idle_per_host(0).build().unwrap()).clone()
}

/// An HTTP client that keeps its connection for further requests.
pub(crate) fn keeping() -> reqwest::Client {
    builder().build().unwrap()
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_gzip().no_brotli()
}

/// An id and a secret.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Credentials {
    /// The demo's client that holds the role.
    pub(crate) fn of_demo(server: &TestServer) -> Self {
        Self { id: server.known("client_id"), secret: server.known("client_secret") }
    }

    /// The demo's client without the role.
    pub(crate) fn limited(server: &TestServer) -> Self {
        Self { id: server.known("limited_client_id"), secret: server.known("limited_client_secret") }
    }

    /// A client by name, its secret read from the view.
    pub(crate) fn by_name(server: &TestServer, schema: &str, name: &str) -> Self {
        let rows = server.sql(
            schema,
            &format!("select client_id, client_secret from user_ords_clients where name = '{name}'"),
        );
        let text = |column: &str| rows[0][column].as_str().unwrap().to_owned();
        Self { id: text("client_id"), secret: text("client_secret") }
    }

    /// Asks the token endpoint of a schema with Basic and further form fields.
    pub(crate) async fn request(
        &self,
        server: &TestServer,
        schema: &str,
        fields: &[(&str, &str)],
    ) -> (StatusCode, Value) {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend_from_slice(fields);
        let response = http()
            .post(server.url(&format!("{schema}/oauth/token")))
            .basic_auth(&self.id, Some(&self.secret))
            .form(&form)
            .send()
            .await
            .unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// An access token for a client that another process has just made: the server needs a moment to hear of it.
    pub(crate) async fn token_soon(&self, server: &TestServer, schema: &str) -> String {
        for _ in 0..250 {
            let (status, answer) = self.request(server, schema, &[]).await;
            if status == StatusCode::OK {
                return answer["access_token"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        self.token(server, schema).await
    }

    /// An access token, which must be given.
    pub(crate) async fn token(&self, server: &TestServer, schema: &str) -> String {
        let (status, answer) = self.request(server, schema, &[]).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

/// GETs a URL, with a token or without.
pub(crate) async fn get(url: &str, token: Option<&str>) -> reqwest::Response {
    let mut request = http().get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap()
}

/// Asks again and again until the status is this one; a change made beside the server needs a moment.
pub(crate) async fn status_soon(url: &str, token: Option<&str>, wanted: StatusCode) {
    let mut seen = None;
    for _ in 0..250 {
        let status = get(url, token).await.status();
        if status == wanted {
            return;
        }
        seen = Some(status);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{url} answers {seen:?} and not {wanted}");
}
