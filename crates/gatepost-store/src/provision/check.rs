//! What is wrong with a login that runs handlers or scripts, and the SQL that puts it right.

use super::power::{self, ClosedCatalog, Power};
use crate::catalog::PostgresPlace;
use crate::database::postgres::{PostgresDatabase, quoted};
use crate::database::{Access, DatabaseError, Parameter, Row, Transaction};

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Queries of handlers, and nothing else.
    Read,
    /// Changes of handlers, and perhaps queries.
    Write,
    /// Scripts, and perhaps all else.
    Own,
}

/// A login and what is expected of it.
#[derive(Clone, Copy, Debug)]
pub struct DataLogin<'a> {
    /// Where it leads.
    pub place: &'a PostgresPlace,
    /// The schema of the data.
    pub schema: &'a str,
    /// What it is for.
    pub purpose: Purpose,
    /// The catalog that it must not reach.
    pub catalog: Option<&'a ClosedCatalog>,
    /// Whether policies of row-level security have to hold for it.
    pub row_level_security: bool,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It opens a door.
    Problem,
    /// It may be meant.
    Warning,
}

/// Something about a login that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub weight: Weight,
    /// What it is.
    pub words: String,
    /// The SQL, for an administrator, that ends it.
    pub fix: Option<String>,
}

/// The first power that this login has and no login of data may have.
pub fn find_power(
    place: &PostgresPlace,
    catalog: Option<&ClosedCatalog>,
) -> Result<Option<String>, DatabaseError> {
    let login = PostgresDatabase::connect_anywhere(place)?;
    login.transaction(Access::Read, |transaction| {
        let (name, powers) = (session_user(transaction)?, powers(transaction, catalog)?);
        Ok(powers.first().map(|power| format!("login {name}: {}", power.words(&name))))
    })
}

/// Everything that is wrong with a login.
pub fn check_login(login: &DataLogin<'_>) -> Result<Vec<Finding>, DatabaseError> {
    let database = PostgresDatabase::connect_anywhere(login.place)?;
    database.transaction(Access::Read, |transaction| {
        let name = session_user(transaction)?;
        let role = quoted(&name);
        let look = Look { transaction, login, name, role, found: Vec::new() };
        look.all()
    })
}

fn session_user(transaction: &dyn Transaction) -> Result<String, DatabaseError> {
    let mut name = String::new();
    transaction.query("select session_user::text", &[], &mut |row| {
        name = row.text(0)?;
        Ok(())
    })?;
    Ok(name)
}

fn powers(
    transaction: &dyn Transaction,
    catalog: Option<&ClosedCatalog>,
) -> Result<Vec<Power>, DatabaseError> {
    let mut powers = Vec::new();
    let parameters = power::parameters(catalog).map(Parameter::from);
    transaction.query(power::QUESTION, &parameters, &mut |row| {
        powers.push(Power::read(&row.text(0)?, row.text(1)?, row.optional_text(2)?)?);
        Ok(())
    })?;
    Ok(powers)
}

/// A look at one login.
struct Look<'a> {
    transaction: &'a dyn Transaction,
    login: &'a DataLogin<'a>,
    name: String,
    /// The name as SQL takes it.
    role: String,
    found: Vec<Finding>,
}

