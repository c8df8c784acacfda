//! Our tables on PostgreSQL, and the row that says which version they have.

use std::time::Duration;

use super::{PostgresDatabase, quoted};
use crate::database::{Access, DatabaseError, Migration, Parameter, Transaction};

/// Two processes that make the same tables at the same moment: one of them looks again.
const ATTEMPTS: u32 = 5;

pub(super) fn bring_to_newest(
    database: &PostgresDatabase,
    migrations: &[Migration],
    create: bool,
) -> Result<(), DatabaseError> {
    for _ in 1..ATTEMPTS {
        match attempt(database, migrations, create) {
            Err(DatabaseError::Duplicate) => std::thread::sleep(Duration::from_millis(100)),
            outcome => return outcome,
        }
    }
    attempt(database, migrations, create)
}

fn attempt(database: &PostgresDatabase, migrations: &[Migration], create: bool) -> Result<(), DatabaseError> {
    let newest = migrations.last().map_or(0, |migration| migration.version);
    let schema = database.place.schema();
    let tables = database.transaction(Access::Read, |transaction| Tables::look(transaction, schema))?;
    match tables {
        Tables::Ours if database.table_version()? == newest => return Ok(()),
        Tables::Foreign => {
            return Err(DatabaseError::Broken(format!("schema {schema} holds tables of another program")));
        }
        Tables::NoSchema | Tables::None if !create => {
            return Err(DatabaseError::Missing(database.place.to_string()));
        }
        Tables::Ours | Tables::NoSchema | Tables::None => {}
    }
    database.transaction(Access::Write, |transaction| {
        if tables == Tables::NoSchema {
            transaction.execute(&format!("create schema {}", quoted(schema)), &[])?;
        }
        let found = lock_version(transaction)?;
        if found > newest {
            return Err(DatabaseError::Newer { found, known: newest });
        }
        for migration in migrations.iter().filter(|migration| migration.version > found) {
            for statement in statements(migration.postgres.unwrap_or_default()) {
                transaction.execute(statement, &[])?;
            }
            let version = Parameter::Integer(migration.version);
            transaction.execute("update catalog_version set version = $1 where id = 1", &[version])?;
        }
        Ok(())
    })
}

/// Makes the version row when it is missing and locks it: further processes wait here.
fn lock_version(transaction: &dyn Transaction) -> Result<i64, DatabaseError> {
    // That the table is there is no news.
    transaction.execute("set local client_min_messages = warning", &[])?;
    transaction.execute(
        "create table if not exists catalog_version (id bigint primary key check (id = 1), version bigint not null)",
        &[],
    )?;
    transaction.execute(
        "insert into catalog_version (id, version) values (1, 0) on conflict (id) do nothing",
        &[],
    )?;
    let mut found = 0;
    transaction.query("select version from catalog_version where id = 1 for update", &[], &mut |row| {
        found = row.integer(0)?;
        Ok(())
    })?;
    Ok(found)
}

/// What is in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tables {
    NoSchema,
    None,
    Ours,
    Foreign,
}

impl Tables {
    fn look(transaction: &dyn Transaction, schema: &str) -> Result<Self, DatabaseError> {
        let schema = [Parameter::Text(schema)];
        let (mut schemas, mut tables, mut ours) = (0, 0, 0);
        transaction.query(
            "select count(*) from pg_catalog.pg_namespace where nspname = $1",
            &schema,
            &mut |row| {
                schemas = row.integer(0)?;
                Ok(())
            },
        )?;
        transaction.query(
            "select count(*), count(case when table_name = 'catalog_version' then 1 end)
             from information_schema.tables where table_schema = $1",
            &schema,
            &mut |row| {
                (tables, ours) = (row.integer(0)?, row.integer(1)?);
                Ok(())
            },
        )?;
        Ok(match (schemas, tables, ours) {
            (0, ..) => Self::NoSchema,
            (_, 0, _) => Self::None,
            (_, _, 0) => Self::Foreign,
            _ => Self::Ours,
        })
    }
}

/// The statements of a migration. Ours hold no semicolon but at the end of a statement.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').filter(|part| {
        part.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with("--"))
    })
}
