//! What can go wrong, in the words of this store. The engines map their databases' codes to it.

/// The file could not be opened or prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataError {
    /// Opening failed; text for the operator.
    Open(String),
    /// Another process holds the file.
    Busy,
}

/// A plan could not be executed. Texts are for the handler's owner, never for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecuteError {
    /// The statement does something that handlers may not do, or cannot be shown by its source type.
    NotRunnable(String),
    /// The database does not know a table, column or function of the statement yet. The handler is defined and runs
    /// as soon as they are there.
    NotCompiled {
        /// The database's words.
        message: String,
    },
    /// The statement failed.
    Statement {
        /// The database's words.
        message: String,
    },
    /// The change breaks a rule of the data.
    Constraint {
        /// Which kind of rule.
        kind: ConstraintKind,
        /// The database's words.
        message: String,
    },
    /// The database does not take a value of the request; the caller may read this.
    Parameter {
        /// The name of the parameter on the wire.
        name: String,
        /// What is wrong with its value.
        message: String,
    },
    /// The database refuses it to this caller, whom it knows by row-level security or by a role.
    Denied(String),
    /// It ran longer than it may.
    Timeout,
    /// Too much waits already, or another process holds the lock.
    Busy,
    /// The answer, or a value in it, is larger than it may be.
    TooLarge,
    /// The disk is full.
    Full,
    /// The file is damaged, or cannot be read or written.
    Corrupt(String),
    /// The database cannot be reached.
    Unavailable(String),
    /// An output bind holds what cannot be sent.
    BadOutput(String),
    /// The precondition of a change does not hold.
    Outdated,
    /// The caller went away, or the store is closed.
    Stopped,
    /// The program itself failed.
    Panic,
}

impl ExecuteError {
    /// A value of the wrong type is the caller's fault when the caller sent one, and the statement's when not.
    pub(super) fn whoever_sent(self, values_sent: bool) -> Self {
        match self {
            Self::Constraint { kind: ConstraintKind::DataType, message } if !values_sent => {
                Self::Statement { message }
            }
            other => other,
        }
    }
}

/// A kind of rule that data obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintKind {
    /// UNIQUE or PRIMARY KEY
    Unique,
    /// FOREIGN KEY
    ForeignKey,
    /// CHECK
    Check,
    /// NOT NULL
    NotNull,
    /// A value of the wrong type for its column.
    DataType,
    /// A trigger's `raise`, or another rule.
    Other,
}

impl std::fmt::Display for DataError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(message) => f.write_str(message),
            Self::Busy => f.write_str("another process holds the data file"),
        }
    }
}

impl std::error::Error for DataError {}

impl std::fmt::Display for ExecuteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotRunnable(message)
            | Self::NotCompiled { message }
            | Self::Statement { message }
            | Self::Constraint { message, .. }
            | Self::Corrupt(message)
            | Self::Denied(message)
            | Self::Unavailable(message)
            | Self::BadOutput(message) => f.write_str(message),
            Self::Parameter { name, message } => write!(f, "parameter `{name}`: {message}"),
            Self::Timeout => f.write_str("the statement ran longer than it may"),
            Self::Busy => f.write_str("the data store is busy"),
            Self::TooLarge => f.write_str("the answer is larger than it may be"),
            Self::Full => f.write_str("the disk is full"),
            Self::Outdated => f.write_str("the precondition of the change does not hold"),
            Self::Stopped => f.write_str("the execution was stopped"),
            Self::Panic => f.write_str("the program failed while executing"),
        }
    }
}

impl std::error::Error for ExecuteError {}
