//! Registering a client and changing it: one form, and beside it what the client will be able to call.

use axum::body::Body;
use axum::extract::Path;
use gatepost_oauth::Client;
use http::{Response, StatusCode};
use maud::{Markup, html};

use super::{ABOUT, find, path_of, privilege_names, role_names, secrets};
use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::review::{self, Applied, Proposal};
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field};
use crate::script::{Script, optional, text};

/// What the form holds.
#[derive(Debug, Default)]
struct Draft {
    /// The client that is changed; empty: a new one.
    was: String,
    name: String,
    description: String,
    owner: String,
    support_email: String,
    token_seconds: String,
    origins: String,
    roles: Vec<String>,
    privileges: Vec<String>,
    /// Whether to make a role and a privilege for this client alone, on these modules.
    own: bool,
    own_modules: Vec<String>,
}

impl Draft {
    fn of(page: &InSchema, client: &Client) -> Self {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            was: client.name.clone(),
            name: client.name.clone(),
            description: text(&client.description),
            owner: text(&client.owner),
            support_email: text(&client.support_email),
            token_seconds: client
                .token_duration_seconds
                .map(|seconds| seconds.to_string())
                .unwrap_or_default(),
            origins: client.origins_allowed.join(", "),
            roles: owned(role_names(page, client)),
            privileges: owned(privilege_names(page, client)),
            ..Self::default()
        }
    }

    fn read(fields: &Fields) -> Self {
        let text = |name: &str| fields.text(name).to_owned();
        let all = |name: &str| fields.all(name).map(str::to_owned).collect();
        Self {
            was: text("was"),
            name: text("name"),
            description: text("description"),
            owner: text("owner"),
            support_email: text("support_email"),
            token_seconds: text("token_seconds"),
            origins: text("origins"),
            roles: all("role"),
            privileges: all("privilege"),
            own: fields.has("own"),
            own_modules: all("own_module"),
        }
    }

    fn common(&self) -> Vec<(&'static str, String)> {
        let given = |value: &str| optional(Some(value).filter(|value| !value.is_empty()));
        let number = if self.token_seconds.is_empty() { "null".into() } else { text(&self.token_seconds) };
        vec![
            ("p_name", text(&self.name)),
            ("p_description", given(&self.description)),
            ("p_privilege_names", given(&self.privileges.join(","))),
            ("p_origins_allowed", given(&self.origins)),
            ("p_support_email", given(&self.support_email)),
            ("p_token_duration", number),
        ]
    }

    /// The script that registers the client. Its secret is printed and kept nowhere.
    fn registration(&self) -> String {
        let mut script = Script::default();
        let mut arguments = self.common();
        arguments.insert(1, ("p_grant_type", text("client_credentials")));
        let (name, own) = (text(&self.name), format!("{}_role", self.name));
        if self.own {
            script.call("ords.create_role", &[("p_role_name", text(&own))]);
            script.list("l_roles", &[own.as_str()]);
            script.list("l_patterns", &[]);
            script.list("l_modules", &self.own_modules.iter().map(String::as_str).collect::<Vec<_>>());
            script.call(
                "ords.define_privilege",
                &[
                    ("p_privilege_name", text(&format!("{}.access", self.name))),
                    ("p_roles", "l_roles".into()),
                    ("p_patterns", "l_patterns".into()),
                    ("p_modules", "l_modules".into()),
                    ("p_label", text(&format!("Access of {}", self.name))),
                ],
            );
        }
        script.call("ords_security.register_client", &arguments);
        let own = self.own.then_some(own);
        for role in self.roles.iter().chain(&own) {
            grant(&mut script, &self.name, role);
        }
        if !self.owner.is_empty() {
            script.call(
                "gatepost.set_client_owner",
                &[("p_name", name.clone()), ("p_owner", text(&self.owner))],
            );
        }
        script.line(format_args!("\n  -- The secret, printed once.\n  dbms_output.put_line(ords_security.rotate_client_secret(p_name => {name}));"));
        script.into_block()
    }

    /// The script that changes it.
    fn change(&self, page: &InSchema, before: &Client) -> String {
        let mut script = Script::default();
        if self.was != self.name {
            script.call(
                "oauth.rename_client",
                &[("p_name", text(&self.was)), ("p_new_name", text(&self.name))],
            );
        }
        script.call("ords_security.update_client", &self.common());
        script.call(
            "gatepost.set_client_owner",
            &[
                ("p_name", text(&self.name)),
                ("p_owner", optional(Some(self.owner.as_str()).filter(|o| !o.is_empty()))),
            ],
        );
        let held = role_names(page, before);
        for role in self.roles.iter().filter(|role| !held.contains(&role.as_str())) {
            grant(&mut script, &self.name, role);
        }
        for role in held.iter().filter(|role| !self.roles.iter().any(|wanted| wanted == *role)) {
            script.call(
                "oauth.revoke_client_role",
                &[("p_client_name", text(&self.name)), ("p_role_name", text(role))],
            );
        }
        script.into_block()
    }
}

