//! Fetching the rows of a source: requests, tokens, retries and pages, one page in memory at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost_sources::address::ValidFor;
use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{ColumnType, Credential, RemoteServer, RestSource};
use gatepost_sources::error::{Code, Redactor, SourceError, quote};
use gatepost_sources::paging::{PageRequest, PageResponse, Pager, Step, Truncation, Window};
use gatepost_sources::request::{ApiRequest, RequestParts, compose, fetch_request};
use gatepost_sources::retry::{
    Attempt, Decision, Outcome, TokenUse, decide, is_insufficient_scope, parse_retry_after,
};
use gatepost_sources::rows::{Body, RowReader, RowReport};
use gatepost_sources::signing::sign;
use gatepost_sources::template::Values;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Answer, Call, Outbound, Token, TokenEndpoint};

/// How much of an answer that failed is kept for administrators, in characters.
const CONTENTS_SHOWN_MAX: usize = 300;

/// A source with everything that it names, secrets opened.
#[derive(Clone, Debug)]
pub struct ReadySource {
    /// What is fetched.
    pub source: Arc<RestSource>,
    /// Where.
    pub server: Arc<RemoteServer>,
    /// Its base URL.
    pub base_url: Url,
    /// As whom.
    pub sign_in: Option<ReadyCredential>,
    /// Installations that the request came through.
    pub hops: u8,
}

/// A credential whose secret is open.
#[derive(Clone, Debug)]
pub struct ReadyCredential {
    /// How it signs in.
    pub credential: Arc<Credential>,
    /// Its secret.
    pub secret: SecretString,
    /// Where it gets tokens, if it does.
    pub endpoint: Option<TokenEndpoint>,
    /// Where it may go.
    pub valid_for: ValidFor,
}

/// What a fetch has done so far.
#[derive(Clone, Debug, Default)]
pub struct FetchFacts {
    /// Requests to the API, retries included.
    pub requests: u32,
    /// Pages that came.
    pub pages: u32,
    /// Bytes of their bodies, decompressed.
    pub bytes: u64,
    /// The limit that was reached before the last page.
    pub truncated: Option<Truncation>,
    /// Whether there may be more rows than those that were wanted.
    pub has_more: bool,
    /// Whether a token was fetched for it.
    pub token_fetched: bool,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// How long the last answer took.
    pub last_answer: Duration,
}

/// A fetch under way.
#[derive(Debug)]
pub struct Fetch {
    outbound: Arc<Outbound>,
    ready: ReadySource,
    parts: RequestParts,
    pager: Pager,
    reader: RowReader,
    next: Option<PageRequest>,
    skip: u64,
    left: Option<u64>,
    started: Instant,
    now_ms: fn() -> i64,
    facts: FetchFacts,
    /// The token of the last request, to know it where the other side repeats it.
    last_token: Option<SecretString>,
}

impl Fetch {
    /// Begins a fetch; nothing is sent yet. `query` is sent besides the parameters. `now_ms` is the wall clock, for dates
    /// in `Retry-After`.
    pub fn new(
        outbound: &Arc<Outbound>,
        ready: ReadySource,
        values: &Values,
        query: &[(String, String)],
        window: Window,
        now_ms: fn() -> i64,
    ) -> Result<Self, SourceError> {
        let mut parts = fetch_request(&ready.source, values)?;
        parts.query.extend_from_slice(query);
        Ok(Self::begin(outbound, ready, parts, window, now_ms))
    }

    /// One request of another kind than that for rows, as its parts are; [`Fetch::sample`] makes it.
    pub fn of_parts(
        outbound: &Arc<Outbound>,
        ready: ReadySource,
        parts: RequestParts,
        now_ms: fn() -> i64,
    ) -> Self {
        let mut fetch = Self::begin(outbound, ready, parts, Window { offset: 0, limit: None }, now_ms);
        fetch.next = Some(PageRequest::default());
        fetch
    }

    fn begin(
        outbound: &Arc<Outbound>,
        ready: ReadySource,
        parts: RequestParts,
        window: Window,
        now_ms: fn() -> i64,
    ) -> Self {
        let valid_for = ready.sign_in.as_ref().map(|sign_in| sign_in.valid_for.clone());
        let pager = Pager::new(&ready.source, &ready.base_url, valid_for, window);
        Self {
            outbound: Arc::clone(outbound),
            reader: RowReader::new(&ready.source.rows),
            next: Some(pager.first()),
            skip: pager.rows_to_skip(),
            left: window.limit,
            ready,
            parts,
            pager,
            started: Instant::now(),
            now_ms,
            facts: FetchFacts::default(),
            last_token: None,
        }
    }

