//! A PostgreSQL URL: what the driver reads of it, and what we read ourselves (TLS, password files).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::servers::servers_of;
use crate::database::DatabaseError;
use crate::database::place::{PlaceError, PlaceOptions, redact};

/// How long a connection may take to open, all hosts together.
const CONNECT_TIME: Duration = Duration::from_secs(3);
const CONNECT_TIME_OF_HOST_MIN: Duration = Duration::from_millis(500);

/// The schema's name is also a part of a channel's name.
const SCHEMA_LENGTH_MAX: usize = 40;

/// A PostgreSQL database, a login for it and a schema in it.
#[derive(Clone, Debug)]
pub struct PostgresPlace {
    config: Config,
    tls: TlsMode,
    schema: String,
    password_file: Option<PathBuf>,
    passfile: Option<PathBuf>,
}

/// Two modes that say what they do. The modes of libpq between them encrypt without knowing for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TlsMode {
    /// Plain.
    Disable,
    /// The certificate and its host name are checked, against these roots or the system's.
    VerifyFull { roots: Option<PathBuf> },
}

impl PostgresPlace {
    pub(crate) fn parse(url: &str, options: &PlaceOptions<'_>) -> Result<Self, PlaceError> {
        let refuse = |why: &str| Err(PlaceError(format!("`{}`: {why}", redact(url))));
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        if query.contains('@') && !base.contains('@') {
            return refuse("a `?` in a password is written %3F");
        }
        let (mut mode, mut roots, mut passfile, mut rest) = (None, None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let value = pair.split_once('=').map_or("", |(_, value)| value);
            match pair.split_once('=').map_or(pair, |(key, _)| key) {
                "sslmode" => mode = Some(value),
                "sslrootcert" => roots = Some(value).filter(|value| *value != "system"),
                "passfile" => passfile = Some(options.folder.join(value)),
                _ => rest.push(pair),
            }
        }
        let Ok(mut config) = format!("{base}?{}", rest.join("&")).parse::<Config>() else {
            return refuse(
                "it cannot be read; it is postgres://USER:PASSWORD@HOST:PORT/DATABASE?KEY=VALUE, with special \
                 characters of the password as %XX",
            );
        };
        let name = options.schema;
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > SCHEMA_LENGTH_MAX || !name.chars().all(good) {
            return refuse("the name of its schema is at most 40 of a to z, 0 to 9 and _");
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return refuse("it names no host");
        }
        let roots = roots.map(|file| options.folder.join(file));
        let tls = match mode {
            Some("disable") if roots.is_none() => TlsMode::Disable,
            None if roots.is_none() && is_local(&config) => TlsMode::Disable,
            Some("verify-full") | None => TlsMode::VerifyFull { roots },
            Some("disable") => return refuse("sslrootcert says nothing with sslmode=disable"),
            Some(_) => {
                return refuse(
                    "sslmode is verify-full or disable; the modes between them encrypt without knowing for whom. \
                     Name the authority of the server's certificate with sslrootcert=FILE",
                );
            }
        };
        settle(&mut config, &tls);
        Ok(Self {
            config,
            tls,
            schema: options.schema.to_owned(),
            password_file: options.password_file.map(|file| options.folder.join(file)),
            passfile,
        })
    }

