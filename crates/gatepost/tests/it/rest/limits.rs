//! Time, size and number (DESIGN decisions 17 and 18). No test measures speed: limits are small, or far away.

use std::io::{Read as _, Write as _};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::http;
use crate::shop::{Shop, header, parts};

#[tokio::test]
async fn statements_that_never_end_are_504_and_write_nothing() {
    let shop = Shop::with("[limits]\nstatement_ms = 300\nwrite_ms = 300\n").await;
    let (status, body) = parts(shop.get("endless").await).await;
    assert_eq!((status, &body["o:errorCode"]), (StatusCode::GATEWAY_TIMEOUT, &json!("GP404")));
    // Writes that wait beside endless ones are made or refused, and what was said is what is.
    let mut running = Vec::new();
    for number in 0..12 {
        let path = if number % 4 == 0 { "endless" } else { "notes" };
        let request = shop.request(Method::POST, path).json(&json!({"text": "good"}));
        running.push(tokio::spawn(async move { (path, request.send().await.unwrap().status()) }));
    }
    let mut made = 0;
    for task in running {
        let (path, status) = task.await.unwrap();
        match (path, status) {
            ("notes", StatusCode::OK) => made += 1,
            // Ended, or never begun because others were before it for too long.
            (_, StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(shop.count("select count(*) from note"), made);
    let after = shop.request(Method::POST, "notes").json(&json!({"text": "good"})).send().await.unwrap();
    assert_eq!(after.status(), StatusCode::OK);
    assert_eq!(shop.get("items/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn bodies_have_a_size_and_a_time() {
    let shop = Shop::with("[limits]\nbody_bytes = 1000\nbody_seconds = 1\n").await;
    let large = json!({"text": "x".repeat(2000)});
    let refused = shop.request(Method::POST, "notes").json(&large).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // A size that is not announced counts too.
    let (host, token) = (shop.server.address(), &shop.token);
    let head = format!(
        "POST /ords/hr/shop/notes HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    );
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    let answer = shop
        .server
        .raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let slow = shop.server.raw(format!("{head}Content-Length: 20\r\n\r\n{{\"text\":").as_bytes());
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    // Nobody's body is read before it is known who sends it.
    let stranger =
        format!("POST /ords/hr/shop/notes HTTP/1.1\r\nHost: {host}\r\nContent-Length: 999999999\r\n\r\n");
    assert!(shop.server.raw(stranger.as_bytes()).starts_with("HTTP/1.1 401 "));
    assert_eq!(shop.count("select count(*) from note"), 0);
    let good = shop.request(Method::POST, "notes").json(&json!({"text": "x"})).send().await.unwrap();
    assert_eq!(good.status(), StatusCode::OK);
}

#[tokio::test]
async fn header_blocks_have_a_size_and_a_time() {
    let shop = Shop::with("[limits]\nheader_seconds = 1\n").await;
    let host = shop.server.address();
    let head = format!("GET /ords/hr/shop/items/ HTTP/1.1\r\nHost: {host}\r\n");
    let long = format!("{head}X-Long: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert!(shop.server.raw(long.as_bytes()).starts_with("HTTP/1.1 431 "));
    let many = (0..200).fold(head.clone(), |head, n| format!("{head}X-{n}: x\r\n"));
    assert!(shop.server.raw(format!("{many}\r\n").as_bytes()).starts_with("HTTP/1.1 431 "));
    let slow = shop.server.raw(format!("{head}X-Slow: ").as_bytes());
    assert!(slow.is_empty() || slow.starts_with("HTTP/1.1 408 "), "{slow}");
    let long = format!("GET /ords/hr/shop/{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "x".repeat(9000));
    let answer = shop.server.raw(long.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 414 "), "{answer}");
    assert_eq!(shop.get("items/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_hundred_thousand_rows_are_one_whole_document() {
    let shop = Shop::with("[limits]\nrows = 200000\n").await;
    let answer = shop.get("many/100000").await;
    assert_eq!(header(&answer, "content-length"), "", "it is streamed");
    assert_eq!(header(&answer, "content-security-policy"), "sandbox; default-src 'none'");
    let page: Value = answer.json().await.unwrap();
    let items = page["items"].as_array().unwrap();
    assert_eq!((items.len(), &page["count"], &page["hasMore"]), (100_000, &json!(100_000), &json!(false)));
    assert!(items.iter().enumerate().all(|(index, item)| item["id"].as_u64() == Some(index as u64 + 1)));
}

#[tokio::test]
async fn a_stream_that_fails_never_looks_complete() {
    let shop = Shop::with("[limits]\nrows = 200000\n").await;
    for coding in ["identity", "gzip", "br"] {
        let sent = shop.request(Method::GET, "cut").header("accept-encoding", coding).send().await;
        // The connection may end before the head of the answer was on its way.
        let Ok(answer) = sent else { continue };
        assert_eq!(answer.status(), StatusCode::OK);
        let encoding = header(&answer, "content-encoding").to_owned();
        assert_eq!(encoding, if coding == "identity" { "" } else { coding });
        assert!(answer.bytes().await.is_err(), "{coding}: the cut body ended cleanly");
    }
    // On the wire: no last chunk, and the document is not closed.
    let request = format!(
        "GET /ords/hr/shop/cut HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        shop.server.address(),
        shop.token
    );
    let answer = shop.server.raw(request.as_bytes());
    assert!(answer.len() > 1_000_000 && !answer.ends_with("0\r\n\r\n") && !answer.contains("hasMore"));
}

#[tokio::test]
async fn an_answer_that_is_too_large_fails_as_a_whole_or_is_cut() {
    let shop = Shop::with("[limits]\nresponse_bytes = 10000\n").await;
    let answer = shop.get("many/5000").await;
    let failed = answer.status().is_server_error() || answer.bytes().await.is_err();
    assert!(failed);
    assert_eq!(shop.get("many/5").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn callers_that_go_away_leave_the_server_well() {
    let shop = Shop::with("[limits]\nrows = 10000000\nstreams = 2\nstall_seconds = 2\n").await;
    let request = format!(
        "GET /ords/hr/shop/many/5000000 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        shop.server.address(),
        shop.token
    );
    for read in [0, 1000, 100_000] {
        for _ in 0..4 {
            let mut stream = std::net::TcpStream::connect(shop.server.address()).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut taken = vec![0; read];
            stream.read_exact(&mut taken).unwrap();
        }
    }
    // More than there are streams went away; one of our own still gets all of its rows.
    let mut last = StatusCode::OK;
    for _ in 0..250 {
        let answer = shop.get("many/20000").await;
        last = answer.status();
        if last == StatusCode::OK {
            let page: Value = answer.json().await.unwrap();
            assert_eq!(page["count"], 20_000);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{last}");
}

#[tokio::test]
async fn many_callers_at_a_time_all_get_their_answer() {
    let shop = Shop::shared().await;
    let mut running = Vec::new();
    for number in 0..200 {
        let request = shop.request(Method::GET, &format!("items/{}", number % 5 + 1));
        running.push(tokio::spawn(async move { parts(request.send().await.unwrap()).await }));
    }
    for (number, task) in running.into_iter().enumerate() {
        let (status, body) = task.await.unwrap();
        assert_eq!((status, body["id"].as_u64()), (StatusCode::OK, Some(number as u64 % 5 + 1)));
    }
}

#[tokio::test]
async fn a_write_that_was_answered_survives_a_kill() {
    let shop = Shop::new().await;
    for number in 0..5 {
        let answer = shop
            .request(Method::POST, "notes")
            .json(&json!({"text": format!("note {number}")}))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let (token, folder) = (shop.token.clone(), shop.folder.path().to_owned());
    let (server, _folder) = shop.killed_and_started_again();
    assert!(folder.exists());
    let answer = http().get(server.url("hr/shop/notes")).bearer_auth(&token).send().await.unwrap();
    let (status, body) = parts(answer).await;
    assert_eq!((status, &body["count"]), (StatusCode::OK, &json!(5)));
}

#[tokio::test]
async fn a_body_of_very_many_members_holds_nobody_up() {
    let shop = Shop::new().await;
    let body = |count: usize| {
        (0..count).fold(String::from("{\"text\":\"x\""), |text, n| text + &format!(",\"m{n}\":1")) + "}"
    };
    let post = |body: String| {
        shop.request(Method::POST, "notes").header("content-type", "application/json").body(body)
    };
    assert_eq!(post(body(300_000)).send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(post(body(500)).send().await.unwrap().status(), StatusCode::OK);
}
