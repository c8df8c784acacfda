//! The handler: its SQL, its parameters, and how it is run once before it is saved.

use axum::body::Body;
use gatepost_rest::definition::{Method, SourceType};
use http::{Response, StatusCode};
use maud::{Markup, html};

use super::draft::{Draft, Line};
use super::tree::route;
use super::{Chosen, bench, inspector, named, path_of};
use crate::app::remote_rows;
use crate::console::Refused;
use crate::console::fields::Fields;
use crate::console::review::{self, Proposal};
use crate::console::signed_in::{Act, InSchema};
use crate::console::ui::{self, Field, Tone};
use crate::script::{Script, text};

/// Kinds of parameters, as the definitions spell them.
const KINDS: [&str; 7] = ["STRING", "INT", "DOUBLE", "BOOLEAN", "LONG", "TIMESTAMP", "RESULTSET"];

pub(super) fn page(page: &InSchema, chosen: Chosen<'_>) -> Response<Body> {
    let Some(handler) = chosen.handler else { return super::module::template_page(page, chosen) };
    show(page, chosen, &Draft::of(handler), None)
}

pub(super) async fn new(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let chosen = named(&page, &fields)?;
    if chosen.template.is_none() {
        return Err(Refused::NotFound);
    }
    Ok(show(&page, chosen, &Draft::new(chosen), None))
}

/// What is wrong with the form, and at which line of the source.
struct Problem {
    text: String,
    line: Option<u32>,
}

fn show(page: &InSchema, chosen: Chosen<'_>, draft: &Draft, problem: Option<&Problem>) -> Response<Body> {
    let (Some(module), Some(template)) = (chosen.module, chosen.template) else {
        return super::module::page(page, chosen);
    };
    let url =
        format!("{}{}{}", page.console.app().issuer(&page.schema.alias), module.base_path, template.pattern);
    let title = chosen.handler.map_or("New handler".to_owned(), |handler| route(module, template, handler));
    let editor = html! {
        div.urlbar {
            (ui::method(&draft.method))
            span.u { (url) }
            (ui::copy(&url, "Copy URL"))
            span.sp {}
            @if let Some(handler) = chosen.handler { (lock(page, &route(module, template, handler), module.published)) }
        }
        h1.sr { (title) }
        form.editor method="post" action=(page.path("define/handler")) data-guard {
            @if let Some(problem) = problem { div.pad { (ui::problem(&problem.text)) } }
            (page.csrf_field())
            input type="hidden" name="module" value=(module.name);
            input type="hidden" name="template" value=(template.pattern);
            input type="hidden" name="method" value=(chosen.handler.map_or("", |handler| handler.method.as_str()));
            (fields(draft))
            (source(draft, problem))
            (parameters(draft))
            (run_pane(page))
            (save_bar(page, chosen))
        }
        @if page.can(Act::Define) && chosen.handler.is_some() { (delete(page, chosen)) }
    };
    let inspector = html! {
        @if let Some(handler) = chosen.handler { (inspector::inspector(page, module, template, handler)) }
    };
    bench(page, chosen, &title, &editor, &inspector)
}

fn lock(page: &InSchema, route: &str, published: bool) -> Markup {
    let reach = super::reach(page);
    let public =
        reach.by_route().any(|(name, who)| name == route && who.contains(&crate::audit::reach::Who::Anybody));
    match (published, public) {
        (false, _) => ui::badge(Tone::Plain, "", "draft"),
        (true, true) => ui::badge(Tone::Warn, "lock-open", "public"),
        (true, false) => ui::badge(Tone::Good, "lock", "locked"),
    }
}

