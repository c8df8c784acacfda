//! Handlers that are looked at when they are defined: their statements are described and not run.

use gatepost_rest::source::CompiledSource;

use super::connect::Connection;
use super::error::connect_error;
use super::lane::{assume, resume};
use super::pool::Pool;
use super::resolve::{self, Desk, ETAG, Origin, Part, Resolved, Unresolved, Wanted, parts, resolve};
use super::value::{described, value_type};
use super::{Shared, apart};
use crate::data::Description;

/// A statement, with what to say in front of its errors and whether its columns are the answer.
pub(super) type Place = (&'static str, Wanted, bool);

/// The statements of a source.
pub(super) fn places(source: &CompiledSource) -> Vec<Place> {
    let place = |(number, part): (usize, Part<'_>)| {
        let name = if number == ETAG { "etag query: " } else { "" };
        let shown = match part {
            Part::Rows(_) => true,
            Part::Change(_) => !source.block,
            Part::Value(_) => false,
        };
        (name, part.wanted(source), shown)
    };
    parts(source).map(place).collect()
}

/// Describes them.
pub(super) async fn describe(
    shared: &Shared,
    places: Vec<Place>,
    writes: bool,
) -> Result<Description, String> {
    let mut description = Description::default();
    for (place, wanted, shown) in places {
        let resolved = one(shared, &wanted, writes).await.map_err(|unresolved| match unresolved {
            Unresolved::Database(error) => format!("{place}{}", resolve::explain(&error, &wanted)),
            Unresolved::Own(error) => format!("{place}{error}"),
        })?;
        for (origin, kind) in resolved.origins.iter().zip(&resolved.types) {
            if let Origin::Slot(slot) = origin {
                description.binds.push((*slot, value_type(kind)));
            }
        }
        if shown {
            description.types = resolved.kinds.iter().map(described).collect();
            description.columns = resolved.columns;
        }
    }
    Ok(description)
}

async fn one(shared: &Shared, wanted: &Wanted, writes: bool) -> Result<Resolved, Unresolved> {
    let pool = if writes { &shared.writers } else { &shared.readers };
    // Roles of callers are not known here; what one of them may name, another may.
    let role = shared.postgres.role.as_deref();
    let role = role.or(shared.postgres.caller_roles.first().map(|(_, role)| role.as_str()));
    if shared.postgres.pgbouncer {
        return apart::resolve_apart(shared, pool.login(), role, wanted).await;
    }
    // Not from the pool: its connections are driven by a runtime that the caller may be blocking.
    let mut checker = shared.checkers[usize::from(writes)].lock().await;
    let connection = usable(&mut checker, pool).await?;
    assume(connection, role).await?;
    let resolved = resolve(&Desk::of(connection), wanted, shared.zone()).await;
    resume(connection, role).await?;
    resolved
}

async fn usable<'c>(checker: &'c mut Option<Connection>, pool: &Pool) -> Result<&'c Connection, Unresolved> {
    if checker.as_ref().is_some_and(|connection| connection.client.is_closed()) {
        *checker = None;
    }
    if let Some(connection) = checker {
        return Ok(connection);
    }
    let connected = pool.login().connect().await.map_err(|error| connect_error(&error));
    Ok(checker.insert(connected.map_err(Unresolved::Own)?))
}
