//! The security audit: what is open and what is worth a look, what somebody accepts, and the way to end it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use gatepost_store::catalog::DatabaseError;
use gatepost_store::logs::DAY_MS;
use http::{Response, StatusCode};
use maud::{Markup, html};

use crate::app::App;
use crate::app::clock::rfc3339;
use crate::audit::{ACCEPTED_DAYS_MAX, Acceptance, Bounds, Finding, Severity, accept, audit, reopen};
use crate::console::fields::Fields;
use crate::console::gate::see_other;
use crate::console::review::{self, Proposal};
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, SignedIn, path};
use crate::console::ui;
use crate::console::{Console, PATH, Refused};

/// How long what was found is shown again, while the definitions stay the same.
const KEPT_MS: i64 = 60_000;

/// The longest reason, in characters.
const REASON_MAX: usize = 500;

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/audit", get(list))
        .route("/console/audit/accept", post(accept_finding))
        .route("/console/audit/reopen", post(reopen_finding))
        .route("/console/audit/fix", post(fix))
}

/// What was found last, with the revision of the catalog and the time.
#[derive(Debug, Default)]
pub(in crate::console) struct Cache(Mutex<Option<Kept>>);

type Kept = (u64, i64, Arc<Vec<Finding>>);

impl Cache {
    fn get(&self, revision: u64, now_ms: i64) -> Option<Arc<Vec<Finding>>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |kept: &&Kept| kept.0 == revision && (0..KEPT_MS).contains(&(now_ms - kept.1));
        kept.as_ref().filter(fresh).map(|(_, _, found)| Arc::clone(found))
    }

    fn put(&self, revision: u64, now_ms: i64, found: &Arc<Vec<Finding>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, now_ms, Arc::clone(found)));
    }

    /// Somebody accepted a finding, or took that back.
    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What the audit finds now, in the schemas that the person sees, and when it looked.
pub(super) async fn findings(signed_in: &SignedIn) -> Result<Vec<Finding>, Refused> {
    let console = signed_in.console.clone();
    let found =
        signed_in.console.blocking(move |app| find_all(&console, app)).await?.map_err(Refused::failed)?;
    let snapshot = signed_in.console.app().snapshot();
    let seen = signed_in.schemas(&snapshot);
    let visible = |finding: &&Finding| match &finding.schema {
        None => true,
        Some(name) => seen.iter().any(|schema| schema.name == *name),
    };
    Ok(found.iter().filter(visible).cloned().collect())
}

fn find_all(console: &Console, app: &App) -> Result<Arc<Vec<Finding>>, DatabaseError> {
    let (revision, now_ms) = (app.snapshot().catalog.revision, app.clock.now_ms());
    if let Some(found) = console.inner.findings.get(revision, now_ms) {
        return Ok(found);
    }
    let found = Arc::new(audit(app, Bounds::at(now_ms))?);
    console.inner.findings.put(revision, now_ms, &found);
    Ok(found)
}

async fn list(signed_in: SignedIn) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::ReadLogs)?;
    page(&signed_in, None).await
}

