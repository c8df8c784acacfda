//! What to do with each answer: take it, take it as no rows, send the request again after a while or with a new token,
//! or fail. The source's `on` rules come first, in their order; then what is usual.

use core::time::Duration;

use http::{Method, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::definition::{Action, OnRule};
use crate::error::Code;

/// A request is sent at most this many times, the first included.
pub const TRIES_MAX: u32 = 3;

/// No wait is longer, whatever `Retry-After` says.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// A token younger than this that is refused will not get better by another one.
const TOKEN_YOUNG: Duration = Duration::from_secs(2);

const JITTER_BASE: Duration = Duration::from_millis(250);
const JITTER_MAX: Duration = Duration::from_secs(8);

/// How much of a body a rule's `contains` looks at.
pub const CONTAINS_BYTES_MAX: usize = 64 * 1024;

/// One attempt that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The method of the request.
    pub method: &'a Method,
    /// How often the request was sent, this time included.
    pub tries: u32,
    /// How it ended.
    pub outcome: Outcome<'a>,
    /// The OAuth token that it carried, if any.
    pub token: Option<TokenUse>,
    /// A new token was fetched for this request before.
    pub refreshed: bool,
    /// What is left of the fetch's time.
    pub time_left: Duration,
    /// Any number.
    pub random: u64,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// With an answer.
    Answered {
        /// Its status.
        status: StatusCode,
        /// What [`parse_retry_after`] made of `Retry-After`.
        retry_after: Option<Duration>,
        /// `error` of the `WWW-Authenticate` header is `insufficient_scope` ([`is_insufficient_scope`]).
        insufficient_scope: bool,
        /// The beginning of its body, up to [`CONTAINS_BYTES_MAX`].
        body: &'a [u8],
    },
    /// Without one.
    Failed(Code),
}

/// The token that a request carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// It was remembered from another request.
    Remembered,
    /// It was fetched for this request, this long ago.
    Fetched(Duration),
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Read the body.
    Accept,
    /// There are no rows.
    Empty,
    /// The server points elsewhere: [`crate::address::follow_redirect`].
    Redirect,
    /// Send the request again after this time.
    Wait(Duration),
    /// Forget the token, fetch one, send the request again.
    RefreshToken,
    /// Give up.
    Fail(Code),
}

/// Decides about an attempt. A retry is taken out of the budget of the host.
pub fn decide(rules: &[OnRule], attempt: &Attempt<'_>, budget: &mut RetryBudget) -> Decision {
    match attempt.outcome {
        Outcome::Failed(code) => after_failure(code, attempt, budget),
        Outcome::Answered { status, insufficient_scope, body, .. } => {
            let rule = rules.iter().find(|rule| matches(rule, status, body));
            match rule.map(|rule| rule.action) {
                Some(Action::Empty) => Decision::Empty,
                Some(Action::Fail) => Decision::Fail(code_of(status)),
                Some(Action::Retry) => again(attempt, code_of(status), budget),
                Some(Action::RefreshToken) => refresh(attempt).unwrap_or(Decision::Fail(code_of(status))),
                None => usual(status, insufficient_scope, attempt, budget),
            }
        }
    }
}

/// Whether a rule is about this answer.
pub fn matches(rule: &OnRule, status: StatusCode, body: &[u8]) -> bool {
    let of_status = rule.statuses.is_empty() || rule.statuses.contains(&status.as_u16());
    let body = &body[..body.len().min(CONTAINS_BYTES_MAX)];
    of_status && rule.contains.as_deref().is_none_or(|text| holds(body, text.as_bytes()))
}

/// Whether a request of this method may be sent twice without doing its work twice.
pub fn is_repeatable(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE)
}

/// Reads `Retry-After`: seconds or a date (RFC 9110 section 10.2.3). `now_ms` is the wall clock. At most [`WAIT_MAX`].
pub fn parse_retry_after(value: &str, now_ms: i64) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are more than the most.
        return Some(value.parse().map_or(WAIT_MAX, Duration::from_secs).min(WAIT_MAX));
    }
    let at: Timestamp = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    let milliseconds = at.as_millisecond().saturating_sub(now_ms).max(0);
    Some(Duration::from_millis(milliseconds.unsigned_abs()).min(WAIT_MAX))
}

