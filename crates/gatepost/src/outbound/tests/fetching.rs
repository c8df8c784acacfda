//! Tokens and pages: who asks how often, and what happens when servers change their mind.

use std::sync::atomic::AtomicBool;

use gatepost_sources::definition::{Credential, Oauth2Client, RemoteServer, RestSource, ServerKind, SignIn};
use gatepost_sources::paging::{Truncation, Window};
use gatepost_sources::template::Values;
use secrecy::{ExposeSecret as _, SecretString};

use super::*;

/// An API with a token endpoint: `/token` and `/api`, told apart by a function.
struct Pair {
    peer: Peer,
    outbound: Arc<Outbound>,
}

impl Pair {
    async fn start(answer: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let (tokens, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let peer = Peer::start(move |head| {
            let is_token = head.starts_with("POST /token");
            let count = if is_token { &tokens } else { &calls };
            answer(head, count.fetch_add(1, Ordering::SeqCst) + 1)
        })
        .await;
        Self { peer, outbound: Arc::new(on_loopback()) }
    }

    fn count(&self, begin: &str) -> usize {
        self.peer.asked().iter().filter(|head| head.starts_with(begin)).count()
    }

    fn ready(&self, definition: &str, generation: u64) -> ReadySource {
        let base = format!("http://127.0.0.1:{}", self.peer.port);
        let text = format!(
            "server = \"s\"\npath = \"api\"\nauth = {{ credential = \"c\", token_path = \"token\" }}\n{definition}"
        );
        let source = Arc::new(RestSource::from_toml("x", &text).unwrap());
        let server = Arc::new(RemoteServer { id: 1, ..RemoteServer::new("s", ServerKind::Rest, &base) });
        let client = Oauth2Client { client_id: "id".into(), ..Oauth2Client::default() };
        let sign_in = SignIn::Oauth2ClientCredentials(client);
        let credential = Arc::new(Credential { generation, ..Credential::new("c", sign_in) });
        let valid_for = ValidFor::of_urls([base.as_str()]);
        let secret = SecretString::from(SECRET);
        let endpoint = TokenEndpoint {
            server: 1,
            url: format!("{base}/token").parse().unwrap(),
            tls_ca: None,
            credential: Arc::clone(&credential),
            auth: source.auth.clone().unwrap(),
            secret: secret.clone(),
            valid_for: valid_for.clone(),
            hops: 0,
        };
        let sign_in = ReadyCredential { credential, secret, endpoint: Some(endpoint), valid_for };
        ReadySource { source, server, base_url: base.parse().unwrap(), sign_in: Some(sign_in), hops: 0 }
    }

    async fn rows(&self, definition: &str, generation: u64) -> Result<(usize, FetchFacts), SourceError> {
        self.rows_at(definition, generation, || 0).await
    }

    async fn rows_at(
        &self,
        definition: &str,
        generation: u64,
        now_ms: fn() -> i64,
    ) -> Result<(usize, FetchFacts), SourceError> {
        let ready = self.ready(definition, generation);
        let mut fetch =
            Fetch::new(&self.outbound, ready, &Values::default(), &[], Window::default(), now_ms).unwrap();
        let rows = fetch.all().await?;
        Ok((rows.len(), fetch.facts().clone()))
    }
}

fn token(value: &str) -> Vec<u8> {
    json(&format!("{{\"access_token\":\"{value}\",\"token_type\":\"Bearer\",\"expires_in\":3600}}"))
}

fn json(body: &str) -> Vec<u8> {
    ok("Content-Type: application/json\r\n", body.as_bytes())
}

fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn two_hundred_callers_share_one_token_request() {
    let pair = Pair::start(|head, _| if head.starts_with("POST") { token("t1") } else { json("[{}]") }).await;
    let all = (0..200).map(|_| pair.rows("", 1));
    for result in futures_util::future::join_all(all).await {
        assert_eq!(result.unwrap().0, 1);
    }
    assert_eq!(pair.count("POST /token"), 1);
    // An edit of the credential forgets the token.
    pair.rows("", 2).await.unwrap();
    assert_eq!(pair.count("POST /token"), 2);
}

#[tokio::test]
async fn refused_token_is_replaced_once() {
    let pair = Pair::start(|head, count| match (head.starts_with("POST"), count) {
        (true, count) => token(&format!("t{count}")),
        (false, 2) => status("401 Unauthorized"),
        (false, _) => json("[{}]"),
    })
    .await;
    pair.rows("", 1).await.unwrap();
    assert_eq!(pair.rows("", 1).await.unwrap().0, 1);
    assert_eq!((pair.count("POST /token"), pair.count("GET /api")), (2, 3));
    assert!(pair.peer.asked().last().unwrap().contains("Bearer t2"));
}

#[tokio::test]
async fn api_that_always_refuses_is_called_twice() {
    let pair = Pair::start(|head, count| match head.starts_with("POST") {
        true => token(&format!("t{count}")),
        false if count == 1 => json("[{}]"),
        false => status("401 Unauthorized"),
    })
    .await;
    pair.rows("", 1).await.unwrap();
    let error = pair.rows("", 1).await.unwrap_err();
    assert_eq!((error.code, error.status), (Code::ApiUnauthorized, Some(401)));
    assert_eq!((pair.count("POST /token"), pair.count("GET /api")), (2, 3));
}

#[tokio::test]
async fn token_server_in_trouble_is_asked_again() {
    let pair = Pair::start(|head, count| match (head.starts_with("POST"), count) {
        (true, 1 | 2) => status("500 Internal Server Error"),
        (true, _) => token("t1"),
        (false, _) => json("[{}]"),
    })
    .await;
    assert_eq!(pair.rows("", 1).await.unwrap().0, 1);
    assert_eq!(pair.count("POST /token"), 3);
}

/// A token request by itself may take ten seconds. The time of the fetch is the time of all that it takes.
#[tokio::test]
async fn silent_token_endpoint_costs_no_more_than_the_time_of_the_fetch() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}/token", silent.local_addr().unwrap());
    let pair = Pair::start(|_, _| json("[{}]")).await;
    let mut ready = pair.ready("limits = { max_time = \"300ms\" }\n", 1);
    let endpoint = ready.sign_in.as_mut().unwrap().endpoint.as_mut().unwrap();
    endpoint.url = silent_url.parse().unwrap();
    endpoint.valid_for = ValidFor::of_urls([silent_url.as_str()]);
    let begun = Instant::now();
    let fetch = Fetch::new(&pair.outbound, ready, &Values::default(), &[], Window::default(), || 0);
    let error = fetch.unwrap().all().await.unwrap_err();
    assert_eq!(error.code, Code::TokenTimeout, "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(pair.count("GET /api"), 0);
}

