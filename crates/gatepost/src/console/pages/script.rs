//! The definitions of a schema as one script, and a script that is loaded: reviewed first.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Response, StatusCode};
use maud::html;

use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui;
use crate::console::{Console, Refused};
use crate::script::export;

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/s/{schema}/script", get(show).post(load))
        .route("/console/s/{schema}/script/download", get(download))
}

async fn exported(page: &InSchema) -> Result<String, Refused> {
    let schema = page.schema.clone();
    page.console.blocking(move |app| export(&app.catalog(), &schema)).await
}

async fn show(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    script_page(&page, "", None).await
}

async fn script_page(page: &InSchema, draft: &str, problem: Option<&str>) -> Result<Response<Body>, Refused> {
    let script = exported(page).await?;
    let actions = html! {
        (ui::copy(&script, "Copy script"))
        a.btn href=(page.path("script/download")) { (ui::icon("download")) "Download" }
    };
    let body = html! {
        (ui::head("Script", "Everything that this schema publishes, locks and calls. It loads into an empty server; secrets are not in it.", &actions))
        div.grid {
            @if page.can(Act::Define) {
                form.card.form #editor tabindex="-1" method="post" action=(page.path("script")) data-guard {
                    h2.h2 { "Load a script" }
                    @if let Some(problem) = problem { (ui::problem(html! { pre.plain { (problem) } })) }
                    (page.csrf_field())
                    div.field {
                        label for="script" { "Definitions for ORDS or Gatepost" }
                        textarea.in.area.mono #script name="script" rows="8" data-sql aria-label="Script to load" spellcheck="false" { "\n" (draft) }
                        span.hint { "What it would change, and who would get in where, is shown before anything is kept." }
                    }
                    div.actions { button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review" } }
                }
            }
            section.card aria-labelledby="all" {
                header { h2 #all { "Definitions of " (page.schema.name) } }
                pre.code tabindex="0" role="region" aria-label="Script" { (script) }
            }
        }
    };
    let frame = Page {
        title: "Script",
        item: "script",
        crumbs: &[("Script", "")],
        schema: Some(&page.schema.name),
        editor: true,
        ..Page::default()
    };
    Ok(shell::page(page, frame, &body))
}

async fn download(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::ReadDefinitions)?;
    let script = exported(&page).await?;
    Ok(shell::download(&format!("{}.sql", page.schema.name), "application/sql; charset=utf-8", script))
}

async fn load(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let script = fields.raw("script").unwrap_or_default().to_owned();
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.clone(),
        done: page.path("services"),
        back: page.path("script"),
        title: "Load a script".into(),
        apply: None,
    };
    match review::propose(&page, proposal).await? {
        Ok(response) => Ok(response),
        Err(failure) => {
            let mut response = script_page(&page, &script, Some(&failure.to_string())).await?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}
