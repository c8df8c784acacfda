//! The whole way through the crate, from a file with definitions to rows, against an ORDS server that is a function.
#![expect(clippy::unwrap_used, reason = "a test says with unwrap what it relies on")]

use core::time::Duration;

use gatepost_sources::address::ValidFor;
use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{Credential, Document, RemoteServer, RestSource};
use gatepost_sources::egress::EgressPolicy;
use gatepost_sources::error::Code;
use gatepost_sources::filter::{Filter, FilterOperator, Wanted, share};
use gatepost_sources::paging::{PageResponse, Pager, Step};
use gatepost_sources::request::{ApiRequest, compose, fetch_request};
use gatepost_sources::retry::{Attempt, Decision, Outcome, RetryBudget, TokenUse, decide};
use gatepost_sources::rows::{Body, RowReader};
use gatepost_sources::signing::sign;
use gatepost_sources::template::Values;
use gatepost_sources::token::{Lease, LeaseState, read_answer, token_request};
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

const DEFINITIONS: &str = r#"
[remote_server.hr]
base_url = "https://hr.example.com/ords/hr"

[credential.reader]
type = "oauth2_client_credentials"
client_id = "LfXJilIBdzj5JPRn4xb5QQ.."

[rest_source.employees]
server = "hr"
path = "employees/"
auth = { credential = "reader", token_path = "oauth/token" }
filters = "ords"
pagination = { type = "ords", page_size = 2 }

[[rest_source.employees.param]]
name = "since"
type = "timestamptz"
omit_when_null = true

[rest_source.employees.rows]
select = "/items"
columns = [
  { name = "empno", type = "integer" },
  { name = "sal", type = "decimal" },
]
"#;

struct Walk {
    server: RemoteServer,
    credential: Credential,
    source: RestSource,
}

fn walk() -> Walk {
    let mut document = Document::parse(DEFINITIONS).unwrap();
    let (server, credential, source) =
        (document.servers.remove(0), document.credentials.remove(0), document.sources.remove(0));
    source.check_references(Some(&server), None, Some(&credential)).unwrap();
    Walk { server, credential, source }
}