/// A source with little time gets its token with the next call, and whoever waits gets it without another request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller_who_goes_away_leaves_the_token_to_the_others() {
    static ANSWER: AtomicBool = AtomicBool::new(false);
    let pair = Pair::start(|head, _| {
        if head.starts_with("GET") {
            return json("[{}]");
        }
        // Not for ever, so that a test that failed comes to its end.
        for _ in 0..2_000 {
            if ANSWER.load(Ordering::SeqCst) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        token("t")
    })
    .await;
    let error = pair.rows("limits = { max_time = \"200ms\" }\n", 1).await.unwrap_err();
    assert_eq!(error.code, Code::TokenTimeout, "{error:?}");
    let answered = async {
        // The others wait already.
        tokio::time::sleep(Duration::from_millis(50)).await;
        ANSWER.store(true, Ordering::SeqCst);
    };
    let waiting = futures_util::future::join_all((0..20).map(|_| pair.rows("", 1)));
    let (rows, ()) = futures_util::future::join(waiting, answered).await;
    assert!(rows.into_iter().all(|rows| rows.unwrap().0 == 1));
    assert_eq!((pair.count("POST /token"), pair.count("GET /api")), (1, 20));
}

#[tokio::test]
async fn wrong_client_is_not_asked_for_again_and_tells_no_secret() {
    let pair = Pair::start(|_, _| {
        let body = format!("{{\"error\":\"invalid_client\",\"error_description\":\"not {SECRET}\"}}");
        let head = format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n", body.len());
        (head + &body).into_bytes()
    })
    .await;
    for _ in 0..3 {
        let error = pair.rows("", 1).await.unwrap_err();
        assert_eq!(error.code, Code::TokenInvalidClient);
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    }
    assert_eq!(pair.count("POST /token"), 1);
    assert_eq!(pair.count("GET /api"), 0);
}

#[tokio::test]
async fn odd_lifetimes_of_tokens() {
    for (expires_in, requests) in
        [("\"3600\"", 1), ("1e12", 1), ("null", 1), ("0", 2), ("-5", 2), ("\"soon\"", 2)]
    {
        let body = format!("{{\"access_token\":\"t\",\"expires_in\":{expires_in}}}");
        let pair =
            Pair::start(move |head, _| if head.starts_with("POST") { json(&body) } else { json("[{}]") })
                .await;
        pair.rows("", 1).await.unwrap();
        pair.rows("", 1).await.unwrap();
        assert_eq!(pair.count("POST /token"), requests, "{expires_in}");
    }
}

const OFFSET: &str =
    "[pagination]\ntype = \"offset\"\npage_size = 2\nlimit_param = \"limit\"\noffset_param = \"offset\"\n";

