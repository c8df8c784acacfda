//! Scripts that a person saved or ran. No secret is kept: it is masked, or the script is not kept at all.

use axum::body::Body;
use gatepost_store::catalog::{ConsoleItem, ConsoleItemKind};
use http::{Response, StatusCode};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::outcome::Done;
use super::{Sheet, answer};
use crate::app::people::PeopleError;
use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Tone};
use crate::script::without_secrets;

/// Characters of a script that a list shows.
const SHOWN_LENGTH: usize = 120;

/// What an item says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    sql: String,
    #[serde(default)]
    ms: u64,
    #[serde(default)]
    rows: usize,
    #[serde(default)]
    failed: bool,
    #[serde(default)]
    dry_run: bool,
}

/// What is kept for the person in this schema.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) saved: Vec<ConsoleItem>,
    pub(super) history: Vec<ConsoleItem>,
}

impl Kept {
    pub(super) async fn load(page: &InSchema) -> Result<Self, Refused> {
        let (user, schema) = (Some(page.user.id), Some(page.schema.id));
        let load = move |app: &std::sync::Arc<crate::app::App>| {
            let saved = app.console_items(ConsoleItemKind::SavedSql, user, schema)?;
            Ok(Self { saved, history: app.console_items(ConsoleItemKind::SqlHistory, user, schema)? })
        };
        let kept: Result<Self, gatepost_store::catalog::DatabaseError> = page.console.blocking(load).await?;
        kept.map_err(Refused::failed)
    }

    /// The script of an item.
    pub(super) fn find(&self, id: u64) -> Option<String> {
        let item = self.saved.iter().chain(&self.history).find(|item| item.id == id);
        item.map(|item| note(item).sql)
    }

    pub(super) fn saved(&self, page: &InSchema) -> Markup {
        let rows = self.saved.iter().map(|item| (item, item.name.clone()));
        list(page, "Saved scripts", "Give a script a name and save it: it is here then.", rows)
    }

    pub(super) fn history(&self, page: &InSchema) -> Markup {
        let facts = |item: &ConsoleItem| {
            let Note { ms, rows, .. } = note(item);
            format!("{} in {ms} ms", ui::plural(rows, "row"))
        };
        let rows = self.history.iter().map(|item| (item, facts(item)));
        list(page, "History", "What you run is here, without secrets.", rows)
    }
}

fn note(item: &ConsoleItem) -> Note {
    serde_json::from_str(&item.body).unwrap_or_default()
}

fn list<'i>(
    page: &InSchema,
    name: &str,
    about: &str,
    items: impl ExactSizeIterator<Item = (&'i ConsoleItem, String)>,
) -> Markup {
    if items.len() == 0 {
        return ui::empty(about, &html! {});
    }
    let now_ms = page.console.app().clock.now_ms();
    let table = html! {
        table.t.dense {
            thead { tr {
                th scope="col" { "Script" } th scope="col" { (if name == "History" { "Result" } else { "Name" }) }
                th scope="col" { "When" } th scope="col" { span.sr { "Delete" } }
            } }
            tbody { @for (item, facts) in items { tr {
                @let note = note(item);
                td { a.mono href=(page.path(&format!("sql?item={}", item.id))) { (first_words(&note.sql)) } }
                td {
                    (facts) " "
                    @if note.failed { (ui::badge(Tone::Bad, "circle-x", "failed")) }
                    @if note.dry_run { (ui::badge(Tone::Info, "info", "dry run")) }
                }
                td { (ui::ago(item.at_ms, now_ms)) }
                td.n { form method="post" action=(page.path("sql/forget")) {
                    (page.csrf_field())
                    input type="hidden" name="item" value=(item.id);
                    input type="hidden" name="tab" value=(if name == "History" { "history" } else { "saved" });
                    button.btn.icon.sm.ghost type="submit" aria-label="Delete" title="Delete" { (ui::icon("trash-2")) }
                } }
            } } }
        }
    };
    ui::scroll(name, &table)
}

fn first_words(sql: &str) -> String {
    let words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHOWN_LENGTH) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// Keeps a script that was run, if it can be kept.
pub(super) async fn remember(page: &InSchema, sql: &str, done: &Done) -> Result<(), Refused> {
    let Some(sql) = without_secrets(sql).filter(|sql| !sql.trim().is_empty()) else { return Ok(()) };
    let note = Note {
        sql,
        ms: done.elapsed.as_millis() as u64,
        rows: done.row_count(),
        failed: !done.succeeded(),
        dry_run: done.dry_run,
    };
    match put(page, ConsoleItemKind::SqlHistory, String::new(), &note).await? {
        // What is too long is not kept.
        Ok(()) | Err(PeopleError::Item(_)) => Ok(()),
        Err(error) => Err(Refused::failed(error)),
    }
}

/// Saves what is in the editor under a name.
pub(super) async fn save(page: &InSchema, fields: &Fields) -> Result<Response<Body>, Refused> {
    let sql = fields.raw("sql").unwrap_or_default();
    let Some(name) = fields.get("name") else {
        return Err(Refused::Invalid("Give the script a name to save it under.".into()));
    };
    let kept = without_secrets(sql).filter(|kept| kept == sql).ok_or_else(|| {
        Refused::Invalid("The script holds a secret, or cannot be read to its end: it is not saved.".into())
    })?;
    let note = Note { sql: kept, ..Note::default() };
    match put(page, ConsoleItemKind::SavedSql, name.to_owned(), &note).await? {
        Ok(()) => {}
        Err(error @ PeopleError::Item(_)) => return Err(Refused::Invalid(error.to_string())),
        Err(error) => return Err(Refused::failed(error)),
    }
    let sheet =
        Sheet { sql: sql.to_owned(), rows: fields.text("rows").to_owned(), tab: "saved", outcome: None };
    let mut response = answer(page, &sheet, &Kept::load(page).await?).await?;
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

async fn put(
    page: &InSchema,
    kind: ConsoleItemKind,
    name: String,
    note: &Note,
) -> Result<Result<(), PeopleError>, Refused> {
    let (user, schema) = (page.user.id, page.schema.id);
    let body = serde_json::to_string(note).map_err(Refused::failed)?;
    page.console.blocking(move |app| app.put_console_item(user, schema, (kind, &name), &body)).await
}

/// Deletes an item of the person.
pub(super) async fn forget(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let (user, id) = (page.user.id, fields.text("item").parse().map_err(|_| Refused::NotFound)?);
    let deleted = page.console.blocking(move |app| app.delete_console_item(user, id)).await?;
    if !deleted.map_err(Refused::failed)? {
        return Err(Refused::NotFound);
    }
    let tab = if fields.text("tab") == "history" { "history" } else { "saved" };
    Ok(see_other(&page.path(&format!("sql?tab={tab}"))))
}
