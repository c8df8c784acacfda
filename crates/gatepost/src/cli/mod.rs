//! The command line: one command a file. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

mod audit;
mod catalog_url;
mod check_config;
mod copy_catalog;
mod data_logins;
mod data_url;
mod demo;
mod demo_sources;
mod describe;
mod diff;
mod explain;
mod export;
mod init;
mod init_db;
mod keys;
mod log;
mod login_files;
mod migrate;
mod new_folder;
mod serve;
mod since;
mod source;
mod sql;
mod terminal;
mod token;
mod url_argument;
mod usage;
mod user;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::app::clock::Clock;
use crate::app::key_file::KeySource;
use crate::app::{App, KEYS_VARIABLE, Open};
use crate::config::{CONFIG_FILE, Config, LogFormat};
use crate::script::table;
use terminal::Unwritten;

const EXAMPLES: &str = "\
First steps:
  gatepost demo                                   a sample API with its lock, and how to call it
  gatepost init shop --data-url sqlite:shop.db --schema shop
  gatepost sql --data shop --schema shop definitions.sql
  gatepost serve --data shop

Every command works beside a running server on the same folder.";

/// Publishes SQL as REST APIs and keeps the door locked.
#[derive(Debug, Parser)]
#[command(name = "gatepost", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a sample installation, walk through it and serve it on loopback.
    Demo(demo::Demo),
    /// Start an installation on an existing database.
    Init(init::Init),
    /// Print or apply the SQL that makes Gatepost's logins in a PostgreSQL database.
    InitDb(init_db::InitDb),
    /// Serve the APIs.
    Serve(serve::Serve),
    /// Run a script of definitions, queries and changes: SQL Commands in the terminal.
    Sql(sql::Sql),
    /// Print a schema's definitions as a script that loads into an empty server.
    Export(export::Export),
    /// Show what a script would change, and who would get in where.
    Diff(diff::Diff),
    /// Print what a schema publishes as an OpenAPI document or a Postman collection.
    Describe(describe::Describe),
    /// Say who may make a request, and why.
    Explain(explain::Explain),
    /// List what to look at: public handlers, locks that nobody opens, old secrets.
    Audit(audit::Audit),
    /// Get an access token from a token endpoint.
    Token(token::Token),
    /// Propose, define and test REST sources, read their rows, copy them into tables.
    Source(source::Source),
    /// Make, change, list and remove those who may sign in to the console.
    User(user::User),
    /// Read configuration, keys and catalog, and say what is wrong.
    CheckConfig(check_config::CheckConfig),
    /// Bring the catalog's tables to this version.
    Migrate(migrate::Migrate),
    /// Copy a catalog to another database.
    CopyCatalog(copy_catalog::CopyCatalog),
    /// List, rotate and remove keys.
    Keys(keys::Keys),
    /// Show requests of the access log, the audit trail, or changes of the catalog.
    Log(log::Log),
    /// Show what each client and each handler came to.
    Usage(usage::Usage),
}

/// Which installation a command works on.
#[derive(Clone, Debug, Args)]
struct Place {
    /// The folder with gatepost.toml, catalog, keys and data.
    #[arg(long, value_name = "DIR", env = "GATEPOST_DATA")]
    data: Option<PathBuf>,
    /// A configuration file elsewhere; its folder counts unless --data names one.
    #[arg(long, value_name = "FILE", env = "GATEPOST_CONFIG")]
    config: Option<PathBuf>,
}

impl Place {
    fn folder(&self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.data {
            return Ok(folder.clone());
        }
        if let Some(file) = &self.config {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            return Ok(folder.unwrap_or(Path::new(".")).to_owned());
        }
        if Path::new(CONFIG_FILE).exists() {
            return Ok(PathBuf::from("."));
        }
        bail!(
            "there is no {CONFIG_FILE} in this folder; name the installation with --data DIR, or make one with `gatepost init`"
        )
    }

    fn load(&self) -> anyhow::Result<Config> {
        load_config(&self.folder()?, self.config.as_deref())
    }

    /// Opens an existing installation.
    fn open(&self) -> anyhow::Result<App> {
        let config = self.load()?;
        start_logging(&config);
        let keys = key_source(&config);
        App::open(config, keys, Clock::System, Open::Existing)
    }
}

/// Reads the configuration. The one place that reads the environment.
fn load_config(folder: &Path, file: Option<&Path>) -> anyhow::Result<Config> {
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        // Names and values of other programs can be any bytes.
        let Some(name) = name.to_str().filter(|name| name.starts_with("GATEPOST_")) else { continue };
        let Ok(value) = value.into_string() else { bail!("variable {name} is not UTF-8") };
        variables.push((name.to_owned(), value));
    }
    let mut config = Config::load(folder, file, variables)?;
    // Secrets of credentials, under the names that the operator lists.
    for name in config.egress.secret_env.keys() {
        if let Some(value) = std::env::var_os(name) {
            let Ok(value) = value.into_string() else { bail!("variable {name} is not UTF-8") };
            config.secret_values.insert(name.clone(), value.into());
        }
    }
    Ok(config)
}

#[expect(clippy::disallowed_methods, reason = "keys can come from the environment instead of a file")]
fn key_source(config: &Config) -> KeySource {
    match std::env::var(KEYS_VARIABLE) {
        Ok(text) => KeySource::Variable(text),
        Err(_) => KeySource::File(config.path(&config.secrets.key_file)),
    }
}

/// Log lines go to standard error; standard output belongs to what a command prints.
fn start_logging(config: &Config) {
    let level = tracing_subscriber::EnvFilter::try_new(&config.log.level)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_ansi(ansi)
        .with_writer(std::io::stderr)
        // A line that cannot be written, on a full disk, would be complained about there, with a panic.
        .log_internal_errors(false);
    // A second call, in a test that runs several commands, keeps the first subscriber.
    let _ = match config.log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    if std::env::args_os().len() < 2 {
        terminal::tell(Cli::command().render_help());
        return ExitCode::from(2);
    }
    let outcome = match Cli::parse().command {
        Command::Demo(command) => command.run(),
        Command::Init(command) => command.run(),
        Command::InitDb(command) => command.run(),
        Command::CopyCatalog(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Sql(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Diff(command) => command.run(),
        Command::Describe(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Source(command) => command.run(),
        Command::User(command) => command.run(),
        Command::CheckConfig(command) => command.run(),
        Command::Migrate(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Log(command) => command.run(),
        Command::Usage(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.downcast_ref::<Unwritten>().is_some_and(Unwritten::is_closed) {
                terminal::tell(format_args!("gatepost: {error:#}"));
            }
            ExitCode::FAILURE
        }
    }
}