fn offset_of(head: &str) -> usize {
    let after = head.split("offset=").nth(1).unwrap_or("0");
    after.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn pages_are_followed_by_the_rows_that_came() {
    // The server clamps the page to one row.
    let pair = Pair::start(|head, _| match head.starts_with("POST") {
        true => token("t"),
        false if offset_of(head) < 5 => json(&format!("[{{\"n\":{}}}]", offset_of(head))),
        false => json("[]"),
    })
    .await;
    let (rows, facts) = pair.rows(OFFSET, 1).await.unwrap();
    assert_eq!((rows, facts.requests, facts.truncated), (5, 6, None));
}

#[tokio::test]
async fn server_that_ignores_the_offset_is_found_out() {
    let pair = Pair::start(
        |head, _| if head.starts_with("POST") { token("t") } else { json("[{\"n\":1},{\"n\":2}]") },
    )
    .await;
    assert_eq!(pair.rows(OFFSET, 1).await.unwrap_err().code, Code::PageLoop);
}

#[tokio::test]
async fn limits_are_said_and_never_hidden() {
    let pair = Pair::start(|head, _| {
        if head.starts_with("POST") {
            token("t")
        } else {
            json(&format!("[{{\"n\":{0}}},{{\"n\":-{0}}}]", offset_of(head) + 1))
        }
    })
    .await;
    for (limits, rows, limit) in [
        ("max_pages = 3", 6, Truncation::Pages),
        ("max_rows = 5", 5, Truncation::Rows),
        ("max_bytes = \"1KiB\"", 0, Truncation::Bytes),
    ] {
        let (found, facts) = pair.rows(&format!("limits = {{ {limits} }}\n{OFFSET}"), 1).await.unwrap();
        assert_eq!(facts.truncated, Some(limit), "{limits}");
        assert!(rows == 0 || found == rows, "{limits}: {found}");
    }
}

#[tokio::test]
async fn next_page_on_another_server_gets_no_token() {
    let stranger = Peer::start(|_| json("[]")).await;
    let elsewhere = stranger.url("/api?page=2");
    let pair = Pair::start(move |head, _| {
        if head.starts_with("POST") {
            token("t")
        } else {
            json(&format!("{{\"items\":[{{}}],\"next\":\"{elsewhere}\"}}"))
        }
    })
    .await;
    let definition = "[pagination]\ntype = \"next_url\"\nnext = \"/next\"\n[rows]\nselect = \"/items\"\n";
    assert_eq!(pair.rows(definition, 1).await.unwrap_err().code, Code::PageCrossOrigin);
    assert!(stranger.asked().is_empty());
}

#[tokio::test]
async fn busy_api_is_asked_again_and_missing_rows_can_be_none() {
    let pair = Pair::start(|head, count| match (head.starts_with("POST"), count) {
        (true, _) => token("t"),
        (false, 1) => b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".to_vec(),
        (false, 2) => json("[{}]"),
        (false, _) => status("404 Not Found"),
    })
    .await;
    assert_eq!(pair.rows("", 1).await.unwrap().1.requests, 2);
    assert_eq!(pair.rows("", 1).await.unwrap_err().code, Code::ApiNotFound);
    let empty = "[[on]]\nstatus = [404]\naction = \"empty\"\n";
    assert_eq!(pair.rows(empty, 1).await.unwrap().0, 0);
}

/// The wall clock is asked for dates in `Retry-After` only. A day ahead, nothing is waited for; a day behind, no longer
/// than the fetch may take. Tokens stay what they are.
#[tokio::test]
async fn a_clock_that_is_set_moves_no_token_and_no_wait() {
    const DATE: &str = "Wed, 21 Oct 2015 07:28:00 GMT";
    const DATE_MS: i64 = 1_445_412_480_000;
    const DAY_MS: i64 = 86_400_000;
    let pair = Pair::start(|head, count| match (head.starts_with("POST"), count) {
        (true, _) => token("t"),
        (false, 1 | 3 | 5) => {
            format!("HTTP/1.1 503 Busy\r\nRetry-After: {DATE}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        }
        (false, _) => json("[{}]"),
    })
    .await;
    let clocks: [fn() -> i64; 2] = [|| DATE_MS, || DATE_MS + DAY_MS];
    for now_ms in clocks {
        assert_eq!(pair.rows_at("", 1, now_ms).await.unwrap().1.requests, 2);
    }
    let soon = "limits = { max_time = \"20s\" }\n";
    let error = pair.rows_at(soon, 1, || DATE_MS - DAY_MS).await.unwrap_err();
    assert_eq!((error.code, error.status), (Code::ApiHttp(503), Some(503)));
    assert_eq!((pair.count("POST /token"), pair.count("GET /api")), (1, 5));
}

/// No text of a failure holds the secret or the token, whatever the server repeats.
#[tokio::test]
async fn nothing_that_fails_tells_a_secret() {
    let pair = Pair::start(|head, _| {
        if head.starts_with("POST") {
            return token("token-of-theirs-4711");
        }
        let body = format!("you sent {SECRET} and token-of-theirs-4711");
        let head = format!("HTTP/1.1 400 Bad\r\nContent-Length: {}\r\n\r\n", body.len());
        (head + &body).into_bytes()
    })
    .await;
    let error = pair.rows("", 1).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("you sent"), "{shown}");
    assert!(!shown.contains(SECRET) && !shown.contains("4711"), "{shown}");
    let ready = format!("{:?}", pair.ready("", 1));
    assert!(!ready.contains(SECRET), "{ready}");
    let token =
        pair.outbound.token(pair.ready("", 1).sign_in.unwrap().endpoint.as_ref().unwrap()).await.unwrap();
    assert_eq!(token.value.expose_secret(), "token-of-theirs-4711");
    assert!(!format!("{token:?} {:?}", pair.outbound).contains("4711"));
}
