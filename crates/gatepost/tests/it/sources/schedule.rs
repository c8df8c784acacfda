//! Synchronizations by schedule: one node runs each, and another one when that node is gone.

use std::time::Instant;

use serde_json::Value;

use super::api::{Caller, items};
use crate::process::eventually;
use crate::server::{TestServer, gatepost};

const EVERY: u64 = 2;

fn scheduled() -> String {
    format!("[sync]\ntable = \"item\"\nmode = \"merge\"\ncreate_table = true\nevery = \"{EVERY}s\"\n")
}

impl Caller {
    /// A node.
    fn serve(&self) -> TestServer {
        let mut command = gatepost(&["serve", "--listen", "127.0.0.1:0", "--data", self.shop.dir()]);
        command.env("GATEPOST_CATALOG_POLL_MS", "50");
        TestServer::spawn(self.shop.0.path(), Self::allowed(command))
    }

    fn has_rows(&self, count: usize) -> bool {
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.table()));
        found.is_ok_and(|rows| rows.len() == count)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_due_is_made_by_one_node() {
    let caller = Caller::new("sync-nodes", items(2)).await;
    let nodes = [caller.serve(), caller.serve()];
    let begun = Instant::now();
    caller.define(&scheduled()).ok();
    eventually("the first rows", || caller.has_rows(2));
    caller.api.set_rows(items(3));
    eventually("the new row", || caller.has_rows(3));
    eventually("some runs", || caller.api.asked().len() >= 6);
    for node in nodes {
        assert!(node.stop().success());
    }
    let most = begun.elapsed().as_secs() / EVERY + 1;
    let runs = caller.api.offsets().iter().filter(|offset| **offset == 0).count() as u64;
    assert!(runs <= most, "{runs} runs, where {most} were due");
    let json = caller.source(&["runs", "items", "--format", "json", "--limit", "100"]).ok();
    let logged: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert!(logged.iter().all(|run| run["trigger"] == "schedule"), "{json}");
    assert!(logged.iter().filter(|run| run["outcome"] == "done").count() as u64 <= runs, "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_in_a_run_leaves_it_to_another_one() {
    let caller = Caller::new("sync-dies", items(6)).await;
    caller.api.be_silent_from(4);
    let first = caller.serve();
    caller.define(&scheduled()).ok();
    eventually("the run is in the middle", || caller.api.offsets().contains(&4));
    first.kill();
    assert!(caller.table().is_empty());
    caller.api.be_silent_from(u64::MAX);
    let second = caller.serve();
    eventually("the other node's rows", || caller.has_rows(6));
    assert!(second.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_stop_ends_its_run() {
    let caller = Caller::new("sync-stops", items(6)).await;
    caller.api.be_silent_from(4);
    let node = caller.serve();
    caller.define(&scheduled()).ok();
    eventually("the run is in the middle", || caller.api.offsets().contains(&4));
    assert!(node.stop().success());
    assert!(caller.table().is_empty());
    // Its lease was given back: nobody waits for it.
    let holders = caller.shop.0.rows("shop", "select holder from gatepost_sync");
    assert_eq!(holders, [[Value::Null]]);
}
