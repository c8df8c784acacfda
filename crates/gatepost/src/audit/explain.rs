//! One request and one caller: whether it is let in, and every reason, by the function that requests are judged by.

use gatepost_rest::access::{Principal, Reason, Refusal, RequestMethod, Verdict};
use gatepost_rest::path::PathTail;

use crate::app::published::{PublishedSchema, PublishedTemplate};

/// The decision about a request.
#[derive(Debug)]
pub struct Explanation<'s> {
    /// What is published at the path.
    pub template: Option<&'s PublishedTemplate>,
    /// The reasons, in the order of judgement; the verdict comes last.
    pub reasons: Vec<Reason>,
    /// What came of them.
    pub verdict: Verdict,
    anonymous: bool,
}

/// Explains the decision about a path below the schema's alias.
pub fn explain<'s>(
    schema: &'s PublishedSchema,
    path: PathTail<'_>,
    method: RequestMethod,
    principal: &Principal<'_>,
) -> Explanation<'s> {
    let template = schema.router.find(path).map(|found| found.value);
    let mut reasons: Vec<Reason> = Vec::new();
    let locks = template.map(|template| &template.locks);
    let verdict = schema.rules.decide(locks, path, method, principal, &mut reasons);
    Explanation { template, reasons, verdict, anonymous: matches!(principal, Principal::Anonymous) }
}

impl Explanation<'_> {
    /// The status that a refusal has; none: it is let in.
    pub fn refusal_status(&self) -> Option<u16> {
        match &self.verdict {
            Verdict::Allow(_) => None,
            Verdict::Refuse(_) if self.anonymous => Some(401),
            Verdict::Refuse(Refusal::NoPrivilege) if self.template.is_none() => Some(404),
            Verdict::Refuse(_) => Some(403),
        }
    }
}
