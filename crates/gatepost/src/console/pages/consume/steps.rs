//! The steps of a test, as they were told.

use gatepost_sources::error::SourceError;
use maud::{Markup, html};

use crate::app::source_test::TestStep;
use crate::console::ui;

/// The steps, each with what was found.
pub(super) fn steps(steps: &[TestStep]) -> Markup {
    html! {
        ol.path { @for step in steps {
            li.no[step.outcome.is_err()] {
                span.k { (step.label) }
                div {
                    @match &step.outcome {
                        Ok(facts) => { b { "ok" } span.dim { " in " (step.elapsed.as_millis()) " ms" } p { (facts) } }
                        Err(error) => { b { "failed" } span.dim { " after " (step.elapsed.as_millis()) " ms" } (failure(error)) }
                    }
                    @for line in &step.lines { p.mono { (line) } }
                }
            }
        } }
    }
}

/// Why a call failed, what was found, and what to do.
pub(super) fn failure(error: &SourceError) -> Markup {
    html! {
        p { (error) }
        @if let Some(status) = error.status { p { "Status " (status) } }
        @if let Some(detail) = &error.detail { p.mono { (detail) } }
        p { (ui::icon("info")) " " (error.code.hint()) }
    }
}
