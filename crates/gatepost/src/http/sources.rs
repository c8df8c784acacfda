//! `{alias}/sources/{name}/`: rows of a REST source, for callers whom a privilege admits. What callers are told of a
//! failure is its code and a sentence; where and why is logged under the reference number.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use gatepost_rest::path::PathTail;
use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{CacheScope, ColumnType, RestSource};
use gatepost_sources::error::{Code as SourceCode, SourceError, Stage};
use gatepost_sources::filter::{Filter, FilterOperator, Sort, Wanted};
use gatepost_sources::paging::Window;
use gatepost_sources::rows::members;
use gatepost_store::data::ScratchColumn;
use http::Response;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::authenticate::Caller;
use super::rest::Served;
use super::{query_string, respond, source_operations};
use crate::app::remote_rows::Asker;
use crate::app::source_sql;
use crate::app::sources::{RowsWanted, SourceRows};
use crate::error::{Code, Failure};
use crate::outbound::{HOP_HEADER, HOPS_MAX};

/// Rows of an answer when the caller does not say how many.
const LIMIT_USUAL: u64 = 25;

/// What a path below `sources/` names.
pub(super) struct Target<'a> {
    /// The source.
    pub(super) source: Arc<RestSource>,
    /// The key of one of its rows.
    pub(super) key: Option<&'a str>,
}

/// The source that a path names, if it names one that is there, and one row of it, if it has operations on one.
pub(super) fn find<'a>(served: &Served<'_>, tail: PathTail<'a>) -> Option<Target<'a>> {
    let (name, key) = match tail.segments {
        [first, name] if first.as_ref() == "sources" => (name, None),
        [first, name, key] if first.as_ref() == "sources" => (name, Some(key.as_ref())),
        _ => return None,
    };
    let source = served.app.rest_source(served.schema.schema.id, name.as_ref())?;
    let exists = key.is_none() || !source_operations::allow(&source, key).is_empty();
    exists.then_some(Target { source, key })
}

/// Answers with rows. The caller was admitted already.
pub(super) async fn rows(
    served: &Served<'_>,
    source: &Arc<RestSource>,
    head: &Parts,
    caller: &Caller,
) -> Result<Response<Body>, Failure> {
    let mut asked = Asked::read(served, source, head)?;
    let Asker { hops, caller, fresh } = asker(&head.headers, caller)?;
    (asked.wanted.caller, asked.wanted.fresh) = (caller.map(str::to_owned), fresh);
    let ready = served.app.ready_source(source, hops).map_err(|error| told(&error))?;
    let rows = served.app.source_rows(ready, &asked.wanted).await.map_err(|error| told(&error))?;
    let mut response = if asked.csv {
        Response::new(Body::from(csv(&rows)))
    } else {
        Response::new(Body::from(collection(served, source, &asked, &rows, head.uri.query())))
    };
    let kind = if asked.csv { "text/csv; charset=utf-8; header=present" } else { "application/json" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if source.cache.scope != CacheScope::Off {
        headers.insert(header::AGE, HeaderValue::from(rows.age.as_secs()));
    }
    respond::protect(headers);
    Ok(response)
}

/// Who asks for rows, and whether those that are kept will do (RFC 9111 section 5.2.1.4).
pub(super) fn asker<'a>(headers: &HeaderMap, caller: &'a Caller) -> Result<Asker<'a>, Failure> {
    let directives = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let fresh = directives.flat_map(|value| value.split(',')).any(|directive| {
        ["no-cache", "no-store"].iter().any(|word| directive.trim().eq_ignore_ascii_case(word))
    });
    Ok(Asker { hops: hops(headers)?, caller: caller.user(), fresh })
}

/// Through how many installations a request has come.
pub(super) fn hops(headers: &HeaderMap) -> Result<u8, Failure> {
    let Some(value) = headers.get(HOP_HEADER) else { return Ok(0) };
    let hops = value.to_str().ok().and_then(|text| text.parse::<u8>().ok());
    match hops {
        Some(hops) if hops <= HOPS_MAX => Ok(hops),
        _ => Err(Failure::new(Code::BadHeader, "Gatepost-Hop is a small number")),
    }
}

/// What the query string asks for.
struct Asked {
    wanted: RowsWanted,
    limit: u64,
    csv: bool,
}

