//! `gatepost init`: a folder with configuration, keys, an empty catalog and one enabled schema.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use gatepost_store::catalog::{is_postgres, without_password};
use gatepost_store::data::{DataOptions, DataStore};

use super::terminal::say;
use super::{catalog_url, key_source, load_config, start_logging};
use crate::app::clock::Clock;
use crate::app::key_file::write_private;
use crate::app::{App, Open};
use crate::config::{CONFIG_FILE, Config, SchemaStorage};
use crate::script::{self, ScriptOptions};

/// Start an installation on an existing database.
///
/// Makes DIR with gatepost.toml, a key file and an empty catalog, and enables the schema. Running it again on the
/// same folder changes nothing that is there.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder to make.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the data is: `sqlite:FILE` or `postgres://USER@HOST/DATABASE`.
    #[arg(long, value_name = "URL")]
    data_url: String,
    /// The schema's name; also the first part of its URLs.
    #[arg(long, value_name = "NAME")]
    schema: String,
    /// Make the database file when it does not exist.
    #[arg(long)]
    create: bool,
    /// Where the catalog is: `postgres://…`; without it, a SQLite file in the folder. A login that may make logins is
    /// used once, to make the catalog's own.
    #[arg(long, value_name = "URL")]
    catalog_url: Option<String>,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let schema = gatepost_rest::definition::Schema::check_name(&self.schema)?;
        let data = absolute_data_url(&self.data_url, self.create)?;
        if is_postgres(&data) {
            check_reachable(&schema, &data)?;
        }
        fs::create_dir_all(&self.folder).with_context(|| format!("folder {}", self.folder.display()))?;
        let file = self.folder.join(CONFIG_FILE);
        let catalog_url = self.catalog_url.as_deref();
        let present = file.exists();
        if !present {
            let data = without_secret(&self.folder, &schema, data)?;
            let text = configuration(&schema, &data) + &catalog_url::section(&self.folder, catalog_url)?;
            fs::write(&file, text).with_context(|| file.display().to_string())?;
        }
        let config = load_config(&self.folder, None)?;
        if present {
            catalog_url::check_same(&config, catalog_url)?;
        }
        start_logging(&config);
        let keys = key_source(&config);
        let app = App::open(config, keys, Clock::System, Open::Create)?;
        if app.snapshot().catalog.schema_by_name(&schema).is_none() {
            run_script(&app, &schema, "begin ords.enable_schema; commit; end;", "init")?;
        }
        say(format_args!(
            "{} is ready. Schema {schema} is enabled at {}",
            self.folder.display(),
            app.issuer(&schema)
        ))?;
        say(format_args!("Next: gatepost sql --data {} --schema {schema} FILE", self.folder.display()))?;
        say(format_args!("      gatepost serve --data {}", self.folder.display()))?;
        Ok(())
    }
}

/// Runs one of our own scripts as the operator of this terminal.
pub(super) fn run_script(app: &App, schema: &str, text: &str, source: &str) -> anyhow::Result<()> {
    let options = ScriptOptions {
        schema: Some(schema.to_owned()),
        author: super::sql::terminal_user(),
        administrator: true,
        row_limit: None,
        source: source.to_owned(),
        dry_run: false,
    };
    script::run(app, text, &options, &mut |_| {}).map_err(|failure| anyhow::anyhow!("{failure}"))?;
    Ok(())
}

fn absolute_data_url(url: &str, create: bool) -> anyhow::Result<String> {
    if is_postgres(url) {
        return Ok(url.to_owned());
    }
    let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) else {
        bail!("--data-url is `sqlite:FILE` or `postgres://…`");
    };
    let path = Path::new(path);
    if !path.exists() && !create {
        bail!("there is no database {}; --create makes one", path.display());
    }
    let path = std::path::absolute(path)?;
    Ok(format!("sqlite:{}", path.display()))
}

/// Connects, so that a URL that leads nowhere, to no such schema or to a login with too much power is refused before anything is made.
fn check_reachable(schema: &str, url: &str) -> anyhow::Result<()> {
    let mut config = Config::default();
    let storage = SchemaStorage { data: Some(url.to_owned()), ..SchemaStorage::default() };
    config.schemas.insert(schema.to_owned(), storage);
    let store = DataStore::open(&config.data_location(schema)?, DataOptions::default());
    store.and_then(|store| store.probe()).context("--data-url")
}

/// What the configuration says: a URL with a password goes into a file that only its owner can read.
fn without_secret(folder: &Path, schema: &str, url: String) -> anyhow::Result<String> {
    if !is_postgres(&url) || without_password(&url) == url {
        return Ok(url);
    }
    let name = format!("data-{schema}.url");
    let file = folder.join(&name);
    write_private(&file, url.as_bytes()).with_context(|| file.display().to_string())?;
    Ok(format!("file:{name}"))
}

fn configuration(schema: &str, data: &str) -> String {
    format!(
        "# Gatepost. Every key and its default: docs/reference/configuration.md.\n\n\
         [server]\nlisten = \"127.0.0.1:8080\"\n# public_url = \"https://api.example.com\"\n\n\
         [schemas.{schema}]\ndata = {}\n",
        toml::Value::String(data.to_owned())
    )
}
