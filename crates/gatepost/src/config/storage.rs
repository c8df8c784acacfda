//! `[catalog]`, `[schemas.NAME]` and `[log]`: the three stores.

use super::section::section;

section! {
    /// Definitions and clients.
    CatalogStorage {
        /// `sqlite:FILE`, relative to the folder, or
        /// `postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?sslmode=verify-full&sslrootcert=FILE&passfile=FILE]`. Without
        /// `sslmode`: `verify-full`, on loopback `disable`; there is nothing between them. `file:FILE` reads the URL from
        /// a file.
        url: String = "sqlite:catalog.db".to_owned(),
        /// A file whose only content is the password of the URL's login, relative to the folder. The URL itself may hold
        /// the password when it comes from the environment.
        password_file: Option<std::path::PathBuf> = None,
        /// The schema of the catalog's tables on PostgreSQL.
        schema: String = "gatepost".to_owned(),
        /// How often other processes' commits are looked for, in milliseconds. Absent: 20 for SQLite, 1000 for
        /// PostgreSQL, which also tells of them at once.
        poll_ms: Option<u64> = None,
    }
}

section! {
    /// The data of one schema.
    SchemaStorage {
        /// `sqlite:FILE`, relative to the folder, or `postgres://…`: the login that queries run under, which needs no
        /// right to write. `file:FILE` reads the URL from a file. Absent: `data/NAME.db`.
        data: Option<String> = None,
        /// On PostgreSQL: the login that changes run under. Absent: that of `data`.
        data_write: Option<String> = None,
        /// On PostgreSQL: the login that scripts run under, the owner of the schema. Absent: that of `data_write`.
        data_owner: Option<String> = None,
        /// On PostgreSQL: the schema's name in the database. Absent: NAME.
        data_schema: Option<String> = None,
        /// On PostgreSQL: standbys that may answer GET, each by a URL of its own as in `data`. See the how-to page.
        replica_urls: Vec<String> = Vec::new(),
        /// On PostgreSQL: how old answers of standbys may be, in milliseconds; 100 to 600000. One that is not proven to be
        /// that fresh is left out.
        replica_max_lag_ms: u32 = 1_000,
        /// On PostgreSQL: connections for queries, on each server.
        readers: usize = 8,
        /// On PostgreSQL: connections for changes.
        writers: usize = 4,
        /// On PostgreSQL: how long a request waits for a connection, in milliseconds.
        wait_ms: u32 = 5_000,
        /// On PostgreSQL: tell the database who asks, in the settings `gatepost.client_id`, `gatepost.roles` (a JSON array)
        /// and `gatepost.claims` (a JSON object), for policies of row-level security.
        row_level_security: bool = false,
        /// On PostgreSQL: the role that handlers run under, assumed for each request. The logins must be members of it.
        /// Absent: the logins themselves.
        role: Option<String> = None,
        /// On PostgreSQL: roles by who calls, as pairs of a role in Gatepost and a role in the database:
        /// `[["hr_admin", "app_admin"], ["hr_reader", "app_reader"]]`. The first pair whose role the caller holds counts
        /// before `role`.
        caller_roles: Vec<(String, String)> = Vec::new(),
        /// On PostgreSQL: a pooler in transaction mode, such as pgbouncer, stands in front of the database. Nothing is
        /// prepared or set for longer than a transaction then.
        pgbouncer: bool = false,
        /// Zone of timestamps that carry none.
        time_zone: String = "UTC".to_owned(),
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What the access log keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessLog {
    /// Every request.
    #[default]
    All,
    /// Requests that were refused or failed.
    Refused,
    /// Nothing.
    Off,
}

section! {
    /// Logs.
    Log {
        /// Lines on standard error: "error", "warn", "info", "debug", or directives such as "gatepost=debug".
        level: String = "info".to_owned(),
        /// "text" or "json".
        format: LogFormat = LogFormat::Text,
        /// What the access log keeps: "all", "refused" or "off".
        access: AccessLog = AccessLog::All,
        /// The file of access log and audit trail, relative to the folder.
        file: std::path::PathBuf = "logs.db".into(),
        /// How long they keep records, in days.
        days: u32 = 30,
        /// How large their file may get, in MiB.
        size_mib: u64 = 512,
    }
}
