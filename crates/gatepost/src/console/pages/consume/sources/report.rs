//! The rows of a source as a report: filtered, sorted, a page at a time. All of it is in the URL.

use std::sync::Arc;

use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{ColumnType, RestSource};
use gatepost_sources::error::SourceError;
use gatepost_sources::filter::{Filter, FilterOperator, Sort, Wanted};
use gatepost_sources::paging::Window;
use gatepost_sources::rows::RowReader;
use maud::{Markup, html};

use super::super::{path_of, steps};
use super::{ITEM, chart, given, parameter_fields};
use crate::app::sources::{RowsWanted, SourceRows};
use crate::console::fields::Fields;
use crate::console::signed_in::InSchema;
use crate::console::ui;

/// Rows of a page.
const PAGE_ROWS: u64 = 50;

/// Characters of a value that are shown.
const CELL_LENGTH_MAX: usize = 400;

/// The comparisons of the form.
const OPERATORS: [(&str, &str, FilterOperator); 7] = [
    ("contains", "contains", FilterOperator::Contains),
    ("eq", "is", FilterOperator::Equal),
    ("ne", "is not", FilterOperator::NotEqual),
    ("lt", "is less than", FilterOperator::Less),
    ("gt", "is greater than", FilterOperator::Greater),
    ("null", "is missing", FilterOperator::IsNull),
    ("notnull", "is there", FilterOperator::IsNotNull),
];

/// What is asked for.
struct Asked<'f> {
    fields: &'f Fields,
    here: String,
    offset: u64,
}

pub(super) async fn rows(page: &InSchema, source: &Arc<RestSource>, fields: &Fields) -> Markup {
    let columns = columns_of(source);
    let offset = fields.text("offset").parse().unwrap_or(0);
    let asked = Asked { fields, here: path_of(page, ITEM.0, &source.name), offset };
    let outcome = match asked.wanted(&columns) {
        Ok(rows) => {
            let caller = Some(format!("console {}", page.user.name));
            let wanted = RowsWanted { parameters: given(source, fields), rows, caller, fresh: false };
            fetch(page, source, &wanted).await.map_err(|error| steps::failure(&error))
        }
        Err(problem) => Err(html! { p { (problem) } }),
    };
    html! {
        div.card {
            (form(source, &asked, &columns))
            @match &outcome {
                Err(problem) => div.pad.stack role="alert" { h2.h2 { "There are no rows to show" } (problem) },
                Ok(rows) => {
                    (grid(&asked, rows))
                    (paging(&asked, rows))
                }
            }
        }
        @if let Ok(rows) = &outcome { (chart::chart(rows, fields)) }
    }
}

/// The columns that callers see. Those that SQL makes are known when rows are there.
fn columns_of(source: &RestSource) -> Vec<(String, ColumnType)> {
    RowReader::new(&source.rows).columns().map(|(name, kind)| (name.to_owned(), kind)).collect()
}

async fn fetch(
    page: &InSchema,
    source: &Arc<RestSource>,
    wanted: &RowsWanted,
) -> Result<SourceRows, SourceError> {
    let app = page.console.app();
    app.source_rows(app.ready_source(source, 0)?, wanted).await
}

impl Asked<'_> {
    fn wanted(&self, columns: &[(String, ColumnType)]) -> Result<Wanted, String> {
        let kind = |name: &str| columns.iter().find(|(column, _)| column == name).map(|(_, kind)| *kind);
        let mut filters = Vec::new();
        if let Some(column) = self.fields.get("column") {
            let kind = kind(column).ok_or_else(|| format!("There is no column {column}."))?;
            let named = OPERATORS.iter().find(|(word, ..)| *word == self.fields.text("is"));
            let operator = named.map_or(FilterOperator::Contains, |(.., operator)| *operator);
            let text = self.fields.text("value");
            let read =
                |kind| Datum::from_text(kind, text).map_err(|_| format!("{text} is no value of {column}."));
            let value = match operator {
                FilterOperator::IsNull | FilterOperator::IsNotNull => Datum::Null,
                FilterOperator::Contains => read(ColumnType::Text)?,
                _ => read(kind)?,
            };
            filters.push(Filter { column: column.to_owned(), operator, value });
        }
        let sorted = self.fields.get("sort").filter(|name| kind(name).is_some());
        let sort =
            sorted.map(|column| Sort { column: column.to_owned(), descending: self.fields.has("down") });
        let window = Window { offset: self.offset, limit: Some(PAGE_ROWS) };
        Ok(Wanted { filters, sort: sort.into_iter().collect(), window })
    }

    /// This page with some fields of the query instead.
    fn link(&self, instead: &[(&str, &str)]) -> String {
        let kept = self
            .fields
            .iter()
            .filter(|(name, value)| !value.is_empty() && !instead.iter().any(|(other, _)| other == name));
        let new = instead.iter().copied().filter(|(_, value)| !value.is_empty());
        let query: Vec<String> = kept
            .chain(new)
            .map(|(name, value)| format!("{}={}", ui::encode(name), ui::encode(value)))
            .collect();
        format!("{}?{}", self.here, query.join("&"))
    }
}

