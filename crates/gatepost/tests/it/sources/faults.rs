//! APIs that misbehave: each ends in a code of its own, within its limits, and asks no more often than it should.

use std::time::{Duration, Instant};

use super::consumer::{Consumer, N};
use super::peer::{Peer, Raw, RawPeer};
use crate::postgres::free_port;

/// A fault of an API, and what comes of it.
struct Fault {
    path: &'static str,
    /// Lines of the definition: limits, time-outs.
    lines: &'static str,
    /// Status and code for the caller.
    ends: (u16, &'static str),
    /// Requests that are made.
    requests: usize,
}

const fn fault(path: &'static str, ends: (u16, &'static str), requests: usize) -> Fault {
    Fault { path, lines: "", ends, requests }
}

const fn limited(path: &'static str, lines: &'static str, ends: (u16, &'static str)) -> Fault {
    Fault { path, lines, ends, requests: 1 }
}

const SOON: &str = "timeout = { total = \"1500ms\" }\n";
const SMALL: &str = "limits = { max_bytes = \"1MiB\" }\n";

/// Defines a source for each, and asks each for rows.
async fn assert_all(name: &'static str, faults: &[Fault]) {
    let (consumer, peer) = (Consumer::new(name).await, Peer::start());
    let mut calls = consumer.remote(&peer.base_url);
    for (at, fault) in faults.iter().enumerate() {
        let definition = format!("path = \"faults/{}\"\n{}[rows]\n{N}", fault.path, fault.lines);
        calls.push_str(&consumer.source(&format!("s{at}"), None, &definition));
    }
    consumer.define(&calls, &format!("s{}", faults.len() - 1)).await;
    for (at, fault) in faults.iter().enumerate() {
        consumer.assert_fails(&format!("s{at}"), fault.ends).await;
        assert_eq!(peer.count(&format!("faults/{}", fault.path)), fault.requests, "{}", fault.path);
    }
}

#[tokio::test]
async fn cal_11_bodies_without_end_are_left() {
    assert_all(
        "cal_11",
        &[
            limited("large", SMALL, (502, "api_too_large")),
            limited("endless-body", SMALL, (502, "api_too_large")),
            limited("gzip-bomb", SMALL, (502, "api_too_large")),
            limited("brotli-bomb", SMALL, (502, "api_too_large")),
            limited("slow-body", SOON, (504, "api_timeout")),
            limited("silent", SOON, (504, "api_timeout")),
            // A refusal is not read to its end to know that it is one.
            limited("endless-refusal", SMALL, (502, "api_http_500")),
        ],
    )
    .await;
}

#[tokio::test]
async fn cal_15_what_is_no_json_is_not_taken_for_rows() {
    assert_all(
        "cal_15",
        &[
            fault("html", (502, "api_not_json"), 1),
            fault("cut-json", (502, "api_not_json"), 1),
            fault("empty", (502, "api_not_json"), 1),
            fault("no-utf8", (502, "api_not_json"), 1),
            fault("unknown-encoding", (502, "api_not_json"), 1),
            fault("wrong-encoding", (502, "api_aborted"), 3),
            // A connection that breaks is tried again.
            fault("cut-body", (502, "api_aborted"), 3),
        ],
    )
    .await;
}

#[tokio::test]
async fn cal_15_rows_must_be_where_the_definition_says() {
    let (consumer, peer) = (Consumer::new("cal_15_rows").await, Peer::start());
    let source = |name, path| {
        let definition = format!("path = \"faults/{path}\"\n[rows]\nselect = \"/items\"\n{N}");
        consumer.source(name, None, &definition)
    };
    let plain = |name, path| consumer.source(name, None, &format!("path = \"faults/{path}\"\n[rows]\n{N}"));
    let calls = [
        consumer.remote(&peer.base_url),
        source("absent", "no-rows"),
        source("object", "no-list"),
        plain("labelled", "wrong-type"),
        plain("deep", "deep"),
        plain("nothing", "empty-answer"),
    ];
    consumer.define(&calls.concat(), "nothing").await;
    consumer.assert_fails("absent", (502, "select_not_found")).await;
    consumer.assert_fails("object", (502, "select_not_array")).await;
    // JSON is what reads as JSON, whatever it is called.
    assert_eq!(consumer.numbers("labelled", "").await, [1]);
    assert!(consumer.numbers("nothing", "").await.is_empty());
    // Two hundred thousand lists within each other are one row without the column.
    assert_eq!(consumer.rows("deep", "").await["items"], serde_json::json!([{ "n": null }]));
}

#[tokio::test]
async fn cal_16_refusals_are_tried_again_only_where_that_can_help() {
    assert_all(
        "cal_16",
        &[
            fault("status/400", (502, "api_http_400"), 1),
            fault("status/401", (502, "api_unauthorized"), 1),
            fault("status/403", (502, "api_forbidden"), 1),
            fault("status/404", (502, "api_not_found"), 1),
            fault("status/500", (502, "api_http_500"), 1),
            fault("scope", (502, "api_forbidden"), 1),
            fault("busy", (502, "api_rate_limited"), 3),
            // Nobody waits for longer than the fetch may take.
            limited("busy-for-long", "limits = { max_time = \"5s\" }\n", (502, "api_rate_limited")),
        ],
    )
    .await;
}

#[tokio::test]
async fn cal_16_who_is_told_to_wait_waits() {
    let (consumer, peer) = (Consumer::new("cal_16_wait").await, Peer::start());
    let source = consumer.source("s", None, &format!("path = \"faults/busy-once\"\n[rows]\n{N}"));
    consumer.define(&[consumer.remote(&peer.base_url), source].concat(), "s").await;
    let begun = Instant::now();
    assert_eq!(consumer.numbers("s", "").await, [1]);
    // `Retry-After: 1`.
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(peer.count("faults/busy-once"), 2);
}

#[tokio::test]
async fn cal_15_what_is_no_http_has_codes_too() {
    for (name, kind, ends, connections) in [
        ("cal_15_slow_head", Raw::SlowHead, (504, "api_timeout"), 1),
        ("cal_15_endless_head", Raw::EndlessHead, (502, "api_aborted"), 3),
        ("cal_15_noise", Raw::Noise, (502, "api_aborted"), 3),
        ("cal_15_closed", Raw::Closed, (502, "api_aborted"), 3),
        ("cal_15_short_body", Raw::ShortBody, (502, "api_aborted"), 3),
        ("cal_15_two_lengths", Raw::TwoLengths, (502, "api_aborted"), 3),
    ] {
        let (consumer, peer) = (Consumer::new(name).await, RawPeer::start(kind));
        let lines = if ends.1 == "api_timeout" { SOON } else { "" };
        let source = consumer.source("s", None, &format!("path = \"x\"\n{lines}[rows]\n{N}"));
        consumer.define(&[consumer.remote(&peer.base_url()), source].concat(), "s").await;
        consumer.assert_fails("s", ends).await;
        assert_eq!(peer.accepted(), connections, "{kind:?}");
    }
    let consumer = Consumer::new("cal_15_nobody").await;
    let source = consumer.source("s", None, &format!("path = \"x\"\n[rows]\n{N}"));
    let nobody = format!("http://127.0.0.1:{}", free_port());
    consumer.define(&[consumer.remote(&nobody), source].concat(), "s").await;
    consumer.assert_fails("s", (502, "connect_failed")).await;
}

/// The header, the parameter and the token of three credentials stay with the server that they are for.
#[tokio::test]
async fn cal_07_no_redirect_takes_a_secret_elsewhere() {
    let (consumer, peer, stranger) = (Consumer::new("cal_07").await, Peer::start(), Peer::start());
    let mut calls = consumer.remote(&peer.base_url);
    for (name, arguments) in [
        ("header", "'header', p_parameter_name => 'X-Api-Key', p_secret => 'secret-in-a-header'"),
        ("query", "'query', p_parameter_name => 'api_key', p_secret => 'secret-in-a-query'"),
        ("bearer", "'bearer', p_secret => 'secret-of-a-bearer'"),
    ] {
        calls.push_str(&consumer.credential(name, &peer.base_url, arguments));
        let param = "[[param]]\nname = \"to\"\nin = \"query\"\n";
        let definition = format!("path = \"faults/redirect\"\n{param}[rows]\n{N}");
        calls.push_str(&consumer.source(name, Some((name, "")), &definition));
    }
    consumer.define(&calls, "bearer").await;
    let port = peer.base_url.rsplit(':').next().unwrap();
    for source in ["header", "query", "bearer"] {
        for to in [
            format!("{}/x", stranger.base_url),
            format!("//{}/x", stranger.base_url.trim_start_matches("http://")),
            format!("http://localhost:{port}/doors/{source}"),
            format!("http://user@127.0.0.1:{port}/doors/{source}"),
            format!("https://127.0.0.1:{port}/doors/{source}"),
            "http://10.0.0.1/x".to_owned(),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "http://[::ffff:169.254.169.254]/".to_owned(),
            "file:///etc/passwd".to_owned(),
            "nowhere:".to_owned(),
            String::new(),
        ] {
            let to: String =
                reqwest::Url::parse_with_params("http://x/", [("to", &to)]).unwrap().query().unwrap().into();
            let (status, body) = consumer.get(source, &format!("?{to}")).await;
            assert_eq!(status.as_u16(), 502, "{source} {to}: {body}");
            assert!(body.contains("api_redirected"), "{source} {to}: {body}");
        }
    }
    assert!(stranger.asked().is_empty(), "{:?}", stranger.asked());
    assert!(peer.asked().iter().all(|asked| asked.header("referer").is_empty()));
    assert_eq!(peer.count("doors/bearer") + peer.count("doors/header") + peer.count("doors/query"), 0);
}

#[tokio::test]
async fn cal_07_redirects_within_the_server_are_followed_a_few_times() {
    let (consumer, peer) = (Consumer::new("cal_07_within").await, Peer::start());
    let source = |name, path| consumer.source(name, None, &format!("path = \"faults/{path}\"\n[rows]\n{N}"));
    let calls = [
        consumer.remote(&peer.base_url),
        source("hops", "hops"),
        source("circle", "circle"),
        source("nowhere", "no-location"),
    ];
    consumer.define(&calls.concat(), "nowhere").await;
    assert_eq!(consumer.numbers("hops", "").await, [1]);
    consumer.assert_fails("circle", (502, "api_redirected")).await;
    // The first and three more.
    assert_eq!(peer.count("faults/circle"), 4);
    consumer.assert_fails("nowhere", (502, "api_redirected")).await;
}

const HAS_MORE: &str = "[pagination]\ntype = \"offset\"\noffset_param = \"offset\"\npage_size = 2\nhas_more = \"/hasMore\"\n[rows]\nselect = \"/items\"\n";
const BY_ORDS: &str = "[pagination]\ntype = \"ords\"\n[rows]\nselect = \"/items\"\n";
const BY_CURSOR: &str =
    "[pagination]\ntype = \"cursor\"\ncursor_param = \"c\"\nnext = \"/next\"\n[rows]\nselect = \"/items\"\n";
const BY_NEXT_URL: &str =
    "[pagination]\ntype = \"next_url\"\nnext = \"/next\"\n[rows]\nselect = \"/items\"\n";
const BY_LINK: &str = "[pagination]\ntype = \"link_header\"\n[rows]\nselect = \"/items\"\n";

#[tokio::test]
async fn cal_10_pages_that_go_in_a_circle_are_left() {
    let (consumer, peer) = (Consumer::new("cal_10").await, Peer::start());
    let cases = [
        ("same-page", HAS_MORE, 2),
        ("same-offset", BY_ORDS, 2),
        ("same-cursor", BY_CURSOR, 2),
        ("circle", BY_NEXT_URL, 3),
        ("always-empty", HAS_MORE, 10),
    ];
    let mut calls = consumer.remote(&peer.base_url);
    for (at, (path, tail, _)) in cases.iter().enumerate() {
        let definition = format!("path = \"faults/pages/{path}\"\n{tail}{N}");
        calls.push_str(&consumer.source(&format!("s{at}"), None, &definition));
    }
    consumer.define(&calls, "s4").await;
    for (at, (path, _, requests)) in cases.iter().enumerate() {
        consumer.assert_fails(&format!("s{at}"), (502, "page_loop")).await;
        assert_eq!(peer.count(&format!("faults/pages/{path}")), *requests, "{path}");
    }
}

#[tokio::test]
async fn cal_10_a_limit_that_is_reached_is_said() {
    let (consumer, peer) = (Consumer::new("cal_10_limits").await, Peer::start());
    let source = |name, path: &str, limits: &str| {
        let definition = format!("path = \"faults/pages/{path}\"\nlimits = {{ {limits} }}\n{HAS_MORE}{N}");
        consumer.source(name, None, &definition)
    };
    let calls = [
        consumer.remote(&peer.base_url),
        source("pages", "endless", "max_pages = 4"),
        source("rows", "endless", "max_rows = 5"),
        source("bytes", "endless", "max_bytes = \"1KiB\", max_pages = 1000"),
        source("middle", "empty-middle", "max_pages = 20"),
        source("broken", "broken-second", "max_bytes = \"1MiB\""),
    ];
    consumer.define(&calls.concat(), "broken").await;
    for (name, limit, count) in
        [("pages", "max_pages", Some(8)), ("rows", "max_rows", Some(5)), ("bytes", "max_bytes", None)]
    {
        let answer = consumer.rows(name, "?limit=1000").await;
        assert_eq!(answer["truncated"], limit, "{answer}");
        assert_eq!(answer["hasMore"], true, "{answer}");
        assert!(count.is_none_or(|count| answer["count"] == count), "{answer}");
    }
    // No more pages than the window needs.
    let before = peer.count("faults/pages/endless");
    assert_eq!(consumer.numbers("pages", "?limit=3").await.len(), 3);
    assert_eq!(peer.count("faults/pages/endless") - before, 2);
    // An empty page in the middle is not the last one, and an error on the second page is one.
    assert_eq!(consumer.numbers("middle", "").await, [0, 1, 4, 5]);
    consumer.assert_fails("broken", (502, "api_http_500")).await;
}

#[tokio::test]
async fn cal_10_next_pages_elsewhere_are_not_asked_for() {
    let (consumer, peer, stranger) = (Consumer::new("cal_10_away").await, Peer::start(), Peer::start());
    let param = "[[param]]\nname = \"to\"\nin = \"query\"\n";
    let mut calls = consumer.remote(&peer.base_url);
    calls.push_str(&consumer.credential("c", &peer.base_url, "'bearer', p_secret => 'secret-of-a-bearer'"));
    for (name, tail) in [("url", BY_NEXT_URL), ("link", BY_LINK)] {
        let definition = format!("path = \"faults/pages/away\"\n{param}{tail}{N}");
        calls.push_str(&consumer.source(name, Some(("c", "")), &definition));
    }
    consumer.define(&calls, "link").await;
    let port = peer.base_url.rsplit(':').next().unwrap();
    for source in ["url", "link"] {
        for to in [
            format!("{}/x", stranger.base_url),
            format!("//{}/x", stranger.base_url.trim_start_matches("http://")),
            format!("http://localhost:{port}/x"),
            format!("http://user@127.0.0.1:{port}/x"),
            format!("https://127.0.0.1:{port}/x"),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "file:///etc/passwd".to_owned(),
        ] {
            let to: String =
                reqwest::Url::parse_with_params("http://x/", [("to", &to)]).unwrap().query().unwrap().into();
            let (status, body) = consumer.get(source, &format!("?{to}")).await;
            assert_eq!(status.as_u16(), 502, "{source} {to}: {body}");
            assert!(body.contains("page_cross_origin"), "{source} {to}: {body}");
        }
    }
    assert!(stranger.asked().is_empty());
    assert_eq!(peer.asked().len(), peer.count("faults/pages/away"));
}
