//! Tokens of other people's endpoints: who asks how often, and what becomes of endpoints at fault.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::consumer::{Consumer, N};
use super::peer::{CLIENT_ID, Peer, SECRET};

/// A consumer with one credential of each token endpoint, and a source `s0`, `s1`, … at a path with each.
async fn consumer(name: &'static str, peer: &Peer, sources: &[(&str, &str)], lines: &str) -> Consumer {
    let consumer = Consumer::new(name).await;
    let mut calls = consumer.remote(&peer.base_url);
    for (at, (token_path, path)) in sources.iter().enumerate() {
        let arguments = format!(
            "'oauth2_client_credentials', p_client_id => '{CLIENT_ID}', p_secret => '{SECRET}',
             p_client_auth => '{}'",
            if *token_path == "token/post" { "post" } else { "basic" }
        );
        calls.push_str(&consumer.credential(&format!("c{at}"), &peer.base_url, &arguments));
        let definition = format!("path = \"{path}\"\n{lines}[rows]\n{N}");
        calls.push_str(&consumer.source(
            &format!("s{at}"),
            Some((&format!("c{at}"), token_path)),
            &definition,
        ));
    }
    consumer.define(&calls, &format!("s{}", sources.len() - 1)).await;
    consumer
}

#[tokio::test]
async fn cal_01_two_hundred_callers_make_one_token_request() {
    let peer = Peer::start();
    let consumer = consumer("cal_01", &peer, &[("token/basic", "doors/oauth2")], "").await;
    let callers = (0..200).map(|_| consumer.numbers("s0", ""));
    for rows in futures_util::future::join_all(callers).await {
        assert_eq!(rows, [1]);
    }
    assert_eq!(peer.count("token/basic"), 1);
    assert_eq!(peer.count("doors/oauth2"), 200);
}

#[tokio::test]
async fn cal_01_at_its_end_a_token_is_asked_for_once_more() {
    let peer = Peer::start();
    let consumer = consumer("cal_01_end", &peer, &[("token/short-then-long", "doors/oauth2")], "").await;
    assert_eq!(consumer.numbers("s0", "").await, [1]);
    // `expires_in` was 1.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let callers = (0..50).map(|_| consumer.numbers("s0", ""));
    for rows in futures_util::future::join_all(callers).await {
        assert_eq!(rows, [1]);
    }
    assert_eq!(peer.count("token/short-then-long"), 2);
}

#[tokio::test]
async fn cal_02_a_token_endpoint_in_trouble_is_asked_three_times() {
    let peer = Peer::start();
    let sources = [("token/trouble-twice", "doors/oauth2"), ("token/trouble", "doors/oauth2")];
    let consumer = consumer("cal_02", &peer, &sources, "").await;
    assert_eq!(consumer.numbers("s0", "").await, [1]);
    assert_eq!(peer.count("token/trouble-twice"), 3);
    let asked = peer.count("doors/oauth2");
    consumer.assert_fails("s1", (502, "token_http_500")).await;
    assert_eq!(peer.count("token/trouble"), 3);
    assert_eq!(peer.count("doors/oauth2"), asked, "without a token nothing is asked");
}

#[tokio::test]
async fn cal_03_odd_lifetimes_are_read_or_a_token_is_used_once() {
    let peer = Peer::start();
    let cases =
        [("absent", 1), ("text", 1), ("0", 2), ("-5", 2), ("1000000000000", 1), ("1e999", 1), ("null", 1)];
    let sources: Vec<_> = cases.iter().map(|(name, _)| format!("token/lifetime/{name}")).collect();
    let sources: Vec<_> = sources.iter().map(|path| (path.as_str(), "doors/oauth2")).collect();
    let consumer = consumer("cal_03", &peer, &sources, "").await;
    for (at, (name, requests)) in cases.iter().enumerate() {
        for _ in 0..2 {
            let (status, body) = consumer.get(&format!("s{at}"), "").await;
            assert_eq!(status.as_u16(), 200, "{name}: {body}");
        }
        assert_eq!(peer.count(&format!("token/lifetime/{name}")), *requests, "{name}");
    }
}

#[tokio::test]
async fn cal_04_a_token_that_ended_early_is_replaced_once() {
    let peer = Peer::start();
    let consumer = consumer("cal_04", &peer, &[("token/basic", "doors/oauth2")], "").await;
    assert_eq!(consumer.numbers("s0", "").await, [1]);
    peer.end_tokens();
    assert_eq!(consumer.numbers("s0", "").await, [1]);
    assert_eq!((peer.count("token/basic"), peer.count("doors/oauth2")), (2, 3));
}

#[tokio::test]
async fn cal_04_an_api_that_always_refuses_is_asked_twice() {
    let peer = Peer::start();
    let sources = [("token/basic", "faults/401-after"), ("token/post", "faults/401-once")];
    let consumer = consumer("cal_04_always", &peer, &sources, "").await;
    assert_eq!(consumer.numbers("s0", "").await, [1]);
    consumer.assert_fails("s0", (502, "api_unauthorized")).await;
    // The remembered token and a new one; and the good call before.
    assert_eq!((peer.count("token/basic"), peer.count("faults/401-after")), (2, 3));
    assert_eq!(consumer.numbers("s1", "").await, [1]);
    assert_eq!(consumer.numbers("s1", "").await, [1]);
    assert_eq!((peer.count("token/post"), peer.count("faults/401-once")), (2, 3));
}

