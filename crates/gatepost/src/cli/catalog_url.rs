//! `--catalog-url` of `demo` and `init`: how the URL gets into `gatepost.toml`.

use std::path::Path;

use anyhow::{Context as _, bail};
use gatepost_store::catalog::{CatalogPlace, PlaceOptions, for_login, without_password};
use gatepost_store::provision::{Administrator, CATALOG_LOGIN, Login};

use super::new_folder::{new_password, private_files, with_absolute_files};
use crate::config::Config;

/// Beside `gatepost.toml`, with mode 0600.
const PASSWORD_FILE: &str = "catalog.password";

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
        CatalogPlace::Sqlite(path) => return keep(&text(&format!("sqlite:{}", path.display()), None)),
        CatalogPlace::Postgres(place) => place,
    };
    let url = with_absolute_files(url, &here);
    let administrator = Administrator::connect(&place)?;
    if !administrator.may_make_logins().with_context(|| format!("--catalog-url: {place}"))? {
        let secret = place.password().map(|password| (PASSWORD_FILE, password));
        return private_files(folder, secret.iter().cloned(), || {
            keep(&text(&without_password(&url), secret.as_ref().map(|_| PASSWORD_FILE)))
        });
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
    administrator.make_catalog(place.schema(), wanted, |login| {
        private_files(folder, [(PASSWORD_FILE, login.password.clone())], || {
            keep(&text(&for_login(&url, &login.name, None), Some(PASSWORD_FILE)))
        })
    })
}

fn text(url: &str, password_file: Option<&str>) -> String {
    let url = toml::Value::String(url.to_owned());
    let file = password_file.map_or(String::new(), |file| format!("password_file = \"{file}\"\n"));
    format!("\n[catalog]\nurl = {url}\n{file}")
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
