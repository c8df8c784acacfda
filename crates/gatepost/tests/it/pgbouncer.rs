//! A pgbouncer of the tests' own, in transaction mode: loopback only, on a free port, gone when the test process is
//! gone.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::folder::Folder;
use crate::postgres::{Cluster, account, install};

const INSTALL: &str = "apt-get install -y pgbouncer";

/// A running pooler.
pub(crate) struct Pgbouncer {
    folder: Folder,
    port: u16,
    server_port: u16,
}

impl Pgbouncer {
    /// In front of a server, with this many connections for each login of a database. The logins have the password of
    /// the tests.
    pub(crate) fn start(cluster: &Cluster, connections: u32, logins: &[&str]) -> Self {
        let folder = Folder::new("pgbouncer");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let logins: Vec<String> =
            logins.iter().map(|login| format!("\"{login}\" \"{}\"\n", Cluster::PASSWORD)).collect();
        folder.write("users.txt", &logins.concat());
        let mut pooler = Self { folder, port: 0, server_port: cluster.port };
        // Another program may take the port between the look and the start.
        for _ in 0..5 {
            pooler.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if pooler.run(connections) {
                return pooler;
            }
        }
        panic!("pgbouncer does not start: {}", pooler.log());
    }

    fn configure(&self, connections: u32) -> PathBuf {
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = {connections}\nmax_client_conn = 200\nserver_round_robin = 1\nlogfile = {}\n",
            self.server_port,
            self.port,
            self.folder.path().join("users.txt").display(),
            self.folder.path().join("log").display(),
        );
        let configuration = self.folder.write("pgbouncer.ini", &text);
        if let Some((user, group)) = account() {
            for name in ["", "users.txt", "pgbouncer.ini"] {
                std::os::unix::fs::chown(self.folder.path().join(name), Some(user), Some(group)).unwrap();
            }
        }
        configuration
    }

    /// Runs it until this process is gone or its folder is. Says whether it answers.
    fn run(&self, connections: u32) -> bool {
        let script = "parent=$1 file=$2; shift 2; \"$@\" -q \"$file\" & pid=$!
            while kill -0 \"$parent\" && kill -0 $pid && [ -e \"$file\" ]; do sleep 0.2; done; kill $pid";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(std::process::id().to_string()).arg(self.configure(connections));
        if let Some((user, group)) = account() {
            // It refuses root.
            shell.args(["setpriv".into(), format!("--reuid={user}"), format!("--regid={group}")]);
            shell.arg("--clear-groups");
        }
        shell.arg(program()).current_dir(std::env::temp_dir());
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keeper = shell.process_group(0).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until && keeper.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// The same login and database through the pooler.
    pub(crate) fn url(&self, direct: &str) -> String {
        let (server, pooler) = (format!(":{}/", self.server_port), format!(":{}/", self.port));
        assert!(direct.contains(&server), "{direct}");
        direct.replace(&server, &pooler)
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// pgbouncer, installed when it is missing and that can be done.
fn program() -> &'static PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        find().or_else(|| install(&["pgbouncer"]).and_then(|()| find())).unwrap_or_else(|| {
            panic!("these tests need pgbouncer and there is none. On Debian and Ubuntu, run: sudo {INSTALL}")
        })
    })
}

fn find() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    // Where Debian puts it, which is not on everybody's path.
    let folders = on_path.into_iter().flatten().chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.exists())
}