    /// The schema of our tables.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The login.
    pub fn user(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// The password that the URL itself holds.
    pub fn password(&self) -> Option<String> {
        self.config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// How many servers the URL names.
    pub fn servers(&self) -> usize {
        servers_of(&self.config)
    }

    /// Whether only a server that takes writes will do.
    pub(crate) fn wants_writable(&self) -> bool {
        self.config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite
    }

    /// Hosts and database, without the login.
    pub fn database(&self) -> String {
        let hosts: Vec<String> = self.hosts().collect();
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("postgres://{}/{database}", hosts.join(","))
    }

    /// Whether both are the same login of the same server.
    pub fn is_same_login(&self, other: &Self) -> bool {
        self.user() == other.user() && self.shares_server(other)
    }

    /// Whether both name one server.
    pub fn shares_server(&self, other: &Self) -> bool {
        self.hosts().any(|server| other.hosts().any(|other| server == other))
    }

    fn hosts(&self) -> impl Iterator<Item = String> {
        hosts(&self.config)
            .map(|(host, port)| if host.starts_with('/') { host } else { format!("{host}:{port}") })
    }

    /// What a connection is opened with. Files are read now, so that a renewed password or certificate is used.
    pub(crate) fn connector(&self) -> Result<(Config, MakeRustlsConnect), DatabaseError> {
        let mut config = self.config.clone();
        if let Some(file) = &self.password_file {
            let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
            config.password(text.trim_end_matches(['\r', '\n']));
        } else if let Some(file) = &self.passfile {
            let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
            if let Some(password) = find_password(&text, &self.config) {
                config.password(password);
            }
        }
        let roots = match &self.tls {
            TlsMode::Disable => RootCertStore::empty(),
            TlsMode::VerifyFull { roots: Some(file) } => read_roots(file)?,
            TlsMode::VerifyFull { roots: None } => system_roots(),
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| DatabaseError::Other(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok((config, MakeRustlsConnect::new(tls)))
    }
}

impl std::fmt::Display for PostgresPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, schema {}", self.database(), self.schema)
    }
}

/// Sets what the URL leaves open.
fn settle(config: &mut Config, tls: &TlsMode) {
    config.ssl_mode(if *tls == TlsMode::Disable { SslMode::Disable } else { SslMode::Require });
    if config.get_application_name().is_none() {
        config.application_name("gatepost");
    }
    if config.get_connect_timeout().is_none() {
        let servers = u32::try_from(servers_of(config)).unwrap_or(u32::MAX).max(1);
        config.connect_timeout((CONNECT_TIME / servers).max(CONNECT_TIME_OF_HOST_MIN));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(8));
    }
    config.keepalives_idle(Duration::from_secs(5));
    config.keepalives_interval(Duration::from_secs(2));
    config.keepalives_retries(2);
    // Of several servers only the one that takes writes will do.
    let several = servers_of(config) > 1;
    if several && config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
}

fn is_local(config: &Config) -> bool {
    config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
        && config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => {
                name == "localhost"
                    || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_) => true,
        })
}

fn unreadable(file: &Path, error: &dyn std::fmt::Display) -> DatabaseError {
    DatabaseError::Unreachable(format!("{}: {error}", file.display()))
}

fn read_roots(file: &Path) -> Result<RootCertStore, DatabaseError> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(file, &error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unreadable(file, &error))?;
        roots.add(certificate).map_err(|error| unreadable(file, &error))?;
    }
    if roots.is_empty() {
        return Err(unreadable(file, &"it holds no certificate"));
    }
    Ok(roots)
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The password of the first line `host:port:database:user:password` that fits, as libpq reads its password file. Of
/// several servers the first one that has a line decides: they hold the same roles.
fn find_password(text: &str, config: &Config) -> Option<String> {
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    let lines: Vec<Vec<String>> = text.lines().filter(|line| !line.starts_with('#')).map(fields).collect();
    hosts(config).find_map(|(host, port)| {
        let host = if host.starts_with('/') { "localhost".to_owned() } else { host };
        let wanted = [host, port.to_string(), database.to_owned(), user.to_owned()];
        lines.iter().find_map(|line| {
            let (password, place) = line.split_last()?;
            let fits = place.len() == wanted.len()
                && place.iter().zip(&wanted).all(|(field, wanted)| field == "*" || field == wanted);
            fits.then(|| password.clone())
        })
    })
}

/// The servers' names and ports: a name, an address, or the path of a socket.
fn hosts(config: &Config) -> impl Iterator<Item = (String, u16)> {
    (0..servers_of(config)).map(|server| {
        let ports = config.get_ports();
        let port = ports.get(server).or(ports.first()).copied().unwrap_or(5432);
        let name = match config.get_hosts().get(server) {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => config.get_hostaddrs().get(server).map(ToString::to_string).unwrap_or_default(),
        };
        (name, port)
    })
}

