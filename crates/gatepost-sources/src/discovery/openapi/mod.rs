//! From an OpenAPI 3 document in JSON: paths that give rows, and a source for one of them with its parameters, columns
//! and operations.

mod parameters;
mod schema;

use serde_json::{Map, Value};

use super::name::Names;
use super::{DOCUMENT_BYTES_MAX, primary_key};
use crate::definition::rows::COLUMNS_MAX;
use crate::definition::{Column, Operation, OperationMethod, Pointer, RestSource, Rows};
use crate::error::{Code, SourceError, quote};
use parameters::read_parameters;

/// A document of version 3.
#[derive(Clone, Debug)]
pub struct OpenApi {
    document: Value,
}

/// A path that gives rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiPath {
    /// As in the document, `/pets/{petId}`.
    pub path: String,
    /// What it is for, if the document says it.
    pub summary: Option<String>,
}

impl OpenApi {
    /// Reads a document.
    pub fn parse(text: &[u8]) -> Result<Self, SourceError> {
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(SourceError::new(Code::ApiTooLarge));
        }
        let document: Value = serde_json::from_slice(text).map_err(|_| {
            SourceError::new(Code::ApiNotJson).with_detail("an OpenAPI document in JSON is needed")
        })?;
        match document.get("openapi").and_then(Value::as_str) {
            Some(version) if version.starts_with("3.") => Ok(Self { document }),
            _ => Err(SourceError::new(Code::DefinitionBroken)
                .with_detail("an OpenAPI document of version 3 is needed")),
        }
    }

    /// The base URLs that the document names, absolute ones without variables.
    pub fn servers(&self) -> Vec<String> {
        let servers = self.document.get("servers").and_then(Value::as_array);
        let urls = servers.into_iter().flatten().filter_map(|server| server.get("url")?.as_str());
        urls.filter_map(|url| crate::definition::path::check_base_url("base_url", url).ok()).collect()
    }

    /// The paths whose GET gives a list of objects.
    pub fn paths(&self) -> Vec<ApiPath> {
        let paths = self.document.get("paths").and_then(Value::as_object);
        let listing = paths.into_iter().flatten().filter_map(|(path, item)| {
            let get = item.get("get")?;
            self.rows_of(get).filter(|(rows, _)| !rows.single)?;
            let summary = get.get("summary").and_then(Value::as_str).map(|text| quote(text, 200));
            Some(ApiPath { path: path.clone(), summary })
        });
        listing.collect()
    }

    /// A source for a path, not yet checked against a server, and notes. The source is checked in itself.
    pub fn source(
        &self,
        name: &str,
        server: &str,
        path: &str,
    ) -> Result<(RestSource, Vec<String>), SourceError> {
        let missing =
            || SourceError::new(Code::DefinitionBroken).with_detail("the document has no GET for this path");
        let item = self.path_item(path).ok_or_else(missing)?;
        let get = item.get("get").ok_or_else(missing)?;
        let mut notes = Vec::new();
        let mut source = RestSource::new(name, server, "");
        let (rows, row_schema) = self.rows_of(get).unwrap_or_default();
        source.rows = self.with_columns(rows, &row_schema, &mut notes);
        let found = read_parameters(&self.document, item, get, !source.rows.single, &mut notes);
        source.path = found.path(path);
        source.parameters = found.parameters;
        source.pagination = found.pagination;
        source.comments = get.get("summary").and_then(Value::as_str).map(|text| quote(text, 200));
        self.add_operations(&mut source, item, path, &mut notes);
        self.add_security(&mut notes);
        let checked = source.checked().map_err(|error| {
            SourceError::new(Code::DefinitionBroken)
                .with_detail(format!("no source can be made of it: {error}"))
        })?;
        Ok((checked, notes))
    }

    fn path_item(&self, path: &str) -> Option<&Value> {
        schema::resolve(&self.document, self.document.get("paths")?.get(path)?)
    }

    /// Where the rows are in a successful answer, and the schema of one of them.
    fn rows_of(&self, get: &Value) -> Option<(Rows, Value)> {
        let body =
            self.content(get.get("responses")?.get("200").or_else(|| get.get("responses")?.get("default"))?)?;
        if let Some(items) = schema::items(&self.document, body) {
            return Some((Rows::default(), items.clone()));
        }
        let properties = schema::properties(&self.document, body);
        let list = properties.iter().find_map(|(name, property)| {
            let items = schema::items(&self.document, property)?;
            let is_link = name == "links" || name == "_links";
            (!is_link && !schema::properties(&self.document, items).is_empty()).then(|| (name, items.clone()))
        });
        match list {
            Some((name, items)) => {
                Some((Rows { select: Pointer::of(&[name.as_str()]), ..Rows::default() }, items))
            }
            None => Some((Rows { single: true, ..Rows::default() }, body.clone())),
        }
    }

    /// The JSON schema of a request's or response's content.
    fn content<'d>(&'d self, holder: &'d Value) -> Option<&'d Value> {
        let content = schema::resolve(&self.document, holder)?.get("content")?.as_object()?;
        let is_json = |name: &str| name.starts_with("application/json") || name.contains("+json");
        let media = content.iter().find(|(name, _)| is_json(name)).map(|(_, media)| media)?;
        schema::resolve(&self.document, media.get("schema")?)
    }

    fn with_columns(&self, mut rows: Rows, row_schema: &Value, notes: &mut Vec<String>) -> Rows {
        let leaves = schema::leaves(&self.document, row_schema);
        if leaves.is_empty() {
            notes.push("The document does not say what columns the rows have.".into());
        }
        let mut names = Names::default();
        for (steps, kind) in leaves.into_iter().take(COLUMNS_MAX) {
            rows.columns.push(Column::member(&names.claim(&steps), Pointer::of(&steps), kind));
        }
        let names: Vec<&str> = rows.columns.iter().map(|column| column.name.as_str()).collect();
        rows.primary_key = primary_key::guess(&names).into_iter().collect();
        rows
    }

    /// Insert by POST on the path itself; the others on the path with one more parameter, which is the key.
    fn add_operations(&self, source: &mut RestSource, item: &Value, path: &str, notes: &mut Vec<String>) {
        if source.rows.single {
            return;
        }
        if let Some(post) = item.get("post") {
            source.operations.insert = Some(self.writing(OperationMethod::Post, "", post, source));
        }
        let Some((parameter, one)) = self.item_path(path) else { return };
        // A parameter of that name would take the column's place in the path.
        let key = key_column(source, &parameter).filter(|key| source.parameter(key).is_none());
        let Some(key) = key else {
            notes.push(format!(
                "No column was found for `{{{}}}`; operations on one row are left out.",
                quote(&parameter, 60)
            ));
            return;
        };
        if source.rows.primary_key.is_empty() {
            source.rows.primary_key = vec![key.clone()];
        }
        let below = format!("{{{key}}}");
        if one.get("get").is_some() {
            source.operations.fetch_one = Some(Operation::new(OperationMethod::Get, &below));
        }
        let update = [("put", OperationMethod::Put), ("patch", OperationMethod::Patch)];
        if let Some((method, operation)) =
            update.iter().find_map(|(word, method)| Some((*method, one.get(word)?)))
        {
            source.operations.update = Some(self.writing(method, &below, operation, source));
        }
        if one.get("delete").is_some() {
            source.operations.delete = Some(Operation::new(OperationMethod::Delete, &below));
        }
    }

    /// The path of one row: the path and one more segment, which is a parameter.
    fn item_path(&self, path: &str) -> Option<(String, &Value)> {
        let start = format!("{}/", path.trim_end_matches('/'));
        self.document.get("paths")?.as_object()?.iter().find_map(|(other, item)| {
            let inner = other.strip_prefix(&start)?.trim_end_matches('/');
            let name = inner.strip_prefix('{')?.strip_suffix('}')?;
            (!name.contains(['/', '{', '}'])).then(|| (name.to_owned(), item))
        })
    }

    /// An operation with a body of the columns that the document lists for it.
    fn writing(
        &self,
        method: OperationMethod,
        path: &str,
        operation: &Value,
        source: &RestSource,
    ) -> Operation {
        let schema = operation.get("requestBody").and_then(|body| self.content(body));
        let properties = schema.map(|schema| schema::properties(&self.document, schema)).unwrap_or_default();
        let mut body = Map::new();
        let is_read_only = |property: &Value| property.get("readOnly") == Some(&Value::Bool(true));
        for (name, _) in properties.iter().filter(|(_, property)| !is_read_only(property)) {
            let at = Pointer::of(&[name.as_str()]);
            let column = source.rows.columns.iter().find(|column| {
                matches!(&column.origin, crate::definition::ColumnOrigin::Member { at: other, .. } if *other == at)
            });
            if let Some(column) = column {
                body.insert(name.clone(), Value::String(format!("${{{}}}", column.name)));
            }
        }
        let body = (!body.is_empty()).then_some(Value::Object(body));
        Operation { body, ..Operation::new(method, path) }
    }

    /// What a caller has to show, as notes: credentials are made by people.
    fn add_security(&self, notes: &mut Vec<String>) {
        let schemes = self.document.pointer("/components/securitySchemes").and_then(Value::as_object);
        for (name, scheme) in schemes.into_iter().flatten() {
            let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
            let token_url = scheme.pointer("/flows/clientCredentials/tokenUrl").and_then(Value::as_str);
            let kind = match (text("type"), token_url) {
                ("oauth2", Some(url)) => {
                    format!("oauth2_client_credentials, token endpoint {}", quote(url, 200))
                }
                ("apiKey", _) => format!("{} `{}`", text("in"), quote(text("name"), 60)),
                ("http", _) => quote(text("scheme"), 60),
                (other, _) => quote(other, 60),
            };
            notes.push(format!("The API knows the way of signing in `{}`: {kind}.", quote(name, 60)));
        }
    }
}

/// The column that a path parameter names: by its own name, or `id` for `petId`, or the guessed key.
fn key_column(source: &RestSource, parameter: &str) -> Option<String> {
    let name = super::name::identifier(parameter);
    let short = name.rsplit('_').next().unwrap_or_default();
    let known = |name: &str| source.rows.column(name).map(|column| column.name.clone());
    known(&name).or_else(|| known(short)).or_else(|| source.rows.primary_key.first().cloned())
}
