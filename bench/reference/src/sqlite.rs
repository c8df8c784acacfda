//! rusqlite in place on the worker, over one connection a thread with cached statements.

use std::cell::RefCell;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{Response, StatusCode};
use axum::routing::get;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use crate::page::{KEYS, Window, end_item, end_row};
use crate::{json, settings, status};

const ITEM: &str = "select empno, ename, job, mgr, hiredate, sal, comm, deptno from emp where empno = ?1";
const PAGE: &str =
    "select * from (select empno as \"$.id\", empno, ename, job, mgr, hiredate, sal, comm, deptno
                      from emp where (?1 is null or deptno = ?1) order by empno) limit ?2 offset ?3";

thread_local! {
    static CONNECTION: RefCell<Connection> = RefCell::new(open().expect("the database opens"));
}

pub(crate) fn routes() -> Router {
    Router::new().route("/ords/hr/hr/employees/{id}", get(item)).route("/ords/hr/hr/employees/", get(page))
}

fn open() -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&settings().database, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

async fn item(Path(id): Path<i64>) -> Response<Body> {
    let mut out = Vec::with_capacity(512);
    let found = CONNECTION.with_borrow(|connection| item_into(connection, id, &mut out));
    match found {
        Ok(true) => json(out),
        Ok(false) => status(StatusCode::NOT_FOUND),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn item_into(connection: &Connection, id: i64, out: &mut Vec<u8>) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(ITEM)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    out.push(b'{');
    members(out, row, 0)?;
    end_item(out);
    Ok(true)
}

async fn page(RawQuery(query): RawQuery) -> Response<Body> {
    let window = Window::parse(query.as_deref().unwrap_or_default());
    let mut out = Vec::with_capacity(16 * 1024);
    match CONNECTION.with_borrow(|connection| page_into(connection, window, &mut out)) {
        Ok(()) => json(out),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn page_into(connection: &Connection, window: Window, out: &mut Vec<u8>) -> rusqlite::Result<()> {
    let limit = window.limit();
    let mut statement = connection.prepare_cached(PAGE)?;
    let mut rows = statement.query((None::<i64>, limit + 1, window.offset))?;
    let (mut count, mut more) = (0, false);
    out.extend_from_slice(b"{\"items\":[");
    while let Some(row) = rows.next()? {
        if count == limit {
            more = true;
            break;
        }
        out.extend_from_slice(if count == 0 { b"{" } else { b",{" });
        count += 1;
        members(out, row, 1)?;
        end_row(out, row.get(0)?);
    }
    window.end(out, count, more);
    Ok(())
}

fn members(out: &mut Vec<u8>, row: &Row<'_>, from: usize) -> rusqlite::Result<()> {
    for (number, key) in KEYS.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        let written = match row.get_ref(from + number)? {
            ValueRef::Integer(value) => serde_json::to_writer(&mut *out, &value),
            ValueRef::Real(value) => serde_json::to_writer(&mut *out, &value),
            ValueRef::Text(text) => {
                serde_json::to_writer(&mut *out, std::str::from_utf8(text).unwrap_or_default())
            }
            ValueRef::Null | ValueRef::Blob(_) => serde_json::to_writer(&mut *out, &()),
        };
        debug_assert!(written.is_ok());
    }
    Ok(())
}
