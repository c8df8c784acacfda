//! The request for a page of rows or for an operation: what of it comes from the definition and the caller's values,
//! what the paginator adds, and both together with the base URL.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use url::Url;

use crate::address;
use crate::definition::{FetchMethod, Operation, OperationMethod, Parameter, ParameterLocation, RestSource};
use crate::error::{Code, SourceError};
use crate::paging::PageRequest;
use crate::signing::Signature;
use crate::template::{Values, fill_body, fill_text, operation_parameters, put};

/// A request without base URL, page and credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestParts {
    /// The method.
    pub method: Method,
    /// The path below the base URL, filled and escaped.
    pub path: String,
    /// Query parameters, decoded.
    pub query: Vec<(String, String)>,
    /// Headers of parameters, and `Accept`.
    pub headers: HeaderMap,
    /// The JSON body.
    pub body: Option<Value>,
}

/// A complete request but for the credential. Headers and query may hold what callers gave; log it redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
}

/// The request that fetches a source's rows, by values that [`Values::read`] gave for all of its parameters.
pub fn fetch_request(source: &RestSource, values: &Values) -> Result<RequestParts, SourceError> {
    let parameters: Vec<&Parameter> = source.parameters.iter().collect();
    let method = match source.method {
        FetchMethod::Get => Method::GET,
        FetchMethod::Post => Method::POST,
    };
    parts(method, &source.path, source.body.as_ref(), &parameters, values)
}

/// The request of an operation, by values of [`operation_parameters`] and of the row's columns.
pub fn operation_request(
    source: &RestSource,
    operation: &Operation,
    values: &Values,
) -> Result<RequestParts, SourceError> {
    let method = match operation.method {
        OperationMethod::Get => Method::GET,
        OperationMethod::Post => Method::POST,
        OperationMethod::Put => Method::PUT,
        OperationMethod::Patch => Method::PATCH,
        OperationMethod::Delete => Method::DELETE,
    };
    let path = address::append(&source.path, &operation.path);
    parts(method, &path, operation.body.as_ref(), &operation_parameters(source, operation), values)
}

/// Puts parts, page and base URL together. A page that is a URL of its own replaces path and query.
pub fn compose(base_url: &str, parts: &RequestParts, page: &PageRequest) -> Result<ApiRequest, SourceError> {
    let url = if let Some(url) = &page.url {
        url.clone()
    } else {
        let query: Vec<_> = parts.query.iter().chain(&page.query).cloned().collect();
        address::request_url(base_url, &parts.path, &query)?
    };
    let mut headers = parts.headers.clone();
    for (name, value) in &page.headers {
        let (name, value) = header(name, value)?;
        headers.insert(name, value);
    }
    let mut body = parts.body.clone();
    for (at, value) in &page.body {
        put(body.get_or_insert_with(|| Value::Object(Map::new())), at, value.clone())?;
    }
    if body.is_some() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let body = body.map(|body| Bytes::from(body.to_string()));
    Ok(ApiRequest { method: parts.method.clone(), url, headers, body })
}

impl ApiRequest {
    /// Puts a credential on the request. A query parameter of that name that is there already goes.
    pub fn sign(&mut self, signature: &Signature) {
        match signature {
            Signature::Header(name, value) => {
                self.headers.insert(name.clone(), value.clone());
            }
            Signature::Query(name, secret) => {
                use secrecy::ExposeSecret as _;
                let others = self.url.query_pairs().filter(|(other, _)| other != name);
                let others: Vec<_> =
                    others.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
                let mut pairs = self.url.query_pairs_mut();
                pairs.clear().extend_pairs(others).append_pair(name, secret.expose_secret());
            }
        }
    }
}

fn parts(
    method: Method,
    path: &str,
    body: Option<&Value>,
    parameters: &[&Parameter],
    values: &Values,
) -> Result<RequestParts, SourceError> {
    let path = address::fill_path(path, |name| values.find(name).plain())?;
    let mut query = Vec::new();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // A parameter that says so, and a column that the caller did not give.
    let omitted = |name: &str| match parameters.iter().find(|it| it.name == name) {
        Some(parameter) => parameter.omit_when_null && values.find(name).is_null(),
        None => !values.has(name),
    };
    let mut filled = body.map(|body| fill_body(body, values, &omitted)).transpose()?;
    for parameter in parameters.iter().filter(|it| !omitted(&it.name)) {
        let wire_name = parameter.wire_name();
        match parameter.location {
            ParameterLocation::Path => {}
            ParameterLocation::Query => query.push((wire_name.to_owned(), wire_text(parameter, values)?)),
            ParameterLocation::Header => {
                let (name, value) = header(wire_name, &wire_text(parameter, values)?)?;
                headers.insert(name, value);
            }
            ParameterLocation::Body if is_named_in(body, &parameter.name) => {}
            ParameterLocation::Body => {
                let value = wire_value(parameter, values)?;
                put(filled.get_or_insert_with(|| Value::Object(Map::new())), wire_name, value)?;
            }
        }
    }
    Ok(RequestParts { method, path, query, headers, body: filled })
}

/// A body parameter that the body's template names has its place there.
fn is_named_in(body: Option<&Value>, name: &str) -> bool {
    let names = body.and_then(|body| crate::template::references_of_body(body).ok());
    names.is_some_and(|names| names.contains(&name))
}

/// The text of a parameter in the query or a header; NULL is empty.
fn wire_text(parameter: &Parameter, values: &Values) -> Result<String, SourceError> {
    match &parameter.template {
        Some(template) => fill_text(template, values),
        None => Ok(values.find(&parameter.name).plain().unwrap_or_default().to_owned()),
    }
}

/// The value of a parameter in the body: JSON; of a template, the JSON that it makes, else its text.
fn wire_value(parameter: &Parameter, values: &Values) -> Result<Value, SourceError> {
    match &parameter.template {
        Some(template) => {
            let text = fill_text(template, values)?;
            Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
        }
        None => Ok(values.find(&parameter.name).to_json()),
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), SourceError> {
    if crate::definition::wire::check_settable_header("send", name).is_err() {
        let detail = format!("header `{name}` cannot be set");
        return Err(SourceError::new(Code::DefinitionBroken).with_detail(detail));
    }
    // Bytes beyond ASCII are read differently by each server.
    let value = HeaderValue::from_str(value).ok().filter(|value| value.to_str().is_ok());
    let parsed = HeaderName::try_from(name).ok().zip(value);
    parsed.ok_or_else(|| {
        let detail = format!("the value of header `{name}` has characters that no header can have");
        SourceError::new(Code::ParameterInvalid).with_detail(detail)
    })
}

#[cfg(test)]
mod tests;
