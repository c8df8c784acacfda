//! `gatepost init-db`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use gatepost_store::catalog::{CatalogPlace, PlaceOptions, PostgresPlace};
use gatepost_store::provision::{Administrator, CATALOG_LOGIN, DataLogins, Login, Names, printed};

use super::login_files::{self, NamedText};
use super::new_folder::{new_password, private_files, with_absolute_files};
use super::terminal::{say, tell};
use super::url_argument;
use crate::app::clock::random_bytes;

/// Print or apply the SQL that makes Gatepost's logins in a PostgreSQL database.
///
/// One login owns the catalog, and nobody else may read it. Each schema of data gets three: one runs scripts, one reads,
/// one writes. Their URLs, with passwords that are made here, go to files with mode 0600, and the lines of gatepost.toml
/// that name them are printed. The SQL holds verifiers only. Running it again changes nothing but what is missing.
///
/// Roles belong to all databases of a server, and one that is there can be another installation's. With --apply the next
/// free name is taken; in printed SQL new names have a random ending.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepost init-db --url postgres://db.example.com/app --schema hr --files secrets > logins.sql
  gatepost init-db --url postgres://postgres@db.example.com/app --schema hr --files secrets --apply >> gatepost.toml")]
pub(super) struct InitDb {
    /// The database; with --apply, and a login that may make logins.
    #[arg(long, value_name = "URL", value_parser = url_argument::read)]
    url: String,
    /// A schema of data; may be given several times.
    #[arg(long = "schema", value_name = "NAME")]
    schemas: Vec<String>,
    /// The schema of the catalog.
    #[arg(long, value_name = "NAME", default_value = PlaceOptions::SCHEMA)]
    catalog_schema: String,
    /// The folder of the logins' files. A login whose file is there stays what it is.
    #[arg(long, value_name = "DIR", default_value = ".")]
    files: PathBuf,
    /// Run the SQL in one transaction instead of printing it.
    #[arg(long)]
    apply: bool,
}

/// The logins that are wanted, and whether they were known before.
struct Wanted {
    catalog: (Login, Names),
    data: Vec<(DataLogins, Names)>,
}

