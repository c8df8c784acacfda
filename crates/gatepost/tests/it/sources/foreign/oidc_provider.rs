//! Tokens of `oidc-provider`, and the API that they open.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::super::consumer::{Consumer, N};
use super::super::peer::{CLIENT_ID, SECRET};
use super::{Running, cached, need, run_installer, works};
use crate::client::get;
use crate::folder::Folder;

const PINNED: [(&str, &str); 3] = [
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
    ("server.mjs", include_str!("oidc.mjs")),
];

/// The folder of the server, installed.
fn installed() -> &'static PathBuf {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        need("Node.js 18 or newer with npm", &["nodejs", "npm"], || {
            works("node", &["-e", "process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)"])
                && works("npm", &["--version"])
        });
        cached("oidc-provider", &PINNED.map(|(_, text)| text).concat(), |folder| {
            for (name, text) in PINNED {
                std::fs::write(folder.join(name), text).unwrap();
            }
            let mut npm = Command::new("npm");
            run_installer(npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]), folder);
        })
    })
}

#[tokio::test]
async fn cal_20_a_foreign_token_server_gives_tokens_for_its_api() {
    let folder = Folder::new("oidc-provider");
    let mut node = Command::new("node");
    node.arg(installed().join("server.mjs")).env("ID", CLIENT_ID).env("SECRET", SECRET);
    let server = Running::start(&mut node, folder.path().join("log"));
    let base_url = format!("http://127.0.0.1:{}", server.wait_for_line("ready "));

    let consumer = Consumer::new("cal_20_oidc").await;
    let mut calls = consumer.remote(&base_url);
    for (name, id, secret, scope, way) in [
        ("wrong", CLIENT_ID, "a-secret-of-another-client", "hr.read", "basic"),
        ("raw", CLIENT_ID, SECRET, "hr.read", "basic_raw"),
        ("narrow", CLIENT_ID, SECRET, "hr.write", "basic"),
        ("basic", CLIENT_ID, SECRET, "hr.read", "basic"),
        ("post", "poster", SECRET, "hr.read", "post"),
    ] {
        let arguments = format!(
            "'oauth2_client_credentials', p_client_id => '{id}', p_secret => '{secret}', p_scope => '{scope}',
             p_client_auth => '{way}'"
        );
        calls.push_str(&consumer.credential(name, &base_url, &arguments));
        let definition = format!("path = \"api/staff\"\n[pagination]\ntype = \"link_header\"\n[rows]\n{N}");
        calls.push_str(&consumer.source(name, Some((name, "token")), &definition));
    }
    consumer.define(&calls, "post").await;
    for (name, code) in
        [("wrong", "token_invalid_client"), ("raw", "token_http_400"), ("narrow", "api_forbidden")]
    {
        consumer.assert_fails(name, (502, code)).await;
    }
    let given = async || get(&format!("{base_url}/given"), None).await.json::<u64>().await.unwrap();
    let before = given().await;
    for name in ["basic", "post"] {
        for _ in 0..2 {
            assert_eq!(consumer.numbers(name, "").await, [1, 2, 3, 4, 5], "{name}: {}", server.said());
        }
    }
    assert_eq!(given().await - before, 2);
    // The server forgets them, and the consumer asks for others.
    assert_eq!(get(&format!("{base_url}/end-tokens"), None).await.status(), 200);
    assert_eq!(consumer.numbers("basic", "?limit=3").await, [1, 2, 3]);
    assert_eq!(given().await - before, 3);
}
