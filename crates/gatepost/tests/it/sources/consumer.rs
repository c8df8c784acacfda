//! Sources of one test at a server that many tests share, and what callers get of them.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{CONFIG, Intranet};
use crate::client::{get, http};
use crate::process::eventually_async;
use crate::server::{TestServer, sql};

/// One column, which most sources of the tests have.
pub(super) const N: &str = "columns = [{ name = \"n\", at = \"/n\", type = \"integer\" }]\n";

impl Intranet {
    /// A server that many tests use at a time, each with objects of names of its own. It ends with this process.
    async fn shared() -> Arc<Self> {
        static SHARED: OnceCell<Arc<Intranet>> = OnceCell::const_new();
        Arc::clone(SHARED.get_or_init(async || Arc::new(Self::start(CONFIG).await)).await)
    }
}

/// The objects of a test. Their names begin with its name.
pub(super) struct Consumer {
    pub(super) intranet: Arc<Intranet>,
    name: &'static str,
}

impl Consumer {
    pub(super) async fn new(name: &'static str) -> Self {
        Self { intranet: Intranet::shared().await, name }
    }

    /// At a server of one's own.
    pub(super) fn of(intranet: Intranet, name: &'static str) -> Self {
        Self { intranet: Arc::new(intranet), name }
    }

    fn server(&self) -> &TestServer {
        &self.intranet.server
    }

    /// The call that defines the remote server.
    pub(super) fn remote(&self, base_url: &str) -> String {
        format!("gatepost.define_remote_server('{}', '{base_url}');\n", self.name)
    }

    /// The call that defines a credential of this type, with further arguments, for a URL.
    pub(super) fn credential(&self, name: &str, valid_for: &str, arguments: &str) -> String {
        let name = format!("{}_{name}", self.name);
        format!("gatepost.define_credential('{name}', {arguments}, p_valid_for => '{valid_for}');\n")
    }

    /// The call that defines a source at the remote server. `auth` names a credential and the path of its token
    /// endpoint, which may be empty.
    pub(super) fn source(&self, name: &str, auth: Option<(&str, &str)>, definition: &str) -> String {
        let auth = auth.map(|(credential, token_path)| {
            let token_path = if token_path.is_empty() {
                String::new()
            } else {
                format!(", token_path = \"{token_path}\"")
            };
            format!("auth = {{ credential = \"{}_{credential}\"{token_path} }}\n", self.name)
        });
        let text = format!("server = \"{}\"\n{}{definition}", self.name, auth.unwrap_or_default());
        format!("gatepost.define_rest_source('{}_{name}', '{}');\n", self.name, text.replace('\'', "''"))
    }

    /// Runs these calls as one block. One test at a time: a block gives up when others change the catalog twice while
    /// it runs.
    pub(super) fn run(&self, calls: &str) {
        static TURN: Mutex<()> = Mutex::new(());
        // A test that failed within leaves nothing behind that the next one minds.
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        sql(&self.server().folder, "intranet", &format!("begin {calls} end;"));
    }

    /// Runs calls that define sources, and waits until the server knows this one.
    pub(super) async fn define(&self, calls: &str, last: &str) {
        self.run(calls);
        let url = self.url(last);
        eventually_async("the source is known", async || {
            // Asks nothing of the API.
            let answer = http().post(&url).bearer_auth(&self.intranet.token).send().await.unwrap();
            answer.status() == StatusCode::METHOD_NOT_ALLOWED
        })
        .await;
    }

    pub(super) fn url(&self, source: &str) -> String {
        self.intranet.rows_url.replace("hr_employees", &format!("{}_{source}", self.name))
    }

    /// Status and body of an answer with rows.
    pub(super) async fn get(&self, source: &str, query: &str) -> (StatusCode, String) {
        let answer = get(&format!("{}{query}", self.url(source)), Some(&self.intranet.token)).await;
        (answer.status(), answer.text().await.unwrap())
    }

    /// The answer, which must have rows.
    pub(super) async fn rows(&self, source: &str, query: &str) -> Value {
        let (status, body) = self.get(source, query).await;
        assert_eq!(status, StatusCode::OK, "{source}{query}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The column `n` of the rows.
    pub(super) async fn numbers(&self, source: &str, query: &str) -> Vec<u64> {
        let rows = self.rows(source, query).await;
        rows["items"].as_array().unwrap().iter().map(|row| row["n"].as_u64().unwrap()).collect()
    }

    /// Refuses to give rows with this code. The caller learns nothing of where.
    pub(super) async fn assert_fails(&self, source: &str, wanted: (u16, &str)) {
        let (status, body) = self.get(source, "").await;
        assert_eq!(status.as_u16(), wanted.0, "{source}: {body}");
        assert!(body.contains(wanted.1), "{source} fails otherwise than with {}: {body}", wanted.1);
        assert!(!body.contains("127.0.0.1:"), "callers are told where: {body}");
    }
}
