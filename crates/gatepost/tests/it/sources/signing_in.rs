//! Each way to sign in, and that nothing else opens the door.

use super::consumer::{Consumer, N};
use super::peer::{CLIENT_ID, Peer, SECRET};

/// A door, the credential that opens it, and the path of the token endpoint.
const WAYS: [(&str, &str, &str, &str); 7] = [
    ("basic", "basic", "'basic', p_username => 'svc-reports'", ""),
    ("bearer", "bearer", "'bearer'", ""),
    ("header", "header", "'header', p_parameter_name => 'X-Api-Key'", ""),
    ("query", "query", "'query', p_parameter_name => 'api_key'", ""),
    ("oauth2_basic", "oauth2", "'oauth2_client_credentials', p_client_id => 'ID'", "token/basic"),
    (
        "oauth2_raw",
        "oauth2",
        "'oauth2_client_credentials', p_client_id => 'ID', p_client_auth => 'basic_raw'",
        "token/basic_raw",
    ),
    (
        "oauth2_post",
        "oauth2",
        "'oauth2_client_credentials', p_client_id => 'ID', p_client_auth => 'post'",
        "token/post",
    ),
];

fn definition(door: &str) -> String {
    format!("path = \"doors/{door}\"\n[rows]\n{N}")
}

#[tokio::test]
async fn cal_19_nobody_gets_in_without_or_with_another_secret() {
    let (consumer, peer) = (Consumer::new("cal_19_closed").await, Peer::start());
    let mut calls = consumer.remote(&peer.base_url);
    for (name, door, arguments, token_path) in WAYS {
        let arguments = arguments.replace("ID", CLIENT_ID);
        for (kind, secret) in [("without", ""), ("wrong", ", p_secret => 'a-secret-of-another-client'")] {
            calls.push_str(&consumer.credential(
                &format!("{name}_{kind}"),
                &peer.base_url,
                &format!("{arguments}{secret}"),
            ));
            let credential = format!("{name}_{kind}");
            calls.push_str(&consumer.source(&credential, Some((&credential, token_path)), &definition(door)));
        }
        calls.push_str(&consumer.source(&format!("{name}_nobody"), None, &definition(door)));
    }
    consumer.define(&calls, "oauth2_post_nobody").await;
    for (name, _, _, token_path) in WAYS {
        consumer.assert_fails(&format!("{name}_nobody"), (502, "api_unauthorized")).await;
        let asked = peer.asked().len();
        consumer.assert_fails(&format!("{name}_without"), (502, "secret_missing")).await;
        assert_eq!(peer.asked().len(), asked, "without a secret nothing is asked");
        let code = if token_path.is_empty() { "api_unauthorized" } else { "token_invalid_client" };
        consumer.assert_fails(&format!("{name}_wrong"), (502, code)).await;
    }
}

#[tokio::test]
async fn cal_19_each_way_to_sign_in_opens_its_door() {
    let (consumer, peer) = (Consumer::new("cal_19").await, Peer::start());
    let mut calls = consumer.remote(&peer.base_url);
    for (name, door, arguments, token_path) in WAYS {
        let secret = if door == "bearer" { "a-bearer-of-the-tests" } else { SECRET };
        let arguments = format!("{}, p_secret => '{secret}'", arguments.replace("ID", CLIENT_ID));
        calls.push_str(&consumer.credential(name, &peer.base_url, &arguments));
        calls.push_str(&consumer.source(name, Some((name, token_path)), &definition(door)));
    }
    consumer.define(&calls, "oauth2_post").await;
    for (name, _, _, token_path) in WAYS {
        for _ in 0..2 {
            assert_eq!(consumer.numbers(name, "").await, [1], "{name}");
        }
        // Remembered, where there is one.
        assert!(token_path.is_empty() || peer.count(token_path) == 1, "{name}");
    }
    // A secret stands where it must, and nowhere else.
    for asked in peer.asked() {
        let in_query = asked.target.starts_with("/doors/query?");
        assert_eq!(asked.target.contains('?'), in_query, "{}", asked.target);
        assert_eq!(asked.body.contains("client_secret"), asked.target == "/token/post", "{}", asked.target);
        assert_eq!(asked.headers.contains_key("x-api-key"), asked.target == "/doors/header");
    }
}