impl InitDb {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let here = std::env::current_dir()?;
        let options = PlaceOptions { schema: &self.catalog_schema, ..PlaceOptions::in_folder(&here) };
        let CatalogPlace::Postgres(place) = CatalogPlace::parse(&self.url, &options).context("--url")? else {
            bail!("--url is `postgres://…`");
        };
        let url = with_absolute_files(&self.url, &here);
        let folder = std::path::absolute(&self.files)?;
        let wanted = self.wanted(&folder, &place)?;
        if self.apply { self.make(wanted, &place, &url, &folder) } else { self.print(wanted, &url, &folder) }
    }

    fn wanted(&self, folder: &Path, place: &PostgresPlace) -> anyhow::Result<Wanted> {
        let mut readers = BTreeSet::new();
        let catalog = match login_files::known_catalog(folder, place)? {
            Some(login) => (login, Names::Ours),
            None => (Login { name: CATALOG_LOGIN.into(), password: new_password() }, Names::Free),
        };
        let mut data = Vec::new();
        for schema in &self.schemas {
            let schema = gatepost_rest::definition::Schema::check_name(schema)?;
            let (logins, names) = match login_files::known_data(folder, &schema, place)? {
                Some(logins) => (logins, Names::Ours),
                None => (DataLogins::new(&schema, new_password), Names::Free),
            };
            ensure!(
                readers.insert(logins.read.name.clone()),
                "schema {schema} is named twice, or its name begins as that of another one"
            );
            data.push((logins, names));
        }
        Ok(Wanted { catalog, data })
    }

    fn make(&self, wanted: Wanted, place: &PostgresPlace, url: &str, folder: &Path) -> anyhow::Result<()> {
        let administrator = Administrator::connect(place)?;
        check_known(&administrator, &wanted, url, folder)?;
        let files = administrator
            .provision(|provision| {
                let (login, names) = wanted.catalog;
                let catalog = provision.catalog(&self.catalog_schema, login, names)?;
                let mut data = Vec::new();
                for (logins, names) in wanted.data {
                    data.push(provision.data(logins, names)?);
                }
                let files = files(&catalog, &data, url);
                private_files(folder, files.clone(), || Ok(files))
            })
            .with_context(|| place.database())?;
        for (name, url) in files {
            check_opens(&url, folder).with_context(|| format!("the login of {name}"))?;
        }
        tell(format_args!(
            "{}: the logins are ready; their URLs are in {}",
            place.database(),
            folder.display()
        ));
        say(self.sections(folder)?.trim_start())?;
        Ok(())
    }

    fn print(&self, wanted: Wanted, url: &str, folder: &Path) -> anyhow::Result<()> {
        let (mut catalog, names) = wanted.catalog;
        let mut data = Vec::new();
        if names == Names::Free {
            catalog.end_with(&new_ending());
        }
        for (mut logins, names) in wanted.data {
            if names == Names::Free {
                let ending = new_ending();
                for login in [&mut logins.owner, &mut logins.read, &mut logins.write] {
                    login.end_with(&ending);
                }
            }
            data.push(logins);
        }
        private_files(folder, files(&catalog, &data, url), || Ok(()))?;
        for statement in printed(&self.catalog_schema, &catalog, &data) {
            say(format_args!("{statement};"))?;
        }
        say("\n-- For gatepost.toml:")?;
        for line in self.sections(folder)?.lines() {
            say(format_args!("-- {line}").to_string().trim_end())?;
        }
        Ok(())
    }

    fn sections(&self, folder: &Path) -> anyhow::Result<String> {
        let mut text = login_files::catalog_section(&self.catalog_schema, Some(folder));
        for schema in &self.schemas {
            let schema = gatepost_rest::definition::Schema::check_name(schema)?;
            text += &login_files::data_section(&schema, Some(folder));
        }
        Ok(text)
    }
}

fn files(catalog: &Login, data: &[DataLogins], url: &str) -> Vec<NamedText> {
    let of_data = data.iter().flat_map(|logins| login_files::of_data(logins, url));
    std::iter::once(login_files::of_catalog(catalog, url)).chain(of_data).collect()
}

/// Nobody can look which names are free when the SQL is printed, and a role that is there would get rights on this data.
fn new_ending() -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyz234567";
    random_bytes::<8>().map(|byte| char::from(letters[usize::from(byte) % letters.len()])).iter().collect()
}

/// A role that is there and that its file does not open is somebody else's: it gets no rights.
fn check_known(
    administrator: &Administrator,
    wanted: &Wanted,
    url: &str,
    folder: &Path,
) -> anyhow::Result<()> {
    let mut known = Vec::new();
    if wanted.catalog.1 == Names::Ours {
        known.push((&wanted.catalog.0, login_files::of_catalog(&wanted.catalog.0, url)));
    }
    for (logins, _) in wanted.data.iter().filter(|(_, names)| *names == Names::Ours) {
        known.extend(
            [&logins.read, &logins.write, &logins.owner].into_iter().zip(login_files::of_data(logins, url)),
        );
    }
    for (login, (file, url)) in known {
        if administrator.has_role(&login.name)? {
            check_opens(&url, folder)
                .with_context(|| format!("role {} is there and {file} does not open it", login.name))?;
        }
    }
    Ok(())
}

fn check_opens(url: &str, folder: &Path) -> anyhow::Result<()> {
    let CatalogPlace::Postgres(place) = CatalogPlace::parse(url.trim(), &PlaceOptions::in_folder(folder))?
    else {
        return Ok(());
    };
    Administrator::connect(&place)?.may_make_logins()?;
    Ok(())
}