impl Look<'_> {
    fn all(mut self) -> Result<Vec<Finding>, DatabaseError> {
        for power in powers(self.transaction, self.login.catalog)? {
            self.problem(power.words(&self.name), power.fix(&self.name));
            if power.is_all(&self.name) {
                return Ok(self.found);
            }
        }
        self.catalog_usage()?;
        self.row_level_security()?;
        match self.login.purpose {
            Purpose::Read => {
                self.changes()?;
                self.creation(Weight::Problem)?;
            }
            Purpose::Write => self.creation(Weight::Warning)?,
            Purpose::Own => {}
        }
        self.definers()?;
        Ok(self.found)
    }

    fn catalog_usage(&mut self) -> Result<(), DatabaseError> {
        let Some(catalog) = self.login.catalog else { return Ok(()) };
        let question = "select 1 from pg_namespace
                         where nspname = $1 and has_schema_privilege(session_user, oid, 'usage')
                           and not pg_has_role(session_user, nspowner, 'member')";
        let (schema, role) = (quoted(&catalog.schema), self.role.clone());
        self.each(question, &[Parameter::Text(&catalog.schema)], |look, _| {
            look.problem(
                format!("it may use the catalog's schema {}", catalog.schema),
                Some(format!("revoke usage on schema {schema} from {role}, public")),
            );
            Ok(())
        })
    }

    /// Policies bind neither those who bypass them nor, unless they are forced to, the owner of a table.
    fn row_level_security(&mut self) -> Result<(), DatabaseError> {
        let bypass = "select 1 from pg_roles where rolname = session_user and rolbypassrls";
        let role = self.role.clone();
        self.each(bypass, &[], |look, _| {
            look.problem(
                "it passes by row-level security".to_owned(),
                Some(format!("alter role {role} nobypassrls")),
            );
            Ok(())
        })?;
        if !self.login.row_level_security || self.login.purpose == Purpose::Own {
            return Ok(());
        }
        let owned =
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
                      where n.nspname = $1 and c.relrowsecurity and not c.relforcerowsecurity
                        and pg_has_role(session_user, c.relowner, 'usage') order by 1";
        self.each(owned, &[Parameter::Text(self.login.schema)], |look, row| {
            let table = row.text(0)?;
            look.problem(
                format!("it owns {table}, whose policies do not bind the owner"),
                Some(format!("alter table {table} force row level security")),
            );
            Ok(())
        })
    }

    fn changes(&mut self) -> Result<(), DatabaseError> {
        let question = "select count(*), min(relname)::text, max(owned) from (
            select c.relname, case when pg_has_role(session_user, c.relowner, 'usage') then 1 else 0 end::bigint as owned
              from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = $1
               and case when c.relkind in ('r', 'p', 'v', 'f')
                        then has_table_privilege(session_user, c.oid, 'insert, update, delete, truncate')
                             or has_any_column_privilege(session_user, c.oid, 'insert, update')
                        when c.relkind = 'S' then has_sequence_privilege(session_user, c.oid, 'usage, update')
                        else false end) changed
            having count(*) > 0";
        let (schema, role) = (quoted(self.login.schema), self.role.clone());
        self.each(question, &[Parameter::Text(self.login.schema)], |look, row| {
            let (count, first, owned) = (row.integer(0)?, row.text(1)?, row.integer(2)? == 1);
            let fix = if owned {
                format!("reassign owned by {role} to current_user")
            } else {
                format!(
                    "revoke insert, update, delete, truncate on all tables in schema {schema} from {role}, public; \
                     revoke usage, update on all sequences in schema {schema} from {role}, public"
                )
            };
            let others = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            look.problem(format!("it reads only, but may change {first}{others}"), Some(fix));
            Ok(())
        })
    }

    fn creation(&mut self, weight: Weight) -> Result<(), DatabaseError> {
        let schemas = "select quote_ident(nspname), case when pg_has_role(session_user, nspowner, 'usage') then 1 else 0 end::bigint
                         from pg_namespace
                        where nspname in ($1, 'public') and has_schema_privilege(session_user, oid, 'create')
                        order by 1";
        let database = "select quote_ident(datname), case when pg_has_role(session_user, datdba, 'usage') then 1 else 0 end::bigint
                          from pg_database
                         where datname = current_database() and has_database_privilege(session_user, oid, 'create')";
        let role = self.role.clone();
        let tell = |kind: &'static str| {
            let role = role.clone();
            move |look: &mut Self, row: &dyn Row| {
                let (name, owned) = (row.text(0)?, row.integer(1)? == 1);
                // Before PostgreSQL 15 that one was open to everybody.
                let usual = kind == "schema" && name == "public" && look.login.schema != "public";
                let weight = if usual { Weight::Warning } else { weight };
                let fix = if owned {
                    format!("alter {kind} {name} owner to current_user")
                } else {
                    format!("revoke create on {kind} {name} from {role}, public")
                };
                look.found.push(Finding {
                    weight,
                    words: format!("it may make objects in {kind} {name}"),
                    fix: Some(fix),
                });
                Ok(())
            }
        };
        self.each(schemas, &[Parameter::Text(self.login.schema)], tell("schema"))?;
        self.each(database, &[], tell("database"))
    }

    /// Functions that run with the rights of somebody else.
    fn definers(&mut self) -> Result<(), DatabaseError> {
        let question = "select p.oid::regprocedure::text, pg_get_userbyid(p.proowner)::text
                          from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                         where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
                           and p.prorettype <> 'trigger'::regtype and p.proowner <> (select oid from pg_roles where rolname = session_user)
                           and has_schema_privilege(session_user, n.oid, 'usage')
                           and has_function_privilege(session_user, p.oid, 'execute')
                         order by 1";
        let role = self.role.clone();
        self.each(question, &[], |look, row| {
            let (function, owner) = (row.text(0)?, row.text(1)?);
            look.found.push(Finding {
                weight: Weight::Warning,
                words: format!("it may call {function}, which runs with the rights of {owner}"),
                fix: Some(format!("revoke execute on function {function} from {role}, public")),
            });
            Ok(())
        })
    }

    fn problem(&mut self, words: String, fix: Option<String>) {
        self.found.push(Finding { weight: Weight::Problem, words, fix });
    }

    fn each(
        &mut self,
        question: &str,
        parameters: &[Parameter<'_>],
        mut tell: impl FnMut(&mut Self, &dyn Row) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let transaction = self.transaction;
        transaction.query(question, parameters, &mut |row| tell(self, row))
    }
}
