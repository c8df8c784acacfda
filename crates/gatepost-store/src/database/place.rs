//! Where a database of ours is, read from a URL.

use std::path::{Path, PathBuf};

use super::postgres::PostgresPlace;

/// Where a catalog is: a SQLite file, or a schema of a PostgreSQL database. Printing it shows no password.
#[derive(Clone, Debug)]
pub enum CatalogPlace {
    /// `sqlite:FILE`.
    Sqlite(PathBuf),
    /// `postgres://…`.
    Postgres(Box<PostgresPlace>),
}

/// Why a URL was refused. Quotes no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceError(pub(crate) String);

impl std::fmt::Display for PlaceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlaceError {}

/// What a URL alone does not say.
#[derive(Clone, Debug)]
pub struct PlaceOptions<'a> {
    /// The folder that relative paths start from.
    pub folder: &'a Path,
    /// The schema of the catalog's tables on PostgreSQL.
    pub schema: &'a str,
    /// A file whose only content is the password.
    pub password_file: Option<&'a Path>,
}

impl<'a> PlaceOptions<'a> {
    /// The schema when none is named.
    pub const SCHEMA: &'static str = "gatepost";

    /// A folder, the usual schema, and no password file.
    pub fn in_folder(folder: &'a Path) -> Self {
        Self { folder, schema: Self::SCHEMA, password_file: None }
    }
}

impl CatalogPlace {
    /// Reads `sqlite:FILE` or `postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?KEY=VALUE&…]`. Touches no file.
    pub fn parse(url: &str, options: &PlaceOptions<'_>) -> Result<Self, PlaceError> {
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(options.folder.join(path.trim_start_matches("//"))));
        }
        if is_postgres(url) {
            return Ok(Self::Postgres(Box::new(PostgresPlace::parse(url, options)?)));
        }
        Err(PlaceError(format!("`{}` is neither `sqlite:FILE` nor `postgres://…`", redact(url))))
    }
}

impl From<&Path> for CatalogPlace {
    fn from(path: &Path) -> Self {
        Self::Sqlite(path.to_owned())
    }
}

impl std::fmt::Display for CatalogPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(place) => place.fmt(f),
        }
    }
}

/// Whether this is the URL of a PostgreSQL database.
pub fn is_postgres(url: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
}

/// The URL without its password.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.split_once('@') {
        Some((login, place)) => {
            format!("{scheme}://{}@{place}", login.split_once(':').map_or(login, |(user, _)| user))
        }
        None => url.to_owned(),
    }
}

/// The URL of the same database for another login.
pub fn for_login(url: &str, user: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{user}@{place}")
}

/// A URL without what could be a password, and without its parameters.
pub fn redact(url: &str) -> String {
    let url = match url.rfind(['?', '@']) {
        Some(at) if url[at..].starts_with('?') => &url[..at],
        _ => url,
    };
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}***{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}
