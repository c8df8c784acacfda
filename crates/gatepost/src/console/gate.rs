//! What every request of the console passes: host, origin and method before a page sees it, headers and the page of
//! a refusal after.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use maud::html;
use tower::ServiceExt as _;

use super::refused::Refused;
use super::{ASSETS_PATH, Caller, Console, PATH, shell, ui};
use crate::http::coding::{self, Coding};
use crate::http::facts::{Facts, REQUEST_ID};
use crate::http::{Peer, host};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Says to htmx that the whole page changes.
const HX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");

/// Answers a request of the console.
pub(super) async fn pass(
    console: Console,
    router: Router,
    peer: Peer,
    mut request: Request<Body>,
) -> Response<Body> {
    let app = console.app();
    let proxies = &app.config.server.trusted_proxies;
    let now_ms = app.clock.now_ms();
    let facts = Facts::new(request.method(), request.headers(), peer.address, proxies, now_ms);
    let caller = Caller { address: facts.address, request_id: facts.request_id.clone() };
    let coding = Coding::preferred(request.headers());
    let asset = request.uri().path().starts_with(ASSETS_PATH);
    let partial = request.headers().contains_key("hx-request");
    let theme = super::cookie::theme(request.headers());
    let target = request.uri().path_and_query().map_or(PATH.to_owned(), ToString::to_string);
    let (method, started) = (request.method().clone(), Instant::now());
    let scripts = console.script_source(request.headers());
    request.extensions_mut().insert(caller.clone());
    let response = match check(&console, &request) {
        Ok(()) => {
            let answered = AssertUnwindSafe(router.oneshot(request)).catch_unwind().await;
            answered.map_or_else(
                |_| axum::response::IntoResponse::into_response(Refused::failed("a page panicked")),
                |Ok(response)| response,
            )
        }
        Err(refused) => axum::response::IntoResponse::into_response(refused),
    };
    let mut response = match response.extensions().get::<Refused>() {
        Some(refused) => explain(refused, &target, theme, partial, &caller.request_id),
        None => response,
    };
    if !asset {
        let status = response.status().as_u16();
        let path = target.split('?').next().unwrap_or_default();
        let ms = started.elapsed().as_millis() as u64;
        tracing::debug!(request_id = caller.request_id, %method, path, status, ms, "console");
        protect(response.headers_mut(), &scripts);
        // What answers a form can hold a secret, which is not squeezed together with what was sent.
        let squeezable = method != Method::POST && is_page(response.headers());
        if let Some(coding) = coding.filter(|_| squeezable) {
            response = coding::encode(response, coding).await;
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&caller.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if peer.tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// Refuses what names another host, and what another site sends (DESIGN decision 25).
fn check(console: &Console, request: &Request<Body>) -> Result<(), Refused> {
    host::check(&console.inner.hosts, request).map_err(|failure| Refused::WrongHost(failure.detail))?;
    match *request.method() {
        Method::GET | Method::HEAD => return Ok(()),
        Method::POST => {}
        _ => return Err(Refused::NotFound),
    }
    let text = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let ours = text(&header::ORIGIN).is_some_and(|origin| console.is_own_origin(origin));
    let same_site = text(&SEC_FETCH_SITE).is_none_or(|site| site == "same-origin");
    if ours && same_site { Ok(()) } else { Err(Refused::ForeignForm) }
}

impl Console {
    /// Whether a page of ours sends from here: scheme, and one of the console's hosts.
    fn is_own_origin(&self, origin: &str) -> bool {
        let scheme = if self.is_secure() { "https://" } else { "http://" };
        let host = origin.strip_prefix(scheme);
        host.is_some_and(|host| self.inner.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)))
    }
}

impl Console {
    /// Where the scripts of a page may come from: our files, by the name that the browser used for us.
    fn script_source(&self, headers: &HeaderMap) -> String {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let scheme = if self.is_secure() { "https" } else { "http" };
        let ours = self.inner.hosts.iter().find(|ours| ours.eq_ignore_ascii_case(host));
        // An address in brackets is no host of a policy (CSP 3, section 2.3.1).
        match ours.filter(|ours| !ours.starts_with('[')) {
            Some(ours) => format!("{scheme}://{ours}{ASSETS_PATH}"),
            None => "'self'".into(),
        }
    }
}

/// The page of a refusal. Who is not signed in goes to the page for that.
fn explain(
    refused: &Refused,
    target: &str,
    theme: Option<&'static str>,
    partial: bool,
    request_id: &str,
) -> Response<Body> {
    if let Refused::Failed(cause) = refused {
        tracing::error!(request_id, cause, "a page of the console failed");
    }
    let path = match refused {
        Refused::NotSignedIn => Some(format!("{PATH}sign-in?next={}", ui::encode(target))),
        Refused::ConfirmFirst(back) => Some(format!("{PATH}confirm?next={}", ui::encode(back))),
        _ => None,
    };
    if let Some(path) = path {
        return if partial { hx_redirect(&path) } else { see_other(&path) };
    }
    let (status, title, what) = refused.facts();
    let body = html! {
        div.card.pad.stack role="alert" {
            h1.h1 { (title) }
            p { (what) }
            p.dim { "Reference " code.mono { (request_id) } }
            p { a.btn href=(PATH) { "To the overview" } }
        }
    };
    let markup = if partial { body } else { shell::bare(title, theme, &body) };
    let mut response = shell::html_response(&markup);
    *response.status_mut() = status;
    response
}

/// Sends the browser to another page after a form was taken.
pub(super) fn see_other(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

fn hx_redirect(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(HX_REDIRECT, path);
    }
    response
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    !kind.starts_with("text/event-stream")
}

fn protect(headers: &mut HeaderMap, scripts: &str) {
    let policy = format!(
        "default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self'; font-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        PERMISSIONS_POLICY,
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    );
    headers.insert(header::VARY, HeaderValue::from_static("cookie, hx-request"));
}
