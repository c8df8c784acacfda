//! The texts. Names are identifiers that the definition checked, in quotes; values are binds.

use gatepost_rest::sql::Dialect;
use gatepost_sources::definition::{ColumnType, SyncMode};

use super::SyncTarget;
use super::batch::NUMBER;

/// One row for each source that is synchronized into this schema.
pub(super) const MAKE_STATE: &str = "create table if not exists gatepost_sync (
    source_id bigint not null primary key,
    source text not null,
    begun_ms bigint not null,
    holder text,
    lease_until_ms bigint not null,
    mark text,
    mark_of text,
    version text not null,
    staged bigint not null,
    fetch_position bigint,
    staged_mark text
  )";

pub(super) const ADD_STATE: &str =
    "insert into gatepost_sync (source_id, source, begun_ms, lease_until_ms, version, staged)
     values (:id, :source, 0, 0, '', 0)
     on conflict (source_id) do nothing";

pub(super) const STATE: &str =
    "select begun_ms, holder, lease_until_ms, mark, mark_of, version, staged, fetch_position, staged_mark
     from gatepost_sync where source_id = :id";

/// Takes the lease if nobody holds it and no run began since the claimant looked.
pub(super) const CLAIM: &str = "update gatepost_sync
     set holder = :holder, lease_until_ms = :until, begun_ms = :now
     where source_id = :id and begun_ms = :begun and (holder is null or lease_until_ms <= :now)";

/// Begins each transaction of a run. Its row is locked until the end, so no other run can begin meanwhile.
pub(super) const KEEP: &str =
    "update gatepost_sync set lease_until_ms = :until where source_id = :id and holder = :holder";

pub(super) const RELEASE: &str =
    "update gatepost_sync set holder = null where source_id = :id and holder = :holder";

pub(super) const STAGE_EMPTY: &str = "update gatepost_sync
     set version = :version, staged = 0, fetch_position = null, staged_mark = null where source_id = :id";

pub(super) const STAGED: &str = "update gatepost_sync
     set staged = :staged, fetch_position = :position, staged_mark = :mark where source_id = :id";

pub(super) const APPLIED: &str = "update gatepost_sync
     set holder = null, version = '', staged = 0, fetch_position = null, staged_mark = null,
         mark_of = :mark_of, mark = :mark
     where source_id = :id";

/// What a statement's number of rows means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    Nothing,
    Inserted,
    Updated,
    Deleted,
}

/// A statement of the last transaction.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) text: String,
    pub(super) count: Count,
}

/// The statements of one source.
#[derive(Debug)]
pub(super) struct Statements {
    /// The columns that are copied.
    pub(super) columns: Vec<String>,
    pub(super) drop_stage: String,
    pub(super) make_stage: String,
    pub(super) insert: String,
    pub(super) apply: Vec<Step>,
}

/// Which columns the table has.
pub(super) fn look(table: &str) -> String {
    format!("select * from {} where 1 = 0", quoted(table))
}

/// Makes the table by the profile.
pub(super) fn make_table(dialect: Dialect, target: &SyncTarget) -> String {
    let column = |(name, kind): &(String, ColumnType)| {
        let key = if target.primary_key.contains(name) { " not null" } else { "" };
        format!("{} {}{key}", quoted(name), type_name(dialect, *kind))
    };
    let mut parts: Vec<String> = target.columns.iter().map(column).collect();
    // Rows that are appended can come again.
    if !target.primary_key.is_empty() && target.mode != SyncMode::Append {
        parts.push(format!("primary key ({})", list(&target.primary_key, "")));
    }
    format!("create table if not exists {} ({})", quoted(&target.table), parts.join(", "))
}

/// What has to be run so that the table has the columns of the source: nothing when it has them. `existing` are the
/// columns that it has; absent: there is no such table.
pub fn table_drift(dialect: Dialect, target: &SyncTarget, existing: Option<&[String]>) -> Vec<String> {
    let Some(existing) = existing else { return vec![make_table(dialect, target)] };
    let has = |name: &str| existing.iter().any(|known| known.eq_ignore_ascii_case(name));
    let missing = target.columns.iter().filter(|(name, _)| !has(name));
    missing
        .map(|(name, kind)| {
            let (table, column) = (quoted(&target.table), quoted(name));
            format!("alter table {table} add column {column} {}", type_name(dialect, *kind))
        })
        .collect()
}

fn type_name(dialect: Dialect, kind: ColumnType) -> &'static str {
    match (kind, dialect) {
        (ColumnType::Text, _) => "text",
        (ColumnType::Integer, _) => "bigint",
        (ColumnType::Decimal, _) => "numeric",
        (ColumnType::Boolean, _) => "boolean",
        (ColumnType::Date, _) => "date",
        (ColumnType::Timestamp, _) => "timestamp",
        (ColumnType::Timestamptz, _) => "timestamp with time zone",
        (ColumnType::Json, Dialect::Sqlite) => "json",
        (ColumnType::Json, Dialect::Postgres) => "jsonb",
    }
}

