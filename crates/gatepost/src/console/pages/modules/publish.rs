//! Publishing a table: a module with the list of its rows and one row by its key.

use axum::body::Body;
use gatepost_store::data::Relation;
use http::Response;
use maud::html;

use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::shell::{self, Page};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui;
use crate::script::{Script, text};

async fn relations(page: &InSchema) -> Result<Vec<Relation>, Refused> {
    let name = page.schema.name.clone();
    let found = page.console.blocking(move |app| {
        let mut session = app.data(&name)?.session()?;
        anyhow::Ok(session.relations()?)
    });
    found.await?.map_err(Refused::failed)
}

pub(super) async fn choose(page: InSchema) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let relations = relations(&page).await?;
    let table = html! {
        table.t {
            thead { tr { th scope="col" { "Table or view" } th scope="col" { "Columns" } th scope="col" { "Key" } th scope="col" { span.sr { "Actions" } } } }
            tbody { @for relation in &relations { tr {
                th scope="row" { span.mono { (relation.name) } @if relation.is_view { " " (ui::badge(ui::Tone::Plain, "", "view")) } }
                td { (ui::plural(relation.columns.len(), "column")) }
                td.mono { @if let Some(key) = relation.key() { (key.name) } @else { span.dim { "none" } } }
                td.n { form method="post" action=(page.path("define/table")) {
                    (page.csrf_field())
                    input type="hidden" name="table" value=(relation.name);
                    button.btn.sm type="submit" { "Publish" }
                } }
            } } }
        }
    };
    let body = html! {
        (ui::head("Publish a table", "A module of its own with GET for the rows and, by the key, for one of them. It is locked until a privilege or a public entry opens it.", &html! {}))
        section.card aria-label="Tables and views" {
            @if relations.is_empty() {
                (ui::empty("The schema has no table yet.", &html! { a.btn href=(page.path("sql")) { "Make one in SQL commands" } }))
            } @else { (ui::scroll("Tables and views", &table)) }
        }
    };
    let list = page.path("services");
    let crumbs = [("RESTful services", list.as_str()), ("Publish a table", "")];
    let frame = Page {
        title: "Publish a table",
        item: "services",
        crumbs: &crumbs,
        schema: Some(&page.schema.name),
        ..Page::default()
    };
    Ok(shell::page(&page, frame, &body))
}

pub(super) async fn propose(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let relations = relations(&page).await?;
    let wanted = fields.text("table");
    let relation = relations.iter().find(|relation| relation.name == wanted).ok_or(Refused::NotFound)?;
    let segment: String = relation
        .name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' })
        .collect();
    let mut script = Script::default();
    let mut define = |pattern: &str, source_type: &str, source: String| {
        script
            .call("ords.define_template", &[("p_module_name", text(&segment)), ("p_pattern", text(pattern))]);
        script.call(
            "ords.define_handler",
            &[
                ("p_module_name", text(&segment)),
                ("p_pattern", text(pattern)),
                ("p_method", text("GET")),
                ("p_source_type", text(source_type)),
                ("p_source", text(&source)),
            ],
        );
    };
    define("", "json/collection", relation.list_query());
    if let Some(query) = relation.item_query() {
        define(":key", "json/item", query);
    }
    let mut whole = Script::default();
    whole.call(
        "ords.define_module",
        &[("p_module_name", text(&segment)), ("p_base_path", text(&format!("/{segment}/")))],
    );
    whole.append(&script);
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: whole.into_block(),
        done: super::path_of(&page, &segment, "", ""),
        back: page.path("define/table"),
        title: format!("Publish {}", relation.name),
        apply: None,
    };
    review::propose_or_refuse(&page, proposal).await
}
