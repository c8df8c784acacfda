//! *Lock it down*: the way of the tutorial as a list that ticks itself from facts, never from clicks.

use gatepost_rest::definition::{Id, Schema};
use gatepost_store::catalog::{Catalog, DatabaseError};
use maud::{Markup, html};

use crate::app::App;
use crate::app::snapshot::Snapshot;
use crate::console::signed_in::path;
use crate::console::ui;

/// A line of the list.
#[derive(Debug)]
pub(super) struct Step {
    title: &'static str,
    /// What is there already, or what to do.
    about: String,
    done: bool,
    /// The page that does it: its name and the button's word.
    page: (&'static str, &'static str),
}

/// What the log knows, which a page asks only once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// A handler refused a caller without a token and let another one in.
    pub(super) locked_then_in: bool,
    /// A source gave rows, or was copied into a table.
    pub(super) consumed: bool,
}

impl Seen {
    pub(super) fn read(app: &App, schema: &Schema, others: &[String]) -> Result<Self, DatabaseError> {
        let mut consumed = false;
        for name in others {
            consumed |=
                !app.logs.list_runs(name, None, 1)?.is_empty() || app.logs.has_answered(name, "sources/")?;
        }
        Ok(Self { locked_then_in: app.logs.has_locked_then_answered(&schema.name)?, consumed })
    }
}

/// The list for a schema. Remote servers and sources count in every schema that the person sees.
pub(super) fn steps(snapshot: &Snapshot, schema: &Schema, all: &[Id], seen: Seen) -> Vec<Step> {
    let catalog = &snapshot.catalog;
    let mut steps = provider(catalog, schema.id);
    steps.push(Step {
        title: "See it locked, then get in",
        about: if seen.locked_then_in {
            "A handler answered 401, and 200 with a token".into()
        } else {
            "Call it without a token, then with one".into()
        },
        done: seen.locked_then_in,
        page: ("try", "Try it"),
    });
    let servers: Vec<&str> =
        all.iter().flat_map(|id| catalog.remote_servers_of(*id)).map(|server| server.name.as_str()).collect();
    steps.push(step(
        "Point a remote server here",
        &servers,
        "The address of an API, and of its token server",
        ("remote-servers", "Add"),
    ));
    let sources: Vec<&str> =
        all.iter().flat_map(|id| catalog.rest_sources_of(*id)).map(|source| source.name.as_str()).collect();
    let mut consume = step(
        "Consume it as a REST data source",
        &sources,
        "Test it, look at its rows, copy them into a table",
        ("sources", "Add"),
    );
    if consume.done && !seen.consumed {
        consume.about = format!("{}: not asked for rows yet", some(&sources));
    }
    consume.done &= seen.consumed;
    steps.push(consume);
    steps
}

fn provider(catalog: &Catalog, schema: Id) -> Vec<Step> {
    let published = catalog.modules_of(schema).filter(|module| module.published);
    let modules: Vec<&str> = published
        .filter(|module| module.templates.iter().any(|template| !template.handlers.is_empty()))
        .map(|module| module.name.as_str())
        .collect();
    let roles: Vec<&str> = catalog.roles_of(schema).map(|role| role.name.as_str()).collect();
    let locks = catalog
        .privileges_of(schema)
        .filter(|privilege| !privilege.modules.is_empty() || !privilege.patterns.is_empty());
    let locks: Vec<&str> = locks.map(|privilege| privilege.name.as_str()).collect();
    let clients: Vec<&str> = catalog
        .clients_of(schema)
        .filter(|client| client.enabled)
        .map(|client| client.name.as_str())
        .collect();
    vec![
        step("Publish a module", &modules, "SQL under an address", ("services", "Publish")),
        step("Create a role", &roles, "A name that clients hold and privileges ask for", ("roles", "Create")),
        step(
            "Protect it with a privilege",
            &locks,
            "Tick the role and the module",
            ("privileges", "Protect"),
        ),
        step(
            "Register an OAuth client",
            &clients,
            "An id and a secret for an application",
            ("clients", "Register"),
        ),
    ]
}

fn step(title: &'static str, there: &[&str], todo: &str, page: (&'static str, &'static str)) -> Step {
    let about = if there.is_empty() { todo.to_owned() } else { some(there) };
    Step { title, about, done: !there.is_empty(), page }
}

/// A few of these names, and how many more there are.
fn some(names: &[&str]) -> String {
    let more = names.len().saturating_sub(3);
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(" · ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

pub(super) fn draw(schema: &Schema, steps: &[Step], may_define: bool) -> Markup {
    let done = steps.iter().filter(|step| step.done).count();
    let now = steps.iter().position(|step| !step.done);
    html! {
        section.card aria-labelledby="steps-title" {
            header { h2 #steps-title { "Lock it down" } div.r { span.dim.num { (done) " of " (steps.len()) } } }
            ol.steps {
                @for (at, step) in steps.iter().enumerate() {
                    li.done[step.done].now[Some(at) == now] aria-current=[(Some(at) == now).then_some("step")] {
                        span.n { @if step.done { (ui::icon("check")) span.sr { "done" } } @else { (at + 1) } }
                        div {
                            b { a href=(path(&schema.name, step.page.0)) { (step.title) } }
                            span.s { (step.about) }
                        }
                        @if Some(at) == now && may_define { a.btn.sm.pri href=(path(&schema.name, step.page.0)) { (step.page.1) } } @else { span {} }
                    }
                }
            }
        }
    }
}
