//! A request to a published service, from one end to the other: authenticate, route, decide, plan, execute,
//! render. `serve` is the table of contents; each stage consumes what the one before made.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use gatepost_rest::access::{Admission, RequestMethod};
use gatepost_rest::definition::{EtagType, Handler, Method, RESERVED_SEGMENTS};
use gatepost_rest::path::{PathTail, RequestPath};
use gatepost_rest::plan::{LinkBase, PageSettings, Plan, Principal, RequestBody, RequestValues, plan};
use gatepost_rest::router::{Captures, Found};
use gatepost_rest::source::CompiledSource;
use gatepost_store::data::{ConstraintKind, DataStore, ExecuteError, Limits, Precondition, Reply, ReplyBody};
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::authenticate::{AuthenticationFailure, Caller, authenticate, look_again};
use super::body::WholeBody;
use super::cors::Sharing;
use super::facts::Facts;
use super::{body, conditional, cors, decide, forward, oauth, respond};
use crate::app::App;
use crate::app::published::{PublishedSchema, PublishedTemplate};
use crate::app::snapshot::Snapshot;
use crate::error::{Code, Failure};

/// Bodies up to this size get a `HASH` entity tag; larger ones stream.
const TAGGED_BYTES_MAX: usize = 64 * 1024;

/// Headers of an answer, so that their map is made once and does not grow.
const HEADERS_USUAL: usize = 10;

/// Parameters that a query string may have.
const QUERY_PAIRS_MAX: usize = 200;

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
        if let Some(response) = oauth::serve(endpoint, name, request, facts).await {
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
        served.app.throttle.take_request(known.client.id, facts.at_ms).map_err(too_many)?;
    }
    let tail = served.path.below(2);
    let found = find(served.schema, tail);
    let template = found.as_ref().map(|found| found.value);
    facts.route = template.map(|template| Arc::clone(&template.route));
    let method = RequestMethod::from(&head.method);
    admit(served, template, tail, method, &caller, facts)?;
    let Some(found) = found else { return Err(decide::not_found(served.schema, tail)) };
    let call = Call::new(served, &head, &caller, &found, tail, method)?;
    match call {
        Some(call) => call.answer(incoming, facts).await,
        None => Ok(options(found.value)),
    }
}

/// Decides. A process that has not heard of the catalog for too long opens only what is open to everybody.
fn admit(
    served: &Served<'_>,
    template: Option<&PublishedTemplate>,
    tail: PathTail<'_>,
    method: RequestMethod,
    caller: &Caller,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let admission = decide::admit(served.schema, template, tail, method, caller, facts)?;
    let open = matches!(admission, Admission::Public { .. } | Admission::Unprotected);
    if served.app.is_stale() && !open {
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

fn refuse(failure: AuthenticationFailure, schema: &PublishedSchema, facts: &mut Facts) -> Failure {
    facts.reason = match failure {
        AuthenticationFailure::Presented(_) => "credentials refused as presented",
        AuthenticationFailure::NotAccepted(reason) => reason.as_str(),
    };
    failure.into_failure(schema)
}

impl Served<'_> {
    /// The same schema in another snapshot.
    fn renewed(&self, snapshot: &Arc<Snapshot>) -> Result<Arc<PublishedSchema>, Failure> {
        if Arc::ptr_eq(snapshot, self.snapshot) {
            return Ok(Arc::clone(self.schema));
        }
        let gone = || Failure::new(Code::NotFound, "The schema is not published any more");
        snapshot.schema(&self.schema.schema.alias).cloned().ok_or_else(gone)
    }

    fn data(&self) -> Result<&DataStore, Failure> {
        let missing =
            || Failure::new(Code::DataUnavailable, "The schema's data cannot be reached").retry_after(5);
        self.schema.data.as_ref().ok_or_else(missing)
    }

    fn limits(&self, writes: bool) -> Limits {
        let limits = &self.app.config.limits;
        let time_ms = if writes { limits.write_ms } else { limits.statement_ms };
        Limits {
            deadline: Instant::now() + Duration::from_millis(u64::from(time_ms)),
            rows_max: u64::from(limits.rows),
            bytes_max: limits.response_bytes,
        }
    }
}

/// A call that was let in, with the handler that answers it.
pub(super) struct Call<'a> {
    served: &'a Served<'a>,
    head: &'a Parts,
    caller: &'a Caller,
    template: &'a PublishedTemplate,
    handler: &'a Handler,
    source: &'a Arc<CompiledSource>,
    captures: Captures<'a>,
}

