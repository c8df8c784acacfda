//! A request to a published service, from one end to the other: authenticate, route, decide, plan, execute,
//! render. `serve` is the table of contents; each stage consumes what the one before made.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use gatepost_rest::access::{Admission, RequestMethod};
use gatepost_rest::definition::{Method, RESERVED_SEGMENTS};
use gatepost_rest::path::{PathTail, RequestPath};
use gatepost_rest::router::Found;
use gatepost_store::data::{DataStore, Limits};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::authenticate::{AuthenticationFailure, Caller, authenticate, look_again};
use super::call::Call;
use super::cors::Sharing;
use super::facts::Facts;
use super::{catalog, cors, decide, oauth, respond, source_operations, sources};
use crate::app::App;
use crate::app::published::{PublishedSchema, PublishedTemplate};
use crate::app::snapshot::Snapshot;
use crate::error::{Code, Failure};

/// What a request is answered from.
#[derive(Clone, Copy)]
pub(super) struct Served<'a> {
    /// The installation.
    pub(super) app: &'a Arc<App>,
    /// The catalog at one revision.
    pub(super) snapshot: &'a Arc<Snapshot>,
    /// The schema that the path names.
    pub(super) schema: &'a Arc<PublishedSchema>,
    /// The whole path.
    pub(super) path: &'a RequestPath,
}

/// Answers a request below a schema alias.
pub(super) async fn serve(
    served: &Served<'_>,
    request: Request<Incoming>,
    facts: &mut Facts,
) -> Result<Response<Body>, Failure> {
    let tail = served.path.below(2);
    if let [first, name] = tail.segments
        && first.as_ref() == "oauth"
        && !tail.trailing_slash
    {
        let endpoint = oauth::Endpoint {
            app: served.app,
            snapshot: served.snapshot,
            schema: served.schema,
            first_look: true,
        };
        if let Some(response) = Box::pin(oauth::serve(endpoint, name, request, facts)).await {
            return Ok(response);
        }
        return Err(Failure::new(Code::NotFound, "There is no such OAuth endpoint"));
    }
    // Only a page of another origin asks who may read its answers.
    let sharing = if request.headers().contains_key(header::ORIGIN) {
        let public_url = &*served.app.base_url;
        let allowed = origins_allowed(served.schema, tail);
        if cors::is_preflight(request.method(), request.headers()) {
            return cors::preflight(request.headers(), allowed, public_url);
        }
        cors::check(request.headers(), allowed, public_url)?
    } else {
        Sharing::SameOrigin
    };
    let mut response = match answer(served, request, facts).await {
        Ok(response) => response,
        Err(failure) => {
            let token_url = format!("{}/oauth/token", served.schema.issuer);
            respond::failure(&failure, facts, Some(&token_url))
        }
    };
    if let Sharing::Allow(_) = sharing {
        cors::share(response.headers_mut(), &sharing);
    }
    Ok(response)
}

async fn answer(
    served: &Served<'_>,
    request: Request<Incoming>,
    facts: &mut Facts,
) -> Result<Response<Body>, Failure> {
    let (head, incoming) = request.into_parts();
    let (renewed, caller) = identify(served, &head, facts).await?;
    let served = &match &renewed {
        Some((snapshot, schema)) => Served { snapshot, schema, ..*served },
        None => *served,
    };
    if let Caller::Client { known, .. } = &caller {
        facts.client = Some(Arc::clone(&known.name));
        served.app.throttle.take_request(known.client.id, facts.started).map_err(too_many)?;
    }
    let tail = served.path.below(2);
    if let Some(target) = catalog::find(tail) {
        return Box::pin(catalog::answer(served, target, &head, &caller, facts)).await;
    }
    let found = find(served.schema, tail);
    let template = found.as_ref().map(|found| found.value);
    facts.route = template.map(|template| Arc::clone(&template.route));
    let method = RequestMethod::from(&head.method);
    let target = if template.is_none() { sources::find(served, tail) } else { None };
    let exists = template.is_some() || target.is_some();
    admit(served, (template, exists), tail, method, &caller, facts)?;
    if let Some(target) = target {
        facts.route = Some(format!("sources/{}/", target.source.name).into());
        if target.key.is_none() && matches!(head.method, http::Method::GET | http::Method::HEAD) {
            return Box::pin(sources::rows(served, &target.source, &head, &caller)).await;
        }
        return Box::pin(source_operations::answer(served, &target, &head, incoming, facts)).await;
    }
    let Some(found) = found else { return Err(decide::not_found(served.schema, tail)) };
    let call = Call::new(served, &head, &caller, &found, tail, method)?;
    match call {
        Some(call) => call.answer(incoming, facts).await,
        None => Ok(options(found.value)),
    }
}