fn fields(draft: &Draft) -> Markup {
    html! {
        div.props {
            (ui::select("new_method", "Method", &draft.method, Method::ALL.map(|method| (method.as_str(), method.as_str()))))
            (ui::select("source_type", "Source type", &draft.source_type, SourceType::ALL.map(|kind| (kind.as_str(), label(kind)))))
            (Field { name: "items_per_page", label: "Rows per page", value: &draft.items_per_page, kind: "number",
                hint: "Empty: the module's", ..Field::default() })
            (Field { name: "comments", label: "Comment", value: &draft.comments, ..Field::default() })
            (Field { name: "mimes", label: "Media types accepted", value: &draft.mimes, mono: true,
                hint: "Of request bodies; empty: any", ..Field::default() })
        }
    }
}

fn label(kind: SourceType) -> &'static str {
    match kind {
        SourceType::CollectionFeed => "Collection query",
        SourceType::CollectionItem => "Collection item",
        SourceType::Query => "Query (older)",
        SourceType::QueryOneRow => "Query, one row (older)",
        SourceType::Feed => "Feed (older)",
        SourceType::CsvQuery => "CSV query",
        SourceType::Media => "Media",
        SourceType::PlSql => "Block of statements",
    }
}

fn source(draft: &Draft, problem: Option<&Problem>) -> Markup {
    let line = problem.and_then(|problem| problem.line);
    html! {
        label.sr for="source" { "Source" }
        textarea.in.area.mono #source name="source" rows="14" data-sql aria-label="Handler source" spellcheck="false"
            data-error-line=[line] { "\n" (draft.source) }
    }
}

fn parameters(draft: &Draft) -> Markup {
    let blank = Line { source: "URI".into(), kind: "STRING".into(), access: "IN".into(), ..Line::default() };
    let cell = |name: &str, value: &str, what: &str| {
        html! { input.in.mono name=(name) value=(value) aria-label=(what) autocomplete="off" spellcheck="false"; }
    };
    let choice = |name: &str, value: &str, what: &str, options: &[&str]| {
        html! { select.in name=(name) aria-label=(what) { @for option in options { option value=(option) selected[*option == value] { (option) } } } }
    };
    let table = html! {
        table.t.inputs {
            thead { tr { th scope="col" { "Name" } th scope="col" { "Bind" } th scope="col" { "From" } th scope="col" { "Type" } th scope="col" { "In or out" } } }
            tbody { @for line in draft.lines.iter().chain([&blank]) { tr {
                td { (cell("p_name", &line.name, "Name of the parameter")) }
                td { (cell("p_bind", &line.bind, "Bind")) }
                td { (choice("p_from", &line.source, "From", &["URI", "HEADER", "RESPONSE"])) }
                td { (choice("p_type", &line.kind, "Type", &KINDS)) }
                td { (choice("p_access", &line.access, "In or out", &["IN", "OUT", "INOUT"])) }
            } } }
        }
    };
    html! {
        details.part open[!draft.lines.is_empty()] {
            summary { "Parameters" @if !draft.lines.is_empty() { " " span.b { (draft.lines.len()) } } }
            p.hint.pad { "Only what needs a type or another name: every other bind is filled from path, query and body by its name. Empty the name to remove a line." }
            (ui::scroll("Parameters", &table))
        }
    }
}

fn run_pane(page: &InSchema) -> Markup {
    html! {
        @if page.can(Act::Define) {
            div.runpane {
                button.btn type="submit" formaction=(page.path("run/handler")) hx-post=(page.path("run/handler")) hx-target="#result"
                    hx-swap="innerHTML" hx-include="closest form" formnovalidate { (ui::icon("play")) "Run with…" }
                div #result aria-live="polite" {}
            }
        }
    }
}

fn save_bar(page: &InSchema, chosen: Chosen<'_>) -> Markup {
    html! {
        div.savebar {
            span data-unsaved hidden { (ui::badge(Tone::Warn, "", "Not saved")) }
            div.r {
                @if let (Some(module), Some(template), Some(handler)) = (chosen.module, chosen.template, chosen.handler) {
                    a.btn href={ (page.path("try")) "?method=" (handler.method.as_str()) "&url="
                        (ui::encode(&format!("{}{}{}", page.console.app().issuer(&page.schema.alias), module.base_path, template.pattern))) } { (ui::icon("send")) "Try it" }
                }
                @if page.can(Act::Define) {
                    button.btn.pri type="submit" data-primary { (ui::icon("file-diff")) "Review and save" }
                }
            }
        }
    }
}

