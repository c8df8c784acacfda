//! A PostgreSQL server of the tests' own: loopback only, on a free port, in a temporary folder, gone when the test
//! process is gone. Uses the standard library only, so that the store's own tests can include this file.
//!
//! `fsync` is off: a killed server loses nothing that way, only a power cut would, and no test cuts the power.
#![allow(dead_code, reason = "each test binary that includes this file uses a part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The password of every login that tests make.
pub(crate) const PASSWORD: &str = "of-the-tests";

const INSTALL: &str = "apt-get install -y postgresql";

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
fsync = off
full_page_writes = off
max_connections = 200
shared_buffers = 16MB
min_wal_size = 2MB
max_wal_size = 64MB
wal_keep_size = 64MB
log_min_messages = warning
";

/// A running server.
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
}

/// The server that the tests of this binary share. Each test makes a database of its own.
pub(crate) fn cluster() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

impl Cluster {
    /// The password of every login of the tests.
    pub(crate) const PASSWORD: &str = PASSWORD;

    /// A server of one's own, for tests that stop it.
    pub(crate) fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("gatepost-postgres-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        if let Some((user, group)) = account() {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
        }
        let password_file = folder.join("password");
        fs::write(&password_file, PASSWORD).unwrap();
        fs::set_permissions(&password_file, fs::Permissions::from_mode(0o644)).unwrap();
        let mut cluster = Self { folder, port: 0 };
        let options = [
            "--auth=scram-sha-256",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--wal-segsize=1",
        ];
        let mut initdb = tool("initdb");
        initdb.arg("-D").arg(cluster.data()).args(options).arg("--pwfile").arg(&password_file);
        run(&mut initdb);
        let configuration = cluster.data().join("postgresql.conf");
        let text = fs::read_to_string(&configuration).unwrap();
        let sockets = cluster.folder.display();
        fs::write(&configuration, format!("{text}{SETTINGS}unix_socket_directories = '{sockets}'\n"))
            .unwrap();
        watch_servers();
        cluster.choose_port_and_run();
        cluster
    }

    /// Another program may take the port between the look and the start.
    pub(crate) fn choose_port_and_run(&mut self) {
        for _ in 0..5 {
            self.port = free_port();
            if self.pg_ctl(&["start", "-o", &format!("-p {}", self.port)]) {
                return;
            }
        }
        panic!("PostgreSQL does not start: {}", self.log());
    }

    /// A new, empty database, and the URL of a login that owns it and may do nothing else.
    pub(crate) fn database(&self, name: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("t_{}_{}", name.replace('-', "_"), NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("create role {name} login password '{PASSWORD}'"));
        self.sql("postgres", &format!("create database {name} owner {name}"));
        self.login(&name, &name)
    }

    /// The URL of a database, as the administrator.
    pub(crate) fn url(&self, database: &str) -> String {
        self.login("postgres", database)
    }

    /// The URL of a database for a login that has the tests' password.
    pub(crate) fn login(&self, name: &str, database: &str) -> String {
        format!("postgres://{name}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as the administrator and returns the rows as lines.
    #[track_caller]
    pub(crate) fn sql(&self, database: &str, text: &str) -> String {
        psql(&self.url(database), text)
    }

    /// Makes it answer with TLS, too.
    pub(crate) fn serve_tls(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let file = self.data().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((user, group)) = account() {
                std::os::unix::fs::chown(&file, Some(user), Some(group)).unwrap();
            }
        }
        self.sql("postgres", "alter system set ssl = on");
        self.sql("postgres", "select pg_reload_conf()");
    }

    /// Ends the server at once, as a crash would.
    pub(crate) fn crash(&self) {
        assert!(self.pg_ctl(&["stop", "-m", "immediate"]), "{}", self.log());
    }

    /// Starts it again, on the same port.
    pub(crate) fn start_again(&self) {
        assert!(self.pg_ctl(&["start", "-o", &format!("-p {}", self.port)]), "{}", self.log());
    }

    /// What the server wrote to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The folder of the server's files.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn pg_ctl(&self, arguments: &[&str]) -> bool {
        let mut command = tool("pg_ctl");
        command.arg("-D").arg(self.data()).arg("-l").arg(self.folder.join("log")).arg("-w").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    }
}

