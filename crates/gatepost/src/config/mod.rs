//! The configuration: `gatepost.toml` in the folder, then `GATEPOST_*` variables, then flags.
//!
//! Built once and passed down; nothing else reads the environment. Unknown keys are refused. An empty file is a
//! complete configuration.

mod access;
mod egress;
mod limits;
mod replicas;
pub mod section;
mod server;
mod storage;
mod sync;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatepost_rest::render::Zone;
use gatepost_store::catalog::{CatalogPlace, PlaceOptions, is_postgres, redact};
use gatepost_store::data::{DataLocation, PostgresOptions};
use gatepost_store::provision::ClosedCatalog;
use http::Uri;

pub use access::{Access, Oauth, Secrets, UnprotectedRoutes};
pub use egress::Egress;
pub use limits::Limits;
pub use server::{Console, Server, Tls};
pub use storage::{AccessLog, CatalogStorage, Log, LogFormat, SchemaStorage};
pub use sync::Sync;

/// The file's name in the folder.
pub const CONFIG_FILE: &str = "gatepost.toml";

/// Variables with the prefix that are no configuration keys.
const OTHER_VARIABLES: [&str; 4] =
    ["GATEPOST_CONFIG", "GATEPOST_DATA", "GATEPOST_CLIENT_SECRET", "GATEPOST_KEYS"];

/// Everything an operator can set.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Marks a folder that `gatepost demo` made: it is never served beyond loopback.
    pub demo: bool,
    /// Where the program listens.
    pub server: Server,
    /// Pages for people.
    pub console: Console,
    /// TLS by this program.
    pub tls: Tls,
    /// Limits.
    pub limits: Limits,
    /// The lock.
    pub access: Access,
    /// The token endpoint.
    pub oauth: Oauth,
    /// Secrets and keys.
    pub secrets: Secrets,
    /// Calls to other people's APIs.
    pub egress: Egress,
    /// Copying of REST sources into tables.
    pub sync: Sync,
    /// Definitions and clients.
    pub catalog: CatalogStorage,
    /// Data, by schema.
    pub schemas: BTreeMap<String, SchemaStorage>,
    /// Logs.
    pub log: Log,
    /// Secrets from the environment, under the names of `egress.secret_env`.
    #[serde(skip)]
    pub secret_values: BTreeMap<String, secrecy::SecretString>,
    /// The folder that relative paths start from.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// Why a configuration was refused, with the place.
