//! Rows of `PocketBase`: pages by number, a total of pages, and a filter language of its own.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use serde_json::{Value, json};

use super::super::consumer::Consumer;
use super::{PATIENCE, Running, cached, need, run_installer, works};
use crate::client::http;
use crate::folder::Folder;
use crate::postgres::free_port;

const PINNED: &str = include_str!("requirements.txt");

const IDENTITY: &str = "admin@tests.example";
const PASSWORD: &str = "a-password-of-the-tests";

/// The program, installed.
fn program() -> &'static PathBuf {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        need("Python 3 with venv and pip", &["python3-venv", "python3-pip"], || {
            works("python3", &["-c", "import ensurepip, venv"])
        });
        let folder = cached("pocketbase", PINNED, |folder| {
            std::fs::write(folder.join("requirements.txt"), PINNED).unwrap();
            run_installer(Command::new("python3").args(["-m", "venv", "venv"]), folder);
            let arguments = ["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--no-deps"];
            let mut pip = Command::new(folder.join("venv/bin/python"));
            run_installer(pip.args(arguments).args(["--require-hashes", "-r", "requirements.txt"]), folder);
        });
        folder.join("venv/bin/pocketbase")
    })
}

/// A server with an administrator and a collection `staff` of seven, which is closed to all others.
struct Pocketbase {
    base_url: String,
    token: String,
    _running: Running,
}

impl Pocketbase {
    async fn start(folder: &Path) -> Self {
        let data = folder.join("pocketbase");
        let mut upsert = Command::new(program());
        upsert.args(["superuser", "upsert", IDENTITY, PASSWORD, "--dir"]).arg(&data);
        let made = upsert.stdin(Stdio::null()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let mut serve = Command::new(program());
        serve.args(["serve", "--http", &format!("127.0.0.1:{port}"), "--dir"]).arg(&data);
        let mut running = Running::start(&mut serve, folder.join("log"));
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = running.child.try_wait().unwrap();
            assert!(
                Instant::now() < until && ended.is_none(),
                "PocketBase does not start: {}",
                running.said()
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let mut server =
            Self { base_url: format!("http://127.0.0.1:{port}"), token: String::new(), _running: running };
        let who = json!({ "identity": IDENTITY, "password": PASSWORD });
        let signed_in = server.post("_superusers/auth-with-password", &who).await;
        server.token = signed_in["token"].as_str().unwrap().to_owned();
        let fields = json!([{ "name": "n", "type": "number" }, { "name": "ename", "type": "text" }]);
        server.post("", &json!({ "name": "staff", "type": "base", "fields": fields })).await;
        for n in 1..=7 {
            server.post("staff/records", &json!({ "n": n, "ename": format!("E{n}") })).await;
        }
        server
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/api/collections/{path}", self.base_url);
        let answer =
            http().post(url.trim_end_matches('/')).bearer_auth(&self.token).json(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }
}

const DEFINITION: &str = "path = \"api/collections/staff/records\"
[pagination]
type = \"page\"
page_param = \"page\"
size_param = \"perPage\"
page_size = 3
total_pages = \"/totalPages\"
[[param]]
name = \"least\"
in = \"query\"
send = \"filter\"
template = \"n >= ${least}\"
type = \"integer\"
omit_when_null = true
[[param]]
name = \"order_by\"
in = \"query\"
send = \"sort\"
default = \"n\"
[rows]
select = \"/items\"
primary_key = [\"id\"]
columns = [
  { name = \"id\", at = \"/id\", type = \"text\" },
  { name = \"n\", at = \"/n\", type = \"integer\" },
  { name = \"ename\", at = \"/ename\", type = \"text\" },
]
";

#[tokio::test]
async fn cal_20_a_foreign_api_is_read_page_by_page() {
    let folder = Folder::new("pocketbase");
    let server = Pocketbase::start(folder.path()).await;
    let consumer = Consumer::new("cal_20_pocketbase").await;
    let calls = [
        consumer.remote(&server.base_url),
        consumer.credential("wrong", &server.base_url, "'bearer', p_secret => 'not-a-token-of-this-server'"),
        consumer.credential("right", &server.base_url, &format!("'bearer', p_secret => '{}'", server.token)),
        consumer.source("nobody", None, DEFINITION),
        consumer.source("wrong", Some(("wrong", "")), DEFINITION),
        consumer.source("staff", Some(("right", "")), DEFINITION),
    ];
    consumer.define(&calls.concat(), "staff").await;
    for name in ["nobody", "wrong"] {
        consumer.assert_fails(name, (502, "api_forbidden")).await;
    }
    assert_eq!(consumer.numbers("staff", "").await, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(consumer.numbers("staff", "?offset=2&limit=3").await, [3, 4, 5]);
    // Filtered and sorted there, by its own language; filtered here.
    assert_eq!(consumer.numbers("staff", "?least=6&order_by=-n").await, [7, 6]);
    assert_eq!(consumer.numbers("staff", "?q=%7B%22ename%22%3A%22E4%22%7D").await, [4]);
    let rows = consumer.rows("staff", "?limit=1").await;
    assert_eq!((&rows["items"][0]["ename"], &rows["hasMore"]), (&"E1".into(), &true.into()));
}
