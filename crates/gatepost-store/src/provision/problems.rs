//! What is wrong with a login that runs handlers.

use super::Administrator;
use crate::catalog::{CatalogPlace, PostgresPlace};
use crate::database::{DatabaseError, Parameter};

/// Groups that reach files and programs of the database's machine.
const SERVER_GROUPS: [&str; 3] =
    ["pg_read_server_files", "pg_write_server_files", "pg_execute_server_program"];

/// What is wrong with a login that runs handlers: it must not be able to read the catalog or leave the database.
pub fn data_login_problems(
    data: &PostgresPlace,
    catalog: &CatalogPlace,
) -> Result<Vec<String>, DatabaseError> {
    let login = Administrator::connect(data)?;
    let mut problems = login_problems(&login)?;
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

/// What a login may do beyond its database.
pub fn login_problems(login: &Administrator) -> Result<Vec<String>, DatabaseError> {
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
    Ok(problems)
}
