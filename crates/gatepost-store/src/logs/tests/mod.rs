//! The logs keep what they are told, within their limits, and nothing that could forge a line.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{AccessRecord, LogLimits, LogStore, MIGRATIONS, clean, writer};
use crate::database::Database;

mod questions;

/// A folder for a file of logs, gone after the test with all that SQLite puts beside it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatepost-logs-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("logs.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const LIMITS: LogLimits = LogLimits { age_days: 1, size_bytes: 1 << 30 };

fn record(at_ms: i64, path: String) -> AccessRecord {
    AccessRecord {
        at_ms,
        request_id: format!("r{at_ms}"),
        address: std::net::IpAddr::from([127, 0, 0, 1]),
        method: http::Method::GET,
        path,
        schema: Some("hr".into()),
        route: Some("hr employees/".into()),
        client: None,
        status: 200,
        outcome: "allowed",
        reason: "role".into(),
        duration_us: 1,
    }
}

#[test]
fn control_characters_are_escaped_and_long_texts_are_cut() {
    assert_eq!(clean("/a\r\nforged"), "/a\\r\\nforged");
    assert!(clean(&"é".repeat(10_000)).len() <= super::TEXT_BYTES_MAX + 10);
    assert_eq!(clean("/plain"), "/plain");
}

#[test]
fn what_was_noted_can_be_read_after_a_flush() {
    let folder = Folder::new("flush");
    let path = folder.file();
    let logs = LogStore::open(&path, LIMITS).unwrap();
    for n in 0..5_000 {
        logs.note_access(record(n, format!("/{n}")));
    }
    logs.flush();
    let newest = logs.list_access(2).unwrap();
    assert_eq!(newest[0], record(4_999, "/4999".into()));
    drop(logs);
}

#[test]
fn the_oldest_records_go_when_the_file_is_too_large_or_they_are_too_old() {
    let folder = Folder::new("limits");
    let path = folder.file();
    let logs = LogStore::open(&path, LIMITS).unwrap();
    let day = 86_400_000;
    for n in 0..2_000 {
        let at_ms = if n < 10 { 0 } else { 3 * day + n };
        logs.note_access(record(at_ms, "/x".repeat(100)));
    }
    logs.flush();
    drop(logs);
    let database = Arc::new(Database::open_sqlite(&path, &MIGRATIONS, true).unwrap());
    let limits = LogLimits { age_days: 1, size_bytes: 200_000 };
    let pruner = writer::Writer::new(database, limits, &path, Arc::new(AtomicU64::new(0))).at(4 * day);
    pruner.prune().unwrap();
    let logs = LogStore::open(&path, LIMITS).unwrap();
    let left = logs.list_access(5_000).unwrap();
    assert!(left.len() < 1_500 && !left.is_empty(), "{}", left.len());
    assert!(left.iter().all(|record| record.at_ms > day));
    drop(logs);
}

#[test]
fn runs_are_kept_as_they_were_told_and_no_longer_than_the_rest() {
    let folder = Folder::new("runs");
    let day = 86_400_000;
    let run = |begun_ms, source: &str, message: &str| super::SyncRun {
        begun_ms,
        schema: "hr".into(),
        source: source.into(),
        outcome: "failed".into(),
        message: Some(message.into()),
        resumed_at: Some(7),
        counts: super::SyncRunCounts { fetched: 9, bytes: 1 << 40, ..Default::default() },
        ..Default::default()
    };
    let store = LogStore::open(&folder.file(), LIMITS).unwrap();
    store.note_run(run(day, "old", "x"));
    store.note_run(run(3 * day, "items", "a line\nforged"));
    store.note_run(run(3 * day + 1, "items", "x"));
    store.note_run(super::SyncRun { schema: "other".into(), ..run(3 * day, "items", "x") });
    store.flush();
    let runs = store.list_runs("hr", Some("items"), 10).unwrap();
    assert_eq!(runs[0], run(3 * day + 1, "items", "x"));
    assert_eq!(runs[1].message.as_deref(), Some("a line\\nforged"));
    assert_eq!(store.list_runs("hr", None, 2).unwrap().len(), 2);
    drop(store);
    let database = Arc::new(Database::open_sqlite(&folder.file(), &MIGRATIONS, true).unwrap());
    let writer = writer::Writer::new(database, LIMITS, &folder.file(), Arc::new(AtomicU64::new(0)));
    writer.at(3 * day + 1).prune().unwrap();
    let store = LogStore::open(&folder.file(), LIMITS).unwrap();
    let kept: Vec<String> =
        store.list_runs("hr", None, 10).unwrap().into_iter().map(|run| run.source).collect();
    assert_eq!(kept, ["items", "items"]);
}
