//! The SQL that makes logins and gives them their rights. It can be read, printed and run again.

use super::{DataLogins, Login};
use crate::database::postgres::quoted;

/// Whether a schema has to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaMaking {
    /// There is none: another one that makes it at the same moment is a failure.
    Make,
    /// It is there.
    Keep,
    /// Nobody has looked.
    MakeIfMissing,
}

/// All of it as one transaction, for somebody else to read and run.
pub fn printed(catalog_schema: &str, catalog: &Login, data: &[DataLogins]) -> Vec<String> {
    let making = SchemaMaking::MakeIfMissing;
    let mut statements = vec!["begin".to_owned(), make_login_if_missing(catalog)];
    let rights = self::catalog(catalog_schema, &catalog.name, making);
    statements.extend(as_member(&quoted(&catalog.name), rights));
    for logins in data {
        statements.extend([&logins.owner, &logins.read, &logins.write].map(make_login_if_missing));
        statements.extend(as_member(&quoted(&logins.owner.name), self::data(logins, making)));
    }
    statements.push("commit".to_owned());
    statements
}

/// The statement that makes a login. Its password is sent as a SCRAM verifier.
pub(super) fn make_login(login: &Login) -> String {
    let verifier = literal(&postgres_protocol::password::scram_sha_256(login.password.as_bytes()));
    format!("create role {} login password {verifier}", quoted(&login.name))
}

/// The statement that makes a login unless there is a role of its name, which keeps its password: it may be another
/// installation's.
fn make_login_if_missing(login: &Login) -> String {
    let name = literal(&login.name);
    let make = make_login(login);
    let body = format!(
        "begin
  if exists (select from pg_roles where rolname = {name}) then
    raise notice 'role % is there already and keeps its password', {name};
  else
    {make};
  end if;
end"
    );
    format!("do {}", dollar_quoted(&body))
}

/// The statements that make the catalog's schema for its login.
pub(super) fn catalog(schema: &str, login: &str, making: SchemaMaking) -> Vec<String> {
    let (role, name) = (quoted(login), quoted(schema));
    let mut statements: Vec<String> = make_schema(&name, &role, making).into_iter().collect();
    statements.push(format!("revoke all on schema {name} from public"));
    statements
}

/// The statements that make a schema for its logins, or give them their rights in one that is there.
pub(super) fn data(logins: &DataLogins, making: SchemaMaking) -> Vec<String> {
    let name = quoted(&logins.schema);
    let [owner, read, write] = [&logins.owner, &logins.read, &logins.write].map(|login| quoted(&login.name));
    let mut statements = vec![format!("alter role {read} set default_transaction_read_only = on")];
    statements.extend(make_schema(&name, &owner, making));
    statements.extend([
        format!("grant usage on schema {name} to {read}, {write}"),
        format!("grant usage, create on schema {name} to {owner}"),
        format!("grant select on all tables in schema {name} to {read}, {write}, {owner}"),
        format!("grant insert, update, delete on all tables in schema {name} to {write}, {owner}"),
        format!("grant references on all tables in schema {name} to {owner}"),
        format!("grant usage, select on all sequences in schema {name} to {write}"),
        format!("grant usage, select, update on all sequences in schema {name} to {owner}"),
        later_tables(&logins.schema, [&owner, &read, &write]),
    ]);
    statements
}

/// The statement that gives rights on what the schema's owner, or the login that scripts run under, makes later.
fn later_tables(schema: &str, [owner, read, write]: [&str; 3]) -> String {
    let (name, text) = (quoted(schema), literal(schema));
    let alter = |grant: String| {
        let rest = literal(&format!(" in schema {name} {grant}"));
        format!("execute 'alter default privileges for role ' || maker || {rest};")
    };
    let for_both = [
        alter(format!("grant select on tables to {read}, {write}")),
        alter(format!("grant insert, update, delete on tables to {write}")),
        alter(format!("grant usage, select on sequences to {write}")),
    ];
    let for_owner = [
        alter(format!("grant select, insert, update, delete, references on tables to {owner}")),
        alter(format!("grant usage, select, update on sequences to {owner}")),
    ];
    let scripts = literal(owner);
    let body = format!(
        "declare
  maker text;
begin
  for maker in
    select quote_ident(pg_get_userbyid(nspowner)) from pg_namespace where nspname = {text} union select {scripts}
  loop
    {}
    if maker::regrole <> {scripts}::regrole then
      {}
    end if;
  end loop;
end",
        for_both.join("\n    "),
        for_owner.join("\n      "),
    );
    format!("do {}", dollar_quoted(&body))
}

/// Who makes a schema for another role, or says what is to hold for what it makes later, must be a member of it.
pub(super) fn as_member(role: &str, statements: Vec<String>) -> Vec<String> {
    let mut all = vec![format!("grant {role} to current_user")];
    all.extend(statements);
    all.push(format!("revoke {role} from current_user"));
    all
}

fn make_schema(name: &str, role: &str, making: SchemaMaking) -> Option<String> {
    match making {
        SchemaMaking::Make => Some(format!("create schema {name} authorization {role}")),
        SchemaMaking::Keep => None,
        SchemaMaking::MakeIfMissing => {
            Some(format!("create schema if not exists {name} authorization {role}"))
        }
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A body between dollar signs; names may hold dollar signs, too.
fn dollar_quoted(body: &str) -> String {
    let mut tag = "$$".to_owned();
    let mut number = 0;
    while body.contains(&tag) {
        number += 1;
        tag = format!("$_{number}$");
    }
    format!("{tag} {body} {tag}")
}
