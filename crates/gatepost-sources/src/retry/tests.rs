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
        decide_plain(&Attempt { outcome: answered(401), token, refreshed, method: &Method::POST, ..ATTEMPT })
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
        let outcome =
            Outcome::Answered { status, retry_after: None, insufficient_scope: false, body: body.as_bytes() };
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
    assert_eq!(decide_plain(&Attempt { outcome: named, ..ATTEMPT }), Decision::Wait(Duration::from_secs(5)));
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
