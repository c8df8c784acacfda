//! Sending: to this server's own listener and to nothing else, as any caller would.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::draft::{CallAs, Draft, Proof, Target};
use crate::app::App;
use crate::console::Refused;
use crate::console::signed_in::InSchema;
use crate::http::oauth::{OnBehalf, issue_to_person};

/// Until the connection stands.
const CONNECT: Duration = Duration::from_secs(5);

/// Until the last byte of the answer.
const TOTAL: Duration = Duration::from_secs(30);

/// What of an answer is read.
pub(super) const BYTES_MAX: usize = 1 << 20;

/// What came of a request.
pub(super) struct Answered {
    /// The answer, or why there is none.
    pub(super) outcome: Result<Got, String>,
    /// The request for a token that went before it.
    pub(super) token_request: Option<Result<Got, String>>,
    /// What the request was sent with, for the reasons of the decision.
    pub(super) sent: HeaderMap,
}

/// An answer.
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Whether more would have come.
    pub(super) cut: bool,
    pub(super) elapsed: Duration,
}

/// A request, ready to go.
struct Ready<'a> {
    method: &'a str,
    path_and_query: &'a str,
    headers: HeaderMap,
    body: Option<String>,
}

/// Sends a draft.
pub(super) async fn send(
    page: &InSchema,
    draft: &Draft,
    target: &Target,
    proof: &Proof,
) -> Result<Answered, Refused> {
    let mut headers = HeaderMap::new();
    for (name, value) in draft.header_pairs().map_err(Refused::Invalid)? {
        let name = http::HeaderName::try_from(name).map_err(Refused::failed)?;
        headers.append(name, HeaderValue::try_from(value).map_err(Refused::failed)?);
    }
    let mut answered = Answered { outcome: Err(String::new()), token_request: None, sent: HeaderMap::new() };
    let app = page.console.app();
    match credentials(page, draft, target, proof, &mut answered).await? {
        Credentials::None => {}
        Credentials::Header(value) => {
            headers.insert(AUTHORIZATION, value);
        }
        Credentials::Failed(problem) => {
            answered.outcome = Err(problem);
            return Ok(answered);
        }
    }
    answered.sent.clone_from(&headers);
    let ready = Ready {
        method: &draft.method,
        path_and_query: &target.path_and_query,
        headers,
        body: draft.sent_body().map(str::to_owned),
    };
    answered.outcome = transmit(app, ready).await;
    Ok(answered)
}

/// What goes into Authorization.
enum Credentials {
    None,
    Header(HeaderValue),
    Failed(String),
}

async fn credentials(
    page: &InSchema,
    draft: &Draft,
    target: &Target,
    proof: &Proof,
    answered: &mut Answered,
) -> Result<Credentials, Refused> {
    let app = page.console.app();
    let token = match &draft.call_as {
        CallAs::Nobody => return Ok(Credentials::None),
        CallAs::Token => proof.0.clone(),
        CallAs::Client(name) => Some(as_client(page, name)?),
        CallAs::Secret(id) => {
            let basic = basic(id, proof.0.as_ref())?;
            let token_path = format!("{}/{}/oauth/token", app.config.server.context, page.schema.alias);
            let within_oauth = format!("{}/{}/oauth/", app.config.server.context, page.schema.alias);
            if target.path_and_query.starts_with(&within_oauth) {
                return Ok(Credentials::Header(basic));
            }
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            let ready = Ready {
                method: "POST",
                path_and_query: &token_path,
                headers: HeaderMap::from_iter([(AUTHORIZATION, basic), (CONTENT_TYPE, form)]),
                body: Some("grant_type=client_credentials".into()),
            };
            let got = transmit(app, ready).await;
            let token = got.as_ref().ok().and_then(token_of);
            answered.token_request = Some(got);
            if token.is_none() {
                return Ok(Credentials::Failed("No token was issued, so the request was not sent.".into()));
            }
            token
        }
    };
    let text = token.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    let mut value = HeaderValue::try_from(format!("Bearer {text}")).map_err(Refused::failed)?;
    value.set_sensitive(true);
    Ok(Credentials::Header(value))
}

/// A token of a minute, noted in the audit trail with the person's name.
fn as_client(page: &InSchema, name: &str) -> Result<SecretString, Refused> {
    page.may(crate::console::signed_in::Act::Administer)?;
    let snapshot = &page.snapshot;
    let client = snapshot.catalog.clients_of(page.schema.id).find(|client| client.name == name);
    let known = client.and_then(|client| snapshot.principals.find(client.id));
    let known =
        known.ok_or_else(|| Refused::Invalid(format!("There is no client {name} in this schema.")))?;
    let schema = snapshot.schema(&page.schema.alias).ok_or(Refused::NotFound)?;
    let by = OnBehalf {
        person: &page.user.name,
        address: page.caller.address,
        request_id: &page.caller.request_id,
    };
    let issued = issue_to_person(page.console.app(), snapshot, schema, known, by);
    issued.map(SecretString::from).map_err(|error| {
        Refused::Invalid(format!("The client gets no token ({}): it may be disabled.", error.code().as_str()))
    })
}

/// Basic credentials, each part form-encoded first (RFC 6749 section 2.3.1).
fn basic(id: &str, secret: Option<&SecretString>) -> Result<HeaderValue, Refused> {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let secret = secret.map(ExposeSecret::expose_secret).unwrap_or_default();
    let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
    let mut value = HeaderValue::try_from(format!("Basic {pair}")).map_err(Refused::failed)?;
    value.set_sensitive(true);
    Ok(value)
}

fn token_of(got: &Got) -> Option<SecretString> {
    let document: serde_json::Value = serde_json::from_slice(&got.body).ok()?;
    (got.status == 200).then_some(())?;
    document.get("access_token")?.as_str().map(SecretString::from)
}

async fn transmit(app: &App, ready: Ready<'_>) -> Result<Got, String> {
    let started = Instant::now();
    let scheme = if app.config.tls.certificate_file.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}{}", own_address(app), ready.path_and_query);
    let failed =
        |error: &reqwest::Error| format!("This server's own listener did not answer: {}.", words(error));
    // The address is our own listener's; its certificate is for the name that callers use.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .tls_danger_accept_invalid_certs(true)
        .http1_only()
        .no_gzip()
        .no_brotli()
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("Gatepost/", env!("CARGO_PKG_VERSION"), " (console)"))
        .build()
        .map_err(|error| failed(&error))?;
    let method = reqwest::Method::from_bytes(ready.method.as_bytes()).map_err(|error| error.to_string())?;
    let host = app.base_url.split_once("://").map_or(app.base_url.as_ref(), |(_, host)| host);
    let mut request = client.request(method, url).headers(ready.headers).header(HOST, host);
    if let Some(body) = ready.body {
        request = request.body(body);
    }
    let mut response = request.send().await.map_err(|error| failed(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let (mut body, mut cut) = (Vec::new(), false);
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        let room = BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            cut = true;
            break;
        }
    }
    Ok(Got { status, headers, body, cut, elapsed: started.elapsed() })
}

/// Where this process listens; from everywhere means loopback, too.
fn own_address(app: &App) -> SocketAddr {
    let mut address = app.config.server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

/// What went wrong, without URLs: they can hold what is secret.
fn words(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "the request could not be made"
    }
}
