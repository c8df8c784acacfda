//! Logins and grants on PostgreSQL: one login for the catalog, which nobody else may read, and three for the data of
//! each schema: one that owns it and runs scripts, one that only reads and one that writes.

mod check;
mod power;
mod statements;
mod work;

use crate::catalog::PostgresPlace;
use crate::database::postgres::PostgresDatabase;
use crate::database::{Access, DatabaseError, Parameter};

pub use check::{DataLogin, Finding, Purpose, Weight, check_login, find_power};
pub use power::ClosedCatalog;
pub(crate) use power::{Power, QUESTION as POWER, parameters as power_parameters, typed as power_types};
pub use statements::printed;
pub use work::Provision;

/// The login that owns the catalog.
pub const CATALOG_LOGIN: &str = "gatepost_catalog";

/// PostgreSQL cuts longer names off.
const NAME_LENGTH_MAX: usize = 63;

/// What a name's beginning, its end and a number or an ending of one's own around a schema's name take.
const AROUND_SCHEMA: usize = "gatepost__owner_".len() + ENDING_LENGTH_MAX;

/// How long an ending of one's own may be.
const ENDING_LENGTH_MAX: usize = 8;

/// A login to make, with its password.
#[derive(Clone)]
pub struct Login {
    /// Its name.
    pub name: String,
    /// Its password, which is sent and printed as a SCRAM verifier only.
    pub password: String,
}

impl Login {
    /// Adds an ending to the name, of which the first eight characters count: for names that must be free without a look.
    pub fn end_with(&mut self, ending: &str) {
        self.name = format!("{}_{}", self.name, ending.get(..ENDING_LENGTH_MAX).unwrap_or(ending));
    }
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

/// Whether a login that is to be made may get another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// A name that is taken gets a number: the role can be another installation's.
    Free,
    /// The role of this name is ours; it is made if it is missing and else keeps its password.
    Ours,
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

    /// Whether there is a role of this name.
    pub fn has_role(&self, name: &str) -> Result<bool, DatabaseError> {
        self.holds("select 1 from pg_roles where rolname = $1", &[Parameter::Text(name)])
    }

    /// Whether this login may make schemas in its database.
    pub fn may_make_schemas(&self) -> Result<bool, DatabaseError> {
        self.holds("select 1 where has_database_privilege(current_database(), 'create')", &[])
    }

    /// The schema of this name, if there is one.
    pub fn find_schema(&self, name: &str) -> Result<Option<SchemaFound>, DatabaseError> {
        self.0.transaction(Access::Read, |transaction| Provision(transaction).find_schema(name))
    }

    /// Makes logins and schemas in one transaction, which ends well if `work` does.
    pub fn provision<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&Provision<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.transaction(Access::Write, |transaction| work(&Provision(transaction)))
    }

    fn holds(&self, question: &str, parameters: &[Parameter<'_>]) -> Result<bool, DatabaseError> {
        self.0.transaction(Access::Read, |transaction| Provision(transaction).holds(question, parameters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_hold_no_password() {
        let password = || "s3cret-s3cret".to_owned();
        let logins = DataLogins::new("hr", password);
        let catalog = Login { name: CATALOG_LOGIN.into(), password: password() };
        let statements = printed("gatepost", &catalog, std::slice::from_ref(&logins));
        let text = statements.join(";\n");
        assert!(text.contains("SCRAM-SHA-256$") && !text.contains("s3cret"), "{text}");
        assert!(!format!("{logins:?}").contains("s3cret"));
    }

    #[test]
    fn names_fit_with_their_numbers() {
        let logins = DataLogins::new(&"a".repeat(128), || "x".into());
        for name in [&logins.owner.name, &logins.read.name, &logins.write.name] {
            assert!(format!("{name}_{}", work::NUMBERS_TRIED).len() <= NAME_LENGTH_MAX, "{name}");
            let mut login = Login { name: name.clone(), password: String::new() };
            login.end_with("123456789");
            assert!(login.name.len() <= NAME_LENGTH_MAX && login.name.ends_with("_12345678"), "{login:?}");
        }
    }
}
