//! `gatepost token`.

use reqwest::StatusCode;

use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::process::{Outcome, finish};
use crate::server::{TestServer, gatepost};

fn token(server: &TestServer, id: &str, arguments: &[&str], secret: &str, variable: Option<&str>) -> Outcome {
    let url = server.known("token_url");
    let mut command = gatepost(&["token", "--url", &url, "--client-id", id]);
    command.args(arguments).envs(variable.map(|value| ("GATEPOST_CLIENT_SECRET", value)));
    finish(&mut command, secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_comes_from_standard_input_or_the_environment() {
    let folder = Folder::new("token");
    let server = TestServer::demo(&folder);
    let client = Credentials::of_demo(&server);
    let with_line_end = format!("{}\n", client.secret);
    for (input, variable) in [(with_line_end.as_str(), None), ("", Some(client.secret.as_str()))] {
        let printed = token(&server, &client.id, &[], input, variable).ok();
        assert_eq!(printed.lines().count(), 1);
        let answer = get(&server.known("protected_url"), Some(printed.trim())).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let whole = token(&server, &client.id, &["--json", "--scope", "hr.read"], &client.secret, None).ok();
    let whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
    assert_eq!((whole["token_type"].as_str(), whole["scope"].as_str()), (Some("Bearer"), Some("hr.read")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_told_without_the_secret() {
    let folder = Folder::new("token-refused");
    let server = TestServer::demo(&folder);
    let client = Credentials::of_demo(&server);
    let wrong = "gp_cs_wrong_wrong_wrong_wrong_wrong";
    let message = token(&server, &client.id, &[], wrong, None).refused();
    assert!(message.contains("401") && message.contains("invalid_client"), "{message}");
    assert!(!message.contains(wrong));
    let message = token(&server, &client.id, &["--scope", "no.such"], &client.secret, None).refused();
    assert!(message.contains("invalid_scope") && !message.contains(&client.secret), "{message}");
    let message = token(&server, &client.id, &[], " \n", None).refused();
    assert!(message.contains("no secret on standard input"), "{message}");
    let mut elsewhere =
        gatepost(&["token", "--url", &format!("{}/healthz", server.base_url), "--client-id", "x"]);
    assert!(finish(&mut elsewhere, "secret").refused().contains("/healthz"));
    let mut nobody = gatepost(&["token", "--url", "http://127.0.0.1:1/token", "--client-id", "x"]);
    let message = finish(&mut nobody, &client.secret).refused();
    assert!(
        message.contains("calling http://127.0.0.1:1/token") && !message.contains(&client.secret),
        "{message}"
    );
}