async fn page(signed_in: &SignedIn, wrong: Option<&str>) -> Result<Response<Body>, Refused> {
    let found = findings(signed_in).await?;
    let now_ms = signed_in.console.app().clock.now_ms();
    let (accepted, open): (Vec<_>, Vec<_>) = found.iter().partition(|finding| finding.accepted.is_some());
    let doors = open.iter().filter(|finding| finding.severity == Severity::OpenDoor).count();
    let about = if doors == 0 {
        "No door is open to callers without a token.".to_owned()
    } else {
        format!(
            "{} open to callers without a token.",
            if doors == 1 { "One door is".into() } else { format!("{doors} doors are") }
        )
    };
    let body = html! {
        (ui::head("Security audit", about, &html! {}))
        div.grid {
            @if let Some(wrong) = wrong { (ui::problem(wrong)) }
            section aria-labelledby="open-title" {
                h2.h2 #open-title { "Open " span.dim.num { (open.len()) } }
                @if open.is_empty() { (ui::empty("Nothing open.", &html! {})) }
                div.grid { @for finding in &open { (card(signed_in, finding, now_ms)) } }
            }
            @if !accepted.is_empty() {
                section aria-labelledby="accepted-title" {
                    h2.h2 #accepted-title { "Accepted " span.dim.num { (accepted.len()) } }
                    div.grid { @for finding in &accepted { (card(signed_in, finding, now_ms)) } }
                }
            }
            p.dim { "The same in the terminal: " code.mono { "gatepost audit --json" } }
        }
    };
    let frame =
        Page { title: "Security audit", item: "audit", crumbs: &[("Security audit", "")], ..Page::default() };
    let mut response = shell::page(signed_in, frame, &body);
    if wrong.is_some() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// How loud a finding is.
pub(super) fn tone(severity: Severity) -> (ui::Tone, &'static str) {
    match severity {
        Severity::OpenDoor => (ui::Tone::Bad, "lock-open"),
        Severity::Warning => (ui::Tone::Warn, "triangle-alert"),
        Severity::Notice => (ui::Tone::Info, "info"),
    }
}

fn card(signed_in: &SignedIn, finding: &Finding, now_ms: i64) -> Markup {
    let (tone, icon) = tone(finding.severity);
    // Two findings can be about the same object: a name of its own for each.
    let name =
        [&finding.object, finding.check, finding.schema.as_deref().unwrap_or("all schemas")].join(", ");
    html! {
        section.card.finding aria-label=(name) {
            header {
                (ui::badge(tone, icon, finding.severity.to_string()))
                h3.h2 { @if let Some(link) = page_of(finding) { a href=(link) { (finding.object) } } @else { (finding.object) } }
                div.r { @if let Some(schema) = &finding.schema { span.dim { "schema " (schema) } } span.dim.mono { (finding.check) } }
            }
            div.pad.stack-8 {
                p { (finding.why) }
                @if !finding.evidence.is_empty() {
                    ul.evidence { @for line in &finding.evidence { li.mono { (line) } } }
                }
                @if let Some(accepted) = &finding.accepted {
                    p.soft { "Accepted by " (accepted.by) ", until " (ui::ago(accepted.until_ms, now_ms)) ": " (accepted.reason) }
                } @else {
                    p { "Fix: " code.mono { (finding.fix) } }
                }
                (ways_on(signed_in, finding))
            }
        }
    }
}

/// The forms of a finding: the fix as a script, accepting it, taking that back.
fn ways_on(signed_in: &SignedIn, finding: &Finding) -> Markup {
    let same = html! {
        (signed_in.csrf_field())
        input type="hidden" name="check" value=(finding.check);
        input type="hidden" name="schema" value=(finding.schema.as_deref().unwrap_or_default());
        input type="hidden" name="object" value=(finding.object);
    };
    html! {
        div.actions {
            @if script_of(finding).is_some() && finding.accepted.is_none() && signed_in.can(Act::Define) {
                form method="post" action={ (PATH) "audit/fix" } {
                    (same) button.btn.sm.pri type="submit" { (ui::icon("file-diff")) "Review the fix" }
                }
            }
            @if signed_in.can(Act::Administer) {
                @if finding.accepted.is_some() {
                    form method="post" action={ (PATH) "audit/reopen" } {
                        (same) button.btn.sm type="submit" { "Open again" }
                    }
                } @else {
                    details.accept {
                        summary { "Accept" }
                        form.form method="post" action={ (PATH) "audit/accept" } {
                            (same)
                            @let id = format!("reason-{}", id_of(finding));
                            div.field {
                                label for=(id) { "Reason" }
                                input.in id=(id) name="reason" required maxlength=(REASON_MAX) autocomplete="off";
                            }
                            @let id = format!("days-{}", id_of(finding));
                            div.field {
                                label for=(id) { "For how many days" }
                                input.in id=(id) name="days" type="number" min="1" max=(ACCEPTED_DAYS_MAX) value="90" required;
                            }
                            button.btn.sm type="submit" { "Accept" }
                        }
                    }
                }
            }
        }
    }
}

/// An id for its fields, of letters and digits.
fn id_of(finding: &Finding) -> String {
    let text = [finding.check, finding.schema.as_deref().unwrap_or_default(), &finding.object].join("-");
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The page of the object that a finding is about.
pub(super) fn page_of(finding: &Finding) -> Option<String> {
    let schema = finding.schema.as_deref()?;
    let (kind, name) = finding.object.split_once(' ')?;
    let page = match kind {
        "client" => "clients",
        "role" => "roles",
        "privilege" => "privileges",
        "module" => "services",
        _ => return None,
    };
    Some(path(schema, &format!("{page}/{}", ui::encode(name))))
}

/// The fix as a script, where it is nothing but calls.
fn script_of(finding: &Finding) -> Option<String> {
    finding.schema.as_ref()?;
    let call = finding.fix.trim();
    let is_call = call.ends_with(')')
        && !call.contains('…')
        && ["GATEPOST.", "OAUTH.", "ORDS.", "ORDS_SECURITY."].iter().any(|package| call.starts_with(package));
    // A rotation gives a secret to whoever asks: that is done on the client's page, where it can be seen.
    let shows_secret = call.contains("ROTATE_CLIENT_SECRET");
    (is_call && !shows_secret).then(|| format!("begin\n  {call};\nend;\n/\n"))
}

/// The finding that a form names, as the audit sees it now.
async fn named(signed_in: &SignedIn, fields: &Fields) -> Result<Finding, Refused> {
    let same = |finding: &Finding| {
        finding.check == fields.text("check")
            && finding.schema.as_deref().unwrap_or_default() == fields.text("schema")
            && finding.object == fields.text("object")
    };
    findings(signed_in).await?.into_iter().find(same).ok_or(Refused::NotFound)
}

async fn accept_finding(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Administer)?;
    let finding = named(&signed_in, &fields).await?;
    let reason = fields.text("reason").to_owned();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        return page(&signed_in, Some("Say in a sentence why it is accepted.")).await;
    }
    let days = fields.text("days").parse::<u32>().ok().filter(|days| (1..=ACCEPTED_DAYS_MAX).contains(days));
    let Some(days) = days else {
        return page(&signed_in, Some("A finding is accepted for 1 to 365 days.")).await;
    };
    let now_ms = signed_in.console.app().clock.now_ms();
    let acceptance = Acceptance {
        by: signed_in.user.name.clone(),
        reason,
        until_ms: now_ms + i64::from(days) * DAY_MS,
        evidence: finding.evidence.clone(),
    };
    let user = signed_in.user.id;
    tracing::info!(
        user = signed_in.user.name,
        check = finding.check,
        object = finding.object,
        until = rfc3339(acceptance.until_ms),
        "a finding was accepted"
    );
    signed_in
        .console
        .blocking(move |app| accept(app, user, &finding, &acceptance, now_ms))
        .await?
        .map_err(Refused::failed)?;
    signed_in.console.inner.findings.forget();
    Ok(see_other(&format!("{PATH}audit")))
}

