//! Web credentials: how to sign in elsewhere. Secrets go in and never come out.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get, post};
use gatepost_sources::definition::{ClientAuth, Credential, Document, Oauth2Client, SecretReference, SignIn};
use http::Response;
use maud::{Markup, html};

use super::{framed, links, path_of, propose, sources_of, steps, unaccepted};
use crate::app::source_test::token_facts;
use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::review::{self, Proposal};
use crate::console::shell;
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field, Tone};
use crate::console::{Console, Refused};
use crate::script::{self, Script, optional, text};

const ITEM: (&str, &str) = ("credentials", "Web credentials");
const ABOUT: &str =
    "How to sign in at a server that you call. Its secret is sealed: it can be replaced, not read.";

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/credentials", get(list))
        .route("/console/s/{schema}/credentials/new", get(new))
        .route("/console/s/{schema}/credentials/save", post(save))
        .route("/console/s/{schema}/credentials/{name}", get(show))
        .route("/console/s/{schema}/credentials/{name}/secret", post(set_secret))
        .route("/console/s/{schema}/credentials/{name}/token", post(token))
        .route("/console/s/{schema}/credentials/{name}/delete", post(delete))
}

async fn list(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let mut credentials: Vec<_> = page.snapshot.catalog.credentials_of(page.schema.id).collect();
    credentials.sort_by(|one, other| one.name.cmp(&other.name));
    let table = html! {
        table.t {
            thead { tr {
                th scope="col" { "Credential" } th scope="col" { "Type" } th scope="col" { "Secret" }
                th scope="col" { "Valid for" } th scope="col" { "Used by" }
            } }
            tbody { @for credential in &credentials { tr {
                th scope="row" { a.mono href=(path_of(&page, ITEM.0, &credential.name)) { (credential.name) } }
                td { (credential.sign_in.type_name()) }
                td { (secret_state(&page, credential)) }
                td.mono { @if credential.valid_for.is_empty() { span.dim { "the servers of its sources" } } @else { (credential.valid_for.join(" ")) } }
                td { (links(&page, &users(&page, &credential.name))) }
            } } }
        }
    };
    let new = html! {
        @if page.can(Act::Define) {
            a.btn.pri href=(page.path("credentials/new")) data-primary { (ui::icon("plus")) "New credential" }
        }
    };
    let body = html! {
        (ui::head(ITEM.1, ABOUT, &new))
        div.card {
            @if credentials.is_empty() { (ui::empty(ABOUT, &html! {})) } @else { (ui::scroll(ITEM.1, &table)) }
        }
    };
    Ok(framed(&page, ITEM, ITEM.1, &body))
}

fn secret_state(page: &InSchema, credential: &Credential) -> Markup {
    let now_ms = page.console.app().clock.now_ms();
    match &credential.secret {
        SecretReference::Env(name) => html! { "variable " code { (name) } },
        SecretReference::File(name) => html! { "file " code { (name) } },
        SecretReference::Vault => match page.snapshot.catalog.vault_secret_of(credential.id) {
            Some(secret) => html! { "set " (ui::ago(secret.set_on_ms, now_ms)) },
            None => ui::badge(Tone::Warn, "triangle-alert", "not set"),
        },
    }
}

fn users<'p>(page: &'p InSchema, name: &str) -> Vec<&'p str> {
    let uses = sources_of(page).into_iter();
    let uses = uses.filter(|source| source.auth.as_ref().is_some_and(|auth| auth.credential == name));
    uses.map(|source| source.name.as_str()).collect()
}

fn find<'p>(page: &'p InSchema, name: &str) -> Result<&'p Credential, Refused> {
    let mut credentials = page.snapshot.catalog.credentials_of(page.schema.id);
    credentials.find(|credential| credential.name == name).map(AsRef::as_ref).ok_or(Refused::NotFound)
}

async fn new(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let empty = Credential::new("", SignIn::Oauth2ClientCredentials(Oauth2Client::default()));
    Ok(form(&page, None, &empty, None))
}