impl<'a> Call<'a> {
    /// Finds the handler. None: the request only asks which methods there are.
    fn new(
        served: &'a Served<'a>,
        head: &'a Parts,
        caller: &'a Caller,
        found: &Found<'a, 'a, PublishedTemplate>,
        tail: PathTail<'_>,
        method: RequestMethod,
    ) -> Result<Option<Self>, Failure> {
        let template = found.value;
        let RequestMethod::Handler(method) = method else { return Ok(None) };
        let Some((handler, published)) = template.handler(method) else {
            let failure = Failure::new(Code::MethodNotAllowed, "This resource has no handler for the method");
            return Err(failure.allow(&allow(template)));
        };
        let source = template.compiled(handler, published).map_err(|construct| {
            Failure::new(Code::NotRunnable, "This handler is defined, and its source cannot run here")
                .because(format!("{} {} /{}: {construct}", template.module.name, method.as_str(), join(tail)))
        })?;
        Ok(Some(Self { served, head, caller, template, handler, source, captures: found.captures }))
    }

    async fn answer(&self, incoming: Incoming, facts: &mut Facts) -> Result<Response<Body>, Failure> {
        let body = self.read_body(incoming).await?;
        self.decide_again(facts)?;
        let reply = self.execute(&body.bytes).await?;
        if let Some(location) = &reply.location {
            let location = location.clone();
            return forward::answer(self, reply, &location, facts).await;
        }
        self.render(reply, &self.head.headers)
    }

    /// `If-Match` on a write: the current representation must be the one that the caller knows, and must still be
    /// it in the transaction that makes the change.
    fn precondition(&self) -> Result<Option<Precondition>, Failure> {
        if self.handler.method == Method::Get || !self.head.headers.contains_key(header::IF_MATCH) {
            return Ok(None);
        }
        let current = self.template.handler(Method::Get).and_then(|(handler, published)| {
            let source = self.template.compiled(handler, published).ok()?;
            let get = Call { handler, source, captures: self.captures, ..*self };
            get.plan(&Bytes::new()).ok()
        });
        let Some(plan) = current else { return Err(outdated()) };
        let (headers, etag_type) = (self.head.headers.clone(), self.template.template().etag_type);
        let holds = move |reply: &Reply| {
            let tag = entity_tag(etag_type, reply).filter(|_| !reply.not_found);
            !conditional::is_outdated(&headers, tag.as_ref())
        };
        Ok(Some(Precondition { plan, holds: Box::new(holds) }))
    }

    /// A body can take its time. What changed meanwhile counts: a client that was disabled does not write any more.
    fn decide_again(&self, facts: &mut Facts) -> Result<(), Failure> {
        let snapshot = self.served.app.snapshot();
        if Arc::ptr_eq(&snapshot, self.served.snapshot) {
            return Ok(());
        }
        let schema = self.served.renewed(&snapshot)?;
        let now_ms = self.served.app.clock.now_ms();
        let caller = authenticate(&snapshot, &schema, &self.head.headers, self.head.uri.query(), now_ms)
            .map_err(|failure| refuse(failure, &schema, facts))?;
        let served = Served { snapshot: &snapshot, schema: &schema, ..*self.served };
        let tail = served.path.below(2);
        let found = find(&schema, tail);
        let method = RequestMethod::Handler(self.handler.method);
        admit(&served, found.as_ref().map(|found| found.value), tail, method, &caller, facts)
    }

