//! Fills a file of logs with generated requests of the last 24 hours, for measurements:
//! `cargo run --release -p gatepost-store --example fill_logs -- FILE REQUESTS HANDLERS NOW_MS [SCHEMA]`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use gatepost_store::logs::{AccessRecord, AuditRecord, DAY_MS, LogLimits, LogStore};

/// Records between two waits, fewer than the queue holds.
const PART: i64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, requests, handlers, now_ms, rest @ ..] = arguments.as_slice() else {
        return Err("give FILE REQUESTS HANDLERS NOW_MS [SCHEMA]".into());
    };
    let (requests, handlers, now_ms) =
        (requests.parse::<i64>()?, handlers.parse::<u64>()?, now_ms.parse::<i64>()?);
    let schema: Arc<str> = rest.first().map_or("hr", String::as_str).into();
    let limits = LogLimits { age_days: 365, size_bytes: 1 << 40 };
    let logs = LogStore::open(Path::new(file), limits)?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for number in 0..requests {
        let at_ms = now_ms - DAY_MS + number * DAY_MS / requests.max(1);
        logs.note_access(request(&mut random, number, at_ms, handlers.max(1), &schema));
        if number % 997 == 0 {
            logs.note_audit(token(at_ms, &schema));
        }
        if number % PART == PART - 1 {
            logs.flush();
        }
    }
    logs.flush();
    Ok(())
}

fn request(random: &mut Random, number: i64, at_ms: i64, handlers: u64, schema: &Arc<str>) -> AccessRecord {
    let (status, outcome, reason) = match random.below(1_000) {
        0..20 => (401, "refused", "no token"),
        20..35 => (403, "refused", "missing role"),
        35..45 => (404, "refused", "not found"),
        45..47 => (500, "failed", "statement failed"),
        _ => (200, "allowed", "role"),
    };
    let client = (status != 401).then(|| format!("client_{}", random.below(5)).into());
    // A few handlers get most of the requests.
    let handler = random.below(handlers).min(random.below(handlers)).min(random.below(handlers));
    AccessRecord {
        at_ms,
        request_id: format!("0000feed-{number:x}"),
        address: std::net::IpAddr::from([10, 0, 0, random.below(200) as u8]),
        method: http::Method::GET,
        path: format!("/ords/{schema}/bulk/h{handler}/{}", random.below(5_000)),
        schema: Some(Arc::clone(schema)),
        route: Some(format!("bulk h{handler}/:id").into()),
        client,
        status,
        outcome,
        reason: reason.into(),
        duration_us: 300 + random.below(1_000) as i64 * random.below(20) as i64,
    }
}

fn token(at_ms: i64, schema: &Arc<str>) -> AuditRecord {
    AuditRecord {
        at_ms,
        event: "token issued",
        outcome: "success",
        reason: "ok",
        schema: Some(schema.to_string()),
        client: Some("client_0".into()),
        ..AuditRecord::default()
    }
}

/// Numbers that look random and are the same each time (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
