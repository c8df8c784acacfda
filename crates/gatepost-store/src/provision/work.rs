//! Making logins and schemas, within a transaction.

use super::statements::{self, SchemaMaking};
use super::{DataLogins, Login, Names, SchemaFound};
use crate::database::postgres::quoted;
use crate::database::{DatabaseError, Parameter, Transaction};

/// Roles are the whole cluster's: others can have taken a name.
pub(super) const NUMBERS_TRIED: u32 = 1_000;

/// A transaction that makes logins and schemas.
pub struct Provision<'a>(pub(super) &'a dyn Transaction);

impl std::fmt::Debug for Provision<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provision").finish_non_exhaustive()
    }
}

impl Provision<'_> {
    /// Makes a login for a catalog and its schema, which must not be somebody else's.
    pub fn catalog(&self, schema: &str, login: Login, names: Names) -> Result<Login, DatabaseError> {
        let mut login = login;
        self.logins(&mut [&mut login], names)?;
        let making = match self.find_schema(schema)? {
            None => SchemaMaking::Make,
            Some(found) if found.owner == login.name => SchemaMaking::Keep,
            Some(found) => {
                return Err(DatabaseError::Other(format!(
                    "there is a schema {schema} already; its login is {}",
                    found.owner
                )));
            }
        };
        self.as_member(&login.name, statements::catalog(schema, &login.name, making))?;
        Ok(login)
    }

    /// Makes logins for data and their schema, or gives them their rights in the one that is there.
    pub fn data(&self, logins: DataLogins, names: Names) -> Result<DataLogins, DatabaseError> {
        let mut logins = logins;
        self.logins(&mut [&mut logins.owner, &mut logins.read, &mut logins.write], names)?;
        let making = match self.find_schema(&logins.schema)? {
            None => SchemaMaking::Make,
            Some(_) => SchemaMaking::Keep,
        };
        self.as_member(&logins.owner.name, statements::data(&logins, making))?;
        self.check_granted(&logins)?;
        Ok(logins)
    }

    /// Makes a schema of this login's own when there is none.
    pub fn own_schema(&self, schema: &str) -> Result<(), DatabaseError> {
        if self.find_schema(schema)?.is_none() {
            self.0.execute(&format!("create schema {}", quoted(schema)), &[])?;
        }
        Ok(())
    }

    /// The schema of this name, if there is one.
    pub fn find_schema(&self, name: &str) -> Result<Option<SchemaFound>, DatabaseError> {
        let question = "select pg_get_userbyid(nspowner)::text,
                               case when pg_has_role(current_user, nspowner, 'usage') then 1 else 0 end::bigint,
                               (select count(*) from pg_class where relnamespace = pg_namespace.oid and relkind in ('r', 'p', 'v', 'm', 'f'))
                          from pg_namespace where nspname = $1";
        let mut found = None;
        self.0.query(question, &[Parameter::Text(name)], &mut |row| {
            let (owner, ours, tables) = (row.text(0)?, row.integer(1)? == 1, row.integer(2)?);
            found = Some(SchemaFound { owner, ours, tables });
            Ok(())
        })?;
        Ok(found)
    }

    pub(super) fn holds(&self, question: &str, parameters: &[Parameter<'_>]) -> Result<bool, DatabaseError> {
        let mut found = false;
        self.0.query(question, parameters, &mut |_| {
            found = true;
            Ok(())
        })?;
        Ok(found)
    }

    fn logins(&self, logins: &mut [&mut Login], names: Names) -> Result<(), DatabaseError> {
        match names {
            Names::Free => self.make_under_free_names(logins),
            Names::Ours => logins.iter().try_for_each(|login| {
                let is_there = self.is_role(&login.name)?;
                if is_there { Ok(()) } else { self.run(&statements::make_login(login)) }
            }),
        }
    }

    /// Makes all of these logins, under the first number that none of their names is taken with. A role that is there
    /// never gets another password: it may be another installation's.
    fn make_under_free_names(&self, logins: &mut [&mut Login]) -> Result<(), DatabaseError> {
        let names: Vec<String> = logins.iter().map(|login| login.name.clone()).collect();
        for number in 1..=NUMBERS_TRIED {
            for (login, name) in logins.iter_mut().zip(&names) {
                login.name = if number == 1 { name.clone() } else { format!("{name}_{number}") };
            }
            if self.are_free(logins)? && self.make_unless_taken(logins)? {
                return Ok(());
            }
        }
        Err(DatabaseError::Other(format!(
            "{NUMBERS_TRIED} logins like {} are there already",
            names.join(", ")
        )))
    }

    fn are_free(&self, logins: &[&mut Login]) -> Result<bool, DatabaseError> {
        for login in logins {
            if self.is_role(&login.name)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_role(&self, name: &str) -> Result<bool, DatabaseError> {
        self.holds("select 1 from pg_roles where rolname = $1", &[Parameter::Text(name)])
    }

    /// Somebody else can make the same login at this moment: then all of them get the next number.
    fn make_unless_taken(&self, logins: &[&mut Login]) -> Result<bool, DatabaseError> {
        self.run("savepoint logins")?;
        for login in logins {
            match self.run(&statements::make_login(login)) {
                Ok(()) => {}
                Err(DatabaseError::Duplicate) => {
                    self.run("rollback to savepoint logins")?;
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.run("release savepoint logins")?;
        Ok(true)
    }

    /// Runs statements as a member of the role, which this login is for as long as they take, unless it always is.
    fn as_member(&self, role: &str, statements: Vec<String>) -> Result<(), DatabaseError> {
        let member = "select 1 from pg_roles where rolname = $1 and pg_has_role(current_user, oid, 'usage')";
        let is_member = self.holds(member, &[Parameter::Text(role)])?;
        let all = if is_member { statements } else { statements::as_member(&quoted(role), statements) };
        all.iter().try_for_each(|statement| self.run(statement))
    }

    /// What cannot be granted is passed over by PostgreSQL with a notice only.
    fn check_granted(&self, logins: &DataLogins) -> Result<(), DatabaseError> {
        let question = "select quote_ident(relname), pg_get_userbyid(relowner)::text from pg_class
                         where relnamespace = (select oid from pg_namespace where nspname = $1)
                           and relkind in ('r', 'p', 'v', 'm', 'f') and not has_table_privilege($2, oid, 'select')
                         order by relname limit 1";
        let mut missing = None;
        let parameters = [Parameter::Text(&logins.schema), Parameter::Text(&logins.read.name)];
        self.0.query(question, &parameters, &mut |row| {
            missing = Some((row.text(0)?, row.text(1)?));
            Ok(())
        })?;
        match missing {
            None => Ok(()),
            Some((table, owner)) => Err(DatabaseError::Other(format!(
                "{table} in schema {} belongs to {owner}, and this login may not give rights on it",
                logins.schema
            ))),
        }
    }

    fn run(&self, statement: &str) -> Result<(), DatabaseError> {
        self.0.execute(statement, &[]).map(|_| ())
    }
}
