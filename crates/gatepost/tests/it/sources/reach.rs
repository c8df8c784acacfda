//! Where calls may go: what the operator forbids, what a credential is valid for, and what callers cannot change.

use super::consumer::{Consumer, N};
use super::peer::{Peer, Raw, RawPeer};
use super::{CONFIG, Intranet};
use crate::client::get;
use crate::server::{TestServer, gatepost};

#[tokio::test]
async fn cal_08_no_definition_reaches_what_the_operator_forbids() {
    let consumer = Consumer::new("cal_08").await;
    let forbidden = [
        "http://169.254.169.254".to_owned(),
        "http://[fd00:ec2::254]".to_owned(),
        "https://metadata.google.internal".to_owned(),
        "https://10.0.0.1".to_owned(),
        "https://192.168.0.1".to_owned(),
        "https://[::ffff:10.0.0.1]".to_owned(),
        "https://[64:ff9b::a00:1]".to_owned(),
        "https://0.0.0.0".to_owned(),
        "https://8.8.8.8:22".to_owned(),
        "http://8.8.8.8".to_owned(),
    ];
    let mut calls = String::new();
    for (at, url) in forbidden.iter().enumerate() {
        let source = format!("server = \"cal_08_{at}\"\npath = \"doors/bearer\"\n[rows]\n{N}");
        let server = format!("gatepost.define_remote_server('cal_08_{at}', '{url}');");
        calls.extend([server, format!("gatepost.define_rest_source('cal_08_s{at}', '{source}');")]);
    }
    consumer.define(&calls, "s9").await;
    for (at, url) in forbidden.iter().enumerate() {
        let (status, body) = consumer.get(&format!("s{at}"), "").await;
        assert_eq!(status.as_u16(), 502, "{url}: {body}");
        assert!(body.contains("egress_denied"), "{url}: {body}");
    }
}

/// A secret with a list goes to what is listed. The check comes before anything is sent.
#[tokio::test]
async fn cal_09_a_secret_goes_to_the_urls_that_it_is_valid_for() {
    let (consumer, peer) = (Consumer::new("cal_09").await, Peer::start());
    let address = peer.base_url.trim_start_matches("http://");
    let port = address.rsplit(':').next().unwrap();
    let cases = [
        (format!("http://{address}/doors"), true),
        (format!("HTTP://{address}/doors/bearer"), true),
        (format!("http://0x7f.1:{port}/"), true),
        (format!("http://{address}/door"), false),
        (format!("http://{address}/doors/bearer/x"), false),
        (format!("https://{address}/doors"), false),
        ("http://127.0.0.1/doors".to_owned(), false),
        (format!("http://localhost:{port}/doors"), false),
        (format!("http://127.0.0.1.evil.example:{port}/doors"), false),
    ];
    let mut calls = consumer.remote(&peer.base_url);
    for (at, (url, _)) in cases.iter().enumerate() {
        let arguments = "'bearer', p_secret => 'a-bearer-of-the-tests'";
        calls.push_str(&consumer.credential(&format!("c{at}"), url, arguments));
        let definition = format!("path = \"doors/bearer\"\n[rows]\n{N}");
        calls.push_str(&consumer.source(&format!("s{at}"), Some((&format!("c{at}"), "")), &definition));
    }
    consumer.define(&calls, &format!("s{}", cases.len() - 1)).await;
    for (at, (url, is_valid)) in cases.iter().enumerate() {
        let before = peer.asked().len();
        let source = format!("s{at}");
        if *is_valid {
            assert_eq!(consumer.numbers(&source, "").await, [1], "{url}");
        } else {
            consumer.assert_fails(&source, (502, "credential_url_not_allowed")).await;
            assert_eq!(peer.asked().len(), before, "{url}");
        }
    }
}

/// What callers send stays a value: it fills its segment, its parameter, its header, and nothing beside.
#[tokio::test]
async fn cal_21_no_value_of_a_caller_changes_what_is_called() {
    let (consumer, peer) = (Consumer::new("cal_21").await, Peer::start());
    let params: String = [("id", "path", ""), ("v", "query", ""), ("h", "header", "send = \"X-Value\"\n")]
        .map(|(name, place, send)| format!("[[param]]\nname = \"{name}\"\nin = \"{place}\"\n{send}"))
        .concat();
    let definition = format!("path = \"faults/echo/{{id}}/end\"\n{params}[rows]\n{N}");
    let calls = [consumer.remote(&peer.base_url), consumer.source("s", None, &definition)];
    consumer.define(&calls.concat(), "s").await;
    let ask = async |id: &str, v: &str, h: &str| {
        let pairs = [("id", id), ("v", v), ("h", h)];
        let url = reqwest::Url::parse_with_params("http://x/", pairs).unwrap();
        consumer.get("s", &format!("?{}", url.query().unwrap())).await
    };
    for (id, v, h) in [
        ("", "x", "x"),
        (".", "x", "x"),
        ("..", "x", "x"),
        ("a/../b", "x", "x"),
        ("..\\b", "x", "x"),
        ("x", "x", "a\r\nX-Injected: yes"),
        ("x", "x", "a\0b"),
    ] {
        let (status, body) = ask(id, v, h).await;
        assert_eq!(status.as_u16(), 400, "{id:?} {h:?}: {body}");
    }
    assert!(peer.asked().is_empty(), "{:?}", peer.asked());
    for value in ["a/b", "a?b=c", "a#b", "%2e%2e", "a&v=2", "//evil.example/", "@evil.example", "\u{fc}"] {
        let before = peer.asked().len();
        assert_eq!(ask(value, value, "x").await.0.as_u16(), 502, "the API knows no such path");
        let asked = peer.asked();
        assert_eq!(asked.len(), before + 1);
        let (path, query) = asked[before].target.split_once('?').unwrap();
        let segments: Vec<_> = path.split('/').collect();
        assert!(matches!(segments[..], ["", "faults", "echo", _, "end"]), "{path}");
        let decoded = percent_encoding::percent_decode_str(segments[3]).decode_utf8().unwrap();
        assert_eq!(decoded, value);
        assert_eq!(query.matches('&').count() + query.matches('#').count(), 0, "{query}");
        assert_eq!(asked[before].header("x-value"), "x");
        // So that installations that call each other come to an end.
        assert_eq!(asked[before].header("gatepost-hop"), "1");
    }
}

/// A proxy would resolve and dial by itself, where no policy sees it.
#[tokio::test]
async fn cal_22_no_proxy_of_the_environment_is_used() {
    let intranet = Intranet::start(CONFIG).await;
    let Intranet { server, token, rows_url, folder } = intranet;
    let address = server.address();
    server.stop();
    let proxy = RawPeer::start(Raw::Closed);
    let mut demo = gatepost(&["demo", "--listen", &address, "--data", folder.path().to_str().unwrap()]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        demo.env(name, proxy.base_url());
    }
    for name in ["NO_PROXY", "no_proxy"] {
        demo.env_remove(name);
    }
    let server = TestServer::spawn(folder.path(), demo);
    assert_eq!(server.address(), address);
    let answer = get(&rows_url, Some(&token)).await;
    assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());
    assert_eq!(proxy.accepted(), 0);
}
