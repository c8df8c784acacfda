//! What a script would change, before it is run: the definitions as scripts, and who gets in where.

use gatepost_rest::access::Unprotected;

use super::driver::rehearse;
use super::event::{ScriptFailure, ScriptOptions, ScriptReport};
use super::host::ScriptHost;
use super::{changes, export};
use crate::audit::reach::{DoorChange, Reach};

/// What would change.
#[derive(Debug)]
pub struct Review {
    /// Schemas that would change, by name.
    pub schemas: Vec<SchemaReview>,
    /// What the script comes to, as after a run of it.
    pub report: ScriptReport,
}

/// What would change in a schema.
#[derive(Debug)]
pub struct SchemaReview {
    /// Its name.
    pub name: String,
    /// Its definitions as a script, as they are; empty if there is no such schema yet.
    pub before: String,
    /// The same as they would be.
    pub after: String,
    /// What opens and closes, and to whom.
    pub doors: Vec<DoorChange>,
}

/// Rehearses a script. Everything is undone, changes of data included.
pub fn review(
    host: &dyn ScriptHost,
    script: &str,
    options: &ScriptOptions,
    unprotected: Unprotected,
) -> Result<Review, Box<ScriptFailure>> {
    let options = ScriptOptions { dry_run: true, ..options.clone() };
    let (report, before, after) = rehearse(host, script, &options)?;
    let mut schemas: Vec<SchemaReview> = changes::schemas(&before, &after)
        .into_iter()
        .filter_map(|id| {
            let (old, new) = (before.schemas.get(&id), after.schemas.get(&id));
            let text =
                |catalog, schema: Option<&_>| schema.map_or(String::new(), |schema| export(catalog, schema));
            let reach = |catalog, schema: Option<&_>| {
                schema.map_or_else(Reach::default, |schema| Reach::of(catalog, schema, unprotected))
            };
            let old_reach = reach(&before, old.map(|schema| &**schema));
            Some(SchemaReview {
                name: new.or(old)?.name.clone(),
                before: text(&before, old.map(|schema| &**schema)),
                after: text(&after, new.map(|schema| &**schema)),
                doors: old_reach.changes_to(&reach(&after, new.map(|schema| &**schema))),
            })
        })
        .filter(|schema| schema.before != schema.after || !schema.doors.is_empty())
        .collect();
    schemas.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Review { schemas, report })
}
