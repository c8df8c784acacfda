//! From the decision to an answer: which refusal is 401, 403, 404 or 405 (DESIGN decision 5).

use gatepost_oauth::{BearerChallenge, BearerErrorCode, Scopes};
use gatepost_rest::access::{Admission, Refusal, RequestMethod, Verdict};
use gatepost_rest::definition::Id;
use gatepost_rest::path::PathTail;

use super::authenticate::{Caller, anonymous_challenge};
use super::facts::Facts;
use super::oauth::metadata::resource_metadata_url;
use crate::app::published::{PublishedSchema, PublishedTemplate};
use crate::error::{Code, Failure};

/// Decides about a request and says no where it has to. `template` is what the router found, if anything; `exists` says
/// whether that or something else answers here.
pub(super) fn admit(
    schema: &PublishedSchema,
    (template, exists): (Option<&PublishedTemplate>, bool),
    path: PathTail<'_>,
    method: RequestMethod,
    caller: &Caller,
    facts: &mut Facts,
) -> Result<Admission, Failure> {
    let locks = template.map(|template| &template.locks);
    let verdict = schema.rules.decide(locks, path, method, &caller.principal(), &mut ());
    let refusal = match verdict {
        Verdict::Allow(admission) => {
            facts.reason = match admission {
                Admission::Public { .. } => "public",
                Admission::Unprotected => "unprotected",
                Admission::Role { .. } => "role",
                Admission::Listed { .. } => "listed privilege",
            };
            let open = matches!(admission, Admission::Public { .. } | Admission::Unprotected);
            if open || caller.may_reach(template.map(|template| template.module.id)) {
                return Ok(admission);
            }
            facts.reason = "token for another resource";
            return Err(invalid_audience(schema));
        }
        Verdict::Refuse(refusal) => refusal,
    };
    if matches!(caller, Caller::Anonymous) {
        facts.reason = "no token";
        let detail = "Access to this resource is protected. A client's access token is needed";
        return Err(Failure::new(Code::Unauthorized, detail).challenge(anonymous_challenge(schema)));
    }
    facts.reason = reason(&refusal);
    // What nothing covers and nothing is published at does not exist; what is locked does not say whether it does.
    if !exists && matches!(refusal, Refusal::NoPrivilege) {
        return Err(not_found(schema, path));
    }
    Err(forbidden(schema, &refusal))
}

/// Nothing is published here; told to callers who may know.
pub(super) fn not_found(schema: &PublishedSchema, path: PathTail<'_>) -> Failure {
    let detail = match schema.router.module_base(path) {
        Some(base) => format!("Module {base} has no template for this path"),
        None => "No module has a base path that this path begins with".to_owned(),
    };
    Failure::new(Code::NotFound, detail)
}

fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Anonymous => "no token",
        Refusal::NoPrivilege => "no privilege covers the route",
        Refusal::MissingRole { .. } => "role missing",
        Refusal::NotListed { .. } => "privilege not listed",
        Refusal::NarrowedToken { .. } => "token limited to other privileges",
        Refusal::Sealed { .. } => "a privilege cannot be read",
    }
}

fn forbidden(schema: &PublishedSchema, refusal: &Refusal) -> Failure {
    let name = |id: &Id| schema.privileges().iter().find(|privilege| privilege.id == *id);
    let scopes = Scopes::of_privileges(
        refusal.needed().iter().filter_map(name).map(|privilege| privilege.name.as_str()),
    );
    let metadata = resource_metadata_url(schema);
    let mut challenge = BearerChallenge::new(&schema.issuer)
        .resource_metadata(&metadata)
        .error(BearerErrorCode::InsufficientScope, "The client lacks what this resource asks for");
    let detail = match refusal {
        Refusal::NoPrivilege | Refusal::Sealed { .. } | Refusal::Anonymous => {
            "No privilege opens this resource to anybody".to_owned()
        }
        Refusal::NarrowedToken { .. } => {
            format!("The access token is limited to other privileges; needed: {scopes}")
        }
        Refusal::MissingRole { .. } | Refusal::NotListed { .. } => {
            format!("The client lacks a privilege; needed: {scopes}")
        }
    };
    if !scopes.is_empty() {
        challenge = challenge.scope(&scopes);
    }
    Failure::new(Code::Forbidden, detail).challenge(challenge.to_header_value())
}

fn invalid_audience(schema: &PublishedSchema) -> Failure {
    let metadata = resource_metadata_url(schema);
    let description = "The access token is for another resource";
    let challenge = BearerChallenge::new(&schema.issuer)
        .resource_metadata(&metadata)
        .error(BearerErrorCode::InvalidToken, description);
    Failure::new(Code::InvalidToken, description).challenge(challenge.to_header_value())
}