/// The token endpoint: knows one client.
fn token_endpoint(headers: &HeaderMap, body: &str) -> (StatusCode, &'static str) {
    let known = headers["authorization"] == "Basic TGZYSmlsSUJkemo1SlBSbjR4YjVRUS4uOmszeS1hYmNfREVGLjEyMy4u";
    if known && body == "grant_type=client_credentials" {
        (StatusCode::OK, r#"{"access_token":"t0k3n","token_type":"bearer","expires_in":3600}"#)
    } else {
        (StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#)
    }
}

/// Five rows, two at a time, for whoever has the token.
fn api(request: &ApiRequest) -> (StatusCode, String) {
    if request.headers.get("authorization").is_none_or(|value| value != "Bearer t0k3n") {
        return (StatusCode::UNAUTHORIZED, "{}".into());
    }
    let parameter = |name: &str| {
        let pairs = request.url.query_pairs();
        pairs.into_iter().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
    };
    let offset: usize = parameter("offset").map_or(0, |text| text.parse().unwrap());
    let rows: Vec<String> = (0..5).map(|at| format!(r#"{{"empno":{},"sal":{at}.10}}"#, 7000 + at)).collect();
    let filtered = if parameter("q").is_some() { &rows[3..] } else { &rows[..] };
    let page = &filtered[offset.min(filtered.len())..(offset + 2).min(filtered.len())];
    let more = offset + 2 < filtered.len();
    (
        StatusCode::OK,
        format!(r#"{{"items":[{}],"hasMore":{more},"limit":2,"offset":{offset}}}"#, page.join(",")),
    )
}

fn fetch_token(walk: &Walk, secret: &str) -> Result<(SecretString, Lease), Code> {
    let auth = walk.source.auth.as_ref().unwrap();
    let url = Url::parse(&auth.token_url(&walk.server, None).unwrap()).unwrap();
    assert_eq!(url.as_str(), "https://hr.example.com/ords/hr/oauth/token");
    EgressPolicy::default().judge_url(&url).unwrap();
    assert!(valid_for(walk).covers(&url));
    let client = walk.credential.oauth2().unwrap();
    let request = token_request(client, auth, &secret.into());
    let (status, body) = token_endpoint(&request.headers, request.body.expose_secret());
    let grant =
        read_answer(status, &HeaderMap::new(), body.as_bytes(), &[]).map_err(|failure| failure.error.code)?;
    let sent_at = Duration::from_secs(10);
    let lease = Lease::new(sent_at, grant.lifetime, client.default_expires_in_ms, client.refresh_early_ms, 0);
    Ok((grant.access_token, lease.unwrap()))
}

fn valid_for(walk: &Walk) -> ValidFor {
    let auth = walk.source.auth.as_ref().unwrap();
    let token_url = auth.token_url(&walk.server, None);
    ValidFor::of(&walk.credential, &walk.server.base_url, token_url.as_deref())
}

fn fetch(walk: &Walk, token: &SecretString, wanted: &Wanted) -> Result<Vec<Vec<Datum>>, Code> {
    let parameters: Vec<_> = walk.source.parameters.iter().collect();
    let values = Values::read(&parameters, [("since", "2026-08-14T10:00:00+02:00")]).unwrap();
    let shared = share(&walk.source, &values, wanted);
    let mut parts = fetch_request(&walk.source, &values).unwrap();
    parts.query.extend(shared.query);
    let base_url = Url::parse(&walk.server.base_url).unwrap();
    let mut pager = Pager::new(&walk.source, &base_url, Some(valid_for(walk)), shared.window);
    let mut reader = RowReader::new(&walk.source.rows);
    let (mut rows, mut page, mut budget) = (Vec::new(), pager.first(), RetryBudget::default());
    loop {
        let mut request = compose(&walk.server.base_url, &parts, &page).unwrap();
        EgressPolicy::default().judge_url(&request.url).unwrap();
        assert!(valid_for(walk).covers(&request.url));
        assert!(request.url.query().unwrap().contains("since=2026-08-14T08%3A00%3A00Z"));
        request.sign(&sign(&walk.credential, token).unwrap());
        let (status, body) = api(&request);
        let outcome =
            Outcome::Answered { status, retry_after: None, insufficient_scope: false, body: body.as_bytes() };
        let attempt = Attempt {
            method: &request.method,
            tries: 1,
            outcome,
            token: Some(TokenUse::Fetched(Duration::ZERO)),
            refreshed: false,
            time_left: pager.time_left(Duration::ZERO),
            random: 0,
        };
        match decide(&walk.source.on, &attempt, &mut budget) {
            Decision::Accept => {}
            Decision::Fail(code) => return Err(code),
            other => panic!("{other:?} is not expected"),
        }
        let read = Body::parse(body.as_bytes()).unwrap();
        let raw = read.rows(&walk.source.rows).unwrap();
        for row in &raw {
            rows.push(reader.read(row).unwrap());
        }
        let response = PageResponse {
            url: &request.url,
            headers: &HeaderMap::new(),
            body: Some(&read),
            rows: &raw,
            bytes: body.len() as u64,
            elapsed: Duration::ZERO,
        };
        match pager.next(&response) {
            Step::Next(next) => page = next,
            Step::Done => return Ok(rows),
            other => panic!("{other:?} is not expected"),
        }
    }
}

#[test]
fn a_wrong_secret_gets_no_token_and_a_wrong_token_no_rows() {
    let walk = walk();
    assert_eq!(fetch_token(&walk, "wrong").unwrap_err(), Code::TokenInvalidClient);
    assert_eq!(fetch(&walk, &"wrong".into(), &Wanted::default()).unwrap_err(), Code::ApiUnauthorized);
}

#[test]
fn a_source_is_read_from_its_definition_to_its_rows() {
    let walk = walk();
    let (token, lease) = fetch_token(&walk, "k3y-abc_DEF.123..").unwrap();
    assert_eq!(lease.state(Duration::from_secs(11)), LeaseState::Fresh);
    let rows = fetch(&walk, &token, &Wanted::default()).unwrap();
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[4], [Datum::Integer("7004".into()), Datum::Decimal("4.10".into())]);
    let filter = Filter {
        column: "empno".into(),
        operator: FilterOperator::AtLeast,
        value: Datum::Integer("7003".into()),
    };
    let wanted = Wanted { filters: vec![filter], ..Wanted::default() };
    assert_eq!(fetch(&walk, &token, &wanted).unwrap().len(), 2);
}
