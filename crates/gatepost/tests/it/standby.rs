//! Streaming standbys of the tests' own PostgreSQL, and a way to a server that can fall silent.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use crate::postgres::{Cluster, account, run, tool};
use crate::process::eventually;

impl Cluster {
    /// A standby that follows this server.
    pub(crate) fn standby(&self) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("gatepost-standby-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        if let Some((user, group)) = account() {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
        }
        let mut standby = Self { folder, port: 0 };
        let mut backup = tool("pg_basebackup");
        backup.arg("-d").arg(self.url("postgres")).arg("-D").arg(standby.data());
        run(backup.args(["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"]));
        let configuration = standby.data().join("postgresql.conf");
        let text = fs::read_to_string(&configuration).unwrap();
        let sockets = standby.folder.display();
        fs::write(&configuration, format!("{text}unix_socket_directories = '{sockets}'\n")).unwrap();
        standby.choose_port_and_run();
        standby
    }

    /// Makes every commit wait for a standby, once one is there.
    pub(crate) fn commit_synchronously(&self) {
        self.sql("postgres", "alter system set synchronous_standby_names = '*'");
        self.sql("postgres", "select pg_reload_conf()");
        let state = "select count(*) from pg_stat_replication where sync_state = 'sync'";
        eventually("a synchronous standby", || self.sql("postgres", state) == "1");
    }

    /// Makes a standby a primary.
    pub(crate) fn promote(&self) {
        assert!(self.pg_ctl(&["promote"]), "{}", self.log());
    }

    /// Holds a standby where it is.
    pub(crate) fn pause_replay(&self) {
        self.sql("postgres", "select pg_wal_replay_pause()");
        let state = "select pg_get_wal_replay_pause_state()";
        eventually("paused", || self.sql("postgres", state) == "paused");
    }

    /// Lets it go on.
    pub(crate) fn resume_replay(&self) {
        self.sql("postgres", "select pg_wal_replay_resume()");
    }
}

/// A port that leads to a server's, as a name does. When it falls silent, connections stay open and nothing passes.
pub(crate) struct Way {
    pub(crate) port: u16,
    target: Arc<AtomicU16>,
    silent: Arc<AtomicBool>,
}

impl Way {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (own, target) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU16::new(port)));
        let way = Self { port: own, target: Arc::clone(&target), silent: Arc::default() };
        let silent = Arc::clone(&way.silent);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (target, silent) = (target.load(Ordering::Acquire), Arc::clone(&silent));
                std::thread::spawn(move || join(client, target, &silent));
            }
        });
        way
    }

    /// Leads elsewhere from the next connection on.
    pub(crate) fn lead_to(&self, port: u16) {
        self.target.store(port, Ordering::Release);
    }

    pub(crate) fn silence(&self, silent: bool) {
        self.silent.store(silent, Ordering::Release);
    }
}

fn join(client: TcpStream, port: u16, silent: &Arc<AtomicBool>) {
    wait(silent);
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    let there = Arc::clone(silent);
    std::thread::spawn(move || carry(&mut from_client, &mut to_server, &there));
    carry(&mut from_server, &mut to_client, silent);
}

fn carry(from: &mut TcpStream, to: &mut TcpStream, silent: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        wait(silent);
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return;
        }
    }
}

fn wait(silent: &AtomicBool) {
    while silent.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(5));
    }
}