    /// Names and types of the columns.
    pub fn columns(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        self.reader.columns()
    }

    /// What was done so far.
    pub fn facts(&self) -> &FetchFacts {
        &self.facts
    }

    /// What was counted while rows were read.
    pub fn report(&self) -> &RowReport {
        self.reader.report()
    }

    /// The rows of the next page; none after the last. A page can be without rows. Whatever fails, what is said of it
    /// holds no secret.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Vec<Datum>>>, SourceError> {
        self.take_page().await.map_err(|error| self.without_secrets(error))
    }

    fn without_secrets(&self, mut error: SourceError) -> SourceError {
        error.detail = error.detail.map(|detail| self.redacted(&detail));
        error
    }

    async fn take_page(&mut self) -> Result<Option<Vec<Vec<Datum>>>, SourceError> {
        let Some(page) = self.next.take() else { return Ok(None) };
        let answer = match self.answer(&page).await {
            Ok(answer) => answer,
            Err(error) => {
                let step = match error.code {
                    Code::ApiTooLarge => self.pager.too_large(),
                    _ if self.time_left().is_zero() => self.pager.out_of_time(),
                    _ => return Err(error),
                };
                return match step {
                    Step::Truncated(limit) => {
                        self.facts.truncated = Some(limit);
                        Ok(None)
                    }
                    _ => Err(error),
                };
            }
        };
        // An answer that counts as no rows is the last page.
        answer.map(|answer| self.read(&answer)).transpose()
    }

    /// The first answer as it came; none if it counts as no rows.
    pub async fn sample(&mut self) -> Result<Option<Answer>, SourceError> {
        match self.next.take() {
            Some(page) => self.answer(&page).await.map_err(|error| self.without_secrets(error)),
            None => Ok(None),
        }
    }

    /// All rows that the fetch may bring.
    pub async fn all(&mut self) -> Result<Vec<Vec<Datum>>, SourceError> {
        let mut rows = Vec::new();
        while let Some(page) = self.next_page().await? {
            rows.extend(page);
        }
        Ok(rows)
    }

    fn read(&mut self, answer: &Answer) -> Result<Vec<Vec<Datum>>, SourceError> {
        let body = Body::parse(&answer.body)?;
        let rows = body.rows(&self.ready.source.rows)?;
        let mut kept = Vec::with_capacity(rows.len());
        let most = usize::try_from(self.pager.rows_left()).unwrap_or(usize::MAX);
        for row in rows.iter().take(most) {
            if self.skip > 0 {
                self.skip -= 1;
            } else if self.left != Some(0) {
                kept.push(self.reader.read(row)?);
                self.left = self.left.map(|left| left - 1);
            }
        }
        self.facts.pages += 1;
        self.facts.bytes += answer.body.len() as u64;
        let response = PageResponse {
            url: &answer.url,
            headers: &answer.headers,
            body: Some(&body),
            rows: &rows,
            bytes: answer.body.len() as u64,
            elapsed: self.started.elapsed(),
        };
        match self.pager.next(&response) {
            Step::Next(page) => self.next = Some(page),
            Step::Done => {}
            Step::Enough => self.facts.has_more = true,
            Step::Truncated(limit) => self.facts.truncated = Some(limit),
            Step::Failed(error) => return Err(error),
        }
        Ok(kept)
    }

    fn time_left(&self) -> Duration {
        self.pager.time_left(self.started.elapsed())
    }

    /// Sends a page's request until there is an answer that counts; none if it counts as no rows.
    async fn answer(&mut self, page: &PageRequest) -> Result<Option<Answer>, SourceError> {
        let request = compose(self.ready.base_url.as_str(), &self.parts, page)?;
        let (mut tries, mut refreshed) = (0, false);
        loop {
            tries += 1;
            let token = self.token().await?;
            let result = self.send(&request, token.as_ref()).await;
            let decision = self.judge(&result, tries, refreshed, token.as_ref());
            match (decision, result) {
                (Decision::Accept, Ok(answer)) => return Ok(Some(answer)),
                (Decision::Empty, _) => return Ok(None),
                (Decision::Wait(wait), _) => tokio::time::sleep(wait).await,
                (Decision::RefreshToken, _) => {
                    refreshed = true;
                    if let (Some(token), Some(endpoint)) = (&token, self.endpoint()) {
                        self.outbound.forget_token(endpoint, &token.value);
                    }
                }
                (Decision::Fail(code), Ok(answer)) => {
                    return Err(self.refusal(code, &answer));
                }
                (_, Ok(answer)) => return Err(self.refusal(Code::ApiRedirected, &answer)),
                (_, Err(error)) => return Err(error),
            }
        }
    }

    fn endpoint(&self) -> Option<&TokenEndpoint> {
        self.ready.sign_in.as_ref()?.endpoint.as_ref()
    }

    async fn token(&mut self) -> Result<Option<Token>, SourceError> {
        let Some(endpoint) = self.endpoint() else { return Ok(None) };
        let Ok(token) = tokio::time::timeout(self.time_left(), self.outbound.token(endpoint)).await else {
            let error = SourceError::new(Code::TokenTimeout).with_host(super::host(&endpoint.url));
            return Err(error.with_detail("the time of the fetch is over"));
        };
        let token = token?;
        self.facts.token_fetched |= token.fetched.is_some();
        self.last_token = Some(token.value.clone());
        Ok(Some(token))
    }

    async fn send(&mut self, request: &ApiRequest, token: Option<&Token>) -> Result<Answer, SourceError> {
        let mut request = request.clone();
        let any = ValidFor::of_urls([self.ready.base_url.as_str()]);
        let mut valid_for = &any;
        if let Some(sign_in) = &self.ready.sign_in {
            let secret = token.map_or(&sign_in.secret, |token| &token.value);
            // Judged before the secret is on it: a query parameter would show in the error.
            self.outbound.judge(&request.url, &sign_in.valid_for)?;
            request.sign(&sign(&sign_in.credential, secret)?);
            valid_for = &sign_in.valid_for;
        }
        let timeout = &self.ready.source.timeout;
        self.facts.requests += 1;
        let call = Call {
            server: self.ready.server.id,
            method: request.method,
            url: &request.url,
            headers: request.headers,
            body: request.body,
            valid_for,
            tls_ca: self.ready.server.tls_ca.as_deref(),
            connect: Duration::from_millis(timeout.connect_ms),
            total: Duration::from_millis(timeout.total_ms).min(self.time_left()),
            bytes_max: self.pager.bytes_left(),
            redirects: true,
            hops: self.ready.hops,
        };
        let answer = self.outbound.call(call).await?;
        self.facts.status = Some(answer.status.as_u16());
        self.facts.last_answer = answer.elapsed;
        Ok(answer)
    }

    fn judge(
        &self,
        result: &Result<Answer, SourceError>,
        tries: u32,
        refreshed: bool,
        token: Option<&Token>,
    ) -> Decision {
        let text = |answer: &'_ Answer, name| {
            answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let outcome = match result {
            Ok(answer) => Outcome::Answered {
                status: answer.status,
                retry_after: text(answer, RETRY_AFTER)
                    .and_then(|value| parse_retry_after(&value, (self.now_ms)())),
                insufficient_scope: text(answer, WWW_AUTHENTICATE)
                    .is_some_and(|value| is_insufficient_scope(&value)),
                body: &answer.body,
            },
            Err(error) => Outcome::Failed(error.code),
        };
        let token = token.map(|token| match token.fetched {
            None => TokenUse::Remembered,
            Some(at) => TokenUse::Fetched(at.elapsed()),
        });
        let attempt = Attempt {
            method: &self.parts.method,
            tries,
            outcome,
            token,
            refreshed,
            time_left: self.time_left(),
            random: self.outbound.random(),
        };
        self.outbound.with_budget(self.ready.server.id, |budget| {
            if tries == 1 {
                budget.note_request();
            }
            decide(&self.ready.source.on, &attempt, budget)
        })
    }

    /// An answer that fails the fetch, with the beginning of its body for administrators.
    fn refusal(&self, code: Code, answer: &Answer) -> SourceError {
        // Before it is cut: that may be within a secret.
        let body = self.redacted(&String::from_utf8_lossy(&answer.body));
        let mut error = SourceError::new(code)
            .with_status(answer.status.as_u16())
            .with_host(super::host(&answer.url))
            .with_detail(quote(&body, CONTENTS_SHOWN_MAX));
        error.elapsed_ms = Some(answer.elapsed.as_millis() as u64);
        error
    }

    /// A text of the other side without what signed in there.
    fn redacted(&self, text: &str) -> String {
        let Some(ReadyCredential { credential, secret, .. }) = &self.ready.sign_in else {
            return text.to_owned();
        };
        let token = self.last_token.as_ref().map(secrecy::ExposeSecret::expose_secret);
        Redactor::of_credential(credential, secret.expose_secret(), token).text(text)
    }
}
