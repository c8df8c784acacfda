//! The catalog's history: who changed what, what it was before, and the way back.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get, post};
use gatepost_rest::definition::Id;
use gatepost_store::catalog::{DatabaseError, HistoryEntry, HistoryFilter, HistoryState};
use http::Response;
use maud::{Markup, html};

use crate::app::App;
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, SignedIn};
use crate::console::{Console, PATH, Refused, ui};
use crate::script::former;

/// Changes of a page.
const ROWS: usize = 50;

/// Changes that are read for a page: of other people's schemas nothing is shown.
const READ_MAX: usize = 2_000;

/// The kinds that can be chosen.
const KINDS: [(&str, &str); 11] = [
    ("", "All"),
    ("schema", "Schema"),
    ("module", "Module"),
    ("role", "Role"),
    ("privilege", "Privilege"),
    ("public entry", "Public entry"),
    ("client", "Client"),
    ("remote server", "Remote server"),
    ("credential", "Credential"),
    ("REST source", "REST source"),
    ("user", "User"),
];

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/history", get(list))
        .route("/console/history/{revision}/{object}", get(show))
        .route("/console/history/{revision}/{object}/restore", post(restore))
}

/// Whether a change is of something that the person sees.
fn is_seen(signed_in: &SignedIn, entry: &HistoryEntry) -> bool {
    match entry.kind.as_str() {
        "user" => signed_in.can(Act::Administer),
        "schema" => signed_in.user.sees_schema(entry.object_id),
        _ => signed_in.user.sees_schema(entry.schema_id),
    }
}

async fn list(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::ReadDefinitions)?;
    let snapshot = signed_in.console.app().snapshot();
    let get = |name: &str| fields.get(name).map(str::to_owned);
    let schemas = signed_in.schemas(&snapshot);
    let schema_id = match fields.get("schema") {
        None => None,
        Some(name) => Some(schemas.iter().find(|schema| schema.name == name).ok_or(Refused::NotFound)?.id),
    };
    let filter = HistoryFilter { schema_id, kind: get("kind"), name: get("name"), author: get("author") };
    let after = fields.get("after").and_then(|after| {
        let (revision, object) = after.split_once('-')?;
        Some((revision.parse().ok()?, object.parse().ok()?))
    });
    let reader = signed_in.clone();
    let (entries, next) = signed_in
        .console
        .blocking(move |app| find(app, &reader, &filter, after))
        .await?
        .map_err(Refused::failed)?;
    let body = html! {
        (ui::head("History", "Every change of definitions, clients and users. Former definitions and clients can be brought back.", &html! {}))
        div.grid {
            (form(&fields, schemas.iter().map(|schema| schema.name.as_str())))
            section.card aria-label="Changes" {
                @if entries.is_empty() {
                    (ui::empty("No change matches.", &html! { a.btn href={ (PATH) "history" } { "Clear filters" } }))
                } @else { (ui::scroll("Table of changes", &table(&signed_in, &entries))) }
                @if let Some((revision, object)) = next {
                    p.pad { a.btn.sm href={ (PATH) "history?" (query(&fields)) "&after=" (revision) "-" (object) } { "Older" } }
                }
            }
        }
    };
    let frame = Page { title: "History", item: "history", crumbs: &[("History", "")], ..Page::default() };
    Ok(shell::page(&signed_in, frame, &body))
}

/// The revision and the object of the last change that was read.
type Place = (u64, Id);

/// A page of changes that the person sees, and where to go on.
fn find(
    app: &App,
    signed_in: &SignedIn,
    filter: &HistoryFilter,
    mut after: Option<Place>,
) -> Result<(Vec<HistoryEntry>, Option<Place>), DatabaseError> {
    let (mut seen, mut read) = (Vec::new(), 0);
    while seen.len() < ROWS && read < READ_MAX {
        let entries = app.store.find_history(filter, after, ROWS as u32)?;
        let more = entries.len() == ROWS;
        read += entries.len();
        for entry in entries {
            if seen.len() == ROWS {
                return Ok((seen, after));
            }
            after = Some((entry.revision, entry.object_id));
            if is_seen(signed_in, &entry) {
                seen.push(entry);
            }
        }
        if !more {
            return Ok((seen, None));
        }
    }
    Ok((seen, after))
}

