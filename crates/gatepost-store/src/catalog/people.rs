//! Sign-ins of the console and what users keep there. Not part of the snapshot: a page of the console reads them.

use gatepost_rest::definition::Id;

use super::{CatalogStore, DatabaseError};
use crate::database::{Access, Parameter, Row, Transaction};

/// Sign-ins of one user at a time; with one more, the one that was not seen for longest ends.
const SIGN_INS_MAX: i64 = 50;

/// Somebody who is signed in with one browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// SHA-256 of the cookie's token, base64url without padding.
    pub id: String,
    /// Who.
    pub user_id: Id,
    /// The user's generation then.
    pub generation: u64,
    /// When (milliseconds since 1970).
    pub made_on_ms: i64,
    /// When it was used last, to the minute.
    pub seen_on_ms: i64,
    /// When it ends.
    pub expires_on_ms: i64,
    /// When the password was last given.
    pub confirmed_on_ms: i64,
    /// From which address it was made.
    pub address: String,
    /// With which browser.
    pub user_agent: String,
}

/// What an item of the console is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleItemKind {
    /// A script that was run.
    SqlHistory,
    /// A script that was saved under a name.
    SavedSql,
    /// A request that was tried.
    TryHistory,
    /// A finding of the audit that somebody accepts.
    AcceptedFinding,
}

/// Something that a user keeps in the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleItem {
    /// Random.
    pub id: u64,
    /// Whose it is.
    pub user_id: Id,
    /// The schema that it is about; 0: none.
    pub schema_id: Id,
    /// What it is.
    pub kind: ConsoleItemKind,
    /// Its name; empty for what just happened. A named item takes the place of the one of that name.
    pub name: String,
    /// When (milliseconds since 1970).
    pub at_ms: i64,
    /// What it says, in a form that its page knows.
    pub body: String,
}

impl ConsoleItem {
    /// Bytes of a body, at most.
    pub const BODY_BYTES_MAX: usize = 64 * 1024;
}