impl Asked {
    fn read(served: &Served<'_>, source: &RestSource, head: &Parts) -> Result<Self, Failure> {
        let most = u64::from(served.app.config.limits.rows);
        let (mut limit, mut offset, mut format, mut wanted) = (None, None, None, Wanted::default());
        let mut parameters = Vec::new();
        let mut seen_q = false;
        for (name, value) in query_string::pairs(head.uri.query())? {
            match name.as_ref() {
                "limit" => once(&mut limit, number("limit", &value)?, "limit")?,
                "offset" => once(&mut offset, number("offset", &value)?, "offset")?,
                "format" => once(&mut format, value.into_owned(), "format")?,
                "q" if seen_q => return Err(twice("q")),
                "q" => {
                    seen_q = true;
                    wanted = read_q(source, &value).map_err(|rule| bad(format!("q: {rule}")))?;
                }
                _ => parameters.push((name.into_owned(), value.into_owned())),
            }
        }
        let accepts = head.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let csv = match format.as_deref() {
            None => accepts.is_some_and(|accepts| accepts.trim_start().starts_with("text/csv")),
            Some("csv") => true,
            Some("json") => false,
            Some(_) => return Err(bad("format is json or csv".into())),
        };
        let limit = limit.unwrap_or(if csv { most } else { LIMIT_USUAL }).clamp(1, most);
        wanted.window = Window { offset: offset.unwrap_or(0), limit: Some(limit) };
        Ok(Self { wanted: RowsWanted { parameters, rows: wanted, ..RowsWanted::default() }, limit, csv })
    }
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), Failure> {
    if place.replace(value).is_some() { Err(twice(name)) } else { Ok(()) }
}

fn twice(name: &str) -> Failure {
    bad(format!("{name} is given twice"))
}

fn number(name: &str, text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| bad(format!("{name} is a whole number")))
}

fn bad(detail: String) -> Failure {
    Failure::new(Code::BadParameter, detail)
}

/// Reads a filter object of ORDS: `{"ename": "KING", "sal": {"$gt": 1000}, "$orderby": {"sal": "desc"}}`.
fn read_q(source: &RestSource, text: &str) -> Result<Wanted, String> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| "this is no JSON object".to_owned())?;
    let columns = source_sql::columns(&source.rows).map_err(|_| "the source is broken".to_owned())?;
    let mut wanted = Wanted::default();
    for (name, value) in members(raw).ok_or("this is no JSON object")? {
        if name == "$orderby" {
            let order = members(value).ok_or("$orderby is an object of columns")?;
            for (column, direction) in order {
                wanted.sort.push(read_sort(&columns, &column, direction)?);
            }
            continue;
        }
        let kind = kind_of(&columns, &name)?;
        match members(value) {
            Some(conditions) if kind != Some(ColumnType::Json) => {
                for (operator, operand) in conditions {
                    wanted.filters.push(read_condition(&name, kind, &operator, operand)?);
                }
            }
            _ => wanted.filters.push(read_condition(&name, kind, "$eq", value)?),
        }
    }
    Ok(wanted)
}

/// The type of a column; none if only its values tell.
fn kind_of(columns: &[ScratchColumn], name: &str) -> Result<Option<ColumnType>, String> {
    let column = columns.iter().find(|(column, _)| column == name);
    column.map(|(_, kind)| *kind).ok_or_else(|| format!("there is no column `{name}`"))
}

fn read_sort(columns: &[ScratchColumn], column: &str, direction: &RawValue) -> Result<Sort, String> {
    kind_of(columns, column)?;
    let descending = match direction.get().trim_matches('"').to_ascii_lowercase().as_str() {
        "asc" | "1" => false,
        "desc" | "-1" => true,
        _ => return Err(format!("the order of `{column}` is asc or desc")),
    };
    Ok(Sort { column: column.to_owned(), descending })
}

fn read_condition(
    column: &str,
    kind: Option<ColumnType>,
    operator: &str,
    operand: &RawValue,
) -> Result<Filter, String> {
    let kind = kind.unwrap_or(match operand.get().as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => ColumnType::Decimal,
        _ => ColumnType::Text,
    });
    let operator = match operator {
        "$eq" => FilterOperator::Equal,
        "$ne" => FilterOperator::NotEqual,
        "$lt" => FilterOperator::Less,
        "$lte" => FilterOperator::AtMost,
        "$gt" => FilterOperator::Greater,
        "$gte" => FilterOperator::AtLeast,
        "$instr" => FilterOperator::Contains,
        "$null" => FilterOperator::IsNull,
        "$notnull" => FilterOperator::IsNotNull,
        other => return Err(format!("there is no operator `{other}`")),
    };
    let about_null = matches!(operator, FilterOperator::IsNull | FilterOperator::IsNotNull);
    let kind = if operator == FilterOperator::Contains { ColumnType::Text } else { kind };
    let value = if about_null {
        Datum::Null
    } else {
        Datum::from_json(kind, operand)
            .map_err(|_| format!("the value for `{column}` is not of type {}", kind.as_str()))?
    };
    Ok(Filter { column: column.to_owned(), operator, value })
}

