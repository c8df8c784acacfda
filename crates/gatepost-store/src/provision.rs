//! Logins and grants on PostgreSQL: one login for the catalog, which nobody else may read, and two for the data of
//! each schema, one that only reads and one that writes.

use crate::catalog::{CatalogPlace, PostgresPlace};
use crate::database::postgres::{PostgresDatabase, quoted};
use crate::database::{Access, DatabaseError, Parameter};

/// The login that owns the catalog.
pub const CATALOG_LOGIN: &str = "gatepost_catalog";

/// Groups that reach files and programs of the database's machine.
const SERVER_GROUPS: [&str; 3] =
    ["pg_read_server_files", "pg_write_server_files", "pg_execute_server_program"];

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
    /// Reads.
    pub read: Login,
    /// Reads and writes.
    pub write: Login,
}

/// Names of the two logins of a schema's data: the one that reads and the one that writes.
pub fn data_login_names(schema: &str) -> [String; 2] {
    [format!("gatepost_{schema}_read"), format!("gatepost_{schema}_write")]
}

/// The statements that make the catalog's login and schema.
pub fn catalog_statements(schema: &str, login: &Login) -> Vec<String> {
    let (role, schema) = (quoted(&login.name), quoted(schema));
    let mut statements = login_statements(login);
    statements.extend([
        // Who makes a schema for another role must be a member of it.
        format!("grant {role} to current_user"),
        format!("create schema if not exists {schema} authorization {role}"),
        format!("revoke all on schema {schema} from public"),
        format!("revoke {role} from current_user"),
    ]);
    statements
}

/// The statements that make the logins of a schema's data, and the schema when there is none.
pub fn data_statements(logins: &DataLogins) -> Vec<String> {
    let (schema, text) = (quoted(&logins.schema), literal(&logins.schema));
    let (read, write) = (quoted(&logins.read.name), quoted(&logins.write.name));
    let mut statements = login_statements(&logins.read);
    statements.extend(login_statements(&logins.write));
    statements.extend([
        format!("alter role {read} set default_transaction_read_only = on"),
        format!("grant {write} to current_user"),
        format!("create schema if not exists {schema} authorization {write}"),
        format!("grant usage on schema {schema} to {read}, {write}"),
        format!("grant select on all tables in schema {schema} to {read}, {write}"),
        format!("grant insert, update, delete on all tables in schema {schema} to {write}"),
        format!("grant usage, select on all sequences in schema {schema} to {write}"),
        // Tables that the schema's owner makes later.
        format!(
            "do $$ declare owner text; begin
  select quote_ident(pg_get_userbyid(nspowner)) into owner from pg_namespace where nspname = {text};
  execute format('alter default privileges for role %s in schema {schema} grant select on tables to {read}, {write}', owner);
  execute format('alter default privileges for role %s in schema {schema} grant insert, update, delete on tables to {write}', owner);
  execute format('alter default privileges for role %s in schema {schema} grant usage, select on sequences to {write}', owner);
end $$"
        ),
        format!("revoke {write} from current_user"),
    ]);
    statements
}

fn login_statements(login: &Login) -> Vec<String> {
    let (role, name) = (quoted(&login.name), literal(&login.name));
    let verifier = literal(&postgres_protocol::password::scram_sha_256(login.password.as_bytes()));
    vec![
        format!(
            "do $$ begin if not exists (select from pg_roles where rolname = {name}) then create role {role}; end if; end $$"
        ),
        format!("alter role {role} with login password {verifier}"),
    ]
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A connection of somebody who makes logins.
#[derive(Debug)]
pub struct Administrator(PostgresDatabase);

impl Administrator {
    /// Connects.
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

    /// Runs statements in one transaction.
    pub fn apply(&self, statements: &[String]) -> Result<(), DatabaseError> {
        self.0.transaction(Access::Write, |transaction| {
            statements.iter().try_for_each(|statement| transaction.execute(statement, &[]).map(|_| ()))
        })
    }

    fn holds(&self, question: &str, parameters: &[Parameter<'_>]) -> Result<bool, DatabaseError> {
        let mut found = false;
        self.0.transaction(Access::Read, |transaction| {
            transaction.query(question, parameters, &mut |_| {
                found = true;
                Ok(())
            })
        })?;
        Ok(found)
    }
}

/// What is wrong with a login that runs handlers: it must not be able to read the catalog or leave the database.
pub fn data_login_problems(
    data: &PostgresPlace,
    catalog: &CatalogPlace,
) -> Result<Vec<String>, DatabaseError> {
    let login = Administrator::connect(data)?;
    let mut problems = Vec::new();
    if login.holds("select 1 from pg_roles where rolname = current_user and rolsuper", &[])? {
        problems.push("it is a superuser".to_owned());
    }
    for group in SERVER_GROUPS {
        let member = "select 1 from pg_roles where rolname = $1 and pg_has_role(current_user, oid, 'member')";
        if login.holds(member, &[Parameter::Text(group)])? {
            problems.push(format!("it is a member of {group}"));
        }
    }
    if let CatalogPlace::Postgres(catalog) = catalog {
        let schema = [Parameter::Text(catalog.schema())];
        let owner =
            "select 1 from pg_namespace where nspname = $1 and pg_has_role(current_user, nspowner, 'member')";
        if login.holds(owner, &schema)? {
            problems.push(format!(
                "it is a member of the role that owns the catalog's schema {}",
                catalog.schema()
            ));
        }
        let usage = "select 1 from pg_namespace where nspname = $1 and has_schema_privilege(oid, 'usage')";
        if login.holds(usage, &schema)? {
            problems.push(format!("it may use the catalog's schema {}", catalog.schema()));
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_hold_no_password() {
        let login = |name: &str| Login { name: name.into(), password: "s3cret-s3cret".into() };
        let [read, write] = data_login_names("hr");
        let logins = DataLogins { schema: "hr".into(), read: login(&read), write: login(&write) };
        let mut statements = catalog_statements("gatepost", &login(CATALOG_LOGIN));
        statements.extend(data_statements(&logins));
        let text = statements.join(";\n");
        assert!(text.contains("SCRAM-SHA-256$") && !text.contains("s3cret"), "{text}");
        assert!(!format!("{logins:?}").contains("s3cret"));
    }
}
