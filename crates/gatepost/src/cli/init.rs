//! `gatepost init`: a folder with configuration, keys, an empty catalog and one enabled schema.

use std::path::PathBuf;

use clap::Args;

use super::data_url::Wanted;
use super::new_folder::Places;
use super::terminal::say;
use super::{catalog_url, data_url, key_source, load_config, new_folder, start_logging, url_argument};
use crate::app::clock::Clock;
use crate::app::{App, Open};
use crate::config::CONFIG_FILE;
use crate::script::{self, ScriptOptions};

const HEAD: &str = "\
# Gatepost. Every key and its default: docs/reference/configuration.md.

[server]
listen = \"127.0.0.1:8080\"
# public_url = \"https://api.example.com\"
";

/// Start an installation on an existing database.
///
/// Makes DIR with gatepost.toml, a key file and an empty catalog, and enables the schema. Running it again on the
/// same folder changes nothing that is there.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder to make.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the data is: `sqlite:FILE` or `postgres://USER@HOST/DATABASE`. A login that may make logins is used once,
    /// to make those of the data.
    #[arg(long, value_name = "URL", value_parser = url_argument::read)]
    data_url: String,
    /// The schema's name; also the first part of its URLs.
    #[arg(long, value_name = "NAME")]
    schema: String,
    /// Make the database file, or the schema in the database, when it does not exist.
    #[arg(long)]
    create: bool,
    /// Where the catalog is: `postgres://…`; without it, a SQLite file in the folder. A login that may make logins is
    /// used once, to make the catalog's own.
    #[arg(long, value_name = "URL", value_parser = url_argument::read)]
    catalog_url: Option<String>,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let schema = gatepost_rest::definition::Schema::check_name(&self.schema)?;
        let (data, catalog) = (self.data_url.as_str(), self.catalog_url.as_deref());
        if !self.folder.join(CONFIG_FILE).exists() {
            let wanted = if self.create { Wanted::Create } else { Wanted::Existing };
            let places = Places { schema: &schema, data: Some(data), wanted, catalog };
            new_folder::make(&self.folder, HEAD, places)?;
        }
        let config = load_config(&self.folder, None)?;
        catalog_url::check_same(&config, catalog)?;
        data_url::check_same(&config, &schema, Some(data))?;
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
