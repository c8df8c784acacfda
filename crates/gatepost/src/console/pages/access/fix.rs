//! What would let a refused caller in: proposed as a script, reviewed like any other.

use std::collections::BTreeSet;

use axum::body::Body;
use gatepost_rest::access::{Refusal, Verdict};
use gatepost_rest::definition::{Id, Privilege};
use http::Response;
use maud::{Markup, html};

use super::{NOBODY, Question};
use crate::app::published::PublishedSchema;
use crate::audit::explain::Explanation;
use crate::audit::reach::{Reach, Who};
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::signed_in::{Act, InSchema};
use crate::console::{Refused, ui};
use crate::script::{Script, text};

/// Roles that are offered.
const OFFERS_MAX: usize = 5;

/// What can be done at the step that stops a request.
pub(super) fn offers(
    page: &InSchema,
    schema: &PublishedSchema,
    explained: &Explanation<'_>,
    question: &Question<'_>,
) -> Markup {
    match &explained.verdict {
        Verdict::Refuse(Refusal::MissingRole { privileges }) if page.can(Act::Define) => {
            grants(page, schema, privileges, question)
        }
        Verdict::Refuse(Refusal::NotListed { .. } | Refusal::MissingRole { .. }) => html! {
            div.fix { a.btn.sm href=(page.path(&format!("clients/{}", ui::encode(question.caller)))) { "See the client" } }
        },
        Verdict::Refuse(Refusal::NoPrivilege) if explained.template.is_some() && page.can(Act::Define) => {
            html! {
                div.fix { a.btn.sm href=(page.path("privileges/new")) { "Make a privilege for it" } }
            }
        }
        Verdict::Refuse(Refusal::Anonymous) if page.can(Act::Define) => html! {
            div.fix {
                a.btn.sm href=(page.path(&format!("try?method={}&url={}", question.method, ui::encode(&question.path)))) {
                    "Try it with a token"
                }
            }
        },
        _ => html! {},
    }
}

fn grants(page: &InSchema, schema: &PublishedSchema, needed: &[Id], question: &Question<'_>) -> Markup {
    let catalog = &page.snapshot.catalog;
    let reach = Reach::of(catalog, &page.schema, page.console.app().unprotected());
    let needed = schema.privileges().iter().filter(|privilege| needed.contains(&privilege.id));
    let roles: BTreeSet<Id> = needed.flat_map(|privilege| privilege.roles.iter().copied()).collect();
    let reached: BTreeSet<&str> = reach
        .by_route()
        .filter(|(_, who)| {
            who.contains(&Who::Anybody) || who.contains(&Who::Client(question.caller.to_owned()))
        })
        .map(|(route, _)| route)
        .collect();
    html! {
        @for role in roles.iter().filter_map(|id| catalog.roles.get(id)).take(OFFERS_MAX) {
            @let accepts = |privilege: &&std::sync::Arc<Privilege>| privilege.roles.contains(&role.id);
            @let opened: BTreeSet<&str> = schema
                .privileges()
                .iter()
                .filter(accepts)
                .flat_map(|privilege| reach.routes_of_privilege(privilege.id))
                .filter(|route| !reached.contains(route))
                .collect();
            form.fix method="post" action=(page.path("access/grant")) {
                (page.csrf_field())
                input type="hidden" name="client" value=(question.caller);
                input type="hidden" name="role" value=(role.name);
                input type="hidden" name="method" value=(question.method);
                input type="hidden" name="path" value=(question.path);
                button.btn.sm type="submit" { "Grant " (role.name) " to " (question.caller) }
                span.dim { (side_effects(opened.len())) }
            }
        }
    }
}

fn side_effects(opened: usize) -> String {
    match opened.saturating_sub(1) {
        0 => "opens nothing else".to_owned(),
        others => format!("would also open {}", ui::plural(others, "other handler")),
    }
}

pub(super) async fn grant(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    let (client, role) = (fields.text("client"), fields.text("role"));
    if client == NOBODY {
        return Err(Refused::Invalid("A role is granted to a client.".into()));
    }
    let mut script = Script::default();
    script.call("oauth.grant_client_role", &[("p_client_name", text(client)), ("p_role_name", text(role))]);
    let back = page.path(&format!(
        "access?as={}&method={}&path={}",
        ui::encode(client),
        ui::encode(fields.text("method")),
        ui::encode(fields.text("path"))
    ));
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: back.clone(),
        back,
        title: format!("Grant {role} to {client}"),
        apply: None,
    };
    review::propose_or_refuse(&page, proposal).await
}