async fn show(page: InSchema, Path((_, name)): Path<(String, String)>) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let credential = find(&page, &name)?;
    Ok(form(&page, Some(&credential.name), credential, None))
}

fn form(
    page: &InSchema,
    was: Option<&str>,
    credential: &Credential,
    problem: Option<&str>,
) -> Response<Body> {
    let (title, editable) = (was.unwrap_or("New credential"), page.can(Act::Define));
    let delete = html! {
        @if let Some(was) = was { @if editable {
            form method="post" action={ (path_of(page, ITEM.0, was)) "/delete" } {
                (page.csrf_field())
                button.btn.danger type="submit" { (ui::icon("trash-2")) "Delete" }
            }
        } }
    };
    let body = html! {
        (ui::head(title, ABOUT, &delete))
        div.grid.c2 {
            form.card.form method="post" action=(page.path("credentials/save")) data-guard {
                @if let Some(problem) = problem { (ui::problem(problem)) }
                (page.csrf_field())
                @if let Some(was) = was { input type="hidden" name="was" value=(was); }
                (inputs(was.is_none(), credential))
                @if editable { div.actions {
                    button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review and save" }
                    a.btn href=(page.path(ITEM.0)) { "Cancel" }
                } }
            }
            div.grid { @if let Some(was) = was {
                @if editable && credential.secret == SecretReference::Vault { (secret_card(page, credential)) }
                @if editable && credential.oauth2().is_some() { (token_card(page, was)) }
                section.card aria-labelledby="used" {
                    header { h2 #used { "Used by" } }
                    div.pad { (links(page, &users(page, was))) }
                }
            } @else {
                section.card { p.pad.soft { "The secret is set on the credential's page, when it is there: so that it is in no review and no script." } }
            } }
        }
    };
    framed(page, ITEM, title, &body)
}

fn inputs(is_new: bool, credential: &Credential) -> Markup {
    let none = Oauth2Client::default();
    let oauth2 = credential.oauth2().unwrap_or(&none);
    let (username, parameter) = match &credential.sign_in {
        SignIn::Basic { username } => (username.as_str(), ""),
        SignIn::Header { header } => ("", header.as_str()),
        SignIn::Query { parameter } => ("", parameter.as_str()),
        SignIn::Bearer | SignIn::Oauth2ClientCredentials(_) => ("", ""),
    };
    let kinds = SignIn::TYPES.into_iter().map(|kind| {
        (
            kind,
            match kind {
                "basic" => "user name and password (Basic)",
                "bearer" => "a fixed token (Bearer)",
                "header" => "a header with a key",
                "query" => "a query parameter with a key",
                _ => "OAuth 2 client credentials",
            },
        )
    });
    let ways = ClientAuth::ALL.iter().map(|way| {
        (
            way.as_str(),
            match way {
                ClientAuth::Basic => "Basic, as RFC 6749 says",
                ClientAuth::BasicRaw => "Basic without encoding, for servers that do not decode",
                ClientAuth::Post => "in the body",
            },
        )
    });
    let (valid_for, scope) = (credential.valid_for.join("\n"), oauth2.scope.join(" "));
    html! {
        @if is_new {
            (Field { name: "name", label: "Name", value: &credential.name, mono: true, required: true, autofocus: true,
                hint: "Lower case letters, digits, _", ..Field::default() })
        }
        (ui::select("type", "Type", credential.sign_in.type_name(), kinds))
        (Field { name: "valid_for", label: "Valid for URLs", value: &valid_for, mono: true, rows: 2,
            hint: "One a line: the secret is sent to these and what is below them only. Empty: the servers of its sources.",
            ..Field::default() })
        fieldset {
            legend { "For OAuth 2 client credentials" }
            div.two {
                (Field { name: "client_id", label: "Client id", value: &oauth2.client_id, mono: true, ..Field::default() })
                (Field { name: "scope", label: "Scope", value: &scope, mono: true, hint: "Separated by blanks; empty: none is sent", ..Field::default() })
            }
            (ui::select("client_auth", "How the client authenticates", oauth2.client_auth.as_str(), ways))
        }
        fieldset {
            legend { "For the other types" }
            div.two {
                (Field { name: "username", label: "User name (Basic)", value: username, mono: true, ..Field::default() })
                (Field { name: "parameter", label: "Name of the header or parameter", value: parameter, mono: true, ..Field::default() })
            }
        }
        (Field { name: "comments", label: "Comments", value: credential.comments.as_deref().unwrap_or_default(), rows: 2, ..Field::default() })
    }
}

fn secret_card(page: &InSchema, credential: &Credential) -> Markup {
    let is_set = page.snapshot.catalog.vault_secret_of(credential.id).is_some();
    html! {
        section.card aria-labelledby="secret-title" {
            header { h2 #secret-title { "Secret" } div.r { (secret_state(page, credential)) } }
            form.form method="post" action={ (path_of(page, ITEM.0, &credential.name)) "/secret" } {
                (page.csrf_field())
                (ui::user_name(&credential.name))
                (Field { name: "secret", label: if is_set { "A new secret in its place" } else { "The secret" }, kind: "password",
                    autocomplete: "new-password", hint: "Written once, sealed, never shown again.", ..Field::default() })
                div.actions {
                    button.btn type="submit" name="action" value="set" { (ui::icon("key-round")) @if is_set { "Replace" } @else { "Set" } }
                    @if is_set { button.btn.danger type="submit" name="action" value="forget" { "Forget it" } }
                }
                @if is_set {
                    p.soft { "A change of where it may be sent takes it away, so that nobody who does not know it can lead it elsewhere: set it again afterwards." }
                }
            }
        }
    }
}

fn token_card(page: &InSchema, name: &str) -> Markup {
    let sources = users(page, name);
    let action = format!("{}/token", path_of(page, ITEM.0, name));
    html! {
        section.card aria-labelledby="token-title" {
            header { h2 #token-title { "Token" } }
            div.pad.stack {
                @if sources.is_empty() { p.soft { "The first source that uses it says where tokens are." } }
                @else {
                    form.plainly method="post" action=(action) hx-post=(action) hx-target="#token" hx-swap="innerHTML" {
                        (page.csrf_field())
                        (ui::select("source", "As this source asks for it", sources[0], sources.iter().map(|name| (*name, *name))))
                        div.actions { button.btn type="submit" { (ui::icon("key-round")) "Get a token now" } span.spin role="status" { "Asking…" } }
                    }
                    div #token aria-live="polite" {}
                }
            }
        }
    }
}

/// Asks for a token. What is shown is how long it lives and what for, never the token.
async fn token(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let credential = find(&page, &name)?;
    let wanted = fields.text("source");
    let source = sources_of(&page).into_iter().find(|source| source.name == wanted && uses(source, &name));
    let (source, app) = (source.ok_or(Refused::NotFound)?, page.console.app());
    let endpoint =
        app.ready_source(source, 0).map(|ready| ready.sign_in.and_then(|sign_in| sign_in.endpoint));
    let asked = match endpoint {
        Ok(Some(endpoint)) => app.outbound.token(&endpoint).await.map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    let markup = match asked {
        Ok(None) => html! { p.soft { "This credential needs no token." } },
        Ok(Some(token)) => html! {
            p { (ui::badge(Tone::Good, "circle-check", "a token was issued")) }
            p { @match app.outbound.remaining(&token) {
                Some(left) => { "It is used for " (left.as_secs()) " s more." }
                None => "It is used for one request.",
            } }
            @for fact in token_facts(&token) { p { (fact) } }
        },
        Err(error) => html! { p { (ui::badge(Tone::Bad, "circle-x", "no token")) } (steps::failure(&error)) },
    };
    if page.partial {
        return Ok(shell::html_response(&markup));
    }
    let body = html! { (ui::head(&credential.name, "A token of this credential", &html! {})) section.card { div.pad.stack { (markup) } } };
    Ok(framed(&page, ITEM, &credential.name, &body))
}

fn uses(source: &gatepost_sources::definition::RestSource, credential: &str) -> bool {
    source.auth.as_ref().is_some_and(|auth| auth.credential == credential)
}

fn read(fields: &Fields, name: &str, before: Option<&Credential>) -> Credential {
    let words = |field: &str| fields.text(field).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let owned = |field: &str| fields.text(field).to_owned();
    let sign_in = match fields.text("type") {
        "basic" => SignIn::Basic { username: owned("username") },
        "bearer" => SignIn::Bearer,
        "header" => SignIn::Header { header: owned("parameter") },
        "query" => SignIn::Query { parameter: owned("parameter") },
        _ => SignIn::Oauth2ClientCredentials(Oauth2Client {
            client_id: owned("client_id"),
            scope: words("scope"),
            client_auth: ClientAuth::parse(fields.text("client_auth")).unwrap_or(ClientAuth::Basic),
            // What the form does not show stays.
            ..before.and_then(Credential::oauth2).cloned().unwrap_or_default()
        }),
    };
    Credential {
        valid_for: words("valid_for"),
        comments: fields.get("comments").map(str::to_owned),
        secret: before.map(|before| before.secret.clone()).unwrap_or_default(),
        ..Credential::new(name, sign_in)
    }
}

async fn save(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let was = fields.get("was");
    let before = was.map(|name| find(&page, name)).transpose()?;
    let name = was.unwrap_or_else(|| fields.text("name"));
    let credential = read(&fields, name, before);
    if was.is_none() && find(&page, name).is_ok() {
        return Ok(unaccepted(form(&page, None, &credential, Some("There is a credential of this name."))));
    }
    let checked = match credential.clone().checked() {
        Ok(checked) => checked,
        Err(broken) => return Ok(unaccepted(form(&page, was, &credential, Some(&broken.to_string())))),
    };
    let done = path_of(&page, ITEM.0, name);
    let back = was.map_or_else(|| page.path(ITEM.0), |_| done.clone());
    let document = Document { credentials: vec![checked], ..Document::default() };
    let title = format!("Credential {name}");
    propose(&page, document, (title, done, back), |problem| form(&page, was, &credential, Some(problem)))
        .await
}

/// Sets, replaces or forgets the secret. Not by a review: it would stand in it.
async fn set_secret(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let credential = find(&page, &name)?;
    let secret = match fields.text("action") {
        "forget" => None,
        _ => fields.raw("secret").filter(|secret| !secret.is_empty()),
    };
    if secret.is_none() && fields.text("action") != "forget" {
        return Ok(unaccepted(form(&page, Some(&credential.name), credential, Some("Type the secret."))));
    }
    let mut block = Script::default();
    let arguments = [("p_name", text(&credential.name)), ("p_secret", optional(secret))];
    block.call("gatepost.set_credential_secret", &arguments);
    let (script, options) = (block.into_block(), page.script_options(&page.schema.name));
    let outcome =
        page.console.blocking(move |app| script::run(&**app, &script, &options, &mut |_| {})).await?;
    match outcome {
        Ok(_) => Ok(see_other(&path_of(&page, ITEM.0, &credential.name))),
        // The message alone: the failure shows the line of the script, which holds the secret.
        Err(failure) => {
            let problem = failure.diagnostic.message.clone();
            Ok(unaccepted(form(&page, Some(&credential.name), credential, Some(&problem))))
        }
    }
}

async fn delete(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    let credential = find(&page, &name)?;
    let mut script = Script::default();
    script.call("gatepost.drop_credential", &[("p_name", text(&credential.name))]);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: page.path(ITEM.0),
        back: path_of(&page, ITEM.0, &credential.name),
        title: format!("Delete credential {}", credential.name),
        apply: None,
    };
    review::propose_or_refuse(&page, proposal).await
}
