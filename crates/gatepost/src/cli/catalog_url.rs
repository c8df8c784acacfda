//! `--catalog-url` of `demo` and `init`: how the URL gets into `gatepost.toml`.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_store::catalog::{CatalogPlace, PlaceOptions, for_login, without_password};
use gatepost_store::provision::{Administrator, CATALOG_LOGIN, Login, catalog_statements};

use crate::app::clock::random_bytes;
use crate::app::key_file::write_private;
use crate::config::Config;

/// Beside `gatepost.toml`, with mode 0600.
const PASSWORD_FILE: &str = "catalog.password";

/// The section of `gatepost.toml` for this URL; nothing without one. A password goes into a file of its own. A login
/// that may make logins is used once, to make one that may only do what the catalog needs.
pub(super) fn section(folder: &Path, url: Option<&str>) -> anyhow::Result<String> {
    let Some(url) = url else { return Ok(String::new()) };
    let here = std::env::current_dir()?;
    let place = CatalogPlace::parse(url, &PlaceOptions::in_folder(&here)).context("--catalog-url")?;
    let (url, password) = match &place {
        CatalogPlace::Sqlite(path) => (format!("sqlite:{}", path.display()), None),
        CatalogPlace::Postgres(place) => {
            let absolute = with_absolute_files(url, &here);
            let administrator = Administrator::connect(place)?;
            if administrator.may_make_logins().with_context(|| place.to_string())? {
                ensure!(
                    !administrator.has_role(CATALOG_LOGIN)?,
                    "login {CATALOG_LOGIN} exists in this database: name it in --catalog-url"
                );
                let login = Login { name: CATALOG_LOGIN.into(), password: new_password() };
                administrator.apply(&catalog_statements(PlaceOptions::SCHEMA, &login))?;
                (for_login(&absolute, CATALOG_LOGIN), Some(login.password))
            } else {
                (without_password(&absolute), place.password())
            }
        }
    };
    let url = toml::Value::String(url);
    let Some(password) = password else {
        return Ok(format!(
            "
[catalog]
url = {url}
"
        ));
    };
    let file = folder.join(PASSWORD_FILE);
    write_private(&file, password.as_bytes()).with_context(|| file.display().to_string())?;
    Ok(format!(
        "
[catalog]
url = {url}
password_file = \"{PASSWORD_FILE}\"
"
    ))
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

/// A password that nobody has to type.
pub(super) fn new_password() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<24>())
}

/// The URL with its files named from the root: a command's folder is not the configuration's.
fn with_absolute_files(url: &str, folder: &Path) -> String {
    let Some((base, query)) = url.split_once('?') else { return url.to_owned() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key @ ("sslrootcert" | "passfile"), file)) if file != "system" => {
            format!("{key}={}", folder.join(file).display())
        }
        _ => pair.to_owned(),
    });
    format!("{base}?{}", pairs.collect::<Vec<_>>().join("&"))
}
