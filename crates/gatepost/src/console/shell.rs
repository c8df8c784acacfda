//! The frame around every page: side bar, top bar, the list to jump to.

use axum::body::Body;
use gatepost_rest::definition::Schema;
use gatepost_rest::sql::Dialect;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response};
use maud::{DOCTYPE, Markup, html};

use super::signed_in::{Act, SignedIn, path};
use super::{PATH, assets, cookie, ui};
use crate::app::snapshot::Snapshot;

/// What the frame needs to know of a page.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Page<'a> {
    /// For the window's title.
    pub(super) title: &'a str,
    /// The item of the side bar: the last segment of its path, such as `services`.
    pub(super) item: &'a str,
    /// The way to here: texts with their paths; the last has none.
    pub(super) crumbs: &'a [(&'a str, &'a str)],
    /// The schema of the page, if it is of one.
    pub(super) schema: Option<&'a str>,
    /// Whether the page uses the whole width.
    pub(super) wide: bool,
    /// Whether it has an editor.
    pub(super) editor: bool,
    /// Whether it has charts.
    pub(super) chart: bool,
}

/// Items of the side bar: page, icon, label, what it takes, and whether it is a page of a schema.
type Item = (&'static str, &'static str, &'static str, Act, bool);

/// A group of the side bar with the pages that it leads to.
const GROUPS: [(&str, &[Item]); 4] = [
    (
        "Publish",
        &[
            ("services", "network", "RESTful services", Act::ReadDefinitions, true),
            ("sql", "terminal", "SQL commands", Act::Define, true),
            ("try", "send", "Try it", Act::Define, true),
            ("reference", "book-open", "API reference", Act::ReadDefinitions, true),
            ("script", "scroll-text", "Script", Act::ReadDefinitions, true),
        ],
    ),
    (
        "Secure",
        &[
            ("roles", "users", "Roles", Act::ReadDefinitions, true),
            ("privileges", "shield-check", "Privileges", Act::ReadDefinitions, true),
            ("clients", "key-round", "OAuth clients", Act::ReadDefinitions, true),
            ("access", "route", "Explain access", Act::ReadDefinitions, true),
        ],
    ),
    (
        "Consume",
        &[
            ("remote-servers", "server", "Remote servers", Act::ReadDefinitions, true),
            ("credentials", "id-card", "Web credentials", Act::ReadDefinitions, true),
            ("sources", "cable", "REST data sources", Act::ReadDefinitions, true),
        ],
    ),
    (
        "Watch",
        &[
            ("log", "activity", "Access log", Act::ReadLogs, false),
            ("usage", "chart-column", "Usage", Act::ReadLogs, false),
            ("audit", "shield-alert", "Security audit", Act::ReadLogs, false),
            ("history", "history", "History", Act::ReadDefinitions, false),
            ("users", "user-cog", "Users", Act::Administer, false),
            ("settings", "settings", "Settings", Act::ReadDefinitions, false),
        ],
    ),
];

/// A page for somebody who is signed in; for htmx only its inside.
pub(super) fn page(signed_in: &SignedIn, page: Page<'_>, body: &Markup) -> Response<Body> {
    if signed_in.partial {
        return html_response(&html! { title { (page.title) " · Gatepost" } (body) });
    }
    let snapshot = signed_in.console.app().snapshot();
    let named = page.schema.and_then(|name| snapshot.catalog.schema_by_name(name)).cloned();
    let schema = named.or_else(|| signed_in.schema(&snapshot));
    let markup = document(
        page,
        signed_in.theme,
        &html! {
            a.skip href="#main" { "Skip to content" }
            @if page.editor { a.skip href="#editor" { "Skip to editor" } }
            div.frame {
                aside.side #side { (side_bar(signed_in, &snapshot, schema.as_deref(), page)) }
                div.body {
                    (top_bar(signed_in, page))
                    main #main .main.wide[page.wide] tabindex="-1" { (body) }
                }
            }
            div.toast #toast role="status" aria-live="polite" {}
            (palette(signed_in, &snapshot, schema.as_deref()))
            (keys(schema.as_deref()))
        },
    );
    let mut response = html_response(&markup);
    if let Some(cookie) = page.schema.and_then(cookie::set_schema) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A page for somebody who is not signed in, or whose page failed: no side bar.
pub(super) fn bare(title: &str, theme: Option<&'static str>, body: &Markup) -> Markup {
    let page = Page { title, ..Page::default() };
    document(
        page,
        theme,
        &html! {
            main #main .alone {
                p.brand { img src=(assets::path("logo.svg")) width="26" height="26" alt=""; "Gatepost" }
                (body)
            }
            div.toast #toast role="status" aria-live="polite" {}
        },
    )
}

/// A page or a part of one as an answer.
pub(super) fn html_response(markup: &Markup) -> Response<Body> {
    let mut response = Response::new(Body::from(markup.0.clone()));
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A file to keep: a script, a document, a table.
pub(super) fn download(name: &str, media_type: &'static str, bytes: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(bytes.into());
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{plain}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

fn document(page: Page<'_>, theme: Option<&'static str>, body: &Markup) -> Markup {
    let asset = assets::path;
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="htmx-config" content=r#"{"includeIndicatorCSS":false,"extensions":"sse"}"#;
                title { (page.title) " · Gatepost" }
                link rel="icon" href=(asset("logo.svg")) type="image/svg+xml";
                link rel="preload" href=(asset("vendor/inter.woff2")) as="font" type="font/woff2" crossorigin;
                @if page.editor { link rel="stylesheet" href=(asset("vendor/editor.css")); }
                @if page.chart { link rel="stylesheet" href=(asset("vendor/chart.css")); }
                link rel="stylesheet" href=(asset("app.css"));
                script src=(asset("vendor/htmx.js")) defer {}
                @if page.editor { script src=(asset("vendor/editor.js")) defer {} }
                @if page.chart { script src=(asset("vendor/chart.js")) defer {} }
                script src=(asset("app.js")) defer {}
            }
            body { (body) }
        }
    }
}

