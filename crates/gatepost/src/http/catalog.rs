//! `{alias}/open-api-catalog/` and `{alias}/metadata-catalog/`: what is published, for callers who may know.
//!
//! Both are locked as everything is. A client sees what it may call and nothing else; without anything that it may call, it
//! sees no catalog. A public entry opens a catalog to everybody, with all that is published.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use gatepost_rest::access::{Admission, Principal, Refusal, RequestMethod, Verdict};
use gatepost_rest::definition::{Id, Module};
use gatepost_rest::path::PathTail;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::Value;

use super::authenticate::Caller;
use super::facts::Facts;
use super::respond;
use super::rest::{Served, admit, refuse_stale};
use crate::app::principals::KnownClient;
use crate::describe::{self, Seen, Services, TooSlow, metadata};
use crate::error::{Code, Failure};

/// How long a caller waits for its turn while other documents are made.
const TURN_WAIT: Duration = Duration::from_secs(5);

/// A document of the catalogs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    kind: Kind,
    /// The module's base path or name; none: all modules.
    module: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OpenApi,
    Metadata,
}

/// The document that a path names.
pub(super) fn find(tail: PathTail<'_>) -> Option<Target> {
    let (first, rest) = tail.segments.split_first()?;
    let kind = match first.as_ref() {
        "open-api-catalog" => Kind::OpenApi,
        "metadata-catalog" => Kind::Metadata,
        _ => return None,
    };
    let module = (!rest.is_empty()).then(|| rest.join("/"));
    Some(Target { kind, module })
}

/// Whom a document is made for.
enum Reader {
    /// Somebody whom a public entry lets in.
    Anybody,
    /// A client.
    Client { known: Arc<KnownClient>, narrowed: Option<Box<[Id]>>, audience: Option<Id> },
}

/// Answers with a document.
pub(super) async fn answer(
    served: &Served<'_>,
    target: Target,
    head: &Parts,
    caller: &Caller,
    facts: &mut Facts,
) -> Result<Response<Body>, Failure> {
    facts.route = Some(Arc::from(match target.kind {
        Kind::OpenApi => "open-api-catalog",
        Kind::Metadata => "metadata-catalog",
    }));
    let reader = let_in(served, RequestMethod::from(&head.method), caller, facts)?;
    if !matches!(head.method, http::Method::GET | http::Method::HEAD) {
        return Err(Failure::new(Code::MethodNotAllowed, "Catalogs are read only").allow("GET, HEAD"));
    }
    let turn = tokio::time::timeout(TURN_WAIT, Arc::clone(&served.app.describing).acquire_owned());
    let Ok(Ok(turn)) = turn.await else { return Err(busy()) };
    let (app, schema) = (Arc::clone(served.app), Arc::clone(served.schema));
    let made = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let module =
            target.module.as_deref().map(|wanted| describe::find_module(&schema, wanted).ok_or(None));
        let module = module.transpose()?.map(AsRef::as_ref);
        reader
            .with_seen(|seen| match target.kind {
                Kind::OpenApi => describe::describe(&app, &schema, module, seen).map_err(Some),
                Kind::Metadata => Ok(describe::outline(&schema, module, seen)),
            })
            .and_then(|services| document(target.kind, module, &services).ok_or(None))
    });
    let failed = |error| Failure::new(Code::Internal, "The document could not be made").because(error);
    match made.await.map_err(failed)? {
        Ok((kind, document)) => Ok(respond(kind, &document)),
        Err(Some(TooSlow)) => Err(busy()),
        Err(None) => Err(Failure::new(Code::NotFound, "No module of this name is published to this caller")),
    }
}

/// Lets a caller in by the locks of the path, or, where nothing locks it, because it may call something.
fn let_in(
    served: &Served<'_>,
    method: RequestMethod,
    caller: &Caller,
    facts: &mut Facts,
) -> Result<Reader, Failure> {
    let tail = served.path.below(2);
    let verdict = served.schema.rules.decide(None, tail, method, &caller.principal(), &mut ());
    let Caller::Client { known, token } = caller else {
        admit(served, (None, true), tail, method, caller, facts)?;
        return Ok(Reader::Anybody);
    };
    let reader = Reader::Client {
        known: Arc::clone(known),
        narrowed: token.privileges.clone().map(Into::into),
        audience: (token.audience != 0).then_some(token.audience),
    };
    let uncovered = matches!(verdict, Verdict::Refuse(Refusal::NoPrivilege));
    if uncovered && reader.may_call_something(served) {
        facts.reason = "may call something";
        refuse_stale(served, facts)?;
        return Ok(reader);
    }
    admit(served, (None, true), tail, method, caller, facts)?;
    let open = matches!(verdict, Verdict::Allow(Admission::Public { .. } | Admission::Unprotected));
    Ok(if open { Reader::Anybody } else { reader })
}

impl Reader {
    fn with_seen<T>(&self, make: impl FnOnce(Seen<'_>) -> T) -> T {
        let Self::Client { known, narrowed, audience } = self else { return make(Seen::Everything) };
        let principal = Principal::Client { access: &known.access, narrowed: narrowed.as_deref() };
        make(Seen::By { principal: &principal, audience: *audience })
    }

    fn may_call_something(&self, served: &Served<'_>) -> bool {
        self.with_seen(|seen| describe::shows_something(served.schema, seen))
    }
}

fn document(kind: Kind, module: Option<&Module>, services: &Services) -> Option<(&'static str, Value)> {
    if module.is_some() && services.modules.is_empty() {
        return None;
    }
    Some(match (kind, module) {
        (Kind::OpenApi, _) => ("application/openapi+json;version=3.1", describe::openapi(services)),
        (Kind::Metadata, None) => ("application/json", metadata::modules(services)),
        (Kind::Metadata, Some(_)) => {
            ("application/json", metadata::module(services, services.modules.first()?))
        }
    })
}

fn respond(kind: &'static str, document: &Value) -> Response<Body> {
    let mut response = respond::json(StatusCode::OK, document);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization, Accept-Encoding"));
    respond::protect(headers);
    response
}

fn busy() -> Failure {
    Failure::new(Code::Busy, "The document is not ready in time").retry_after(1)
}
