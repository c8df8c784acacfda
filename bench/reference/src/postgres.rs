//! tokio-postgres over a few shared, pipelined connections: prepared statements, binary columns, JSON written here.

use std::error::Error as StdError;
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use futures_util::{TryStreamExt, pin_mut};
use serde::Deserialize;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Error, NoTls, Row, Statement};

use crate::page::{KEYS, Window, end_item, end_row};
use crate::{json, settings, status};

const ITEM: &str = "select empno, ename, job, mgr, hiredate, sal, comm, deptno from emp where empno = $1";
const PAGE: &str =
    "select * from (select empno as \"$.id\", empno, ename, job, mgr, hiredate, sal, comm, deptno
                      from emp where ($1::int is null or deptno = $1) order by empno) page limit $2 offset $3";
const INSERT: &str = "insert into emp (ename, job, mgr, hiredate, sal, comm, deptno)
                      values ($1, $2, $3, $4::text::date, $5::text::numeric, $6::text::numeric, $7) returning empno";

/// Shared by reads; more are not faster.
const READERS: usize = 2;
/// Each insert waits for the disk, so that more of them at a time help.
const WRITERS: usize = 8;

static CONNECTIONS: OnceLock<Connections> = OnceLock::new();

struct Connections {
    readers: Vec<Member>,
    writers: Vec<Member>,
    next: AtomicUsize,
}

struct Member {
    client: Client,
    item: Statement,
    page: Statement,
    insert: Statement,
}

impl Connections {
    fn of<'a>(&self, members: &'a [Member]) -> &'a Member {
        &members[self.next.fetch_add(1, Ordering::Relaxed) % members.len()]
    }

    fn reader() -> &'static Member {
        let all = CONNECTIONS.get().expect("the routes make it");
        all.of(&all.readers)
    }

    fn writer() -> &'static Member {
        let all = CONNECTIONS.get().expect("the routes make it");
        all.of(&all.writers)
    }
}

pub(crate) async fn routes() -> Router {
    let mut connections = Connections { readers: Vec::new(), writers: Vec::new(), next: AtomicUsize::new(0) };
    for _ in 0..READERS {
        connections.readers.push(connect().await.expect("the database can be reached"));
    }
    for _ in 0..WRITERS {
        connections.writers.push(connect().await.expect("the database can be reached"));
    }
    let _ = CONNECTIONS.set(connections);
    Router::new()
        .route("/ords/hr/hr/employees/{id}", get(item))
        .route("/ords/hr/hr/employees/", get(page).post(insert))
}

async fn connect() -> Result<Member, Error> {
    let (client, connection) = tokio_postgres::connect(&settings().database, NoTls).await?;
    tokio::spawn(connection);
    Ok(Member {
        item: client.prepare(ITEM).await?,
        page: client.prepare(PAGE).await?,
        insert: client.prepare(INSERT).await?,
        client,
    })
}