async fn reopen_finding(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Administer)?;
    let finding = named(&signed_in, &fields).await?;
    signed_in.console.blocking(move |app| reopen(app, &finding)).await?.map_err(Refused::failed)?;
    signed_in.console.inner.findings.forget();
    Ok(see_other(&format!("{PATH}audit")))
}

async fn fix(signed_in: SignedIn, fields: Fields) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::Define)?;
    signed_in.may(Act::ReadLogs)?;
    let finding = named(&signed_in, &fields).await?;
    let (Some(script), Some(schema)) = (script_of(&finding), finding.schema.clone()) else {
        return Err(Refused::NotFound);
    };
    let back = format!("{PATH}audit");
    let title = format!("Fix {}", finding.object);
    let proposal = Proposal { schema, script, done: back.clone(), back, title, apply: None };
    review::propose_or_refuse(&signed_in, proposal).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_run_only_if_it_is_nothing_but_calls() {
        let finding = |fix: &str| Finding {
            severity: Severity::Notice,
            check: "x",
            schema: Some("hr".into()),
            object: "client a".into(),
            why: String::new(),
            evidence: Vec::new(),
            fix: fix.into(),
            accepted: None,
        };
        let script = |fix: &str| script_of(&finding(fix));
        assert!(script("GATEPOST.DENY_PUBLIC(p_pattern => '/open/*')").is_some());
        for fix in [
            "OAUTH.GRANT_CLIENT_ROLE('a', '…'), or OAUTH.DELETE_CLIENT('a')",
            "a shorter p_token_duration",
            "OAUTH.ROTATE_CLIENT_SECRET(p_name => 'a')",
            "give it to the application, or GATEPOST.SET_CLIENT_STATUS('a', 'DISABLED')",
        ] {
            assert_eq!(script(fix), None, "{fix}");
        }
        assert_eq!(script_of(&Finding { schema: None, ..finding("GATEPOST.X()") }), None);
    }
}