/// The five fields of a line; `\:` and `\\` stand for themselves.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            '\\' => fields[last].extend(characters.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            other => fields[last].push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PostgresPlace, String> {
        PostgresPlace::parse(url, &PlaceOptions::in_folder(Path::new("/folder"))).map_err(|error| error.0)
    }

    #[test]
    fn modes_that_only_look_safe_are_refused_and_remote_hosts_are_verified() {
        assert_eq!(parse("postgres://a@localhost/b").unwrap().tls, TlsMode::Disable);
        assert_eq!(parse("postgres://a@10.0.0.1/b").unwrap().tls, TlsMode::VerifyFull { roots: None });
        let roots = Some("/folder/ca.pem".into());
        assert_eq!(
            parse("postgres://a@127.0.0.1/b?sslrootcert=ca.pem").unwrap().tls,
            TlsMode::VerifyFull { roots }
        );
        assert_eq!(parse("postgres://a@10.0.0.1/b?sslmode=disable").unwrap().tls, TlsMode::Disable);
        for mode in ["allow", "prefer", "require", "verify-ca"] {
            assert!(parse(&format!("postgres://a@h/b?sslmode={mode}")).unwrap_err().contains("verify-full"));
        }
    }

    #[test]
    fn no_error_and_no_print_shows_a_password() {
        for url in [
            "postgres://a:s3cret@h/b?nonsense=1",
            "postgres://a:s3cret@h:99999999/b",
            "postgres://a:s3cret?x@h/b",
            "postgres://h/b?password=s3cret&sslmode=require",
            "postgres://a:s3cret@",
            "mysql://a:s3cret@h/b",
        ] {
            let options = PlaceOptions::in_folder(Path::new("."));
            let error = super::super::super::CatalogPlace::parse(url, &options).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        let place = parse("postgres://a:s3cret@h:1,i:2/b?application_name=x").unwrap();
        assert_eq!(place.to_string(), "postgres://h:1,i:2/b, schema gatepost");
        assert!(!format!("{place:?}").contains("s3cret"));
        assert_eq!(place.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    }

    #[test]
    fn each_server_of_a_url_is_asked_as_the_url_says() {
        let url = "postgres://a:s3cret@h:1,i:2/b?application_name=x&options=-c%20y%3Dz&keepalives=0&\
                   tcp_user_timeout=4&keepalives_retries=7&channel_binding=require&load_balance_hosts=random";
        let place = parse(url).unwrap();
        let each = super::super::servers::each_server(&place.config);
        for (server, (host, port)) in [("h", 1), ("i", 2)].into_iter().enumerate() {
            let parameters = url.split_once('?').unwrap().1;
            let alone = format!("postgres://a:s3cret@{host}:{port}/b?{parameters}");
            let mut wanted: Config = alone.parse().unwrap();
            settle(&mut wanted, &place.tls);
            wanted.connect_timeout(CONNECT_TIME / 2);
            assert_eq!(each[server], wanted);
        }
        assert_eq!(each.len(), 2);
        assert!(place.wants_writable());
        assert_eq!(parse("postgres://a@h/b").unwrap().servers(), 1);
    }

    #[test]
    fn a_password_file_is_read_as_libpq_reads_it() {
        let place = parse("postgres://anna@h:5/b").unwrap();
        let text = "# h:5:b:anna:no\nother:5:b:anna:no\n*:*:b:anna:a\\:b\\\\c:d\n*:*:*:*:late\n";
        assert_eq!(find_password(text, &place.config).unwrap(), "a:b\\c:d");
        let place = parse("postgres://anna@h:5,i:6/b").unwrap();
        assert_eq!(find_password("i:6:b:anna:second\nj:6:b:anna:no", &place.config).unwrap(), "second");
        assert_eq!(find_password("i:5:b:anna:no", &place.config), None);
        let place = parse("postgres://anna@/b?hostaddr=127.0.0.1,127.0.0.2&port=1,2").unwrap();
        assert_eq!(find_password("127.0.0.2:2:*:*:x", &place.config).unwrap(), "x");
        assert_eq!(place.database(), "postgres://127.0.0.1:1,127.0.0.2:2/b");
    }
}
