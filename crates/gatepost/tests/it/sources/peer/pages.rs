//! Seven rows, by each of the seven paginators and their variants. No page has more than three rows, whatever is asked
//! for.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{Asked, Known, json as answer_json, status};

/// All rows.
pub(in super::super) const ROWS: usize = 7;

/// Rows of a page at most.
const PAGE: usize = 3;

pub(super) fn answer(known: &Known, name: &str, asked: &Asked) -> Response {
    let number = |name: &str| asked.number(name);
    match name {
        "none" => answer_json(Value::from(rows(0, ROWS)).to_string()),
        "ords" | "ords-links" => ords(known, name, asked),
        "offset" => {
            let start = number("skip").unwrap_or(0);
            let rows = rows(start, number("take").unwrap_or(PAGE));
            answer_json(json!({ "rows": rows, "total": ROWS }).to_string())
        }
        "offset-in-body" => {
            let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
            let start = body["skip"].as_u64().unwrap_or(0) as usize;
            let rows = rows(start, PAGE);
            answer_json(json!({ "more": start + rows.len() < ROWS, "rows": rows }).to_string())
        }
        "page" => {
            let page = number("page").unwrap_or(1).max(1);
            let rows = rows((page - 1) * PAGE, PAGE);
            answer_json(json!({ "data": rows, "pages": ROWS.div_ceil(PAGE) }).to_string())
        }
        "page-until-empty" => {
            answer_json(Value::from(rows(number("p").unwrap_or(0) * PAGE, PAGE)).to_string())
        }
        "cursor" | "cursor-in-header" => cursor(name, asked),
        "link-header" | "next-url" => linked(known, name, asked),
        _ => status(StatusCode::NOT_FOUND),
    }
}

/// Rows from a place on, no more than a page unless all are asked for.
fn rows(start: usize, count: usize) -> Vec<Value> {
    let count = if count == ROWS { ROWS } else { count.min(PAGE) };
    let numbers = (1..=ROWS).skip(start).take(count);
    numbers.map(|n| json!({ "n": n, "name": format!("row {n}") })).collect()
}

fn ords(known: &Known, name: &str, asked: &Asked) -> Response {
    let start = asked.number("offset").unwrap_or(0);
    let limit = asked.number("limit").unwrap_or(PAGE).min(PAGE);
    let rows = rows(start, limit);
    let more = start + rows.len() < ROWS;
    let href = format!("{}/pages/{name}?offset={}&limit={limit}", known.base_url, start + limit);
    let mut links = vec![json!({ "rel": "self", "href": format!("{}{}", known.base_url, asked.target) })];
    links.extend(more.then(|| json!({ "rel": "next", "href": href })));
    let mut answer = json!({ "items": rows, "links": links });
    if name == "ords" {
        let count = answer["items"].as_array().map(Vec::len);
        for (member, value) in [("hasMore", json!(more)), ("limit", json!(limit)), ("offset", json!(start))] {
            answer[member] = value;
        }
        answer["count"] = json!(count);
    }
    answer_json(answer.to_string())
}

fn cursor(name: &str, asked: &Asked) -> Response {
    let start = asked.query("after").and_then(|cursor| cursor.strip_prefix("after-")?.parse().ok());
    let start = start.unwrap_or(0);
    let rows = rows(start, PAGE);
    let end = start + rows.len();
    let next = (end < ROWS).then(|| format!("after-{end}"));
    if name == "cursor" {
        return answer_json(json!({ "result": rows, "meta": { "next": next } }).to_string());
    }
    let mut response = answer_json(Value::from(rows).to_string());
    if let Some(next) = next {
        response.headers_mut().insert("x-next", next.parse().unwrap());
    }
    response
}

fn linked(known: &Known, name: &str, asked: &Asked) -> Response {
    let start = asked.number("from").unwrap_or(0);
    let rows = rows(start, PAGE);
    let end = start + rows.len();
    if name == "next-url" {
        let next = (end < ROWS).then(|| format!("{}/pages/next-url?from={end}", known.base_url));
        return answer_json(json!({ "value": rows, "@odata.nextLink": next }).to_string());
    }
    let mut response = answer_json(Value::from(rows).to_string());
    // Relative, among others, and with a comma within.
    let next = if end < ROWS {
        format!(", </pages/link-header?a=1,2&from={end}>; title=\"a, b\"; rel=next")
    } else {
        String::new()
    };
    let links = format!("</pages/link-header>; rel=\"first\"{next}");
    response.headers_mut().insert(header::LINK, HeaderValue::try_from(links).unwrap());
    response
}
