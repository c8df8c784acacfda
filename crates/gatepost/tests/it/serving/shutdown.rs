//! SIGTERM: requests in flight are finished, new ones are not taken, and the exit code is 0.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::client::get;
use crate::postgres::free_port;
use crate::process::{Shop, eventually, eventually_status};
use crate::server::TestServer;

/// A table, a handler that writes into it, and one that gives much more than a socket holds.
const SERVICES: &str = "
create table note (text text);
begin
  ords.define_module('notes', '/notes/', 0);
  ords.define_template('notes', 'all');
  ords.define_handler('notes', 'all', 'POST', 'plsql/block',
    'begin insert into note (text) values (:text); :status_code := 201; end;');
  ords.define_template('notes', 'long');
  ords.define_handler(p_module_name => 'notes', p_pattern => 'long', p_items_per_page => 10000, p_source =>
    'with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
     select i, ''{filler}'' as filler from n');
  gatepost.allow_public('/notes/*', 'GET,POST');
end;
/
";

fn started() -> (Shop, TestServer) {
    let shop = Shop::new("shutdown");
    shop.script(&SERVICES.replace("{filler}", &"x".repeat(2_000))).ok();
    let server = TestServer::serve(shop.0.path());
    (shop, server)
}

fn connect(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn terminate(server: &TestServer) {
    server.terminate();
    eventually("new connections are refused", || TcpStream::connect(server.address()).is_err());
}

fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 1_024];
    while !text.contains(wanted) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed after: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

#[test]
fn a_request_whose_body_is_on_its_way_is_finished() {
    let (shop, server) = started();
    let mut stream = connect(&server);
    let body = r#"{"text": "kept"}"#;
    let head = format!(
        "POST /ords/shop/notes/all HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        server.address(),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    read_until(&mut stream, "100 Continue");
    terminate(&server);
    stream.write_all(body.as_bytes()).unwrap();
    read_until(&mut stream, "HTTP/1.1 201 Created");
    let log = server.log.clone();
    assert_eq!(server.ended().code(), Some(0));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("stopping") && log.contains("stopped"), "{log}");
    assert_eq!(shop.lines("select text from note"), ["kept"]);
}

#[test]
fn an_answer_that_streams_is_sent_to_its_end() {
    let (_shop, server) = started();
    let mut stream = connect(&server);
    let request = format!(
        "GET /ords/shop/notes/long HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.address()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let begun = read_until(&mut stream, "\"items\"");
    terminate(&server);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let text = begun + &String::from_utf8_lossy(&rest);
    assert_eq!(text.matches("\"filler\"").count(), 10_000);
    assert!(text.ends_with("\r\n0\r\n\r\n"), "the body does not end cleanly");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_connection_that_is_idle_does_not_hold_the_server_up() {
    let (_shop, server) = started();
    let mut stream = connect(&server);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    stream.write_all(request.as_bytes()).unwrap();
    read_until(&mut stream, "ok\n");
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn a_server_at_its_limit_of_connections_stops_all_the_same() {
    let shop = Shop::new("shutdown-limit");
    let mut serve = shop.command("serve", &["--listen", "127.0.0.1:0"]);
    serve.env("GATEPOST_LIMITS_CONNECTIONS", "1").env("GATEPOST_LIMITS_HEADER_SECONDS", "600");
    let server = TestServer::spawn(shop.0.path(), serve);
    let mut stream = connect(&server);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    stream.write_all(request.as_bytes()).unwrap();
    read_until(&mut stream, "ok\n");
    // The next one waits in the kernel's queue.
    let _waiting = connect(&server);
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn a_long_pause_between_two_looks_at_the_catalog_is_cut_short() {
    let shop = Shop::new("shutdown-poll");
    let mut serve = shop.command("serve", &["--listen", "127.0.0.1:0"]);
    serve.env("GATEPOST_CATALOG_POLL_MS", "3600000").env("GATEPOST_ACCESS_MAX_STALE_SECONDS", "7200");
    let server = TestServer::spawn(shop.0.path(), serve);
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn the_last_request_is_in_the_log() {
    let (shop, server) = started();
    let mut stream = connect(&server);
    let request = format!("GET /ords/shop/last-of-all HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    stream.write_all(request.as_bytes()).unwrap();
    read_until(&mut stream, "HTTP/1.1 401");
    assert_eq!(server.stop().code(), Some(0));
    assert!(shop.run("log", &[]).ok().contains("/ords/shop/last-of-all"));
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once() {
    let shop = Shop::new("shutdown-twice");
    shop.script(SERVICES).ok();
    let health = format!("127.0.0.1:{}", free_port());
    let mut serve = shop.command("serve", &["--listen", "127.0.0.1:0"]);
    serve.env("GATEPOST_SERVER_DRAIN_SECONDS", "80000").env("GATEPOST_SERVER_HEALTH_LISTEN", &health);
    let server = TestServer::spawn(shop.0.path(), serve);
    let mut stream = connect(&server);
    let head = format!(
        "POST /ords/shop/notes/all HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 20\r\nExpect: 100-continue\r\n\r\n",
        server.address()
    );
    stream.write_all(head.as_bytes()).unwrap();
    read_until(&mut stream, "100 Continue");
    server.terminate();
    for base in [server.base_url.clone(), format!("http://{health}")] {
        eventually_status(503, async || get(&format!("{base}/readyz"), None).await).await;
    }
    assert_eq!(get(&format!("http://{health}/healthz"), None).await.status(), 200);
    server.terminate();
    let log = server.log.clone();
    assert_eq!(server.ended().code(), Some(1));
    assert!(std::fs::read_to_string(log).unwrap().contains("told to stop a second time"));
    assert!(shop.lines("select text from note").is_empty());
}
