//! Logins and grants on PostgreSQL: one login for the catalog, which nobody else may read, and three for the data of
//! each schema: one that owns it and runs scripts, one that only reads and one that writes.

mod problems;
mod statements;

use crate::catalog::PostgresPlace;
use crate::database::postgres::{PostgresDatabase, quoted};
use crate::database::{Access, DatabaseError, Parameter, Transaction};

pub use problems::{data_login_problems, login_problems};
pub use statements::{SchemaMaking, catalog_statements, data_statements, make_login_if_missing};

/// The login that owns the catalog.
pub const CATALOG_LOGIN: &str = "gatepost_catalog";

/// PostgreSQL cuts longer names off.
const NAME_LENGTH_MAX: usize = 63;

/// What a name's beginning, its end and a number around a schema's name take.
const AROUND_SCHEMA: usize = "gatepost__owner_1000".len();

/// Roles are the whole cluster's: others can have taken a name.
const NUMBERS_TRIED: u32 = 1_000;

/// A login to make, with its password.
#[derive(Clone)]
pub struct Login {
    /// Its name.
    pub name: String,
    /// Its password, which is sent and printed as a SCRAM verifier only.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The logins of a schema's data.
#[derive(Clone, Debug)]
pub struct DataLogins {
    /// The schema in the database.
    pub schema: String,
    /// Runs scripts; owns the schema, unless that was there before.
    pub owner: Login,
    /// Reads.
    pub read: Login,
    /// Reads and writes.
    pub write: Login,
}

impl DataLogins {
    /// Logins of this schema under their usual names.
    pub fn new(schema: &str, mut password: impl FnMut() -> String) -> Self {
        let part = &schema[..schema.len().min(NAME_LENGTH_MAX - AROUND_SCHEMA)];
        let mut login =
            |purpose: &str| Login { name: format!("gatepost_{part}_{purpose}"), password: password() };
        Self { schema: schema.to_owned(), owner: login("owner"), read: login("read"), write: login("write") }
    }
}

/// A schema that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFound {
    /// Who owns it.
    pub owner: String,
    /// Whether this login could own it.
    pub ours: bool,
    /// How many tables, views and the like it holds.
    pub tables: i64,
}

/// A connection of somebody who makes logins or a schema.
#[derive(Debug)]
pub struct Administrator(PostgresDatabase);

impl Administrator {
    /// Connects with the first question.
    pub fn connect(place: &PostgresPlace) -> Result<Self, DatabaseError> {
        PostgresDatabase::connect_only(place).map(Self)
    }

    /// Whether this login may make others.
    pub fn may_make_logins(&self) -> Result<bool, DatabaseError> {
        self.holds("select 1 from pg_roles where rolname = current_user and (rolsuper or rolcreaterole)", &[])
    }

    /// Whether this login may make schemas in its database.
    pub fn may_make_schemas(&self) -> Result<bool, DatabaseError> {
        self.holds("select 1 where has_database_privilege(current_database(), 'create')", &[])
    }

    /// The schema of this name, if there is one.
    pub fn find_schema(&self, name: &str) -> Result<Option<SchemaFound>, DatabaseError> {
        self.0.transaction(Access::Read, |transaction| find_schema(transaction, name))
    }

    /// Makes a login and a schema of its own for a catalog, all or nothing. The name is numbered when it is taken. What
    /// was made stays if `keep`, which gets to know it before, succeeds.
    pub fn make_catalog<T, E: From<DatabaseError>>(
        &self,
        schema: &str,
        login: Login,
        keep: impl FnOnce(&Login) -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.transaction(Access::Write, |transaction| {
            let mut login = login;
            make_logins(transaction, &mut [&mut login])?;
            run(transaction, &catalog_statements(schema, &login.name, SchemaMaking::Make))?;
            keep(&login)
        })
    }

    /// Makes logins for data, and their schema when there is none, all or nothing. Names are numbered when one is
    /// taken. What was made stays if `keep`, which gets to know it before, succeeds.
    pub fn make_data<T, E: From<DatabaseError>>(
        &self,
        logins: DataLogins,
        keep: impl FnOnce(&DataLogins) -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.transaction(Access::Write, |transaction| {
            let mut logins = logins;
            let making = match find_schema(transaction, &logins.schema)? {
                None => SchemaMaking::Make,
                Some(_) => SchemaMaking::Keep,
            };
            make_logins(transaction, &mut [&mut logins.owner, &mut logins.read, &mut logins.write])?;
            run(transaction, &data_statements(&logins, making))?;
            keep(&logins)
        })
    }

