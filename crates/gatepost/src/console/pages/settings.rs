//! What is configured: read here, changed in the operator's file, because that is where rules of the host belong.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Response;
use maud::html;

use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, SignedIn};
use crate::console::ui;
use crate::console::{Console, Refused};

pub(in crate::console) fn routes() -> Router<Console> {
    Router::new().route("/console/settings", get(show))
}

async fn show(signed_in: SignedIn) -> Result<Response<Body>, Refused> {
    signed_in.may(Act::ReadDefinitions)?;
    let app = signed_in.console.app();
    let config = &app.config;
    let now_ms = app.clock.now_ms();
    let snapshot = app.snapshot();
    let rows = [
        (
            "Network",
            vec![
                ("APIs", app.context_url.to_string()),
                ("Console", signed_in.console.url()),
                (
                    "TLS",
                    config
                        .tls
                        .certificate_file
                        .as_ref()
                        .map_or("none, plain HTTP".into(), |file| file.display().to_string()),
                ),
                ("Answers at most", format!("{} connections", config.limits.connections)),
            ],
        ),
        (
            "The lock",
            vec![
                (
                    "Without a privilege or a public entry",
                    format!("{:?}", config.access.unprotected).to_lowercase(),
                ),
                ("Access tokens live", format!("{} s", config.oauth.access_token_seconds)),
                ("Secrets made by scripts can be read for", format!("{} min", config.secrets.reveal_minutes)),
            ],
        ),
        (
            "Kept logs",
            vec![
                ("Access log", format!("{:?}", config.log.access).to_lowercase()),
                ("For", format!("{} days", config.log.days)),
                ("Up to", format!("{} MiB", config.log.size_mib)),
            ],
        ),
        (
            "Catalog",
            vec![
                (
                    "Shared by several nodes",
                    if config.catalog_is_shared() {
                        "yes, PostgreSQL".into()
                    } else {
                        "no, a SQLite file".to_owned()
                    },
                ),
                ("Revision", snapshot.catalog.revision.to_string()),
                (
                    "Clock",
                    jiff::Timestamp::from_millisecond(now_ms)
                        .map(|time| time.to_string())
                        .unwrap_or_default(),
                ),
            ],
        ),
    ];
    let problems = app.problems();
    let body = html! {
        (ui::head("Settings", "What this node runs with. The operator changes it in gatepost.toml and by variables; every key is in the reference of the configuration.", &html! {}))
        @for problem in &problems { (ui::problem(problem)) }
        div.grid.pairs {
            @for (title, facts) in rows { section.card aria-label=(title) {
                header { h2 { (title) } }
                div.pad { dl.kv { @for (name, value) in facts { dt { (name) } dd.mono { (value) } } } }
            } }
        }
    };
    let page = Page { title: "Settings", item: "settings", crumbs: &[("Settings", "")], ..Page::default() };
    Ok(shell::page(&signed_in, page, &body))
}
