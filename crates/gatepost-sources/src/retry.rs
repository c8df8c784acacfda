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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ATTEMPT: Attempt<'static> = Attempt {
        method: &Method::GET,
        tries: 1,
        outcome: Outcome::Failed(Code::ConnectFailed),
        token: None,
        refreshed: false,
        time_left: Duration::from_secs(60),
        random: u64::MAX,
    };

    fn answered(status: u16) -> Outcome<'static> {
        let status = StatusCode::from_u16(status).unwrap();
        Outcome::Answered { status, retry_after: None, insufficient_scope: false, body: b"" }
    }

    fn decide_plain(attempt: &Attempt<'_>) -> Decision {
        decide(&[], attempt, &mut RetryBudget::default())
    }

    fn rule(statuses: &[u16], contains: Option<&str>, action: Action) -> OnRule {
        OnRule { statuses: statuses.to_vec(), contains: contains.map(str::to_owned), action }
    }

    fn is_wait(decision: Decision) -> bool {
        matches!(decision, Decision::Wait(_))
    }

    #[test]
    fn methods_that_work_twice_are_not_repeated() {
        for method in [Method::POST, Method::PATCH] {
            for status in [429, 502, 503, 504] {
                let attempt = Attempt { method: &method, outcome: answered(status), ..ATTEMPT };
                assert!(matches!(decide_plain(&attempt), Decision::Fail(_)), "{method} {status}");
                let rules = [rule(&[status], None, Action::Retry)];
                let decision = decide(&rules, &attempt, &mut RetryBudget::default());
                assert!(matches!(decision, Decision::Fail(_)), "{method} {status} by a rule");
            }
            let cut = Attempt { method: &method, outcome: Outcome::Failed(Code::ApiAborted), ..ATTEMPT };
            assert_eq!(decide_plain(&cut), Decision::Fail(Code::ApiAborted));
            // Nothing was sent, so nothing can happen twice.
            assert!(is_wait(decide_plain(&Attempt { method: &method, ..ATTEMPT })));
        }
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            assert!(is_wait(decide_plain(&Attempt { method: &method, outcome: answered(503), ..ATTEMPT })));
        }
    }

    #[test]
    fn what_a_retry_cannot_mend_fails_at_once() {
        for code in [
            Code::TlsUntrusted,
            Code::EgressDenied,
            Code::ApiTimeout,
            Code::ApiTooLarge,
            Code::TokenInvalidClient,
        ] {
            let attempt = Attempt { outcome: Outcome::Failed(code), ..ATTEMPT };
            assert_eq!(decide_plain(&attempt), Decision::Fail(code));
        }
        for (status, code) in [
            (400, Code::ApiHttp(400)),
            (403, Code::ApiForbidden),
            (404, Code::ApiNotFound),
            (500, Code::ApiHttp(500)),
        ] {
            assert_eq!(decide_plain(&Attempt { outcome: answered(status), ..ATTEMPT }), Decision::Fail(code));
        }
        assert_eq!(decide_plain(&Attempt { outcome: answered(200), ..ATTEMPT }), Decision::Accept);
        assert_eq!(decide_plain(&Attempt { outcome: answered(204), ..ATTEMPT }), Decision::Empty);
        assert_eq!(decide_plain(&Attempt { outcome: answered(302), ..ATTEMPT }), Decision::Redirect);
    }

    #[test]
    fn tries_time_and_budget_are_limits() {
        let last = Attempt { tries: TRIES_MAX, outcome: answered(503), ..ATTEMPT };
        assert_eq!(decide_plain(&last), Decision::Fail(Code::ApiHttp(503)));
        let late = Attempt { time_left: Duration::from_millis(499), outcome: answered(503), ..ATTEMPT };
        assert_eq!(decide_plain(&late), Decision::Fail(Code::ApiHttp(503)));
        let mut budget = RetryBudget::default();
        let attempt = Attempt { outcome: answered(429), ..ATTEMPT };
        for _ in 0..5 {
            assert!(is_wait(decide(&[], &attempt, &mut budget)));
        }
        assert_eq!(decide(&[], &attempt, &mut budget), Decision::Fail(Code::ApiRateLimited));
        for _ in 0..5 {
            budget.note_request();
        }
        assert!(is_wait(decide(&[], &attempt, &mut budget)));
        assert_eq!(decide(&[], &attempt, &mut budget), Decision::Fail(Code::ApiRateLimited));
    }

    #[test]
    fn an_unauthorized_request_gets_one_new_token() {
        let attempt = |token, refreshed| {
            decide_plain(&Attempt {
                outcome: answered(401),
                token,
                refreshed,
                method: &Method::POST,
                ..ATTEMPT
            })
        };
        let failed = Decision::Fail(Code::ApiUnauthorized);
        assert_eq!(attempt(None, false), failed);
        assert_eq!(attempt(Some(TokenUse::Remembered), false), Decision::RefreshToken);
        assert_eq!(attempt(Some(TokenUse::Fetched(Duration::from_secs(3))), false), Decision::RefreshToken);
        assert_eq!(attempt(Some(TokenUse::Fetched(Duration::from_millis(300))), false), failed);
        assert_eq!(attempt(Some(TokenUse::Remembered), true), failed);
        let scope = Outcome::Answered {
            status: StatusCode::UNAUTHORIZED,
            retry_after: None,
            insufficient_scope: true,
            body: b"",
        };
        let scope = Attempt { outcome: scope, token: Some(TokenUse::Remembered), ..ATTEMPT };
        assert_eq!(decide_plain(&scope), Decision::Fail(Code::ApiForbidden));
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rules = [
            rule(&[500], Some("token expired"), Action::RefreshToken),
            rule(&[404, 500], None, Action::Empty),
            rule(&[200], Some("no data"), Action::Empty),
            rule(&[200], Some("failed"), Action::Fail),
            rule(&[409], None, Action::Retry),
        ];
        let decide = |status: u16, body: &'static str, token| {
            let status = StatusCode::from_u16(status).unwrap();
            let outcome = Outcome::Answered {
                status,
                retry_after: None,
                insufficient_scope: false,
                body: body.as_bytes(),
            };
            decide(&rules, &Attempt { outcome, token, ..ATTEMPT }, &mut RetryBudget::default())
        };
        assert_eq!(decide(500, "the token expired", Some(TokenUse::Remembered)), Decision::RefreshToken);
        assert_eq!(decide(500, "the token expired", None), Decision::Fail(Code::ApiHttp(500)));
        assert_eq!(decide(500, "other", None), Decision::Empty);
        assert_eq!(decide(404, "", None), Decision::Empty);
        assert_eq!(decide(200, "no data", None), Decision::Empty);
        assert_eq!(decide(200, "failed", None), Decision::Fail(Code::ApiHttp(200)));
        assert_eq!(decide(200, "rows", None), Decision::Accept);
        assert!(is_wait(decide(409, "", None)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_capped() {
        let now_ms = "1994-11-06T08:49:30Z".parse::<Timestamp>().unwrap().as_millisecond();
        let seconds = |value: &str| parse_retry_after(value, now_ms).map(|wait| wait.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("120"), Some(30));
        assert_eq!(seconds("99999999999999999999999"), Some(30));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(seconds("Mon, 07 Nov 1994 08:49:37 GMT"), Some(30));
        for value in ["", "-1", "1.5", "soon", "1994-11-06"] {
            assert_eq!(seconds(value), None, "{value}");
        }
        let named = Outcome::Answered {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(Duration::from_secs(5)),
            insufficient_scope: false,
            body: b"",
        };
        assert_eq!(
            decide_plain(&Attempt { outcome: named, ..ATTEMPT }),
            Decision::Wait(Duration::from_secs(5))
        );
        let short = Attempt { outcome: named, time_left: Duration::from_secs(5), ..ATTEMPT };
        assert_eq!(decide_plain(&short), Decision::Fail(Code::ApiHttp(503)));
    }

    #[test]
    fn insufficient_scope_is_found_in_the_challenge() {
        assert!(is_insufficient_scope(r#"Bearer realm="x", error="insufficient_scope", scope="a""#));
        assert!(is_insufficient_scope(r#"Bearer error = "insufficient_scope""#));
        assert!(!is_insufficient_scope(r#"Bearer error="invalid_token""#));
    }

    proptest! {
        #[test]
        fn a_fraction_is_less_than_the_whole(milliseconds in 1_u64..=1_000_000_000, random: u64) {
            let whole = Duration::from_millis(milliseconds);
            prop_assert!(fraction(whole, random) < whole);
            prop_assert_eq!(fraction(whole, 0), Duration::ZERO);
        }

        #[test]
        fn no_wait_is_longer_than_allowed(tries in 0_u32..100, random: u64) {
            prop_assert!(jitter(tries, random) < JITTER_MAX);
        }
    }
}
