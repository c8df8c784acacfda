//! `--catalog-url` of `demo` and `init`: how the URL gets into `gatepost.toml`.

use std::path::Path;

use anyhow::{Context as _, bail};
use gatepost_store::catalog::{CatalogPlace, PlaceOptions, PostgresPlace, without_password};
use gatepost_store::provision::{Administrator, CATALOG_LOGIN, Login, Names};

use super::login_files::{self, CATALOG_FILE};
use super::new_folder::{new_password, private_files, with_absolute_files};
use crate::config::Config;

/// Calls `keep` with the section of `gatepost.toml` for this URL; nothing without one. A password goes into a file of its
/// own. A login that may make logins is used once, to make one that may only do what the catalog needs; that stays if
/// `keep` succeeds.
pub(super) fn section<T>(
    folder: &Path,
    url: Option<&str>,
    keep: impl FnOnce(&str) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let Some(url) = url else { return keep("") };
    let here = std::env::current_dir()?;
    let place = CatalogPlace::parse(url, &PlaceOptions::in_folder(&here)).context("--catalog-url")?;
    let place = match place {
        CatalogPlace::Sqlite(path) => {
            let url = format!("sqlite:{}", path.display());
            return keep(&login_files::section_of_catalog(PlaceOptions::SCHEMA, &url));
        }
        CatalogPlace::Postgres(place) => place,
    };
    let url = with_absolute_files(url, &here);
    let administrator = Administrator::connect(&place)?;
    if !administrator.may_make_logins().with_context(|| format!("--catalog-url: {place}"))? {
        return keep_login(folder, &place, &url, keep);
    }
    if let Some(schema) = administrator.find_schema(place.schema())? {
        bail!(
            "--catalog-url: {} holds a schema {} already; name the login that owns it, {}",
            place.database(),
            place.schema(),
            schema.owner
        );
    }
    let wanted = Login { name: CATALOG_LOGIN.into(), password: new_password() };
    administrator.provision(|provision| {
        let login = provision.catalog(place.schema(), wanted, Names::Free)?;
        private_files(folder, [login_files::of_catalog(&login, &url)], || {
            keep(&login_files::catalog_section(place.schema(), None))
        })
    })
}

fn keep_login<T>(
    folder: &Path,
    place: &PostgresPlace,
    url: &str,
    keep: impl FnOnce(&str) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if without_password(url) == url {
        return keep(&login_files::section_of_catalog(place.schema(), url));
    }
    private_files(folder, [(CATALOG_FILE, format!("{url}\n"))], || {
        keep(&login_files::catalog_section(place.schema(), None))
    })
}

/// Refuses a URL that the installation in the folder does not have.
pub(super) fn check_same(config: &Config, url: Option<&str>) -> anyhow::Result<()> {
    let Some(url) = url else { return Ok(()) };
    let wanted = CatalogPlace::parse(url, &PlaceOptions::in_folder(&std::env::current_dir()?))?.to_string();
    let present = config.catalog_place()?.to_string();
    if wanted != present {
        bail!("the catalog of this folder is {present}, not {wanted}; `gatepost copy-catalog` moves one");
    }
    Ok(())
}
