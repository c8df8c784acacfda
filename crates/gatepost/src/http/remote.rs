//! Rows of REST sources for a handler that names them, fetched before anything of the database is taken.

use futures_util::future::try_join_all;
use gatepost_rest::plan::{BindValue, Plan};
use gatepost_sources::error::SourceError;

use super::call::Call;
use super::sources::{asker, cause, told};
use crate::error::{Code, Failure};

/// Fetches the rows that a plan needs, all at once, and puts them into it.
pub(super) async fn put_rows(call: &Call<'_>, plan: &mut Plan) -> Result<(), Failure> {
    let (served, head, caller) = call.context();
    let asker = asker(&head.headers, caller)?;
    let source = std::sync::Arc::clone(&plan.source);
    let slot_of = |name: &str| source.slots.iter().position(|slot| slot.name == name);
    let values = |name: &str| slot_of(name).map(|slot| plan.values[slot].clone());
    let fetches = source.remotes.iter().map(|remote| async {
        let Some(defined) = served.schema.rest_source(&remote.name) else {
            // Compiled for the same sources as this snapshot has.
            return Err(Failure::new(Code::Internal, "The server made a mistake"));
        };
        let rows = served.app.remote_rows(defined, remote, values, source.dialect, asker).await;
        rows.map_err(|error| failed(call, &remote.name, &error))
    });
    let rows = try_join_all(fetches).await?;
    for (remote, json) in source.remotes.iter().zip(rows) {
        if let Some(slot) = slot_of(&remote.bind) {
            plan.values[slot] = BindValue::Text(json);
        }
    }
    Ok(())
}

fn failed(call: &Call<'_>, name: &str, error: &SourceError) -> Failure {
    told(error).because(format!("{}: rest.{name}: {}", call.place(), cause(error)))
}