fn delete(page: &InSchema, chosen: Chosen<'_>) -> Markup {
    html! {
        form.pad method="post" action=(page.path("delete/service")) {
            (page.csrf_field())
            input type="hidden" name="module" value=(chosen.module.map_or("", |module| module.name.as_str()));
            input type="hidden" name="template" value=(chosen.template.map_or("", |template| template.pattern.as_str()));
            input type="hidden" name="method" value=(chosen.handler.map_or("", |handler| handler.method.as_str()));
            button.btn.sm.danger type="submit" { (ui::icon("trash-2")) "Delete this handler" }
        }
    }
}

pub(super) async fn save(page: InSchema, fields: Fields) -> Result<Response<Body>, Refused> {
    page.may(Act::Define)?;
    let chosen = named(&page, &fields)?;
    let (Some(module), Some(template)) = (chosen.module, chosen.template) else {
        return Err(Refused::NotFound);
    };
    let draft = Draft::read(&fields);
    let handler = match draft.handler() {
        Ok(handler) => handler,
        Err(Refused::Invalid(text)) => {
            return Ok(refuse(&page, chosen, &draft, &Problem { text, line: None }));
        }
        Err(other) => return Err(other),
    };
    if let Some(problem) = not_prepared(&page, &handler).await? {
        return Ok(refuse(&page, chosen, &draft, &problem));
    }
    let mut script = Script::default();
    if let Some(before) = chosen.handler.filter(|before| before.method != handler.method) {
        let place = [
            ("p_module_name", text(&module.name)),
            ("p_pattern", text(&template.pattern)),
            ("p_method", text(before.method.as_str())),
        ];
        script.call("ords.delete_handler", &place);
    }
    script.handler(module, template, &handler);
    let method = handler.method.as_str();
    let proposal = Proposal {
        schema: page.schema.name.clone(),
        script: script.into_block(),
        done: path_of(&page, &module.name, &template.pattern, method),
        back: path_of(
            &page,
            &module.name,
            &template.pattern,
            chosen.handler.map_or("", |before| before.method.as_str()),
        ),
        title: format!("{method} {}{}", module.base_path, template.pattern),
        apply: None,
    };
    match review::propose(&page, proposal).await? {
        Ok(response) => Ok(response),
        Err(failure) => {
            let problem = Problem { text: failure.diagnostic.message.clone(), line: None };
            Ok(refuse(&page, chosen, &draft, &problem))
        }
    }
}

/// Why the handler's statements cannot be prepared, asked of compiler and database before anything is reviewed.
async fn not_prepared(
    page: &InSchema,
    handler: &gatepost_rest::definition::Handler,
) -> Result<Option<Problem>, Refused> {
    let (schema, handler) = (page.schema.clone(), handler.clone());
    page.console
        .blocking(move |app| {
            let sources: Vec<_> = app.catalog().rest_sources_of(schema.id).cloned().collect();
            let tables = remote_rows::tables(&sources);
            let compiled =
                gatepost_rest::source::compile_with(&handler, None, app.dialect(&schema.name), &tables);
            match compiled {
                Err(error) => Some(Problem { text: error.to_string(), line: Some(error.line) }),
                Ok(compiled) => {
                    let checked = app.data(&schema.name).map_err(|error| error.to_string());
                    let checked = checked.and_then(|data| data.check(&compiled).map(|_| ()));
                    checked.err().map(|text| Problem { text, line: None })
                }
            }
        })
        .await
}

fn refuse(page: &InSchema, chosen: Chosen<'_>, draft: &Draft, problem: &Problem) -> Response<Body> {
    let mut response = show(page, chosen, draft, Some(problem));
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}