/// A process of its own stops the servers that are left and deletes their folders when this process is gone, however it
/// ended: one for all of them, since where the tests run there may be few processes to be had.
pub(crate) fn watch_servers() {
    static WATCHED: OnceLock<()> = OnceLock::new();
    let script = "for folder in \"$1\"/gatepost-*-\"$2\"-*; do
          pid=$(head -n 1 \"$folder/data/postmaster.pid\" 2>/dev/null) && kill -QUIT \"$pid\"
          for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 \"$pid\" 2>/dev/null || break; sleep 1; done
          rm -rf \"$folder\"
        done";
    WATCHED.get_or_init(|| afterwards(script, &std::env::temp_dir()));
}

/// A port that nobody listens on, and that stays free: it is not one of those that the kernel gives to whoever asks for
/// any, and each process begins elsewhere.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 18_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (std::process::id().wrapping_mul(577) + number) % COUNT;
        let port = u16::try_from(port).expect("it is below 65,536");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Runs a script of the shell on a folder (`$1`) when this process (`$2`) is gone, however it ended.
pub(crate) fn afterwards(script: &str, folder: &Path) {
    let script = format!("(while kill -0 \"$2\" 2>/dev/null; do sleep 1; done; {script}) &");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh"]).arg(folder).arg(std::process::id().to_string());
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(shell.process_group(0).status().unwrap().success());
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.pg_ctl(&["stop", "-m", "immediate"]);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs SQL on a database and returns the rows as lines.
#[track_caller]
pub(crate) fn psql(url: &str, text: &str) -> String {
    let mut command = Command::new(binaries().join("psql"));
    command.arg(url).args(["--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-c", text]).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A program of the server, run as somebody who may: it refuses root.
pub(crate) fn tool(name: &str) -> Command {
    let program = binaries().join(name);
    let mut command = match account() {
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".into()]);
            command.arg(program);
            command
        }
        None => Command::new(program),
    };
    // The caller's folder may be closed to that account.
    command.current_dir(std::env::temp_dir());
    command
}

/// The unprivileged account that the server runs under when the tests run as root.
pub(crate) fn account() -> Option<(u32, u32)> {
    if text_of("id", &["-u"])?.trim() != "0" {
        return None;
    }
    let number = |flag: &str, name: &str| text_of("id", &[flag, name])?.trim().parse().ok();
    ["postgres", "nobody"].iter().find_map(|name| Some((number("-u", name)?, number("-g", name)?)))
}

/// The folder with `initdb`, `pg_ctl` and `psql`; PostgreSQL is installed when it is missing and that can be done.
pub(crate) fn binaries() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        find_binaries().or_else(|| install(&["postgresql"]).and_then(|()| find_binaries())).unwrap_or_else(
            || {
                panic!(
                    "these tests need PostgreSQL and there is none. On Debian and Ubuntu, run: sudo {INSTALL}"
                )
            },
        )
    })
}

fn find_binaries() -> Option<PathBuf> {
    let from_config = text_of("pg_config", &["--bindir"]).map(|text| PathBuf::from(text.trim()));
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<f32>().ok();
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = installed.map(|entry| entry.path()).collect();
    installed.sort_by(|a, b| version(b).partial_cmp(&version(a)).unwrap());
    let installed = installed.into_iter().map(|path| path.join("bin"));
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let complete =
        |folder: &PathBuf| ["initdb", "pg_ctl", "psql"].iter().all(|name| folder.join(name).exists());
    from_config.into_iter().chain(installed).chain(on_path.into_iter().flatten()).find(complete)
}

/// Installs packages of the system, if that can be done.
pub(crate) fn install(packages: &[&str]) -> Option<()> {
    // Tests ask at the same time, and apt-get does not wait for the lock on its lists.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if text_of("id", &["-u"])?.trim() != "0" {
        return None;
    }
    for arguments in [vec!["update"], [&["install", "-y"][..], packages].concat()] {
        let mut command = Command::new("apt-get");
        command.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
        command.status().ok()?.success().then_some(())?;
    }
    Some(())
}

fn text_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
