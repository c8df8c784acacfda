//! Several nodes on one catalog in PostgreSQL, each a process with a folder of its own, behind one name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::folder::Folder;
use crate::postgres::free_port;
use crate::process::unthrottled;
use crate::server::{TestServer, gatepost};

/// What callers call all of them.
pub(crate) const HOST: &str = "gatepost.test";

/// Nodes that share a catalog, keys and data.
pub(crate) struct Nodes {
    nodes: Vec<Node>,
}

struct Node {
    server: Option<TestServer>,
    port: u16,
    variables: Vec<(String, String)>,
    folder: Folder,
}

impl Nodes {
    /// Starts `count` nodes, each with a copy of the configuration and the key file of the folder `home`, and these
    /// variables of the environment.
    pub(crate) fn start(count: usize, home: &Folder, variables: &[(&str, &str)]) -> Self {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let node = || {
            let folder = Folder::new("node");
            folder.configure_as(home);
            Node { server: None, port: free_port(), variables: variables.clone(), folder }
        };
        let mut nodes = Self { nodes: std::iter::repeat_with(node).take(count).collect() };
        for number in 0..count {
            nodes.bring_keys(number, &home.path().join("keys.toml"));
            nodes.run(number);
        }
        nodes
    }

    /// Puts a key file on a node, as operators bring one.
    pub(crate) fn bring_keys(&self, node: usize, file: &Path) {
        let (own, new) = (self.key_file(node), self.nodes[node].folder.path().join("new"));
        std::fs::copy(file, &new).unwrap();
        std::fs::rename(new, own).unwrap();
    }

    /// The key file of a node.
    pub(crate) fn key_file(&self, node: usize) -> PathBuf {
        self.nodes[node].folder.path().join("keys.toml")
    }

    /// Starts a node that is not running, at its old address.
    pub(crate) fn run(&mut self, node: usize) {
        let listen = format!("127.0.0.1:{}", self.nodes[node].port);
        let command = self.command(node, "serve", &["--listen", &listen]);
        let node = &mut self.nodes[node];
        node.server = Some(TestServer::spawn(node.folder.path(), command));
    }

    /// A command on a node's folder, as an operator there runs it.
    pub(crate) fn command(&self, node: usize, name: &str, arguments: &[&str]) -> Command {
        let Node { variables, folder, .. } = &self.nodes[node];
        let mut command = gatepost(&[name, "--data", folder.path().to_str().unwrap()]);
        command.args(arguments).env("GATEPOST_SERVER_PUBLIC_URL", format!("http://{HOST}"));
        unthrottled(&mut command);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// The process of a node.
    pub(crate) fn server(&self, node: usize) -> &TestServer {
        self.nodes[node].server.as_ref().expect("the node runs")
    }

    /// Tells a node to stop.
    pub(crate) fn terminate(&self, node: usize) {
        self.server(node).terminate();
    }

    /// Waits until a node that was told to stop has ended.
    pub(crate) fn ended(&mut self, node: usize) -> ExitStatus {
        self.nodes[node].server.take().expect("the node runs").ended()
    }

    /// A URL below the context.
    pub(crate) fn url(&self, node: usize, path: &str) -> String {
        format!("http://{}/ords/{path}", self.address(node))
    }

    /// Where a node listens.
    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.nodes[node].port))
    }
}
