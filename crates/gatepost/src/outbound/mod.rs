//! Calls to other people's APIs: the one HTTP client for them, with the operator's egress policy built in.
//!
//! The policy is asked about the parsed URL before a call, and about every address that a name resolves to within the
//! resolver that the connector uses (`resolver.rs`): what was judged is what is dialled. There is no proxy, no cookie, no
//! referrer, and redirects are followed here, within the origin, each judged again.

mod failure;
mod fetch;
mod look;
mod resolver;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use gatepost_sources::address::{ValidFor, follow_redirect};
use gatepost_sources::definition::Id;
use gatepost_sources::egress::EgressPolicy;
use gatepost_sources::error::{Code, SourceError};
use gatepost_sources::retry::{CONTAINS_BYTES_MAX, RetryBudget};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::Url;
use tokio::sync::Semaphore;

use failure::{causes_of, classify};
pub use fetch::{Fetch, FetchFacts, ReadyCredential, ReadySource};
pub use look::Resolved;
use resolver::{GuardedResolver, Lookup, of_the_system};
use tokens::Tokens;
pub use tokens::{GrantFacts, Token, TokenEndpoint};

/// How many installations a request may pass through.
pub const HOPS_MAX: u8 = 3;

/// Says through how many installations a request has come.
pub const HOP_HEADER: &str = "gatepost-hop";

/// Kinds of connections (trusted certificates, time to connect) that are kept; beyond it all start anew.
const CLIENTS_MAX: usize = 64;

/// Remote servers whose turns and retries are remembered; those that were dropped are never asked again.
const SERVERS_MAX: usize = 1_024;

/// How much of an answer that is no success is read: as much as rules look at.
const REFUSAL_BYTES_MAX: u64 = CONTAINS_BYTES_MAX as u64;

/// How long a request waits for others to the same server.
const TURN_WAIT: Duration = Duration::from_secs(10);

/// One request.
#[derive(Debug)]
pub struct Call<'a> {
    /// The remote server, whose requests share a limit.
    pub server: Id,
    /// The method.
    pub method: Method,
    /// Where.
    pub url: &'a Url,
    /// Headers, those of the credential included.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
    /// Where the credential in it may go.
    pub valid_for: &'a ValidFor,
    /// Certificates in PEM that are trusted besides the system's.
    pub tls_ca: Option<&'a str>,
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the last byte of the answer.
    pub total: Duration,
    /// Bytes that the answer may have, decompressed.
    pub bytes_max: u64,
    /// Whether redirects within the origin are followed.
    pub redirects: bool,
    /// Installations that the request came through, this one not counted.
    pub hops: u8,
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed; its beginning only, when the status is no success.
    pub body: Bytes,
    /// The URL that gave it, after redirects.
    pub url: Url,
    /// How long it took.
    pub elapsed: Duration,
}

/// The client.
#[derive(Debug)]
pub struct Outbound {
    policy: Arc<EgressPolicy>,
    clients: Mutex<HashMap<ClientKind, reqwest::Client>>,
    turns: Mutex<HashMap<Id, Arc<Semaphore>>>,
    requests_per_server: usize,
    tokens: Tokens,
    budgets: Mutex<HashMap<Id, RetryBudget>>,
    random: fn() -> u64,
    lookup: Lookup,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ClientKind {
    tls_ca: Option<String>,
    connect_ms: u64,
}

impl Outbound {
    /// A client under this policy with so many requests at a time to one remote server. `random` spreads retries and
    /// renewals.
    pub fn new(policy: EgressPolicy, requests_per_server: usize, random: fn() -> u64) -> Self {
        Self {
            policy: Arc::new(policy),
            clients: Mutex::default(),
            turns: Mutex::default(),
            requests_per_server: requests_per_server.max(1),
            tokens: Tokens::default(),
            budgets: Mutex::default(),
            random,
            lookup: of_the_system,
        }
    }

    fn random(&self) -> u64 {
        (self.random)()
    }

    /// The operator's policy.
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// Asks the policy and the credential's list about a URL.
    pub fn judge(&self, url: &Url, valid_for: &ValidFor) -> Result<(), SourceError> {
        self.policy.judge_url(url).map_err(|denied| SourceError::from(denied).with_host(host(url)))?;
        if valid_for.covers(url) {
            return Ok(());
        }
        let listed: Vec<&str> = valid_for.urls().collect();
        let detail = format!("{} is not among {}", url.origin().ascii_serialization(), listed.join(", "));
        Err(SourceError::new(Code::CredentialUrlNotAllowed).with_host(host(url)).with_detail(detail))
    }

