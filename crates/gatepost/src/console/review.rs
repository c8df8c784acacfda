//! Every change of definitions is a script that is shown before it is run: what it changes, who gets in where, and
//! the script itself. The form that applies it names the revision that was reviewed.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http::Response;
use maud::{Markup, html};

use super::fields::Fields;
use super::gate::see_other;
use super::shell::{self, Page};
use super::signed_in::{Act, SignedIn};
use super::{Console, PATH, Refused, ui};
use crate::app::App;
use crate::audit::reach::{DoorChange, Reach, Who};
use crate::script::{self, Event, Review, SchemaReview, ScriptFailure};

/// Doors of a schema that are listed.
const DOORS_MAX: usize = 200;

pub(super) fn routes() -> Router<Console> {
    Router::new().route(&format!("{PATH}apply"), post(apply))
}

/// What is to be reviewed.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    /// The schema that the script works in.
    pub(super) schema: String,
    /// The script. It holds no secret.
    pub(super) script: String,
    /// Where to go when it is applied.
    pub(super) done: String,
    /// Where to go when it is not.
    pub(super) back: String,
    /// What it is for, as the page's title.
    pub(super) title: String,
    /// The path that applies it; absent: the usual one.
    pub(super) apply: Option<String>,
}

impl Proposal {
    /// The reviewed form of a request to apply.
    pub(super) fn read(fields: &Fields) -> Self {
        Self {
            schema: fields.text("schema").to_owned(),
            script: fields.raw("script").unwrap_or_default().to_owned(),
            done: local(fields.text("done")),
            back: local(fields.text("back")),
            title: fields.text("title").to_owned(),
            apply: None,
        }
    }
}

/// Shows what a script would change. A script that fails is refused with the reason: `Err(failure)`, for the form
/// that it was made of.
pub(super) async fn propose(
    signed_in: &SignedIn,
    proposal: Proposal,
) -> Result<Result<Response<Body>, Box<ScriptFailure>>, Refused> {
    Ok(rehearse(signed_in, &proposal)
        .await?
        .map(|(revision, review)| page(signed_in, &proposal, &review, revision)))
}

/// The same, if the script would change definitions at all.
pub(super) async fn propose_change(
    signed_in: &SignedIn,
    proposal: Proposal,
) -> Result<Result<Option<Response<Body>>, Box<ScriptFailure>>, Refused> {
    let rehearsed = rehearse(signed_in, &proposal).await?;
    Ok(rehearsed.map(|(revision, review)| {
        (!review.schemas.is_empty()).then(|| page(signed_in, &proposal, &review, revision))
    }))
}

/// What the script would change, and the revision that this was found on.
async fn rehearse(
    signed_in: &SignedIn,
    proposal: &Proposal,
) -> Result<Result<(u64, Review), Box<ScriptFailure>>, Refused> {
    signed_in.may(Act::Define)?;
    let options = signed_in.script_options(&proposal.schema);
    let text = proposal.script.clone();
    let (revision, reviewed) = signed_in
        .console
        .blocking(move |app| {
            let revision = app.snapshot().catalog.revision;
            (revision, script::review(&**app, &text, &options, app.unprotected()))
        })
        .await?;
    Ok(reviewed.map(|review| (revision, review)))
}

fn page(signed_in: &SignedIn, proposal: &Proposal, review: &Review, revision: u64) -> Response<Body> {
    let body = markup(signed_in, proposal, review, revision);
    let crumbs = [(proposal.title.as_str(), proposal.back.as_str()), ("Review", "")];
    let page = Page { title: "Review", crumbs: &crumbs, schema: Some(&proposal.schema), ..Page::default() };
    shell::page(signed_in, page, &body)
}

/// The same for a page without a form to go back to: what fails is a page of its own.
pub(super) async fn propose_or_refuse(
    signed_in: &SignedIn,
    proposal: Proposal,
) -> Result<Response<Body>, Refused> {
    propose(signed_in, proposal).await?.map_err(|failure| Refused::Invalid(failure.to_string()))
}

