//! Servers that nobody here wrote: a token server (`oidc-provider`, on Node.js) in front of a small API, and an API with
//! paging of its own (`PocketBase`). They are installed below the target folder, once for each set of pinned versions, and
//! run on loopback for as long as a test needs them.

mod oidc_provider;
mod pocketbase;

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::folder::root;
use crate::postgres::install;

/// How long such a server may take to start. Generous: nothing here measures speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a program is there and runs with these arguments.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Sees that programs of the system are there, installing their packages if they are not and that can be done.
pub(crate) fn need(what: &str, packages: &[&str], is_there: impl Fn() -> bool) {
    // One after the other: where Node.js brings npm along, the package of npm cannot stand beside it.
    let mut installed = packages.iter().map(|package| install(&[package]).is_some() && is_there());
    if is_there() || installed.any(|enough| enough) {
        return;
    }
    let packages = packages.join(" ");
    panic!("these tests need {what}. On Debian and Ubuntu, run: sudo apt-get install -y {packages}");
}

/// A folder below the target folder that `fill` has filled, kept for as long as the pinned versions are these.
pub(crate) fn cached(name: &str, pinned: &str, fill: impl Fn(&Path)) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    pinned.hash(&mut hasher);
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = cache.join(format!("{name}-{:016x}", hasher.finish()));
    if !folder.exists() {
        let partial = cache.join(format!("{name}-partial-{}", std::process::id()));
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial).unwrap();
        fill(&partial);
        // Another run may have been faster; what it has is the same.
        if fs::rename(&partial, &folder).is_err() {
            fs::remove_dir_all(&partial).unwrap();
        }
    }
    folder
}

/// Runs an installer, which says what is wrong and how to try again by hand.
pub(crate) fn run_installer(command: &mut Command, folder: &Path) {
    let output = command.current_dir(folder).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed; it must reach the package registry. To try again, run: cd {} && {:?}\n{}{}",
        folder.display(),
        command,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A running server, ended with its value or, at the latest, with this process.
struct Running {
    child: Child,
    log: PathBuf,
    lines: Receiver<String>,
}

impl Running {
    fn start(command: &mut Command, log: PathBuf) -> Self {
        let errors = fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // Read to the end, whoever listens: a full pipe would stop the server.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let running = Self { child, log, lines };
        fs::write(running.known(), "").unwrap();
        running
    }

    /// The first line that it prints with this beginning, without it.
    fn wait_for_line(&self, begin: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(until.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("no `{begin}`: {}", self.said()));
            if let Some(rest) = line.strip_prefix(begin) {
                return rest.to_owned();
            }
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where the process is known to those who clean up.
    fn known(&self) -> PathBuf {
        root().join("servers").join(self.child.id().to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(self.known());
    }
}