#[derive(Debug)]
pub struct ConfigError(String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file and the variables, and checks the result. `file` absent: `gatepost.toml` in `folder`, which
    /// may be missing.
    pub fn load(
        folder: &Path,
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let path = file.map_or_else(|| folder.join(CONFIG_FILE), Path::to_owned);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => String::new(),
            Err(error) => return Err(ConfigError(format!("{}: {error}", path.display()))),
        };
        let mut config = Self::parse(&text, variables)
            .map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        folder.clone_into(&mut config.folder);
        config.check()?;
        Ok(config)
    }

    fn parse(text: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let from_file: Self = toml::from_str(text).map_err(|error| place(&error, text))?;
        let mut table: toml::Table = toml::from_str(text).map_err(|error| place(&error, text))?;
        let mut names = Vec::new();
        for (name, value) in variables {
            if name.starts_with("GATEPOST_") && !OTHER_VARIABLES.contains(&name.as_str()) {
                overlay(&mut table, &name, &value)?;
                names.push(name);
            }
        }
        if names.is_empty() {
            return Ok(from_file);
        }
        table.try_into().map_err(|error| ConfigError(format!("with {}: {error}", names.join(", "))))
    }

    /// Checks what one key alone cannot say.
    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |text: &str| Err(ConfigError(text.to_owned()));
        if self.tls.certificate_file.is_some() != self.tls.private_key_file.is_some() {
            return refuse("tls.certificate_file and tls.private_key_file belong together");
        }
        if !self.server.context.starts_with('/')
            || self.server.context.len() < 2
            || self.server.context[1..].contains('/')
        {
            return refuse("server.context is one path segment with a leading slash, such as \"/ords\"");
        }
        if self.oauth.access_token_seconds == 0 {
            return refuse("oauth.access_token_seconds must be at least 1");
        }
        if self.oauth.access_token_seconds > 86_400 && !self.oauth.allow_long_tokens {
            return refuse(
                "oauth.access_token_seconds is more than a day; set oauth.allow_long_tokens to mean it",
            );
        }
        for (key, url) in [("server", &self.server.public_url), ("console", &self.console.public_url)] {
            if let Some(url) = url {
                check_public_url(key, url)?;
            }
        }
        self.check_counts()?;
        self.egress_policy()?;
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log.level) {
            return Err(ConfigError(format!("log.level: `{}`: {error}", self.log.level)));
        }
        if self.poll() > Duration::from_millis(u64::from(self.access.max_stale_seconds) * 500) {
            return refuse(
                "catalog.poll_ms must be at most half of access.max_stale_seconds: else everything that is not \
                 public is refused between two polls",
            );
        }
        for (name, storage) in &self.schemas {
            if Zone::parse(&storage.time_zone).is_none() {
                return Err(ConfigError(format!(
                    "schemas.{name}.time_zone: `{}` is no time zone",
                    storage.time_zone
                )));
            }
            self.check_replicas(name, storage)?;
        }
        self.catalog_place().map(|_| ())
    }

    /// Checks counts of things that are made at the start: none of them is endless.
    fn check_counts(&self) -> Result<(), ConfigError> {
        let (server, limits, oauth) = (&self.server, &self.limits, &self.oauth);
        for (key, count, least, most) in [
            ("server.drain_seconds", server.drain_seconds.unwrap_or(0) as usize, 0, 86_400),
            ("server.shutdown_seconds", server.shutdown_seconds as usize, 0, 86_400),
            ("limits.connections", limits.connections, 1, 1_000_000),
            ("limits.connections_per_address", limits.connections_per_address, 1, 1_000_000),
            ("limits.header_seconds", limits.header_seconds as usize, 1, 86_400),
            ("limits.header_bytes", limits.header_bytes, 1_024, 16 * 1024 * 1024),
            ("limits.readers", limits.readers, 1, 1_024),
            ("limits.streams", limits.streams, 1, 1_024),
            ("limits.queue", limits.queue, 1, 1_000_000),
            ("oauth.slow_checks", oauth.slow_checks, 1, 1_024),
            ("oauth.slow_checks_waiting", oauth.slow_checks_waiting, 0, 1_000_000),
            ("egress.requests_per_server", self.egress.requests_per_server, 1, 1_024),
            ("sync.runs", self.sync.runs, 0, 64),
            ("sync.lease_seconds", self.sync.lease_seconds as usize, 1, 3_600),
        ] {
            if !(least..=most).contains(&count) {
                return Err(ConfigError(format!("{key} is {count}: it must be from {least} to {most}")));
            }
        }
        Ok(())
    }

    /// Checks what only matters to a program that serves.
    pub fn check_serving(&self) -> Result<(), ConfigError> {
        self.check_console()?;
        let loopback = self.server.listen.ip().is_loopback();
        let refuse = |text: &str| Err(ConfigError(text.to_owned()));
        if loopback {
            return Ok(());
        }
        if self.demo {
            return refuse(
                "this folder is a demo; it is served on loopback only. `gatepost init` makes a real one",
            );
        }
        if self.server.public_url.is_none() {
            return refuse(
                "server.public_url is needed beyond loopback: it is the only source of issuer and links",
            );
        }
        if self.tls.certificate_file.is_none() && !self.server.plain_http {
            return refuse(
                "plain HTTP beyond loopback is refused: set tls.certificate_file and tls.private_key_file, or \
                 server.plain_http = true behind a proxy that ends TLS",
            );
        }
        Ok(())
    }

    fn check_console(&self) -> Result<(), ConfigError> {
        let Some(listen) = self.console.listen.filter(|listen| !listen.ip().is_loopback()) else {
            return Ok(());
        };
        let refuse = |text: &str| Err(ConfigError(text.to_owned()));
        if self.demo {
            return refuse("this folder is a demo; its console is served on loopback only");
        }
        if self.console.public_url.is_none() {
            return refuse(&format!("console.public_url is needed: {listen} is beyond loopback"));
        }
        if self.tls.certificate_file.is_none() && !self.server.plain_http {
            return refuse(
                "a console beyond loopback without TLS is refused: set tls.certificate_file and \
                 tls.private_key_file, or server.plain_http = true behind a proxy that ends TLS",
            );
        }
        Ok(())
    }

    /// The URL of the console's host, without a final slash; absent: there is none, because it is switched off or
    /// because it would share the host of public APIs (DESIGN decision 25).
    pub fn console_url(&self) -> Option<String> {
        let console = &self.console;
        if !console.enabled {
            return None;
        }
        if let Some(url) = &console.public_url {
            let url = url.trim_end_matches('/').to_owned();
            let shared = console.listen.is_none() && url.eq_ignore_ascii_case(&self.public_url());
            return (!shared || self.is_private()).then_some(url);
        }
        match console.listen {
            Some(listen) => Some(format!("{}://{listen}", self.scheme())),
            None => self.is_private().then(|| self.public_url()),
        }
    }

    /// Whether the APIs are reached from this machine only.
    fn is_private(&self) -> bool {
        self.server.listen.ip().is_loopback() && self.server.public_url.is_none()
    }

    fn scheme(&self) -> &'static str {
        if self.tls.certificate_file.is_some() { "https" } else { "http" }
    }

    /// The public URL without a final slash.
    pub fn public_url(&self) -> String {
        if let Some(url) = &self.server.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        format!("{}://{}", self.scheme(), self.server.listen)
    }

    /// A path of the configuration, from the folder.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Where the catalog is.
    pub fn catalog_place(&self) -> Result<CatalogPlace, ConfigError> {
        let options = PlaceOptions {
            folder: &self.folder,
            schema: &self.catalog.schema,
            password_file: self.catalog.password_file.as_deref(),
        };
        let url = self.url_or_file(&self.catalog.url)?;
        CatalogPlace::parse(&url, &options).map_err(|error| ConfigError(format!("catalog.url: {error}")))
    }

    /// Whether nodes on other machines can use the catalog too.
    pub fn catalog_is_shared(&self) -> bool {
        matches!(self.catalog_place(), Ok(CatalogPlace::Postgres(_)))
    }

    /// How often other processes' commits are looked for.
    pub fn poll(&self) -> Duration {
        let usual = if self.catalog_is_shared() { 1_000 } else { 20 };
        Duration::from_millis(self.catalog.poll_ms.unwrap_or(usual).max(1))
    }

    /// How long new connections are served after the signal to stop.
    pub fn drain(&self) -> Duration {
        let usual = if self.server.listen.ip().is_loopback() { 0 } else { 5 };
        Duration::from_secs(u64::from(self.server.drain_seconds.unwrap_or(usual)))
    }

    /// The file behind `sqlite:FILE`, from the folder.
    pub fn sqlite_path(&self, url: &str) -> Result<PathBuf, ConfigError> {
        match url.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(self.folder.join(path.trim_start_matches("//"))),
            _ => Err(ConfigError(format!("`{}` is not `sqlite:FILE`", redact(url)))),
        }
    }

    /// Where the data of this schema is.
    pub fn data_location(&self, schema: &str) -> Result<DataLocation, ConfigError> {
        let usual = SchemaStorage::default();
        let storage = self.schemas.get(schema).unwrap_or(&usual);
        let Some(url) = &storage.data else {
            return Ok(DataLocation::Sqlite(self.folder.join("data").join(format!("{schema}.db"))));
        };
        let reader_url = self.url_or_file(url)?;
        if !is_postgres(&reader_url) {
            return self.sqlite_path(&reader_url).map(DataLocation::Sqlite);
        }
        let url = |url: &Option<String>, otherwise: &str| match url {
            Some(url) => self.url_or_file(url),
            None => Ok(otherwise.to_owned()),
        };
        let writer_url = url(&storage.data_write, &reader_url)?;
        let owner_url = url(&storage.data_owner, &writer_url)?;
        let replica_urls = storage.replica_urls.iter().map(|url| self.url_or_file(url));
        let name = storage.data_schema.as_deref().unwrap_or(schema);
        Ok(DataLocation::Postgres(Box::new(PostgresOptions {
            writer_url,
            owner_url,
            replica_urls: replica_urls.collect::<Result<_, _>>()?,
            replica_max_lag: Duration::from_millis(u64::from(storage.replica_max_lag_ms)),
            readers_max: storage.readers,
            writers_max: storage.writers,
            wait: Duration::from_millis(u64::from(storage.wait_ms)),
            row_level_security: storage.row_level_security,
            role: storage.role.clone(),
            caller_roles: storage.caller_roles.clone(),
            pgbouncer: storage.pgbouncer,
            folder: self.folder.clone(),
            catalog: self.closed_catalog(&reader_url)?,
            ..PostgresOptions::new(reader_url, name)
        })))
    }

    /// The catalog that the logins of this data must not reach.
    fn closed_catalog(&self, data_url: &str) -> Result<Option<ClosedCatalog>, ConfigError> {
        let CatalogPlace::Postgres(catalog) = self.catalog_place()? else { return Ok(None) };
        let options = PlaceOptions::in_folder(&self.folder);
        let login = match CatalogPlace::parse(data_url, &options) {
            Ok(CatalogPlace::Postgres(data)) if data.shares_server(&catalog) => {
                catalog.user().map(str::to_owned)
            }
            // What is wrong with the URL is told by whoever opens it.
            _ => None,
        };
        Ok(Some(ClosedCatalog { schema: catalog.schema().to_owned(), login }))
    }

    /// A URL, or the one that a file holds.
    fn url_or_file(&self, url: &str) -> Result<String, ConfigError> {
        let Some(file) = url.strip_prefix("file:") else { return Ok(url.to_owned()) };
        let path = self.folder.join(file);
        std::fs::read_to_string(&path)
            .map(|text| text.trim().to_owned())
            .map_err(|error| ConfigError(format!("{}: {error}", path.display())))
    }

    /// The reference page, `docs/reference/configuration.md`.
    pub fn reference() -> String {
        let sections = [
            ("server", Server::keys()),
            ("console", Console::keys()),
            ("tls", Tls::keys()),
            ("limits", Limits::keys()),
            ("access", Access::keys()),
            ("oauth", Oauth::keys()),
            ("secrets", Secrets::keys()),
            ("egress", Egress::keys()),
            ("sync", Sync::keys()),
            ("catalog", CatalogStorage::keys()),
            ("schemas.NAME", SchemaStorage::keys()),
            ("log", Log::keys()),
        ];
        let mut page = String::from(include_str!("reference.md"));
        for (section, keys) in sections {
            let _ = write!(page, "\n## [{section}]\n\n| key | default | meaning |\n|---|---|---|\n");
            for key in keys {
                let default =
                    if key.default.is_empty() { "–".into() } else { format!("`{}`", key.default) };
                let _ = writeln!(page, "| `{}` | {default} | {} |", key.name, key.help);
            }
        }
        page
    }
}

