//! What is asked of the logs is answered from the rows, in whatever way it is found.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Folder, LIMITS, record};
use crate::logs::{
    AccessFilter, AccessRecord, AuditFilter, AuditRecord, LogStore, QUARTER_MS, StatusFilter, TotalsFilter,
};

fn open(folder: &Folder) -> LogStore {
    LogStore::open(&folder.file(), LIMITS).unwrap()
}

fn filled(folder: &Folder, records: &[AccessRecord]) -> LogStore {
    let logs = open(folder);
    for part in records.chunks(10_000) {
        for record in part {
            logs.note_access(record.clone());
        }
        logs.flush();
    }
    logs
}

fn outcome(status: u16) -> &'static str {
    match status {
        ..400 => "allowed",
        400..500 => "refused",
        _ => "failed",
    }
}

fn call(at_ms: i64, client: Option<&str>, status: u16) -> AccessRecord {
    AccessRecord {
        client: client.map(Into::into),
        status,
        outcome: outcome(status),
        ..record(at_ms, format!("/ords/hr/hr/employees/{at_ms}"))
    }
}

/// All pages of a filter.
fn all(logs: &LogStore, filter: &AccessFilter, limit: u32) -> Vec<i64> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = logs.find_access(filter, before, limit).unwrap();
        found.extend(page.records.into_iter().map(|(_, record)| record.at_ms));
        before = page.next;
        if before.is_none() {
            return found;
        }
    }
}

#[test]
fn a_status_is_read_as_a_class_a_number_or_an_outcome() {
    assert_eq!(StatusFilter::parse("4xx"), Some(StatusFilter::Between(400, 499)));
    assert_eq!(StatusFilter::parse("refused"), StatusFilter::parse("4xx"));
    assert_eq!(StatusFilter::parse("401"), Some(StatusFilter::Between(401, 401)));
    assert_eq!(StatusFilter::parse("denied"), Some(StatusFilter::Denied));
    for bad in ["", "6xx", "0xx", "42", "600", "xx", "40x", "-1"] {
        assert_eq!(StatusFilter::parse(bad), None, "{bad}");
    }
}

#[test]
fn pages_follow_each_other_without_a_gap_or_a_double() {
    let folder = Folder::new("pages");
    let records: Vec<AccessRecord> = (0..1_000).map(|n| call(n * 1_000, Some("a"), 200)).collect();
    let logs = filled(&folder, &records);
    let found = all(&logs, &AccessFilter::default(), 7);
    assert_eq!(found, (0..1_000).rev().map(|n| n * 1_000).collect::<Vec<_>>());
    let some = AccessFilter { from_ms: Some(10_000), to_ms: Some(13_000), ..AccessFilter::default() };
    assert_eq!(all(&logs, &some, 2), [12_000, 11_000, 10_000]);
}

#[test]
fn a_rare_client_is_found_without_reading_what_is_not_its() {
    let folder = Folder::new("rare");
    let quarter = |n: i64| n * QUARTER_MS;
    let mut records: Vec<AccessRecord> = vec![call(1, Some("rare"), 403)];
    records.extend((0..45_000).map(|n| call(quarter(5) + n * 40, Some("busy"), 200)));
    let logs = filled(&folder, &records);
    let rare = AccessFilter { client: Some("rare".into()), ..AccessFilter::default() };
    let page = logs.find_access(&rare, None, 10).unwrap();
    assert_eq!(page.records.len(), 1, "one page, though it lies behind 45,000 rows");
    assert_eq!(page.next, None);
    let denied = AccessFilter { status: Some(StatusFilter::Denied), ..AccessFilter::default() };
    assert_eq!(all(&logs, &denied, 10), [1]);
    // What no total knows is looked for within a bound, and the page says how far.
    let text = AccessFilter { text: Some("EMPLOYEES/1".into()), to_ms: None, ..AccessFilter::default() };
    let page =
        logs.find_access(&AccessFilter { text: Some("nowhere".into()), ..text.clone() }, None, 10).unwrap();
    assert!(page.records.is_empty() && page.next.is_some() && page.looked_back_to_ms.is_some());
    assert!(all(&logs, &text, 10).contains(&1));
}

