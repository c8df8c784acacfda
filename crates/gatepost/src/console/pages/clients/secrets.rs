//! A client's secrets and tokens: shown once, rotated, revoked.

use axum::body::Body;
use axum::extract::Path;
use gatepost_oauth::open_reveal;
use http::Response;
use maud::{Markup, html};

use super::{find, path_of};
use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::{Refused, review, ui};
use crate::script::{Script, boolean, text};
use gatepost_oauth::{Client, UserKind};
use secrecy::ExposeSecret as _;

/// The page that shows a new secret. It is in this answer and nowhere else.
pub(super) fn shown_once(
    page: &InSchema,
    name: &str,
    secret: Option<&String>,
    done: &str,
) -> Result<Response<Body>, Refused> {
    let snapshot = page.console.app().snapshot();
    let mut clients = snapshot.catalog.clients_of(page.schema.id);
    let client = clients.find(|client| client.name == name).ok_or(Refused::NotFound)?;
    let secret = secret.ok_or_else(|| Refused::failed("the script printed no secret"))?;
    let env = format!(
        "TOKEN_URL={}/oauth/token\nCLIENT_ID={}\nCLIENT_SECRET={secret}\n",
        page.console.app().issuer(&page.schema.alias),
        client.client_id
    );
    let stored = html! { a.btn.pri href=(done) data-primary { (ui::icon("check")) "I have stored it" } };
    let about =
        "Only its digest is kept. Nobody can show it again; a lost secret is replaced by rotating it.";
    let values = [("Client id", client.client_id.as_str()), ("Client secret", secret.as_str())];
    let body = html! {
        (ui::head(name, "Its secret was made just now.", &html! {}))
        (ui::secret_card("Copy the secret now", about, &values, &stored))
        details.card {
            summary { "As lines of an .env file" }
            div.pad { (ui::copy(&env, "Copy .env lines")) pre.code tabindex="0" role="region" aria-label=".env lines" { (env) } }
        }
    };
    let list = page.path("clients");
    let crumbs = [("OAuth clients", list.as_str()), (name, done), ("Secret", "")];
    let frame = Page {
        title: "Secret",
        item: "clients",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    Ok(shell::page(page, frame, &body))
}

/// A secret that a script made and that can still be read: by administrators and its maker (DESIGN decision 10).
pub(in crate::console) fn readable(page: &InSchema, client: &Client) -> Option<Markup> {
    let app = page.console.app();
    let now_ms = app.clock.now_ms();
    let administrator = page.user.kind == UserKind::Administrator;
    let copies = client.secrets.iter().filter_map(|secret| secret.reveal.as_ref());
    let copy = copies
        .filter(|copy| administrator || copy.made_by == page.user.name)
        .max_by_key(|copy| copy.until_ms)?;
    let secret = open_reveal(copy, &app.ring(), now_ms)?;
    let stored = html! {
        form method="post" action={ (path_of(page, &client.name)) "/stored" } {
            (page.csrf_field())
            button.btn type="submit" { (ui::icon("check")) "I have stored it" }
        }
    };
    let about = html! { "A script made this secret. It can be read here until " (ui::ago(copy.until_ms, now_ms)) "." };
    let values = [("Client id", client.client_id.as_str()), ("Client secret", secret.expose_secret())];
    Some(ui::secret_card("Copy the secret now", about, &values, &stored))
}

/// Deletes the readable copies: the person has stored the secret.
pub(super) async fn stored(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let (id, author) = (find(&page, &name)?.id, page.user.name.clone());
    page.console.blocking(move |app| app.forget_revealed_secret(id, &author)).await??;
    Ok(see_other(&path_of(&page, &name)))
}

pub(super) async fn rotate_form(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let client = find(&page, &name)?;
    let here = format!("{}/rotate", path_of(&page, &client.name));
    page.confirmed(&here)?;
    let body = html! {
        (ui::head(format_args!("Rotate the secret of {}", client.name), "A new secret is made and shown once.", &html! {}))
        form.card.form.narrow method="post" action=(here) {
            (page.csrf_field())
            fieldset {
                legend { "The old secret" }
                label.check { input type="radio" name="old" value="keep" checked; span { "stays valid until it is revoked: change over without a gap" } }
                label.check { input type="radio" name="old" value="revoke"; span { "ends now: who uses it is refused from now on" } }
            }
            (ui::check("tokens", "1", false, "Revoke the tokens that were issued so far"))
            div.actions {
                button.btn.pri type="submit" data-primary { (ui::icon("rotate-cw")) "Rotate secret" }
                a.btn href=(path_of(&page, &client.name)) { "Cancel" }
            }
        }
    };
    let (list, own) = (page.path("clients"), path_of(&page, &client.name));
    let crumbs = [("OAuth clients", list.as_str()), (client.name.as_str(), own.as_str()), ("Rotate", "")];
    let frame = Page {
        title: "Rotate secret",
        item: "clients",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    Ok(shell::page(&page, frame, &body))
}

pub(super) async fn rotate(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let client = find(&page, &name)?;
    page.confirmed(&format!("{}/rotate", path_of(&page, &client.name)))?;
    let mut script = Script::default();
    let (revoke, tokens) = (fields.get("old") == Some("revoke"), fields.has("tokens"));
    script.line(format_args!(
        "dbms_output.put_line(ords_security.rotate_client_secret(p_name => {}, p_revoke_existing => {}, p_revoke_sessions => {}));",
        text(&client.name),
        boolean(revoke),
        boolean(tokens)
    ));
    let printed = run(&page, script).await?;
    shown_once(&page, &client.name, printed.last(), &path_of(&page, &client.name))
}

/// Revokes the secret in one slot.
pub(super) async fn revoke(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let client = find(&page, &name)?;
    page.confirmed(&path_of(&page, &client.name))?;
    let slot = fields.text("slot").parse().map_err(|_| Refused::Invalid("The slot is a number.".into()))?;
    let (id, author) = (client.id, page.user.name.clone());
    page.console.blocking(move |app| app.revoke_client_secret(id, slot, &author)).await??;
    Ok(see_other(&path_of(&page, &name)))
}

pub(super) async fn revoke_tokens(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let client = find(&page, &name)?;
    page.confirmed(&path_of(&page, &client.name))?;
    let mut script = Script::default();
    script.call("gatepost.revoke_client_tokens", &[("p_name", text(&client.name))]);
    run(&page, script).await?;
    Ok(see_other(&path_of(&page, &client.name)))
}

/// Runs a block whose effect is no definition; what it printed.
async fn run(page: &InSchema, script: Script) -> Result<Vec<String>, Refused> {
    let printed = review::run(page, &page.schema.name, script.into_block()).await?;
    printed.map_err(|failure| Refused::Invalid(failure.diagnostic.message.clone()))
}