    async fn read_body(&self, incoming: Incoming) -> Result<WholeBody, Failure> {
        let app = self.served.app;
        if self.handler.method == Method::Get {
            return body::read(app, body::empty(), 0).await;
        }
        let body = body::read(app, incoming, app.config.limits.body_bytes).await?;
        let allowed = &self.handler.mimes_allowed;
        if !body.bytes.is_empty() && !allowed.is_empty() {
            let sent = media_type(content_type(self.head).unwrap_or_default());
            if !allowed.iter().any(|allowed| media_type(allowed).eq_ignore_ascii_case(sent)) {
                let detail = format!("This handler takes {}", allowed.join(", "));
                return Err(Failure::new(Code::UnsupportedMediaType, detail));
            }
        }
        Ok(body)
    }

    /// Plans and executes.
    pub(super) async fn execute(&self, bytes: &Bytes) -> Result<Reply, Failure> {
        let precondition = self.precondition()?;
        let plan = self.plan(bytes)?;
        let limits = self.served.limits(self.source.writes);
        let data = self.served.data()?;
        let reply = match precondition {
            Some(precondition) if self.source.writes => data.execute_if(plan, precondition, limits).await,
            Some(Precondition { plan: current, holds }) => match data.execute(current, limits).await {
                Ok(reply) if holds(&reply) => data.execute(plan, limits).await,
                _ => Err(ExecuteError::Outdated),
            },
            None => data.execute(plan, limits).await,
        };
        let reply = reply.map_err(|error| self.failed(&error))?;
        if reply.not_found {
            return Err(Failure::new(Code::NoRow, "Nothing was found"));
        }
        Ok(reply)
    }

    fn plan(&self, bytes: &Bytes) -> Result<Plan, Failure> {
        let bad = |error: gatepost_rest::plan::PlanError| Failure::new(Code::BadParameter, error.to_string());
        let query = query_pairs(self.head.uri.query())?;
        let captures: Vec<_> = self.captures.iter().collect();
        let content_type = content_type(self.head);
        let body = RequestBody::read(self.source, content_type, bytes)
            .map_err(|error| Failure::new(Code::BadBody, error.to_string()))?;
        let values = RequestValues {
            captures: &captures,
            query: &query,
            body,
            body_bytes: bytes,
            headers: &self.head.headers,
            content_type,
            current_user: self.caller.user(),
        };
        let mut plan = plan(self.source, self.page_settings(), self.link_base(), &values).map_err(bad)?;
        if self.served.data().is_ok_and(DataStore::asks_who) {
            plan.principal = Some(Arc::new(self.principal()));
        }
        Ok(plan)
    }

    /// Who asks, for databases that decide by row. Roles count as they are now.
    fn principal(&self) -> Principal {
        let Caller::Client { known, .. } = self.caller else { return Principal::default() };
        let roles = known.access.roles.iter().filter_map(|id| self.served.snapshot.catalog.roles.get(id));
        Principal {
            name: known.access.client_id.to_string(),
            roles: roles.map(|role| role.name.clone()).collect(),
        }
    }

    fn page_settings(&self) -> PageSettings {
        PageSettings {
            items_per_page: self.handler.items_per_page.unwrap_or(self.template.module.items_per_page),
            rows_max: u64::from(self.served.app.config.limits.rows),
        }
    }

    fn link_base(&self) -> LinkBase {
        LinkBase {
            url: [&*self.served.app.base_url, self.head.uri.path()].concat(),
            context: Arc::clone(&self.served.app.context_url),
            described_by: Some(Arc::clone(&self.template.described_by)),
        }
    }

    fn failed(&self, error: &ExecuteError) -> Failure {
        let template = self.template;
        let place = format!(
            "schema {} module {} template {} {}",
            self.served.schema.schema.name,
            template.module.name,
            template.template().pattern,
            self.handler.method.as_str(),
        );
        execution_failure(error).because(format!("{place}: {error}"))
    }

