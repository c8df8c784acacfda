//! `--data-url` of `demo` and `init`: the logins of a schema's data, and how they get into `gatepost.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use gatepost_store::catalog::{CatalogPlace, PlaceOptions, PostgresPlace, is_postgres, without_password};
use gatepost_store::data::DataLocation;
use gatepost_store::provision::{Administrator, DataLogins, Names, find_power};

use super::login_files;
use super::new_folder::{Places, new_password, private_files, with_absolute_files};
use crate::config::Config;

/// What a command wants of the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What is there: a file, a schema.
    Existing,
    /// What is missing is made.
    Create,
    /// A schema without tables, which is made when it is missing.
    Empty,
}

/// Calls `keep` with the section of `gatepost.toml` for this URL; nothing without one. URLs with passwords go into files
/// of their own. A login that may make logins is used once, to make three that may do what the data needs; they stay
/// if `keep` succeeds.
pub(super) fn section<T>(
    folder: &Path,
    Places { schema, data: url, wanted, catalog }: Places<'_>,
    keep: impl FnOnce(&str) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let Some(url) = url else { return keep("") };
    if !is_postgres(url) {
        let path = sqlite_file(url, wanted)?;
        let url = format!("sqlite:{}", path.display());
        return keep(&login_files::section_of_schema(schema, &[("data", url)]));
    }
    let here = std::env::current_dir()?;
    let place = postgres_place(url, &here).context("--data-url")?;
    let url = with_absolute_files(url, &here);
    let administrator = Administrator::connect(&place)?;
    let context = || format!("--data-url: {}", place.database());
    let makes_logins = administrator.may_make_logins().with_context(context)?;
    check_schema(&administrator, schema, wanted, makes_logins).with_context(context)?;
    if makes_logins {
        let (logins, names) = interrupted(folder, schema, &place, &url).map_or_else(
            || (DataLogins::new(schema, new_password), Names::Free),
            |known| (known, Names::Ours),
        );
        return administrator.provision(|provision| {
            let logins = provision.data(logins, names)?;
            private_files(folder, login_files::of_data(&logins, &url), || {
                keep(&login_files::data_section(schema, None))
            })
        });
    }
    if let Some(catalog) = catalog.filter(|url| is_postgres(url)) {
        let apart = !postgres_place(catalog, &here).context("--catalog-url")?.is_same_login(&place);
        ensure!(
            apart,
            "{}: data and catalog need logins of their own: else handlers could read clients and keys of the catalog",
            context()
        );
    }
    if let Some(power) = find_power(&place, None).with_context(context)? {
        bail!("{}: {power}: it is not for data", context());
    }
    administrator.provision(|provision| {
        provision.own_schema(schema)?;
        keep_login(folder, schema, &url, keep)
    })
}

/// The logins that a run made which ended before the catalog's was there: they are known to the folder's files only.
fn interrupted(folder: &Path, schema: &str, place: &PostgresPlace, url: &str) -> Option<DataLogins> {
    let known = login_files::known_data(folder, schema, place).ok().flatten()?;
    let opens = |url: &str| {
        let place = postgres_place(url.trim(), folder).ok()?;
        Administrator::connect(&place).and_then(|login| login.may_make_logins()).ok()
    };
    login_files::of_data(&known, url).iter().all(|(_, url)| opens(url).is_some()).then_some(known)
}

/// Refuses a place that the installation in the folder does not have.
pub(super) fn check_same(config: &Config, schema: &str, url: Option<&str>) -> anyhow::Result<()> {
    let Some(url) = url else { return Ok(()) };
    let here = std::env::current_dir()?;
    let place = |url: &str, folder: &Path| postgres_place(url, folder).map(|place| place.database());
    let wanted = if is_postgres(url) {
        place(url, &here).context("--data-url")?
    } else {
        sqlite_file(url, Wanted::Create)?.display().to_string()
    };
    let present = match config.data_location(schema)? {
        DataLocation::Sqlite(path) => std::path::absolute(path)?.display().to_string(),
        DataLocation::Postgres(postgres) => place(&postgres.reader_url, &config.folder)?,
    };
    ensure!(
        wanted == present,
        "the data of this folder is {present}, not {wanted}; another place takes a folder of its own"
    );
    Ok(())
}

/// Makes the schema in the database if it is missing and the login of scripts may.
pub(super) fn make_missing_schema(config: &Config, schema: &str) -> anyhow::Result<()> {
    let DataLocation::Postgres(postgres) = config.data_location(schema)? else { return Ok(()) };
    let place = postgres_place(&postgres.owner_url, &config.folder)?;
    let administrator = Administrator::connect(&place)?;
    let context = || format!("{}: schema {}", place.database(), postgres.schema);
    if administrator.find_schema(&postgres.schema).with_context(context)?.is_none() {
        administrator.provision(|provision| provision.own_schema(&postgres.schema)).with_context(context)?;
    }
    Ok(())
}

/// Refuses before anything is made.
fn check_schema(
    administrator: &Administrator,
    schema: &str,
    wanted: Wanted,
    makes_logins: bool,
) -> anyhow::Result<()> {
    let Some(found) = administrator.find_schema(schema)? else {
        ensure!(wanted != Wanted::Existing, "the database has no schema {schema}; --create makes one");
        ensure!(
            administrator.may_make_schemas()?,
            "there is no schema {schema} and the login may not make one; somebody who may: create schema {schema} \
             authorization …, or grant create on the database"
        );
        return Ok(());
    };
    if wanted == Wanted::Empty && found.tables > 0 {
        bail!("schema {schema} holds tables already; the sample takes a database of its own");
    }
    ensure!(
        found.ours || !makes_logins,
        "schema {schema} belongs to {}; its rights are given by a superuser, or a member of that role",
        found.owner
    );
    Ok(())
}

/// A URL of data.
pub(super) fn postgres_place(url: &str, folder: &Path) -> anyhow::Result<PostgresPlace> {
    match CatalogPlace::parse(url, &PlaceOptions::in_folder(folder))? {
        CatalogPlace::Postgres(place) => Ok(*place),
        CatalogPlace::Sqlite(_) => bail!("it is no URL of PostgreSQL"),
    }
}

fn sqlite_file(url: &str, wanted: Wanted) -> anyhow::Result<PathBuf> {
    let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) else {
        bail!("--data-url is `sqlite:FILE` or `postgres://…`");
    };
    let path = Path::new(path);
    if wanted == Wanted::Existing && !path.exists() {
        bail!("there is no database {}; --create makes one", path.display());
    }
    Ok(std::path::absolute(path)?)
}

fn keep_login<T>(
    folder: &Path,
    schema: &str,
    url: &str,
    keep: impl FnOnce(&str) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if without_password(url) == url {
        return keep(&login_files::section_of_schema(schema, &[("data", url.to_owned())]));
    }
    let name = login_files::reader_file(schema);
    private_files(folder, [(&name, format!("{url}\n"))], || {
        keep(&login_files::section_of_schema(schema, &[("data", format!("file:{name}"))]))
    })
}
