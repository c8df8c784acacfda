//! What machine and driver say to each other.

use std::collections::BTreeMap;

use crate::diagnostic::Position;
use crate::value::Value;

/// What the machine knows of its surroundings.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Environment {
    /// The value of `USER`, and of the names of users and schemas in `SYS_CONTEXT('USERENV', …)`.
    pub user: String,
    /// The value of `SYSDATE`; without it, using it is an error.
    pub sysdate: Option<String>,
    /// The value of `SYSTIMESTAMP`; without it, using it is an error.
    pub systimestamp: Option<String>,
    /// Further values of `SYS_CONTEXT('USERENV', …)`, by name in capitals. They come before `user`.
    pub context: BTreeMap<String, String>,
}

impl Environment {
    /// An environment that knows the user only.
    pub fn new(user: impl Into<String>) -> Self {
        Self { user: user.into(), ..Self::default() }
    }
}

/// What the machine needs from its driver. Each step but the last is answered through
/// [`Machine::resume`](crate::Machine::resume).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A call. Answer: [`Answer::Value`], or [`Answer::Done`] if no value is wanted, or [`Answer::Failed`].
    Call(Call),
    /// A name of a package without parentheses, in an expression: a constant, or a function without
    /// arguments. Answer: [`Answer::Value`] or [`Answer::Failed`].
    Constant {
        /// The package in lower case.
        package: String,
        /// The name in lower case.
        name: String,
        /// Where it stands.
        position: Position,
    },
    /// A query. Answer: [`Answer::Rows`], [`Answer::Table`] or [`Answer::Failed`].
    Query {
        /// The query; variables are named binds such as `:l_name`.
        sql: String,
        /// The binds and their values.
        binds: Vec<(String, Value)>,
        /// Where it stands.
        position: Position,
        /// How many rows are of use.
        rows: RowsWanted,
    },
    /// A statement that changes data. Answer: [`Answer::Affected`] or [`Answer::Failed`].
    Execute {
        /// The statement; variables are named binds such as `:l_name`.
        sql: String,
        /// The binds and their values.
        binds: Vec<(String, Value)>,
        /// Where it stands.
        position: Position,
    },
    /// `COMMIT`. Answer: [`Answer::Done`], [`Answer::Failed`], or none.
    Commit,
    /// `ROLLBACK`. Answer: [`Answer::Done`], [`Answer::Failed`], or none.
    Rollback,
    /// A line of output. Answer: [`Answer::Done`], or none.
    Output(String),
    /// The block is over.
    Done,
}

/// How many rows a query is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsWanted {
    /// Exactly one; a second row in the answer raises `TOO_MANY_ROWS`, further ones are of no use.
    One,
    /// All of them.
    Many,
}

/// A call of a subprogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The package in lower case, without the schemas `ORDS_METADATA` and `SYS`.
    pub package: Option<String>,
    /// The subprogram in lower case.
    pub name: String,
    /// The arguments as they are written.
    pub arguments: Vec<Argument>,
    /// Where the call stands.
    pub position: Position,
    /// Whether it is a function whose value is used.
    pub wants_value: bool,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The parameter's name in lower case, if it is written; positional arguments come first.
    pub name: Option<String>,
    /// Its value.
    pub value: Value,
    /// Where it stands.
    pub position: Position,
}

/// What the driver answers to a [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The value of a function or constant.
    Value(Value),
    /// Rows of a query. In a query loop their columns have the names that the query shows.
    Rows(Vec<Vec<Value>>),
    /// Rows of a query with the names of the columns; needed for loops over `SELECT *`.
    Table {
        /// The names, in any case.
        columns: Vec<String>,
        /// The rows.
        rows: Vec<Vec<Value>>,
    },
    /// How many rows a statement changed.
    Affected(u64),
    /// It is done.
    Done,
    /// It failed: an exception that the block may catch.
    Failed(Raised),
}

/// An exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Its code, such as -20049.
    pub code: i32,
    /// What is wrong.
    pub message: String,
    /// The word that was probably meant.
    pub suggestion: Option<String>,
    /// Where it is, if that is not the place of the call.
    pub position: Option<Position>,
}

impl Raised {
    /// The code of mistakes in the script itself. No handler catches them, as they would not compile in
    /// Oracle: a misspelt call must not vanish in `WHEN OTHERS THEN NULL`.
    pub const MISTAKE: i32 = -6550;

    /// An exception with a code.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), suggestion: None, position: None }
    }

    /// A mistake in the script, such as an unknown subprogram or parameter. No handler catches it.
    pub fn mistake(message: impl Into<String>) -> Self {
        Self::new(Self::MISTAKE, message)
    }

    /// Adds the word that was probably meant.
    #[must_use]
    pub fn with_suggestion(self, suggestion: impl Into<String>) -> Self {
        Self { suggestion: Some(suggestion.into()), ..self }
    }

    /// Says where it is.
    #[must_use]
    pub fn at(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }
}