fn item_path(item: &Item, schema: Option<&Schema>) -> Option<String> {
    if item.4 { Some(path(&schema?.name, item.0)) } else { Some(format!("{PATH}{}", item.0)) }
}

fn side_bar(signed_in: &SignedIn, snapshot: &Snapshot, schema: Option<&Schema>, page: Page<'_>) -> Markup {
    let current = |name: &str| (page.item == name).then_some("page");
    html! {
        a.brand href=(PATH) { img src=(assets::path("logo.svg")) width="26" height="26" alt=""; "Gatepost" }
        @if let Some(schema) = schema {
            form.schema action={ (PATH) "go" } method="get" data-autosubmit {
                input type="hidden" name="page" value=(page.item);
                label.sr for="schema" { "Schema" }
                select.in id="schema" name="schema" {
                    @for other in signed_in.schemas(snapshot) {
                        option value=(other.name) selected[other.name == schema.name] { "Schema " (other.name) }
                    }
                }
                button.btn.sm.no-script type="submit" { "Go" }
            }
        }
        nav.nav aria-label="Console" {
            ul { li { a href=(PATH) aria-current=[current("overview")] { (ui::icon("layout-dashboard")) "Overview" } } }
            @for (group, items) in GROUPS {
                @let seen: Vec<(&Item, String)> = items
                    .iter()
                    .filter(|item| signed_in.can(item.3))
                    .filter_map(|item| Some((item, item_path(item, schema)?)))
                    .collect();
                @if !seen.is_empty() {
                    h2 { (group) }
                    ul {
                        @for (item, path) in seen {
                            li { a href=(path) aria-current=[current(item.0)] {
                                (ui::icon(item.1)) (item.2)
                                @if let Some(count) = schema.and_then(|schema| count(snapshot, schema, item.0)) {
                                    span.count.num { (count) }
                                }
                            } }
                        }
                    }
                }
            }
        }
        footer { (foot(signed_in, schema)) }
    }
}

fn count(snapshot: &Snapshot, schema: &Schema, item: &str) -> Option<usize> {
    let catalog = &snapshot.catalog;
    Some(match item {
        "services" => catalog.modules_of(schema.id).count(),
        "roles" => catalog.roles_of(schema.id).count(),
        "privileges" => catalog.privileges_of(schema.id).count(),
        "clients" => catalog.clients_of(schema.id).count(),
        "remote-servers" => catalog.remote_servers_of(schema.id).count(),
        "credentials" => catalog.credentials_of(schema.id).count(),
        "sources" => catalog.rest_sources_of(schema.id).count(),
        _ => return None,
    })
}

fn foot(signed_in: &SignedIn, schema: Option<&Schema>) -> Markup {
    let app = signed_in.console.app();
    let database = schema.map(|schema| match app.dialect(&schema.name) {
        Dialect::Sqlite => "SQLite",
        Dialect::Postgres => "PostgreSQL",
    });
    let minutes = signed_in.console.up_for().as_secs() / 60;
    html! {
        @if let (Some(database), Some(schema)) = (database, schema) {
            div { span.dot {} (database) " · " (schema.name) }
        }
        div { "v" (env!("CARGO_PKG_VERSION")) " · up " (minutes / 60) " h " (minutes % 60) " min" }
    }
}

