//! Where a database of ours is, read from a URL.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

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
    let parts = Parts::of(url);
    let user = parts.login.map(|login| login.split_once(':').map_or(login, |(user, _)| user).to_owned());
    parts.with(user.as_deref(), &["password"])
}

/// The URL of the same database for another login. A password file belongs to the login before.
pub fn for_login(url: &str, user: &str, password: Option<&str>) -> String {
    let parts = Parts::of(url);
    let mut login = utf8_percent_encode(user, ENCODED).to_string();
    if let Some(password) = password {
        login = format!("{login}:{}", utf8_percent_encode(password, ENCODED));
    }
    let login = Some(login.as_str());
    parts.named_database().with(login, &["user", "password", "passfile"])
}

/// What a name or a password in a URL cannot hold as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// A PostgreSQL URL as it is written.
struct Parts<'a> {
    scheme: &'a str,
    login: Option<&'a str>,
    /// Hosts and database.
    place: Cow<'a, str>,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (scheme, rest) = base.split_once("://").unwrap_or(("postgres", base));
        let (login, place) = rest.split_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        Self { scheme, login, place: place.into(), query }
    }

    /// A URL that names no database means one of the login's name.
    fn named_database(mut self) -> Self {
        let named = self.place.split_once('/').is_some_and(|(_, name)| !name.is_empty());
        if !named && self.value("dbname").is_none() {
            let user = self.login.map(|login| login.split_once(':').map_or(login, |(user, _)| user));
            if let Some(user) = user.or_else(|| self.value("user")) {
                self.place = format!("{}/{user}", self.place.trim_end_matches('/')).into();
            }
        }
        self
    }

    fn value(&self, wanted: &str) -> Option<&'a str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == wanted).map(|(_, value)| value).next_back()
    }

    /// The URL with this login and without these keys.
    fn with(&self, login: Option<&str>, without: &[&str]) -> String {
        let key = |pair: &str| pair.split_once('=').map_or(pair, |(key, _)| key).to_owned();
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        let pairs: Vec<&str> = pairs.filter(|pair| !without.contains(&key(pair).as_str())).collect();
        let login = login.map_or(String::new(), |login| format!("{login}@"));
        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
        format!("{}://{login}{}{query}", self.scheme, self.place)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_for_another_login_keeps_the_place_and_nothing_of_the_login_before() {
        for (url, wanted) in [
            (
                "postgres://root:s3cret@h:1,i:2/app?sslrootcert=ca.pem",
                "postgres://me_2:p-w@h:1,i:2/app?sslrootcert=ca.pem",
            ),
            (
                "postgres://root:s3cret@h/app?passfile=x&password=s3cret&user=root",
                "postgres://me_2:p-w@h/app",
            ),
            ("postgres://root:s3cret@h", "postgres://me_2:p-w@h/root"),
            ("postgres://root@h/", "postgres://me_2:p-w@h/root"),
            ("postgres://h?user=root&connect_timeout=1", "postgres://me_2:p-w@h/root?connect_timeout=1"),
            ("postgres://root@h?dbname=app", "postgres://me_2:p-w@h?dbname=app"),
        ] {
            assert_eq!(for_login(url, "me_2", Some("p-w")), wanted, "{url}");
        }
        assert_eq!(for_login("postgres://h/app", "a#b", None), "postgres://a%23b@h/app");
    }

    #[test]
    fn a_url_without_its_password_is_otherwise_the_same() {
        for (url, wanted) in [
            ("postgres://me:s3cret@h/app?passfile=x", "postgres://me@h/app?passfile=x"),
            ("postgres://h/app?user=me&password=s3cret", "postgres://h/app?user=me"),
            ("postgres://me@h:5/app", "postgres://me@h:5/app"),
        ] {
            assert_eq!(without_password(url), wanted);
        }
    }
}
