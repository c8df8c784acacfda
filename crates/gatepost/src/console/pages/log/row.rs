//! A request as a row and as a page, with the ways on from it.

use gatepost_store::logs::{AccessRecord, DAY_MS};
use maud::{Markup, html};

use crate::console::pages::figures::milliseconds;
use crate::console::signed_in::path;
use crate::console::{PATH, ui};

/// A row of a list of requests.
pub(in crate::console) fn row(id: i64, record: &AccessRecord, now_ms: i64) -> Markup {
    html! {
        tr {
            td.mono.num { a href=(details(id)) title="Details" { (clock(record.at_ms, now_ms)) } }
            td { (ui::method(record.method.as_str())) " " span.mono { (record.path) } }
            td { (client(record)) }
            td { (outcome(record)) }
            td.n { (milliseconds(record.duration_us)) }
        }
    }
}

/// The head of the list.
pub(in crate::console) fn head() -> Markup {
    html! {
        thead { tr {
            th scope="col" { "Time (UTC)" } th scope="col" { "Request" } th scope="col" { "Client" }
            th scope="col" { "Outcome" } th.n scope="col" { "ms" }
        } }
    }
}

fn details(id: i64) -> String {
    format!("{PATH}log/{id}")
}

/// The time of day, with the day if that is another one.
fn clock(at_ms: i64, now_ms: i64) -> Markup {
    let exact = jiff::Timestamp::from_millisecond(at_ms).map(|time| time.to_string()).unwrap_or_default();
    let today = at_ms.div_euclid(DAY_MS) == now_ms.div_euclid(DAY_MS);
    let from = if today { 11 } else { 5 };
    let second = exact.get(from..19).unwrap_or_default().replace('T', " ");
    html! { time datetime=(exact) title=(exact) { (second) } }
}

fn client(record: &AccessRecord) -> Markup {
    match (&record.client, &record.schema) {
        (Some(client), Some(schema)) => {
            html! { a href=(path(schema, &format!("clients/{}", ui::encode(client)))) { (client) } }
        }
        (Some(client), None) => html! { (client) },
        (None, _) => html! { span.dim { "nobody" } },
    }
}

/// The status with a sign and the reason; a refusal leads to its explanation.
pub(in crate::console) fn outcome(record: &AccessRecord) -> Markup {
    let (tone, icon) = match record.status {
        401 | 403 => (ui::Tone::Warn, "lock"),
        500.. => (ui::Tone::Bad, "circle-x"),
        400.. => (ui::Tone::Plain, "ban"),
        _ => (ui::Tone::Good, "check"),
    };
    let said = if record.status >= 400 && !record.reason.is_empty() {
        format!("{} {}", record.status, record.reason)
    } else {
        record.status.to_string()
    };
    let badge = ui::badge(tone, icon, said);
    match explanation(record) {
        Some(link) => html! { a href=(link) title="Explain" { (badge) } },
        None => badge,
    }
}

/// Where a refusal is explained.
fn explanation(record: &AccessRecord) -> Option<String> {
    matches!(record.status, 401 | 403).then(|| why(record)).flatten()
}

/// The page that explains who may make this request.
pub(super) fn why(record: &AccessRecord) -> Option<String> {
    let schema = record.schema.as_deref()?;
    let who = record.client.as_deref().unwrap_or_default();
    Some(format!(
        "{}?as={}&method={}&path={}",
        path(schema, "access"),
        ui::encode(who),
        ui::encode(record.method.as_str()),
        ui::encode(&record.path)
    ))
}

/// The page that makes this request again, as the same caller.
pub(super) fn again(record: &AccessRecord) -> Option<String> {
    let schema = record.schema.as_deref()?;
    let who = record.client.as_deref().map_or_else(|| "nobody".into(), |client| format!("client:{client}"));
    Some(format!(
        "{}?as={}&method={}&url={}",
        path(schema, "try"),
        ui::encode(&who),
        ui::encode(record.method.as_str()),
        ui::encode(&record.path)
    ))
}

/// Everything that is known of a request.
pub(super) fn facts(record: &AccessRecord, now_ms: i64) -> Markup {
    let known = |text: Option<&str>| text.unwrap_or("–").to_owned();
    html! {
        dl.kv.pad {
            dt { "Time" } dd { (ui::ago(record.at_ms, now_ms)) " · " span.mono { (crate::app::clock::rfc3339(record.at_ms)) } }
            dt { "Request" } dd { (ui::method(record.method.as_str())) " " span.mono { (record.path) } }
            dt { "Outcome" } dd { (outcome(record)) }
            dt { "Schema" } dd { (known(record.schema.as_deref())) }
            dt { "Route" } dd.mono { (known(record.route.as_deref())) }
            dt { "Client" } dd { (client(record)) }
            dt { "Address" } dd.mono { (record.address) }
            dt { "Reason" } dd { (if record.reason.is_empty() { "–" } else { &record.reason }) }
            dt { "Until the first byte" } dd { (milliseconds(record.duration_us)) " ms" }
            dt { "Reference" } dd { code.mono { (record.request_id) } " " (ui::copy(&record.request_id, "Copy the reference number")) }
        }
    }
}
