//! Access tokens of other people's token endpoints: fetched once for all who need one, renewed before they end, never
//! written down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use gatepost_sources::address::ValidFor;
use gatepost_sources::definition::{Credential, Id, SourceAuth};
use gatepost_sources::error::{Code, Redactor, SourceError};
use gatepost_sources::retry::fraction;
use gatepost_sources::token::{
    ANSWER_BYTES_MAX, CacheKey, Grant, Lease, LeaseState, Warning, failure_memory, read_answer,
    refresh_delay, token_request,
};
use http::Method;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Call, Outbound};

/// Tokens that are remembered; beyond it those that have ended go, and then all.
const TOKENS_MAX: usize = 10_000;

/// How often a token request is made when the server is in trouble, and the first pause between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// How long a token request may take.
const TOTAL: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);

/// Everything that a token request needs. Cloned into the task that renews a token.
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    /// The remote server, whose requests share a limit.
    pub server: Id,
    /// The exact URL.
    pub url: Url,
    /// Certificates in PEM that are trusted besides the system's.
    pub tls_ca: Option<String>,
    /// Who asks.
    pub credential: Arc<Credential>,
    /// For what.
    pub auth: SourceAuth,
    /// The client secret.
    pub secret: SecretString,
    /// Where the secret may go.
    pub valid_for: ValidFor,
    /// Installations that the request came through.
    pub hops: u8,
}

/// A token for a request.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub value: SecretString,
    /// When it was fetched, unless it was remembered.
    pub fetched: Option<Instant>,
    /// What its answer said, for people who test a source.
    pub grant: Arc<GrantFacts>,
}

/// What a token's answer said besides the token.
#[derive(Clone, Debug)]
pub struct GrantFacts {
    /// When it ends, on this machine's clock that only goes forward; absent: after one use.
    pub lease: Option<Lease>,
    /// The scope that was granted, when the answer says it.
    pub scope: Option<Vec<String>>,
    /// What is odd about the answer.
    pub warnings: Vec<Warning>,
}

#[derive(Debug)]
struct Held {
    value: SecretString,
    lease: Lease,
    grant: Arc<GrantFacts>,
}

/// One key's token, and whoever fetches it.
#[derive(Debug, Default)]
struct Entry {
    held: ArcSwapOption<Held>,
    fetching: Arc<tokio::sync::Mutex<Failures>>,
}

/// What went wrong last.
#[derive(Debug, Default)]
struct Failures {
    in_a_row: u32,
    last: Option<(SourceError, Duration)>,
}

/// The tokens of this process.
#[derive(Debug)]
pub(super) struct Tokens {
    start: Instant,
    entries: Mutex<HashMap<CacheKey, Arc<Entry>>>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { start: Instant::now(), entries: Mutex::default() }
    }
}

impl Tokens {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn entry(&self, key: &CacheKey) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(key) {
            return Arc::clone(entry);
        }
        if entries.len() >= TOKENS_MAX {
            let now = self.now();
            entries.retain(|_, entry| entry.held.load().as_ref().is_some_and(|held| now < held.lease.hard));
            if entries.len() >= TOKENS_MAX {
                entries.clear();
            }
        }
        Arc::clone(entries.entry(key.clone()).or_default())
    }
}

impl Outbound {
    /// How long a token is good for from now on; nothing for one that is good for one request.
    pub fn remaining(&self, token: &Token) -> Option<Duration> {
        token.grant.lease.map(|lease| lease.hard.saturating_sub(self.tokens.now()))
    }

    /// A token for this endpoint: the remembered one, or a new one that all who wait share. A credential that was
    /// edited has another generation, so that none of its earlier tokens is found.
    pub async fn token(self: &Arc<Self>, endpoint: &TokenEndpoint) -> Result<Token, SourceError> {
        let key = endpoint.key()?;
        let entry = self.tokens.entry(&key);
        if let Some(held) = entry.held.load_full() {
            match held.lease.state(self.tokens.now()) {
                LeaseState::Fresh => return Ok(held.token()),
                LeaseState::Stale => {
                    self.renew_behind(&entry, endpoint);
                    return Ok(held.token());
                }
                LeaseState::Expired => {}
            }
        }
        let mut failures = Arc::clone(&entry.fetching).lock_owned().await;
        // Somebody else may have been first.
        if let Some(held) = entry.held.load_full()
            && held.lease.state(self.tokens.now()) != LeaseState::Expired
        {
            return Ok(held.token());
        }
        if let Some((error, until)) = &failures.last
            && self.tokens.now() < *until
        {
            return Err(error.clone());
        }
        // In a task of its own: a caller who goes away, or whose time is over, leaves the token to those who wait.
        let (outbound, endpoint) = (Arc::clone(self), endpoint.clone());
        let fetching = async move { outbound.fetch(&entry, &endpoint, &mut failures).await };
        tokio::spawn(fetching).await.unwrap_or_else(|_| {
            Err(SourceError::new(Code::ApiAborted).with_detail("the token request did not come to its end"))
        })
    }

    /// Forgets a token that was refused. A newer one, put by somebody else meanwhile, stays.
    pub fn forget_token(&self, endpoint: &TokenEndpoint, refused: &SecretString) {
        let Ok(key) = endpoint.key() else { return };
        let entry = self.tokens.entry(&key);
        let held = entry.held.load_full();
        if held.as_ref().is_some_and(|held| held.value.expose_secret() == refused.expose_secret()) {
            entry.held.compare_and_swap(&held, None);
        }
    }