/// The rows as ORDS writes a collection, members in the order of the columns, and `truncated` with the limit that was
/// reached, if one was.
fn collection(
    served: &Served<'_>,
    source: &RestSource,
    asked: &Asked,
    rows: &SourceRows,
    query: Option<&str>,
) -> String {
    let names: Vec<String> =
        rows.columns.iter().map(|(name, _)| Value::from(name.as_str()).to_string()).collect();
    let item = |row: &Vec<Datum>| {
        let members = names.iter().zip(row).map(|(name, datum)| format!("{name}:{}", datum.to_json()));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let items: Vec<String> = rows.rows.iter().map(item).collect();
    let base = format!("{}/sources/{}/", served.schema.issuer, source.name);
    let (limit, offset) = (asked.limit, asked.wanted.rows.window.offset);
    let mut links = vec![link("self", &base, query, None, None), link("first", &base, query, Some(0), None)];
    if rows.has_more && rows.facts.truncated.is_none() {
        links.push(link("next", &base, query, Some(offset + limit), Some(limit)));
    }
    if offset > 0 {
        links.push(link("prev", &base, query, Some(offset.saturating_sub(limit)), Some(limit)));
    }
    let truncated =
        rows.facts.truncated.map_or(String::new(), |limit| format!(",\"truncated\":\"{}\"", limit.as_str()));
    format!(
        "{{\"items\":[{}],\"hasMore\":{},\"limit\":{limit},\"offset\":{offset},\"count\":{},\"links\":{}{truncated}}}",
        items.join(","),
        rows.has_more,
        rows.rows.len(),
        Value::from(links),
    )
}

/// A link with the caller's own parameters and another window.
fn link(rel: &str, base: &str, query: Option<&str>, offset: Option<u64>, limit: Option<u64>) -> Value {
    let mut pairs: Vec<String> = Vec::new();
    for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        let replaced = (name == "offset" && offset.is_some()) || (name == "limit" && limit.is_some());
        if !replaced {
            pairs.push(pair.to_owned());
        }
    }
    pairs.extend(offset.filter(|offset| *offset > 0).map(|offset| format!("offset={offset}")));
    pairs.extend(limit.map(|limit| format!("limit={limit}")));
    let href = if pairs.is_empty() { base.to_owned() } else { format!("{base}?{}", pairs.join("&")) };
    json!({ "rel": rel, "href": href })
}

/// RFC 4180 with a header line.
fn csv(rows: &SourceRows) -> Bytes {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let mut text = rows.columns.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(",");
    text.push_str("\r\n");
    for row in &rows.rows {
        let cells: Vec<_> = row.iter().map(|datum| quoted(datum.plain().unwrap_or_default())).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text.into()
}

/// What a caller is told: the code and its sentence. The rest is the cause.
pub(super) fn told(error: &SourceError) -> Failure {
    let code = match (error.code, error.code.stage()) {
        (_, Stage::Parameters) => Code::BadParameter,
        (SourceCode::ApiTimeout | SourceCode::TokenTimeout | SourceCode::ConnectTimeout, _) => {
            Code::SourceTimeout
        }
        _ => Code::SourceFailed,
    };
    let detail = match (code, &error.detail) {
        // What the caller sent is not a secret to the caller.
        (Code::BadParameter, Some(detail)) => format!("{error} ({detail})"),
        _ => error.to_string(),
    };
    Failure::new(code, detail).because(cause(error))
}

/// What the owner is told of a failure.
pub(super) fn cause(error: &SourceError) -> String {
    let mut cause = error.code.to_string();
    for (name, value) in [
        ("host", error.host.clone()),
        ("status", error.status.map(|status| status.to_string())),
        ("after ms", error.elapsed_ms.map(|ms| ms.to_string())),
        ("detail", error.detail.clone()),
    ] {
        if let Some(value) = value {
            let _ = write!(cause, "; {name} {value}");
        }
    }
    cause
}