fn grant(script: &mut Script, client: &str, role: &str) {
    script.call("oauth.grant_client_role", &[("p_client_name", text(client)), ("p_role_name", text(role))]);
}

pub(super) async fn new(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    Ok(form_page(&page, &Draft::read(&fields), None))
}

pub(super) async fn edit(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let client = find(&page, &name)?;
    Ok(form_page(&page, &Draft::of(&page, client), None))
}

fn form_page(page: &InSchema, draft: &Draft, problem: Option<&str>) -> Response<Body> {
    let new = draft.was.is_empty();
    let title = if new { "Register client" } else { draft.was.as_str() };
    let (action, back) = if new {
        (page.path("clients/new"), page.path("clients"))
    } else {
        (format!("{}/edit", path_of(page, &draft.was)), path_of(page, &draft.was))
    };
    let body = html! {
        (ui::head(title, ABOUT, &html! {}))
        form.grid.c2 method="post" action=(action) data-guard {
            div.card.form {
                @if let Some(problem) = problem { (ui::problem(problem)) }
                (inputs(page, draft))
                div.actions {
                    button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review and save" }
                    a.btn href=(back) { "Cancel" }
                }
            }
            section.card aria-labelledby="would" {
                header { h2 #would { "This client will be able to call" } }
                div.pad.stack #preview aria-live="polite" hx-post=(page.path("clients/preview"))
                    hx-trigger="load, change from:\"closest form\" delay:300ms, keyup from:\"closest form\" delay:600ms"
                    hx-include="closest form" hx-swap="innerHTML" {
                    p.soft { "Tick roles: what they open is shown here before anything is saved." }
                }
            }
        }
    };
    let list = page.path("clients");
    let crumbs = [("OAuth clients", list.as_str()), (title, "")];
    let frame =
        Page { title, item: "clients", crumbs: &crumbs, schema: Some(&page.schema.name), ..Page::default() };
    shell::page(page, frame, &body)
}

fn inputs(page: &InSchema, draft: &Draft) -> Markup {
    let field = |name, label, value| Field { name, label, value, ..Field::default() };
    html! {
        (page.csrf_field())
        input type="hidden" name="was" value=(draft.was);
        div.two {
            (Field { mono: true, required: true, hint: "For instance payroll_app", autofocus: draft.was.is_empty(),
                ..field("name", "Name", draft.name.as_str()) })
            (Field { hint: "The team or person who is responsible", ..field("owner", "Owner", &draft.owner) })
        }
        (field("description", "Description", &draft.description))
        (Field { kind: "email", hint: "Where its users get help", ..field("support_email", "Support mail", &draft.support_email) })
        (ticks(page, draft))
        details {
            summary { "Advanced" }
            div.form {
                div.two {
                    (Field { kind: "number", hint: "Absent: the server's setting",
                        ..field("token_seconds", "Token life, seconds", &draft.token_seconds) })
                    (Field { mono: true, hint: "Browsers on other sites, comma-separated",
                        ..field("origins", "Origins allowed", &draft.origins) })
                }
            }
        }
    }
}

fn ticks(page: &InSchema, draft: &Draft) -> Markup {
    let catalog = &page.snapshot.catalog;
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let roles = sorted(catalog.roles_of(page.schema.id).map(|role| role.name.clone()).collect());
    // Privileges with roles open by those; only the others are worth listing.
    let bare = catalog.privileges_of(page.schema.id).filter(|privilege| privilege.roles.is_empty());
    let privileges = sorted(bare.map(|privilege| privilege.name.clone()).collect());
    let modules = sorted(catalog.modules_of(page.schema.id).map(|module| module.name.clone()).collect());
    html! {
        fieldset {
            legend { "Roles" }
            @if roles.is_empty() { p.soft { "There is no role yet. " a.u href=(page.path("roles")) { "Create one" } } }
            div.ticks { @for role in &roles { (ui::check("role", role, draft.roles.contains(role), role)) } }
        }
        @if !privileges.is_empty() {
            fieldset {
                legend { "Privileges without roles: open to clients that list them" }
                div.ticks { @for name in &privileges {
                    (ui::check("privilege", name, draft.privileges.contains(name), name))
                } }
            }
        }
        @if draft.was.is_empty() && !modules.is_empty() {
            fieldset {
                legend { "Least privilege" }
                (ui::check("own", "1", draft.own, "Make a role and a privilege just for this client, on these modules:"))
                div.ticks { @for name in &modules {
                    (ui::check("own_module", name, draft.own_modules.contains(name), name))
                } }
            }
        }
    }
}

pub(super) async fn preview(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let draft = Draft::read(&fields);
    let script = match find(&page, &draft.was) {
        Ok(before) => draft.change(&page, before),
        Err(_) => draft.registration(),
    };
    let markup = if draft.name.is_empty() {
        html! { p.soft { "Give it a name first." } }
    } else {
        review::preview(&page, &page.schema.name, script).await?
    };
    Ok(shell::html_response(&markup))
}

pub(super) async fn register(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    let draft = Draft::read(&fields);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: draft.registration(),
        done: path_of(&page, &draft.name),
        back: page.path("clients/new"),
        title: format!("Register client {}", draft.name),
        apply: Some(apply_path(&page, &draft.name)),
    };
    Ok(or_form(&page, &draft, review::propose(&page, proposal).await?))
}