    /// Makes a request and takes the whole answer, whatever its status.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, SourceError> {
        if call.hops >= HOPS_MAX {
            return Err(SourceError::new(Code::HopLimit).with_host(host(call.url)));
        }
        let started = Instant::now();
        let turn = self.turn(call.server);
        let waiting = tokio::time::timeout(TURN_WAIT.min(call.total), turn.acquire_owned());
        let Ok(Ok(_turn)) = waiting.await else {
            let detail = format!("{} requests to this server are under way", self.requests_per_server);
            return Err(SourceError::new(Code::ApiTimeout).with_host(host(call.url)).with_detail(detail));
        };
        let client = self.client(&call)?;
        let result = follow(self, &client, &call, started).await;
        result.map_err(|mut error| {
            error.host.get_or_insert_with(|| host(call.url));
            error.elapsed_ms.get_or_insert(started.elapsed().as_millis() as u64);
            error
        })
    }

    /// How many retries a server still gets, under the lock of all.
    fn with_budget<T>(&self, server: Id, act: impl FnOnce(&mut RetryBudget) -> T) -> T {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if budgets.len() >= SERVERS_MAX && !budgets.contains_key(&server) {
            budgets.clear();
        }
        act(budgets.entry(server).or_default())
    }

    fn turn(&self, server: Id) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= SERVERS_MAX {
            // Nobody has or waits for a turn at the others.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        let new = || Arc::new(Semaphore::new(self.requests_per_server));
        Arc::clone(turns.entry(server).or_insert_with(new))
    }

    fn client(&self, call: &Call<'_>) -> Result<reqwest::Client, SourceError> {
        let kind = ClientKind {
            tls_ca: call.tls_ca.map(str::to_owned),
            connect_ms: call.connect.as_millis() as u64,
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&kind) {
            return Ok(client.clone());
        }
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        let client = self.builder(&kind)?.build().map_err(|error| broken(&error))?;
        clients.insert(kind, client.clone());
        Ok(client)
    }

    fn builder(&self, kind: &ClientKind) -> Result<reqwest::ClientBuilder, SourceError> {
        let certificates = match &kind.tls_ca {
            Some(pem) => {
                reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| broken(&error))?
            }
            None => Vec::new(),
        };
        Ok(reqwest::Client::builder()
            .dns_resolver(GuardedResolver::new(Arc::clone(&self.policy), self.lookup))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .tls_certs_merge(certificates)
            .connect_timeout(Duration::from_millis(kind.connect_ms))
            .pool_max_idle_per_host(self.requests_per_server)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("Gatepost/", env!("CARGO_PKG_VERSION"))))
    }
}

fn broken(error: &reqwest::Error) -> SourceError {
    let words = causes_of(error).map(ToString::to_string).collect::<Vec<_>>().join(": ");
    SourceError::new(Code::DefinitionBroken).with_detail(words)
}

/// Makes the request and those that redirects ask for.
async fn follow(
    outbound: &Outbound,
    client: &reqwest::Client,
    call: &Call<'_>,
    started: Instant,
) -> Result<Answer, SourceError> {
    let mut url = call.url.clone();
    let mut redirects = 0;
    loop {
        outbound.judge(&url, call.valid_for)?;
        let left = call.total.checked_sub(started.elapsed()).ok_or(Code::ApiTimeout)?;
        let mut request = client
            .request(call.method.clone(), url.clone())
            .headers(call.headers.clone())
            .header(HOP_HEADER, HeaderValue::from(u16::from(call.hops + 1)))
            .timeout(left);
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.map_err(|error| classify(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if call.redirects && is_redirect(status) {
            let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
            url = follow_redirect(&call.method, &url, location, redirects)
                .map_err(|error| error.with_status(status.as_u16()))?;
            redirects += 1;
            continue;
        }
        let body = if status.is_success() {
            let body = read_body(response, call.bytes_max).await;
            body.map_err(|error| error.with_status(status.as_u16()))?
        } else {
            read_beginning(response, call.bytes_max.min(REFUSAL_BYTES_MAX)).await
        };
        return Ok(Answer { status, headers, body, url, elapsed: started.elapsed() });
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Takes the body as it comes, decompressed, up to a limit.
async fn read_body(mut response: reqwest::Response, most: u64) -> Result<Bytes, SourceError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        if (body.len() + chunk.len()) as u64 > most {
            let detail = format!("more than {most} bytes");
            return Err(SourceError::new(Code::ApiTooLarge).with_detail(detail));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Takes the beginning of a body that no rows are in. How it ends does not matter: the status says what it is.
async fn read_beginning(mut response: reqwest::Response, most: u64) -> Bytes {
    let mut body = BytesMut::new();
    while (body.len() as u64) < most {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        body.extend_from_slice(&chunk);
    }
    body.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    body.freeze()
}

fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    }
}