    /// Makes a schema of this login's own when there is none; it stays if `keep` succeeds.
    pub fn make_schema<T, E: From<DatabaseError>>(
        &self,
        schema: &str,
        keep: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.transaction(Access::Write, |transaction| {
            if find_schema(transaction, schema)?.is_none() {
                transaction.execute(&format!("create schema {}", quoted(schema)), &[])?;
            }
            keep()
        })
    }

    /// Runs statements in one transaction.
    pub fn apply(&self, statements: &[String]) -> Result<(), DatabaseError> {
        self.0.transaction(Access::Write, |transaction| run(transaction, statements))
    }

    fn holds(&self, question: &str, parameters: &[Parameter<'_>]) -> Result<bool, DatabaseError> {
        self.0.transaction(Access::Read, |transaction| holds(transaction, question, parameters))
    }
}

fn find_schema(transaction: &dyn Transaction, name: &str) -> Result<Option<SchemaFound>, DatabaseError> {
    let question = "select pg_get_userbyid(nspowner)::text,
                           case when pg_has_role(current_user, nspowner, 'usage') then 1 else 0 end::bigint,
                           (select count(*) from pg_class where relnamespace = pg_namespace.oid and relkind in ('r', 'p', 'v', 'm', 'f'))
                      from pg_namespace where nspname = $1";
    let mut found = None;
    transaction.query(question, &[Parameter::Text(name)], &mut |row| {
        found =
            Some(SchemaFound { owner: row.text(0)?, ours: row.integer(1)? == 1, tables: row.integer(2)? });
        Ok(())
    })?;
    Ok(found)
}

/// Makes all of these logins, under the first number that none of their names is taken with. A role that is there never
/// gets another password: it may be another installation's.
fn make_logins(transaction: &dyn Transaction, logins: &mut [&mut Login]) -> Result<(), DatabaseError> {
    let names: Vec<String> = logins.iter().map(|login| login.name.clone()).collect();
    for number in 1..=NUMBERS_TRIED {
        for (login, name) in logins.iter_mut().zip(&names) {
            login.name = if number == 1 { name.clone() } else { format!("{name}_{number}") };
        }
        if are_free(transaction, logins)? && make_unless_taken(transaction, logins)? {
            return Ok(());
        }
    }
    Err(DatabaseError::Other(format!("{} logins like {} are there already", NUMBERS_TRIED, names.join(", "))))
}

fn are_free(transaction: &dyn Transaction, logins: &[&mut Login]) -> Result<bool, DatabaseError> {
    for login in logins {
        let taken = "select 1 from pg_roles where rolname = $1";
        if holds(transaction, taken, &[Parameter::Text(&login.name)])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Somebody else can make the same login at this moment: then all of them get the next number.
fn make_unless_taken(transaction: &dyn Transaction, logins: &[&mut Login]) -> Result<bool, DatabaseError> {
    transaction.execute("savepoint logins", &[])?;
    for login in logins {
        match transaction.execute(&statements::make_login(login), &[]) {
            Ok(_) => {}
            Err(DatabaseError::Duplicate) => {
                transaction.execute("rollback to savepoint logins", &[])?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    transaction.execute("release savepoint logins", &[])?;
    Ok(true)
}

fn run(transaction: &dyn Transaction, statements: &[String]) -> Result<(), DatabaseError> {
    statements.iter().try_for_each(|statement| transaction.execute(statement, &[]).map(|_| ()))
}

fn holds(
    transaction: &dyn Transaction,
    question: &str,
    parameters: &[Parameter<'_>],
) -> Result<bool, DatabaseError> {
    let mut found = false;
    transaction.query(question, parameters, &mut |_| {
        found = true;
        Ok(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_hold_no_password() {
        let password = || "s3cret-s3cret".to_owned();
        let logins = DataLogins::new("hr", password);
        let catalog = Login { name: CATALOG_LOGIN.into(), password: password() };
        let mut statements = catalog_statements("gatepost", &catalog.name, SchemaMaking::MakeIfMissing);
        statements.extend(data_statements(&logins, SchemaMaking::MakeIfMissing));
        for login in [&catalog, &logins.owner, &logins.read, &logins.write] {
            statements.push(make_login_if_missing(login));
        }
        let text = statements.join(";\n");
        assert!(text.contains("SCRAM-SHA-256$") && !text.contains("s3cret"), "{text}");
        assert!(!format!("{logins:?}").contains("s3cret"));
    }

    #[test]
    fn names_fit_with_their_numbers() {
        let logins = DataLogins::new(&"a".repeat(128), || "x".into());
        for name in [&logins.owner.name, &logins.read.name, &logins.write.name] {
            assert!(format!("{name}_{NUMBERS_TRIED}").len() <= NAME_LENGTH_MAX, "{name}");
        }
    }
}
