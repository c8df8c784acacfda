//! One client: what it may call and why, its secrets, how to call with it.

use axum::body::Body;
use axum::extract::Path;
use gatepost_oauth::Client;
use http::Response;
use maud::{Markup, html};

use super::{ABOUT, find, path_of, privilege_names, role_names, routes_of, secrets, status};
use crate::audit::reach::Reach;
use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::pages::usage;
use crate::console::review::{self, Proposal};
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Tone};
use crate::script::{Script, text};

pub(super) async fn show(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let client = find(&page, &name)?;
    let reach = Reach::of(&page.snapshot.catalog, &page.schema, page.console.app().unprotected());
    let routes = routes_of(&reach, &client.name);
    let usage = usage::of_client(&page, &page.schema.name, &client.name).await?;
    let about = client.description.as_deref().unwrap_or(ABOUT);
    let body = html! {
        (ui::head(&client.name, about, &actions(&page, client)))
        @if page.can(Act::Define) { @if let Some(card) = secrets::readable(&page, client) { (card) br; } }
        div.grid.c2 {
            div.grid {
                (call_it(&page, client, routes.iter().find(|route| route.starts_with("GET ")).copied()))
                (secrets_table(&page, client))
                (usage)
            }
            div.grid {
                (may_call(&page, client, &reach, &routes))
                (details(client, &page))
            }
        }
    };
    let list = page.path("clients");
    let crumbs = [("OAuth clients", list.as_str()), (client.name.as_str(), "")];
    let frame = Page {
        title: &client.name,
        item: "clients",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        chart: true,
        ..Page::default()
    };
    Ok(shell::page(&page, frame, &body))
}

fn actions(page: &InSchema, client: &Client) -> Markup {
    let here = path_of(page, &client.name);
    html! {
        @if page.can(Act::Define) {
            a.btn href={ (here) "/edit" } { (ui::icon("pencil")) "Edit" }
            a.btn.pri href={ (here) "/rotate" } data-primary { (ui::icon("rotate-cw")) "Rotate secret" }
        }
    }
}

fn call_it(page: &InSchema, client: &Client, route: Option<&str>) -> Markup {
    let issuer = page.console.app().issuer(&page.schema.alias);
    let path = route.and_then(|route| route.strip_prefix("GET ")).unwrap_or("/…");
    let command = format!(
        "TOKEN=$(curl -s -u '{}':\"$CLIENT_SECRET\" \\\n  -d grant_type=client_credentials \\\n  {issuer}/oauth/token | jq -r .access_token)\n\ncurl -H \"Authorization: Bearer $TOKEN\" \\\n  {issuer}{path}",
        client.client_id
    );
    html! {
        section.card aria-labelledby="call" {
            header {
                h2 #call { "Call it from anywhere" }
                div.r { (ui::copy(&command, "Copy the commands")) }
            }
            pre.code tabindex="0" role="region" aria-label="Commands" { (command) }
        }
    }
}