fn form(source: &RestSource, asked: &Asked<'_>, columns: &[(String, ColumnType)]) -> Markup {
    let fields = asked.fields;
    let names = columns.iter().map(|(name, _)| (name.as_str(), name.as_str()));
    html! {
        form.form method="get" action=(asked.here) {
            input type="hidden" name="tab" value="rows";
            @for name in ["sort", "down"] { @if let Some(value) = fields.get(name) { input type="hidden" name=(name) value=(value); } }
            (parameter_fields(source, fields))
            @if !columns.is_empty() { div.three {
                (ui::select("column", "Only rows where", fields.text("column"), std::iter::once(("", "(all rows)")).chain(names)))
                (ui::select("is", "Comparison", fields.text("is"), OPERATORS.iter().map(|(word, label, _)| (*word, *label))))
                (ui::Field { name: "value", label: "Value", value: fields.text("value"), ..ui::Field::default() })
            } }
            div.actions {
                button.btn.pri type="submit" data-primary { (ui::icon("search")) "Show rows" }
                @if fields.has("column") { a.btn href=(asked.link(&[("column", ""), ("value", ""), ("offset", "")])) { "All rows" } }
            }
        }
    }
}

fn grid(asked: &Asked<'_>, rows: &SourceRows) -> Markup {
    let sorted = asked.fields.text("sort");
    let down = asked.fields.has("down");
    let is_number = |kind: &ColumnType| matches!(kind, ColumnType::Integer | ColumnType::Decimal);
    let table = html! {
        table.t.dense {
            thead { tr { @for (name, kind) in &rows.columns {
                @let now = (name == sorted).then_some(if down { "descending" } else { "ascending" });
                @let turned = if name == sorted && !down { "1" } else { "" };
                th scope="col" .n[is_number(kind)] aria-sort=[now] {
                    a href=(asked.link(&[("sort", name), ("down", turned), ("offset", "")])) {
                        (name) @if now.is_some() { @if down { " ↓" } @else { " ↑" } }
                    }
                    " " small { (kind.as_str()) }
                }
            } } }
            tbody { @for row in &rows.rows { tr { @for (value, (_, kind)) in row.iter().zip(&rows.columns) {
                td .n[is_number(kind)] { @match value.plain() { Some(text) => (cut(text)), None => span.null { "null" } } }
            } } } }
        }
    };
    html! {
        @if rows.rows.is_empty() { (ui::empty("No row matches.", &html! {})) } @else { (ui::scroll("Rows", &table)) }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_LENGTH_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn paging(asked: &Asked<'_>, rows: &SourceRows) -> Markup {
    let first = asked.offset + 1;
    let before = asked.offset.saturating_sub(PAGE_ROWS).to_string();
    let after = (asked.offset + PAGE_ROWS).to_string();
    html! {
        div.pbar {
            span.dim {
                @if !rows.rows.is_empty() { "rows " (first) " to " (asked.offset + rows.rows.len() as u64) ", " }
                (ui::plural(rows.facts.requests as usize, "request")) ", " (ui::count(rows.facts.bytes)) " bytes"
                @if rows.age.as_secs() > 0 { ", kept for " (rows.age.as_secs()) " s" }
                @if rows.mismatches > 0 { ", " (rows.mismatches) " values did not fit their columns" }
                @if let Some(limit) = rows.facts.truncated { ", cut by limits." (limit.as_str()) }
            }
            div.r {
                @if asked.offset > 0 { a.btn.sm href=(asked.link(&[("offset", &before)])) { "Back" } }
                @if rows.has_more { a.btn.sm href=(asked.link(&[("offset", &after)])) { "Next" } }
            }
        }
    }
}
