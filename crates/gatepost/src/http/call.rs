//! One call of a handler that was let in: plan, execute, render.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use gatepost_rest::access::RequestMethod;
use gatepost_rest::definition::{EtagType, Handler, Method, ReadsFrom};
use gatepost_rest::path::PathTail;
use gatepost_rest::plan::{LinkBase, PageSettings, Plan, Principal, RequestBody, RequestValues, plan};
use gatepost_rest::router::{Captures, Found};
use gatepost_rest::source::CompiledSource;
use gatepost_store::data::{DataStore, ExecuteError, Limits, Precondition, Reply, ReplyBody};
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::authenticate::{Caller, authenticate};
use super::body::WholeBody;
use super::facts::Facts;
use super::rest::{Served, admit, allow, find, refuse};
use super::{body, conditional, decide, forward, outcome, query_string, remote, respond};
use crate::app::published::PublishedTemplate;
use crate::error::{Code, Failure};

/// Bodies up to this size get a `HASH` entity tag; larger ones stream.
const TAGGED_BYTES_MAX: usize = 64 * 1024;

/// Headers of an answer, so that their map is made once and does not grow.
const HEADERS_USUAL: usize = 10;

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
    pub(super) fn new(
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
            let failure = if construct.waits {
                Failure::new(Code::NotCompiled, "This handler waits for a REST source that it names")
                    .retry_after(60)
            } else {
                Failure::new(Code::NotRunnable, "This handler is defined, and its source cannot run here")
            };
            failure.because(format!(
                "{} {} /{}: {construct}",
                template.module.name,
                method.as_str(),
                join(tail)
            ))
        })?;
        Ok(Some(Self { served, head, caller, template, handler, source, captures: found.captures }))
    }

    /// Reads the body, runs the handler and renders what comes of it.
    pub(super) async fn answer(
        &self,
        incoming: Incoming,
        facts: &mut Facts,
    ) -> Result<Response<Body>, Failure> {
        let body = self.read_body(incoming).await?;
        self.decide_again(facts)?;
        let reply = self.execute(&body.bytes, self.reads_from()).await?;
        if let Some(location) = &reply.location {
            let location = location.clone();
            // Behind a pointer, as other rare ways: every request's future is as large as the largest way.
            return Box::pin(forward::answer(self, reply, &location, facts)).await;
        }
        self.render(reply, &self.head.headers)
    }

    /// `If-Match` on a write: the current representation must be the one that the caller knows, and must still be
    /// it in the transaction that makes the change.
    async fn precondition(&self) -> Result<Precondition, Failure> {
        let current = self.template.handler(Method::Get).and_then(|(handler, published)| {
            let source = self.template.compiled(handler, published).ok()?;
            Some(Call { handler, source, captures: self.captures, ..*self })
        });
        let Some(get) = current else { return Err(outcome::outdated()) };
        let Ok(mut plan) = get.plan(&Bytes::new()) else { return Err(outcome::outdated()) };
        if !get.source.remotes.is_empty() {
            remote::put_rows(&get, &mut plan).await?;
        }
        let (headers, etag_type) = (self.head.headers.clone(), self.template.template().etag_type);
        let holds = move |reply: &Reply| {
            let tag = entity_tag(etag_type, reply).filter(|_| !reply.not_found);
            !conditional::is_outdated(&headers, tag.as_ref())
        };
        Ok(Precondition { plan, holds: Box::new(holds) })
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
        let target = (found.as_ref().map(|found| found.value), found.is_some());
        admit(&served, target, tail, method, &caller, facts)
    }

    async fn read_body(&self, incoming: Incoming) -> Result<WholeBody, Failure> {
        let app = self.served.app;
        if self.handler.method == Method::Get {
            return Ok(WholeBody::default());
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

    /// Plans and executes. Only what comes first in a GET may come from a replica.
    pub(super) async fn execute(&self, bytes: &Bytes, reads_from: ReadsFrom) -> Result<Reply, Failure> {
        let conditional =
            self.handler.method != Method::Get && self.head.headers.contains_key(header::IF_MATCH);
        let precondition = if conditional { Some(Box::pin(self.precondition()).await?) } else { None };
        let mut plan = self.plan(bytes)?;
        plan.reads_from = reads_from;
        if !self.source.remotes.is_empty() {
            // Before anything of the database is taken.
            Box::pin(remote::put_rows(self, &mut plan)).await?;
        }
        let limits = self.served.limits(self.source.writes);
        let data = self.served.data()?;
        let reply = match precondition {
            Some(precondition) => Box::pin(self.execute_if(data, precondition, plan, limits)).await,
            None => data.execute(plan, limits).await,
        };
        let reply = reply.map_err(|error| self.failed(&error))?;
        if reply.not_found {
            return Err(Failure::new(Code::NoRow, "Nothing was found"));
        }
        Ok(reply)
    }

    /// Which servers may answer this call.
    fn reads_from(&self) -> ReadsFrom {
        match self.handler.method {
            Method::Get => self.template.module.reads_from,
            _ => ReadsFrom::Primary,
        }
    }

    async fn execute_if(
        &self,
        data: &DataStore,
        precondition: Precondition,
        plan: Plan,
        limits: Limits,
    ) -> Result<Reply, ExecuteError> {
        if self.source.writes {
            return data.execute_if(plan, precondition, limits).await;
        }
        let Precondition { plan: current, holds } = precondition;
        match data.execute(current, limits).await {
            Ok(reply) if holds(&reply) => data.execute(plan, limits).await,
            _ => Err(ExecuteError::Outdated),
        }
    }

    fn plan(&self, bytes: &Bytes) -> Result<Plan, Failure> {
        let bad = |error: gatepost_rest::plan::PlanError| Failure::new(Code::BadParameter, error.to_string());
        let query = query_string::pairs(self.head.uri.query())?;
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
        outcome::failure(error).because(format!("{}: {error}", self.place()))
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
            ReplyBody::Stream(stream) => Body::new(outcome::RowBody(stream)),
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

    /// The place of the handler, for its owner.
    pub(super) fn place(&self) -> String {
        let template = self.template;
        format!(
            "schema {} module {} template {} {}",
            self.served.schema.schema.name,
            template.module.name,
            template.template().pattern,
            self.handler.method.as_str(),
        )
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
        let target = (found.as_ref().map(|found| found.value), found.is_some());
        decide::admit(served.schema, target, tail, method, caller, facts)?;
        let found = found.ok_or_else(|| decide::not_found(served.schema, tail))?;
        let call = Self::new(served, head, caller, &found, tail, method)?;
        call.ok_or_else(|| decide::not_found(served.schema, tail))
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

fn content_type(head: &Parts) -> Option<&str> {
    head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn join(tail: PathTail<'_>) -> String {
    tail.segments.join("/")
}