async fn item(Path(id): Path<i32>) -> Response<Body> {
    match item_of(id).await {
        Ok(Some(out)) => json(out),
        Ok(None) => status(StatusCode::NOT_FOUND),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

async fn item_of(id: i32) -> Result<Option<Vec<u8>>, Error> {
    let member = Connections::reader();
    let Some(row) = member.client.query_opt(&member.item, &[&id]).await? else { return Ok(None) };
    let mut out = Vec::with_capacity(512);
    out.push(b'{');
    members(&mut out, &row, 0)?;
    end_item(&mut out);
    Ok(Some(out))
}

async fn page(RawQuery(query): RawQuery) -> Response<Body> {
    match page_of(Window::parse(query.as_deref().unwrap_or_default())).await {
        Ok(out) => json(out),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

async fn page_of(window: Window) -> Result<Vec<u8>, Error> {
    let limit = window.limit();
    let member = Connections::reader();
    let parameters: [&(dyn ToSql + Sync); 3] =
        [&None::<i32>, &i64::from(limit + 1), &i64::from(window.offset)];
    let rows = member.client.query_raw(&member.page, parameters).await?;
    pin_mut!(rows);
    let mut out = Vec::with_capacity(16 * 1024);
    let (mut count, mut more) = (0, false);
    out.extend_from_slice(b"{\"items\":[");
    while let Some(row) = rows.try_next().await? {
        if count == limit {
            more = true;
            continue;
        }
        out.extend_from_slice(if count == 0 { b"{" } else { b",{" });
        count += 1;
        members(&mut out, &row, 1)?;
        end_row(&mut out, i64::from(row.try_get::<_, i32>(0)?));
    }
    window.end(&mut out, count, more);
    Ok(out)
}

/// A new employee, as the demo's handler takes one.
#[derive(Deserialize)]
struct Employee {
    ename: String,
    job: Option<String>,
    mgr: Option<i32>,
    hiredate: Option<String>,
    sal: Option<serde_json::Number>,
    comm: Option<serde_json::Number>,
    deptno: Option<i32>,
}

async fn insert(body: axum::body::Bytes) -> Response<Body> {
    let Ok(employee) = serde_json::from_slice::<Employee>(&body) else {
        return status(StatusCode::BAD_REQUEST);
    };
    let Ok(id) = insert_of(&employee).await else { return status(StatusCode::INTERNAL_SERVER_ERROR) };
    // As a handler with :forward_location answers: the row is read where callers read it.
    let Ok(Some(out)) = item_of(id).await else { return status(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = json(out);
    *response.status_mut() = StatusCode::CREATED;
    let place = format!("{}/hr/employees/{id}", settings().base_url);
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

async fn insert_of(new: &Employee) -> Result<i32, Error> {
    let member = Connections::writer();
    let digits = |number: &Option<serde_json::Number>| number.as_ref().map(ToString::to_string);
    let (sal, comm) = (digits(&new.sal), digits(&new.comm));
    let parameters: [&(dyn ToSql + Sync); 7] =
        [&new.ename, &new.job, &new.mgr, &new.hiredate, &sal, &comm, &new.deptno];
    member.client.query_one(&member.insert, &parameters).await?.try_get(0)
}

/// A column as the server sent it.
struct Raw<'a>(&'a Type, &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        // The types of a row outlive it: they are the statement's.
        Ok(Self(static_type(kind), raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn static_type(kind: &Type) -> &'static Type {
    match *kind {
        Type::INT4 => &Type::INT4,
        Type::NUMERIC => &Type::NUMERIC,
        Type::DATE => &Type::DATE,
        _ => &Type::TEXT,
    }
}

fn members(out: &mut Vec<u8>, row: &Row, from: usize) -> Result<(), Error> {
    for (number, key) in KEYS.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        match row.try_get::<_, Option<Raw<'_>>>(from + number)? {
            None => out.extend_from_slice(b"null"),
            Some(Raw(&Type::INT4, raw)) => {
                let value = i32::from_be_bytes(raw.try_into().unwrap_or_default());
                let _ = write!(out, "{value}");
            }
            Some(Raw(&Type::NUMERIC, raw)) => numeric(out, raw),
            Some(Raw(&Type::DATE, raw)) => date(out, i32::from_be_bytes(raw.try_into().unwrap_or_default())),
            Some(Raw(_, raw)) => {
                let _ = serde_json::to_writer(&mut *out, std::str::from_utf8(raw).unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// A numeric of up to some digits, as the server shows it.
fn numeric(out: &mut Vec<u8>, raw: &[u8]) {
    let word = |place: usize| i16::from_be_bytes([raw[place], raw[place + 1]]);
    let (groups, weight, negative, scale) = (word(0), word(2), word(4) != 0, word(6));
    let group = |number: i16| if (0..groups).contains(&number) { word(8 + 2 * number as usize) } else { 0 };
    if negative {
        out.push(b'-');
    }
    if weight < 0 {
        out.push(b'0');
    } else {
        let _ = write!(out, "{}", group(0));
        for number in 1..=weight {
            let _ = write!(out, "{:04}", group(number));
        }
    }
    if scale > 0 {
        out.push(b'.');
        let mut fraction = String::new();
        let mut number = weight + 1;
        while fraction.len() < scale as usize {
            fraction.push_str(&format!("{:04}", group(number)));
            number += 1;
        }
        out.extend_from_slice(&fraction.as_bytes()[..scale as usize]);
    }
}

/// Days since 2000 as a date of the Gregorian calendar.
fn date(out: &mut Vec<u8>, days: i32) {
    let days = days + 730_425; // since 0000-03-01
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let _ = write!(out, "\"{:04}-{month:02}-{day:02}\"", year + era * 400 + carry);
}
