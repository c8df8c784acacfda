//! A PostgreSQL of the tests' own: a cluster in a temporary folder, on a free port of the loopback, gone with the
//! process.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The account that the server runs under when the tests run as root, which it refuses.
const ACCOUNT: &str = "postgres";
const MISSING: &str = "PostgreSQL is missing. Install it: apt-get install -y postgresql (Debian, Ubuntu), \
                       dnf install -y postgresql-server (Fedora), brew install postgresql (macOS)";

pub(super) struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    /// Its standard input holds the server up: the server ends when this process does.
    keeper: Option<Child>,
}

/// The cluster that tests share.
pub(super) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

impl Cluster {
    pub(super) fn start() -> Self {
        let programs = programs().expect(MISSING);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("gatepost-pg-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut cluster = Self { folder, programs, port, keeper: None };
        if is_root() {
            run(Command::new("chown").arg(ACCOUNT).arg(&cluster.folder));
        }
        let data = cluster.folder.join("data");
        let initdb = cluster.programs.join("initdb");
        run(account(&initdb)
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D"])
            .arg(data));
        cluster.up();
        cluster
    }

    /// Starts the server and waits until it answers.
    pub(super) fn up(&mut self) {
        let script = format!(
            "{}/postgres -D {}/data -p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} \
             -c fsync=off -c max_connections=200 >{}/log 2>&1 & pid=$!; read order; kill -INT $pid; \
             wait $pid; [ \"$order\" = stop ] || rm -rf {}",
            self.programs.display(),
            self.folder.display(),
            self.port,
            self.folder.display(),
            self.folder.display(),
            self.folder.display(),
        );
        let keeper = account(Path::new("sh"))
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.keeper = Some(keeper);
        let end = Instant::now() + Duration::from_secs(60);
        let port = self.port.to_string();
        while !Command::new(self.programs.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port])
            .status()
            .unwrap()
            .success()
        {
            assert!(Instant::now() < end, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops the server.
    pub(super) fn down(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            if let Some(mut order) = keeper.stdin.take() {
                order.write_all(b"stop\n").unwrap();
            }
            keeper.wait().unwrap();
        }
    }

    pub(super) fn url(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/postgres", self.port)
    }

    fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = std::fs::File::open(self.folder.join("log")) {
            let _ = file.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.down();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn programs() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("GATEPOST_TEST_POSTGRES").map(PathBuf::from).into_iter().collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    installed.sort();
    folders.extend(installed.into_iter().rev());
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.into_iter().find(|folder| folder.join("initdb").exists())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// A command as an account that is not root.
fn account(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", ACCOUNT, "--"]).arg(program);
    command
}

fn run(command: &mut Command) {
    let output = command.current_dir("/").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
