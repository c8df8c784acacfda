//! Where the console is: with the APIs on loopback, nowhere beside public APIs, or at an address of its own.

use std::net::TcpListener;

use reqwest::StatusCode;

use crate::backend::Backend;
use crate::client::http;
use crate::folder::Folder;
use crate::process::eventually;
use crate::server::{TestServer, run_ok};

/// A served installation, and the socket that it listens on: its URL can be another one.
struct Installation {
    _folder: Folder,
    server: TestServer,
    socket: String,
}

fn installation(name: &str, configuration: &str) -> Installation {
    let folder = Folder::on(Backend::Sqlite, name);
    let path = folder.path().to_str().unwrap().to_owned();
    run_ok(&["init", &path, "--data-url", "sqlite:shop.db", "--create", "--schema", "shop"]);
    folder.configure(configuration);
    let socket = free_address();
    let server = TestServer::start(folder.path(), &["serve", "--listen", &socket]);
    Installation { _folder: folder, server, socket }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

async fn ask(socket: &str, host: &str, path: &str) -> reqwest::Response {
    http().get(format!("http://{socket}{path}")).header("host", host).send().await.unwrap()
}

#[tokio::test]
async fn beside_public_apis_there_is_none() {
    let made = installation("console-public", "[server]\npublic_url = \"https://api.example\"\n");
    assert_eq!(ask(&made.socket, "api.example", "/console/sign-in").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        ask(&made.socket, &made.socket, "/console/sign-in").await.status(),
        StatusCode::MISDIRECTED_REQUEST
    );
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let made = installation("console-off", "[console]\nenabled = false\n");
    assert_eq!(ask(&made.socket, &made.socket, "/console/sign-in").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn at_an_address_of_its_own_it_is_there_only_and_nothing_else_is() {
    let apart = free_address();
    let made = installation("console-apart", &format!("[console]\nlisten = \"{apart}\"\n"));
    assert_eq!(ask(&made.socket, &made.socket, "/console/setup").await.status(), StatusCode::NOT_FOUND);
    let page = ask(&apart, &apart, "/console/setup").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(ask(&apart, &apart, "/").await.status(), StatusCode::SEE_OTHER);
    let api = ask(&apart, &apart, "/ords/shop/").await;
    assert!(api.headers().get("www-authenticate").is_none(), "no API is there: {api:?}");
    eventually("its address is printed", || {
        made.server.printed().contains(&format!("http://{apart}/console/"))
    });
}

#[tokio::test]
async fn by_a_host_name_of_its_own_it_is_there_only() {
    let made = installation(
        "console-named",
        "[server]\npublic_url = \"https://api.example\"\n[console]\npublic_url = \"https://console.example\"\n",
    );
    assert_ne!(ask(&made.socket, "api.example", "/console/setup").await.status(), StatusCode::OK);
    let page = ask(&made.socket, "console.example", "/console/setup").await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src https://console.example/console/assets/"), "{policy}");
    assert_eq!(
        ask(&made.socket, "console.example", "/ords/shop/").await.status(),
        StatusCode::MISDIRECTED_REQUEST
    );
}
