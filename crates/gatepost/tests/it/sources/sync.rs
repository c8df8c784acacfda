//! Copying a source into a table: all of a run or nothing of it.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::api::{Caller, item, items};
use crate::holder::Holder;
use crate::process::{eventually, finish};

const MERGE: &str = "[sync]\ntable = \"item\"\nmode = \"merge\"\ncreate_table = true\n";

fn sync(keys: &str) -> String {
    format!("[sync]\ntable = \"item\"\ncreate_table = true\n{keys}\n")
}

impl Caller {
    /// The newest run.
    #[track_caller]
    fn newest_run(&self) -> Value {
        let json = self.source(&["runs", "items", "--format", "json", "--limit", "1"]).ok();
        serde_json::from_str::<Vec<Value>>(&json).unwrap().remove(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_synchronized_is_refused_and_no_table_is_made() {
    let caller = Caller::new("sync-refused", items(3)).await;
    for keys in [
        "[sync]\ntable = \"item\"\nmode = \"replace\"\ndelete_missing = true",
        "[sync]\ntable = \"gatepost_sync\"\nmode = \"append\"",
        "[sync]\ntable = \"item; drop table x\"\nmode = \"append\"",
        "[sync]\ntable = \"item\"\nmode = \"sometimes\"",
        "[sync]\ntable = \"item\"\nmode = \"append\"\ncron = \"every day\"",
    ] {
        caller.define(keys).refused();
    }
    caller.define("").ok();
    assert!(caller.source(&["sync", "items"]).refused().contains("no `sync`"));
    assert!(caller.source(&["sync", "nothing"]).refused().contains("items"));
    // Without create_table the table must be there.
    caller.define("[sync]\ntable = \"item\"\nmode = \"append\"").ok();
    let shown = caller.source(&["sync", "items"]).refused();
    assert!(shown.contains("table_refused") && shown.contains("--create-table"), "{shown}");
    // The operator's word counts: nothing is called, nothing is written.
    caller.define(&sync("mode = \"append\"")).ok();
    let mut command = caller.command(&["sync", "items"]);
    let shown = finish(command.env("GATEPOST_EGRESS_ALLOW_LOOPBACK", "false"), "").refused();
    assert!(shown.contains("egress_denied"), "{shown}");
    assert!(caller.table().is_empty() && caller.api.asked().is_empty());
    let run = caller.newest_run();
    assert_eq!((run["outcome"].as_str(), run["code"].as_str()), (Some("failed"), Some("egress_denied")));
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_do_what_they_say_and_count_it() {
    let caller = Caller::new("sync-modes", items(5)).await;
    caller.define(&sync("mode = \"append\"")).ok();
    let shown = caller.source(&["sync", "items"]).ok();
    assert!(shown.contains("items into item: 5 rows fetched, 5 inserted, 0 updated, 0 deleted"), "{shown}");
    assert_eq!(caller.table()[4], "5 item 5 5");
    caller.source(&["sync", "items"]).ok();
    assert_eq!(caller.table().len(), 10);

    caller.define(&sync("mode = \"replace\"")).ok();
    caller.source(&["sync", "items"]).ok();
    assert_eq!(caller.table().len(), 5);

    caller.define(MERGE).ok();
    let mut rows = items(4);
    rows[1] = item(2, "new name", 2.5);
    rows.push(item(6, "six", 6.0));
    caller.api.set_rows(rows);
    caller.source(&["sync", "items"]).ok();
    let run = caller.newest_run();
    assert_eq!((&run["inserted"], &run["updated"], &run["deleted"]), (&1.into(), &1.into(), &0.into()));
    assert_eq!(caller.table()[1], "2 new name 2.5");
    assert_eq!(caller.table().len(), 6);

    caller.define(&format!("{MERGE}delete_missing = true\n")).ok();
    caller.source(&["sync", "items"]).ok();
    assert_eq!(caller.newest_run()["deleted"], 1);
    let ids: Vec<String> = caller.table().iter().map(|row| row[..1].to_owned()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "6"]);
}

/// The owner's own table: other columns stay out of it, and what it does not have is not copied.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_the_owners_keeps_its_own_columns() {
    let caller = Caller::new("sync-own-table", items(3)).await;
    caller
        .shop
        .script(
            "create table item (id bigint primary key, name text, price numeric, note text default 'mine');",
        )
        .ok();
    caller.define("[sync]\ntable = \"item\"\nmode = \"merge\"").ok();
    caller.source(&["sync", "items"]).ok();
    caller.shop.script("update item set note = 'seen' where id = 1;").ok();
    caller.api.set_rows(vec![item(1, "changed", 1.0)]);
    caller.source(&["sync", "items"]).ok();
    let rows = caller.shop.0.rows("shop", "select id, name, note from item order by id");
    assert_eq!(rows[0], [Value::from(1), "changed".into(), "seen".into()]);
    assert_eq!(rows[2], [Value::from(3), "item 3".into(), "mine".into()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_leaves_the_table_as_it_was() {
    let caller = Caller::new("sync-fails", items(6)).await;
    caller.define(&sync("mode = \"replace\"")).ok();
    caller.source(&["sync", "items"]).ok();
    let before = caller.table();
    caller.api.set_rows((1..=6).map(|id| item(id, "other", 0.0)).collect());
    caller.api.fail_from(4);
    assert!(caller.source(&["sync", "items"]).refused().contains("api_http_500"));
    assert_eq!(caller.table(), before);
    let run = caller.newest_run();
    assert_eq!((run["outcome"].as_str(), run["code"].as_str()), (Some("failed"), Some("api_http_500")));
    // What came before the failure is not asked for again.
    caller.api.fail_from(u64::MAX);
    let asked = caller.api.asked().len();
    assert!(caller.source(&["sync", "items"]).ok().contains("went on at row 4"));
    assert_eq!(caller.api.offsets()[asked..], [4]);
    assert!(caller.table().iter().all(|row| row.contains("other")) && caller.table().len() == 6);
    // Not all rows: nothing of them. And it is not gone on from there.
    caller.define(&format!("limits = {{ max_rows = 3 }}\n{}", sync("mode = \"replace\""))).ok();
    assert!(caller.source(&["sync", "items"]).refused().contains("max_rows"));
    assert!(caller.source(&["sync", "items"]).refused().contains("max_rows"));
    assert_eq!(caller.table().len(), 6);
    // Nor with a row that has no key.
    caller.define(MERGE).ok();
    caller.api.set_rows(vec![item(9, "nine", 9.0), serde_json::json!({ "name": "nameless" })]);
    assert!(caller.source(&["sync", "items"]).refused().contains("key_missing"));
    assert_eq!(caller.table().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_nothing_to_see_and_the_next_one_goes_on() {
    let caller = Caller::new("sync-killed", items(10)).await;
    caller.define(&sync("mode = \"append\"")).ok();
    caller.api.be_silent_from(6);
    let mut command = caller.command(&["sync", "items"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("six rows are collected", || {
        let found = std::panic::catch_unwind(|| {
            caller.shop.0.rows("shop", "select fetch_position from gatepost_sync")
        });
        found.is_ok_and(|rows| rows.first().is_some_and(|row| row[0] == 6))
    });
    assert!(caller.table().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(caller.table().is_empty());

    caller.api.be_silent_from(u64::MAX);
    let asked = caller.api.asked().len();
    let shown = caller.source(&["sync", "items"]).ok();
    assert!(shown.contains("10 rows fetched, 10 inserted") && shown.contains("went on at row 6"), "{shown}");
    assert_eq!(caller.api.offsets()[asked..], [6, 8]);
    assert_eq!(caller.table().len(), 10);
    let json = caller.source(&["runs", "items", "--format", "json"]).ok();
    let runs: Vec<Value> = serde_json::from_str(&json).unwrap();
    let outcomes: Vec<&str> = runs.iter().map(|run| run["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "interrupted"]);
    // Nothing is left of the collecting.
    let stages = caller.shop.0.rows("shop", "select holder, staged from gatepost_sync");
    assert_eq!(stages, [[Value::Null, 0.into()]]);
}

/// Everything came, and the last transaction waits for somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_while_it_puts_rows_in_place_leaves_the_table_as_it_was() {
    let caller = Caller::new("sync-killed-late", items(4)).await;
    caller.define(&sync("mode = \"replace\"")).ok();
    caller.source(&["sync", "items"]).ok();
    let before = caller.table();
    caller.api.set_rows((1..=6).map(|id| item(id, "new", 0.5)).collect());
    caller.api.be_silent_from(4);
    let asked = caller.api.asked().len();
    let mut command = caller.command(&["sync", "items"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the last page is asked for", || caller.api.offsets()[asked..].contains(&4));
    let holder = Holder::of_data(&caller.shop.0, "shop", "item");
    caller.api.be_silent_from(u64::MAX);
    // Nothing tells when it waits. Killed before that, it must leave the table alone as well.
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(holder);
    assert_eq!(caller.table(), before);
    let shown = caller.source(&["sync", "items"]).ok();
    assert!(shown.contains("6 inserted, 0 updated, 4 deleted"), "{shown}");
    assert_eq!(caller.table().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lives_keeps_others_away_and_gives_way_when_it_is_told() {
    let caller = Caller::new("sync-stopped", items(8)).await;
    caller.define(&sync("mode = \"append\"")).ok();
    caller.api.be_silent_from(6);
    // A lease that a slow machine does not lose.
    let patient = |arguments: &[&str]| {
        let mut command = caller.command(arguments);
        command.env("GATEPOST_SYNC_LEASE_SECONDS", "6");
        command
    };
    let mut command = patient(&["sync", "items"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the run is in the middle", || caller.api.offsets().contains(&6));
    let shown = finish(&mut patient(&["sync", "items"]), "").refused();
    assert!(shown.contains("run_under_way"), "{shown}");
    let runs = finish(&mut patient(&["runs", "items"]), "");
    assert!(runs.code == Some(0) && runs.stderr.contains("is under way"), "{runs:?}");
    let told = Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(caller.table().is_empty());
    // Nobody waits for its lease, and what it collected is not asked for again.
    let holders = caller.shop.0.rows("shop", "select holder from gatepost_sync");
    assert_eq!(holders, [[Value::Null]]);
    caller.api.be_silent_from(u64::MAX);
    let shown = finish(&mut patient(&["sync", "items"]), "").ok();
    assert!(shown.contains("8 inserted") && shown.contains("went on at row 6"), "{shown}");
    let json = caller.source(&["runs", "items", "--format", "json"]).ok();
    let runs: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!((&runs[0]["outcome"], &runs[1]["outcome"]), (&"done".into(), &"stopped".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_asks_for_what_is_new_and_for_the_overlap() {
    let caller = Caller::new("sync-cursor", items(5)).await;
    let since = "[[param]]\nname = \"since\"\ntype = \"timestamptz\"\nomit_when_null = true\n";
    let cursor = |more: &str| format!("cursor = {{ column = \"changed\", param = \"since\"{more} }}");
    let merge = cursor(", overlap = \"2s\"");
    let refused = format!("{since}{}", sync(&format!("mode = \"append\"\n{merge}")));
    assert!(caller.define(&refused).refused().contains("overlap"));
    caller.define(&format!("{since}{}", sync(&format!("mode = \"merge\"\n{merge}")))).ok();
    caller.source(&["sync", "items"]).ok();
    assert_eq!(caller.api.asked()[0].get("since"), None);
    let mut rows = items(5);
    rows[3] = item(4, "late", 4.0);
    rows.push(item(7, "seven", 7.0));
    caller.api.set_rows(rows);
    let asked = caller.api.asked().len();
    let shown = caller.source(&["sync", "items"]).ok();
    assert!(shown.contains("4 rows fetched, 1 inserted, 1 updated"), "{shown}");
    assert_eq!(caller.api.asked()[asked]["since"], "2026-01-01T00:00:03Z");
    assert_eq!(caller.table().len(), 6);
    let shown = caller.source(&["sync", "items", "--full"]).ok();
    assert!(shown.contains("6 rows fetched, 0 inserted, 0 updated"), "{shown}");
    // Appended rows are those above the mark; the one at the mark is there already.
    caller.define(&format!("{since}{}", sync(&format!("mode = \"append\"\n{}", cursor(""))))).ok();
    assert!(caller.source(&["sync", "items"]).ok().contains("1 rows fetched, 0 inserted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_synchronize_and_see_what_came_of_it() {
    let caller = Caller::new("sync-script", items(3)).await;
    caller.define(&sync("mode = \"append\"")).ok();
    let script = |text: &str, more: &[&str]| {
        let mut command = Caller::allowed(caller.shop.command("sql", &["--schema", "shop"]));
        finish(command.args(more), text)
    };
    let call = "begin gatepost.synchronize_rest_source('items'); end;\n/\n";
    script(call, &["--dry-run"]).ok();
    assert!(caller.api.asked().is_empty());
    let shown = script(call, &[]).ok();
    assert!(shown.contains("items into item: 3 rows fetched, 3 inserted"), "{shown}");
    caller.api.fail_from(0);
    // What the block did stays, and it is said so.
    let block = "begin insert into item (id, name) values (9, 'own'); gatepost.synchronize_rest_source('items'); end;";
    let shown = script(block, &[]).refused();
    assert!(shown.contains("the block took effect") && shown.contains("api_http_500"), "{shown}");
    assert_eq!(caller.table().len(), 4);
    let runs = caller.shop.rows(
        "select source_name, started_by, outcome, code, rows_inserted from user_gatepost_sync_runs order by begun_on desc;",
    );
    assert_eq!((&runs[0]["outcome"], &runs[0]["code"]), (&"failed".into(), &"api_http_500".into()));
    // Views give their columns as text on PostgreSQL.
    let inserted = runs[1]["rows_inserted"].to_string();
    assert_eq!((&runs[1]["outcome"], inserted.trim_matches('"')), (&"done".into(), "3"));
    assert_eq!(runs[1]["started_by"], "script");
}