    /// Turns a reply into an answer.
    pub(super) fn render(&self, reply: Reply, request: &HeaderMap) -> Result<Response<Body>, Failure> {
        let status = match reply.status {
            None => StatusCode::OK,
            Some(status) => StatusCode::from_u16(status).map_err(|error| {
                Failure::new(Code::StatementFailed, "The handler set a status that does not exist")
                    .because(error)
            })?,
        };
        let tagged = self.handler.method == Method::Get && status == StatusCode::OK;
        let tag = entity_tag(self.template.template().etag_type, &reply).filter(|_| tagged);
        if let Some(known) = tag.as_ref().and_then(|tag| conditional::known_as(request, tag)) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            self.describe(response.headers_mut(), Some(&known));
            return Ok(response);
        }
        let mut response = Response::new(match reply.body {
            ReplyBody::Full(bytes) => Body::from(bytes),
            ReplyBody::Stream(stream) => Body::new(RowBody(stream)),
        });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(HEADERS_USUAL);
        for (name, value) in reply.headers.into_iter().filter(|(name, _)| !respond::is_reserved(name)) {
            headers.append(name, value);
        }
        let kind = reply.content_type.and_then(|kind| match kind {
            Cow::Borrowed(kind) => Some(HeaderValue::from_static(kind)),
            Cow::Owned(kind) => HeaderValue::try_from(kind).ok(),
        });
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        self.describe(headers, tag.as_ref());
        Ok(response)
    }

    fn describe(&self, headers: &mut HeaderMap, tag: Option<&HeaderValue>) {
        respond::protect(headers);
        // BEA-08: an answer to one caller is not kept for another.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("Authorization, Accept-Encoding"));
        if !self.template.module.origins_allowed.is_empty() {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(tag) = tag {
            headers.insert(header::ETAG, tag.clone());
        }
    }

    /// The same caller and request head, for the GET that a handler asks for.
    pub(super) fn context(&self) -> (&'a Served<'a>, &'a Parts, &'a Caller) {
        (self.served, self.head, self.caller)
    }
}

impl<'a> Call<'a> {
    /// The call of a GET at another path of the schema, as the same principal, decided anew.
    pub(super) fn forwarded(
        served: &'a Served<'a>,
        head: &'a Parts,
        caller: &'a Caller,
        facts: &mut Facts,
    ) -> Result<Self, Failure> {
        let tail = served.path.below(2);
        let method = RequestMethod::Handler(Method::Get);
        let found = find(served.schema, tail);
        decide::admit(served.schema, found.as_ref().map(|found| found.value), tail, method, caller, facts)?;
        let found = found.ok_or_else(|| decide::not_found(served.schema, tail))?;
        let call = Self::new(served, head, caller, &found, tail, method)?;
        call.ok_or_else(|| decide::not_found(served.schema, tail))
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
fn find<'a>(schema: &'a PublishedSchema, tail: PathTail<'a>) -> Option<Found<'a, 'a, PublishedTemplate>> {
    let reserved = tail.segments.first().is_some_and(|first| RESERVED_SEGMENTS.contains(&first.as_ref()));
    if reserved { None } else { schema.router.find(tail) }
}

/// Rows on their way to the caller. It ends with an error when they were cut short, so that no truncated answer
/// looks complete.
struct RowBody(gatepost_store::data::RowStream);

impl http_body::Body for RowBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        self.0.poll_chunk(context).map(|chunk| chunk.map(|chunk| chunk.map(http_body::Frame::data)))
    }
}

