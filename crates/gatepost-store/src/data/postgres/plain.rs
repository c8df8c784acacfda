//! What a statement may set in motion: found out from the names that stand in it, once a handler and again from time
//! to time.
//!
//! A *plain* statement runs nothing but built-in functions that are harmless, whatever its names mean. It leaves its
//! connection as it was, so that nothing has to be cleared away behind it. Where in doubt, a statement is not plain.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// How long what was found out may be untrue: a trigger, a view or a function that is made meanwhile counts then.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What is known of a statement's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Whether it leaves its connection as it was.
    pub(super) plain: bool,
    /// Whether rules and functions leave the number of its rows alone.
    pub(super) countable: bool,
}

/// Tables and views that the names may mean, and what those lead to: what views read, partitions, and for changes
/// the tables that refer to them, since rows there can change along.
const REACHED: &str = "with recursive reached(id, kind) as (
  select c.oid, c.relkind from pg_catalog.pg_class c
   where c.relname = any($1) and c.relkind in ('r', 'p', 'v', 'm', 'f')
  union
  select c.oid, c.relkind from reached r cross join lateral (
      select d.refobjid as id from pg_catalog.pg_rewrite w, pg_catalog.pg_depend d
       where r.kind = 'v' and w.ev_class = r.id and d.classid = 'pg_catalog.pg_rewrite'::regclass
         and d.objid = w.oid and d.refclassid = 'pg_catalog.pg_class'::regclass
      union all select i.inhrelid from pg_catalog.pg_inherits i where i.inhparent = r.id
      union all select k.conrelid from pg_catalog.pg_constraint k where $2 and k.confrelid = r.id
    ) further join pg_catalog.pg_class c on c.oid = further.id and c.relkind in ('r', 'p', 'v', 'm', 'f')
),";

/// Functions that do not count: built-in ones that are not volatile or do no harm, and those of extensions in C that
/// are not volatile. Then what hangs on the tables and calls functions, and what it calls.
const CALLED: &str = "harmless(id) as (
  select p.oid from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
   where case when p.pronamespace = 'pg_catalog'::regnamespace
     then p.provolatile <> 'v'
       or ($2 and p.proname in ('nextval', 'random', 'gen_random_uuid', 'clock_timestamp', 'timeofday'))
     else p.provolatile <> 'v' and l.lanname in ('c', 'internal') end
),
hung(class, id, words) as (
  select 'pg_catalog.pg_rewrite'::regclass, w.oid, pg_catalog.pg_get_viewdef(r.id)
    from reached r join pg_catalog.pg_rewrite w on w.ev_class = r.id where r.kind = 'v'
  union all
  select 'pg_catalog.pg_attrdef'::regclass, a.oid, pg_catalog.pg_get_expr(a.adbin, a.adrelid)
    from reached r join pg_catalog.pg_attrdef a on a.adrelid = r.id where $2
  union all
  select 'pg_catalog.pg_constraint'::regclass, k.oid, pg_catalog.pg_get_constraintdef(k.oid)
    from pg_catalog.pg_constraint k
   where $2 and k.contype = 'c' and (k.contypid <> 0 or k.conrelid in (select r.id from reached r))
  union all
  select 'pg_catalog.pg_class'::regclass, i.indexrelid, pg_catalog.pg_get_indexdef(i.indexrelid)
    from reached r join pg_catalog.pg_index i on i.indrelid = r.id where $2
  union all
  select 'pg_catalog.pg_class'::regclass, r.id, '' from reached r where $2
),
called(id) as (
  select p.oid from pg_catalog.pg_proc p where p.proname = any($1)
  union all
  select d.refobjid from hung h join pg_catalog.pg_depend d on d.classid = h.class and d.objid = h.id
    and d.refclassid = 'pg_catalog.pg_proc'::regclass
  union all
  select p.oid from hung h, pg_catalog.regexp_matches(h.words, '[a-z0-9_]+(?=\\()', 'g') m, pg_catalog.pg_proc p
   where p.proname = m[1] and p.pronamespace = 'pg_catalog'::regnamespace
  union all
  select t.tgfoid from reached r join pg_catalog.pg_trigger t on t.tgrelid = r.id where $2 and not t.tgisinternal
  union all
  select o.oprcode from pg_catalog.pg_operator o where o.oid >= 16384
  union all
  select c.castfunc from pg_catalog.pg_cast c where c.oid >= 16384 and c.castfunc <> 0
),
ruled(yes) as (
  select exists (select from reached r join pg_catalog.pg_rewrite w on w.ev_class = r.id
    where w.rulename <> '_RETURN')
)";

