//! What surrounds the rows: windows, links, member names.

use std::io::Write as _;

use crate::settings;

/// The member names of a row, ready to be written.
pub(crate) const KEYS: [&str; 8] = [
    "\"empno\":",
    "\"ename\":",
    "\"job\":",
    "\"mgr\":",
    "\"hiredate\":",
    "\"sal\":",
    "\"comm\":",
    "\"deptno\":",
];

/// The part of a collection that is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    asked: Option<u32>,
    pub(crate) offset: u32,
}

impl Window {
    /// Reads `limit` and `offset`.
    pub(crate) fn parse(query: &str) -> Self {
        let mut window = Self { asked: None, offset: 0 };
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("limit", text)) => window.asked = text.parse().ok(),
                Some(("offset", text)) => window.offset = text.parse().unwrap_or(0),
                _ => {}
            }
        }
        window
    }

    pub(crate) fn limit(self) -> u32 {
        self.asked.unwrap_or(25)
    }

    /// Writes what follows the rows.
    pub(crate) fn end(self, out: &mut Vec<u8>, count: u32, more: bool) {
        let (base_url, offset, limit) = (settings().base_url.as_str(), self.offset, self.limit());
        let kept = self.asked.map(|limit| format!("limit={limit}"));
        let (first, then) = match &kept {
            Some(kept) => (format!("?{kept}"), format!("&{kept}")),
            None => (String::new(), String::new()),
        };
        let _ = write!(
            out,
            "],\"hasMore\":{more},\"limit\":{limit},\"offset\":{offset},\"count\":{count},\"links\":[\
             {{\"rel\":\"self\",\"href\":\"{base_url}/hr/employees/\"}},\
             {{\"rel\":\"describedby\",\"href\":\"{base_url}/metadata-catalog/hr/\"}},\
             {{\"rel\":\"first\",\"href\":\"{base_url}/hr/employees/{first}\"}}",
        );
        if more {
            let next = offset + limit;
            let _ = write!(
                out,
                ",{{\"rel\":\"next\",\"href\":\"{base_url}/hr/employees/?offset={next}{then}\"}}"
            );
        }
        if offset > 0 {
            let before = offset.saturating_sub(limit);
            let _ = write!(
                out,
                ",{{\"rel\":\"prev\",\"href\":\"{base_url}/hr/employees/?offset={before}{then}\"}}"
            );
        }
        out.extend_from_slice(b"]}");
    }
}

/// Ends a row of a collection.
pub(crate) fn end_row(out: &mut Vec<u8>, id: i64) {
    let base_url = settings().base_url.as_str();
    let _ = write!(out, ",\"links\":[{{\"rel\":\"self\",\"href\":\"{base_url}/hr/employees/{id}\"}}]}}");
}

/// Ends an item.
pub(crate) fn end_item(out: &mut Vec<u8>) {
    let base_url = settings().base_url.as_str();
    let _ = write!(out, ",\"links\":[{{\"rel\":\"collection\",\"href\":\"{base_url}/hr/employees/\"}}]}}");
}