fn secrets_table(page: &InSchema, client: &Client) -> Markup {
    let now_ms = page.console.app().clock.now_ms();
    let newest = client.secrets.iter().map(|secret| secret.issued_on_ms).max();
    let table = html! {
        table.t {
            thead { tr { th scope="col" { "Secret" } th scope="col" { "Made" } th scope="col" { "State" } th scope="col" { span.sr { "Actions" } } } }
            tbody { @for secret in &client.secrets { tr {
                th scope="row" { "Slot " (secret.slot) }
                td { (ui::ago(secret.issued_on_ms, now_ms)) }
                td {
                    @if Some(secret.issued_on_ms) == newest { (ui::badge(Tone::Good, "", "current")) }
                    @else { (ui::badge(Tone::Warn, "clock", "former, still valid")) }
                }
                td.n { @if page.can(Act::Define) {
                    form method="post" action={ (path_of(page, &client.name)) "/revoke-secret" } {
                        (page.csrf_field())
                        input type="hidden" name="slot" value=(secret.slot);
                        button.btn.sm.danger type="submit" { "Revoke now" }
                    }
                } }
            } } }
        }
    };
    html! {
        section.card aria-labelledby="secrets" {
            header { h2 #secrets { "Secrets" } div.r { span.dim { "Two may be valid while you change over" } } }
            @if client.secrets.is_empty() { (ui::empty("It has no secret, so it gets no token.", &html! {})) }
            @else { (ui::scroll("Secrets", &table)) }
        }
    }
}

fn may_call(page: &InSchema, client: &Client, reach: &Reach, routes: &[&str]) -> Markup {
    let catalog = &page.snapshot.catalog;
    let privileges = catalog.privileges_of(page.schema.id);
    let opened: Vec<(Vec<&str>, Vec<&str>)> = privileges
        .filter_map(|privilege| {
            let role = client.roles.iter().find(|role| privilege.roles.contains(role));
            let role = role.and_then(|id| catalog.roles.get(id)).map(|role| role.name.as_str());
            let listed = privilege.roles.is_empty() && client.privileges.contains(&privilege.id);
            if role.is_none() && !listed {
                return None;
            }
            let chain = role.into_iter().chain([privilege.name.as_str()]).collect();
            let locked =
                reach.routes_of_privilege(privilege.id).filter(|route| routes.contains(route)).collect();
            Some((chain, locked))
        })
        .collect();
    html! {
        section.card aria-labelledby="may" {
            header { h2 #may { "May call" } div.r { span.dim { (ui::plural(routes.len(), "handler")) } } }
            @if opened.is_empty() {
                (ui::empty("It holds nothing that opens a privilege: it can get a token that opens nothing.", &html! {
                    @if page.can(Act::Define) { a.btn href={ (path_of(page, &client.name)) "/edit" } { "Grant a role" } }
                }))
            }
            ul.who { @for (chain, locked) in &opened { li {
                span.yes { (ui::icon("lock")) }
                div {
                    (ui::chain(chain))
                    @for route in locked { p.mono { (route) } }
                }
            } } }
        }
    }
}

fn details(client: &Client, page: &InSchema) -> Markup {
    let here = path_of(page, &client.name);
    let now_ms = page.console.app().clock.now_ms();
    let (roles, privileges) = (role_names(page, client).join(", "), privilege_names(page, client).join(", "));
    html! {
        section.card aria-labelledby="details" {
            header { h2 #details { "Details" } div.r { (status(client)) } }
            div.pad { dl.kv {
                dt { "Client id" } dd.mono { (client.client_id) " " (ui::copy(&client.client_id, "Copy client id")) }
                dt { "Grant" } dd { (client.grant_type.as_str()) }
                dt { "Owner" } dd { (client.owner.as_deref().unwrap_or("–")) }
                dt { "Support" } dd { (client.support_email.as_deref().unwrap_or("–")) }
                dt { "Token life" } dd { @match client.token_duration_seconds { Some(seconds) => { (seconds) " s" } None => { "the server's" } } }
                dt { "Roles" } dd { @if roles.is_empty() { "–" } @else { (roles) } }
                dt { "Privileges" } dd { @if privileges.is_empty() { "–" } @else { (privileges) } }
                dt { "Made" } dd { (ui::ago(client.created_on_ms, now_ms)) " by " (client.created_by) }
                dt { "Changed" } dd { (ui::ago(client.updated_on_ms, now_ms)) " by " (client.updated_by) }
            } }
            @if page.can(Act::Define) {
                div.sec.actions {
                    form method="post" action={ (here) "/revoke-tokens" } { (page.csrf_field()) button.btn.sm.danger type="submit" { "Revoke all tokens" } }
                    form method="post" action={ (here) "/status" } {
                        (page.csrf_field())
                        input type="hidden" name="status" value=(if client.enabled { "DISABLED" } else { "ENABLED" });
                        button.btn.sm type="submit" { (if client.enabled { "Disable" } else { "Enable" }) }
                    }
                    form method="post" action={ (here) "/delete" } { (page.csrf_field()) button.btn.sm.danger type="submit" { (ui::icon("trash-2")) "Delete" } }
                }
            }
        }
    }
}

pub(super) async fn set_status(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    let status = fields.text("status");
    propose(&page, &name, status, |script, client| {
        script.call("gatepost.set_client_status", &[("p_name", text(client)), ("p_status", text(status))]);
    })
    .await
}

pub(super) async fn delete(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    propose(&page, &name, "Delete", |script, client| {
        script.call("oauth.delete_client", &[("p_name", text(client))]);
    })
    .await
}

async fn propose(
    page: &InSchema,
    name: &str,
    what: &str,
    write: impl FnOnce(&mut Script, &str),
) -> Result<Response<Body>, Refused> {
    let client = find(page, name)?;
    let mut script = Script::default();
    write(&mut script, &client.name);
    let back = path_of(page, &client.name);
    let done = if what == "Delete" { page.path("clients") } else { back.clone() };
    let title = format!("{what}: client {}", client.name);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done,
        back,
        title,
        apply: None,
    };
    review::propose_or_refuse(page, proposal).await
}
