//! Commands that run to their end, and an installation to run them on.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::backend::Backend;
use crate::folder::Folder;
use crate::server::gatepost;

/// How a command ended and what it printed.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The standard output of a command that must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The standard error of a command that must have been refused.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{}\n{}", self.stdout, self.stderr);
        self.stderr
    }
}

/// Runs a command to its end. None of ours may ever panic.
#[track_caller]
pub(crate) fn finish(command: &mut Command, stdin: &str) -> Outcome {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read its input closes the pipe: no fault.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let outcome =
        Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome
}

/// Runs `gatepost` with arguments.
#[track_caller]
pub(crate) fn call(arguments: &[&str]) -> Outcome {
    finish(&mut gatepost(arguments), "")
}

/// An installation with one empty schema, `shop`, that nobody serves yet.
pub(crate) struct Shop(pub(crate) Folder);

impl Shop {
    pub(crate) fn new(name: &str) -> Self {
        Self::on(Backend::of_this_run(), name)
    }

    /// An installation on this database.
    pub(crate) fn on(backend: Backend, name: &str) -> Self {
        let shop = Self::not_made(backend, name);
        shop.init().ok();
        shop
    }

    /// A folder in which nobody called `init` yet.
    pub(crate) fn not_made(backend: Backend, name: &str) -> Self {
        let folder = Folder::on(backend, name);
        if backend == Backend::Postgres {
            folder.configure("");
        }
        Self(folder)
    }

    /// Runs `gatepost init`, as was done when the installation was made.
    #[track_caller]
    pub(crate) fn init(&self) -> Outcome {
        finish(&mut self.init_command(), "")
    }

    pub(crate) fn init_command(&self) -> Command {
        let url = self.0.data_url("shop");
        gatepost(&["init", self.dir(), "--data-url", &url, "--schema", "shop", "--create"])
    }

    pub(crate) fn dir(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    /// A command on this installation.
    pub(crate) fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = gatepost(&[name, "--data", self.dir()]);
        command.args(arguments);
        command
    }

    /// Runs a command on this installation.
    #[track_caller]
    pub(crate) fn run(&self, name: &str, arguments: &[&str]) -> Outcome {
        finish(&mut self.command(name, arguments), "")
    }

    /// Runs a script from standard input.
    #[track_caller]
    pub(crate) fn script(&self, text: &str) -> Outcome {
        finish(&mut self.command("sql", &["--schema", "shop"]), text)
    }

    /// The rows of all queries of a script.
    #[track_caller]
    pub(crate) fn rows(&self, text: &str) -> Vec<Value> {
        let output = finish(&mut self.command("sql", &["--schema", "shop", "--format", "json"]), text).ok();
        let arrays = serde_json::Deserializer::from_str(&output).into_iter::<Vec<Value>>();
        arrays.flat_map(|array| array.unwrap()).collect()
    }

    /// The rows of the one query of a script, each as `a,b,c`.
    #[track_caller]
    pub(crate) fn lines(&self, text: &str) -> Vec<String> {
        let output = finish(&mut self.command("sql", &["--schema", "shop", "--format", "csv"]), text).ok();
        output.lines().skip(1).map(str::to_owned).collect()
    }

    /// The definition script of the schema.
    #[track_caller]
    pub(crate) fn export(&self) -> String {
        self.run("export", &["--schema", "shop"]).ok()
    }

    /// The catalog's commit count.
    pub(crate) fn revision(&self) -> i64 {
        self.0.catalog_rows("select revision from catalog_state")[0][0].as_i64().unwrap()
    }
}

/// Tries until it is so; for what another process needs a moment for.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// As `eventually`, for what is asked over the network.
#[track_caller]
pub(crate) fn eventually_async(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let until = Instant::now() + Duration::from_secs(20);
        while !is_so().await {
            assert!(Instant::now() < until, "{place}: in vain: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Asks a URL until it answers with this status.
#[track_caller]
pub(crate) fn eventually_status(
    wanted: u16,
    mut ask: impl AsyncFnMut() -> reqwest::Response,
) -> impl Future<Output = ()> {
    eventually_async("another status", async move || ask().await.status().as_u16() == wanted)
}

/// Lifts the limits on failed authentications, for tests that ask until a secret works.
pub(crate) fn unthrottled(command: &mut Command) {
    for limit in ["CLIENT_ADDRESS", "ADDRESS"] {
        command.env(format!("GATEPOST_OAUTH_FAILURES_PER_{limit}"), "100000");
    }
}

/// Opens a database of the folder beside the program, as another tool would.
pub(crate) fn sqlite(folder: &Folder, name: &str) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.path().join(name)).unwrap()
}
