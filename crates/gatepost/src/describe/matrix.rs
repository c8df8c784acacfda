//! Everyone and everything: which caller may call which handler, by the rules that requests are judged by.

use std::time::Instant;

use gatepost_rest::access::{Admission, Principal, Verdict};
use gatepost_rest::definition::Method;

use super::build::Builder;
use super::{Seen, published};
use crate::app::published::PublishedSchema;

/// Whether a caller gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// It does, by a privilege.
    Admitted,
    /// It does, as everybody.
    Public,
    /// It does not.
    Refused,
}

impl Cell {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Admitted => "yes",
            Self::Public => "public",
            Self::Refused => "no",
        }
    }
}

/// A handler and those who may call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The method.
    pub method: Method,
    /// The path below the alias as a URI template. Narrower locks may close some of its paths.
    pub path: String,
    /// A cell for each caller.
    pub cells: Vec<Cell>,
}

/// Which rows are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Part of the method and path, in any letter case.
    pub filter: &'a str,
    /// Only what somebody of the callers may call.
    pub open_only: bool,
    /// Rows to skip.
    pub skip: usize,
    /// Rows at most.
    pub take: usize,
}

/// The rows, and whether there are more.
pub fn matrix(schema: &PublishedSchema, callers: &[Principal<'_>], wanted: Wanted<'_>) -> (Vec<Row>, bool) {
    let builder = Builder { schema, seen: Seen::Everything, data: None, until: Instant::now() };
    let filter = wanted.filter.to_lowercase();
    let (mut rows, mut skipped, mut more) = (Vec::new(), 0, false);
    for module in published(schema, None) {
        let mut take = |method: Method, path: &str, decide: &dyn Fn(&Principal<'_>) -> Verdict| {
            if !format!("{} {path}", method.as_str()).to_lowercase().contains(&filter) {
                return true;
            }
            let cells: Vec<Cell> = callers.iter().map(|caller| cell(&decide(caller))).collect();
            if wanted.open_only && cells.iter().all(|cell| *cell == Cell::Refused) {
                return true;
            }
            if skipped < wanted.skip {
                skipped += 1;
                return true;
            }
            if rows.len() == wanted.take {
                more = true;
                return false;
            }
            rows.push(Row { method, path: path.to_owned(), cells });
            true
        };
        if !builder.each(module, &mut take) {
            break;
        }
    }
    (rows, more)
}

fn cell(verdict: &Verdict) -> Cell {
    match verdict {
        Verdict::Allow(Admission::Public { .. } | Admission::Unprotected) => Cell::Public,
        Verdict::Allow(_) => Cell::Admitted,
        Verdict::Refuse(_) => Cell::Refused,
    }
}
