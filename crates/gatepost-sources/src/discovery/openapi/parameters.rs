//! Parameters of an OpenAPI operation: those that page, and those that callers give.

use serde_json::Value;

use super::schema::{column_type, resolve};
use crate::definition::pagination::PAGE_SIZE_MAX;
use crate::definition::parameter::RESERVED_NAMES;
use crate::definition::wire::{check_settable_header, is_secret_name};
use crate::definition::{
    ColumnType, OffsetPaging, PagePaging, Pagination, Parameter, ParameterLocation, Placement,
};
use crate::discovery::name::Names;
use crate::error::quote;

const OFFSETS: [&str; 3] = ["offset", "skip", "start"];
const PAGES: [&str; 3] = ["page", "page_number", "pageNumber"];
const SIZES: [&str; 7] = ["limit", "per_page", "perPage", "page_size", "pageSize", "size", "top"];
const PAGE_SIZE: u32 = 100;

/// What the parameters of an operation become.
pub(super) struct Found {
    pub(super) parameters: Vec<Parameter>,
    pub(super) pagination: Pagination,
    /// Names in the document's path and ours.
    path_names: Vec<(String, String)>,
}

impl Found {
    /// The document's path with our names of parameters.
    pub(super) fn path(&self, path: &str) -> String {
        let renamed = self.path_names.iter().fold(path.to_owned(), |path, (wire_name, name)| {
            path.replace(&format!("{{{wire_name}}}"), &format!("{{{name}}}"))
        });
        renamed.trim_start_matches('/').to_owned()
    }
}

pub(super) fn read_parameters(
    document: &Value,
    item: &Value,
    get: &Value,
    pages: bool,
    notes: &mut Vec<String>,
) -> Found {
    let declared = declared(document, item, get);
    let pagination = if pages { paginator(&declared) } else { Pagination::None };
    let sent: Vec<String> = pagination.sent_names().into_iter().map(|(_, name)| name.to_owned()).collect();
    let mut found = Found { parameters: Vec::new(), pagination, path_names: Vec::new() };
    let mut names = Names::default();
    names.reserve(RESERVED_NAMES);
    for parameter in &declared {
        let location = match parameter.location {
            "path" => ParameterLocation::Path,
            "query" if sent.iter().any(|name| name == parameter.name) => continue,
            "query" if is_secret_name(parameter.name) => {
                notes.push(format!("`{}` looks like a secret; use a credential.", quote(parameter.name, 60)));
                continue;
            }
            "query" => ParameterLocation::Query,
            "header"
                if check_settable_header("send", parameter.name).is_ok()
                    && !is_secret_name(parameter.name) =>
            {
                ParameterLocation::Header
            }
            _ => {
                notes.push(format!(
                    "`{}` in {} is left out.",
                    quote(parameter.name, 60),
                    quote(parameter.location, 20)
                ));
                continue;
            }
        };
        let name = names.claim(&[parameter.name.to_owned()]);
        if location == ParameterLocation::Path {
            found.path_names.push((parameter.name.to_owned(), name.clone()));
        }
        found.parameters.push(parameter.as_parameter(&name, location));
    }
    found
}

/// A parameter as the document declares it.
struct Declared<'d> {
    name: &'d str,
    location: &'d str,
    required: bool,
    schema: Option<&'d Value>,
    description: Option<&'d str>,
}

/// Those of the path and of the operation; the operation's win.
fn declared<'d>(document: &'d Value, item: &'d Value, get: &'d Value) -> Vec<Declared<'d>> {
    let mut all: Vec<Declared<'d>> = Vec::new();
    for holder in [get, item] {
        let list = holder.get("parameters").and_then(Value::as_array).into_iter().flatten();
        for parameter in list.filter_map(|parameter| resolve(document, parameter)) {
            let text = |key: &str| parameter.get(key).and_then(Value::as_str);
            let (Some(name), Some(location)) = (text("name"), text("in")) else { continue };
            if all.iter().any(|other| other.name == name && other.location == location) {
                continue;
            }
            all.push(Declared {
                name,
                location,
                required: parameter.get("required").and_then(Value::as_bool).unwrap_or_default(),
                schema: parameter.get("schema").and_then(|schema| resolve(document, schema)),
                description: text("description"),
            });
        }
    }
    all
}

impl Declared<'_> {
    fn as_parameter(&self, name: &str, location: ParameterLocation) -> Parameter {
        let is_path = location == ParameterLocation::Path;
        let kind = self.schema.map_or(ColumnType::Text, column_type);
        let default = self.schema.and_then(|schema| schema.get("default")).filter(|default| {
            matches!(default, Value::String(_) | Value::Number(_) | Value::Bool(_))
                && crate::datum::Datum::from_literal(kind, default).is_ok()
                && kind != ColumnType::Json
        });
        let required = is_path || self.required;
        Parameter {
            send: (!is_path && name != self.name).then(|| self.name.to_owned()),
            kind,
            required,
            omit_when_null: !required,
            default: default.filter(|_| !required).cloned(),
            comments: self.description.map(|text| quote(text, 200)).filter(|text| !text.trim().is_empty()),
            ..Parameter::new(name, location)
        }
    }

    /// The size to ask for, within what the document allows.
    fn page_size(&self) -> u32 {
        let maximum = self.schema.and_then(|schema| schema.get("maximum")).and_then(Value::as_u64);
        let maximum = maximum.and_then(|maximum| u32::try_from(maximum).ok()).unwrap_or(PAGE_SIZE_MAX);
        PAGE_SIZE.min(maximum).max(1)
    }
}

/// The paginator that parameters of usual names stand for.
fn paginator(declared: &[Declared<'_>]) -> Pagination {
    let find = |names: &[&str]| declared.iter().find(|it| it.location == "query" && names.contains(&it.name));
    let size = find(&SIZES);
    if let (Some(offset), Some(size)) = (find(&OFFSETS), size) {
        return Pagination::Offset(OffsetPaging {
            offset_param: offset.name.into(),
            limit_param: Some(size.name.into()),
            page_size: size.page_size(),
            start: 0,
            placement: Placement::Query,
            has_more: None,
            total: None,
            short_page_ends: false,
        });
    }
    let Some(page) = find(&PAGES) else { return Pagination::None };
    let first = page.schema.and_then(|schema| schema.get("default")).and_then(Value::as_u64);
    Pagination::Page(PagePaging {
        page_param: page.name.into(),
        size_param: size.map(|size| size.name.into()),
        page_size: size.map(Declared::page_size),
        first: first.unwrap_or(1),
        placement: Placement::Query,
        has_more: None,
        total: None,
        total_pages: None,
        short_page_ends: false,
    })
}
