//! `gatepost init-db`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use gatepost_store::catalog::{CatalogPlace, PlaceOptions};
use gatepost_store::provision::{
    Administrator, CATALOG_LOGIN, DataLogins, Login, SchemaMaking, catalog_statements, data_statements,
    make_login_if_missing,
};

use super::new_folder::new_password;
use super::terminal::{say, tell};
use crate::app::key_file::write_private;

/// Print or apply the SQL that makes Gatepost's logins in a PostgreSQL database.
///
/// One login owns the catalog, and nobody else may read it. Each schema of data gets three: one runs
/// scripts, one reads, one writes.
/// Their passwords are made here and written to files with mode 0600; the SQL holds verifiers only. Running it again
/// changes nothing but what is missing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepost init-db --schema hr > logins.sql
  gatepost init-db --schema hr --url postgres://postgres@db.example.com/app --apply")]
pub(super) struct InitDb {
    /// The database, and a login that may make logins.
    #[arg(long, value_name = "ADMIN_URL")]
    url: Option<String>,
    /// A schema of data; may be given several times.
    #[arg(long = "schema", value_name = "NAME")]
    schemas: Vec<String>,
    /// The schema of the catalog.
    #[arg(long, value_name = "NAME", default_value = PlaceOptions::SCHEMA)]
    catalog_schema: String,
    /// The folder of the password files. A file that is there keeps its password.
    #[arg(long, value_name = "DIR", default_value = ".")]
    passwords: PathBuf,
    /// Run the SQL in one transaction instead of printing it.
    #[arg(long, requires = "url")]
    apply: bool,
}

impl InitDb {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let folder = std::env::current_dir()?;
        // A URL that cannot be used is told of before a file is made.
        let url = self.url.as_deref();
        let place = url.map(|url| CatalogPlace::parse(url, &PlaceOptions::in_folder(&folder))).transpose()?;
        std::fs::create_dir_all(&self.passwords)
            .with_context(|| format!("folder {}", self.passwords.display()))?;
        let mut catalog = Login { name: CATALOG_LOGIN.into(), password: new_password() };
        keep_password(&self.passwords, &mut catalog)?;
        let mut statements = vec![make_login_if_missing(&catalog)];
        statements.extend(catalog_statements(
            &self.catalog_schema,
            &catalog.name,
            SchemaMaking::MakeIfMissing,
        ));
        for schema in &self.schemas {
            let schema = gatepost_rest::definition::Schema::check_name(schema)?;
            let mut logins = DataLogins::new(&schema, new_password);
            for login in [&mut logins.owner, &mut logins.read, &mut logins.write] {
                keep_password(&self.passwords, login)?;
                statements.push(make_login_if_missing(login));
            }
            statements.extend(data_statements(&logins, SchemaMaking::MakeIfMissing));
        }
        if !self.apply {
            say("begin;")?;
            for statement in &statements {
                say(format_args!("{statement};"))?;
            }
            say("commit;")?;
            tell(format_args!("-- the passwords are in {}/*.password", self.passwords.display()));
            return Ok(());
        }
        let Some(CatalogPlace::Postgres(place)) = place else { bail!("--url is `postgres://…`") };
        Administrator::connect(&place)?.apply(&statements).with_context(|| place.to_string())?;
        say(format_args!(
            "{place}: the logins are ready; their passwords are in {}/*.password",
            self.passwords.display()
        ))?;
        Ok(())
    }
}

/// Gives the login the password of its file, which is made when it is missing.
fn keep_password(folder: &Path, login: &mut Login) -> anyhow::Result<()> {
    let file = folder.join(format!("{}.password", login.name));
    match std::fs::read_to_string(&file) {
        Ok(text) => text.trim_end().clone_into(&mut login.password),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write_private(&file, login.password.as_bytes()).with_context(|| file.display().to_string())?;
        }
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    }
    Ok(())
}
