//! Answers of any length: flat memory, and clients that go away or do not read.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::{Published, handlers};
use crate::client::get;
use crate::postgres::cluster;
use crate::process::eventually;

const LIMITS: &str = "readers = 2
[limits]
rows = 2000000
statement_ms = 600000
stall_seconds = 1
";

fn published(name: &str) -> Published {
    let definitions = handlers(&[
        (
            "rows",
            "GET",
            "csv/query",
            "select g as n, repeat('x', 100) as t from generate_series(1, 1000000) g",
        ),
        ("one", "GET", "json/query", "select random() < 2 as sure"),
    ]);
    Published::new(name, "", &definitions, LIMITS)
}

/// Backends that stream for this installation's reader.
fn streaming(shop: &Published) -> String {
    let database = shop.owner.rsplit('/').next().unwrap();
    let question = format!(
        "select count(*) from pg_stat_activity where usename = '{database}_read' and state <> 'idle'
           and query like '%generate_series%'"
    );
    // Nobody else sees what other logins do.
    cluster().sql("postgres", &question)
}

fn memory_kb(process: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_million_rows_leave_the_memory_of_the_server_flat() {
    let shop = published("million");
    // Everything that is made once is there.
    let url = shop.server.url("shop/t/rows");
    let mut response = get(&url, None).await;
    for _ in 0..50 {
        response.chunk().await.unwrap().unwrap();
    }
    drop(response);
    let process = shop.server.id();
    let before = memory_kb(process, "VmRSS:");
    // The largest size from now on.
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
    let mut response = get(&url, None).await;
    let (mut bytes, mut lines, mut last) = (0, 0, 0);
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes += chunk.len();
        lines += chunk.split(|byte| *byte == b'\n').count() - 1;
        last = *chunk.last().unwrap();
    }
    assert_eq!((bytes > 100_000_000, lines, last), (true, 1_000_001, b'\n'));
    let peak = memory_kb(process, "VmHWM:");
    assert!(peak < before + 32 * 1024, "{before} kB grew to {peak} kB while {bytes} bytes passed");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_query() {
    let shop = published("gone");
    for _ in 0..3 {
        let mut response = get(&shop.server.url("shop/t/rows"), None).await;
        response.chunk().await.unwrap().unwrap();
        assert_ne!(streaming(&shop), "0");
        drop(response);
        eventually("the backend is gone", || streaming(&shop) == "0");
        assert!(shop.text("one").await.contains("true"));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_holds_nobody_up() {
    let shop = published("stalled");
    let mut client = TcpStream::connect(shop.server.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let host = shop.server.address();
    let request = format!("GET /ords/shop/t/rows HTTP/1.1\r\nhost: {host}\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    eventually("it streams", || streaming(&shop) != "0");
    // The other connection answers meanwhile.
    assert!(shop.text("one").await.contains("true"));
    eventually("the backend is gone", || streaming(&shop) == "0");
    let mut answer = Vec::new();
    let ended = client.read_to_end(&mut answer);
    assert!(ended.is_err() || !answer.ends_with(b"0\r\n\r\n"), "{} bytes look whole", answer.len());
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert!(shop.text("one").await.contains("true"));
}