/// Fifty callers go on while the secret is replaced. A call that begins when the edit is known uses a token of the new
/// secret, whatever was remembered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cal_05_no_call_after_an_edit_uses_the_old_token() {
    let peer = Peer::start();
    let lines = "[[param]]\nname = \"round\"\nin = \"query\"\n";
    let consumer = consumer("cal_05", &peer, &[("token/basic", "doors/oauth2")], lines).await;
    assert_eq!(consumer.numbers("s0", "?round=first").await, [1]);
    let edited = AtomicBool::new(false);
    let caller = async || {
        let mut after = 0;
        while after < 2 {
            let is_after = edited.load(Ordering::SeqCst);
            after += u32::from(is_after);
            let round = if is_after { "?round=after" } else { "?round=before" };
            assert_eq!(consumer.numbers("s0", round).await, [1]);
        }
    };
    let edit = async {
        crate::process::eventually_async("fifty callers are under way", async || {
            peer.asked_for("doors/oauth2").len() > 50
        })
        .await;
        peer.change_secret("another-secret-of-the-tests");
        let name = "cal_05_c0";
        tokio::task::block_in_place(|| {
            consumer
                .run(&format!("gatepost.set_credential_secret('{name}', 'another-secret-of-the-tests');"));
        });
        crate::process::eventually_async("the edit is known", async || {
            consumer.numbers("s0", "?round=probe").await;
            peer.tokens().len() == 2
        })
        .await;
        edited.store(true, Ordering::SeqCst);
    };
    let callers = futures_util::future::join_all((0..50).map(|_| caller()));
    futures_util::future::join(callers, edit).await;
    let tokens = peer.tokens();
    assert_eq!(tokens.len(), 2);
    let with = |round: &str| {
        let of_round =
            peer.asked_for("doors/oauth2").into_iter().filter(|asked| asked.target.ends_with(round));
        of_round.map(|asked| asked.header("authorization").to_owned()).collect::<Vec<_>>()
    };
    assert!(with("round=before").contains(&format!("Bearer {}", tokens[0])));
    let after = with("round=after");
    assert_eq!(after.len(), 100);
    assert!(after.iter().all(|sent| *sent == format!("Bearer {}", tokens[1])));
}

#[tokio::test]
async fn cal_17_what_is_no_token_is_not_used() {
    let peer = Peer::start();
    let cases = [
        ("html", "token_not_json"),
        ("cut", "token_not_json"),
        ("list", "token_not_json"),
        ("no-token", "token_not_json"),
        ("line-break", "token_not_json"),
        ("mac", "token_type_unsupported"),
        ("large", "token_too_large"),
        ("endless", "token_too_large"),
        ("other-scope", "token_invalid_scope"),
        ("other-grant", "token_unsupported_grant"),
        ("unauthorized", "token_unauthorized_client"),
        ("nowhere", "token_http_404"),
    ];
    let paths: Vec<_> = cases.iter().map(|(name, _)| format!("token/{name}")).collect();
    let sources: Vec<_> = paths.iter().map(|path| (path.as_str(), "doors/oauth2")).collect();
    let consumer = consumer("cal_17", &peer, &sources, "").await;
    for (at, (name, code)) in cases.iter().enumerate() {
        consumer.assert_fails(&format!("s{at}"), (502, code)).await;
        assert_eq!(peer.count(&format!("token/{name}")), 1, "{name}");
    }
    assert_eq!(peer.count("doors/oauth2"), 0);
}

/// An endpoint that says that the client is wrong is not asked again at once: it might lock the client out.
#[tokio::test]
async fn cal_17_a_wrong_client_is_said_once() {
    let peer = Peer::start();
    peer.change_secret("another-secret-of-the-tests");
    let consumer = consumer("cal_17_wrong", &peer, &[("token/basic", "doors/oauth2")], "").await;
    for _ in 0..5 {
        consumer.assert_fails("s0", (502, "token_invalid_client")).await;
    }
    assert_eq!(peer.count("token/basic"), 1);
}

/// The time of a fetch is the time of all that it takes, tokens included.
#[tokio::test]
async fn cal_17_a_silent_token_endpoint_costs_no_more_than_the_time_of_the_fetch() {
    let peer = Peer::start();
    let lines = "limits = { max_time = \"500ms\" }\n";
    let consumer = consumer("cal_17_silent", &peer, &[("token/silent", "doors/oauth2")], lines).await;
    let begun = Instant::now();
    consumer.assert_fails("s0", (504, "token_timeout")).await;
    // A token request by itself may take ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

/// No redirect of a token endpoint is followed, wherever it leads: the secret would go along.
#[tokio::test]
async fn cal_07_no_redirect_of_a_token_endpoint_is_followed() {
    let (peer, stranger) = (Peer::start(), Peer::start());
    let path = format!("token/redirect/{}", stranger.base_url.rsplit(':').next().unwrap());
    let consumer = consumer("cal_07_token", &peer, &[(&path, "doors/oauth2")], "").await;
    consumer.assert_fails("s0", (502, "token_redirected")).await;
    assert_eq!(peer.asked().len(), 1);
    assert!(stranger.asked().is_empty());
}
