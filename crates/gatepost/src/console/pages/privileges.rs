//! Privileges: locks on modules and URL patterns, and the roles that open them.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get, post};
use gatepost_rest::definition::{Id, Privilege};
use http::{Response, StatusCode};
use maud::{Markup, html};

use crate::audit::reach::Reach;
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field};
use crate::console::{Console, Refused};
use crate::script::{Script, optional, text};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/privileges", get(list))
        .route("/console/s/{schema}/privileges/new", get(new))
        .route("/console/s/{schema}/privileges/save", post(save))
        .route("/console/s/{schema}/privileges/preview", post(preview))
        .route("/console/s/{schema}/privileges/{name}", get(show))
        .route("/console/s/{schema}/privileges/{name}/delete", post(delete))
}

const ABOUT: &str = "A privilege locks modules and URL patterns. A client passes with any one of its roles.";

async fn list(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let catalog = &page.snapshot.catalog;
    let mut privileges: Vec<&Privilege> = catalog.privileges_of(page.schema.id).map(AsRef::as_ref).collect();
    privileges.sort_by(|one, other| one.name.cmp(&other.name));
    let reach = Reach::of(catalog, &page.schema, page.console.app().unprotected());
    let table = html! {
        table.t {
            thead { tr {
                th scope="col" { "Privilege" } th scope="col" { "Roles, any one" } th scope="col" { "Modules" }
                th scope="col" { "Patterns" } th.n scope="col" { "Handlers" }
            } }
            tbody { @for privilege in &privileges { tr {
                th scope="row" { a.mono href=(path_of(&page, &privilege.name)) { (privilege.name) } }
                td { (roles_of(&page, privilege)) }
                td { (module_names(&page, &privilege.modules).join(", ")) }
                td.mono { (privilege.patterns.iter().map(String::as_str).collect::<Vec<_>>().join(" ")) }
                td.n { (reach.routes_of_privilege(privilege.id).count()) }
            } } }
        }
    };
    let new = html! {
        @if page.can(Act::Define) {
            a.btn.pri href=(page.path("privileges/new")) data-primary { (ui::icon("plus")) "New privilege" }
        }
    };
    let body = html! {
        (ui::head("Privileges", ABOUT, &new))
        section.card aria-label="Privileges" {
            @if privileges.is_empty() {
                (ui::empty("Without a privilege a module is closed to everybody, unless it is public.", &html! {}))
            } @else { (ui::scroll("Privileges", &table)) }
        }
    };
    let frame = Page {
        title: "Privileges",
        item: "privileges",
        crumbs: &[("Privileges", "")],
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    Ok(shell::page(&page, frame, &body))
}

fn path_of(page: &InSchema, name: &str) -> String {
    page.path(&format!("privileges/{}", ui::encode(name)))
}

fn roles_of(page: &InSchema, privilege: &Privilege) -> Markup {
    let names = role_names(page, &privilege.roles);
    html! {
        @if names.is_empty() { (ui::badge(ui::Tone::Warn, "triangle-alert", "none: only clients that list it")) }
        @else { (names.join(", ")) }
    }
}

fn role_names<'a>(page: &'a InSchema, ids: &[Id]) -> Vec<&'a str> {
    let catalog = &page.snapshot.catalog;
    let mut names: Vec<&str> =
        ids.iter().filter_map(|id| catalog.roles.get(id)).map(|r| r.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn module_names<'a>(page: &'a InSchema, ids: &[Id]) -> Vec<&'a str> {
    let catalog = &page.snapshot.catalog;
    let mut names: Vec<&str> =
        ids.iter().filter_map(|id| catalog.modules.get(id)).map(|module| module.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// What the form holds.
#[derive(Debug, Default)]
struct Draft {
    /// The privilege that is changed; empty: a new one.
    was: String,
    name: String,
    label: String,
    description: String,
    roles: Vec<String>,
    modules: Vec<String>,
    patterns: Vec<String>,
}

impl Draft {
    fn of(page: &InSchema, privilege: &Privilege) -> Self {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Self {
            was: privilege.name.clone(),
            name: privilege.name.clone(),
            label: privilege.label.clone().unwrap_or_default(),
            description: privilege.description.clone().unwrap_or_default(),
            roles: owned(role_names(page, &privilege.roles)),
            modules: owned(module_names(page, &privilege.modules)),
            patterns: privilege.patterns.clone(),
        }
    }

    fn read(fields: &Fields) -> Self {
        let lines = fields.text("patterns").lines().map(str::trim).filter(|line| !line.is_empty());
        Self {
            was: fields.text("was").to_owned(),
            name: fields.text("name").to_owned(),
            label: fields.text("label").to_owned(),
            description: fields.text("description").to_owned(),
            roles: fields.all("role").map(str::to_owned).collect(),
            modules: fields.all("module").map(str::to_owned).collect(),
            patterns: lines.map(str::to_owned).collect(),
        }
    }

    fn script(&self) -> String {
        let borrowed = |names: &'_ [String]| -> Vec<String> { names.to_vec() };
        let mut script = Script::default();
        if !self.was.is_empty() && self.was != self.name {
            script.call(
                "ords.rename_privilege",
                &[("p_name", text(&self.was)), ("p_new_name", text(&self.name))],
            );
        }
        for (list, names) in
            [("l_roles", &self.roles), ("l_patterns", &self.patterns), ("l_modules", &self.modules)]
        {
            let names = borrowed(names);
            script.list(list, &names.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        script.call(
            "ords.define_privilege",
            &[
                ("p_privilege_name", text(&self.name)),
                ("p_roles", "l_roles".into()),
                ("p_patterns", "l_patterns".into()),
                ("p_modules", "l_modules".into()),
                ("p_label", optional(given(&self.label).as_deref())),
                ("p_description", optional(given(&self.description).as_deref())),
            ],
        );
        script.into_block()
    }
}

async fn new(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let draft = Draft::read(&fields);
    Ok(form_page(&page, &draft, None))
}

async fn show(page: InSchema, Path((_, name)): Path<(String, String)>) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let privilege = find(&page, &name)?;
    Ok(form_page(&page, &Draft::of(&page, privilege), None))
}

fn find<'a>(page: &'a InSchema, name: &str) -> Result<&'a Privilege, Refused> {
    let mut privileges = page.snapshot.catalog.privileges_of(page.schema.id);
    privileges.find(|privilege| privilege.name == name).map(AsRef::as_ref).ok_or(Refused::NotFound)
}

