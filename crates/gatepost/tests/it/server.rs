//! The real program, started as its users start it, in a folder of its own on a free port of loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::backend::Backend;
use crate::folder::{Folder, root};
use crate::postgres::free_port;

/// How long a server may take to start or to stop. Generous: nothing here measures speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program with arguments, in an environment without any of our variables.
pub(crate) fn gatepost(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GATEPOST_")) {
        command.env_remove(name);
    }
    command.args(arguments).env("USER", "tester");
    command
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    gatepost(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command that must succeed, and returns its standard output.
pub(crate) fn run_ok(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A running server.
pub(crate) struct TestServer {
    child: Child,
    pub(crate) folder: PathBuf,
    pub(crate) base_url: String,
    pub(crate) log: PathBuf,
    printed: Arc<Mutex<String>>,
}

impl TestServer {
    /// Starts the demo in the folder.
    pub(crate) fn demo(folder: &Folder) -> Self {
        if folder.backend() == Backend::Postgres && !folder.path().join("gatepost.toml").exists() {
            folder.configure("demo = true\n[egress]\nallow_loopback = true\n");
        }
        // A port that is free again when the server is started again.
        Self::start(folder.path(), &["demo", "--listen", &format!("127.0.0.1:{}", free_port())])
    }

    /// Starts the server on an installation that exists.
    pub(crate) fn serve(folder: &Path) -> Self {
        Self::start(folder, &["serve", "--listen", "127.0.0.1:0"])
    }

    /// Starts with these arguments and waits until it serves.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = gatepost(arguments);
        command.arg("--data").arg(folder);
        Self::spawn(folder, command)
    }

    /// Starts a command that serves the folder and waits until it does.
    pub(crate) fn spawn(folder: &Path, mut command: Command) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let log = folder.join(format!("server-{}.log", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let errors = std::fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap();
        let known = root().join("servers").join(child.id().to_string());
        std::fs::write(known, "").unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let printed = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&printed);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                kept.lock().unwrap().extend([line.as_str(), "\n"]);
                let _ = sender.send(line);
            }
        });
        let until = Instant::now() + PATIENCE;
        let mut seen = String::new();
        let mut base_url = None;
        while base_url.is_none() {
            let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) else {
                let _ = child.kill();
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("the server did not start: {seen}\n{text}");
            };
            base_url = line.strip_prefix("gatepost serves ").map(str::to_owned);
            if line.starts_with("Ready.") {
                let demo = read_demo(folder);
                let url = demo["base_url"].as_str().unwrap();
                base_url = Some(url.split("/ords").next().unwrap().to_owned());
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        Self { child, folder: folder.to_owned(), base_url: base_url.unwrap(), log, printed }
    }

    /// A URL below the context: `url("hr/hr/employees/")`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/ords/{path}", self.base_url)
    }

    /// What `demo.json` says.
    pub(crate) fn demo_json(&self) -> Value {
        read_demo(&self.folder)
    }

    /// One member of `demo.json`.
    pub(crate) fn known(&self, name: &str) -> String {
        self.demo_json()[name].as_str().unwrap_or_else(|| panic!("demo.json has no {name}")).to_owned()
    }

    /// Runs a script on the server's folder with the command line, beside the running server.
    pub(crate) fn sql(&self, schema: &str, text: &str) -> Vec<Value> {
        sql(&self.folder, schema, text)
    }

    /// The address, for clients that speak bytes.
    pub(crate) fn address(&self) -> String {
        self.base_url.trim_start_matches("http://").trim_start_matches("https://").to_owned()
    }

    /// Sends bytes as they are and reads until the server closes or falls silent.
    pub(crate) fn raw(&self, request: &[u8]) -> String {
        let mut stream = std::net::TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
            }
            if is_complete(&answer) {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Ends the process at once, as a power cut would.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Asks the process to stop and waits for its end.
    pub(crate) fn stop(self) -> std::process::ExitStatus {
        self.terminate();
        self.ended()
    }

    /// Asks the process to stop.
    pub(crate) fn terminate(&self) {
        let done = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(done.success());
    }

    /// Waits for the process's end.
    pub(crate) fn ended(mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything the process wrote to standard output so far.
    pub(crate) fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// Everything the process wrote to standard error so far.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(root().join("servers").join(self.child.id().to_string()));
    }
}

/// Runs a script on a folder and returns the rows of all its queries.
pub(crate) fn sql(folder: &Path, schema: &str, text: &str) -> Vec<Value> {
    let folder = folder.to_str().unwrap();
    let output = run_ok(&["sql", "--data", folder, "--schema", schema, "--format", "json", "-c", text]);
    let mut rows = Vec::new();
    for array in serde_json::Deserializer::from_str(&output).into_iter::<Vec<Value>>() {
        rows.extend(array.unwrap());
    }
    rows
}

fn read_demo(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("demo.json")).unwrap()).unwrap()
}

/// Whether the bytes hold a whole answer with a length, or its head says that there is no body.
pub(crate) fn is_complete(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|n| n.trim().parse::<usize>().ok());
    match length {
        Some(length) => answer.len() >= head + 4 + length,
        None => text.contains(" 204 ") || text.contains(" 304 ") || answer.ends_with(b"0\r\n\r\n"),
    }
}
