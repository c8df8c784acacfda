//! Where calls may go: what the operator forbids, and what a credential is valid for.

use super::consumer::{Consumer, N};
use super::peer::Peer;

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