fn top_bar(signed_in: &SignedIn, page: Page<'_>) -> Markup {
    html! {
        @if signed_in.console.is_exposed() {
            p.strip role="note" { "This console is reached beyond this machine without TLS: passwords can be read on the way." }
        }
        header.top {
            button.btn.icon.ghost.burger type="button" data-menu aria-label="Menu" title="Menu" { (ui::icon("menu")) }
            nav.crumbs aria-label="Breadcrumb" {
                @for (at, (text, path)) in page.crumbs.iter().enumerate() {
                    @if at > 0 { span aria-hidden="true" { "/" } }
                    @if path.is_empty() { span aria-current="page" { (text) } } @else { a href=(path) { (text) } }
                }
            }
            span.sp {}
            button.find type="button" data-palette aria-keyshortcuts="Control+K" aria-haspopup="dialog" {
                (ui::icon("search")) span { "Search or jump to…" } kbd aria-hidden="true" { "Ctrl K" }
            }
            button.btn.icon.ghost type="button" data-theme-toggle aria-label="Switch light or dark"
                title="Switch light or dark" { (ui::icon("sun")) }
            details.person {
                summary.btn.ghost { (signed_in.user.name) (ui::icon("chevron-down")) }
                div.menu {
                    p.dim { (signed_in.user.kind.as_str()) }
                    a href={ (PATH) "me" } { (ui::icon("user")) "Your sign-ins" }
                    form action={ (PATH) "sign-out" } method="post" {
                        (signed_in.csrf_field())
                        button type="submit" { (ui::icon("log-out")) "Sign out" }
                    }
                }
            }
        }
    }
}

/// What `Ctrl+K` jumps to: pages, and the objects of the schema.
fn palette(signed_in: &SignedIn, snapshot: &Snapshot, schema: Option<&Schema>) -> Markup {
    let pages = GROUPS.iter().flat_map(|(_, items)| items.iter()).filter(|item| signed_in.can(item.3));
    let pages = pages.filter_map(|item| Some((item.1, item.2.to_owned(), item_path(item, schema)?)));
    let mut places: Vec<(&str, String, String)> = pages.collect();
    if let Some(schema) = schema {
        places.extend(objects(snapshot, schema));
    }
    html! {
        dialog.pal #palette aria-label="Search or jump to" {
            input type="search" placeholder="Jump to a page, a module, a client…" aria-label="Jump to" data-filter="#palette li";
            ul {
                @for (icon, text, path) in places { li { a href=(path) { (ui::icon(icon)) (text) } } }
            }
        }
    }
}

/// Objects named in the list to jump to.
const OBJECTS_MAX: usize = 200;

fn objects(snapshot: &Snapshot, schema: &Schema) -> Vec<(&'static str, String, String)> {
    let catalog = &snapshot.catalog;
    let place = |icon, kind: &str, page: &str, name: &str| {
        (icon, format!("{kind} {name}"), path(&schema.name, &format!("{page}/{}", ui::encode(name))))
    };
    let modules =
        catalog.modules_of(schema.id).map(|module| place("network", "Module", "services", &module.name));
    let clients =
        catalog.clients_of(schema.id).map(|client| place("key-round", "Client", "clients", &client.name));
    let privileges = catalog
        .privileges_of(schema.id)
        .map(|lock| place("shield-check", "Privilege", "privileges", &lock.name));
    let roles = catalog.roles_of(schema.id).map(|role| place("users", "Role", "roles", &role.name));
    let sources =
        catalog.rest_sources_of(schema.id).map(|source| place("cable", "Source", "sources", &source.name));
    modules.chain(clients).chain(privileges).chain(roles).chain(sources).take(OBJECTS_MAX).collect()
}

/// Keys that work on every page, and where they lead.
fn keys(schema: Option<&Schema>) -> Markup {
    let go = |page: &str| schema.map(|schema| path(&schema.name, page));
    let keys = [
        ("g s", "RESTful services", go("services")),
        ("g q", "SQL commands", go("sql")),
        ("g c", "OAuth clients", go("clients")),
        ("g t", "Try it", go("try")),
        ("g l", "Access log", Some(format!("{PATH}log"))),
    ];
    html! {
        dialog.pal #keys aria-labelledby="keys-title" {
            h2.h2.pad #keys-title { "Keys" }
            dl.kv.pad {
                dt { kbd { "Ctrl K" } } dd { "Search or jump to" }
                dt { kbd { "Ctrl Enter" } } dd { "The page's main action" }
                dt { kbd { "/" } } dd { "Filter the list" }
                dt { kbd { "Esc" } } dd { "Close, leave the editor" }
                @for (key, text, path) in keys { @if let Some(path) = path {
                    dt { kbd { (key) } } dd { a.u href=(path) data-key=(key) { (text) } }
                } }
            }
            div.pad { label.check { input type="checkbox" data-single-keys checked; span { "Keys without Ctrl" } } }
        }
    }
}
