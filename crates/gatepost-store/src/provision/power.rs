//! What no login may hold that runs the SQL of users: more than its database, or a way to the catalog.

use tokio_postgres::types::{ToSql, Type};

use crate::database::DatabaseError;
use crate::database::postgres::quoted;

/// The catalog that SQL of users must not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedCatalog {
    /// Its schema, if it is in the database of the data.
    pub schema: String,
    /// Its login, if it is known to the same server.
    pub login: Option<String>,
}

/// One row for each power of the login. Roles that it is a member of count, too: SET ROLE is no boundary. It is
/// asked of the login that opened the connection, as another current user can be left again.
pub(crate) const QUESTION: &str = "
select power, name, (select g.rolname::text
                       from pg_catalog.pg_auth_members a
                       join pg_catalog.pg_roles g on g.oid = a.roleid
                       join pg_catalog.pg_roles l on l.oid = a.member
                      where l.rolname = session_user and pg_catalog.pg_has_role(g.oid, role, 'member')
                      order by 1 limit 1) as via
  from (
  select case when m.rolsuper then 'super' when m.rolcreaterole then 'roles'
              when m.rolreplication then 'replication' else 'server' end as power, m.rolname::text as name, m.oid as role
    from pg_catalog.pg_roles m
   where pg_catalog.pg_has_role(session_user, m.oid, 'member')
     and (m.rolsuper or m.rolcreaterole or m.rolreplication or m.rolname in
          ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
  union all
  select case when m.rolname in ('pg_read_all_data', 'pg_write_all_data') then 'all' else 'catalog' end, m.rolname::text, m.oid
    from pg_catalog.pg_roles m
    left join (select n.nspowner
                 from pg_catalog.pg_namespace n join pg_catalog.pg_class c on c.relnamespace = n.oid
                where n.nspname = $1 and c.relname = 'catalog_object') catalog on true
   where pg_catalog.pg_has_role(session_user, m.oid, 'member')
     and (m.rolname = $2 or m.oid = catalog.nspowner
          or catalog.nspowner is not null and m.rolname in ('pg_read_all_data', 'pg_write_all_data'))
  union all
  select 'reads', n.nspname::text, null
    from pg_catalog.pg_namespace n join pg_catalog.pg_class c on c.relnamespace = n.oid
   where n.nspname = $1 and c.relname = 'catalog_object'
     and pg_catalog.has_schema_privilege(session_user, n.oid, 'usage')
     and pg_catalog.has_table_privilege(session_user, c.oid, 'select, insert, update, delete')
     and not pg_catalog.pg_has_role(session_user, n.nspowner, 'member')
) powers
order by name <> session_user, power = 'reads', name";

/// The parameters of the question.
pub(crate) fn parameters(catalog: Option<&ClosedCatalog>) -> [Option<&str>; 2] {
    [catalog.map(|catalog| catalog.schema.as_str()), catalog.and_then(|catalog| catalog.login.as_deref())]
}

/// The parameters as the driver takes them.
pub(crate) fn typed<'a>(parameters: &'a [Option<&'a str>; 2]) -> [(&'a (dyn ToSql + Sync), Type); 2] {
    [(&parameters[0], Type::TEXT), (&parameters[1], Type::TEXT)]
}

/// A power that a login has, by itself or through another role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Power {
    kind: Kind,
    /// The role that has it, or the schema that can be read.
    name: String,
    /// The role that was given to the login and makes it a member.
    via: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Superuser,
    MakesLogins,
    Replicates,
    ReachesServer,
    HoldsAllData,
    OwnsCatalog,
    ReadsCatalog,
}

impl Power {
    pub(crate) fn read(power: &str, name: String, via: Option<String>) -> Result<Self, DatabaseError> {
        let kind = match power {
            "super" => Kind::Superuser,
            "roles" => Kind::MakesLogins,
            "replication" => Kind::Replicates,
            "server" => Kind::ReachesServer,
            "all" => Kind::HoldsAllData,
            "catalog" => Kind::OwnsCatalog,
            "reads" => Kind::ReadsCatalog,
            other => return Err(DatabaseError::Broken(format!("a power called {other}"))),
        };
        Ok(Self { kind, name, via })
    }

    /// Whether it makes all others needless to name.
    pub(super) fn is_all(&self, login: &str) -> bool {
        matches!(self.kind, Kind::Superuser | Kind::OwnsCatalog) && self.name == login
    }

    /// What is wrong with the login.
    pub(crate) fn words(&self, login: &str) -> String {
        let what = match self.kind {
            Kind::Superuser => "a superuser",
            Kind::MakesLogins => "a role that makes roles",
            Kind::Replicates => "a role that replicates the whole database",
            Kind::ReachesServer => "a role that reaches files or programs of the server",
            Kind::HoldsAllData => "a role that reads or changes all data, the catalog's too",
            Kind::OwnsCatalog => "the role of the catalog",
            Kind::ReadsCatalog => {
                return format!("it may read or change the catalog in schema {}", self.name);
            }
        };
        if self.name == login {
            format!("it is {what}")
        } else {
            format!("it is a member of {}, {what}", self.name)
        }
    }

    /// The SQL that takes the power away; none when the login itself is the wrong one.
    pub(super) fn fix(&self, login: &str) -> Option<String> {
        let role = quoted(login);
        match self.kind {
            Kind::ReadsCatalog => {
                let schema = quoted(&self.name);
                Some(format!(
                    "revoke all on all tables in schema {schema} from {role}, public; \
                     revoke all on schema {schema} from {role}, public"
                ))
            }
            _ if self.name != login => {
                self.via.as_deref().map(|via| format!("revoke {} from {role}", quoted(via)))
            }
            Kind::Superuser => Some(format!("alter role {role} nosuperuser")),
            Kind::MakesLogins => Some(format!("alter role {role} nocreaterole")),
            Kind::Replicates => Some(format!("alter role {role} noreplication")),
            Kind::ReachesServer | Kind::HoldsAllData | Kind::OwnsCatalog => None,
        }
    }
}