pub(super) async fn change(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    let before = find(&page, &name)?;
    let draft = Draft { was: before.name.clone(), ..Draft::read(&fields) };
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: draft.change(&page, before),
        done: path_of(&page, &draft.name),
        back: format!("{}/edit", path_of(&page, &before.name)),
        title: format!("Client {}", draft.name),
        apply: None,
    };
    Ok(or_form(&page, &draft, review::propose(&page, proposal).await?))
}

fn or_form(
    page: &InSchema,
    draft: &Draft,
    proposed: Result<Response<Body>, Box<crate::script::ScriptFailure>>,
) -> Response<Body> {
    proposed.unwrap_or_else(|failure| {
        let mut response = form_page(page, draft, Some(&failure.diagnostic.message));
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        response
    })
}

/// Registers the reviewed client. The answer is the only place where its secret ever stands.
pub(super) async fn apply(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response<Body>, Refused> {
    let proposal = Proposal {
        apply: Some(apply_path(&page, &name)),
        schema: page.schema.name.clone(),
        ..Proposal::read(&fields)
    };
    match review::run_reviewed(&page, proposal, &fields).await? {
        Applied::ToReview(response) => Ok(response),
        Applied::Done { done, printed } => secrets::shown_once(&page, &name, printed.last(), &done),
    }
}

/// Where the reviewed registration is applied. It names the client, whose secret the answer shows.
fn apply_path(page: &InSchema, name: &str) -> String {
    format!("{}/apply", path_of(page, name))
}