/// The entity tag of a reply, as the template wants it.
fn entity_tag(etag_type: EtagType, reply: &Reply) -> Option<HeaderValue> {
    match etag_type {
        EtagType::None => None,
        EtagType::Query => reply.etag.as_deref().map(conditional::of_version),
        EtagType::Hash => match &reply.body {
            ReplyBody::Full(bytes) if !bytes.is_empty() && bytes.len() <= TAGGED_BYTES_MAX => {
                Some(conditional::of_bytes(bytes))
            }
            _ => None,
        },
    }
}

fn outdated() -> Failure {
    Failure::new(Code::PreconditionFailed, "The resource is not the version that If-Match names")
}

fn execution_failure(error: &ExecuteError) -> Failure {
    match error {
        ExecuteError::NotRunnable(_) => {
            Failure::new(Code::NotRunnable, "This handler's source cannot run here")
        }
        ExecuteError::NotCompiled { .. } => {
            Failure::new(Code::NotCompiled, "This handler waits for the database objects that it uses")
                .retry_after(60)
        }
        ExecuteError::Statement { .. } | ExecuteError::BadOutput(_) => {
            Failure::new(Code::StatementFailed, "The statement of this handler failed")
        }
        ExecuteError::Constraint { kind, .. } => match kind {
            ConstraintKind::Unique => Failure::new(Code::Conflict, "A row with this key exists already"),
            ConstraintKind::ForeignKey => {
                Failure::new(Code::Conflict, "The change breaks a reference between rows")
            }
            ConstraintKind::NotNull => {
                Failure::new(Code::ValueRefused, "A value that must not be empty is missing")
            }
            ConstraintKind::DataType => Failure::new(Code::ValueRefused, "A value has the wrong type"),
            ConstraintKind::Check | ConstraintKind::Other => {
                Failure::new(Code::ValueRefused, "The change breaks a rule of the data")
            }
        },
        ExecuteError::Parameter { name, message } => {
            Failure::new(Code::BadParameter, format!("parameter `{name}`: {message}"))
        }
        ExecuteError::Unavailable(_) => {
            Failure::new(Code::DataUnavailable, "The schema's data cannot be reached").retry_after(5)
        }
        ExecuteError::Timeout => Failure::new(Code::StatementTimeout, "The statement took too long"),
        ExecuteError::Busy => Failure::new(Code::Busy, "The database is busy").retry_after(1),
        ExecuteError::TooLarge => Failure::new(Code::AnswerTooLarge, "The answer is too large"),
        ExecuteError::Full | ExecuteError::Corrupt(_) => {
            Failure::new(Code::DatabaseBroken, "The database cannot be written or read")
        }
        ExecuteError::Outdated => outdated(),
        ExecuteError::Stopped => {
            Failure::new(Code::DataUnavailable, "The schema's data is being closed").retry_after(1)
        }
        ExecuteError::Panic => Failure::new(Code::Internal, "The server made a mistake"),
    }
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

fn allow(template: &PublishedTemplate) -> String {
    let mut methods: Vec<&str> = template.methods().map(Method::as_str).collect();
    if methods.first() == Some(&"GET") {
        methods.insert(1, "HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

fn content_type(head: &Parts) -> Option<&str> {
    head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn join(tail: PathTail<'_>) -> String {
    tail.segments.join("/")
}

type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Decodes a query string: `+` is a space, `%XX` a byte, UTF-8 throughout.
fn query_pairs(query: Option<&str>) -> Result<Pairs<'_>, Failure> {
    let Some(query) = query else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == QUERY_PAIRS_MAX {
            return Err(Failure::new(Code::BadParameter, format!("More than {QUERY_PAIRS_MAX} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<Cow<'_, str>, Failure> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let bad = || Failure::new(Code::BadParameter, "The query string has a bad escape or is not UTF-8");
    let mut escapes = text.split('%').skip(1).map(str::as_bytes);
    if !escapes.all(|escape| escape.len() >= 2 && escape[..2].iter().all(u8::is_ascii_hexdigit)) {
        return Err(bad());
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8().map_err(|_| bad())?;
    Ok(Cow::Owned(decoded.into_owned()))
}
