//! A process that is killed loses nothing that it acknowledged and leaves nothing half done.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::StatusCode;

use crate::client::{get, http};
use crate::process::{Shop, eventually};
use crate::server::TestServer;

const COMMITS: usize = 1_000;
const KILLED_AFTER: usize = 300;

/// Blocks that define two modules each.
fn pairs(numbers: std::ops::Range<usize>) -> String {
    let block = |n| {
        format!("begin ords.define_module('a{n}', '/a{n}/'); ords.define_module('b{n}', '/b{n}/'); end;\n/\n")
    };
    numbers.map(block).collect()
}

/// Checks that the catalog is whole, holds at least this many pairs and no half one.
fn assert_pairs(shop: &Shop, at_least: usize) {
    shop.0.assert_whole();
    let names =
        shop.lines("select name from user_ords_modules order by cast(substr(name, 2) as integer), name");
    assert!(names.len() >= 2 * at_least, "{} modules of {at_least} pairs", names.len());
    for (index, pair) in names.chunks(2).enumerate() {
        assert_eq!(pair, [format!("a{index}"), format!("b{index}")]);
    }
}

#[test]
fn a_script_that_is_killed_keeps_every_block_that_it_acknowledged_and_no_half_one() {
    let shop = Shop::new("kill-script");
    let mut child = shop
        .command("sql", &["--schema", "shop"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(pairs(0..COMMITS).as_bytes()).unwrap();
    let mut acknowledged = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        acknowledged += usize::from(line.unwrap().starts_with("block at line"));
        if acknowledged == KILLED_AFTER {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    assert!(acknowledged < COMMITS);
    assert_pairs(&shop, acknowledged);
    // And it goes on from there.
    shop.script(&pairs(COMMITS..COMMITS + 1)).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_definitions_are_committed_beside_it_serves_them_all() {
    let shop = Shop::new("kill-server");
    let server = TestServer::serve(shop.0.path());
    let mut child = shop
        .command("sql", &["--schema", "shop"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(pairs(0..60).as_bytes()).unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut blocks = lines.filter(|line| line.starts_with("block at line"));
    assert_eq!(blocks.by_ref().take(30).count(), 30);
    server.kill();
    assert_eq!(blocks.count(), 30);
    assert!(child.wait().unwrap().success());
    assert_pairs(&shop, 60);
    let server = TestServer::serve(shop.0.path());
    let ready = get(&format!("{}/readyz", server.base_url), None).await;
    assert_eq!(ready.status(), StatusCode::OK);
}

/// A table, and a public handler whose block writes two rows of it.
const ORDERS: &str = "
create table item (order_no integer not null, part text not null);
begin
  ords.define_module('orders', '/orders/');
  ords.define_template('orders', 'all');
  ords.define_handler('orders', 'all', 'POST', 'plsql/block',
    'begin
       insert into item (order_no, part) values (:no, ''first'');
       insert into item (order_no, part) values (:no, ''second'');
       :status_code := 201;
     end;');
  gatepost.allow_public('/orders/*', 'POST');
end;
/
";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_keeps_every_row_that_it_acknowledged_and_no_half_request() {
    let shop = Shop::new("kill-writes");
    shop.script(ORDERS).ok();
    let server = TestServer::serve(shop.0.path());
    let url = server.url("shop/orders/all");
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (url, acknowledged) = (url.clone(), Arc::clone(&acknowledged));
        writers.spawn(async move {
            let (client, mut kept) = (http(), Vec::new());
            for no in (writer..).step_by(8) {
                let request = client.post(&url).json(&serde_json::json!({ "no": no })).send();
                match request.await {
                    Ok(answer) if answer.status() == StatusCode::CREATED => kept.push(no),
                    Ok(answer) => panic!("{}: {}", answer.status(), answer.text().await.unwrap()),
                    // Killed in the middle of it: nobody was told anything.
                    Err(_) => break,
                }
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            kept
        });
    }
    let count = Arc::clone(&acknowledged);
    tokio::task::spawn_blocking(move || {
        eventually("300 orders are taken", || count.load(Ordering::Relaxed) >= 300);
        server.kill();
    })
    .await
    .unwrap();
    let kept: Vec<i64> = writers.join_all().await.concat();

    let server = TestServer::serve(shop.0.path());
    let answer = http()
        .post(server.url("shop/orders/all"))
        .json(&serde_json::json!({ "no": -1 }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    server.kill();
    shop.0.assert_whole();
    let halves = "select order_no from item group by order_no having count(*) <> 2";
    assert!(shop.0.rows("shop", halves).is_empty(), "requests that were half applied");
    let whole = shop.0.rows("shop", "select distinct order_no from item");
    let whole: BTreeSet<i64> = whole.iter().map(|row| row[0].as_i64().unwrap()).collect();
    for no in kept {
        assert!(whole.contains(&no), "order {no} was acknowledged");
    }
}