/// What is wrong and where, without the line itself: it could hold a password.
fn place(error: &toml::de::Error, text: &str) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    ConfigError(format!("line {line}: {}", error.message()))
}

/// Sets `section.key` from `GATEPOST_SECTION_KEY`.
fn overlay(table: &mut toml::Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let lower = name["GATEPOST_".len()..].to_ascii_lowercase();
    let value = toml::from_str::<toml::Table>(&format!("v = {value}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("v"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut path: Vec<&str> = match lower.strip_prefix("schemas_") {
        Some(rest) => {
            let keys = SchemaStorage::keys();
            let names = keys.iter().filter_map(|key| rest.strip_suffix(key.name)?.strip_suffix('_'));
            // The longest key: what is left is the schema.
            let Some(schema) = names.min_by_key(|schema| schema.len()) else {
                return Err(ConfigError(format!("{name} names no key")));
            };
            vec!["schemas", schema, &rest[schema.len() + 1..]]
        }
        None => lower.splitn(2, '_').collect(),
    };
    let Some(key) = path.pop() else { return Err(ConfigError(format!("{name} names no key"))) };
    let mut place = table;
    for section in path {
        let entry = place.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let Some(inner) = entry.as_table_mut() else {
            return Err(ConfigError(format!("{name} names no section")));
        };
        place = inner;
    }
    place.insert(key.to_owned(), value);
    Ok(())
}

fn check_public_url(section: &str, url: &str) -> Result<(), ConfigError> {
    let parsed: Result<Uri, _> = url.parse();
    let plain = parsed.is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && matches!(uri.path_and_query().map_or("/", |path| path.as_str()), "/")
    });
    if plain {
        return Ok(());
    }
    Err(ConfigError(format!(
        "{section}.public_url is scheme, host and port only, such as \"https://api.example.com\""
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::parse(text, variables).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn unknown_keys_and_variables_are_refused() {
        assert!(parse("[server]\nlisen = 1", &[]).unwrap_err().contains("lisen"));
        assert!(parse("", &[("GATEPOST_SERVER_LISEN", "x")]).unwrap_err().contains("lisen"));
        assert!(parse("", &[("GATEPOST_NONSENSE", "x")]).unwrap_err().contains("nonsense"));
    }

    #[test]
    fn contradictions_are_refused() {
        for text in [
            "[tls]\ncertificate_file = \"a\"",
            "[server]\ncontext = \"ords\"",
            "[oauth]\naccess_token_seconds = 100000",
            "[server]\npublic_url = \"https://user@host\"",
            "[server]\npublic_url = \"https://host/path\"",
            "[catalog]\nurl = \"postgres://a:secret@b/c?sslmode=require\"",
            "[catalog]\nurl = \"mysql://a:secret@b/c\"",
            "[catalog]\nurl = \"postgres://a:secret@b/c\"\nschema = \"a b\"",
            "[schemas.hr]\ntime_zone = \"Mars/Base\"",
        ] {
            let error = parse(text, &[]).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_empty_file_is_complete_and_variables_beat_the_file() {
        assert_eq!(parse("", &[]).unwrap().server.listen.port(), 8080);
        let config = parse(
            "[server]\nlisten = \"127.0.0.1:1\"",
            &[("GATEPOST_SERVER_LISTEN", "127.0.0.1:2"), ("GATEPOST_SCHEMAS_HR_DATA", "sqlite:x.db")],
        )
        .unwrap();
        assert_eq!(config.server.listen.port(), 2);
        assert_eq!(config.schemas["hr"].data.as_deref(), Some("sqlite:x.db"));
    }

    #[test]
    fn serving_beyond_loopback_asks_for_a_public_url_and_tls() {
        let open = |text: &str| parse(&format!("demo = {text}"), &[]).unwrap().check_serving();
        let beyond = "[server]\nlisten = \"0.0.0.0:80\"\n";
        assert!(open("false").is_ok());
        assert!(open(&format!("false\n{beyond}")).is_err());
        assert!(open(&format!("false\n{beyond}public_url = \"https://a\"")).is_err());
        assert!(open(&format!("false\n{beyond}public_url = \"https://a\"\nplain_http = true")).is_ok());
        assert!(open(&format!("true\n{beyond}public_url = \"https://a\"\nplain_http = true")).is_err());
    }
}
