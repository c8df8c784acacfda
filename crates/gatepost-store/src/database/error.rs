//! Why a database of ours did not do what it was asked.

/// A failure of the catalog's or the logs' database, in terms an operator can act on.
#[derive(Debug)]
pub enum DatabaseError {
    /// There is no such database of ours, and this command does not make one.
    Missing(String),
    /// Another process holds a lock for longer than we wait, or the database has no connection left.
    Busy,
    /// The disk or its quota is full; nothing was changed.
    DiskFull,
    /// It is no database of ours, or is damaged.
    Broken(String),
    /// The file is empty, or its making was interrupted.
    Unfinished,
    /// A newer Gatepost made its tables.
    Newer {
        /// The version that they have.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// It cannot be opened or written: permissions, a missing folder, a server that is down.
    Unreachable(String),
    /// A unique rule of our tables was broken: two writers made the same thing.
    Duplicate,
    /// Anything else, as the driver says it.
    Other(String),
}

impl std::fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(place) => write!(f, "there is no catalog at {place}; `gatepost init` makes one"),
            Self::Busy => f.write_str("another process holds the database's write lock; try again"),
            Self::DiskFull => f.write_str("the disk is full; nothing was changed"),
            Self::Broken(what) => {
                write!(f, "the database is damaged or not a Gatepost database ({what}); restore it from a backup")
            }
            Self::Unfinished => f.write_str(
                "the file is empty or was never finished: restore it from a backup, or run the command that made it \
                 again",
            ),
            Self::Newer { found, known } => {
                write!(f, "the database has version {found}, this program knows {known}: use a newer Gatepost")
            }
            Self::Unreachable(why) => write!(f, "the database cannot be opened or written: {why}"),
            Self::Duplicate => f.write_str("two writers made the same object"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for DatabaseError {}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let Some(code) = error.sqlite_error_code() else { return Self::Other(error.to_string()) };
        match code {
            Code::DatabaseBusy | Code::DatabaseLocked => Self::Busy,
            Code::DiskFull => Self::DiskFull,
            Code::DatabaseCorrupt | Code::NotADatabase => Self::Broken(error.to_string()),
            Code::CannotOpen | Code::ReadOnly | Code::PermissionDenied | Code::SystemIoFailure => {
                Self::Unreachable(error.to_string())
            }
            Code::ConstraintViolation => Self::Duplicate,
            _ => Self::Other(error.to_string()),
        }
    }
}