/// Decides. A process that has not heard of the catalog for too long opens only what is open to everybody.
pub(super) fn admit(
    served: &Served<'_>,
    target: (Option<&PublishedTemplate>, bool),
    tail: PathTail<'_>,
    method: RequestMethod,
    caller: &Caller,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let admission = decide::admit(served.schema, target, tail, method, caller, facts)?;
    let open = matches!(admission, Admission::Public { .. } | Admission::Unprotected);
    if open { Ok(()) } else { refuse_stale(served, facts) }
}

/// Refuses while the catalog cannot be read.
pub(super) fn refuse_stale(served: &Served<'_>, facts: &mut Facts) -> Result<(), Failure> {
    if served.app.is_stale() {
        facts.reason = "stale catalog";
        return Err(Failure::new(Code::Stale, "This server cannot read its catalog").retry_after(1));
    }
    Ok(())
}

/// What a second look found: the catalog now, and the schema in it.
type Renewed = (Arc<Snapshot>, Arc<PublishedSchema>);

/// Reads the credentials; a token that this process cannot know yet makes it look again, once.
async fn identify(
    served: &Served<'_>,
    head: &Parts,
    facts: &mut Facts,
) -> Result<(Option<Renewed>, Caller), Failure> {
    let query = head.uri.query();
    let first = authenticate(served.snapshot, served.schema, &head.headers, query, facts.at_ms);
    let failure = match first {
        Ok(caller) => return Ok((None, caller)),
        Err(failure) => failure,
    };
    if !failure.may_be_outdated() {
        return Err(refuse(failure, served.schema, facts));
    }
    look_again(served.app, failure).await;
    let snapshot = Arc::clone(&served.app.snapshot());
    let schema = served.renewed(&snapshot)?;
    let caller = authenticate(&snapshot, &schema, &head.headers, query, facts.at_ms)
        .map_err(|failure| refuse(failure, &schema, facts))?;
    Ok((Some((snapshot, schema)), caller))
}

pub(super) fn refuse(failure: AuthenticationFailure, schema: &PublishedSchema, facts: &mut Facts) -> Failure {
    facts.reason = match failure {
        AuthenticationFailure::Presented(_) => "credentials refused as presented",
        AuthenticationFailure::NotAccepted(reason) => reason.as_str(),
    };
    failure.into_failure(schema)
}

impl Served<'_> {
    /// The same schema in another snapshot.
    pub(super) fn renewed(&self, snapshot: &Arc<Snapshot>) -> Result<Arc<PublishedSchema>, Failure> {
        if Arc::ptr_eq(snapshot, self.snapshot) {
            return Ok(Arc::clone(self.schema));
        }
        let gone = || Failure::new(Code::NotFound, "The schema is not published any more");
        snapshot.schema(&self.schema.schema.alias).cloned().ok_or_else(gone)
    }

    pub(super) fn data(&self) -> Result<&DataStore, Failure> {
        let missing =
            || Failure::new(Code::DataUnavailable, "The schema's data cannot be reached").retry_after(5);
        self.schema.data.as_ref().ok_or_else(missing)
    }

    pub(super) fn limits(&self, writes: bool) -> Limits {
        let limits = &self.app.config.limits;
        let time_ms = if writes { limits.write_ms } else { limits.statement_ms };
        Limits {
            deadline: Instant::now() + Duration::from_millis(u64::from(time_ms)),
            rows_max: u64::from(limits.rows),
            bytes_max: limits.response_bytes,
        }
    }
}

/// The origins that may call a path: those of the module that answers, or of the one that would.
fn origins_allowed<'a>(schema: &'a PublishedSchema, tail: PathTail<'a>) -> &'a [String] {
    let module = match find(schema, tail) {
        Some(found) => Some(&found.value.module),
        None => schema.router.module_base(tail).and_then(|base| schema.module(base)),
    };
    module.map_or(&[], |module| &module.origins_allowed)
}

/// Routes a path. What belongs to Gatepost below an alias is no module's, whatever a template can spell.
pub(super) fn find<'a>(
    schema: &'a PublishedSchema,
    tail: PathTail<'a>,
) -> Option<Found<'a, 'a, PublishedTemplate>> {
    let reserved = tail.segments.first().is_some_and(|first| RESERVED_SEGMENTS.contains(&first.as_ref()));
    if reserved { None } else { schema.router.find(tail) }
}

fn too_many(seconds: u32) -> Failure {
    Failure::new(Code::TooManyRequests, "This client sends too many requests").retry_after(seconds)
}

fn options(template: &PublishedTemplate) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    respond::protect(response.headers_mut());
    if let Ok(allow) = HeaderValue::from_str(&allow(template)) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

pub(super) fn allow(template: &PublishedTemplate) -> String {
    let mut methods: Vec<&str> = template.methods().map(Method::as_str).collect();
    if methods.first() == Some(&"GET") {
        methods.insert(1, "HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}