fn markup(signed_in: &SignedIn, proposal: &Proposal, review: &Review, revision: u64) -> Markup {
    let nothing = review.schemas.is_empty();
    let usual = format!("{PATH}apply");
    html! {
        (ui::head(&proposal.title, "Nothing has changed yet. This is what would.", &html! {}))
        div.grid {
            @for schema in &review.schemas { (of_schema(schema)) }
            @if nothing { (ui::empty("Definitions would stay as they are.", &html! {})) }
            @for refused in &review.report.refused { (ui::warning(refused.to_string())) }
            @for waiting in &review.report.waiting { (ui::warning(waiting.to_string())) }
            @for narrower in &review.report.narrower { (ui::warning(narrower)) }
            details.card {
                summary { "The script that does it" }
                pre.code tabindex="0" role="region" aria-label="Script" { (proposal.script) }
            }
            form.review action=(proposal.apply.as_deref().unwrap_or(&usual)) method="post" {
                (signed_in.csrf_field())
                input type="hidden" name="schema" value=(proposal.schema);
                input type="hidden" name="script" value=(proposal.script);
                input type="hidden" name="done" value=(proposal.done);
                input type="hidden" name="back" value=(proposal.back);
                input type="hidden" name="title" value=(proposal.title);
                input type="hidden" name="revision" value=(revision);
                button.btn.pri type="submit" data-primary { (ui::icon("check")) "Apply" }
                a.btn href=(proposal.back) { "Cancel" }
            }
        }
    }
}

fn of_schema(schema: &SchemaReview) -> Markup {
    let more = schema.doors.len().saturating_sub(DOORS_MAX);
    html! {
        section.card aria-label="Who gets in" {
            header { h2 { "Who gets in" } div.r { span.dim { "schema " (schema.name) } } }
            @if schema.doors.is_empty() {
                p.pad.soft { "The same callers reach the same handlers." }
            } @else {
                ul.doors {
                    @for door in schema.doors.iter().take(DOORS_MAX) {
                        li {
                            @if door.opens { (ui::badge(ui::Tone::Warn, "lock-open", "gets in")) }
                            @else { (ui::badge(ui::Tone::Good, "lock", "stays out")) }
                            span { b { (door.who) } ": " span.mono { (door.route) } }
                        }
                    }
                    @if more > 0 { li { "and " (more) " more" } }
                }
            }
        }
        section.card aria-label="Definitions" {
            header { h2 { "Definitions" } }
            (ui::diff(&schema.before, &schema.after, "What changes, line by line"))
        }
    }
}

/// What a form would change while it is filled in: how many handlers are public, and who gets in or stays out.
pub(super) async fn preview(signed_in: &SignedIn, schema: &str, script: String) -> Result<Markup, Refused> {
    signed_in.may(Act::Define)?;
    let options = signed_in.script_options(schema);
    let name = schema.to_owned();
    let (public, reviewed) = signed_in
        .console
        .blocking(move |app| {
            let snapshot = app.snapshot();
            let schema = snapshot.catalog.schema_by_name(&name);
            let public = schema
                .map_or(0, |schema| Reach::of(&snapshot.catalog, schema, app.unprotected()).public_count());
            (public, script::review(&**app, &script, &options, app.unprotected()))
        })
        .await?;
    let review = match reviewed {
        Ok(review) => review,
        Err(failure) => return Ok(html! { p.soft { (failure.diagnostic.message) } }),
    };
    let doors: Vec<&DoorChange> = review.schemas.iter().flat_map(|schema| &schema.doors).collect();
    let of =
        |who: &Who, opens: bool| doors.iter().filter(|door| door.who == *who && door.opens == opens).count();
    let after = (public + of(&Who::Anybody, true)).saturating_sub(of(&Who::Anybody, false));
    let clients: BTreeSet<&Who> =
        doors.iter().map(|door| &door.who).filter(|who| **who != Who::Anybody).collect();
    Ok(html! {
        p {
            b { "Public handlers: " (public) @if after != public { " → " (after) } }
            @if after == public { " (as now)" }
        }
        @if clients.is_empty() { p.soft { "No client gains or loses a handler." } }
        @for who in clients {
            p {
                (who) ": "
                @let (opens, closes) = (of(who, true), of(who, false));
                @if opens > 0 { "gains " (ui::plural(opens, "handler")) } @if opens > 0 && closes > 0 { ", " }
                @if closes > 0 { "loses " (ui::plural(closes, "handler")) }
            }
        }
    })
}