#[test]
fn a_reference_number_is_found_whatever_became_of_the_request() {
    let folder = Folder::new("reference");
    let records = [call(5, None, 401), call(6, Some("a"), 200), call(7, Some("a"), 500)];
    let logs = filled(&folder, &records);
    for (request_id, at_ms) in [("r5", 5), ("r6", 6), ("r7", 7)] {
        let filter = AccessFilter { request_id: Some(request_id.into()), ..AccessFilter::default() };
        assert_eq!(all(&logs, &filter, 10), [at_ms]);
    }
    let elsewhere = AccessFilter {
        request_id: Some("r5".into()),
        schemas: Some(vec!["other".into()]),
        ..AccessFilter::default()
    };
    assert!(all(&logs, &elsewhere, 10).is_empty(), "another schema's line is nobody's business");
    let nobody = AccessFilter { client: Some(String::new()), ..AccessFilter::default() };
    assert_eq!(all(&logs, &nobody, 10), [5]);
}

#[test]
fn new_requests_are_told_and_listed_after_a_line() {
    let folder = Folder::new("after");
    let logs = filled(&folder, &[call(1, None, 200), call(2, None, 200)]);
    let mut watch = logs.watch_access();
    watch.mark_unchanged();
    let newest = logs.newest_access_id().unwrap();
    assert!(logs.list_access_after(&AccessFilter::default(), newest, 10).unwrap().is_empty());
    let other = open(&folder);
    other.note_access(call(3, None, 200));
    other.flush();
    assert!(!watch.has_changed().unwrap(), "another process is seen by a look only");
    logs.note_access(call(4, None, 401));
    logs.flush();
    assert!(watch.has_changed().unwrap());
    let times = |filter: &AccessFilter, limit| -> Vec<i64> {
        let records = logs.list_access_after(filter, newest, limit).unwrap();
        records.into_iter().map(|(_, record)| record.at_ms).collect()
    };
    assert_eq!(times(&AccessFilter::default(), 10), [3, 4]);
    assert_eq!(times(&AccessFilter::default(), 1), [4], "the newest, when there are more than asked for");
    let refused = AccessFilter { status: StatusFilter::parse("401"), ..AccessFilter::default() };
    assert_eq!(times(&refused, 10), [4]);
    let record = logs.find_access_record(newest).unwrap().unwrap();
    assert_eq!(record.at_ms, 2);
    assert_eq!(logs.find_access_record(99).unwrap(), None);
}

#[test]
fn the_audit_trail_is_asked_by_event_client_and_time() {
    let folder = Folder::new("trail");
    let logs = open(&folder);
    for n in 0..20_i64 {
        logs.note_audit(AuditRecord {
            at_ms: n,
            event: if n % 2 == 0 { "token issued" } else { "token refused" },
            outcome: if n % 2 == 0 { "success" } else { "failure" },
            reason: "ok",
            schema: Some("hr".into()),
            client: Some("a".into()),
            ..AuditRecord::default()
        });
    }
    logs.flush();
    let find = |filter: &AuditFilter, before| logs.find_audit(filter, before, 3).unwrap();
    let issued = AuditFilter { event: Some("token issued".into()), ..AuditFilter::default() };
    let page = find(&issued, None);
    assert_eq!(page.records.iter().map(|(_, it)| it.at_ms).collect::<Vec<_>>(), [18, 16, 14]);
    assert_eq!(find(&issued, page.next).records[0].1.at_ms, 12);
    let late = AuditFilter { from_ms: Some(18), outcome: Some("failure".into()), ..AuditFilter::default() };
    assert_eq!(find(&late, None).records.len(), 1);
    let elsewhere = AuditFilter { schemas: Some(vec!["other".into()]), ..AuditFilter::default() };
    assert!(find(&elsewhere, None).records.is_empty());
    let seen = logs.list_clients_seen().unwrap();
    assert_eq!((seen[0].last_token_ms, seen[0].last_call_ms), (Some(18), None));
}

