//! No secret of a credential and no token of other people's endpoints is written anywhere, however much is logged and
//! whatever the other side repeats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::StatusCode;

use super::consumer::{Consumer, N};
use super::peer::{CLIENT_ID, Peer, SECRET};
use super::{CONFIG, Intranet};
use crate::client::http;
use crate::hidden::Hidden;
use crate::process::finish;
use crate::server::gatepost;

const WRONG: &str = "a wrong/secret+of%the~tests";
const BEARER: &str = "a-bearer-of-the-tests";

/// The spellings in which a secret travels.
fn hide(hidden: &mut Hidden, secret: &str) {
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let kept = ["-", ".", "_", "*"]
        .iter()
        .fold(percent.clone(), |text, kept| text.replace(&format!("%{:02X}", kept.as_bytes()[0]), kept));
    let form = kept.replace("%20", "+");
    for spelling in [secret.to_owned(), kept, form.clone(), percent] {
        hidden.add("a secret", &spelling);
    }
    let id = utf8_percent_encode(CLIENT_ID, NON_ALPHANUMERIC);
    for basic in [format!("svc-reports:{secret}"), format!("{CLIENT_ID}:{secret}"), format!("{id}:{form}")] {
        hidden.add("a Basic value", &STANDARD.encode(basic));
    }
}

/// Sources of each way to sign in, at an API that repeats what it gets and at one that answers; with secrets that are
/// right and wrong.
fn definitions(consumer: &Consumer, peer: &Peer) -> (String, Vec<String>) {
    let oauth = |way: &str| {
        format!("'oauth2_client_credentials', p_client_id => '{CLIENT_ID}', p_client_auth => '{way}'")
    };
    let ways = [
        ("basic", "'basic', p_username => 'svc-reports'".to_owned(), ""),
        ("bearer", "'bearer'".to_owned(), ""),
        ("header", "'header', p_parameter_name => 'X-Api-Key'".to_owned(), ""),
        ("query", "'query', p_parameter_name => 'api_key'".to_owned(), ""),
        ("oauth2", oauth("basic"), "token/basic"),
        ("oauth2_raw", oauth("basic_raw"), "token/basic_raw"),
        ("oauth2_post", oauth("post"), "token/post"),
    ];
    let (mut calls, mut names) = (consumer.remote(&peer.base_url), Vec::new());
    for (name, arguments, token_path) in ways {
        let right = if name == "bearer" { BEARER } else { SECRET };
        for (kind, secret) in [("right", right), ("wrong", WRONG)] {
            let credential = format!("{name}_{kind}");
            calls.push_str(&consumer.credential(
                &credential,
                &peer.base_url,
                &format!("{arguments}, p_secret => '{secret}'"),
            ));
            let door = name.split('_').next().unwrap();
            for (end, path, keys) in [
                ("door", format!("doors/{door}"), ""),
                ("echo", "faults/echo".to_owned(), ""),
                ("keys", "faults/echo-keys".to_owned(), "[rows]\nselect = \"/items\"\n"),
                (
                    "link",
                    "faults/echo-link".to_owned(),
                    "[pagination]\ntype = \"next_url\"\nnext = \"/next\"\n[rows]\nselect = \"/items\"\n",
                ),
                ("cut", "faults/cut-body".to_owned(), ""),
            ] {
                let source = format!("{credential}_{end}");
                let keys = if keys.is_empty() { "[rows]\n" } else { keys };
                let definition = format!("path = \"{path}\"\n{keys}{N}");
                calls.push_str(&consumer.source(&source, Some((&credential, token_path)), &definition));
                names.push(source);
            }
        }
    }
    (calls, names)
}

#[tokio::test]
async fn cal_12_nothing_secret_is_written_wherever_a_call_fails() {
    let intranet = Intranet::start(&format!("{CONFIG}[log]\nlevel = \"trace\"\n")).await;
    let (consumer, peer) = (Consumer::of(intranet, "cal_12"), Peer::start());
    let mut hidden = Hidden::default();
    for secret in [SECRET, WRONG] {
        hide(&mut hidden, secret);
    }
    hidden.add("a bearer", BEARER);
    let (calls, sources) = definitions(&consumer, &peer);
    consumer.define(&calls, sources.last().unwrap()).await;
    let (mut good, mut bad) = (0, 0);
    for source in &sources {
        for accept in ["application/json", "text/html", "text/csv"] {
            let answer = http().get(consumer.url(source)).header("accept", accept);
            let answer = answer.bearer_auth(&consumer.intranet.token).send().await.unwrap();
            *(if answer.status() == StatusCode::OK { &mut good } else { &mut bad }) += 1;
            hidden.assert_absent("a header", format!("{:?}", answer.headers()).as_bytes());
            hidden.assert_absent("an answer", answer.text().await.unwrap().as_bytes());
        }
    }
    // The doors whose secret is right, in three forms.
    assert!(good >= 7 * 3 && bad >= 7 * 3 * 8, "{good} {bad}");
    for token in peer.tokens() {
        hidden.add("a token", &token);
    }
    let folder = &consumer.intranet.folder;
    for source in sources.iter().filter(|source| source.ends_with("echo")) {
        let (code, shown) = consumer.intranet.source(&["test", &format!("cal_12_{source}")]);
        assert_eq!(code, Some(1), "{shown}");
        hidden.assert_absent("source test", shown.as_bytes());
    }
    for token in peer.tokens() {
        hidden.add("a token", &token);
    }
    for (name, arguments) in [
        ("export", &["--schema", "intranet"][..]),
        (
            "sql",
            &[
                "--schema",
                "intranet",
                "-c",
                "select * from user_gatepost_credentials; select * from user_gatepost_rest_sources;",
            ],
        ),
        ("log", &["--limit", "10000"]),
        ("log", &["--changes", "--limit", "10000"]),
    ] {
        let mut command = gatepost(&[name, "--data", folder.path().to_str().unwrap()]);
        let outcome = finish(command.args(arguments).env("GATEPOST_LOG_LEVEL", "trace"), "");
        hidden.assert_absent(name, outcome.stderr.as_bytes());
        hidden.assert_absent(name, outcome.ok().as_bytes());
    }
    let server = &consumer.intranet.server;
    let log = server.log_text();
    for said in ["you sent", "not a URL: http://[", "there are the keys"] {
        assert!(log.contains(said), "what the other side said is logged: {said}");
    }
    hidden.assert_absent("the server's standard output", server.printed().as_bytes());
    hidden.assert_absent("the server's log", log.as_bytes());
    hidden.assert_absent_from_stores(folder);
}