    /// Fetches a new token while the old one is used. One task a key; after a failure it takes a break.
    fn renew_behind(self: &Arc<Self>, entry: &Arc<Entry>, endpoint: &TokenEndpoint) {
        let (outbound, entry, endpoint) = (Arc::clone(self), Arc::clone(entry), endpoint.clone());
        tokio::spawn(async move {
            let Ok(mut failures) = entry.fetching.try_lock() else { return };
            let now = outbound.tokens.now();
            let fresh = entry.held.load().as_ref().is_some_and(|held| now < held.lease.soft);
            let pause = failures.last.as_ref().is_some_and(|(_, until)| now < *until);
            if fresh || pause {
                return;
            }
            if let Err(error) = outbound.fetch(&entry, &endpoint, &mut failures).await {
                let until = outbound.tokens.now() + refresh_delay(failures.in_a_row);
                tracing::warn!(%error, "a token could not be renewed; the old one is used until its end");
                failures.last = Some((error, until));
            }
        });
    }

    async fn fetch(
        &self,
        entry: &Entry,
        endpoint: &TokenEndpoint,
        failures: &mut Failures,
    ) -> Result<Token, SourceError> {
        let sent_at = self.tokens.now();
        match self.request_token_patiently(endpoint).await {
            Ok(grant) => {
                *failures = Failures::default();
                let random = self.random();
                let lease = endpoint.credential.oauth2().and_then(|client| {
                    let (usual, early) = (client.default_expires_in_ms, client.refresh_early_ms);
                    Lease::new(sent_at, grant.lifetime, usual, early, random)
                });
                let facts = GrantFacts { lease, scope: grant.scope, warnings: grant.warnings };
                let (value, grant) = (grant.access_token, Arc::new(facts));
                let held = lease
                    .map(|lease| Arc::new(Held { value: value.clone(), lease, grant: Arc::clone(&grant) }));
                entry.held.store(held);
                Ok(Token { value, fetched: Some(Instant::now()), grant })
            }
            Err(error) => {
                failures.in_a_row = failures.in_a_row.saturating_add(1);
                let until = self.tokens.now() + failure_memory(error.code, failures.in_a_row);
                failures.last = Some((error.clone(), until));
                Err(error)
            }
        }
    }

    /// A server in trouble is asked again, twice: asking for a token changes nothing.
    async fn request_token_patiently(&self, endpoint: &TokenEndpoint) -> Result<Grant, SourceError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.request_token(endpoint).await {
                Err(error) if is_passing(error.code) => {
                    tokio::time::sleep(pause / 2 + fraction(pause / 2, self.random())).await;
                    pause *= 2;
                }
                result => return result,
            }
        }
        self.request_token(endpoint).await
    }

    async fn request_token(&self, endpoint: &TokenEndpoint) -> Result<Grant, SourceError> {
        let Some(client) = endpoint.credential.oauth2() else { return Err(Code::DefinitionBroken.into()) };
        let request = token_request(client, &endpoint.auth, &endpoint.secret);
        let call = Call {
            server: endpoint.server,
            method: Method::POST,
            url: &endpoint.url,
            headers: request.headers,
            body: Some(Bytes::copy_from_slice(request.body.expose_secret().as_bytes())),
            valid_for: &endpoint.valid_for,
            tls_ca: endpoint.tls_ca.as_deref(),
            connect: CONNECT,
            total: TOTAL,
            bytes_max: ANSWER_BYTES_MAX as u64,
            redirects: false,
            hops: endpoint.hops,
        };
        let answer = self.call(call).await.map_err(of_token_endpoint)?;
        let asked = if endpoint.auth.scope.is_empty() { &client.scope } else { &endpoint.auth.scope };
        read_answer(answer.status, &answer.headers, &answer.body, asked).map_err(|failure| {
            let secret = endpoint.secret.expose_secret();
            let redactor = Redactor::of_credential(&endpoint.credential, secret, None);
            let mut error = failure.error;
            error.detail = error.detail.map(|detail| redactor.text(&detail));
            error.host = endpoint.url.host_str().map(str::to_owned);
            error.elapsed_ms = Some(answer.elapsed.as_millis() as u64);
            error
        })
    }
}

impl Held {
    fn token(&self) -> Token {
        Token { value: self.value.clone(), fetched: None, grant: Arc::clone(&self.grant) }
    }
}

impl TokenEndpoint {
    fn key(&self) -> Result<CacheKey, SourceError> {
        let key = CacheKey::new(self.url.as_str(), &self.credential, &self.auth);
        key.ok_or_else(|| Code::DefinitionBroken.into())
    }
}

/// Whether the same request may find the server well again in a moment.
fn is_passing(code: Code) -> bool {
    matches!(code, Code::TokenHttp(500..=599) | Code::ConnectFailed | Code::ApiAborted)
}

/// The codes that say which of the two endpoints it was.
fn of_token_endpoint(mut error: SourceError) -> SourceError {
    error.code = match error.code {
        Code::ApiTimeout => Code::TokenTimeout,
        Code::ApiTooLarge => Code::TokenTooLarge,
        other => other,
    };
    error
}