const ANSWER: &str = "select
  not exists (select from called c where c.id not in (select h.id from harmless h))
    and not exists (select from reached r join pg_catalog.pg_class c on c.oid = r.id
      where r.kind = 'f' or c.relrowsecurity)
    and not ruled.yes,
  not ruled.yes
    and not exists (select from pg_catalog.pg_proc p where p.proname = any($1) and p.proretset)
from ruled";

/// Changes with every function, table, view, rule, trigger, default, constraint, operator, cast and policy.
const FINGERPRINT: &str = "select pg_catalog.sum(pg_catalog.hashint8(o.id::int8 << 32 | o.version::text::int8)) from (
  select oid, xmin from pg_catalog.pg_proc union all select oid, xmin from pg_catalog.pg_rewrite
  union all select oid, xmin from pg_catalog.pg_class
    where relpersistence <> 't' and relkind in ('r', 'p', 'v', 'm', 'f')
  union all select oid, xmin from pg_catalog.pg_trigger union all select oid, xmin from pg_catalog.pg_attrdef
  union all select oid, xmin from pg_catalog.pg_constraint union all select oid, xmin from pg_catalog.pg_operator
  union all select oid, xmin from pg_catalog.pg_cast union all select oid, xmin from pg_catalog.pg_policy
) o(id, version)";

/// When facts were found, and on which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) watch: u64,
    epoch: u64,
}

/// Notices that the database's objects changed, so that what is known of statements is found out anew.
#[derive(Debug)]
pub(super) struct Watch {
    born: Instant,
    /// When to look next, in milliseconds since then.
    next_ms: AtomicU64,
    /// Counts the changes that were noticed; 0 before the first look.
    epoch: AtomicU64,
    fingerprint: Mutex<Option<i64>>,
    /// Tells what was found on one server from what was found on another.
    id: u64,
}

impl Default for Watch {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            born: Instant::now(),
            next_ms: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            fingerprint: Mutex::default(),
        }
    }
}

impl Watch {
    /// What facts are found under; they hold while it stays the same. None before the first look.
    pub(super) fn moment(&self) -> Option<Moment> {
        let epoch = self.epoch.load(Ordering::Acquire);
        (epoch > 0).then_some(Moment { watch: self.id, epoch })
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self) -> bool {
        self.now_ms() >= self.next_ms.load(Ordering::Relaxed)
    }

    /// The next request looks.
    pub(super) fn expire(&self) {
        self.next_ms.store(0, Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Looks, if it is time and nobody else does.
    pub(super) async fn look(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let due = self.next_ms.load(Ordering::Relaxed);
        let now = self.now_ms();
        let later = now + LOOK_AGAIN.as_millis() as u64;
        if now < due
            || self.next_ms.compare_exchange(due, later, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return Ok(());
        }
        let found = match client.query_typed(FINGERPRINT, &[]).await {
            Ok(rows) => rows.first().and_then(|row| row.try_get::<_, Option<i64>>(0).ok()).flatten(),
            // An engine without such tables has no plain statements, and nothing to find out anew.
            Err(error) if error.as_db_error().is_some() => Some(0),
            Err(error) => {
                self.expire();
                return Err(error);
            }
        };
        let mut known = self.fingerprint.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != found {
            *known = found;
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

/// Looks the names of a statement up. An engine that cannot say has no plain statements.
pub(super) async fn facts(client: &Client, names: &[String], change: bool) -> Facts {
    // `U&"..."` hides a name, and the server folds letters beyond ASCII in its own way.
    if names.iter().any(|name| !name.is_ascii() || name == "u") {
        return Facts::default();
    }
    let question = format!("{REACHED}\n{CALLED}\n{ANSWER}");
    let names: &(dyn ToSql + Sync) = &names;
    let rows = client.query_typed(&question, &[(names, Type::TEXT_ARRAY), (&change, Type::BOOL)]).await;
    let Some(row) = rows.ok().and_then(|rows| rows.into_iter().next()) else { return Facts::default() };
    Facts { plain: row.try_get(0).unwrap_or(false), countable: row.try_get(1).unwrap_or(false) }
}