fn any_call() -> impl Strategy<Value = AccessRecord> {
    let client = prop_oneof![Just(None), Just(Some("a")), Just(Some("b"))];
    let status = prop_oneof![Just(200_u16), Just(201), Just(401), Just(403), Just(404), Just(500)];
    (0..6 * QUARTER_MS, client, status, 1..9_000_000_i64, 0..3).prop_map(
        |(at_ms, client, status, duration_us, route)| AccessRecord {
            duration_us,
            route: (route > 0).then(|| format!("hr r{route}").into()),
            ..call(at_ms, client, status)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn totals_are_the_sums_of_the_rows(mut calls in proptest::collection::vec(any_call(), 0..300), cut in 0..300_usize) {
        let folder = Folder::new("totals");
        // Requests are noted when they end.
        calls.sort_by_key(|call| call.at_ms + call.duration_us / 1_000);
        let cut = cut.min(calls.len());
        // Written in parts, by processes that follow each other.
        drop(filled(&folder, &calls[..cut]));
        let logs = filled(&folder, &calls[cut..]);
        let mut expected: BTreeMap<(i64, String, u16), (u64, i64, i64)> = BTreeMap::new();
        for call in &calls {
            let client = call.client.as_deref().unwrap_or_default().to_owned();
            let key = (call.at_ms / QUARTER_MS * QUARTER_MS, client, call.status);
            let sum = expected.entry(key).or_default();
            *sum = (sum.0 + 1, sum.1 + call.duration_us, sum.2.max(call.at_ms));
        }
        let everything = TotalsFilter { to_ms: 7 * QUARTER_MS, ..TotalsFilter::default() };
        let told = logs.list_client_totals(&everything).unwrap();
        for total in &told {
            prop_assert_eq!(total.total.durations.count(), total.total.requests);
        }
        let told: BTreeMap<_, _> = told.into_iter().map(|it| {
            ((it.begins_ms, it.client, it.status), (it.total.requests, it.total.duration_us, it.total.last_ms))
        }).collect();
        prop_assert_eq!(told, expected);
        let routes = logs.list_route_totals(&everything, 100).unwrap();
        prop_assert_eq!(routes.iter().map(|it| it.total.requests).sum::<u64>(), calls.len() as u64);
        for route in &routes {
            let of_route: Vec<_> =
                calls.iter().filter(|it| it.route.as_deref().unwrap_or_default() == route.route).collect();
            prop_assert_eq!(route.total.requests, of_route.len() as u64);
            prop_assert_eq!(route.total.durations.count(), route.total.requests);
            let denied = of_route.iter().filter(|it| matches!(it.status, 401 | 403)).count();
            prop_assert_eq!(route.denied, denied as u64);
            prop_assert_eq!(route.failed, of_route.iter().filter(|it| it.status >= 500).count() as u64);
        }
        // Asked by client and status, the pages hold what a look at every row finds.
        for (client, status) in [("a", "401"), ("b", "2xx"), ("", "denied")] {
            let filter = AccessFilter {
                client: Some(client.into()),
                status: StatusFilter::parse(status),
                ..AccessFilter::default()
            };
            let fits = |call: &&AccessRecord| {
                let status = match status {
                    "401" => call.status == 401,
                    "2xx" => (200..300).contains(&call.status),
                    _ => matches!(call.status, 401 | 403),
                };
                status && call.client.as_deref().unwrap_or_default() == client
            };
            let mut expected: Vec<i64> = calls.iter().filter(fits).map(|call| call.at_ms).collect();
            let mut found = all(&logs, &filter, 10);
            expected.sort_unstable();
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn totals_go_with_the_age_limit_and_what_was_seen_of_a_client_stays() {
    let folder = Folder::new("totals-age");
    let day = crate::logs::DAY_MS;
    let logs = filled(&folder, &[call(1, Some("old"), 200), call(5 * day, Some("new"), 200)]);
    drop(logs);
    let database = std::sync::Arc::new(
        crate::database::Database::open_sqlite(&folder.file(), &crate::logs::MIGRATIONS, true).unwrap(),
    );
    let writer =
        crate::logs::writer::Writer::new(database, LIMITS, &folder.file(), std::sync::Arc::default());
    writer.at(5 * day).prune().unwrap();
    let logs = open(&folder);
    let everything = TotalsFilter { to_ms: 9 * day, ..TotalsFilter::default() };
    assert_eq!(logs.list_client_totals(&everything).unwrap().len(), 1);
    assert_eq!(logs.list_route_totals(&everything, 10).unwrap().len(), 1);
    let seen = logs.list_clients_seen().unwrap();
    assert_eq!(seen.iter().map(|it| it.client.as_str()).collect::<Vec<_>>(), ["new", "old"]);
    assert_eq!(logs.find_begin_ms().unwrap(), Some(1));
}
