//! Privileges, roles and public entries: who gets in without a token, and which locks nobody opens.

use gatepost_rest::definition::{Id, Method, Privilege, PublicEntry};
use gatepost_store::catalog::Catalog;

use super::routes::{Route, routes};
use super::{Finding, Scope, Severity, literal, some_of};
use crate::app::published::PublishedSchema;

pub(super) fn look(scope: Scope<'_>, catalog: &Catalog, schema: &PublishedSchema) -> Vec<Finding> {
    let mut open = routes(catalog, &schema.schema, &schema.rules);
    open.retain(Route::is_public);
    let mut found: Vec<Finding> =
        catalog.public_entries_of(scope.id).map(|entry| public_entry(scope, entry, &open)).collect();
    found.extend(uncovered(scope, &open));
    found.extend(narrower(scope, schema));
    found.extend(
        catalog.privileges_of(scope.id).filter_map(|privilege| opened_by_nobody(scope, catalog, privilege)),
    );
    let held = |role: Id| catalog.clients_of(scope.id).any(|client| client.roles.contains(&role));
    found.extend(catalog.roles_of(scope.id).filter(|role| !held(role.id)).map(|role| Finding {
        why: "no client holds this role".to_owned(),
        fix: format!(
            "grant it, OAUTH.GRANT_CLIENT_ROLE('…', {0}), or drop it: ORDS.DELETE_ROLE(p_role_name => {0})",
            literal(&role.name)
        ),
        ..scope.finding(Severity::Notice, "role-nobody", format!("role {}", role.name))
    }));
    found
}

fn public_entry(scope: Scope<'_>, entry: &PublicEntry, open: &[Route]) -> Finding {
    let opened = open.iter().filter(|route| route.entries.contains(&entry.id));
    let routes: Vec<String> = opened.map(|route| route.name.clone()).collect();
    let names: Vec<&str> = entry.methods.iter().map(|method| method.as_str()).collect();
    let writes = entry.methods.iter().any(|method| *method != Method::Get);
    let (severity, check) = match (routes.is_empty(), writes) {
        (true, _) => (Severity::Notice, "public-nothing"),
        (false, true) => (Severity::OpenDoor, "public-write"),
        (false, false) => (Severity::OpenDoor, "public-read"),
    };
    let why = match check {
        "public-nothing" => "opens nothing now, and would open what is published there later".to_owned(),
        "public-write" => format!("anybody may change things there, without a token ({})", names.join(", ")),
        _ => format!("anybody may read there, without a token ({})", names.join(", ")),
    };
    let fix = format!("GATEPOST.DENY_PUBLIC(p_pattern => {})", literal(&entry.pattern));
    let object = format!("public entry {}", entry.pattern);
    Finding { why, evidence: some_of(routes), fix, ..scope.finding(severity, check, object) }
}

fn uncovered(scope: Scope<'_>, open: &[Route]) -> Option<Finding> {
    let uncovered = open.iter().filter(|route| route.uncovered);
    let routes: Vec<String> = uncovered.map(|route| route.name.clone()).collect();
    (!routes.is_empty()).then(|| Finding {
        why: "neither a privilege nor a public entry covers these, and `access.unprotected` is \"public\": \
              anybody may call them"
            .to_owned(),
        evidence: some_of(routes),
        fix: "cover them by privileges (ORDS.DEFINE_PRIVILEGE), then set access.unprotected = \"refuse\""
            .to_owned(),
        ..scope.finding(Severity::OpenDoor, "unprotected", "handlers without a lock".to_owned())
    })
}

fn narrower<'a>(scope: Scope<'a>, schema: &'a PublishedSchema) -> impl Iterator<Item = Finding> + 'a {
    schema.rules.widened_by().into_iter().map(move |narrower| Finding {
        why: narrower.to_string(),
        evidence: narrower.roles.iter().map(|role| format!("role {role}")).collect(),
        fix: format!(
            "leave out `{}`, or give its privileges the roles of `{}` only",
            narrower.pattern, narrower.wider_pattern
        ),
        ..scope.finding(Severity::Warning, "lock-narrower", format!("pattern {}", narrower.pattern))
    })
}

fn opened_by_nobody(scope: Scope<'_>, catalog: &Catalog, privilege: &Privilege) -> Option<Finding> {
    let opens = |client: &gatepost_oauth::Client| {
        if privilege.roles.is_empty() {
            client.privileges.contains(&privilege.id)
        } else {
            privilege.roles.iter().any(|role| client.roles.contains(role))
        }
    };
    if catalog.clients_of(scope.id).any(|client| client.enabled && opens(client)) {
        return None;
    }
    let needs = if privilege.roles.is_empty() { "lists it" } else { "holds one of its roles" };
    Some(Finding {
        why: format!("no enabled client {needs}: what it covers is closed to everybody"),
        fix: if privilege.roles.is_empty() {
            format!("OAUTH.CREATE_CLIENT(…, p_privilege_names => {})", literal(&privilege.name))
        } else {
            "OAUTH.GRANT_CLIENT_ROLE(p_client_name => '…', p_role_name => '…')".to_owned()
        },
        ..scope.finding(Severity::Notice, "privilege-nobody", format!("privilege {}", privilege.name))
    })
}