async fn apply(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    let proposal = Proposal::read(&fields);
    match run_reviewed(&signed_in, proposal, &fields).await? {
        Applied::Done { done, .. } => Ok(see_other(&done)),
        Applied::ToReview(response) => Ok(response),
    }
}

/// What became of a reviewed script.
pub(super) enum Applied {
    /// It ran. What it printed, and where to go.
    Done { done: String, printed: Vec<String> },
    /// Somebody was faster: what was reviewed is not what would happen. It is to be reviewed again.
    ToReview(Response<Body>),
}

/// The review once more, if the definitions are not those any more that the form was reviewed on.
pub(super) async fn review_again(
    signed_in: &SignedIn,
    proposal: &Proposal,
    fields: &Fields,
) -> Result<Option<Response<Body>>, Refused> {
    signed_in.may(Act::Define)?;
    // What another process committed a moment ago counts, too.
    signed_in.console.blocking(|app| app.refresh()).await?.map_err(Refused::failed)?;
    let snapshot = signed_in.console.app().snapshot();
    let schema = snapshot.catalog.schema_by_name(&proposal.schema);
    if !schema.is_some_and(|schema| signed_in.user.sees_schema(schema.id)) {
        return Err(Refused::NotFound);
    }
    if fields.text("revision").parse() == Ok(snapshot.catalog.revision) {
        return Ok(None);
    }
    let title = format!("Changed meanwhile: {}", proposal.title);
    propose_or_refuse(signed_in, Proposal { title, ..proposal.clone() }).await.map(Some)
}

/// Runs a script that was reviewed, if the definitions are still those that it was reviewed on.
pub(super) async fn run_reviewed(
    signed_in: &SignedIn,
    proposal: Proposal,
    fields: &Fields,
) -> Result<Applied, Refused> {
    if let Some(again) = review_again(signed_in, &proposal, fields).await? {
        return Ok(Applied::ToReview(again));
    }
    match run(signed_in, &proposal.schema, proposal.script).await? {
        Ok(printed) => Ok(Applied::Done { done: proposal.done, printed }),
        Err(failure) => Err(Refused::Invalid(failure.to_string())),
    }
}

/// Runs a script as this person; the lines that it printed.
pub(super) async fn run(
    signed_in: &SignedIn,
    schema: &str,
    script: String,
) -> Result<Result<Vec<String>, Box<ScriptFailure>>, Refused> {
    signed_in.may(Act::Define)?;
    let options = signed_in.script_options(schema);
    let work = move |app: &Arc<App>| {
        let mut printed = Vec::new();
        let outcome = script::run(&**app, &script, &options, &mut |event| {
            if let Event::Output(line) = event {
                printed.push(line);
            }
        });
        outcome.map(|_| printed)
    };
    signed_in.console.blocking(work).await
}

/// A path of the console; anything else becomes its first page, so that no form leads elsewhere.
pub(super) fn local(path: &str) -> String {
    let ours = path.starts_with(PATH) && !path.contains(['\\', '\r', '\n']) && !path.starts_with("//");
    if ours { path.to_owned() } else { PATH.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn forms_lead_to_pages_of_the_console_only() {
        for path in [
            "",
            "//evil.example/console/",
            "https://evil.example",
            "/ords/hr",
            "/console/\\evil",
            "javascript:x",
        ] {
            assert_eq!(local(path), "/console/", "{path}");
        }
        assert_eq!(local("/console/s/hr/roles?x=1"), "/console/s/hr/roles?x=1");
    }
}