impl ConsoleItemKind {
    const ALL: [Self; 4] = [Self::SqlHistory, Self::SavedSql, Self::TryHistory, Self::AcceptedFinding];

    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SqlHistory => "sql history",
            Self::SavedSql => "saved sql",
            Self::TryHistory => "try history",
            Self::AcceptedFinding => "accepted finding",
        }
    }

    /// How many a user keeps; the oldest go first.
    pub fn kept(self) -> u32 {
        match self {
            Self::SqlHistory | Self::SavedSql => 200,
            Self::TryHistory => 50,
            Self::AcceptedFinding => 1_000,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl CatalogStore {
    /// Keeps a sign-in, and forgets those that have ended.
    pub fn add_sign_in(&self, sign_in: &SignIn) -> Result<(), DatabaseError> {
        self.database.transaction(Access::Write, |transaction| {
            transaction.execute(
                "delete from console_sign_in where expires_at_ms <= $1",
                &[Parameter::Integer(sign_in.made_on_ms)],
            )?;
            let user = Parameter::Integer(sign_in.user_id as i64);
            transaction.execute(
                "delete from console_sign_in where id in
                   (select id from console_sign_in where user_id = $1
                    order by seen_at_ms desc, id limit 1000000 offset $2)",
                &[user, Parameter::Integer(SIGN_INS_MAX - 1)],
            )?;
            transaction.execute(
                "insert into console_sign_in
                   (id, user_id, generation, made_at_ms, seen_at_ms, expires_at_ms, confirmed_at_ms, address, user_agent)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                &[
                    Parameter::Text(&sign_in.id),
                    user,
                    Parameter::Integer(sign_in.generation as i64),
                    Parameter::Integer(sign_in.made_on_ms),
                    Parameter::Integer(sign_in.seen_on_ms),
                    Parameter::Integer(sign_in.expires_on_ms),
                    Parameter::Integer(sign_in.confirmed_on_ms),
                    Parameter::Text(&sign_in.address),
                    Parameter::Text(&sign_in.user_agent),
                ],
            )?;
            Ok(())
        })
    }

    /// The sign-in of this id, ended or not.
    pub fn find_sign_in(&self, id: &str) -> Result<Option<SignIn>, DatabaseError> {
        let mut found = None;
        self.database.transaction(Access::Read, |transaction| {
            transaction.query(
                "select id, user_id, generation, made_at_ms, seen_at_ms, expires_at_ms, confirmed_at_ms, address, user_agent
                 from console_sign_in where id = $1",
                &[Parameter::Text(id)],
                &mut |row| {
                    found = Some(sign_in(row)?);
                    Ok(())
                },
            )
        })?;
        Ok(found)
    }

    /// The sign-ins of a user, the one that was used last first.
    pub fn list_sign_ins(&self, user_id: Id) -> Result<Vec<SignIn>, DatabaseError> {
        let mut found = Vec::new();
        self.database.transaction(Access::Read, |transaction| {
            transaction.query(
                "select id, user_id, generation, made_at_ms, seen_at_ms, expires_at_ms, confirmed_at_ms, address, user_agent
                 from console_sign_in where user_id = $1 order by seen_at_ms desc, id",
                &[Parameter::Integer(user_id as i64)],
                &mut |row| {
                    found.push(sign_in(row)?);
                    Ok(())
                },
            )
        })?;
        Ok(found)
    }

    /// Notes that a sign-in was used.
    pub fn touch_sign_in(&self, id: &str, now_ms: i64) -> Result<(), DatabaseError> {
        self.change_sign_in(
            "update console_sign_in set seen_at_ms = $2 where id = $1",
            &[Parameter::Text(id), Parameter::Integer(now_ms)],
        )
    }

    /// Notes that the password was given again.
    pub fn confirm_sign_in(&self, id: &str, now_ms: i64) -> Result<(), DatabaseError> {
        self.change_sign_in(
            "update console_sign_in set confirmed_at_ms = $2 where id = $1",
            &[Parameter::Text(id), Parameter::Integer(now_ms)],
        )
    }

    /// Ends a sign-in of this user.
    pub fn end_sign_in(&self, user_id: Id, id: &str) -> Result<(), DatabaseError> {
        self.change_sign_in(
            "delete from console_sign_in where id = $1 and user_id = $2",
            &[Parameter::Text(id), Parameter::Integer(user_id as i64)],
        )
    }

    /// Ends all sign-ins of a user.
    pub fn end_sign_ins(&self, user_id: Id) -> Result<(), DatabaseError> {
        self.change_sign_in(
            "delete from console_sign_in where user_id = $1",
            &[Parameter::Integer(user_id as i64)],
        )
    }

    fn change_sign_in(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<(), DatabaseError> {
        self.database
            .transaction(Access::Write, |transaction| transaction.execute(sql, parameters).map(|_| ()))
    }

    /// The newest 1,000 items of a kind, the newest first: of one user or of all, about one schema or about all.
    pub fn list_console_items(
        &self,
        kind: ConsoleItemKind,
        user_id: Option<Id>,
        schema_id: Option<Id>,
    ) -> Result<Vec<ConsoleItem>, DatabaseError> {
        let mut found = Vec::new();
        let id = |id: Option<Id>| Parameter::Integer(id.map_or(-1, |id| id as i64));
        self.database.transaction(Access::Read, |transaction| {
            transaction.query(
                "select id, user_id, schema_id, kind, name, at_ms, body from console_item
                 where kind = $1 and (user_id = $2 or $2 = -1) and (schema_id = $3 or $3 = -1)
                 order by at_ms desc, id limit 1000",
                &[Parameter::Text(kind.as_str()), id(user_id), id(schema_id)],
                &mut |row| {
                    found.push(item(row)?);
                    Ok(())
                },
            )
        })?;
        Ok(found)
    }

    /// Keeps an item, and forgets what the user has too many of. An item of the same name, about the same schema, is
    /// replaced.
    pub fn put_console_item(&self, item: &ConsoleItem) -> Result<(), DatabaseError> {
        let (user, kind) = (Parameter::Integer(item.user_id as i64), Parameter::Text(item.kind.as_str()));
        let (schema, name) = (Parameter::Integer(item.schema_id as i64), Parameter::Text(&item.name));
        self.database.transaction(Access::Write, |transaction| {
            transaction.execute(
                "delete from console_item
                 where user_id = $1 and kind = $2 and schema_id = $3 and name = $4 and name <> ''",
                &[user, kind, schema, name],
            )?;
            let (id, at) = (Parameter::Integer(item.id as i64), Parameter::Integer(item.at_ms));
            transaction.execute(
                "insert into console_item (id, user_id, schema_id, kind, name, at_ms, body)
                 values ($1, $2, $3, $4, $5, $6, $7)",
                &[id, user, schema, kind, name, at, Parameter::Text(&item.body)],
            )?;
            transaction.execute(
                "delete from console_item where id in
                   (select id from console_item where user_id = $1 and kind = $2
                    order by at_ms desc, id limit 1000000 offset $3)",
                &[user, kind, Parameter::Integer(i64::from(item.kind.kept()))],
            )?;
            Ok(())
        })
    }

    /// Deletes an item of this user; says whether there was one.
    pub fn delete_console_item(&self, user_id: Id, id: u64) -> Result<bool, DatabaseError> {
        self.database.transaction(Access::Write, |transaction| {
            let of_user = [Parameter::Integer(id as i64), Parameter::Integer(user_id as i64)];
            let deleted =
                transaction.execute("delete from console_item where id = $1 and user_id = $2", &of_user)?;
            Ok(deleted == 1)
        })
    }

    /// Forgets sign-ins and items of a user who is gone. What that user accepted stays accepted.
    pub fn forget_user(&self, user_id: Id) -> Result<(), DatabaseError> {
        self.database.transaction(Access::Write, |transaction| forget(transaction, user_id))
    }
}

fn forget(transaction: &dyn Transaction, user_id: Id) -> Result<(), DatabaseError> {
    let user = Parameter::Integer(user_id as i64);
    transaction.execute("delete from console_sign_in where user_id = $1", &[user])?;
    let accepted = Parameter::Text(ConsoleItemKind::AcceptedFinding.as_str());
    transaction.execute("delete from console_item where user_id = $1 and kind <> $2", &[user, accepted])?;
    Ok(())
}

fn sign_in(row: &dyn Row) -> Result<SignIn, DatabaseError> {
    Ok(SignIn {
        id: row.text(0)?,
        user_id: row.integer(1)? as u64,
        generation: row.integer(2)? as u64,
        made_on_ms: row.integer(3)?,
        seen_on_ms: row.integer(4)?,
        expires_on_ms: row.integer(5)?,
        confirmed_on_ms: row.integer(6)?,
        address: row.text(7)?,
        user_agent: row.text(8)?,
    })
}

fn item(row: &dyn Row) -> Result<ConsoleItem, DatabaseError> {
    let kind = row.text(3)?;
    Ok(ConsoleItem {
        id: row.integer(0)? as u64,
        user_id: row.integer(1)? as u64,
        schema_id: row.integer(2)? as u64,
        kind: ConsoleItemKind::parse(&kind)
            .ok_or_else(|| DatabaseError::Broken(format!("a console item is of unknown kind {kind}")))?,
        name: row.text(4)?,
        at_ms: row.integer(5)?,
        body: row.text(6)?,
    })
}
