//! Runs against a file; the program's tests do the same on both databases, over the wire.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::data::{DataLocation, DataOptions};

struct Fixture {
    data: DataStore,
    folder: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("gatepost-sync-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let location = DataLocation::Sqlite(folder.join("data.db"));
        Self { data: DataStore::open(&location, DataOptions::default()).unwrap(), folder }
    }

    fn rows(&self) -> Vec<(i64, String, String)> {
        let connection = rusqlite::Connection::open(self.folder.join("data.db")).unwrap();
        let mut query =
            connection.prepare("select id, name, cast(amount as text) from item order by id").unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    fn claim(&self, target: &SyncTarget, claim: &SyncClaim) -> Claimed {
        TableSync::claim(&self.data, target, claim).unwrap()
    }

    /// A whole run.
    fn run(&self, target: &SyncTarget, now_ms: i64, rows: &[(i64, &str, &str)]) -> SyncCounts {
        let mut sync = ours(self.claim(target, &claim("a", now_ms)));
        sync.add(&data(rows)).unwrap();
        sync.apply(now_ms, "item", None).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.data.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn target(mode: SyncMode) -> SyncTarget {
    SyncTarget {
        source_id: 7,
        source: "items".into(),
        table: "item".into(),
        create_table: true,
        mode,
        delete_missing: false,
        columns: vec![
            ("id".into(), ColumnType::Integer),
            ("name".into(), ColumnType::Text),
            ("amount".into(), ColumnType::Decimal),
        ],
        primary_key: vec!["id".into()],
    }
}

fn claim(holder: &str, now_ms: i64) -> SyncClaim {
    SyncClaim {
        holder: holder.into(),
        now_ms,
        lease_ms: 100,
        newest_ms: None,
        version: "1".into(),
        fresh_ms: 0,
    }
}

fn data(rows: &[(i64, &str, &str)]) -> Vec<Vec<Datum>> {
    let row = |(id, name, amount): &(i64, &str, &str)| {
        vec![Datum::Integer(id.to_string()), Datum::Text((*name).into()), Datum::Decimal((*amount).into())]
    };
    rows.iter().map(row).collect()
}

fn ours(claimed: Claimed) -> TableSync {
    match claimed {
        Claimed::Ours(sync) => *sync,
        Claimed::Taken(state) => panic!("taken: {state:?}"),
    }
}

#[test]
fn merging_changes_what_differs_and_counts_it() {
    let fixture = Fixture::new();
    let merge = target(SyncMode::Merge);
    let counts = fixture.run(&merge, 1_000, &[(1, "one", "1.50"), (2, "two", "2"), (2, "zwei", "2")]);
    assert_eq!(counts, SyncCounts { inserted: 2, updated: 0, deleted: 0 });
    assert_eq!(fixture.rows(), [(1, "one".into(), "1.5".into()), (2, "zwei".into(), "2".into())]);
    let counts = fixture.run(&merge, 2_000, &[(1, "one", "1.5"), (2, "two", "2"), (3, "three", "3")]);
    assert_eq!(counts, SyncCounts { inserted: 1, updated: 1, deleted: 0 });
    let missing = SyncTarget { delete_missing: true, ..merge };
    let counts = fixture.run(&missing, 3_000, &[(3, "three", "3")]);
    assert_eq!(counts, SyncCounts { inserted: 0, updated: 0, deleted: 2 });
    assert_eq!(fixture.rows().len(), 1);
}

#[test]
fn a_row_without_its_key_stops_the_run_before_the_table_is_touched() {
    let fixture = Fixture::new();
    fixture.run(&target(SyncMode::Merge), 1_000, &[(1, "one", "1")]);
    let mut sync = ours(fixture.claim(&target(SyncMode::Merge), &claim("b", 2_000)));
    let nameless = vec![vec![Datum::Null, Datum::Text("x".into()), Datum::Null]];
    let refused = sync.add(&nameless).unwrap_err();
    assert_eq!(refused, SyncError::KeyMissing { row: 1, column: "id".into() });
    sync.abandon();
    assert_eq!(fixture.rows().len(), 1);
}

#[test]
fn appending_adds_and_replacing_leaves_nothing_of_before() {
    let fixture = Fixture::new();
    let append = target(SyncMode::Append);
    fixture.run(&append, 1_000, &[(1, "one", "1")]);
    fixture.run(&append, 2_000, &[(1, "one", "1")]);
    assert_eq!(fixture.rows().len(), 2);
    let counts = fixture.run(&target(SyncMode::Replace), 3_000, &[(5, "five", "5")]);
    assert_eq!(counts, SyncCounts { inserted: 1, updated: 0, deleted: 2 });
    assert_eq!(fixture.rows(), [(5, "five".into(), "5".into())]);
}

#[test]
fn one_run_at_a_time_and_who_lost_the_lease_changes_nothing() {
    let fixture = Fixture::new();
    let target = target(SyncMode::Replace);
    let mut first = ours(fixture.claim(&target, &claim("a", 1_000)));
    first.add(&data(&[(1, "first", "1")])).unwrap();
    first.flush(1_000, Some(1), None).unwrap();
    // Until its time is over, nobody else may.
    assert!(
        matches!(fixture.claim(&target, &claim("b", 1_099)), Claimed::Taken(state) if state.holder == Some("a".into()))
    );
    // Whoever looked before that run began has nothing to do.
    let looked = SyncClaim { newest_ms: Some(0), ..claim("b", 1_200) };
    assert!(matches!(fixture.claim(&target, &looked), Claimed::Taken(_)));
    let mut second = ours(fixture.claim(&target, &claim("b", 1_200)));
    assert_eq!(second.resumed_at(), Some(1));
    first.add(&data(&[(2, "first", "2")])).unwrap();
    assert_eq!(first.flush(1_201, Some(2), None), Err(SyncError::LeaseLost));
    assert_eq!(first.apply(1_202, "item", None), Err(SyncError::LeaseLost));
    assert!(fixture.rows().is_empty());
    second.add(&data(&[(2, "second", "2")])).unwrap();
    second.apply(1_203, "item", Some("2")).unwrap();
    assert_eq!(fixture.rows(), [(1, "first".into(), "1".into()), (2, "second".into(), "2".into())]);
    let state = sync_state(&fixture.data, 7).unwrap();
    assert_eq!((state.holder, state.mark.as_deref(), state.begun_ms), (None, Some("2"), 1_200));
}

#[test]
fn what_was_collected_by_another_definition_is_thrown_away() {
    let fixture = Fixture::new();
    let target = target(SyncMode::Append);
    let mut first = ours(fixture.claim(&target, &claim("a", 1_000)));
    first.add(&data(&[(1, "old", "1")])).unwrap();
    first.flush(1_000, Some(1), Some("m")).unwrap();
    first.abandon();
    let other = SyncClaim { version: "2".into(), ..claim("b", 1_001) };
    let second = ours(fixture.claim(&target, &other));
    assert_eq!((second.resumed_at(), second.staged_mark()), (None, None));
    second.apply(1_002, "item", None).unwrap();
    assert!(fixture.rows().is_empty());
}

#[test]
fn a_run_waits_for_others_who_write_to_the_same_file() {
    let fixture = Fixture::new();
    let merge = target(SyncMode::Merge);
    fixture.run(&merge, 1_000, &[(1, "one", "1")]);
    let other = rusqlite::Connection::open(fixture.folder.join("data.db")).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let writing = std::thread::spawn(move || {
        // Longer than one wait for a lock takes.
        std::thread::sleep(DataOptions::default().busy_wait * 3);
        other.execute_batch("update item set name = 'other'; commit").unwrap();
    });
    fixture.run(&merge, 2_000, &[(2, "two", "2")]);
    writing.join().unwrap();
    assert_eq!(fixture.rows(), [(1, "other".into(), "1".into()), (2, "two".into(), "2".into())]);
}