/// Whether a `WWW-Authenticate` header says that another token of the same scope is no use (RFC 6750 section 3.1).
pub fn is_insufficient_scope(www_authenticate: &str) -> bool {
    let plain: String = www_authenticate.chars().filter(|c| !c.is_whitespace()).collect();
    plain.to_ascii_lowercase().contains("error=\"insufficient_scope\"")
        || plain.to_ascii_lowercase().contains("error=insufficient_scope")
}

/// A share of a duration by a random number: from nothing to just below all of it.
pub fn fraction(of: Duration, random: u64) -> Duration {
    let nanoseconds = of.as_nanos().min(u64::MAX.into());
    Duration::from_nanos(((nanoseconds * u128::from(random)) >> 64) as u64)
}

/// The wait before the next try, when the server does not name one: anything up to 0.5 s, 1 s … 8 s.
fn jitter(tries: u32, random: u64) -> Duration {
    let most = JITTER_BASE.saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX));
    fraction(most.min(JITTER_MAX), random)
}

/// The code of a status that is an error.
pub fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        300..=399 => Code::ApiRedirected,
        401 => Code::ApiUnauthorized,
        403 => Code::ApiForbidden,
        404 => Code::ApiNotFound,
        429 => Code::ApiRateLimited,
        other => Code::ApiHttp(other),
    }
}

fn usual(
    status: StatusCode,
    insufficient_scope: bool,
    attempt: &Attempt<'_>,
    budget: &mut RetryBudget,
) -> Decision {
    let code = code_of(status);
    match status.as_u16() {
        204 | 205 => Decision::Empty,
        200..=299 => Decision::Accept,
        300..=399 => Decision::Redirect,
        401 if insufficient_scope => Decision::Fail(Code::ApiForbidden),
        // Refused means not executed, so this is safe for any method.
        401 => refresh(attempt).unwrap_or(Decision::Fail(code)),
        429 | 502 | 503 | 504 => again(attempt, code, budget),
        _ => Decision::Fail(code),
    }
}

fn after_failure(code: Code, attempt: &Attempt<'_>, budget: &mut RetryBudget) -> Decision {
    let unsent = matches!(code, Code::DnsFailed | Code::ConnectFailed | Code::ConnectTimeout);
    let cut = code == Code::ApiAborted && is_repeatable(attempt.method);
    if unsent || cut { wait(attempt, None, code, budget) } else { Decision::Fail(code) }
}

/// A new token, once, unless the one that was refused is new itself.
fn refresh(attempt: &Attempt<'_>) -> Option<Decision> {
    let worth_it = match attempt.token? {
        TokenUse::Remembered => true,
        TokenUse::Fetched(age) => age > TOKEN_YOUNG,
    };
    (worth_it && !attempt.refreshed).then_some(Decision::RefreshToken)
}

fn again(attempt: &Attempt<'_>, code: Code, budget: &mut RetryBudget) -> Decision {
    let named = match attempt.outcome {
        Outcome::Answered { retry_after, .. } => retry_after,
        Outcome::Failed(_) => None,
    };
    if is_repeatable(attempt.method) { wait(attempt, named, code, budget) } else { Decision::Fail(code) }
}

fn wait(attempt: &Attempt<'_>, named: Option<Duration>, code: Code, budget: &mut RetryBudget) -> Decision {
    let wait = named.map_or_else(|| jitter(attempt.tries, attempt.random), |named| named.min(WAIT_MAX));
    // A wait that the fetch's time does not cover is given up at once, not slept through.
    if attempt.tries >= TRIES_MAX || wait >= attempt.time_left || !budget.take() {
        return Decision::Fail(code);
    }
    Decision::Wait(wait)
}

fn holds(body: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && body.windows(text.len()).any(|window| window == text)
}

/// How many retries a host still gets: one for every five requests, so that a server in trouble is not given more
/// than a fifth of traffic on top. Some are there from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    fifths: u32,
}

const FIFTHS_AT_START: u32 = 25;
const FIFTHS_MAX: u32 = 50;

impl Default for RetryBudget {
    fn default() -> Self {
        Self { fifths: FIFTHS_AT_START }
    }
}

impl RetryBudget {
    /// Notes a request that is no retry.
    pub fn note_request(&mut self) {
        self.fifths = (self.fifths + 1).min(FIFTHS_MAX);
    }

    /// Takes a retry, if there is one left.
    fn take(&mut self) -> bool {
        let left = self.fifths.checked_sub(5);
        self.fifths = left.unwrap_or(self.fifths);
        left.is_some()
    }
}

#[cfg(test)]
mod tests;