impl Statements {
    /// `columns` are those of the source that the table has.
    pub(super) fn new(dialect: Dialect, target: &SyncTarget, columns: &[(String, ColumnType)]) -> Self {
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let stage = quoted(&format!("gatepost_stage_{}", target.source_id));
        let (table, all) = (quoted(&target.table), list(&names, ""));
        let insert = match dialect {
            Dialect::Sqlite => {
                let members: Vec<String> =
                    (0..names.len()).map(|at| format!("json_extract(r.value, '$[{at}]')")).collect();
                format!(
                    "insert into {stage} ({NUMBER}, {all})
                     select :first + r.key, {} from json_each(:rows) as r",
                    members.join(", ")
                )
            }
            Dialect::Postgres => format!(
                "insert into {stage} ({NUMBER}, {all})
                 select cast(:first as bigint) + r.{NUMBER}, {}
                 from json_populate_recordset(cast(null as {stage}), cast(cast(:rows as text) as json)) as r",
                list(&names, "r.")
            ),
        };
        Self {
            drop_stage: format!("drop table if exists {stage}"),
            make_stage: format!(
                "create table {stage} as select cast(0 as bigint) as {NUMBER}, {all} from {table} where 1 = 0"
            ),
            insert,
            apply: apply(target, columns, &stage, &table, &all),
            columns: names,
        }
    }
}

fn apply(
    target: &SyncTarget,
    columns: &[(String, ColumnType)],
    stage: &str,
    table: &str,
    all: &str,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |count, text| steps.push(Step { text, count });
    match target.mode {
        SyncMode::Replace => step(Count::Deleted, format!("delete from {table}")),
        SyncMode::Append => {}
        SyncMode::Merge => {
            let key = &target.primary_key;
            let index = format!("{}_key\"", stage.trim_end_matches('"'));
            step(Count::Nothing, format!("create index {index} on {stage} ({}, {NUMBER})", list(key, "")));
            // A row that came twice counts as it came last.
            step(
                Count::Nothing,
                format!(
                    "delete from {stage} where exists (select 1 from {stage} as later
                       where {} and later.{NUMBER} > {stage}.{NUMBER})",
                    equal(key, "later.", &format!("{stage}."))
                ),
            );
            if let Some(text) = update(target, columns, stage, table) {
                step(Count::Updated, text);
            }
            if target.delete_missing {
                step(
                    Count::Deleted,
                    format!(
                        "delete from {table} where not exists (select 1 from {stage} as s where {})",
                        equal(key, "s.", &format!("{table}."))
                    ),
                );
            }
        }
    }
    let from = format!("insert into {table} ({all}) select {all} from {stage} as s");
    let new = match target.mode {
        SyncMode::Merge => format!(
            "{from} where not exists (select 1 from {table} as kept where {}) order by {NUMBER}",
            equal(&target.primary_key, "kept.", "s.")
        ),
        SyncMode::Append | SyncMode::Replace => format!("{from} order by {NUMBER}"),
    };
    step(Count::Inserted, new);
    step(Count::Nothing, format!("drop table {stage}"));
    steps
}

/// Changes rows that are there and differ; none if the key is all that they have.
fn update(target: &SyncTarget, columns: &[(String, ColumnType)], stage: &str, table: &str) -> Option<String> {
    let others: Vec<_> = columns.iter().filter(|(name, _)| !target.primary_key.contains(name)).collect();
    if others.is_empty() {
        return None;
    }
    let set: Vec<String> = others.iter().map(|(name, _)| format!("{0} = s.{0}", quoted(name))).collect();
    let differs = others.iter().map(|(name, kind)| {
        let name = quoted(name);
        match kind {
            // The type json of PostgreSQL cannot be compared.
            ColumnType::Json => {
                format!("cast({table}.{name} as text) is distinct from cast(s.{name} as text)")
            }
            _ => format!("{table}.{name} is distinct from s.{name}"),
        }
    });
    Some(format!(
        "update {table} set {} from {stage} as s where {} and ({})",
        set.join(", "),
        equal(&target.primary_key, "s.", &format!("{table}.")),
        differs.collect::<Vec<_>>().join(" or ")
    ))
}

fn equal(key: &[String], one: &str, other: &str) -> String {
    let pairs = key.iter().map(|name| format!("{one}{0} = {other}{0}", quoted(name)));
    pairs.collect::<Vec<_>>().join(" and ")
}

fn list(names: &[String], prefix: &str) -> String {
    names.iter().map(|name| format!("{prefix}{}", quoted(name))).collect::<Vec<_>>().join(", ")
}

/// Names of definitions have lower-case letters, digits and _ only.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