fn query(fields: &Fields) -> String {
    let kept = fields.iter().filter(|(name, value)| *name != "after" && !value.is_empty());
    kept.map(|(name, value)| format!("{}={}", ui::encode(name), ui::encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

fn form<'a>(fields: &Fields, schemas: impl Iterator<Item = &'a str>) -> Markup {
    let field = |name, label| ui::Field { name, label, value: fields.text(name), ..ui::Field::default() };
    html! {
        form.card.filter action={ (PATH) "history" } method="get" role="search" aria-label="Filter of the history" {
            (ui::select("schema", "Schema", fields.text("schema"), [("", "All")].into_iter().chain(schemas.map(|name| (name, name)))))
            (ui::select("kind", "Kind", fields.text("kind"), KINDS))
            (field("name", "Name"))
            (field("author", "Changed by"))
            div.field { button.btn.pri type="submit" data-primary { "Filter" } }
        }
    }
}

fn schema_name(signed_in: &SignedIn, entry: &HistoryEntry) -> String {
    let snapshot = signed_in.console.app().snapshot();
    snapshot.catalog.schemas.get(&entry.schema_id).map_or_else(String::new, |schema| schema.name.clone())
}

fn action(entry: &HistoryEntry) -> Markup {
    match entry.action.as_str() {
        "create" => ui::badge(ui::Tone::Good, "plus", "created"),
        "delete" => ui::badge(ui::Tone::Bad, "trash-2", "deleted"),
        _ => ui::badge(ui::Tone::Plain, "pencil", "changed"),
    }
}

fn table(signed_in: &SignedIn, entries: &[HistoryEntry]) -> Markup {
    let now_ms = signed_in.console.app().clock.now_ms();
    html! {
        table.t.dense {
            thead { tr {
                th scope="col" { "Object" } th scope="col" { "Schema" } th scope="col" { "Change" } th scope="col" { "By" }
                th scope="col" { "From" } th scope="col" { "When" }
            } }
            tbody { @for entry in entries { tr {
                th scope="row" {
                    a href={ (PATH) "history/" (entry.revision) "/" (entry.object_id) } { (entry.kind) " " span.mono { (entry.name) } }
                }
                td { (schema_name(signed_in, entry)) }
                td { (action(entry)) }
                td { (entry.author) }
                td { (entry.source) }
                td { (ui::ago(entry.changed_on_ms, now_ms)) }
            } } }
        }
    }
}

/// A change with both states as scripts.
struct Change {
    state: HistoryState,
    before: Option<String>,
    after: Option<String>,
}

impl Change {
    /// The state that can be brought back: what the change made, or what it deleted.
    fn restorable(&self) -> Option<&str> {
        self.after.as_deref().or(self.before.as_deref())
    }
}

async fn load(signed_in: &SignedIn, revision: u64, object: Id) -> Result<Change, Refused> {
    signed_in.may(Act::ReadDefinitions)?;
    let loaded = signed_in
        .console
        .blocking(move |app| {
            let Some(state) = app.store.find_history_state(revision, object)? else { return Ok(None) };
            let snapshot = app.snapshot();
            let script = |body: &Option<String>| match body {
                Some(body) => former(&app.store, &snapshot.catalog, &state.entry.kind, object, body),
                None => Ok(None),
            };
            let (before, after) = (script(&state.before)?, script(&state.body)?);
            Ok::<_, DatabaseError>(Some(Change { state, before, after }))
        })
        .await?
        .map_err(Refused::failed)?;
    loaded.filter(|change| is_seen(signed_in, &change.state.entry)).ok_or(Refused::NotFound)
}

async fn show(
    signed_in: SignedIn,
    Path((revision, object)): Path<(u64, Id)>,
) -> Result<Response<Body>, Refused> {
    let change = load(&signed_in, revision, object).await?;
    let entry = &change.state.entry;
    let now_ms = signed_in.console.app().clock.now_ms();
    let title = format!("{} {}", entry.kind, entry.name);
    let path = format!("{PATH}history/{revision}/{object}");
    let others = format!("{PATH}history?kind={}&name={}", ui::encode(&entry.kind), ui::encode(&entry.name));
    let restore = html! {
        a.btn href=(others) { "All changes of it" }
        @if change.restorable().is_some() && signed_in.can(Act::Define) && entry.schema_id != 0 {
            form method="post" action={ (path) "/restore" } {
                (signed_in.csrf_field())
                button.btn.pri type="submit" data-primary { (ui::icon("rotate-cw")) "Restore this state" }
            }
        }
    };
    let body = html! {
        (ui::head(&title, html! { "Changed by " (entry.author) " from " (entry.source) ", " (ui::ago(entry.changed_on_ms, now_ms)) "." }, &restore))
        div.grid {
            section.card aria-labelledby="change-title" {
                header { h2 #change-title { "What changed" } div.r { (action(entry)) } }
                @if change.before.is_none() && change.after.is_none() {
                    p.pad.soft { "Of this kind of object the history keeps who and when, no script." }
                } @else if change.before == change.after {
                    p.pad.soft { "Nothing that a script says: a secret, a generation of tokens, or who changed it." }
                } @else if change.state.body.is_none() {
                    (ui::diff(change.before.as_deref().unwrap_or_default(), "", "What changed, line by line"))
                } @else {
                    (ui::diff(change.before.as_deref().unwrap_or_default(), change.after.as_deref().unwrap_or_default(), "What changed, line by line"))
                }
            }
            @if let Some(script) = change.restorable() {
                details.card {
                    summary { "The script that brings this state back" }
                    pre.code tabindex="0" role="region" aria-label="Script" { (script) }
                }
            }
            p.dim { "Revision " (entry.revision) ". Secrets are not kept in the history: what needs one gets a new one." }
        }
    };
    let list = format!("{PATH}history");
    let crumbs = [("History", list.as_str()), (title.as_str(), "")];
    let frame = Page { title: &title, item: "history", crumbs: &crumbs, ..Page::default() };
    Ok(shell::page(&signed_in, frame, &body))
}

async fn restore(
    signed_in: SignedIn,
    Path((revision, object)): Path<(u64, Id)>,
    _: Fields,
) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Define)?;
    let change = load(&signed_in, revision, object).await?;
    let entry = &change.state.entry;
    let schema = schema_name(&signed_in, entry);
    let Some(script) = change.restorable().filter(|_| !schema.is_empty()) else {
        return Err(Refused::NotFound);
    };
    let proposal = Proposal {
        schema,
        script: script.to_owned(),
        done: format!("{PATH}history"),
        back: format!("{PATH}history/{revision}/{object}"),
        title: format!("Restore {} {}", entry.kind, entry.name),
        apply: None,
    };
    review::propose_or_refuse(&signed_in, proposal).await
}
