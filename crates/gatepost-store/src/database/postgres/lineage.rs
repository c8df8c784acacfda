//! Which server is behind a connection. After a failover another one is, and with asynchronous replication it may lack
//! what was acknowledged before.

use tokio_postgres::{Client, Error};

use crate::database::{DatabaseError, Lineage};

/// The cluster and its timeline, which a promotion and a recovery to an earlier moment change. NULL in recovery.
const QUESTION: &str = "select case when pg_catalog.pg_is_in_recovery() then null \
     else cast(c.system_identifier as text) || '/' \
     || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8) end, \
     cast(extract(epoch from clock_timestamp()) * 1000 as bigint) from pg_catalog.pg_control_system() c";

/// Asks a connection. A server in recovery is none: nobody knows how much of the catalog it lacks.
pub(super) async fn ask(client: &Client) -> Result<Result<Lineage, DatabaseError>, Error> {
    let row = client.query_typed_one(QUESTION, &[]).await?;
    let (id, now_ms): (Option<String>, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(match id {
        Some(id) => Ok(Lineage { id, now_ms }),
        None => Err(DatabaseError::Unreachable(
            "the server is in recovery; the catalog is where changes are made, because a standby may not know what \
             was revoked"
                .into(),
        )),
    })
}