fn form_page(page: &InSchema, draft: &Draft, problem: Option<&str>) -> Response<Body> {
    let title = if draft.was.is_empty() { "New privilege" } else { draft.was.as_str() };
    let delete = html! {
        @if !draft.was.is_empty() && page.can(Act::Define) {
            form method="post" action={ (path_of(page, &draft.was)) "/delete" } {
                (page.csrf_field())
                button.btn.danger type="submit" { (ui::icon("trash-2")) "Delete" }
            }
        }
    };
    let body = html! {
        (ui::head(title, ABOUT, &delete))
        form.grid.c2 method="post" action=(page.path("privileges/save")) data-guard {
            div.card.form {
                @if let Some(problem) = problem { (ui::problem(problem)) }
                (inputs(page, draft))
                @if page.can(Act::Define) {
                    div.actions {
                        button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review and save" }
                        a.btn href=(page.path("privileges")) { "Cancel" }
                    }
                }
            }
            div.grid {
                @if page.can(Act::Define) {
                    section.card aria-labelledby="would" {
                        header { h2 #would { "What this would change" } }
                        div.pad.stack #preview aria-live="polite" hx-post=(page.path("privileges/preview"))
                            hx-trigger="load, change from:\"closest form\" delay:300ms, keyup from:\"closest form\" delay:600ms"
                            hx-include="closest form" hx-swap="innerHTML" {
                            p.soft { "Fill in the form: who gets in is shown before anything is saved." }
                        }
                    }
                }
                (covered(page, draft))
            }
        }
    };
    let list = page.path("privileges");
    let crumbs = [("Privileges", list.as_str()), (title, "")];
    let frame = Page {
        title,
        item: "privileges",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    shell::page(page, frame, &body)
}

fn inputs(page: &InSchema, draft: &Draft) -> Markup {
    let catalog = &page.snapshot.catalog;
    let mut roles: Vec<&str> = catalog.roles_of(page.schema.id).map(|role| role.name.as_str()).collect();
    roles.sort_unstable();
    let mut modules: Vec<(&str, &str)> = catalog
        .modules_of(page.schema.id)
        .map(|module| (module.name.as_str(), module.base_path.as_str()))
        .collect();
    modules.sort_unstable();
    let patterns = draft.patterns.join("\n");
    html! {
        (page.csrf_field())
        input type="hidden" name="was" value=(draft.was);
        div.two {
            (Field { name: "name", label: "Name", value: &draft.name, hint: "For instance hr.read", mono: true,
                required: true, autofocus: draft.was.is_empty(), ..Field::default() })
            (Field { name: "label", label: "Title", value: &draft.label, ..Field::default() })
        }
        (Field { name: "description", label: "Description", value: &draft.description, rows: 2, ..Field::default() })
        fieldset {
            legend { "Roles: any one of them is enough" }
            @if roles.is_empty() { p.soft { "There is no role yet. " a.u href=(page.path("roles")) { "Create one" } } }
            div.ticks { @for role in roles {
                (ui::check("role", role, draft.roles.iter().any(|name| name == role), role))
            } }
        }
        fieldset {
            legend { "Protects these modules" }
            @if modules.is_empty() { p.soft { "There is no module yet." } }
            div.ticks { @for (name, base) in modules {
                (ui::check("module", name, draft.modules.iter().any(|module| module == name), html! {
                    (name) " " span.mono.dim { (base) }
                }))
            } }
        }
        (Field { name: "patterns", label: "Protects these URL patterns", value: &patterns, mono: true, rows: 3,
            hint: "One a line, below the schema's alias: /hr/salaries/*. The narrowest pattern that matches decides.",
            ..Field::default() })
    }
}

fn covered(page: &InSchema, draft: &Draft) -> Markup {
    let Ok(privilege) = find(page, &draft.was) else { return html! {} };
    let reach = Reach::of(&page.snapshot.catalog, &page.schema, page.console.app().unprotected());
    let routes: Vec<&str> = reach.routes_of_privilege(privilege.id).collect();
    html! {
        section.card aria-labelledby="covers" {
            header { h2 #covers { "Locks now" } div.r { span.dim { (ui::plural(routes.len(), "handler")) } } }
            ul.doors { @for route in routes { li { (ui::icon("lock")) span.mono { (route) } } } }
        }
    }
}

async fn preview(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    let draft = Draft::read(&fields);
    let markup = if draft.name.is_empty() {
        html! { p.soft { "Give it a name first." } }
    } else {
        review::preview(&page, &page.schema.name, draft.script()).await?
    };
    Ok(shell::html_response(&markup))
}

async fn save(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    let draft = Draft::read(&fields);
    let back = if draft.was.is_empty() { page.path("privileges") } else { path_of(&page, &draft.was) };
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: draft.script(),
        done: path_of(&page, &draft.name),
        back,
        title: format!("Privilege {}", draft.name),
        apply: None,
    };
    match review::propose(&page, proposal).await? {
        Ok(response) => Ok(response),
        Err(failure) => {
            let mut response = form_page(&page, &draft, Some(&failure.diagnostic.message));
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}

async fn delete(
    page: InSchema,
    Path((_, name)): Path<(String, String)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    let privilege = find(&page, &name)?;
    let mut script = Script::default();
    script.call("ords.delete_privilege", &[("p_name", text(&privilege.name))]);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: page.path("privileges"),
        back: path_of(&page, &privilege.name),
        title: format!("Delete privilege {}", privilege.name),
        apply: None,
    };
    review::propose_or_refuse(&page, proposal).await
}
